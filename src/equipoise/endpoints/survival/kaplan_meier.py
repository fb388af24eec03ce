"""The product-limit estimate of survival, its median and its restricted mean.

Our own rather than lifelines': lifelines 0.30 has the log-log interval only, gives the lower end of a flat stretch
as the median where R's survfit gives the midpoint, and no standard error of the curve or of its restricted mean.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from ...checks import normal_quantile
from ...errors import InputError
from ...estimate import Interval
from .censored_times import checked_censored_times
from .restricted_means import RestrictedMean, area_under

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["KaplanMeier", "kaplan_meier"]

IntervalKind = Literal["log", "log-log", "plain"]
SAME_LEVEL = float(np.sqrt(np.finfo(float).eps))


@dataclass(frozen=True, slots=True, eq=False)
class KaplanMeier:
    """A product-limit survival curve (Kaplan & Meier 1958, JASA 53:457); arrays have shape (distinct times,).

    Attributes
    ----------
    times
        Distinct follow-up times, ascending, those with censoring only included.
    survival
        Probability of being free of the event just after each time; 1 before the first event.
    standard_error
        Greenwood's standard error of `survival`, on the probability scale; 0 where survival is 1 or 0.
    lower, upper
        Pointwise confidence limits, within [0, 1]. Where survival has reached 0 the limits of the formula do not
        exist; there `lower` is 0 and `upper` stays at its last value, which survival cannot exceed.
    at_risk, events, censored
        Patients still followed just before each time; events and censorings at it. Patients censored at the time
        of an event count as at risk for it.
    level, interval
        Confidence level, and the scale the limits were found on: "log", "log-log" or "plain".
    """

    times: NDArray[np.float64]
    survival: NDArray[np.float64]
    standard_error: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    at_risk: NDArray[np.int64]
    events: NDArray[np.int64]
    censored: NDArray[np.int64]
    level: float
    interval: IntervalKind

    def __post_init__(self) -> None:
        for name in ("times", "survival", "standard_error", "lower", "upper", "at_risk", "events", "censored"):
            getattr(self, name).flags.writeable = False

    @property
    def patients(self) -> int:
        """Number of patients."""
        return int(self.at_risk[0])

    @property
    def last_time(self) -> float:
        """Longest follow-up, whether it ended with an event or not."""
        return float(self.times[-1])

    def _at(self, values: NDArray[np.float64], start: float, times: ArrayLike, extend: bool) -> NDArray[np.float64]:
        wanted = np.asarray(times, dtype=float)
        if np.any(np.isnan(wanted)) or np.any(wanted < 0):
            raise InputError("times", times, "times of 0 or later")
        if not extend and self.survival[-1] > 0 and np.any(wanted > self.last_time):
            raise InputError(
                "times", times, f"times within follow-up, which ends at {self.last_time:g}, or extend=True"
            )
        index = np.searchsorted(self.times, wanted, side="right")
        return np.concatenate(([start], values))[index]

    def survival_at(self, times: ArrayLike, extend: bool = False) -> NDArray[np.float64]:
        """Survival at the given times, in their shape.

        Beyond the longest follow-up survival is unknown unless the curve has reached 0: such times raise an
        `InputError`, or with `extend` carry the last value forward.
        """
        return self._at(self.survival, 1.0, times, extend)

    def standard_error_at(self, times: ArrayLike, extend: bool = False) -> NDArray[np.float64]:
        """Greenwood standard error at the given times; `extend` as in `survival_at`."""
        return self._at(self.standard_error, 0.0, times, extend)

    def limits_at(self, times: ArrayLike, extend: bool = False) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Pointwise confidence limits (lower, upper) at the given times; `extend` as in `survival_at`."""
        return self._at(self.lower, 1.0, times, extend), self._at(self.upper, 1.0, times, extend)

    def at_risk_at(self, times: ArrayLike) -> NDArray[np.int64]:
        """Patients still followed just before the given times; 0 beyond the longest follow-up."""
        wanted = np.asarray(times, dtype=float)
        if np.any(np.isnan(wanted)):
            raise InputError("times", times, "numbers")
        return np.append(self.at_risk, 0)[np.searchsorted(self.times, wanted, side="left")]

    def _crossing(self, curve: NDArray[np.float64], height: float) -> float:
        """Where a falling step curve first comes down to `height`; the midpoint of a flat stretch at that height."""
        reached = np.flatnonzero(curve <= height + SAME_LEVEL)
        if not reached.size:
            return math.inf
        first = reached[0]
        if curve[first] < height - SAME_LEVEL:
            return float(self.times[first])
        passed = np.flatnonzero(curve < height - SAME_LEVEL)
        end = self.times[passed[0]] if passed.size else self.times[-1]
        return float((self.times[first] + end) / 2)

    def quantile(self, probability: float = 0.5) -> float:
        """Time by which a fraction `probability` has had the event; infinite where the curve stays above.

        Where the curve runs flat at exactly 1 - probability, the midpoint of the stretch, as in R's
        `quantile.survfit`.
        """
        return self._crossing(self.survival, 1 - _checked_probability(probability))

    def quantile_interval(self, probability: float = 0.5) -> Interval:
        """Interval of a quantile: where the confidence limits of the curve come down to 1 - probability.

        Brookmeyer & Crowley (1982, Biometrics 38:29), on the scale of `interval`; limits not reached are infinite. The
        upper limit of a curve may rise again late, where few are at risk: its first crossing counts.
        """
        height = 1 - _checked_probability(probability)
        return Interval(self._crossing(self.lower, height), self._crossing(self.upper, height), self.level)

    @property
    def median(self) -> float:
        """Median survival time; infinite where it is not reached."""
        return self.quantile(0.5)

    @property
    def median_interval(self) -> Interval:
        """Confidence interval of the median (Brookmeyer & Crowley 1982); see `quantile_interval`."""
        return self.quantile_interval(0.5)

    def restricted_mean(self, horizon: float) -> RestrictedMean:
        """Mean survival time up to `horizon`, the area under the curve (Irwin 1949; Royston & Parmar 2013).

        Its variance is the sum over event times of (area from there to the horizon)^2 d / (n (n - d)), with d
        events among n at risk (Greenwood; Klein & Moeschberger 2003, section 4.5).

        Raises
        ------
        InputError
            For a horizon not above 0, or beyond the longest follow-up while survival is above 0.
        """
        if not (math.isfinite(horizon) and horizon > 0):
            raise InputError("horizon", horizon, "a finite time above 0")
        if horizon > self.last_time and self.survival[-1] > 0:
            raise InputError("horizon", horizon, f"a time within follow-up, which ends at {self.last_time:g}")
        exposed, died = self.at_risk.astype(float), self.events.astype(float)
        left = exposed - died
        terms = np.divide(died, exposed * left, out=np.zeros_like(died), where=left > 0)
        value, variance = area_under(self.times, self.survival, terms, horizon)
        return RestrictedMean(float(value), math.sqrt(variance), float(horizon))

    def __str__(self) -> str:
        return (
            f"Kaplan-Meier curve: {self.patients} patients, {int(self.events.sum())} events, "
            f"median {self.median:.4g} ({100 * self.level:g}% interval {self.median_interval})"
        )

    __repr__ = __str__


