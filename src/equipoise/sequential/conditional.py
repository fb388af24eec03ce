"""Estimates given the look at which a trial stopped.

A reader who learns of a trial because it stopped at look k wants to know what its result is worth given that. Given the
stop the score is one of an exponential family in the drift, whose maximum likelihood and median-unbiased estimates
follow (Troendle & Yu 1999, Commun Stat Theory Methods 28:1617; Fan, DeMets & Lan 2004, J Biopharm Stat 14:505). At the
last look it is given that the look was reached.

What is given is either the look alone, as in those papers, or the way out there as well: above, below, or into a wedge.
The two differ only where a trial might have left another way at that look. The second is what selects a result
published because it crossed a bound upwards; what holds given the way out holds given the look too, but is less
precise. As a score comes down to the lowest with which a trial could have stopped, where a large effect is no longer
needed to explain it, estimates fall without limit, and so fast that they have no mean.

Everything is computed on the logarithmic scale and holds however rare the stop.
"""

from __future__ import annotations

import math
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from .integration import SubDensity
from .root_arrays import rising_roots
from .sample_space import Exit, SampleSpace, Stop, log_mass

__all__ = [
    "Given",
    "conditional_estimate_and_interval",
    "conditional_likelihood_estimate",
    "conditional_mean",
    "conditional_quantile",
    "conditional_tail",
    "stops_given",
]

Array = npt.NDArray[np.float64]
Chosen = npt.NDArray[np.intp]
_FAR = 200.0
_ORDER = 16


class Given(StrEnum):
    """What conditional estimates take as given."""

    LOOK = "look"
    EXIT = "exit"


def stops_given(space: SampleSpace, stop: Stop, given: Given) -> list[Stop]:
    """The stops among which an outcome in `stop` is seen, from the lowest scores to the highest."""
    if given is Given.EXIT:
        return [stop]
    return sorted(space.stops(stop.look), key=lambda other: other.low)


def conditional_likelihood_estimate(space: SampleSpace, look: int, z: Array, given: Given = Given.LOOK) -> Array:
    """Drift that makes the score at `look` (from 1) likeliest given the stop there, for each z (z,).

    It solves E[S | stop] = score. Minus infinity at the lowest score that stops, infinity at the highest.
    """
    root = math.sqrt(space.information[look - 1])
    estimates = np.empty(z.shape)
    for stop, chosen in _by_stop(space, look, z * root):
        stops = stops_given(space, stop, given)
        if stops[0].exit is Exit.BELOW and len(stops) == 1:
            estimates[chosen] = -conditional_likelihood_estimate(space.mirrored, look, -z[chosen], given)
            continue
        scores = z[chosen] * root
        estimates[chosen] = np.where(scores <= stops[0].low, -np.inf, np.inf)
        inner = np.flatnonzero((scores > stops[0].low) & (scores < stops[-1].high))
        some, bound = scores[inner], stops[0].low
        half_line = len(stops) == 1 and stop.exit is Exit.ABOVE

        def excess(
            drifts: Array,
            which: Chosen,
            stops: list[Stop] = stops,
            some: Array = some,
            bound: float = bound,
            half_line: bool = half_line,
        ) -> Array:
            mean = conditional_mean(space, stops, drifts)
            # over a half-line the mean falls to the bound as -1 / drift
            return np.log((mean - bound) / (some[which] - bound)) if half_line else mean - some[which]

        slope, guess = root**2, some / root**2
        if half_line:
            slope, guess = root, guess - 1.0 / (some - bound)
        estimates[np.flatnonzero(chosen)[inner]] = rising_roots(excess, guess, slope, 1.0 / root)
    return estimates


