"""Van Elteren's rank-sum test within strata, of one trial or many."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ...errors import InputError
from .placements import placements
from .two_arms import TwoArms, no_patients, stratum_codes, two_arms

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["VanElteren", "VanElterens", "van_elteren", "van_elteren_batch"]


@dataclass(frozen=True, slots=True, eq=False)
class VanElterens:
    """Stratified rank-sum tests of many trials; arrays of shape (trials,), NaN where there is no test.

    Attributes
    ----------
    statistic
        Sum over strata of U / (n + 1), n the patients of the stratum, less its expectation: positive where the
        experimental arm has the higher outcomes.
    variance
        Over all ways to divide the patients of each stratum into the arms, ties counted.
    refusals
        Why a trial has no test, by its number from 0.
    """

    statistic: NDArray[np.float64]
    variance: NDArray[np.float64]
    refusals: dict[int, InputError] = field(default_factory=dict)

    @property
    def z(self) -> NDArray[np.float64]:
        """Standard normal if the arms do not differ within strata; no continuity correction."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.statistic / np.sqrt(self.variance)


@dataclass(frozen=True, slots=True)
class VanElteren:
    """A stratified rank-sum test; attributes as of `VanElterens`."""

    statistic: float
    variance: float

    @property
    def z(self) -> float:
        """Standard normal if the arms do not differ within strata; no continuity correction."""
        return self.statistic / math.sqrt(self.variance)

    @property
    def p_value(self) -> float:
        """Two-sided p-value."""
        from scipy.special import ndtr

        return 2 * float(ndtr(-abs(self.z)))

    def __str__(self) -> str:
        return f"stratified rank sum (van Elteren): z {self.z:.4g}, p {self.p_value:.4g}"


def _tests(arms: TwoArms, stratum: NDArray[np.intp] | None) -> VanElterens:
    placed = placements(arms, stratum)
    counts = placed.arm >= 0
    pairs = (placed.controls * placed.experimentals).astype(float)
    size = (placed.controls + placed.experimentals).astype(float)
    weight = 1 / (size + 1)
    # a stratum's expectation and variance are spread over its patients, each of whom brings 1 / size of it
    expected = pairs / 2 / np.maximum(placed.experimentals, 1)
    statistic = np.sum(weight * (placed.others_below - expected), axis=1, where=placed.arm == 1)
    ties = (placed.ties.astype(float) ** 2 - 1) / np.maximum(size * (size - 1), 1)
    spread = weight**2 * pairs / 12 * ((size + 1) / np.maximum(size, 1) - ties)
    variance = np.maximum(np.sum(spread, axis=1, where=counts), 0.0)

    refusals = {}
    both = (pairs > 0).any(axis=1, where=counts)
    variance[variance < 1e-12 * np.sum(weight**2 * pairs, axis=1, where=counts)] = 0.0
    for at in np.flatnonzero(~both).tolist():
        sizes = arms.only(slice(at, at + 1)).sizes[:, 0]
        refusals[at] = (
            no_patients(*sizes)
            if sizes.min() == 0
            else InputError("strata", "none with both arms", "a stratum with patients of both arms")
        )
    for at in np.flatnonzero(both & (variance == 0)).tolist():
        refusals[at] = InputError("outcomes", "all equal", "outcomes that differ within a stratum, for a rank sum")
    statistic[list(refusals)] = np.nan
    variance[list(refusals)] = np.nan
    return VanElterens(statistic, variance, refusals)


def van_elteren_batch(values: ArrayLike, arm: ArrayLike, strata: ArrayLike) -> VanElterens:
    """Stratified rank-sum tests of many trials at once; see `van_elteren`.

    Parameters
    ----------
    values, arm, strata
        Outcomes (NaN missing), arms (1, 0, -1) and labels of strata, shape (trials, patients).
    """
    arms = two_arms(values, arm, 2)
    return _tests(arms, stratum_codes(strata, arms.values.shape))


def van_elteren(values: ArrayLike, arm: ArrayLike, strata: ArrayLike) -> VanElteren:
    """Rank-sum test within strata with weights 1 / (n + 1) (van Elteren 1960, Bull Inst Int Stat 37:351).

    The weights are best against the same shift in every stratum. With one stratum it is the rank-sum test.

    Parameters
    ----------
    values
        Outcomes, NaN where missing, shape (patients,).
    arm
        1 (experimental), 0 (control) or -1 (left out), shape (patients,).
    strata
        Labels, shape (patients,); a stratum without patients of both arms says nothing.

    Raises
    ------
    InputError
        For bad input, no stratum with both arms, or outcomes that do not differ within one.
    """
    arms = two_arms(values, arm, 1)
    found = _tests(arms, stratum_codes(strata, np.shape(values)))
    if found.refusals:
        raise found.refusals[0]
    return VanElteren(float(found.statistic[0]), float(found.variance[0]))
