"""What a second estimate is worth given the stop, whatever the effect that stopped the trial.

Let z and y be the favourable z-values of the two estimates at the look of the stop, with means mu and eta and
correlation rho. q = z - rho y is independent of y and takes up mu: given q and the stop, y has density proportional to

    phi(y - eta) g(q + rho y)   where q + rho y stops the trial,

g(x) the probability of having reached the look given that z is x there, which holds no unknown (1 at the first look).
Tail probabilities of y are therefore exact p-values for eta with mu a nuisance, and their inversion an exact
median-unbiased estimate and interval: a truncated normal pivot (Lee, Sun, Sun & Taylor 2016, Ann Stat 44:907; for
secondary outcomes after a test of the primary one Pan, Charu, Lu & Tian 2025, arXiv 2504.09009). With rho = 1 it is the
conditional inference of `conditional`, with rho = 0 that of a fixed sample.

g is a mixture over the scores at the look before, so that every term is a normal probability in closed form.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from .conditional import Given, stops_given
from .root_arrays import rising_roots
from .sample_space import SampleSpace, Stop

__all__ = ["conditional_shifts"]

Array = npt.NDArray[np.float64]
Chosen = npt.NDArray[np.intp]
_CHUNK = 1 << 18
_Function = Callable[[Array, Chosen], Array]


def conditional_shifts(
    space: SampleSpace,
    look: int,
    z: Array,
    correlation: Array,
    probability: Array,
    given: Given = Given.LOOK,
    cut: bool = True,
) -> Array:
    """eta - y for which, given q and the stop, a y at least as high has `probability`.

    Parameters
    ----------
    space
        Outcomes that the trial might have had.
    look
        The look at which it stopped, from 1.
    z
        Favourable z of the estimate that stopped it, shape (values,).
    correlation
        Of the two estimates, each counted as favourable, from -1 to 1, shape (values,).
    probability
        Between 0 and 1, shape (values,); 1/2 gives the median-unbiased estimate.
    given
        The look alone, or the way out there as well.
    cut
        Whether only scores that stop count; if not the trial may stop anywhere at this look.

    Returns
    -------
    Shape (values,). Infinite where z is exactly at the end of all that stops, unless the correlation is 0.
    """
    from scipy.special import ndtri

    # at -rho everything is mirrored
    sign = np.where(correlation < 0, -1.0, 1.0)
    size, target = np.abs(correlation), sign * ndtri(probability)
    found = target.copy()
    root = math.sqrt(space.information[look - 1])
    left = size > 0
    whole = Stop(look, next(iter(space.stops(look))).exit, -math.inf, math.inf)
    for stop in space.stops(look) if cut else (whole,):
        within = left & (z * root >= stop.low) & (z * root <= stop.high)
        left &= ~within
        chosen = np.flatnonzero(within)
        if chosen.size:
            stops = stops_given(space, stop, given) if cut else [whole]
            found[chosen] = _shifts(space, stops, z[chosen], size[chosen], target[chosen])
    if left.any():
        raise ValueError(f"a trial with z {z[left][0]} at look {look} does not stop")
    return sign * found


def _shifts(space: SampleSpace, stops: list[Stop], z: Array, rho: Array, target: Array) -> Array:
    look = stops[0].look
    time = float(space.information[look - 1])
    root = math.sqrt(time)
    low, high = stops[0].low / root, stops[-1].high / root
    found = np.where(z <= low, -np.inf, np.inf)
    inner = np.flatnonzero((z > low) & (z < high))
    if not inner.size:
        return found
    z, rho, target = z[inner], rho[inner], target[inner]
    roots = np.empty(z.shape)
    scores = z * root
    for block, chosen in space.blocks(space.towards(look, scores / time), look, scores):
        state = space.states(block)[look - 1]
        gained = time - state.information
        for first in range(0, chosen.size, max(1, _CHUNK // state.score.size)):
            part = chosen[first : first + max(1, _CHUNK // state.score.size)]
            weight = space.log_kernel(look, scores[part], block)
            weight -= weight.max(axis=1, keepdims=True)
            tilt = (state.score - scores[part, None]) / gained + (scores[part] / time)[:, None]
            tilt *= (rho[part] * root)[:, None]
            curve = 1.0 + rho[part] ** 2 * state.information / gained
            ends = [
                ((stop.low / root - z[part]) / rho[part], (stop.high / root - z[part]) / rho[part]) for stop in stops
            ]
            roots[part] = _solved(weight, tilt, curve, ends, target[part])
    found[inner] = roots
    return found


def _solved(weight: Array, tilt: Array, curve: Array, ends: list[tuple[Array, Array]], target: Array) -> Array:
    """c for which weights exp(weight + (c + tilt) x - curve x^2 / 2), summed over ways, put probability above x = 0.

    Parameters
    ----------
    weight, tilt
        Of each way, shape (values, ways).
    curve
        Shape (values,).
    ends
        Lowest and highest x of each stop, rising, shape (values,) each.
    target
        Normal score of the probability, shape (values,).
    """
    excess = _excess(weight, tilt, curve, ends, target)
    if weight.shape[1] == 1:
        return rising_roots(excess, target)
    # first as if there were a single way, with the mean and the spread of all
    share = np.exp(weight)
    share /= share.sum(axis=1, keepdims=True)
    mean = (share * tilt).sum(axis=1, keepdims=True)
    flat = np.maximum(curve - (share * (tilt - mean) ** 2).sum(axis=1), 0.2)
    rough = _excess(np.zeros(mean.shape), mean, flat, ends, target)
    guess = rising_roots(rough, target, tolerance=1e-4)
    every, step = np.arange(guess.size), 1e-3
    slope = (rough(guess + step, every) - rough(guess - step, every)) / (2 * step)
    return rising_roots(excess, guess, np.maximum(slope, 1e-6))


def _excess(weight: Array, tilt: Array, curve: Array, ends: list[tuple[Array, Array]], target: Array) -> _Function:
    """Normal score of the probability above 0 less `target`, as a function of c."""
    spread = np.sqrt(curve)

    def excess(here: Array, chosen: Chosen) -> Array:
        width = spread[chosen, None]
        middle = (here[:, None] + tilt[chosen]) / width
        base = weight[chosen] + 0.5 * (middle**2 - (here[:, None] / width) ** 2)
        below, above = [], []
        for low, high in ends:
            start, end = low[chosen, None] * width - middle, high[chosen, None] * width - middle
            if np.all(high[chosen] <= 0):
                below.append(base + _log_between(start, end))
            elif np.all(low[chosen] >= 0):
                above.append(base + _log_between(start, end))
            else:
                below.append(base + _log_between(start, -middle))
                above.append(base + _log_between(-middle, end))
        return _score_of_log_odds(_log_sum(above) - _log_sum(below)) - target[chosen]

    return excess


def _score_of_log_odds(odds: Array) -> Array:
    from scipy.special import ndtri_exp

    size = np.abs(odds)
    tail = -size - np.log1p(np.exp(-size))
    return np.copysign(-ndtri_exp(tail), odds)


def _log_sum(parts: list[Array]) -> Array:
    """log sum exp over all parts and their last axis; very low where nothing is left."""
    highest = np.maximum(np.max([part.max(axis=1) for part in parts], axis=0), -1e300)
    total = np.sum([np.exp(part - highest[:, None]).sum(axis=1) for part in parts], axis=0)
    return highest + np.log(np.maximum(total, 1e-300))


def _log_between(low: Array, high: Array) -> Array:
    """Logarithm of the standard normal probability between `low` and `high`, in whichever tail it lies."""
    from scipy.special import log_ndtr

    if np.all(np.isposinf(high)):
        return log_ndtr(-low)
    if np.all(np.isneginf(low)):
        return log_ndtr(high)
    flip = low > 0
    first, last = np.where(flip, -high, low), np.where(flip, -low, high)
    upper = log_ndtr(last)
    gap = np.minimum(log_ndtr(first) - upper, 0.0)
    with np.errstate(divide="ignore"):
        return upper + np.log(-np.expm1(gap))
