"""The rank-sum test of Wilcoxon, Mann and Whitney, of one trial or many."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from ...checks import choice, flag
from ...errors import InputError
from .exact_rank_sum import exact_law, exact_law_without_ties
from .rank_moments import Moments, moments
from .two_arms import TwoArms, no_patients, two_arms

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["Method", "RankSum", "RankSums", "rank_sum", "rank_sum_batch"]

Method = Literal["automatic", "exact", "normal"]
METHODS = ("automatic", "exact", "normal")
FEW = 50


@dataclass(frozen=True, slots=True, eq=False)
class RankSums:
    """Rank-sum tests of many trials; arrays of shape (trials,), NaN where there is no test.

    Attributes
    ----------
    statistic
        Mann-Whitney's U of the experimental arm: pairs it has the higher outcome in, and half of the ties.
    expected, variance
        Over all ways to divide the patients into the arms, ties counted.
    z
        Without continuity correction, positive where the experimental arm has the higher outcomes.
    p_value
        Two-sided.
    p_higher, p_lower
        One-sided: that the experimental arm has higher, or lower, outcomes.
    exact
        Whether the p-values are exact.
    refusals
        Why a trial has no test, by its number from 0.
    """

    statistic: NDArray[np.float64]
    expected: NDArray[np.float64]
    variance: NDArray[np.float64]
    z: NDArray[np.float64]
    p_value: NDArray[np.float64]
    p_higher: NDArray[np.float64]
    p_lower: NDArray[np.float64]
    exact: NDArray[np.bool_]
    refusals: dict[int, InputError] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RankSum:
    """A rank-sum test; attributes as of `RankSums`, with the patients of each arm."""

    statistic: float
    expected: float
    variance: float
    z: float
    p_value: float
    p_higher: float
    p_lower: float
    exact: bool
    control: int
    experimental: int

    def __str__(self) -> str:
        how = "exact" if self.exact else "normal approximation"
        return (
            f"rank sum: U {self.statistic:g} of {self.experimental} x {self.control} pairs, "
            f"z {self.z:.4g}, p {self.p_value:.4g} ({how})"
        )


def _normal(summed: Moments, correction: bool) -> tuple[NDArray[np.float64], ...]:
    """z without correction; two-sided, higher and lower p-values, corrected towards the middle if asked."""
    from scipy.special import ndtr

    distance = summed.statistic - summed.sizes[0] * summed.sizes[1] / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.sqrt(summed.variance)
        step = 0.5 if correction else 0.0
        z = distance / error
        # at the middle itself R's correction is towards neither side
        both = 2 * ndtr(-np.abs(distance - np.sign(distance) * step) / error)
        return z, both, ndtr(-(distance - step) / error), ndtr((distance + step) / error)


def _tails(law: NDArray[np.float64], at: int) -> tuple[float, float, float]:
    """Two-sided, higher and lower p-values of a statistic that is whole in the steps of its law.

    Two-sided: values at least as far from the expectation, the middle of the law's range.
    """
    last = len(law) - 1
    far = max(at, last - at)
    both = law[far:].sum() + law[: last - far + 1].sum() if 2 * far > last else 1.0
    return min(1.0, float(both)), min(1.0, float(law[at:].sum())), min(1.0, float(law[: at + 1].sum()))


def _tests(arms: TwoArms, method: Method, continuity: bool) -> RankSums:
    choice("method", method, METHODS)
    summed = moments(arms)
    z, both, higher, lower = _normal(summed, flag("continuity", continuity))
    control, experimental = summed.sizes
    fine = (control > 0) & (experimental > 0)
    no_ties = summed.ties == 0
    exact = np.zeros(len(arms), dtype=bool)
    if method != "normal":
        exact = fine & ((control < FEW) & (experimental < FEW) & no_ties if method == "automatic" else fine)
    for at in np.flatnonzero(exact).tolist():
        if no_ties[at]:
            law, place = exact_law_without_ties(int(control[at]), int(experimental[at])), summed.statistic[at]
        else:
            law = exact_law(arms.values[at, arms.arm[at] >= 0], int(experimental[at]))
            place = 2 * summed.statistic[at]
        both[at], higher[at], lower[at] = _tails(law, round(float(place)))
    refusals = {at: no_patients(*summed.sizes[:, at]) for at in np.flatnonzero(~fine).tolist()}
    for at in np.flatnonzero(fine & (summed.variance == 0)).tolist():
        refusals[at] = InputError("outcomes", "all equal", "outcomes that differ, for a rank sum")
    expected = control * experimental / 2
    for values in (both, higher, lower, z):
        values[list(refusals)] = np.nan
    return RankSums(summed.statistic, expected, summed.variance, z, both, higher, lower, exact, refusals)


def rank_sum_batch(
    values: ArrayLike, arm: ArrayLike, *, method: Method = "normal", continuity: bool = True
) -> RankSums:
    """Rank-sum tests of many trials at once, by one sort of each; see `rank_sum`.

    Parameters
    ----------
    values
        Outcomes, NaN where missing, shape (trials, patients).
    arm
        1 (experimental), 0 (control) or -1 (no patient, or one of another arm), shape (trials, patients).
    """
    return _tests(two_arms(values, arm, 2), method, continuity)


def rank_sum(values: ArrayLike, arm: ArrayLike, *, method: Method = "automatic", continuity: bool = True) -> RankSum:
    """The rank-sum test (Wilcoxon 1945, Biometrics Bull 1:80; Mann & Whitney 1947, Ann Math Stat 18:50).

    Parameters
    ----------
    values
        Outcomes, NaN where missing, shape (patients,); infinite ones are beyond any other.
    arm
        1 (experimental), 0 (control) or -1 (left out), shape (patients,).
    method
        "normal": tie-corrected variance. "exact": the law over all ways to divide the patients, given the ties, for up
        to 10,000 pairs; two-sided, statistics at least as far from the expectation. "automatic": exact below 50
        patients in each arm without ties, as R's wilcox.test.
    continuity
        Whether the normal p-values are corrected by half a pair, as R does; `z` never is.

    Raises
    ------
    InputError
        For bad input, an arm without patients, outcomes that are all equal, or too many pairs for the exact law.
    """
    arms = two_arms(values, arm, 1)
    found = _tests(arms, method, continuity)
    if found.refusals:
        raise found.refusals[0]
    sizes = arms.sizes[:, 0]
    return RankSum(
        float(found.statistic[0]),
        float(found.expected[0]),
        float(found.variance[0]),
        float(found.z[0]),
        float(found.p_value[0]),
        float(found.p_higher[0]),
        float(found.p_lower[0]),
        bool(found.exact[0]),
        int(sizes[0]),
        int(sizes[1]),
    )
