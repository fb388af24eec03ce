"""What a trial promises whose patients are followed to a visit: events, hazard ratios, restricted means.

Days are counted as the data have them: an event of day k happened after day k - 1. With Y the share of an arm's
patients at risk on a day and d the share that has the event then, everything that the tests sum over days has its
expectation in Y and d.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from ...errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["ArmCourse", "expected_hazard_ratio", "followed_days"]

_NODES, _WEIGHTS = (0.5 * part for part in np.polynomial.legendre.leggauss(8))
_NODES = _NODES + 0.5
_LARGEST = 50.0


def followed_days(
    days: Sequence[float], windows: Sequence[tuple[float, float]], staying: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Probability that a patient is followed for at least 1, 2, ... days, as far as anybody is.

    Parameters
    ----------
    days
        Planned days of the visits, from baseline to that at which follow-up ends.
    windows
        Days before and after each of them that still count; every whole day of them is as likely.
    staying
        Probability of still being in the trial at each visit, shape (visits,). Who leaves between two visits does so on
        a day spread evenly between them.
    """
    held = [
        np.arange(day - math.floor(before), day + math.floor(after) + 1)
        for day, (before, after) in zip(days, windows, strict=True)
    ]
    counted = np.arange(1, math.floor(held[-1][-1]) + 1)
    found = staying[-1] * (held[-1] >= counted[:, None]).mean(axis=1)
    for starts, ends, before, after in zip(held[:-1], held[1:], staying[:-1], staying[1:], strict=True):
        if before > after:
            found += (before - after) * _left_at_or_after(counted, starts, ends)
    return np.minimum(found, 1.0)


def _left_at_or_after(
    counted: NDArray[np.intp], starts: NDArray[np.float64], ends: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Probability of leaving on each day or later between visits on days that are all as likely, shape (days,)."""
    found = np.zeros(len(counted))
    for start in starts:
        gaps = ends - start
        # who is seen twice on one day leaves on it
        apart = np.where(gaps > 0, gaps, 1.0)
        left = np.where(gaps > 0, (ends - counted[:, None]) / apart, ends >= counted[:, None])
        found += np.clip(left, 0.0, 1.0).mean(axis=1)
    return found / len(starts)


@dataclass(frozen=True, slots=True, eq=False)
class ArmCourse:
    """One arm day by day, as shares of its patients; arrays of shape (days,), the first of day 1.

    Attributes
    ----------
    survival
        Probability of no event up to and with each day.
    at_risk, events
        Followed without an event until the day, and having it then under observation.
    """

    survival: NDArray[np.float64]
    at_risk: NDArray[np.float64]
    events: NDArray[np.float64]

    @classmethod
    def weibull(cls, median: float, shape: float, followed: NDArray[np.float64]) -> ArmCourse:
        """Of a Weibull law with that median, in days, and the probability of being followed for each day."""
        survival = np.exp(-math.log(2) * (np.arange(followed.size + 1) / median) ** shape)
        return cls(survival[1:], survival[:-1] * followed, -np.diff(survival) * followed)

    @property
    def event_share(self) -> float:
        """Probability that a patient's event is seen."""
        return float(self.events.sum())

    def restricted_mean(self, horizon: float) -> tuple[float, float]:
        """Mean days without the event up to the horizon, and the variance of one patient's contribution to its
        estimate (Greenwood's).

        Raises
        ------
        InputError
            For a horizon beyond which nobody is followed.
        """
        if horizon > self.survival.size:
            raise InputError("horizon", horizon, f"days within the follow-up, which ends on day {self.survival.size}")
        start = np.arange(self.survival.size + 1)
        lengths = np.clip(horizon - start, 0.0, 1.0)
        area = np.concatenate(([1.0], self.survival)) * lengths
        beyond = np.cumsum(area[:0:-1])[::-1]
        left = self.at_risk * (self.at_risk - self.events)
        terms = np.divide(self.events, left, out=np.zeros_like(left), where=left > 0)
        return float(area.sum()), float(beyond**2 @ terms)


def expected_hazard_ratio(
    control: ArmCourse, experimental: ArmCourse, shares: tuple[float, float], test: Literal["cox", "log-rank"]
) -> tuple[float, float]:
    """The log hazard ratio that the estimate of a large trial comes to, and the information of one patient about it.

    Of the log-rank test it is the one-step estimate, (O - E) / V, and V; of Cox's regression the root of the expected
    score and the expected information there (Struthers & Kalbfleisch 1986, Biometrika 73:363), with Efron's ties. Both
    have hazards in proportion or not. Near no effect the information of a patient is that of Schoenfeld (1981,
    Biometrika 68:316), the product of the arms' shares times the share of patients with events.

    Parameters
    ----------
    shares
        Of the patients of all arms, control's and the experimental arm's.

    Raises
    ------
    InputError
        Where no events are to be expected in an arm.
    """
    from scipy.optimize import brentq

    if min(control.event_share, experimental.event_share) < 1e-9:
        raise InputError("median_days", "so long that events are not to be expected", "events in both arms")
    first, second = (
        (share * arm.at_risk, share * arm.events) for share, arm in zip(shares, (control, experimental), strict=True)
    )
    events = first[1] + second[1]
    if test == "log-rank":
        total = first[0] + second[0]
        some = total > 0
        share = np.divide(second[0], total, out=np.zeros_like(total), where=some)
        spread = np.divide(total - events, total, out=np.zeros_like(total), where=some)
        variance = float((events * share * (1 - share) * spread).sum())
        return float((second[1] - events * share).sum()) / variance, variance

    left, right = (at_risk - _NODES[:, None] * dying for at_risk, dying in (first, second))
    weights = _WEIGHTS[:, None] * events

    def of_experimental(effect: float) -> NDArray[np.float64]:
        weighted = right * math.exp(effect)
        return np.divide(weighted, left + weighted, out=np.zeros_like(left), where=left + weighted > 0)

    def score(effect: float) -> float:
        return float(second[1].sum() - (weights * of_experimental(effect)).sum())

    effect = float(brentq(score, -_LARGEST, _LARGEST, xtol=1e-13))  # pyright: ignore[reportArgumentType]
    share = of_experimental(effect)
    return effect, float((weights * share * (1 - share)).sum())
