"""Hodges and Lehmann's estimate of a shift between two arms, with the interval that inverts the rank-sum test."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ...checks import choice, confidence_level
from ...errors import InputError
from ...estimate import Better, Estimate, Interval
from ..batch import BatchEstimates
from .exact_rank_sum import exact_law_without_ties
from .rank_sum import FEW, METHODS, Method
from .two_arms import TwoArms, no_patients, two_arms

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["Shift", "Shifts", "hodges_lehmann", "hodges_lehmann_batch"]


@dataclass(frozen=True, slots=True, eq=False)
class Shifts:
    """Shifts of many trials, in units of the outcome; arrays of shape (trials,), NaN where an arm has no patients.

    Attributes
    ----------
    shift
        Median of all differences, experimental minus control.
    lower, upper
        Confidence limits; infinite where the trial is too small for the level.
    standard_error
        Width of the asymptotic 95% interval over that of a standard normal; NaN where that interval is infinite.
    exact
        Whether the limits rest on the exact law of the rank sum.
    level
        Confidence level of the limits.
    refusals
        Why a trial has no estimate, by its number from 0.
    """

    shift: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    standard_error: NDArray[np.float64]
    exact: NDArray[np.bool_]
    level: float
    refusals: dict[int, InputError] = field(default_factory=dict)

    def estimates(self) -> BatchEstimates:
        """Estimates as `Shift.estimate` gives them; a trial it refuses is NaN, with the reason."""
        failures = {at: str(refusal) for at, refusal in self.refusals.items()}
        for at in np.flatnonzero(~(self.standard_error > 0)).tolist():
            failures.setdefault(at, str(_no_error(float(self.standard_error[at]))))
        return BatchEstimates.of(self.shift, self.standard_error, failures=failures)


@dataclass(frozen=True, slots=True)
class Shift:
    """A shift between two arms; attributes as of `Shifts`, the limits as an interval."""

    shift: float
    interval: Interval
    standard_error: float
    exact: bool
    control: int
    experimental: int

    def estimate(self, better: Better = "higher", label: str = "shift") -> Estimate:
        """As an `Estimate` with a normal reference.

        Raises
        ------
        InputError
            Where there are too few patients for a standard error, or it is 0 as too many outcomes are equal.
        """
        if not self.standard_error > 0:
            raise _no_error(self.standard_error)
        return Estimate(self.shift, self.standard_error, better=better, label=label)

    def __str__(self) -> str:
        how = "exact" if self.exact else "asymptotic"
        return f"shift {self.shift:.4g} ({100 * self.interval.level:g}% interval {self.interval}, {how})"


def _no_error(standard_error: float) -> InputError:
    if math.isnan(standard_error):
        return InputError("patients", "too few", "enough for a finite 95% interval of the shift, for a standard error")
    return InputError("outcomes", "mostly equal", "outcomes that differ, for a standard error of their shift")


def _ties(values: NDArray[np.float64], starts: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Sum of t^3 - t over runs of equal values in rows sorted within parts that start as marked."""
    begins = starts.copy()
    begins[:, 1:] |= values[:, 1:] != values[:, :-1]
    places = np.flatnonzero(begins.ravel())
    length = np.diff(np.append(places, begins.size)).astype(float)
    rows = places // max(begins.shape[1], 1)
    return np.bincount(rows, length**3 - length, minlength=len(values)).astype(float)


def _lowest_rank(
    control: NDArray[np.intp], experimental: NDArray[np.intp], ties: NDArray[np.float64], level: float
) -> NDArray[np.int64]:
    """Rank of the difference that is the asymptotic lower limit; below 1 for none.

    The nearest whole number to n0 n1 / 2 - z sqrt(variance), where R's root of the corrected statistic lies.
    """
    from scipy.special import ndtri

    from .rank_moments import tie_corrected_variance

    spread = np.sqrt(tie_corrected_variance(control, experimental, ties))
    return np.floor(control * experimental / 2 + 0.5 + float(ndtri((1 - level) / 2)) * spread).astype(np.int64)


def _exact_rank(control: int, experimental: int, level: float) -> int:
    """The least u with P(U <= u) >= (1 - level) / 2: rank of the exact lower limit; 0 for none."""
    law = np.cumsum(exact_law_without_ties(control, experimental))
    return int(np.searchsorted(law, (1 - level) / 2 * (1 - 1e-13), side="left"))


