"""Rates of events per time under observation, one and two compared, from counts that are taken as Poisson.

Events of one patient may come in clusters; counts of them then vary more than Poisson ones and the intervals here are
too narrow. Counts of patients, each until her first event, are free of that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...checks import any_shape, confidence_level
from ...errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["rate_difference_limits", "rate_limits", "rate_ratio_limits"]

BISECTIONS = 200


def _checked(events: ArrayLike, exposure: ArrayLike, group: str = "") -> tuple[NDArray, NDArray]:
    counts = any_shape(f"events{group}", events, "whole numbers, 0 or more")
    if np.any(counts < 0) or np.any(counts % 1 != 0):
        raise InputError(f"events{group}", events, "whole numbers, 0 or more")
    times = any_shape(f"exposure{group}", exposure, "times of 0 or more")
    if np.any(times < 0):
        raise InputError(f"exposure{group}", exposure, "times of 0 or more")
    return counts, times


def _tail(level: float) -> float:
    return (1 - confidence_level(level)) / 2


def rate_limits(
    events: ArrayLike, exposure: ArrayLike, level: float = 0.95
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Exact limits of Poisson rates (Garwood 1936, Biometrika 28:437).

    The lower limit is the rate under which so many events or more have probability (1 - level) / 2, half the chi-square
    quantile with 2 x events degrees of freedom over the exposure; the upper the one under which so many or fewer have
    it, with 2 x events + 2. They cover with at least the stated probability.

    Parameters
    ----------
    events, exposure
        Counts and times under observation, of any shapes that broadcast.
    level
        Two-sided confidence level.

    Returns
    -------
    lower, upper
        Per unit of the exposure. No events give a lower limit of 0; no exposure gives 0 and infinity.

    Raises
    ------
    InputError
        For counts that are not whole or negative, or negative exposures.
    """
    from scipy.special import gammainccinv, gammaincinv

    counts, times = np.broadcast_arrays(*_checked(events, exposure))
    tail = _tail(level)
    lower = np.where(counts > 0, gammaincinv(np.maximum(counts, 1), tail), 0.0)
    upper = gammainccinv(counts + 1, tail)
    seen = times > 0
    return (
        np.divide(lower, times, out=np.zeros_like(lower), where=seen),
        np.divide(upper, times, out=np.full_like(upper, np.inf), where=seen),
    )


def rate_ratio_limits(
    events1: ArrayLike, exposure1: ArrayLike, events2: ArrayLike, exposure2: ArrayLike, level: float = 0.95
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Exact limits of the ratio of two Poisson rates, group 1 over group 2.

    Given the total of the events, those of group 1 are binomial with odds of ratio x exposure1 / exposure2; Clopper and
    Pearson's limits of that probability give those of the ratio (Przyborowski & Wilenski 1940, Biometrika 31:313). They
    cover with at least the stated probability.

    Parameters
    ----------
    events1, exposure1, events2, exposure2
        Counts and times under observation, of any shapes that broadcast.
    level
        Two-sided confidence level.

    Returns
    -------
    lower, upper
        No events in group 1 give a lower limit of 0, none in group 2 an infinite upper one; without exposure in a group
        they are 0 and infinity.

    Raises
    ------
    InputError
        For counts that are not whole or negative, or negative exposures.
    """
    from scipy.special import betaincinv

    one, time1, two, time2 = np.broadcast_arrays(*_checked(events1, exposure1, "1"), *_checked(events2, exposure2, "2"))
    tail = _tail(level)
    seen = (time1 > 0) & (time2 > 0)
    scale = np.divide(time2, time1, out=np.ones_like(time1), where=seen)

    def lower_odds(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
        """The lower limit of the odds of belonging to the first group; both tails kept, so that no digits cancel."""
        some = np.maximum(first, 1)
        odds = betaincinv(some, second + 1, tail) / betaincinv(second + 1, some, 1 - tail)
        return np.where(first > 0, odds, 0.0)

    lower, inverse = lower_odds(one, two), lower_odds(two, one)
    upper = np.divide(1.0, inverse, out=np.full_like(inverse, np.inf), where=inverse > 0)
    return np.where(seen, lower * scale, 0.0), np.where(seen, upper * scale, np.inf)


def _score_excess(
    difference: NDArray[np.float64],
    one: NDArray[np.float64],
    time1: NDArray[np.float64],
    two: NDArray[np.float64],
    time2: NDArray[np.float64],
    z: float,
) -> NDArray[np.float64]:
    """(observed - difference)^2 - z^2 variance, at the rates most likely under a difference of 0 or more or below 0."""
    swap = difference < 0
    ahead, behind = np.where(swap, two, one), np.where(swap, one, two)
    time_ahead, time_behind = np.where(swap, time2, time1), np.where(swap, time1, time2)
    gap = np.abs(difference)
    total = time_ahead + time_behind
    linear = total * gap - (ahead + behind)
    root = np.sqrt(linear**2 + 4 * total * behind * gap)
    positive = linear > 0
    small = np.divide(2 * behind * gap, linear + root, out=np.zeros_like(root), where=positive)
    low = np.where(positive, small, (root - linear) / (2 * total))
    variance = (low + gap) / time_ahead + low / time_behind
    return (one / time1 - two / time2 - difference) ** 2 - z**2 * variance


def _upper_difference(
    one: NDArray[np.float64],
    time1: NDArray[np.float64],
    two: NDArray[np.float64],
    time2: NDArray[np.float64],
    z: float,
) -> NDArray[np.float64]:
    """The larger difference that the score test would just not reject, by bisection."""
    low = one / time1 - two / time2
    step = (z**2 + z * np.sqrt(one + two + 1)) * (1 / time1 + 1 / time2)
    high = low + step
    while np.any(short := _score_excess(high, one, time1, two, time2, z) < 0):
        step = 2 * step
        high = np.where(short, low + step, high)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        if np.all((middle == low) | (middle == high)):
            break
        below = _score_excess(middle, one, time1, two, time2, z) < 0
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return high


def rate_difference_limits(
    events1: ArrayLike, exposure1: ArrayLike, events2: ArrayLike, exposure2: ArrayLike, level: float = 0.95
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Score limits of the difference of two Poisson rates, group 1 minus group 2.

    The differences that are not rejected by (observed - difference) / standard error, the standard error taken at the
    rates that are most likely under the difference (Miettinen & Nurminen 1985, Stat Med 4:213). With the rate l of the
    group behind, they solve (T1 + T2) l^2 + ((T1 + T2) difference - events) l - events2 difference = 0.

    Parameters
    ----------
    events1, exposure1, events2, exposure2
        Counts and times under observation, of any shapes that broadcast.
    level
        Two-sided confidence level.

    Returns
    -------
    lower, upper
        Per unit of the exposure. With no events at all they are -z^2 / exposure2 and z^2 / exposure1; without exposure
        in a group, infinite.

    Raises
    ------
    InputError
        For counts that are not whole or negative, or negative exposures.
    """
    from scipy.special import ndtri

    one, time1, two, time2 = np.broadcast_arrays(*_checked(events1, exposure1, "1"), *_checked(events2, exposure2, "2"))
    z = -float(ndtri(_tail(level)))
    seen = (time1 > 0) & (time2 > 0)
    first, second = np.where(seen, time1, 1.0), np.where(seen, time2, 1.0)
    lower = -_upper_difference(two, second, one, first, z)
    upper = _upper_difference(one, first, two, second, z)
    return np.where(seen, lower, -np.inf), np.where(seen, upper, np.inf)