def conditional_quantile(
    space: SampleSpace, look: int, z: Array, probability: Array | float = 0.5, given: Given = Given.LOOK
) -> Array:
    """Drift under which, given the stop, a score at least as high has `probability`, for each z (z,).

    With 1/2 the conditional median-unbiased estimate, with others exact confidence limits.
    """
    from scipy.special import ndtri

    root = math.sqrt(space.information[look - 1])
    targets = np.broadcast_to(ndtri(np.asarray(probability, dtype=np.float64)), z.shape)
    drifts = np.empty(z.shape)
    for stop, chosen in _by_stop(space, look, z * root):
        stops, scores = stops_given(space, stop, given), z[chosen] * root
        drifts[chosen] = np.where(scores <= stops[0].low, -np.inf, np.inf)
        inner = np.flatnonzero((scores > stops[0].low) & (scores < stops[-1].high))
        some, target = scores[inner], targets[chosen][inner]

        def excess(
            at: Array,
            which: Chosen,
            stop: Stop = stop,
            stops: list[Stop] = stops,
            some: Array = some,
            target: Array = target,
        ) -> Array:
            return ndtri(conditional_tail(space, stops, stop, some[which], at)) - target[which]

        guess = (some / root + target) / root
        drifts[np.flatnonzero(chosen)[inner]] = rising_roots(excess, guess, root, 1.0 / root)
    return drifts


def conditional_estimate_and_interval(
    space: SampleSpace, look: int, z: Array, level: float, given: Given = Given.LOOK
) -> tuple[Array, Array, Array]:
    """Median-unbiased estimate, and equal-tailed limits with coverage `level` among the trials that stop so, (z,)."""
    tail = 0.5 * (1.0 - level)
    probability = np.repeat((0.5, tail, 1.0 - tail), z.size)
    drifts = conditional_quantile(space, look, np.tile(z, 3), probability, given)
    return drifts[: z.size], drifts[z.size : 2 * z.size], drifts[2 * z.size :]


def conditional_mean(space: SampleSpace, stops: list[Stop], drifts: Array) -> Array:
    """E[S | one of `stops`] under each of `drifts` (drifts,)."""
    parts = [_probability_and_mean(space, stop, drifts) for stop in stops]
    if len(parts) == 1:
        return parts[0][1]
    shares = _shares([logarithm for logarithm, _ in parts])
    return np.sum([share * mean for share, (_, mean) in zip(shares, parts, strict=True)], axis=0)


def conditional_tail(space: SampleSpace, stops: list[Stop], stop: Stop, scores: Array, drifts: Array) -> Array:
    """P(S >= score | one of `stops`) under each of `drifts` (drifts,), for scores (drifts,) that lie in `stop`."""
    within = _tail_within(space, stop, scores, drifts)
    if len(stops) == 1:
        return within
    shares = _shares([_probability_and_mean(space, other, drifts)[0] for other in stops])
    place = stops.index(stop)
    return shares[place] * within + np.sum(shares[place + 1 :], axis=0)


def _shares(logarithms: list[Array]) -> Array:
    """Probabilities relative to their sum, shape (stops, drifts), from their logarithms."""
    table = np.stack(logarithms)
    table = np.exp(table - table.max(axis=0))
    return table / table.sum(axis=0)


def _probability_and_mean(space: SampleSpace, stop: Stop, drifts: Array) -> tuple[Array, Array]:
    """log P(stop) and E[S | stop] under each of `drifts` (drifts,)."""
    if stop.exit is Exit.BELOW:
        logarithm, mean = _probability_and_mean(space.mirrored, _mirrored(stop), -drifts)
        return logarithm, -mean
    logarithms, means = np.empty(drifts.shape), np.empty(drifts.shape)
    for state, chosen in _held(space, stop, drifts):
        part = drifts[chosen]
        gained = float(space.information[stop.look - 1]) - state.information
        scale = math.sqrt(gained)
        if stop.exit is Exit.LAST:
            log_weight, values = _log_tilted(state, part), state.score + (part * gained)[:, None]
        elif stop.exit is Exit.ABOVE:
            log_weight, distance = _log_exit(state, stop.low, gained, part)
            values = stop.low + scale * _excess_over(distance)
        else:
            scores, weights = _wedge_nodes(stop, scale, float(np.abs(part - state.drift).max()))
            kernel = -0.5 * ((scores[:, None] - state.score - state.drift * gained) / scale) ** 2 + log_mass(state)
            log_density = _log_sum(kernel) + np.log(weights / (math.sqrt(2 * math.pi) * scale))
            time = state.information + gained
            log_weight = log_density + np.multiply.outer(part - state.drift, scores)
            log_weight -= ((part**2 - state.drift**2) * (time / 2))[:, None]
            values = scores[None, :]
        logarithms[chosen], means[chosen] = _log_sum(log_weight), _weighted(log_weight, values)
    return logarithms, means


