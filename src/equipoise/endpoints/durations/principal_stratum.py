"""The effect on time in response in those who would respond to the experimental arm.

Notation. S(a) tells whether a patient would respond under arm a (1 experimental, 0 control), Y(a) is her time in
response within the horizon h under arm a, and Y(a) = 0 where S(a) = 0. Wanted is

    E[Y(1) - Y(0) | S(1) = 1] = (E[Y(1)] - E[Y(0) S(1)]) / p1,        p1 = P(S(1) = 1),

as Y(1) S(1) = Y(1). Randomisation gives p1, the mean times mu1 = E[Y(1)] and mu0 = E[Y(0)], and the curve of being in
response under control, G0(t) = P(Y(0) > t); it says nothing of E[Y(0) S(1)], for nobody is seen under both arms.

Monotonicity: nobody would respond to control who would not respond to the experimental arm, S(0) <= S(1). Then
Y(0) > 0 implies S(1) = 1, so that Y(0) S(1) = Y(0) and the effect is (mu1 - mu0) / p1 (principal strata: Frangakis &
Rubin 2002, Biometrics 58:21). Its variance is the delta method's: with phi the parts of each patient in an estimate
(`ResponseCurve.influence`), those in the effect are (phi[mu1] - phi[mu0] - effect phi[p1]) / p1. With m1 = mu1 / p1 the
effect is m1 - mu0 / p1, whose terms are uncorrelated:

    Var = Var(m1) + Var(mu0) / p1^2 + (mu0 / p1^2)^2 p1 (1 - p1) / n1.

Without monotonicity: E[Y(0) S(1)] is the integral over t from 0 to h of P(S(1) = 1, Y(0) > t), and each of these
probabilities lies between max(0, p1 + G0(t) - 1) and min(p1, G0(t)) (Frechet and Hoeffding). Both are attained at all
t at once: the upper where the patients with S(1) = 1 are those with the longest Y(0), the lower where they are those
with the shortest. The bounds

    (mu1 - integral of min(p1, G0)) / p1     and     (mu1 - integral of max(0, p1 + G0 - 1)) / p1

are therefore sharp. They are those of trimming the control responders to the share of them that may belong to the
stratum (Zhang & Rubin 2003, J Educ Behav Stat 28:353; Imai 2008, Stat Probab Lett 78:144), written for a curve that may
be censored. Where no fewer respond to the experimental arm, p1 >= p0, the lower bound is the effect under monotonicity,
which is then the least favourable case; where more respond to control, monotonicity is contradicted but for chance, and
the effect it gives may lie outside the bounds. Where p0 + p1 <= 1, the upper bound is m1: perhaps nobody responds to
both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...estimate import Estimate, Interval, Scale
from ...plain import plain
from ..batch import BatchEstimates
from .partial_identification import imbens_manski
from .responses import Responses, checked_horizon, checked_responses
from .time_in_response import MeanTimes, in_parts, mean_times, refuse

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from .time_in_response import Estimates

__all__ = ["PrincipalStratum", "principal_stratum", "principal_stratum_batch"]

SAME_SHARE = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class _Stratum:
    """Effects by assumption, with each patient's part, of trials along leading axes."""

    share: NDArray[np.float64]
    monotone: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    monotone_error: NDArray[np.float64]
    lower_error: NDArray[np.float64]
    upper_error: NDArray[np.float64]


