"""Weighted products of independent uniform p-values crossing thresholds look by look.

With y_j = -g_j log p_j, exponential with mean g_j, the evidence after look k is S_k = y_1 + ... + y_k, minus the log of
the product of p_j^g_j. A trial rejects at the first look with S_k at or above its threshold, whatever p_k; otherwise it
stops for futility if y_k is at or below a floor; otherwise it goes on.

The density of S_k among the trials that go on is an exponential polynomial between break points. It is held as
Chebyshev series on panels no wider than a few of the shortest means, and carried from look to look by integrating the
exponential kernel against the series exactly, so that the error is that of rounding.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from numpy.polynomial import chebyshev

from ..checks import numbers
from ..errors import InputError

__all__ = ["first_passages", "power"]

Array = npt.NDArray[np.float64]
_ORDER = 24  # points on a panel
_ORDERS = np.arange(_ORDER + 1)
_REACH = 8.5  # half-width of the window of z, in standard deviations
_WIDTH = 3.0  # widest panel, in shortest means
_UNDERFLOW = 800.0  # thresholds of so many longest means are reached with probability 0 in double precision
_BEYOND = 45.0  # nothing is left so many longest means above the highest threshold


@cache
def _points() -> tuple[Array, Array]:
    """Chebyshev points on (-1, 1), and the matrix from values there to the series of the integral from -1."""
    points = np.asarray(chebyshev.chebpts1(_ORDER), dtype=np.float64)
    series = np.linalg.inv(chebyshev.chebvander(points, _ORDER - 1))
    return points, np.asarray(chebyshev.chebint(series, lbnd=-1, axis=0).T, dtype=np.float64)


class _Held:
    """A density f given at Chebyshev points of adjacent panels, as it meets the next exponential of some mean."""

    def __init__(self, edges: Array, values: Array, mean: float) -> None:
        points, to_integral = _points()
        self.edges, self.mean = edges, mean
        half = np.diff(edges)[:, None] / 2
        growth = np.exp(half * (points + 1) / mean)
        self._damped = (values * growth) @ to_integral * half
        decay = np.exp(-2 * half[:, 0] / mean)
        whole = self._damped.sum(axis=1) * decay
        self._before = np.zeros(edges.size)
        for panel in range(decay.size):
            self._before[panel + 1] = self._before[panel] * decay[panel] + whole[panel]
        self._plain = values @ to_integral * half
        self._after = np.append(np.cumsum(self._plain.sum(axis=1)[::-1])[::-1], 0.0)

    def _place(self, x: Array) -> tuple[npt.NDArray[np.intp], Array]:
        panel = np.clip(np.searchsorted(self.edges, x, side="right") - 1, 0, self.edges.size - 2)
        left, right = self.edges[panel], self.edges[panel + 1]
        return panel, np.clip(2 * (x - left) / (right - left) - 1, -1.0, 1.0)

    def damped(self, x: Array) -> Array:
        """Integral of f(r) exp(-(x - r) / mean) over r up to each x (points,)."""
        inside = np.clip(x, self.edges[0], self.edges[-1])
        panel, place = self._place(inside)
        integral = _series(self._damped[panel], place) + self._before[panel]
        return integral * np.exp(-(x - self.edges[panel]) / self.mean)

    def above(self, x: float) -> float:
        """Integral of f over r from x on."""
        panel, place = self._place(np.array([x]))
        part = self._plain[panel]
        return float(self._after[panel[0] + 1] + part.sum() - _series(part, place)[0])


def _series(coefficients: Array, x: Array) -> Array:
    """One Chebyshev series a point, coefficients (points, terms), T_n(x) = cos(n arccos x)."""
    return np.einsum("ij,ij->i", coefficients, np.cos(np.multiply.outer(np.arccos(x), _ORDERS)))


def _subdivided(breaks: list[float], widest: float) -> Array:
    edges = [breaks[0]]
    for low, high in pairwise(breaks):
        panels = max(1, math.ceil((high - low) / widest))
        edges.extend(low + (high - low) * np.arange(1, panels + 1) / panels)
    return np.array(edges)


def _checked(exponents: Array, thresholds: Array, floors: Array, means: Array | None = None) -> None:
    positive, looks = "positive numbers, one a look", np.size(exponents)
    if not looks or not np.all(numbers("exponents", exponents, positive) > 0):
        raise InputError("exponents", exponents, positive)
    if numbers("thresholds", thresholds, f"{looks} numbers, one a look", infinite=True).size != looks:
        raise InputError("thresholds", thresholds, f"{looks} numbers, one a look")
    least = f"{looks} numbers of at least 0, one a look"
    given = numbers("floors", floors, least)
    if given.size != looks or not np.all(given >= 0):
        raise InputError("floors", floors, least)
    if means is not None and numbers("means", means, f"{looks} finite numbers, one a look").size != looks:
        raise InputError("means", means, f"{looks} finite numbers, one a look")


def first_passages(exponents: Array, thresholds: Array, floors: Array | None = None) -> Array:
    """Probability of first reaching the threshold at each look, shape (looks,), all p-values being uniform.

    Parameters
    ----------
    exponents
        g_j, positive, shape (looks,).
    thresholds
        On S_k, from 0 at the start; may be infinite (no rejection at that look) or not above 0 (certain rejection).
        Shape (looks,).
    floors
        y_k at or below which a trial that does not reject stops for futility, shape (looks,); that of the last look has
        no effect. By default 0 throughout.

    Raises
    ------
    InputError
        When they are not numbers of that shape.

    Notes
    -----
    Cost: looks x (panels x 24 points), some tenths of a millisecond.
    """
    floors = np.zeros(np.size(exponents)) if floors is None else floors
    _checked(exponents, thresholds, floors)
    exponents, thresholds, floors = (np.atleast_1d(given) for given in (exponents, thresholds, floors))
    looks = exponents.size
    thresholds = np.where(thresholds < _UNDERFLOW * exponents.max(), thresholds, math.inf)
    passages = np.zeros(looks)
    finite = thresholds[np.isfinite(thresholds)]
    if not finite.size:
        return passages
    ceiling = max(float(finite.max()), 0.0) + _BEYOND * float(exponents.max())
    tops = np.minimum(thresholds, ceiling)
    points, _ = _points()
    widest = _WIDTH * float(exponents.min())

    breaks = [0.0]
    held: _Held | None = None  # none yet: all trials stand at 0
    for look in range(looks):
        mean, floor, top = float(exponents[look]), float(floors[look]), float(tops[look])
        if not math.isfinite(thresholds[look]):
            pass
        elif held is None:
            passages[look] = math.exp(-max(top, 0.0) / mean)
        elif top > breaks[0]:
            passages[look] = float(held.damped(np.array([top]))[0]) + (held.above(top) if top < breaks[-1] else 0.0)
        else:
            passages[look] = held.above(breaks[0])
        start = breaks[0] + floor
        if look + 1 == looks or not start < top:
            break
        breaks = [start, *[edge + floor for edge in breaks[1:] if edge + floor < top], top]
        edges = _subdivided(breaks, widest)
        nodes = (edges[:-1, None] + np.diff(edges)[:, None] / 2 * (points + 1)).ravel()
        if held is None:
            values = np.exp(-nodes / mean) / mean
        else:
            values = held.damped(nodes - floor) * (math.exp(-floor / mean) / mean)
        held = _Held(edges, values.reshape(-1, _ORDER), float(exponents[look + 1]))
    return passages


def power(exponents: Array, thresholds: Array, floors: Array, means: Array) -> float:
    """Probability of reaching the threshold at any look when the normal score of p_j has mean `means[j]`.

    Backwards induction: the probability of rejecting later, given S_k, is integrated over the z of the next stage by
    Gauss-Legendre quadrature, cut where it bends, and held between looks as Chebyshev series in S_k on panels that
    narrow towards those bends. The error is near 1e-12.

    Parameters
    ----------
    exponents, thresholds, floors
        As in `first_passages`, shape (looks,).
    means
        Shape (looks,).

    Raises
    ------
    InputError
        When they are not numbers of that shape.
    """
    from scipy.special import log_ndtr, ndtr, ndtri_exp

    _checked(exponents, thresholds, floors, means)
    exponents, thresholds, floors, means = (np.atleast_1d(given) for given in (exponents, thresholds, floors, means))
    looks = exponents.size
    finite = thresholds[np.isfinite(thresholds)]
    if not finite.size:
        return 0.0
    ceiling = max(float(finite.max()), 0.0) + _BEYOND * float(exponents.max())
    starts = np.concatenate(([0.0], np.cumsum(floors[:-1])))
    nodes, weights = np.polynomial.legendre.leggauss(20)
    nodes = (nodes + 1) / 2
    ahead: _Interpolated | None = None
    bends: set[float] = set()  # of the probability of rejecting later
    for look in range(looks - 1, -1, -1):
        exponent, mean, low = float(exponents[look]), float(means[look]), float(starts[look])
        threshold, floor = float(thresholds[look]), float(floors[look])
        edges, scores = None, np.zeros(1)
        passed = bends
        bends = {
            round(bend - less, 12) for bend in (*passed, threshold) for less in (0.0, floor) if math.isfinite(bend)
        }
        if look:
            top = min(float(thresholds[look - 1]), ceiling)
            if top <= low:
                ahead = None
                continue
            edges = _graded(low, top, bends)
            scores = (edges[:-1, None] + np.diff(edges)[:, None] / 2 * (_points()[0] + 1)).ravel()
        critical = -ndtri_exp(-np.maximum(threshold - scores, 0.0) / exponent)
        values = ndtr(mean - critical)
        if ahead is not None:
            first = max(-float(ndtri_exp(-floor / exponent)) if floor > 0 else -math.inf, mean - _REACH)
            last = np.maximum(np.minimum(critical, mean + _REACH), first)
            at_bends = [-ndtri_exp(-np.maximum(bend - scores, 0.0) / exponent) for bend in sorted(passed)]
            cuts = np.stack([np.full(scores.size, first), *(np.clip(cut, first, last) for cut in at_bends), last])
            for left, right in pairwise(cuts):
                pieces = max(1, math.ceil(float((right - left).max()) / 3.0))
                width = (right - left) / pieces
                for piece in range(pieces):
                    z = left[:, None] + width[:, None] * (piece + nodes)
                    density = np.exp(-0.5 * (z - mean) ** 2) / math.sqrt(2 * math.pi)
                    later = ahead((scores[:, None] - exponent * log_ndtr(-z)).ravel()).reshape(z.shape)
                    values = values + (density * later) @ (weights / 2) * width
        if edges is None:
            return float(min(values[0], 1.0))
        ahead = _Interpolated(edges, values.reshape(-1, _ORDER))
    raise AssertionError("the first look returns")


class _Interpolated:
    """A function given at Chebyshev points of adjacent panels, held constant beyond them."""

    def __init__(self, edges: Array, values: Array) -> None:
        self.edges = edges
        self._coefficients = values @ np.linalg.inv(chebyshev.chebvander(_points()[0], _ORDER - 1)).T

    def __call__(self, x: Array) -> Array:
        panel = np.clip(np.searchsorted(self.edges, x, side="right") - 1, 0, self.edges.size - 2)
        left, right = self.edges[panel], self.edges[panel + 1]
        place = np.clip(2 * (x - left) / (right - left) - 1, -1.0, 1.0)
        return np.einsum(
            "ij,ij->i", self._coefficients[panel], np.cos(np.multiply.outer(np.arccos(place), _ORDERS[:-1]))
        )


def _graded(low: float, high: float, bends: Iterable[float]) -> Array:
    """Panel edges from `low` to `high`, narrowing towards the bends from below."""
    edges = {low, high}
    for bend in bends:
        edges.update(edge for edge in (bend, *(bend - 3.0 * 0.3 ** np.arange(12))) if low < edge < high)
    return _subdivided(sorted(float(edge) for edge in edges), 3.0)