def _tail_within(space: SampleSpace, stop: Stop, scores: Array, drifts: Array) -> Array:
    """P(S >= score | stop) under each of `drifts` (drifts,)."""
    if stop.exit is Exit.BELOW:
        return 1.0 - _tail_within(space.mirrored, _mirrored(stop), -scores, -drifts)
    tails = np.empty(drifts.shape)
    for state, chosen in _held(space, stop, drifts, scores):
        part, score = drifts[chosen], scores[chosen]
        gained = float(space.information[stop.look - 1]) - state.information
        scale = math.sqrt(gained)
        if stop.exit is Exit.ABOVE:
            log_weight, distance = _log_exit(state, stop.low, gained, part)
            tails[chosen] = _weighted(log_weight, np.exp(_log_ratio(distance, ((score - stop.low) / scale)[:, None])))
            continue
        ahead = state.score / scale + (part * scale)[:, None]
        log_weight = _log_tilted(state, part)
        whole = _log_sum(log_weight + _log_normal_between(stop.low / scale - ahead, stop.high / scale - ahead))
        low = (score / scale)[:, None] - ahead
        tails[chosen] = np.exp(_log_sum(log_weight + _log_normal_between(low, stop.high / scale - ahead)) - whole)
    return tails


def _by_stop(space: SampleSpace, look: int, scores: Array) -> list[tuple[Stop, npt.NDArray[np.bool_]]]:
    pairs, left = [], np.ones(scores.shape, dtype=bool)
    for stop in space.stops(look):
        chosen = left & (scores >= stop.low) & (scores <= stop.high)
        left &= ~chosen
        if chosen.any():
            pairs.append((stop, chosen))
    if left.any():
        raise ValueError(f"a trial with score {scores[left][0]} at look {look} does not stop")
    return pairs


def _mirrored(stop: Stop) -> Stop:
    return Stop(stop.look, Exit.ABOVE if stop.exit is Exit.BELOW else stop.exit, -stop.high, -stop.low)


def _held(
    space: SampleSpace, stop: Stop, drifts: Array, scores: Array | None = None
) -> list[tuple[SubDensity, Chosen]]:
    """Sub-densities before the stop that are good for each drift.

    A drift that would not lead to the stop leaves those that get there on the way they take under the one that would.
    """
    time = space.information[stop.look - 1]
    effective = space.towards(stop.look, np.clip(drifts, stop.low / time, stop.high / time))
    return [
        (space.states(block)[stop.look - 1], chosen) for block, chosen in space.blocks(effective, stop.look, scores)
    ]


def _wedge_nodes(stop: Stop, scale: float, steepest: float) -> tuple[Array, Array]:
    """Gauss-Legendre nodes and weights for a kernel of width `scale` under drifts so much steeper.

    Panels shrink by halves towards both edges, where steep drifts press the density.
    """
    width = stop.high - stop.low
    even = np.linspace(0.0, width, math.ceil(width / (2 * scale)) + 1)
    graded = width * 0.5 ** np.arange(1, math.ceil(math.log2(max(width * steepest, 1.0))) + 2)
    ends = stop.low + np.unique(np.concatenate((even, graded, width - graded)))
    points, weights = np.polynomial.legendre.leggauss(_ORDER)
    half = 0.5 * np.diff(ends)
    return (ends[:-1, None] + half[:, None] * (1.0 + points)).ravel(), np.outer(half, weights).ravel()