def _error(parts: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.sqrt(np.sum(parts**2, axis=-1))


def _stratum(times: MeanTimes) -> tuple[_Stratum, dict[int, str]]:
    """The effects, NaN where not estimable, and why."""
    responses, (control, _) = times.responses, times.curves
    members = responses.member[1]
    patients, responders = responses.patients[1], responses.responders[1]
    some = (responders > 0) & ~np.isnan(times.mean[1])
    share = np.divide(responders, patients, out=np.full(patients.shape, np.nan), where=some)
    differs = responses.responded - share[..., None]
    share_parts = np.where(members, differs, 0.0) / np.where(some, patients, np.nan)[..., None]

    lengths = control.lengths(np.where(some, times.horizon, 0.0))
    height, cut = control.height, share[..., None]
    below = height <= cut + SAME_SHARE
    most, most_parts = control.integral(np.where(below, height, cut), below.astype(float), lengths)
    most_slope = np.sum(np.where(below, 0.0, lengths), axis=-1)
    above = height > 1 - cut + SAME_SHARE
    least, least_parts = control.integral(np.where(above, height - (1 - cut), 0.0), above.astype(float), lengths)
    least_slope = np.sum(np.where(above, lengths, 0.0), axis=-1)

    def effect(
        shared: NDArray[np.float64], shared_parts: NDArray[np.float64], slope: NDArray[np.float64] | float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(mu1 - shared) / p1, where `shared` has the derivative `slope` by p1, and its standard error."""
        found = (times.mean[1] - shared) / share
        by_share = (np.asarray(slope) + found)[..., None] * share_parts
        return found, _error((times.parts[1] - shared_parts - by_share) / share[..., None])

    monotone, monotone_error = effect(times.mean[0], times.parts[0], 0.0)
    lower, lower_error = effect(most, most_parts, most_slope)
    upper, upper_error = effect(least, least_parts, least_slope)
    failures = times.failures()
    for trial in np.flatnonzero(np.atleast_1d(responders).ravel() == 0).tolist():
        failures.setdefault(trial, "nobody of the experimental arm responded, so that there is no stratum of them")
    return _Stratum(share, monotone, lower, upper, monotone_error, lower_error, upper_error), failures


def principal_stratum_batch(
    arm: ArrayLike, responded: ArrayLike, time: ArrayLike, observed: ArrayLike, horizon: float | None = None
) -> BatchEstimates:
    """The effect under monotonicity of many trials; see `principal_stratum`.

    Parameters
    ----------
    arm, responded, time, observed
        As for `time_in_response`, of shape (trials, patients).
    horizon
        As there; without one, each trial's own.
    """
    until = checked_horizon(horizon)

    def effects(responses: Responses) -> Estimates:
        found, failures = _stratum(mean_times(responses, until))
        return found.monotone, found.monotone_error, failures

    return in_parts(checked_responses(arm, responded, time, observed), effects)


@dataclass(frozen=True, slots=True)
class PrincipalStratum:
    """Effect on mean time in response in those who would respond to the experimental arm.

    Attributes
    ----------
    horizon
        Within which time in response is counted.
    share
        Estimated share of all patients who belong to the stratum.
    effect
        Experimental minus control under monotonicity, in units of time, with a normal reference.
    interval
        Of that effect.
    lower, upper
        Estimated sharp bounds of the effect without monotonicity.
    lower_error, upper_error
        Their standard errors.
    bounds_interval
        Covers the effect, wherever between the bounds it lies, with the stated probability (Imbens & Manski 2004,
        Econometrica 72:1845).
    more_under_control
        Whether a larger share responded to control, which monotonicity does not allow but for chance.
    """

    horizon: float
    share: float
    effect: Estimate
    interval: Interval
    lower: float
    upper: float
    lower_error: float
    upper_error: float
    bounds_interval: Interval
    more_under_control: bool

    def __str__(self) -> str:
        return (
            f"in those who would respond to the experimental arm ({100 * self.share:.0f}%): {self.effect.effect:.4g} "
            f"({100 * self.interval.level:g}% interval {self.interval}) if nobody responds to control only; "
            f"between {self.lower:.4g} and {self.upper:.4g} ({self.bounds_interval}) whoever responds to what"
        )

    def to_dict(self) -> dict[str, Any]:
        """The numbers for a JSON file."""
        return plain(
            {
                "horizon": self.horizon,
                "share": self.share,
                "level": self.interval.level,
                "monotone": {
                    "effect": self.effect.effect,
                    "standard_error": self.effect.standard_error,
                    "lower": self.interval.lower,
                    "upper": self.interval.upper,
                    "p_value": self.effect.p_value,
                },
                "bounds": {
                    "lower": self.lower,
                    "upper": self.upper,
                    "lower_standard_error": self.lower_error,
                    "upper_standard_error": self.upper_error,
                    "interval_lower": self.bounds_interval.lower,
                    "interval_upper": self.bounds_interval.upper,
                },
                "more_responded_to_control": self.more_under_control,
            }
        )


def principal_stratum(
    arm: ArrayLike,
    responded: ArrayLike,
    time: ArrayLike,
    observed: ArrayLike,
    horizon: float | None = None,
    level: float = 0.95,
) -> PrincipalStratum:
    """Effect on time in response in those who would respond to the experimental arm: under monotonicity, and bounds.

    Parameters
    ----------
    arm, responded, time, observed, horizon, level
        As for `time_in_response`.

    Raises
    ------
    InputError
        For arrays or a horizon that are not as described.
    NotEstimable
        As `time_in_response`, and where nobody of the experimental arm responded.
    """
    times = mean_times(checked_responses(arm, responded, time, observed), checked_horizon(horizon))
    found, failures = _stratum(times)
    refuse(failures, float(found.monotone_error))
    until = float(times.horizon)
    effect = Estimate(
        float(found.monotone),
        float(found.monotone_error),
        scale=Scale.TIME_DIFFERENCE,
        label="difference in mean time in response in those who would respond to the experimental arm",
    )
    lower, upper = float(found.lower), float(found.upper)
    errors = float(found.lower_error), float(found.upper_error)
    reach = imbens_manski(upper - lower, max(errors), level)
    lowest, highest = np.clip((lower - reach * errors[0], upper + reach * errors[1]), -until, until)
    shares = times.responses.responders / times.responses.patients
    return PrincipalStratum(
        until,
        float(found.share),
        effect,
        effect.interval(level),
        lower,
        upper,
        *errors,
        Interval(float(lowest), float(highest), level),
        bool(shares[0] > shares[1]),
    )