def _checked_probability(probability: float) -> float:
    if not 0 < probability < 1:
        raise InputError("probability", probability, "a probability between 0 and 1")
    return probability


def kaplan_meier(time: ArrayLike, event: ArrayLike, level: float = 0.95, interval: IntervalKind = "log") -> KaplanMeier:
    """Product-limit estimate of survival with Greenwood's variance (Greenwood 1926) and pointwise limits.

    Parameters
    ----------
    time, event
        Follow-up times and event flags (1 event, 0 censored), both of shape (patients,). With no event at all the
        curve stays at 1 and the median is infinite.
    level
        Two-sided confidence level.
    interval
        Scale of the limits: "log" (the default of R's survfit), "log-log" (Kalbfleisch & Prentice 1980; keeps
        within [0, 1] by itself) or "plain". Limits are cut to [0, 1].

    Raises
    ------
    InputError
        For no patients, times missing, infinite or below 0, flags other than 0 and 1, or an unknown `interval`.
    """
    times, had_event = checked_censored_times(time, event)
    z = normal_quantile(level)
    if interval not in get_args(IntervalKind):
        raise InputError("interval", interval, "'log', 'log-log' or 'plain'")

    distinct, position = np.unique(times, return_inverse=True)
    leaving = np.bincount(position, minlength=distinct.size)
    events = np.bincount(position[had_event], minlength=distinct.size)
    at_risk = times.size - np.concatenate(([0], np.cumsum(leaving)[:-1]))
    left = at_risk - events
    survival: NDArray[np.float64] = np.cumprod(left / at_risk, dtype=np.float64)
    terms = np.divide(events, at_risk * left.astype(float), out=np.zeros(distinct.size), where=left > 0)
    log_error: NDArray[np.float64] = np.sqrt(np.cumsum(terms, dtype=np.float64))
    standard_error = survival * log_error

    lower, upper = np.ones(distinct.size), np.ones(distinct.size)
    inside = (survival > 0) & (survival < 1)
    curve, error = survival[inside], log_error[inside]
    if interval == "plain":
        lower[inside], upper[inside] = curve * (1 - z * error), curve * (1 + z * error)
    elif interval == "log":
        lower[inside], upper[inside] = curve * np.exp(-z * error), curve * np.exp(z * error)
    else:
        spread = z * error / np.log(curve)
        lower[inside], upper[inside] = curve ** np.exp(-spread), curve ** np.exp(spread)
    np.clip(lower, 0, 1, out=lower)
    np.clip(upper, 0, 1, out=upper)
    gone = survival == 0
    if gone.any():
        first = int(np.argmax(gone))
        lower[gone] = 0
        upper[gone] = upper[first - 1] if first else 1
    return KaplanMeier(
        distinct, survival, standard_error, lower, upper, at_risk, events, leaving - events, level, interval
    )
