"""One proportion and the comparison of two independent ones, from counts."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ...checks import normal_quantile
from ...errors import InputError
from ...estimate import Better, Estimate, Interval
from .comparisons import SCALES, Comparison, compared
from .counts import counts_of, one_table

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "RiskDifference",
    "newcombe_at",
    "newcombe_limits",
    "odds_ratio",
    "risk_difference",
    "risk_ratio",
    "wilson_from",
    "wilson_interval",
    "wilson_limits",
]


def wilson_from(
    events: NDArray[np.float64], total: NDArray[np.float64], z: float | NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Wilson limits at z standard errors, of counts that need not be whole; each is found from the nearer end of
    [0, 1], so that no digits cancel.
    """

    def lower(successes: NDArray[np.float64]) -> NDArray[np.float64]:
        root = z * np.sqrt(z**2 + 4 * successes * (1 - successes / total))
        return 2 * successes**2 / (total * (2 * successes + z**2 + root))

    return lower(events), 1 - lower(total - events)


def wilson_limits(
    events: ArrayLike, total: ArrayLike, level: float = 0.95
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Score limits of proportions, array by array (Wilson 1927, JASA 22:209).

    Parameters
    ----------
    events, total
        Counts of any shapes that broadcast; 0 <= events <= total, total >= 1.
    level
        Two-sided confidence level.

    Returns
    -------
    lower, upper
        Limits in [0, 1], without continuity correction. No events give a lower limit of exactly 0, events in
        every patient an upper limit of exactly 1.

    Raises
    ------
    InputError
        For counts that are not whole, negative or above their total.
    """
    return wilson_from(*counts_of(events, total), normal_quantile(level))


def wilson_interval(events: int, total: int, level: float = 0.95) -> Interval:
    """Score interval of one proportion (Wilson 1927, JASA 22:209); see `wilson_limits`."""
    lower, upper = wilson_limits(events, total, level)
    if lower.ndim:
        raise InputError("events, total", (events, total), "one count and one total")
    return Interval(float(lower), float(upper), level)


def newcombe_limits(
    events1: ArrayLike, total1: ArrayLike, events2: ArrayLike, total2: ArrayLike, level: float = 0.95
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Hybrid score limits of the difference of independent proportions, group 1 minus group 2.

    Newcombe (1998, Stat Med 17:873), method 10: with Wilson limits (l1, u1) and (l2, u2) of the proportions p1
    and p2, the limits are d - sqrt((p1 - l1)^2 + (u2 - p2)^2) and d + sqrt((u1 - p1)^2 + (p2 - l2)^2).

    Parameters
    ----------
    events1, total1, events2, total2
        Counts of any shapes that broadcast.
    level
        Two-sided confidence level.

    Returns
    -------
    lower, upper
        Limits in [-1, 1].

    Raises
    ------
    InputError
        For counts that are not whole, negative or above their total.
    """
    z = normal_quantile(level)
    count1, size1 = counts_of(events1, total1, "1")
    count2, size2 = counts_of(events2, total2, "2")
    lower1, upper1 = wilson_from(count1, size1, z)
    lower2, upper2 = wilson_from(count2, size2, z)
    risk1, risk2 = count1 / size1, count2 / size2
    difference = risk1 - risk2
    below = np.hypot(risk1 - lower1, upper2 - risk2)
    above = np.hypot(upper1 - risk1, risk2 - lower2)
    return np.maximum(difference - below, -1.0), np.minimum(difference + above, 1.0)


def newcombe_at(
    events1: ArrayLike, total1: ArrayLike, events2: ArrayLike, total2: ArrayLike, score: ArrayLike
) -> NDArray[np.float64]:
    """Newcombe's limits at normal scores: the lower one where a score is negative, the upper one where it is positive,
    the difference itself at 0; arrays that broadcast, limits in [-1, 1].
    """
    far = 1e8  # limits of a proportion do not move beyond
    given = np.asarray(score, dtype=np.float64)
    one, many1, two, many2 = (np.asarray(part, dtype=np.float64) for part in (events1, total1, events2, total2))
    z = np.clip(np.abs(given), 1e-12, far)
    lower1, upper1 = wilson_from(one, many1, z)
    lower2, upper2 = wilson_from(two, many2, z)
    risk1, risk2 = one / many1, two / many2
    away = np.where(given < 0, -np.hypot(risk1 - lower1, upper2 - risk2), np.hypot(upper1 - risk1, risk2 - lower2))
    found = np.clip(risk1 - risk2 + np.where(given == 0, 0.0, away), -1.0, 1.0)
    return np.asarray(np.where(np.isnan(given), np.nan, found))


@dataclass(frozen=True, slots=True)
class RiskDifference:
    """Difference of two independent proportions, group 1 (experimental) minus group 2 (control).

    The interval is Newcombe's, which stays informative where a risk is 0 or 1; the Wald standard error is then
    too small, and 0 where both risks are 0 or 1. `estimate()` serves the stopping rules and needs it above 0.

    Attributes
    ----------
    events1, total1, events2, total2
        The counts.
    level
        Confidence level of `interval`.
    risk1, risk2
        The proportions.
    effect
        risk1 - risk2, from -1 to 1.
    standard_error
        Wald: sqrt(risk1 (1 - risk1) / total1 + risk2 (1 - risk2) / total2), not pooled.
    interval
        Hybrid score interval of the difference (Newcombe 1998, method 10).
    """

    events1: int
    total1: int
    events2: int
    total2: int
    level: float = 0.95
    risk1: float = field(init=False)
    risk2: float = field(init=False)
    effect: float = field(init=False)
    standard_error: float = field(init=False)
    interval: Interval = field(init=False)

    def __post_init__(self) -> None:
        table = one_table(self.events1, self.total1, self.events2, self.total2)
        lower, upper = newcombe_limits(*table, self.level)
        for name, count in zip(("events1", "total1", "events2", "total2"), table, strict=True):
            object.__setattr__(self, name, count)
        risk1, risk2 = self.events1 / self.total1, self.events2 / self.total2
        variance = risk1 * (1 - risk1) / self.total1 + risk2 * (1 - risk2) / self.total2
        object.__setattr__(self, "risk1", risk1)
        object.__setattr__(self, "risk2", risk2)
        object.__setattr__(self, "effect", risk1 - risk2)
        object.__setattr__(self, "standard_error", math.sqrt(variance))
        object.__setattr__(self, "interval", Interval(float(lower), float(upper), self.level))

    def estimate(self, better: Better = "higher", label: str = "") -> Estimate:
        """The difference as an `Estimate` with the Wald standard error and a normal reference.

        Raises
        ------
        InputError
            Where both risks are 0 or 1, so that the Wald standard error is 0.
        """
        return self._estimate("wald", better, label)

    def score_estimate(self, better: Better = "higher", label: str = "") -> Estimate:
        """The difference with the standard error that holds if the risks are equal, sqrt(p (1 - p) (1 / n1 + 1 / n2)).

        Its z is that of the score test, which keeps its level in small trials where Wald's does not; stopping rules
        want this one.

        Raises
        ------
        InputError
            Where nobody, or everybody, had the event.
        """
        return self._estimate("score", better, label)

    def _estimate(self, comparison: Comparison, better: Better, label: str) -> Estimate:
        table = (self.events1, self.total1, self.events2, self.total2)
        return _estimate(table, comparison, better, label or "risk difference")

    def __str__(self) -> str:
        return (
            f"risk difference {self.effect:.4g} ({100 * self.level:g}% interval {self.interval}): "
            f"{self.events1}/{self.total1} ({100 * self.risk1:.1f}%) "
            f"against {self.events2}/{self.total2} ({100 * self.risk2:.1f}%)"
        )


def risk_difference(events1: int, total1: int, events2: int, total2: int, level: float = 0.95) -> RiskDifference:
    """Difference of two independent proportions, group 1 minus group 2, with Newcombe's interval.

    Parameters
    ----------
    events1, total1
        Patients with the event and all patients of group 1 (experimental).
    events2, total2
        The same of group 2 (control).
    level
        Confidence level of the interval.

    Raises
    ------
    InputError
        For counts that are not whole, negative or above their total.
    """
    return RiskDifference(events1, total1, events2, total2, level)


def risk_ratio(
    events1: int, total1: int, events2: int, total2: int, better: Better = "higher", label: str = "risk ratio"
) -> Estimate:
    """Logarithm of risk1 / risk2 with its Wald (delta method) standard error (Katz et al. 1978, Biometrics 34:469).

    SE^2 = 1/events1 - 1/total1 + 1/events2 - 1/total2. No constant is added to empty cells.

    Raises
    ------
    InputError
        Where a group has no event, or every patient of both groups had it.
    """
    return _estimate(one_table(events1, total1, events2, total2), "risk-ratio", better, label)


def odds_ratio(
    events1: int, total1: int, events2: int, total2: int, better: Better = "higher", label: str = "odds ratio"
) -> Estimate:
    """Logarithm of the unconditional odds ratio with its Wald standard error (Woolf 1955, Ann Hum Genet 19:251).

    SE^2 is the sum of the reciprocals of the four cells. No constant is added to empty cells.

    Raises
    ------
    InputError
        Where one of the four cells is empty.
    """
    return _estimate(one_table(events1, total1, events2, total2), "odds-ratio", better, label)


def _estimate(table: tuple[int, int, int, int], comparison: Comparison, better: Better, label: str) -> Estimate:
    effect, error, failures = compared(tuple(np.array([float(count)]) for count in table), comparison)
    if failures:
        raise failures[0]
    return Estimate(float(effect[0]), float(error[0]), scale=SCALES[comparison], better=better, label=label)
