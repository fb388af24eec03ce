"""What an estimator is worth: bias, variance and mean squared error over all outcomes a trial may have.

For every look and way of stopping there the estimate is integrated over the exact density of the score, not simulated.
The quadrature halves panels until nothing changes, for estimates by the sample-mean and likelihood-ratio orderings have
kinks where an outcome ranks level with a boundary of another look. The nodes serve any number of drifts at once: under
another drift the density differs by a likelihood ratio.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..checks import confidence_level, instance, number, numbers, whole
from ..errors import InputError
from .estimators import Estimator
from .region import Region
from .root_arrays import rising_roots
from .sample_space import Exit, SampleSpace, Stop

__all__ = ["EstimatorProperties", "StopProperties", "coverage", "estimator_properties", "probability_above"]

Array = npt.NDArray[np.float64]
Chosen = npt.NDArray[np.intp]
_ORDER = 12
_REACH = 9.0
_DEEPEST = 40


@dataclass(frozen=True, eq=False)
class StopProperties:
    """An estimator among the trials that stop at one look in one way; arrays over drifts (drifts,).

    Attributes
    ----------
    look
        From 1.
    exit
        Above, below, inside a wedge, or at the last look.
    probability
        Of stopping so.
    bias
        Mean of the estimate there less the drift. Infinite or undefined (nan) for conditional estimates at interim
        looks, which have no mean: minus infinity above, infinity below, undefined inside a wedge.
    mean_squared_error
        About the drift; infinite where there is no mean.
    """

    look: int
    exit: Exit
    probability: Array
    bias: Array
    mean_squared_error: Array


@dataclass(frozen=True, eq=False)
class EstimatorProperties:
    """An estimator over all outcomes, and given each; arrays over drifts (drifts,).

    Attributes
    ----------
    estimator
        Its name.
    drift
        Per unit of information.
    bias
        Mean estimate less the drift; infinite where one end has no mean, undefined (nan) where both have none.
    variance
        Of the estimate; infinite where it has no mean.
    mean_squared_error
        variance + bias^2.
    stops
        The same given each way of stopping.
    """

    estimator: str
    drift: Array
    bias: Array
    variance: Array
    mean_squared_error: Array
    stops: tuple[StopProperties, ...]

    @property
    def mean(self) -> Array:
        """Mean estimate, shape (drifts,)."""
        return self.drift + self.bias

    def given_look(self, look: int) -> tuple[Array, Array, Array]:
        """Probability of stopping at `look` (from 1), and bias and mean squared error given that, shape (drifts,).

        Raises
        ------
        InputError
            When no trial can stop at that look.
        """
        look = whole("look", look, "a look at which a trial can stop")
        chosen = [stop for stop in self.stops if stop.look == look]
        if not chosen:
            raise InputError("look", look, "a look at which a trial can stop")
        probability = np.sum([stop.probability for stop in chosen], axis=0)
        with np.errstate(invalid="ignore"):
            bias = np.sum([stop.probability * stop.bias for stop in chosen], axis=0) / probability
            error = np.sum([stop.probability * stop.mean_squared_error for stop in chosen], axis=0) / probability
        return probability, bias, error


def estimator_properties(
    region: Region, estimator: Estimator, drifts: npt.ArrayLike, tolerance: float = 1e-11
) -> EstimatorProperties:
    """Bias, variance and mean squared error of an estimator under each of `drifts`, overall and given each stop.

    Parameters
    ----------
    region
        Continuation region; the trial stops at the last look wherever it is.
    estimator
        For instance `MaximumLikelihood()`.
    drifts
        Per unit of information, a number or shape (drifts,).
    tolerance
        Change, relative to the probability of the stop, in moments of the estimate (in standard errors of the last
        look) at which a panel is no longer halved.

    Raises
    ------
    InputError
        When the region or estimator is none, a drift is not finite, or the tolerance not above 0.
    """
    space, at = _checked(region, estimator, drifts)
    if number("tolerance", tolerance, "a number above 0") <= 0:
        raise InputError("tolerance", tolerance, "a number above 0")
    stops = [
        _given_stop(space, estimator, stop, at, tolerance)
        for look in range(1, space.looks + 1)
        for stop in space.stops(look)
    ]
    with np.errstate(invalid="ignore"):
        bias = np.sum([_share(stop.probability, stop.bias) for stop in stops], axis=0)
        error = np.sum([_share(stop.probability, stop.mean_squared_error) for stop in stops], axis=0)
        variance = np.where(np.isinf(error), np.inf, error - bias**2)
    return EstimatorProperties(estimator.name, at, bias, variance, error, tuple(stops))


def coverage(region: Region, estimator: Estimator, drifts: npt.ArrayLike, level: float = 0.95) -> Array:
    """Probability that an estimator's interval holds the drift, under each of `drifts`, shape (drifts,).

    Raises
    ------
    InputError
        When the region or estimator is none, the estimator brings no interval, a drift is not finite, or the level is
        not between 0 and 1.
    """
    space, at = _checked(region, estimator, drifts)
    level = confidence_level(level)
    if estimator.interval(space, space.looks, np.zeros(1), level) is None:
        raise InputError("estimator", estimator.name, "one that brings an interval")

    def limit(side: int) -> Callable[[int, Array], Array]:
        return lambda look, z: estimator.interval(space, look, z, level)[side]  # type: ignore[index]

    total = np.zeros(at.shape)
    for look in range(1, space.looks + 1):
        for stop in space.stops(look):
            ends = [_crossing(space, stop, limit(side), at) for side in (1, 0)]
            total += np.maximum(_above(space, stop, ends[0], at) - _above(space, stop, ends[1], at), 0.0)
    return total


def probability_above(region: Region, estimator: Estimator, drifts: npt.ArrayLike) -> Array:
    """Probability that the estimate exceeds the drift, under each of `drifts`, shape (drifts,); 1/2 is median-unbiased.

    It exists for every estimator, also those without a mean.

    Raises
    ------
    InputError
        When the region or estimator is none, or a drift is not finite.
    """
    space, at = _checked(region, estimator, drifts)
    total = np.zeros(at.shape)
    for look in range(1, space.looks + 1):
        for stop in space.stops(look):
            score = _crossing(space, stop, lambda look, z: estimator.estimate(space, look, z), at)
            total += _above(space, stop, score, at)
    return total


def _checked(region: Region, estimator: Estimator, drifts: npt.ArrayLike) -> tuple[SampleSpace, Array]:
    space = SampleSpace(region)
    instance("estimator", estimator, Estimator, "an estimator such as MaximumLikelihood()")
    at = numbers("drifts", drifts, "finite numbers, at least one")
    if not at.size:
        raise InputError("drifts", drifts, "finite numbers, at least one")
    return space, at


def _share(probability: Array, value: Array) -> Array:
    return np.where(probability > 0, probability * value, 0.0)


def _given_stop(
    space: SampleSpace, estimator: Estimator, stop: Stop, drifts: Array, tolerance: float
) -> StopProperties:
    time = float(space.information[stop.look - 1])
    diverging = estimator.divergence(space, stop)
    if diverging is not None:
        probability = _above(space, stop, np.full(drifts.shape, stop.low), drifts)
        return StopProperties(
            stop.look, stop.exit, probability, np.full(drifts.shape, diverging), np.full(drifts.shape, math.inf)
        )
    unit = 1.0 / math.sqrt(space.information[-1])

    def evaluated(low: Array, high: Array) -> tuple[Array, Array]:
        """Estimates at the nodes of panels, and log density times weight there under each drift."""
        points, weights = np.polynomial.legendre.leggauss(_ORDER)
        half = 0.5 * (high - low)
        scores = (low[:, None] + half[:, None] * (1.0 + points)).ravel()
        values = estimator.estimate(space, stop.look, scores / math.sqrt(time))
        log_weight = _log_density(space, stop.look, scores, drifts) + np.log(np.outer(half, weights)).ravel()
        return values, log_weight

    low, high = _window(space, stop, drifts)
    ends = np.linspace(low, high, 9)
    values, log_weight = evaluated(ends[:-1], ends[1:])
    shift = log_weight.max(axis=1, keepdims=True)

    def moments(values: Array, log_weight: Array) -> Array:
        """Zeroth to second moments of each panel, shape (3, drifts, panels)."""
        weight = np.exp(np.minimum(log_weight - shift, 600.0)).reshape(drifts.size, -1, _ORDER)
        centred = (values.reshape(-1, _ORDER) - drifts[:, None, None]) / unit
        return np.stack([(weight * centred**power).sum(axis=2) for power in range(3)])

    lows, highs, parts = ends[:-1], ends[1:], moments(values, log_weight)
    total = np.zeros((3, drifts.size))
    for depth in range(_DEEPEST):
        middles = 0.5 * (lows + highs)
        halves = np.stack((lows, middles), axis=1).ravel(), np.stack((middles, highs), axis=1).ravel()
        finer = moments(*evaluated(*halves))
        joined = finer.reshape(3, drifts.size, -1, 2).sum(axis=3)
        # relative to the likeliest estimate of the stop's probability so far
        size = total[0] + joined[0].sum(axis=1)
        change = (np.abs(joined - parts) / size[None, :, None]).max(axis=(0, 1))
        keep = change > tolerance if depth + 1 < _DEEPEST else np.zeros(change.shape, dtype=bool)
        total += joined[:, :, ~keep].sum(axis=2)
        if not keep.any():
            break
        twice = np.repeat(keep, 2)
        lows, highs, parts = halves[0][twice], halves[1][twice], finer[:, :, twice]
    probability = total[0] * np.exp(shift[:, 0])
    return StopProperties(stop.look, stop.exit, probability, unit * total[1] / total[0], unit**2 * total[2] / total[0])


def _window(space: SampleSpace, stop: Stop, drifts: Array) -> tuple[float, float]:
    """Scores that matter under any of `drifts`: where trials still running would be led, and nine deviations round."""
    time = float(space.information[stop.look - 1])
    before = float(space.information[stop.look - 2]) if stop.look > 1 else 0.0
    below, above, _ = space.edges(stop.look - 1) if stop.look > 1 else (0.0, 0.0, None)
    ahead = np.clip(drifts * before, below, above) + drifts * (time - before)
    reach = _REACH * math.sqrt(time)
    low, high = float(ahead.min()) - reach, float(ahead.max()) + reach
    if stop.exit is Exit.ABOVE:
        return stop.low, max(high, stop.low + reach)
    if stop.exit is Exit.BELOW:
        return min(low, stop.high - reach), stop.high
    return max(low, stop.low), min(high, stop.high)


def _log_density(space: SampleSpace, look: int, scores: Array, drifts: Array) -> Array:
    """Log sub-density of stopping at `look` with `scores` (scores,) under `drifts`, shape (drifts, scores)."""
    time = float(space.information[look - 1])
    result = np.empty((drifts.size, scores.size))
    for block, chosen in space.blocks(space.towards(look, scores / time)):
        held = space.drift_of(block)
        likelihood_ratio = np.multiply.outer(drifts - held, scores[chosen])
        likelihood_ratio -= ((drifts**2 - held**2) * (time / 2))[:, None]
        result[:, chosen] = space.log_density(look, scores[chosen], block) + likelihood_ratio
    return result


def _crossing(space: SampleSpace, stop: Stop, function: Callable[[int, Array], Array], drifts: Array) -> Array:
    """Scores at which a function of look and z, rising in z, equals each drift; an end of the stop if none does."""
    root = math.sqrt(space.information[stop.look - 1])
    low, high = _window(space, stop, drifts)
    ends = np.array([low, high])
    first, last = function(stop.look, ends / root)
    result = np.where(first >= drifts, stop.low, stop.high)
    inner = np.flatnonzero((first < drifts) & (last > drifts))

    def excess(scores: Array, chosen: Chosen) -> Array:
        return function(stop.look, scores / root) - drifts[inner[chosen]]

    if inner.size:
        bracket = np.full(inner.shape, low), np.full(inner.shape, high)
        guess = np.clip(drifts[inner] * root**2, low + 1e-3 * (high - low), high - 1e-3 * (high - low))
        result[inner] = rising_roots(excess, guess, 1.0 / root**2, root, bracket=bracket)
    return result


def _above(space: SampleSpace, stop: Stop, scores: Array, drifts: Array) -> Array:
    """Probability of that stop with a score above each of `scores`, under the drift of the same place."""
    time = float(space.information[stop.look - 1])
    result = np.zeros(drifts.shape)
    for index in range(drifts.size):
        at = drifts[index : index + 1]
        state = space.states(space.block_of(float(drifts[index])))[stop.look - 1]
        low = max(float(scores[index]), stop.low)
        if low < stop.high:
            result[index] = state.between(time, low, stop.high, at)[0]
    return result
