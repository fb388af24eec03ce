"""Laws of one component of a composite, and how often a patient wins and loses against them by it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...data import DAYS_PER_YEAR
from .win_components import ROUNDING, WinComponent

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["Normal", "Points", "against", "counted", "levels", "timed"]

_RARE = 1e-12
_FAR, _NODES = 8.0, 161
_SPELLS = 24

Array = np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """A law of finitely many points.

    Attributes
    ----------
    values, weights
        The points and their probabilities, shape (points,).
    observed
        Of times: whether the event happened then.
    followed
        Of counts: how long they were counted, infinite for the whole of the time.
    """

    values: NDArray[np.float64]
    weights: NDArray[np.float64]
    observed: NDArray[np.bool_]
    followed: NDArray[np.float64]

    @property
    def nodes(self) -> Points:
        """Itself: where functions of the component are to be known for their expectations."""
        return self


@dataclass(frozen=True, slots=True)
class Normal:
    """A normal law."""

    mean: float
    sd: float

    @property
    def nodes(self) -> Points:
        """Points and weights of the trapezoidal rule, which is exact to rounding for smooth functions."""
        z = np.linspace(-_FAR, _FAR, _NODES)
        weights = np.exp(-0.5 * z**2)
        return levels(self.mean + self.sd * z, weights / weights.sum())


def levels(values: ArrayLike, weights: ArrayLike) -> Points:
    """Values with probabilities, that are neither censored nor counted over time; those without any are left out."""
    kept = np.asarray(weights) > 0
    values, weights = np.asarray(values, dtype=float)[kept], np.asarray(weights, dtype=float)[kept]
    return Points(values, weights, np.ones(values.shape, dtype=bool), np.full(values.shape, np.inf))


def timed(median: float, shape: float, days: Array, weights: Array) -> Points:
    """Whole days to a Weibull event, rounded up, seen up to one of the days of follow-up with these probabilities."""
    scale = median / math.log(2) ** (1 / shape)
    last = int(np.floor(days.max()))
    day = np.arange(1, last + 1)
    below = -np.expm1(-((np.arange(last + 1) / scale) ** shape))
    still = np.array([weights[days >= at].sum() for at in day])
    free = np.exp(-((np.maximum(np.floor(days), 0) / scale) ** shape)) * weights
    return Points(
        np.concatenate([day, days]).astype(float),
        np.concatenate([np.diff(below) * still, free]),
        np.arange(last + len(days)) < last,
        np.full(last + len(days), np.inf),
    )


def counted(rate: float, dispersion: float, days: Array, weights: Array, complete: float) -> Points:
    """Negative binomial (Poisson) counts over one of the days of follow-up with these probabilities.

    Follow-up from `complete` days on counts as the whole; the shorter ones are put together into a few.
    """
    order = np.argsort(days)
    days, weights = days[order], weights[order]
    place = np.minimum(((np.cumsum(weights) - weights / 2) / weights.sum() * _SPELLS).astype(int), _SPELLS - 1)
    whole = days >= complete
    values, chances, followed = [], [], []
    for spell in range(_SPELLS):
        for part in (whole & (place == spell), ~whole & (place == spell)):
            share = weights[part].sum()
            if share == 0:
                continue
            # rounded, that the same day is the same in every class
            span = round(float(days[part] @ weights[part] / share), 9)
            chance = _count_chances(rate * span / DAYS_PER_YEAR, dispersion)
            counts = np.arange(len(chance))
            values.append(counts)
            chances.append(share * chance)
            followed.append(np.full(len(counts), np.inf if whole[part].all() else span))
    found = np.concatenate(values).astype(float)
    return Points(found, np.concatenate(chances), np.ones(len(found), dtype=bool), np.concatenate(followed))


def _count_chances(mean: float, dispersion: float) -> Array:
    """Probabilities of 0, 1, ... events, as far as there are any."""
    from scipy.stats import nbinom, poisson

    if dispersion == 0 or mean == 0:
        return poisson.pmf(np.arange(int(poisson.isf(_RARE, mean)) + 2), mean)
    size, chance = 1 / dispersion, 1 / (1 + dispersion * mean)
    return nbinom.pmf(np.arange(int(nbinom.isf(_RARE, size, chance)) + 2), size, chance)


def against(item: WinComponent, nodes: Points, law: Points | Normal) -> tuple[Array, Array]:
    """Probabilities that a patient at each node has the higher value, or later event, than one of the law, and that she
    has the lower, turned round where the lower wins: won and lost, shape (nodes,).
    """
    margin = item.margin * (1 - ROUNDING)
    if isinstance(law, Normal):
        from scipy.special import ndtr

        higher = ndtr((nodes.values - item.margin - law.mean) / law.sd)
        lower = ndtr(-(nodes.values + item.margin - law.mean) / law.sd)
    elif item.time:
        higher, lower = _later(nodes, law, margin)
    elif np.isinf(nodes.followed).all() and np.isinf(law.followed).all():
        higher, lower = _below(nodes.values, law.values, law.weights, margin)
        total = law.weights.sum()
        lower = total - lower
    else:
        gap = nodes.values[:, None] - law.values
        far = np.abs(gap) >= margin
        higher = ((gap > 0) & far & (nodes.followed[:, None] <= law.followed)) @ law.weights
        lower = ((gap < 0) & far & (nodes.followed[:, None] >= law.followed)) @ law.weights
    return (higher, lower) if item.better == "higher" else (lower, higher)


def _below(at: Array, values: Array, weights: Array, margin: float) -> tuple[Array, Array]:
    """Weight of the values that lie below by the margin, and of those that do not lie above by it, shape of `at`."""
    order = np.argsort(values)
    values, weights = values[order], np.concatenate([[0.0], np.cumsum(weights[order])])
    if margin == 0:
        return weights[np.searchsorted(values, at, "left")], weights[np.searchsorted(values, at, "right")]
    return weights[np.searchsorted(values, at - margin, "right")], weights[np.searchsorted(values, at + margin, "left")]


def _later(nodes: Points, law: Points, margin: float) -> tuple[Array, Array]:
    """Probabilities that the node's event is known to be later than the law's, and earlier, by the margin."""
    seen = law.observed
    events = (law.values[seen], law.weights[seen])
    ends = (law.values[~seen], law.weights[~seen])
    # an end of follow-up on the day of an event comes after it
    after_event, until_event = _below(nodes.values, *events, margin)
    at_end, _ = _reaching(nodes.values, *events, margin)
    later = np.where(nodes.observed, after_event, at_end)
    _, past = _reaching(nodes.values, *ends, margin)
    earlier = np.where(nodes.observed, events[1].sum() - until_event + past, 0.0)
    return later, earlier


def _reaching(at: Array, values: Array, weights: Array, margin: float) -> tuple[Array, Array]:
    """Weight of the values that lie below by the margin or at it, and above by it or at it, shape of `at`."""
    order = np.argsort(values)
    values, weights = values[order], np.concatenate([[0.0], np.cumsum(weights[order])])
    below = weights[np.searchsorted(values, at - margin, "right")]
    return below, weights[-1] - weights[np.searchsorted(values, at + margin, "left")]