def _shifts(arms: TwoArms, level: float, method: Method) -> Shifts:
    from .shift_kernels import select_differences

    level = confidence_level(level)
    choice("method", method, METHODS)
    control, experimental = arms.sizes
    pairs = control * experimental
    part = np.where(arms.arm < 0, 2, arms.arm)
    order = np.lexsort((arms.values, part), axis=1)
    values, part = np.take_along_axis(arms.values, order, axis=1), np.take_along_axis(part, order, axis=1)
    starts = np.ones(values.shape, dtype=bool)
    starts[:, 1:] = (part[:, 1:] != part[:, :-1]) | (part[:, 1:] == 2)

    ties = _ties(values, starts)
    usual = _lowest_rank(control, experimental, ties, 0.95)
    lowest = usual if level == 0.95 else _lowest_rank(control, experimental, ties, level)
    exact = _exact_ones(arms, method)
    lowest = lowest.copy()
    for at in np.flatnonzero(exact).tolist():
        lowest[at] = _exact_rank(int(control[at]), int(experimental[at]), level)
    ranks = np.stack([(pairs + 1) // 2, pairs // 2 + 1, lowest, pairs + 1 - lowest, usual, pairs + 1 - usual], axis=1)
    ranks[(ranks < 1) | (ranks > pairs[:, None])] = 0
    found = select_differences(values, control, experimental, ranks)
    none = pairs == 0
    lower = np.where(ranks[:, 2] == 0, -np.inf, found[:, 2])
    upper = np.where(ranks[:, 3] == 0, np.inf, found[:, 3])
    lower[none] = upper[none] = np.nan
    width = 2 * 1.959963984540054
    return Shifts(
        found[:, 0] + (found[:, 1] - found[:, 0]) / 2,
        lower,
        upper,
        (found[:, 5] - found[:, 4]) / width,
        exact,
        level,
        {at: no_patients(*arms.sizes[:, at]) for at in np.flatnonzero(none).tolist()},
    )


def _exact_ones(arms: TwoArms, method: Method) -> NDArray[np.bool_]:
    """Trials whose limits are exact: asked for, or few patients; never with ties, of which the exact law knows none."""
    control, experimental = arms.sizes
    if method == "normal":
        return np.zeros(len(arms), dtype=bool)
    ordered = np.sort(arms.values, axis=1)
    possible = ~(ordered[:, 1:] == ordered[:, :-1]).any(axis=1) & (control > 0) & (experimental > 0)
    return possible & ((control < FEW) & (experimental < FEW) if method == "automatic" else True)


def hodges_lehmann_batch(
    values: ArrayLike, arm: ArrayLike, *, level: float = 0.95, method: Method = "normal"
) -> Shifts:
    """Shifts of many trials at once; see `hodges_lehmann`.

    Parameters
    ----------
    values
        Outcomes, NaN where missing, shape (trials, patients).
    arm
        1 (experimental), 0 (control) or -1 (no patient, or one of another arm), shape (trials, patients).
    """
    return _shifts(two_arms(values, arm, 2, infinite=False), level, method)


def hodges_lehmann(values: ArrayLike, arm: ArrayLike, *, level: float = 0.95, method: Method = "automatic") -> Shift:
    """Median of all differences between patients of the two arms (Hodges & Lehmann 1963, Ann Math Stat 34:598).

    The limits are differences with ranks that the rank-sum test does not reject (Lehmann 1975, Nonparametrics, section
    2.6). Differences are selected by their rank in O(n log n + 64 n) steps without forming all of them.

    Parameters
    ----------
    values
        Outcomes, NaN where missing, shape (patients,).
    arm
        1 (experimental), 0 (control) or -1 (left out), shape (patients,).
    level
        Confidence level.
    method
        "automatic": exact limits below 50 patients in each arm without ties, as R's wilcox.test; "exact": wherever
        there are no ties, up to 10,000 pairs. Otherwise, and for "normal", the asymptotic ranks, ties within the arms
        counted: the differences at which R's continuity-corrected statistic passes the normal quantile, which R finds
        as a root to 1e-4.

    Raises
    ------
    InputError
        For bad input, an arm without patients, or too many pairs for the exact law.
    """
    arms = two_arms(values, arm, 1, infinite=False)
    found = _shifts(arms, level, method)
    if found.refusals:
        raise found.refusals[0]
    sizes = arms.sizes[:, 0]
    return Shift(
        float(found.shift[0]),
        Interval(float(found.lower[0]), float(found.upper[0]), level),
        float(found.standard_error[0]),
        bool(found.exact[0]),
        int(sizes[0]),
        int(sizes[1]),
    )
