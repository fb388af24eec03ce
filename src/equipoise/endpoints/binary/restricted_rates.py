"""Two proportions fitted under a null hypothesis, and the variance of their comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["contrast", "contrast_variance", "restricted_rates"]


def contrast(rate1: ArrayLike, rate2: ArrayLike, null: ArrayLike, measure: str) -> Any:
    """What the test looks at: p1 - p2 - null, p1 - null * p2, or the log odds ratio less log(null); element by element.

    The log odds ratio is infinite where a proportion is 0 or 1, downwards where the odds of the first are 0.
    """
    one, two, given = (np.asarray(value, dtype=float) for value in (rate1, rate2, null))
    if measure == "odds ratio":
        inside = (one > 0) & (one < 1) & (two > 0) & (two < 1)
        upwards = (one >= 1) | (two <= 0)
        safe1, safe2 = np.where(inside, one, 0.5), np.where(inside, two, 0.5)
        found = np.log(safe1 / (1 - safe1)) - np.log(safe2 / (1 - safe2)) - np.log(given)
        return np.where(inside, found, np.where(upwards, np.inf, -np.inf))[()]
    return (one - given * two if measure == "ratio" else one - two - given)[()]


def contrast_variance(
    rate1: ArrayLike, rate2: ArrayLike, size1: ArrayLike, size2: ArrayLike, null: ArrayLike, measure: str
) -> Any:
    """Variance of that contrast at given rates, with `size1` and `size2` patients; element by element."""
    one, two, first, second, given = (np.asarray(value, dtype=float) for value in (rate1, rate2, size1, size2, null))
    spread1, spread2 = one * (1 - one), two * (1 - two)
    if measure == "odds ratio":
        with np.errstate(divide="ignore"):
            return np.where(np.minimum(spread1, spread2) > 0, 1 / (first * spread1) + 1 / (second * spread2), np.inf)[
                ()
            ]
    return (spread1 / first + (given**2 if measure == "ratio" else 1.0) * spread2 / second)[()]


def restricted_rates(
    rate1: ArrayLike, rate2: ArrayLike, size1: ArrayLike, size2: ArrayLike, null: ArrayLike, measure: str
) -> tuple[Any, Any]:
    """Maximum likelihood estimates of two proportions under the null hypothesis, element by element.

    Difference: the trigonometric root of the cubic of Farrington & Manning 1990 (Stat Med 9:1447, appendix) and
    Miettinen & Nurminen 1985 (Stat Med 4:213), then Newton's steps on the likelihood's derivative, which is never flat.
    Ratio: Farrington & Manning's quadratic. Odds ratio: Miettinen & Nurminen's. The roots of the quadratics are written
    without differences of like numbers.

    Parameters
    ----------
    rate1, rate2
        Observed or expected proportions.
    size1, size2
        Patients, above 0; only their ratio matters.
    null
        Null value: p1 - p2, p1 / p2 or the odds ratio, by `measure`; ratios above 0.
    measure
        "difference", "ratio" or "odds ratio".

    Returns
    -------
    The two proportions; floats where all that was given are numbers.
    """
    one, two, first, second, given = np.broadcast_arrays(
        *(np.asarray(value, dtype=float) for value in (rate1, rate2, size1, size2, null))
    )
    share = second / first
    if measure == "difference":
        fitted = _difference(one, two, first / (first + second), given)
        return fitted[()], np.clip(fitted - given, 0.0, 1.0)[()]
    if measure == "ratio":
        a, b = given * (1 + share * two), share + one
        root = np.sqrt((a - b) ** 2 + 4 * given * share * (1 - one) * (1 - two))
        fitted = 2 * given * (one + share * two) / (a + b + root)
        return fitted[()], (fitted / given)[()]
    above = given >= 1
    factor = np.where(above, given, 1 / given)
    ratio = np.where(above, share, 1 / share)
    low = _lower_odds(np.where(above, one + share * two, two + one / share), ratio, factor)
    high = factor * low / (1 + low * (factor - 1))
    return np.where(above, high, low)[()], np.where(above, low, high)[()]


def _lower_odds(events: NDArray[np.float64], share: NDArray[np.float64], ratio: NDArray[np.float64]) -> Any:
    """Proportion of the group with the lower odds, of weight `share` to the other's 1, from all events."""
    a = share * (ratio - 1)
    b = ratio + share - events * (ratio - 1)
    root = np.sqrt(b * b + 4 * a * events)
    positive = b >= 0
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(positive, 2 * events / np.where(positive, b + root, 1.0), (root - b) / (2 * a))


def _difference(
    one: NDArray[np.float64], two: NDArray[np.float64], weight: NDArray[np.float64], null: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The first proportion given p1 - p2; `weight` is the share of patients in the first group.

    The derivative of the log-likelihood falls throughout, by 1 or more for each unit of p1, so Newton's steps inside a
    shrinking bracket keep all digits even where the cubic has a double root.
    """
    groups = ((weight, one, 0.0), (1 - weight, two, null))
    low, high = np.maximum(0.0, null), np.minimum(1.0, 1.0 + null)

    def derivative(first: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Of the log-likelihood for each patient, and how fast it falls."""
        value, fall = np.zeros_like(first), np.zeros_like(first)
        for share, rate, less in groups:
            place = first - less
            up = np.where(rate > 0, share * rate / place, 0.0)
            down = np.where(rate < 1, share * (1 - rate) / (1 - place), 0.0)
            value = value + up - down
            fall = fall + np.where(rate > 0, up / place, 0.0) + np.where(rate < 1, down / (1 - place), 0.0)
        return value, fall

    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        falls, rises = (derivative(low)[0] <= 0) | (low >= high), derivative(high)[0] >= 0
        here = _trigonometric(one, two, (1 - weight) / weight, null)
        here = np.where((here > low) & (here < high), here, 0.5 * (low + high))
        left, right = low, high
        for _ in range(100):
            value, fall = derivative(here)
            left, right = np.where(value > 0, here, left), np.where(value < 0, here, right)
            step = value / fall
            proposal = here + step
            proposal = np.where((proposal > left) & (proposal < right), proposal, 0.5 * (left + right))
            arrived = ~(np.abs(step) > 4e-16 * here) | ~(np.abs(proposal - here) > 4e-16 * here) | falls | rises
            if np.all(arrived):
                break
            here = np.where(arrived, here, proposal)
    here = np.where(falls, low, np.where(rises, high, here))
    return np.where(null == 0, weight * one + (1 - weight) * two, here)


def _trigonometric(
    one: NDArray[np.float64], two: NDArray[np.float64], share: NDArray[np.float64], null: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Root of the cubic that the derivative becomes when its denominators are cleared."""
    a = 1 + share
    b = -(1 + share + one + share * two + null * (share + 2))
    c = null * null + null * (2 * one + share + 1) + one + share * two
    d = -one * null * (1 + null)
    v = (b / (3 * a)) ** 3 - b * c / (6 * a * a) + d / (2 * a)
    u = np.copysign(np.sqrt(np.maximum((b / (3 * a)) ** 2 - c / (3 * a), 0.0)), v)
    angle = (np.pi + np.arccos(np.clip(np.where(u != 0, v / u**3, 1.0), -1.0, 1.0))) / 3
    return 2 * u * np.cos(angle) - b / (3 * a)
