"""Mean time in response among all randomised, and the probability of being in response over time.

Let R tell whether a patient responds at the visit, T the time from there to the loss of response, and h the horizon.
Her time in response is Y = R min(T, h): 0 without response. All who were randomised, and whose visit was due, count, so
that the arms are compared as they were randomised. The mean of Y is the area up to h under the probability of being in
response, G(t) = P(R = 1, T > t) (Huang et al. 2018, JAMA Oncol, doi 10.1001/jamaoncol.2018.0275; Huang et al. 2020, Ann
Intern Med, doi 10.7326/M20-0104, who call it the mean duration of response in the intention-to-treat population).

Variance. With p the share of n patients who respond and m the restricted mean of T among the r = n p responders, the
estimate is the product p m. Given who responds, m has mean m and Greenwood's variance V whatever p, so that p and m are
uncorrelated and, by the delta method,

    Var(p m) = m^2 p (1 - p) / n + p^2 V.

This is Greenwood's variance of the restricted mean of the curve G whose first step, at 0, is the loss of the n - r
non-responders: that step has d = n - r of n at risk and the area p m beyond it, so its term is
(p m)^2 (n - r) / (n r) = m^2 p (1 - p) / n; the steps at t > 0 have p times the area beyond them under S and the same
numbers at risk as among responders, and sum to p^2 V.

Censoring after the response visit has to be independent of the time of loss in each arm. The status at the visit itself
has no censoring: who is not yet due is left out, which is harmless where the time of entry does not matter, and who
missed the visit counts as without response or, where only the observed count, is left out as if missing by chance.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...checks import normal_quantile
from ...errors import InputError, NotEstimable
from ...estimate import Estimate, Interval, Scale
from ...plain import plain
from ..batch import BatchEstimates
from ..regression.trials import chunks
from ..survival.by_days import mean_sums_by_days
from .responses import ARMS, Responses, checked_horizon, checked_responses

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    from .response_curve import ResponseCurve

    Estimates = tuple[NDArray[np.float64], NDArray[np.float64], dict[int, str]]

__all__ = ["MeanTimes", "TimeInResponse", "mean_times", "time_in_response", "time_in_response_batch"]


@dataclass(frozen=True, slots=True, eq=False)
class MeanTimes:
    """Mean time in response by arm (control first) of trials along leading axes.

    Attributes
    ----------
    responses, curves
        What they were estimated from.
    horizon
        Shape (...,); NaN where there is no follow-up.
    mean
        Shape (2, ...).
    parts
        Each patient's part in the mean of her arm (`ResponseCurve.influence`), 0 in the other's, shape
        (2, ..., patients); the sum of their squares is the variance.
    """

    responses: Responses
    curves: tuple[ResponseCurve, ResponseCurve]
    horizon: NDArray[np.float64]
    mean: NDArray[np.float64]
    parts: NDArray[np.float64]

    @property
    def standard_error(self) -> NDArray[np.float64]:
        """Standard errors of the means, shape (2, ...)."""
        return np.sqrt(np.sum(self.parts**2, axis=-1))

    @property
    def difference(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Experimental minus control and its standard error, shape (...,)."""
        return self.mean[1] - self.mean[0], np.sqrt(np.sum(self.parts**2, axis=(0, -1)))

    def failures(self) -> dict[int, str]:
        """Why there is no mean time of a trial, by its number in flat order."""
        patients = self.responses.patients.reshape(2, -1)
        known = np.stack([curve.known_until.ravel() for curve in self.curves])
        return _failures(patients, known, np.atleast_1d(self.horizon).ravel())


def _failures(
    patients: NDArray[Any], known: NDArray[np.float64], horizon: NDArray[np.float64], among: Any = True
) -> dict[int, str]:
    """Why there is no mean time, given patients and until when curves are known (2, trials) and horizons (trials,)."""
    reasons: dict[int, str] = {}
    bad = among & ((patients == 0).any(axis=0) | np.isnan(horizon) | (known < horizon).any(axis=0))
    for trial in np.flatnonzero(bad).tolist():
        for at, name in enumerate(ARMS):
            if patients[at, trial] == 0:
                reasons[trial] = f"no patient of the {name} arm whose response is known"
                break
        else:
            if np.isnan(horizon[trial]):
                reasons[trial] = "nobody has been followed beyond the response visit"
                continue
            for at, name in enumerate(ARMS):
                if known[at, trial] < horizon[trial]:
                    reasons[trial] = (
                        f"responders of the {name} arm have been followed for {known[at, trial]:g} at most, "
                        f"not to the horizon of {horizon[trial]:g}"
                    )
                    break
    return reasons


