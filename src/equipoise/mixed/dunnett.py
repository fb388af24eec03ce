"""Dunnett's comparisons: how far the largest of several correlated t statistics may lie from 0 by chance."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .studentised_range import scale_nodes

__all__ = ["LargestT"]

Array = NDArray[np.floating[Any]]

_REACH = 8.5
_NODES = 96
_LARGEST_SHARE = 0.999
_NEGLIGIBLE = 1e-10
_POINTS = 1 << 14
_TINY = 1e-16
_RIDGE = 1e-10


@dataclass(frozen=True, eq=False)
class LargestT:
    """The largest absolute value of k correlated normals over one independent s, s^2 chi-square over its degrees.

    With correlations that are products, r_ij = a_i a_j, the normals are independent given one common normal u, and
    P(all |Z_i| < w) = int phi(u) prod_i [Phi((w - a_i u) / d_i) - Phi((-w - a_i u) / d_i)] du, d_i^2 = 1 - a_i^2
    (Dunnett 1955, JASA 50, 1096-1121; Dunnett & Sobel 1955, Biometrika 42, 258-260): those of independent means against
    one control, and of any two comparisons. This and the integral over log s are by the trapezoidal rule, to about
    1e-12. Other correlations, as of a fit with covariates and unequal weights, are the nearest products and a
    remainder. What the remainder adds is the difference of two sums over the same fixed lattice (by conditioning as
    Genz 1992, J Comput Graph Stat 1, 141-149), whose errors nearly cancel: about 1e-5 of the probability.

    Attributes
    ----------
    correlation
        (k, k).
    loadings
        (k,) a_i.
    """

    correlation: Array
    loadings: Array

    @classmethod
    def of(cls, correlation: Array) -> LargestT:
        """From the correlations of the statistics (k, k), positive definite."""
        return cls(correlation, _loadings(correlation))

    def tail(self, point: float, degrees_of_freedom: float) -> float:
        """Probability that the largest lies beyond a point on either side.

        It lies between the probability of one alone and Bonferroni's for all, to which it is held where these are too
        small for the digits of the integral.
        """
        if point <= 0:
            return 1.0
        alone = _tail_of_one(point, degrees_of_freedom)
        found = self._nearest_tail(point, degrees_of_freedom)
        if not self._is_nearest:
            shared = _drawn_beyond(point, degrees_of_freedom, len(self.loadings))
            nearest, correlation = _products(self.loadings), self.correlation
            others = _others_inside(correlation, *shared) - _others_inside(nearest, *shared)
            found += alone * float(np.mean(others))
        return min(max(found, alone), 1.0, len(self.loadings) * alone)

    def point(self, tail: float, degrees_of_freedom: float) -> float:
        """The point beyond which the largest lies with probability `tail`."""
        from scipy.optimize import brentq, newton
        from scipy.special import ndtri, stdtrit

        k = len(self.loadings)
        low, high = (
            -float(ndtri(share) if math.isinf(degrees_of_freedom) else stdtrit(degrees_of_freedom, share))
            for share in (tail / 2, tail / (2 * k))
        )
        if k == 1:
            return low

        def beyond(point: float) -> float:
            return math.log(self.tail(point, degrees_of_freedom) / tail)

        def nearly(point: float) -> float:
            return math.log(self._nearest_tail(point, degrees_of_freedom) / tail)

        start = float(brentq(nearly, low * (1 - 1e-9), high * (1 + 1e-9)))  # pyright: ignore[reportArgumentType]
        if self._is_nearest:
            return start
        guess = start - beyond(start) * (high - low) / (nearly(high) - nearly(low))
        return min(max(float(newton(beyond, start, x1=guess, tol=1e-9)), low), high)

    def _nearest_tail(self, point: float, degrees_of_freedom: float) -> float:
        """`tail` with the correlations that are products."""
        if len(self.loadings) == 1:
            return _tail_of_one(point, degrees_of_freedom)
        infinite = math.isinf(degrees_of_freedom)
        spread, weight = (np.ones(1), np.ones(1)) if infinite else scale_nodes(degrees_of_freedom)
        return float(weight @ _one_factor_tail(point * spread, self.loadings))

    @property
    def _is_nearest(self) -> bool:
        return bool(np.abs(self.correlation - _products(self.loadings)).max() <= _NEGLIGIBLE)


def _tail_of_one(point: float, degrees_of_freedom: float) -> float:
    """Probability that one t statistic lies beyond a point on either side."""
    from scipy.special import ndtr, stdtr

    return 2 * float(ndtr(-point) if math.isinf(degrees_of_freedom) else stdtr(degrees_of_freedom, -point))


def _products(loadings: Array) -> Array:
    """(k, k) correlations a_i a_j."""
    found = np.outer(loadings, loadings)
    np.fill_diagonal(found, 1.0)
    return found


def _loadings(correlation: Array) -> Array:
    """(k,): the a_i whose products are nearest to the correlations."""
    from scipy.optimize import least_squares

    k = len(correlation)
    if k == 1:
        return np.zeros(1)
    largest = math.sqrt(_LARGEST_SHARE)
    if k == 2:
        size = min(math.sqrt(abs(correlation[0, 1])), largest)
        return np.array([size, math.copysign(size, correlation[0, 1])])
    rows, columns = np.triu_indices(k, 1)
    wanted = correlation[rows, columns]

    def short(loadings: Array) -> Array:
        return loadings[rows] * loadings[columns] - wanted

    def slopes(loadings: Array) -> Array:
        found = np.zeros((rows.size, k))
        found[np.arange(rows.size), rows] = loadings[columns]
        found[np.arange(rows.size), columns] = loadings[rows]
        return found

    values, vectors = np.linalg.eigh(correlation)
    start = np.clip(vectors[:, -1] * math.sqrt(max(values[-1] - 1, 0.0) * k / max(k - 1, 1)), -0.95, 0.95)
    closest: dict[str, Any] = {"xtol": 1e-15, "ftol": 1e-15, "gtol": 1e-15}
    fitted = least_squares(short, start, jac=slopes, bounds=(-largest, largest), **closest)  # pyright: ignore[reportArgumentType]
    return np.asarray(fitted.x)


def _one_factor_tail(widths: Array, loadings: Array) -> Array:
    """(widths,) probability that some |Z_i| exceeds each width, with correlations a_i a_j."""
    from scipy.special import ndtr

    own = np.sqrt(1 - loadings**2)
    steepest = float(np.max(np.abs(loadings) / own))
    u = np.linspace(-_REACH, _REACH, max(_NODES, math.ceil(4 * _REACH * steepest)))
    inside = np.zeros((widths.size, u.size))
    with np.errstate(divide="ignore"):
        for loading, rest in zip(loadings, own, strict=True):
            outside = ndtr((-widths[:, None] - loading * u) / rest) + ndtr((-widths[:, None] + loading * u) / rest)
            inside += np.log1p(-np.minimum(outside, 1.0))
    density = np.exp(-0.5 * u**2) * ((u[1] - u[0]) / math.sqrt(2 * math.pi))
    return np.asarray(-np.expm1(inside) @ density)


@lru_cache(maxsize=4)
def _lattice(k: int) -> Array:
    """(k, points) in the open unit cube: a lattice generated by roots of primes, folded (Cranley & Patterson 1976)."""
    primes = [n for n in range(2, 20 * k) if all(n % divisor for divisor in range(2, math.isqrt(n) + 1))][:k]
    roots = np.sqrt(np.array(primes, dtype=np.float64))
    place = np.arange(1, _POINTS + 1) * (roots[:, None] % 1.0) % 1.0
    return np.clip(np.abs(2 * place - 1), 0.5 / _POINTS**2, 1 - 0.5 / _POINTS**2)


def _drawn_beyond(point: float, degrees_of_freedom: float, k: int) -> tuple[Array, Array, Array]:
    """(points,) draws of Z and of the limit w s, given that Z / s lies above w, and (k - 2, points) uniforms besides.

    Given t = Z / s, s^2 (df + t^2) is chi-square over df + 1 degrees of freedom.
    """
    from scipy.special import gammaincinv, ndtr, ndtri, stdtr, stdtrit

    uniform = _lattice(k)
    if math.isinf(degrees_of_freedom):
        return -ndtri(uniform[0] * ndtr(-point)), np.full(uniform.shape[1], point), uniform[2:]
    t = -stdtrit(degrees_of_freedom, uniform[0] * stdtr(degrees_of_freedom, -point))
    scale = np.sqrt(2 * gammaincinv((degrees_of_freedom + 1) / 2, uniform[1]) / (degrees_of_freedom + t**2))
    return np.asarray(t * scale), np.asarray(point * scale), uniform[2:]


def _others_inside(correlation: Array, drawn: Array, limit: Array, uniform: Array) -> Array:
    """(points,) sum over i > 1 of the probability that |Z_1|, ..., |Z_(i-1)| lie within the limit, given Z_i.

    Times the probability that one |T_i| lies beyond the point, and with 1 for i = 1, its mean is the probability that
    some |T_i| does: the tails are counted by the last that lies beyond, so that small ones keep their digits.
    """
    from scipy.special import ndtr, ndtri

    total = np.zeros(drawn.size)
    for last in range(1, len(correlation)):
        order = [last, *range(last)]
        root = np.linalg.cholesky((1 - _RIDGE) * correlation[np.ix_(order, order)] + _RIDGE * np.eye(last + 1))
        known = np.empty((last + 1, drawn.size))
        known[0] = drawn
        inside = np.ones(drawn.size)
        for at in range(1, last + 1):
            mean = root[at, :at] @ known[:at]
            low, high = ndtr((-limit - mean) / root[at, at]), ndtr((limit - mean) / root[at, at])
            inside = inside * (high - low)
            if at < last:
                known[at] = ndtri(np.clip(low + uniform[at - 1] * (high - low), _TINY, 1 - _TINY))
        total += inside
    return total
