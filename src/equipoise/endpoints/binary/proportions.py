"""One proportion and the comparison of two independent ones, from counts."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ...errors import InputError
from ...estimate import Better, Estimate, Interval, Scale

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "RiskDifference",
    "newcombe_limits",
    "odds_ratio",
    "risk_difference",
    "risk_ratio",
    "wilson_interval",
    "wilson_limits",
]


def _normal_quantile(level: float) -> float:
    from scipy.special import ndtri

    if not 0 < level < 1:
        raise InputError("level", level, "a confidence level between 0 and 1")
    return -float(ndtri((1 - level) / 2))


def _counts(events: ArrayLike, total: ArrayLike, group: str = "") -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    try:
        given_events, given_total = np.asarray(events, dtype=float), np.asarray(total, dtype=float)
    except (TypeError, ValueError):
        raise InputError(f"events{group}, total{group}", (events, total), "whole numbers") from None
    if not (np.all(np.isfinite(given_total)) and np.all(given_total >= 1) and np.all(given_total % 1 == 0)):
        raise InputError(f"total{group}", total, "a whole number of patients, at least 1")
    inside = np.all(given_events >= 0) and np.all(given_events <= given_total)
    if not (inside and np.all(given_events % 1 == 0)):
        raise InputError(f"events{group}", events, f"a whole number from 0 to the total, {total}")
    return given_events, given_total


def _one_count(events: int, total: int, group: str = "") -> tuple[float, float]:
    count, size = _counts(events, total, group)
    if count.ndim or size.ndim:
        raise InputError(f"events{group}, total{group}", (events, total), "one count and one total")
    return float(count), float(size)


def _wilson(
    events: NDArray[np.float64], total: NDArray[np.float64], z: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Wilson limits; each limit is found from the nearer end of [0, 1], so that no digits cancel."""

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
    return _wilson(*_counts(events, total), _normal_quantile(level))


def wilson_interval(events: int, total: int, level: float = 0.95) -> Interval:
    """Score interval of one proportion (Wilson 1927, JASA 22:209); see `wilson_limits`."""
    lower, upper = wilson_limits(*_one_count(events, total), level)
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
    z = _normal_quantile(level)
    count1, size1 = _counts(events1, total1, "1")
    count2, size2 = _counts(events2, total2, "2")
    lower1, upper1 = _wilson(count1, size1, z)
    lower2, upper2 = _wilson(count2, size2, z)
    risk1, risk2 = count1 / size1, count2 / size2
    difference = risk1 - risk2
    below = np.hypot(risk1 - lower1, upper2 - risk2)
    above = np.hypot(upper1 - risk1, risk2 - lower2)
    return np.maximum(difference - below, -1.0), np.minimum(difference + above, 1.0)


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
        events1, total1 = _one_count(self.events1, self.total1, "1")
        events2, total2 = _one_count(self.events2, self.total2, "2")
        lower, upper = newcombe_limits(events1, total1, events2, total2, self.level)
        for name in ("events1", "total1", "events2", "total2"):
            object.__setattr__(self, name, int(getattr(self, name)))
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
        if self.standard_error == 0:
            counts = f"{self.events1}/{self.total1} and {self.events2}/{self.total2}"
            raise InputError("counts", counts, "at least one group in which some but not all patients had the event")
        return Estimate(
            self.effect,
            self.standard_error,
            scale=Scale.RISK_DIFFERENCE,
            better=better,
            label=label or "risk difference",
        )

    def score_estimate(self, better: Better = "higher", label: str = "") -> Estimate:
        """The difference with the standard error that holds if the risks are equal, sqrt(p (1 - p) (1 / n1 + 1 / n2)).

        Its z is that of the score test, which keeps its level in small trials where Wald's does not; stopping rules
        want this one.

        Raises
        ------
        InputError
            Where nobody, or everybody, had the event.
        """
        total = self.total1 + self.total2
        pooled = (self.events1 + self.events2) / total
        if not 0 < pooled < 1:
            counts = f"{self.events1}/{self.total1} and {self.events2}/{self.total2}"
            raise InputError("counts", counts, "some but not all patients with the event")
        return Estimate(
            self.effect,
            math.sqrt(pooled * (1 - pooled) * (1 / self.total1 + 1 / self.total2)),
            scale=Scale.RISK_DIFFERENCE,
            better=better,
            label=label or "risk difference",
        )

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
    (count1, size1), (count2, size2) = _one_count(events1, total1, "1"), _one_count(events2, total2, "2")
    if count1 == 0 or count2 == 0:
        raise InputError("events", (events1, events2), "at least one event in each group, for a risk ratio")
    variance = (size1 - count1) / (count1 * size1) + (size2 - count2) / (count2 * size2)
    if variance == 0:
        raise InputError("events", (events1, events2), "a patient without the event, for a risk ratio")
    effect = math.log(count1 * size2 / (size1 * count2))
    return Estimate(effect, math.sqrt(variance), scale=Scale.LOG_RISK_RATIO, better=better, label=label)


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
    (count1, size1), (count2, size2) = _one_count(events1, total1, "1"), _one_count(events2, total2, "2")
    cells = (count1, size1 - count1, count2, size2 - count2)
    if min(cells) == 0:
        counts = f"{events1}/{total1} and {events2}/{total2}"
        raise InputError("counts", counts, "patients with and without the event in each group, for an odds ratio")
    effect = math.log(cells[0] * cells[3] / (cells[1] * cells[2]))
    standard_error = math.sqrt(sum(1 / cell for cell in cells))
    return Estimate(effect, standard_error, scale=Scale.LOG_ODDS_RATIO, better=better, label=label)