def mean_times(responses: Responses, horizon: float | None) -> MeanTimes:
    """Mean time in response by arm of trials along leading axes; NaN where not estimable.

    Without a horizon it is the longest time up to which the curves of both arms are known; where both have come to 0,
    the last loss. A horizon so taken from the follow-up leaves the variance as it is (Tian et al. 2020, Biometrics
    76:1157).
    """
    curves = responses.curves()
    known = np.minimum(curves[0].known_until, curves[1].known_until)
    if horizon is None:
        last = np.maximum(curves[0].last_time, curves[1].last_time)
        until = np.where(np.isinf(known), last, known)
        until = np.where(until > 0, until, np.nan)
    else:
        until = np.full(known.shape, horizon)
    usable = (responses.patients > 0).all(axis=0) & (known >= until)
    areas, parts = zip(*(curve.mean_time(np.where(usable, until, 0.0)) for curve in curves), strict=True)
    mean = np.where(usable, np.stack(areas), np.nan)
    return MeanTimes(responses, curves, until, mean, np.where(usable[..., None], np.stack(parts), np.nan))


NO_VARIATION = "time in response does not vary within the arms"


def time_in_response_batch(
    arm: ArrayLike, responded: ArrayLike, time: ArrayLike, observed: ArrayLike, horizon: float | None = None
) -> BatchEstimates:
    """Difference in mean time in response of many trials; see `time_in_response`.

    Parameters
    ----------
    arm, responded, time, observed
        As for `time_in_response`, of shape (trials, patients).
    horizon
        As there; without one, each trial's own.
    """
    until, responses = checked_horizon(horizon), checked_responses(arm, responded, time, observed)
    _check_trials(responses)
    member = responses.member
    codes = np.where(member[1], 1, np.where(member[0], 0, -1))
    found, left = mean_sums_by_days(responses.time, responses.lost, codes, until)
    horizons = np.where(found[10] > 0, found[10], np.nan)
    failures = _failures(found[[0, 5]], found[[3, 8]], horizons, ~left)
    effect, error = found[6] - found[1], np.sqrt(found[2] + found[7])
    rows = np.flatnonzero(left)
    if rows.size:

        def differences(responses: Responses) -> Estimates:
            found = mean_times(responses, until)
            return (*found.difference, found.failures())

        part = in_parts(responses.only(rows), differences)
        effect[rows], error[rows] = part.effect, part.standard_error
        failures |= {int(rows[at]): why for at, why in part.failures.items()}
    return _estimates(effect, error, failures)


def _check_trials(responses: Responses) -> None:
    shape = responses.responded.shape
    if len(shape) != 2:
        raise InputError("arm", shape, "one row a trial and one column a patient")


def _estimates(effect: NDArray[np.float64], error: NDArray[np.float64], failures: dict[int, str]) -> BatchEstimates:
    """With a reason for each that has no standard error above 0."""
    for trial in np.flatnonzero(~(error > 0)).tolist():
        failures.setdefault(trial, NO_VARIATION)
    return BatchEstimates.of(effect, error, failures=dict(sorted(failures.items())))


def in_parts(responses: Responses, estimate: Callable[[Responses], Estimates]) -> BatchEstimates:
    """Estimates of trials in runs short enough for the memory near the processor; normal reference.

    Parameters
    ----------
    estimate
        Gives effects and standard errors of shape (trials,), and why there are none by number of the trial. One without
        a standard error above 0 has no estimate.

    Raises
    ------
    InputError
        For arrays that are not of shape (trials, patients).
    """
    _check_trials(responses)
    shape = responses.responded.shape
    effect, error = np.full(shape[0], np.nan), np.full(shape[0], np.nan)
    failures: dict[int, str] = {}
    for rows in chunks(shape[0], 12 * shape[1]):
        effect[rows], error[rows], reasons = estimate(responses.only(rows))
        failures |= {rows.start + at: reason for at, reason in reasons.items()}
    return _estimates(effect, error, failures)


@dataclass(frozen=True, slots=True)
class ArmTime:
    """One arm's time in response.

    Attributes
    ----------
    patients, responders
        Whose response is known; of them, who responded.
    mean
        Mean time in response within the horizon, in units of time.
    standard_error
        Of the mean; 0 where nobody responded.
    interval
        Normal, cut to 0 and the horizon.
    """

    patients: int
    responders: int
    mean: float
    standard_error: float
    interval: Interval