def _log_tilted(state: SubDensity, drifts: Array) -> Array:
    """Log mass at the nodes under each drift, shape (drifts, nodes)."""
    exponent = np.multiply.outer(drifts - state.drift, state.score) + log_mass(state)
    return exponent - ((drifts**2 - state.drift**2) * (state.information / 2))[:, None]


def _log_sum(exponent: Array) -> Array:
    """log sum exp over the last axis; minus infinity where nothing is left."""
    highest = np.maximum(exponent.max(axis=1), -1e300)
    with np.errstate(divide="ignore"):
        return highest + np.log(np.exp(exponent - highest[:, None]).sum(axis=1))


def _weighted(log_weight: Array, values: Array) -> Array:
    weight = np.exp(log_weight - log_weight.max(axis=1, keepdims=True))
    return (weight * values).sum(axis=1) / weight.sum(axis=1)


def _log_exit(state: SubDensity, bound: float, gained: float, drifts: Array) -> tuple[Array, Array]:
    """Log probability of being at each node and leaving above `bound`, and the bound's distance alpha from there.

    Where alpha is positive, Q(alpha) = exp(-alpha^2 / 2) erfcx(alpha / sqrt 2) / 2 lets the drift cancel from what
    differs between nodes; what is common to them is added last.
    """
    from scipy.special import erfcx, log_ndtr

    scale, time = math.sqrt(gained), state.information + gained
    distance = (bound - state.score) / scale - (drifts * scale)[:, None]
    common = (drifts * bound - drifts**2 * (time / 2) + state.drift**2 * (state.information / 2))[:, None]
    far = -((bound - state.score) ** 2) / (2 * gained) - state.drift * state.score
    far = far + np.log(0.5 * erfcx(np.maximum(distance, 0.0) / math.sqrt(2)))
    shift = (drifts * bound - drifts**2 * (gained / 2))[:, None]
    near = np.multiply.outer(drifts - state.drift, state.score) + log_ndtr(-np.minimum(distance, 0.0)) - shift
    return np.where(distance > 0, far, near) + log_mass(state) + common, distance


def _log_ratio(distance: Array, further: Array) -> Array:
    """log Q(distance + further) - log Q(distance) of the normal upper tail Q, with nothing lost far out."""
    from scipy.special import erfcx, log_ndtr

    near = log_ndtr(-np.minimum(distance + further, 40.0)) - log_ndtr(-np.minimum(distance, 40.0))
    base = np.maximum(distance, 0.0)
    far = np.log(erfcx((base + further) / math.sqrt(2)) / erfcx(base / math.sqrt(2))) - further * (base + further / 2)
    return np.where(distance > 0, far, near)


def _excess_over(distance: Array) -> Array:
    """Mean of a standard normal above `distance`, less that distance."""
    from scipy.special import erfcx

    near = np.minimum(distance, _FAR)
    # the density over the tail: exp(-x^2 / 2) / (sqrt(2 pi) Q(x))
    hazard = math.sqrt(2 / math.pi) / erfcx(np.maximum(near, -37.0) / math.sqrt(2))
    inverse = 1.0 / np.maximum(distance, _FAR)
    series = inverse * (1 - inverse**2 * (2 - inverse**2 * (10 - 74 * inverse**2)))
    return np.where(distance > _FAR, series, hazard - near)


def _log_normal_between(low: Array, high: Array) -> Array:
    """Logarithm of the standard normal probability between `low` and `high`, in whichever tail it lies."""
    from scipy.special import log_ndtr

    low, high = np.broadcast_arrays(low, high)
    flip = low > 0
    low, high = np.where(flip, -high, low), np.where(flip, -low, high)
    upper = log_ndtr(high)
    with np.errstate(divide="ignore"):
        return upper + np.log1p(-np.exp(np.minimum(log_ndtr(low) - upper, 0.0)))
