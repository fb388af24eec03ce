"""The probability of being in response at a time among all randomised, by arm and compared."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...checks import normal_quantile, number
from ...errors import InputError, NotEstimable
from ...estimate import Interval
from ...plain import plain
from ..binary.proportions import wilson_from
from .responses import ARMS, checked_responses

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from .response_curve import ResponseCurve

__all__ = ["InResponse", "in_response"]


@dataclass(frozen=True, slots=True)
class InResponse:
    """Probability of being in response at one time after the response visit, among all randomised.

    Attributes
    ----------
    time
        Since the response visit.
    control, experimental
        Probabilities.
    control_interval, experimental_interval
        Score limits (Wilson) for the number of patients that would give, without censoring, Greenwood's variance
        (Rothman 1978, J Chronic Dis 31:557).
    difference
        Experimental minus control.
    standard_error
        Greenwood's, of the difference; 0 where both probabilities are 0 or 1.
    interval
        Of the difference, from those of the arms as Newcombe (1998, Stat Med 17:873, method 10) does it; without
        censoring before `time` it is his.
    """

    time: float
    control: float
    control_interval: Interval
    experimental: float
    experimental_interval: Interval
    difference: float
    standard_error: float
    interval: Interval

    def to_dict(self) -> dict[str, Any]:
        """The numbers for a JSON file."""
        entry: dict[str, Any] = {"time": self.time, "level": self.interval.level}
        for name, value, limits in (
            ("control", self.control, self.control_interval),
            ("experimental", self.experimental, self.experimental_interval),
            ("difference", self.difference, self.interval),
        ):
            entry[name] = {"estimate": value, "lower": limits.lower, "upper": limits.upper}
        return plain(entry)


def _effective_patients(curve: ResponseCurve, time: float, probability: float, variance: float) -> float:
    """Patients that would give the same variance without censoring.

    Where the probability is 0 or 1 the variance is 0 and tells nothing: those not censored beforehand are counted.
    """
    if 0 < probability < 1:
        return probability * (1 - probability) / variance
    zero = np.flatnonzero(curve.height == 0)
    end = min(time, float(curve.start[zero[0]])) if zero.size else time
    censored = ~curve.lost & (curve.start[1:] < end)
    return float(curve.at_risk[0]) - float(censored.sum())


def _score_interval(probability: float, patients: float, level: float) -> Interval:
    """Wilson's limits, for a number of patients that need not be whole."""
    size = np.array(patients)
    lower, upper = wilson_from(probability * size, size, normal_quantile(level))
    return Interval(float(lower), float(upper), level)


def in_response(
    arm: ArrayLike, responded: ArrayLike, time: ArrayLike, observed: ArrayLike, at: float, level: float = 0.95
) -> InResponse:
    """Probability of being in response `at` a time after the response visit, experimental against control.

    Parameters
    ----------
    arm, responded, time, observed
        As for `time_in_response`, of shape (patients,).
    at
        Time since the response visit, 0 or later.
    level
        Of the intervals.

    Raises
    ------
    InputError
        For arrays, a time or a level that are not as described.
    NotEstimable
        Where an arm has no patient or has not been followed for so long.
    """
    when = number("at", at, "a time of 0 or later")
    if when < 0:
        raise InputError("at", at, "a time of 0 or later")
    responses = checked_responses(arm, responded, time, observed)
    probabilities, limits, variances = [], [], []
    for name, curve in zip(ARMS, responses.curves(), strict=True):
        if curve.at_risk[..., 0] == 0:
            raise NotEstimable(f"no patient of the {name} arm whose response is known")
        known = float(curve.known_until)
        if when > known:
            raise NotEstimable(
                f"responders of the {name} arm have been followed for {known:g} at most, not for {when:g}"
            )
        height, parts = curve.at(when)
        probability, variance = float(height), float(np.sum(parts**2))
        probabilities.append(probability)
        variances.append(variance)
        limits.append(_score_interval(probability, _effective_patients(curve, when, probability, variance), level))
    (control, experimental), (below, above) = probabilities, limits
    difference = experimental - control
    lower = difference - math.hypot(experimental - above.lower, below.upper - control)
    upper = difference + math.hypot(above.upper - experimental, control - below.lower)
    return InResponse(
        when,
        control,
        below,
        experimental,
        above,
        difference,
        math.sqrt(sum(variances)),
        Interval(max(lower, -1.0), min(upper, 1.0), level),
    )
