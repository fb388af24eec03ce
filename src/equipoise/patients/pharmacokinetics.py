"""Linear compartments filled by infusions: concentrations in closed form, for one patient or many at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ..checks import any_shape, number, numbers
from ..errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["Infusions", "Kinetics", "Modes"]

HOURS_PER_DAY = 24
MINUTES_PER_HOUR = 60
NANOGRAMS_PER_ML = 1000  # in a mg/L

# Rates of drug and metabolite nearer than this, relative to themselves, are moved apart about their middle: the
# divided difference then errs by about its square, and by no more in rounding.
_NEAREST = 2e-5


@dataclass(frozen=True, eq=False)
class Infusions:
    """Infusions at a constant rate, all of one length.

    Attributes
    ----------
    starts
        Hours at which they start, shape (infusions,).
    length
        Hours that each takes; 0 for a bolus.
    """

    starts: NDArray[np.float64]
    length: float

    @classmethod
    def on_days(cls, days: ArrayLike, minutes: float) -> Infusions:
        """Infusions of so many minutes that start on those days, from hour 0 of day 0.

        Raises
        ------
        InputError
            For days that are not finite numbers, or negative minutes.
        """
        length = number("minutes", minutes, "a number of minutes from 0 on")
        if length < 0:
            raise InputError("minutes", minutes, "a number of minutes from 0 on")
        return cls(numbers("days", days) * HOURS_PER_DAY, length / MINUTES_PER_HOUR)

    @property
    def ends(self) -> NDArray[np.float64]:
        """Hours at which they end, shape (infusions,)."""
        return self.starts + self.length

    def given(self, hours: NDArray[np.float64]) -> NDArray[np.float64]:
        """How many infusions' worth has been given by those hours, any shape."""
        return self._each(hours)[0].sum(axis=0)

    def left(self, rates: NDArray[np.float64], hours: NDArray[np.float64]) -> NDArray[np.float64]:
        """What is left of all infusions of amount 1 where an amount decays at a rate.

        Parameters
        ----------
        rates
            Per hour, shape (..., modes).
        hours
            Shape (times,).

        Returns
        -------
        Shape (..., modes, times).
        """
        decay = rates[..., None]
        total = np.zeros(np.broadcast_shapes(decay.shape, hours.shape))
        for share, after in zip(*self._each(hours), strict=True):
            run = share * self.length
            entered = share if self.length == 0 else -np.expm1(-decay * run) / (decay * self.length)
            total += entered * np.exp(-decay * after)
        return total

    def _each(self, hours: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Share of each infusion given, and hours since it ended (0 before), both of shape (infusions, *hours)."""
        since = hours - self.starts.reshape(-1, *[1] * hours.ndim)
        share = np.clip(since / self.length, 0, 1) if self.length else (since >= 0).astype(np.float64)
        return share, np.maximum(since - self.length, 0)


@dataclass(frozen=True, eq=False)
class Modes:
    """Amounts after a bolus of 1 mg into the first compartment of the drug, as sums of exponentials.

    Attributes
    ----------
    rates
        Per hour, shape (..., modes).
    amounts
        In mg, shape (..., compartments, modes): amounts @ exp(-rates * hours) is in the compartments.
    """

    rates: NDArray[np.float64]
    amounts: NDArray[np.float64]

    def feeding(self, per_hour: NDArray[np.float64], next_modes: Modes) -> Modes:
        """Amounts of what is formed from this one's first compartment at a rate and goes its own ways from there.

        A mode of the drug followed by one of the metabolite is the divided difference of the two exponentials.

        Parameters
        ----------
        per_hour
            Share of the first compartment that is transformed in an hour, shape (...).
        next_modes
            Of the metabolite alone, after a bolus of it.
        """
        first, second = np.broadcast_arrays(self.rates[..., :, None], next_modes.rates[..., None, :])
        middle, half = (first + second) / 2, (second - first) / 2
        nearest = _NEAREST * middle / 2
        half = np.where(np.abs(half) < nearest, np.copysign(nearest, half), half)
        weights = per_hour[..., None, None] * self.amounts[..., 0, :, None] / (2 * half)
        flat = (*np.broadcast_shapes(weights.shape, middle.shape)[:-2], -1)
        amounts = next_modes.amounts[..., :, None, :] * weights[..., None, :, :]
        amounts = amounts.reshape(*amounts.shape[:-2], -1)
        return Modes(
            np.concatenate([(middle - half).reshape(flat), (middle + half).reshape(flat)], axis=-1),
            np.concatenate([amounts, -amounts], axis=-1),
        )


@dataclass(frozen=True, eq=False)
class Kinetics:
    """A mammillary model: a central compartment that is dosed and cleared, and up to two that exchange with it.

    All quantities may have leading axes, of patients or of trials and patients, that go along with each other; doses
    have the same. What is found is a closed form: eigenvalues of the rate matrix, which is similar to a symmetric one,
    and superposition of the infusions (Gibaldi & Perrier 1982, Pharmacokinetics, 2nd edition).

    Attributes
    ----------
    clearance
        Of the central compartment, L/h, shape (...).
    volumes
        Of the compartments, the central one first, L, shape (..., compartments), of 1 to 3 compartments.
    flows
        Intercompartmental clearances between the central one and each other, L/h, shape (..., compartments - 1).
    metabolite
        Kinetics of what all that is cleared becomes, milligram for milligram; None where it is not followed.

    Raises
    ------
    InputError
        For values that are not positive numbers, or shapes that do not go together.
    """

    clearance: NDArray[np.float64]
    volumes: NDArray[np.float64]
    flows: NDArray[np.float64]
    metabolite: Kinetics | None = None

    def __post_init__(self) -> None:
        for name in ("clearance", "volumes", "flows"):
            found = any_shape(name, getattr(self, name), "positive numbers")
            if (found <= 0).any():
                raise InputError(name, getattr(self, name), "positive numbers")
            object.__setattr__(self, name, found)
        if self.volumes.ndim == 0 or not 1 <= self.volumes.shape[-1] <= 3:
            raise InputError("volumes", self.volumes, "1 to 3 compartments along the last axis")
        if self.flows.ndim == 0 or self.flows.shape[-1] != self.volumes.shape[-1] - 1:
            raise InputError("flows", self.flows, "one less than compartments along the last axis")

    @cached_property
    def modes(self) -> Modes:
        """The drug's own amounts after a bolus of 1 mg, slowest mode first."""
        count = self.volumes.shape[-1]
        leading = np.broadcast_shapes(self.clearance.shape, self.volumes.shape[:-1], self.flows.shape[:-1])
        exchange = np.zeros((*leading, count, count))
        exchange[..., 0, 0] = self.clearance + self.flows.sum(axis=-1)
        for at in range(1, count):
            exchange[..., at, at] = self.flows[..., at - 1]
            exchange[..., 0, at] = exchange[..., at, 0] = -self.flows[..., at - 1]
        root = np.sqrt(self.volumes)
        rates, vectors = np.linalg.eigh(exchange / (root[..., :, None] * root[..., None, :]))
        amounts = (root / root[..., :1])[..., None] * vectors * vectors[..., :1, :]
        return Modes(rates, amounts)

    @cached_property
    def metabolite_modes(self) -> Modes:
        """The metabolite's amounts after a bolus of 1 mg of the drug; raises `InputError` where it is not followed."""
        return self.modes.feeding(self.clearance / self.volumes[..., 0], self._followed.modes)

    @property
    def half_lives(self) -> NDArray[np.float64]:
        """Half-lives of the drug in hours, the longest first, shape (..., compartments)."""
        return np.log(2) / self.modes.rates

    def amounts(self, dose: ArrayLike, infusions: Infusions, hours: ArrayLike) -> NDArray[np.float64]:
        """Amounts in the drug's compartments, then in the metabolite's, in mg, shape (..., compartments, times).

        Parameters
        ----------
        dose
            Of each infusion, mg, shape (...).
        hours
            Shape (times,).
        """
        at = numbers("hours", hours)
        found = [self._amounts(self.modes, dose, infusions, at)]
        if self.metabolite is not None:
            found.append(self._amounts(self.metabolite_modes, dose, infusions, at))
        return np.concatenate(found, axis=-2)

    def concentration(self, dose: ArrayLike, infusions: Infusions, hours: ArrayLike) -> NDArray[np.float64]:
        """Concentration of the drug in the central compartment, ng/mL, shape (..., times); arguments as `amounts`."""
        found = self._amounts(self.modes, dose, infusions, numbers("hours", hours), 1)[..., 0, :]
        return NANOGRAMS_PER_ML * found / self.volumes[..., :1]

    def metabolite_concentration(self, dose: ArrayLike, infusions: Infusions, hours: ArrayLike) -> NDArray[np.float64]:
        """Concentration of the metabolite in its central compartment, ng/mL, as `concentration`.

        Raises
        ------
        InputError
            Where the metabolite is not followed.
        """
        volume = self._followed.volumes[..., :1]
        found = self._amounts(self.metabolite_modes, dose, infusions, numbers("hours", hours), 1)[..., 0, :]
        return NANOGRAMS_PER_ML * found / volume

    def peak(self, dose: ArrayLike, hours: float) -> NDArray[np.float64]:
        """Cmax of a single infusion of so many hours, which is the concentration at its end, ng/mL, shape (...)."""
        return self.concentration(dose, Infusions(np.zeros(1), hours), [hours])[..., 0]

    def peaks(self, dose: ArrayLike, infusions: Infusions) -> NDArray[np.float64]:
        """Concentrations at the end of each infusion, ng/mL, shape (..., infusions)."""
        return self.concentration(dose, infusions, infusions.ends)

    def troughs(self, dose: ArrayLike, infusions: Infusions) -> NDArray[np.float64]:
        """Concentrations when each infusion starts, 0 at the first, ng/mL, shape (..., infusions)."""
        before = [
            self.concentration(dose, Infusions(infusions.starts[infusions.starts < start], infusions.length), [start])
            for start in infusions.starts
        ]
        return np.concatenate(before, axis=-1)

    def area(self, dose: ArrayLike) -> NDArray[np.float64]:
        """Area under the concentration of one infusion to infinity, dose over clearance, ng h/mL, shape (...)."""
        return NANOGRAMS_PER_ML * any_shape("dose", dose) / self.clearance

    def area_until(self, dose: ArrayLike, infusions: Infusions, hours: ArrayLike) -> NDArray[np.float64]:
        """Area under the concentration up to those hours, ng h/mL, shape (..., times); arguments as `amounts`."""
        at = numbers("hours", hours)
        gone = (infusions.given(at) - infusions.left(self.modes.rates, at)) / self.modes.rates[..., None]
        found = np.einsum("...m,...mt->...t", self.modes.amounts[..., 0, :], gone)
        return NANOGRAMS_PER_ML * any_shape("dose", dose)[..., None] * found / self.volumes[..., :1]

    @property
    def _followed(self) -> Kinetics:
        if self.metabolite is None:
            raise InputError("metabolite", None, "kinetics whose metabolite is followed")
        return self.metabolite

    @staticmethod
    def _amounts(
        modes: Modes, dose: ArrayLike, infusions: Infusions, hours: NDArray[np.float64], compartments: int | None = None
    ) -> NDArray[np.float64]:
        left = infusions.left(modes.rates, hours)
        return any_shape("dose", dose)[..., None, None] * (modes.amounts[..., :compartments, :] @ left)
