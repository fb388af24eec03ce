"""Published population pharmacokinetics, kept as data in `drugs.toml`, and patients drawn from them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ..checks import any_shape
from ..drug_data import drug_data
from ..errors import InputError
from .pharmacokinetics import Kinetics

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["Compound", "Drug", "drug", "drugs"]

VOLUME_POWER, CLEARANCE_POWER = 1.0, 0.75


@dataclass(frozen=True, eq=False)
class Compound:
    """Kinetics of one compound in a typical person, and how people differ.

    Attributes
    ----------
    names
        Of the parameters, in the order of `values`: CL, V1, V2, ..., Q2, ...
    values
        At the reference weight, L/h and L, shape (parameters,).
    powers
        Of weight, 0 for what does not go with it, shape (parameters,).
    varying
        Columns of the parameters that vary between people, shape (effects,).
    factor
        Lower Cholesky factor of the covariance of their logarithms, shape (effects, effects).
    """

    analyte: str
    names: tuple[str, ...]
    values: NDArray[np.float64]
    powers: NDArray[np.float64]
    varying: NDArray[np.intp]
    factor: NDArray[np.float64]

    @property
    def effects(self) -> int:
        """How many parameters vary between people."""
        return len(self.varying)

    def kinetics(
        self, relative_weight: NDArray[np.float64], normal: NDArray[np.float64] | None, metabolite: Kinetics | None
    ) -> Kinetics:
        """Kinetics of people: weights over the reference weight, shape (...), standard normal (..., effects) or None
        for the typical.
        """
        parameters = self.values * relative_weight[..., None] ** self.powers
        if normal is not None:
            if normal.shape[-1:] != (self.effects,):
                raise InputError("normal", normal.shape, f"{self.effects} numbers along the last axis")
            logarithms = np.zeros((*normal.shape[:-1], len(self.values)))
            logarithms[..., self.varying] = normal @ self.factor.T
            parameters = parameters * np.exp(logarithms)
        compartments = (len(self.names) + 1) // 2
        return Kinetics(
            parameters[..., 0], parameters[..., 1 : compartments + 1], parameters[..., compartments + 1 :], metabolite
        )


@dataclass(frozen=True, eq=False)
class Drug:
    """A published set of population pharmacokinetics.

    Attributes
    ----------
    share
        Part of a prescribed dose that the set describes: one half where it is S-ketamine and the dose is of the
        racemate.
    reference_weight
        kg.
    """

    name: str
    title: str
    share: float
    reference_weight: float
    compound: Compound
    metabolite: Compound | None
    source: str
    note: str

    @property
    def effects(self) -> int:
        """How many of the drug's parameters vary between people."""
        return self.compound.effects

    def given(self, mg_per_kg: ArrayLike, weight: ArrayLike) -> NDArray[np.float64]:
        """What a prescribed dose holds of what the set describes, in mg, for weights in kg."""
        return self.share * any_shape("mg_per_kg", mg_per_kg) * any_shape("weight", weight)

    def typical(self, weight: ArrayLike | None = None) -> Kinetics:
        """Kinetics of a typical person of that weight in kg (the reference weight unless said), any shape."""
        return self.individual(self.reference_weight if weight is None else weight, None)

    def individual(
        self,
        weight: ArrayLike,
        normal: NDArray[np.float64] | None,
        metabolite_normal: NDArray[np.float64] | None = None,
    ) -> Kinetics:
        """Kinetics of people of given weights whose parameters vary log-normally about the typical ones.

        Parameters
        ----------
        weight
            kg, shape (...).
        normal, metabolite_normal
            Standard normal numbers, shape (..., effects) of the drug and of its metabolite; typical values for None.

        Raises
        ------
        InputError
            For weights that are not positive, or numbers of another shape.
        """
        kilograms = any_shape("weight", weight, "positive numbers of kg")
        if (kilograms <= 0).any():
            raise InputError("weight", weight, "positive numbers of kg")
        relative = kilograms / self.reference_weight
        formed = None
        if self.metabolite is not None:
            formed = self.metabolite.kinetics(relative, metabolite_normal, None)
        return self.compound.kinetics(relative, normal, formed)


def _compound(entry: dict[str, Any]) -> Compound:
    volumes, flows = entry["volumes"], entry["flows"]
    names = ("CL", *(f"V{at + 1}" for at in range(len(volumes))), *(f"Q{at + 2}" for at in range(len(flows))))
    own = [VOLUME_POWER if name.startswith("V") else CLEARANCE_POWER for name in names]
    varying = [first for first, second, _ in entry["variability"] if first == second]
    covariance = np.zeros((len(varying), len(varying)))
    for first, second, value in entry["variability"]:
        row, column = varying.index(first), varying.index(second)
        covariance[row, column] = covariance[column, row] = value
    return Compound(
        entry["analyte"],
        names,
        np.array([entry["clearance"], *volumes, *flows], dtype=np.float64),
        np.array([power if name in entry["scaled"] else 0.0 for name, power in zip(names, own, strict=True)]),
        np.array([names.index(name) for name in varying], dtype=np.intp),
        np.linalg.cholesky(covariance).astype(np.float64),
    )


@cache
def drugs() -> dict[str, Drug]:
    """All published sets that ship with the package, by name."""
    return {
        name: Drug(
            name,
            entry["title"],
            float(entry["share"]),
            float(entry["reference_weight"]),
            _compound(entry),
            _compound(entry["metabolite"]) if "metabolite" in entry else None,
            entry["source"],
            entry["note"],
        )
        for name, entry in drug_data().items()
    }


def drug(name: str) -> Drug:
    """The set of that name; raises `InputError` naming those there are."""
    if name not in drugs():
        raise InputError("drug", name, f"one of {', '.join(drugs())}")
    return drugs()[name]