@dataclass(frozen=True, slots=True)
class TimeInResponse:
    """Mean time in response among all randomised, of both arms and compared.

    Attributes
    ----------
    horizon
        In units of time.
    control, experimental
        By arm.
    difference
        Experimental minus control, in units of time, with a normal reference.
    interval
        Of the difference.
    ratio
        Experimental over control; infinite where only control's mean is 0, None where both are.
    ratio_interval
        Normal for its logarithm (delta method); None where a mean is 0.
    """

    horizon: float
    control: ArmTime
    experimental: ArmTime
    difference: Estimate
    interval: Interval
    ratio: float | None
    ratio_interval: Interval | None

    def __str__(self) -> str:
        return (
            f"mean time in response within {self.horizon:g}: {self.experimental.mean:.4g} against "
            f"{self.control.mean:.4g}, difference {self.difference.effect:.4g} "
            f"({100 * self.interval.level:g}% interval {self.interval})"
        )

    def to_dict(self) -> dict[str, Any]:
        """The numbers for a JSON file; the ratio on its natural scale."""
        entry: dict[str, Any] = {"horizon": self.horizon}
        for name, arm in (("control", self.control), ("experimental", self.experimental)):
            entry[name] = {
                "patients": arm.patients,
                "responders": arm.responders,
                "mean": arm.mean,
                "standard_error": arm.standard_error,
                "lower": arm.interval.lower,
                "upper": arm.interval.upper,
            }
        entry["difference"] = {
            "effect": self.difference.effect,
            "standard_error": self.difference.standard_error,
            "lower": self.interval.lower,
            "upper": self.interval.upper,
            "p_value": self.difference.p_value,
        }
        entry["ratio"] = self.ratio
        if self.ratio_interval is not None:
            entry |= {"ratio_lower": self.ratio_interval.lower, "ratio_upper": self.ratio_interval.upper}
        return plain(entry | {"level": self.interval.level})


def time_in_response(
    arm: ArrayLike,
    responded: ArrayLike,
    time: ArrayLike,
    observed: ArrayLike,
    horizon: float | None = None,
    level: float = 0.95,
) -> TimeInResponse:
    """Mean time in response within a horizon among all randomised, experimental against control.

    Parameters
    ----------
    arm
        0 for control, 1 for the experimental arm, -1 for others, shape (patients,).
    responded
        Whether the patient responded at the visit; NaN where not known, as such patients count for nothing.
    time
        Of responders, time from the response visit to loss or to last contact.
    observed
        Of responders, whether the loss was seen.
    horizon
        In the units of `time`; without one the longest time that both curves are known for.
    level
        Of the intervals.

    Raises
    ------
    InputError
        For arrays or a horizon that are not as described.
    NotEstimable
        Where an arm has no patient, the follow-up does not reach the horizon, or nothing varies.
    """
    found = mean_times(checked_responses(arm, responded, time, observed), checked_horizon(horizon))
    effect, error = (float(value) for value in found.difference)
    refuse(found.failures(), error)
    until, means, errors = float(found.horizon), found.mean, found.standard_error
    arms = []
    for at in (0, 1):
        mean, spread = float(means[at]), float(errors[at])
        reach = normal_quantile(level) * spread
        limits = Interval(max(mean - reach, 0.0), min(mean + reach, until), level)
        arms.append(
            ArmTime(int(found.responses.patients[at]), int(found.responses.responders[at]), mean, spread, limits)
        )
    label = f"difference in mean time in response within {until:g}"
    difference = Estimate(effect, error, scale=Scale.TIME_DIFFERENCE, label=label)
    ratio, ratio_interval = None, None
    if means.max() > 0:
        ratio = float(means[1] / means[0]) if means[0] > 0 else math.inf
        if means.min() > 0:
            factor = math.exp(normal_quantile(level) * math.hypot(*(errors / means)))
            ratio_interval = Interval(ratio / factor, ratio * factor, level)
    return TimeInResponse(until, arms[0], arms[1], difference, difference.interval(level), ratio, ratio_interval)


def refuse(failures: dict[int, str], standard_error: float) -> None:
    """Raises what the batch would say of a single trial."""
    if failures:
        raise NotEstimable(failures[0])
    if not standard_error > 0:
        raise NotEstimable(NO_VARIATION)
