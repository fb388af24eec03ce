"""Recursive integration of the score process between boundaries, the engine under every group-sequential number.

With information t_k at look k and drift theta, the score S_k = Z_k sqrt(t_k) is a random walk with independent
increments N(theta (t_k - t_{k-1}), t_k - t_{k-1}). The sub-density of S_k among the trials not yet stopped follows from
look to look by one convolution (Armitage, McPherson & Rowe 1969, JRSS A 132:235; Jennison & Turnbull 2000, chapter 19).
It is held at one drift; at any other it differs by the likelihood ratio exp(theta S - theta^2 t / 2), so a whole power
curve costs one recursion.

The quadrature is Gauss-Legendre on panels no wider than a fixed multiple of the standard deviation of the product of
the two kernels that meet at a look, the one that led there and the one that leads on. The integrand is then as smooth
on every panel as a standard normal density on an interval of that length, whatever the spacing of looks, and the points
a panel needs follow from the tolerance (`Grid.within`); by default that of double precision. A look costs the product
of its nodes and those of the look before, some 100 each for looks evenly spaced; looks that lie close together for the
information so far need more, and then only a band of the kernel is computed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from ..errors import InputError

__all__ = ["DEFAULT_GRID", "Grid", "SubDensity", "panels", "start"]

Array = npt.NDArray[np.float64]
_ROOT_TWO_PI = math.sqrt(2 * math.pi)

_WIDTH = 4.0


@dataclass(frozen=True, slots=True)
class Grid:
    """How finely to integrate.

    Attributes
    ----------
    order
        Gauss-Legendre points on a panel.
    width
        Widest panel, in standard deviations of the product of neighbouring kernels.
    reach
        Half-width of the window kept where a continuation region is unbounded, in standard deviations of the score.
    """

    order: int = 16
    width: float = _WIDTH
    reach: float = 8.5

    @classmethod
    def within(cls, tolerance: float) -> Grid:
        """The coarsest grid of this panel width whose error in an exit probability stays below a tolerance.

        On a panel of half-width h standard deviations the integrand is a normal density times something smoother, which
        on the Bernstein ellipse rho is at most exp(h^2 (rho - 1/rho)^2 / 8), so that n points leave an error of at most
        (64/15) exp(h^2 (rho - 1/rho)^2 / 8) rho^(-2 n) / (1 - rho^-2) for every rho (Trefethen 2013, Approximation
        Theory and Approximation Practice, theorem 19.3). The window leaves out a tenth of the tolerance.
        """
        if not 1e-16 <= tolerance <= 1e-2:
            raise InputError("tolerance", tolerance, "a number from 1e-16 to 0.01")
        rho, half = np.linspace(1.2, 20.0, 2000), _WIDTH / 2
        logarithm = math.log(64 / 15) + (half * (rho - 1 / rho)) ** 2 / 8 - np.log1p(-(rho**-2))
        order = 2
        while (logarithm - 2 * order * np.log(rho)).min() > math.log(tolerance):
            order += 1
        return cls(order=order, reach=-NormalDist().inv_cdf(tolerance / 10))


DEFAULT_GRID = Grid.within(1e-16)
_DENSE = 1 << 17  # pairs of nodes up to which a whole kernel is quicker than its band
_ROWS = 256  # targets of a band at once
_UNDERFLOW = 38.7  # standard deviations beyond which exp(-x^2 / 2) is 0
_CHUNK = 1 << 18  # drifts x nodes evaluated at once, to stay in cache


@cache
def _legendre(order: int) -> tuple[Array, Array]:
    return np.polynomial.legendre.leggauss(order)


@dataclass(frozen=True, slots=True)
class SubDensity:
    """Scores of the trials that have not stopped, at one look, on quadrature nodes.

    Attributes
    ----------
    information
        Information t at the look; 0 before the first.
    drift
        Drift theta per unit of information at which `mass` holds.
    score
        Nodes, shape (nodes,).
    mass
        Quadrature weight times sub-density at the nodes, shape (nodes,); it sums to the probability of continuing.
    """

    information: float
    drift: float
    score: Array
    mass: Array

    def at(self, drift: float) -> SubDensity:
        """The same trials under another drift, by the likelihood ratio."""
        return SubDensity(self.information, drift, self.score, self.tilted(np.array([drift]))[0])

    def mirrored(self) -> SubDensity:
        """The same trials with the sign of the score changed."""
        return SubDensity(self.information, -self.drift, -self.score, self.mass)

    def tilted(self, drifts: Array) -> Array:
        """Mass at the nodes under each of `drifts` (drifts,), shape (drifts, nodes)."""
        exponent = np.multiply.outer(drifts - self.drift, self.score)
        exponent -= ((drifts**2 - self.drift**2) * (self.information / 2))[:, None]
        return self.mass * np.exp(exponent)

    def upper_exit(self, information: float, bound: float, drifts: Array) -> Array:
        """Probability of a score above `bound` at the next look, which has `information`, under each of `drifts`."""
        from scipy.special import ndtr

        if bound == math.inf or not self.score.size:
            return np.zeros(drifts.shape)
        scale = math.sqrt(information - self.information)
        if drifts.size == 1 and drifts[0] == self.drift:
            return np.atleast_1d(self.mass @ ndtr((self.score - bound) / scale + self.drift * scale))
        exits = np.empty(drifts.shape)
        chunk = max(1, _CHUNK // self.score.size)
        for first in range(0, drifts.size, chunk):
            part = drifts[first : first + chunk]
            tail = ndtr((self.score - bound) / scale + (part * scale)[:, None])
            exits[first : first + chunk] = np.einsum("ij,ij->i", self.tilted(part), tail)
        return exits

    def lower_exit(self, information: float, bound: float, drifts: Array) -> Array:
        """Probability of a score below `bound` at the next look, which has `information`, under each of `drifts`."""
        return self.mirrored().upper_exit(information, -bound, -drifts)

    def between(self, information: float, low: float, high: float, drifts: Array) -> Array:
        """Probability of a score from `low` to `high` at the next look, which has `information`, under each drift."""
        if not low < high:
            return np.zeros(drifts.shape)
        return np.maximum(self.upper_exit(information, low, drifts) - self.upper_exit(information, high, drifts), 0.0)

    def upper_moment(self, information: float, bound: float, drifts: Array) -> Array:
        """E[S 1(S > bound)] of the score S at the next look, under each of `drifts`.

        Given the score s at this look it is (s + theta D) Phi(u) + sqrt(D) phi(u), D the information gained and
        u = (s + theta D - bound) / sqrt(D).
        """
        from scipy.special import ndtr

        if bound == math.inf or not self.score.size:
            return np.zeros(drifts.shape)
        gained = information - self.information
        scale = math.sqrt(gained)
        mean = self.score + (drifts * gained)[:, None]
        distance = np.maximum((mean - bound) / scale, -40.0)
        partial = mean * ndtr(distance) + (scale / _ROOT_TWO_PI) * np.exp(-0.5 * distance**2)
        return np.einsum("ij,ij->i", self.tilted(drifts), partial)

    def lower_moment(self, information: float, bound: float, drifts: Array) -> Array:
        """E[S 1(S < bound)] of the score S at the next look, under each of `drifts`."""
        return -self.mirrored().upper_moment(information, -bound, -drifts)

    def upper_quantile(self, information: float, probability: float) -> float:
        """Score exceeded at the next look with `probability` by a trial still running now, under the drift held.

        Newton's method on the logarithm of the tail probability, whose derivative is the density at the bound, in a
        bracket that only shrinks; to its right the quantile without earlier looks. Where the continuation region is one
        interval the logarithm is concave, so that the iteration falls to the root. Infinite for probability 0, minus
        infinity where no more trials are left than asked for.
        """
        from scipy.special import ndtr, ndtri

        if probability <= 0:
            return math.inf
        if probability >= self.mass.sum() * (1 - 4e-16):
            return -math.inf
        scale = math.sqrt(information - self.information)
        offset = self.score / scale + self.drift * scale
        right = self.drift * information - math.sqrt(information) * float(ndtri(probability))
        left = min(float(self.score.min()) + self.drift * (information - self.information) - 39.0 * scale, right)
        score = right
        for _ in range(400):
            distance = offset - score / scale
            tail = float(self.mass @ ndtr(distance))
            density = float(self.mass @ np.exp(-0.5 * distance**2)) / (_ROOT_TWO_PI * scale)
            if tail > probability:
                left = score
            else:
                right = score
            excess = math.log(tail / probability) if tail > 0 else -math.inf
            proposal = score + excess * tail / density if tail > 0 and density > 0 else left - 1.0
            if not left <= proposal <= right:
                proposal = 0.5 * (left + right)
            finest = 2e-14 * max(abs(score), scale)
            if abs(proposal - score) <= finest or right - left <= finest or abs(excess) <= 4e-16:
                return proposal
            score = proposal
        raise ArithmeticError(f"no score is exceeded with probability {probability}")

    def advance(
        self,
        information: float,
        lower: float,
        upper: float,
        following: float,
        drifts: tuple[float, float] | None = None,
        grid: Grid = DEFAULT_GRID,
        inner: tuple[float, float] | None = None,
    ) -> SubDensity:
        """Carry the sub-density to the next look.

        Parameters
        ----------
        information
            Information at the next look.
        lower, upper
            Continuation region there, on the score scale; may be infinite.
        following
            Information at the look after that.
        drifts
            Smallest and largest drift that will be asked for; widens the window where the region is unbounded. By
            default the drift held.
        grid
            How finely to integrate.
        inner
            Edges of a wedge inside the region, on the score scale, where trials stop too.
        """
        smallest, largest = drifts or (self.drift, self.drift)
        window = grid.reach * math.sqrt(information)
        low = max(lower, min(smallest, self.drift) * information - window)
        high = min(upper, max(largest, self.drift) * information + window)
        before, after = information - self.information, following - information
        widest = grid.width * math.sqrt(before * after / (before + after))
        pieces = [(low, high)]
        if inner is not None and inner[0] < inner[1]:
            pieces = [(low, min(inner[0], high)), (max(inner[1], low), high)]
        pieces = [panels(first, last, widest, grid.order) for first, last in pieces if first < last]
        if not pieces or not self.score.size:
            return SubDensity(information, self.drift, np.empty(0), np.empty(0))
        score, weights = (
            pieces[0] if len(pieces) == 1 else (np.concatenate(parts) for parts in zip(*pieces, strict=True))
        )
        scale = math.sqrt(before)
        mass = _carried(self.score, self.mass, score - self.drift * before, scale)
        mass *= weights
        mass *= 1.0 / (scale * _ROOT_TWO_PI)
        return SubDensity(information, self.drift, score, mass)


def _carried(score: Array, mass: Array, target: Array, scale: float) -> Array:
    """Sum over `score` of mass times exp(-(target - score)^2 / 2 scale^2), each rising, shape (targets,).

    Where the kernel is narrow against the region only its band is computed; outside it the exponential underflows.
    """
    if score.size * target.size <= _DENSE:
        kernel = np.subtract.outer(target / scale, score / scale)
        np.multiply(kernel, kernel, out=kernel)
        kernel *= -0.5
        np.exp(kernel, out=kernel)
        return kernel @ mass
    carried = np.empty(target.size)
    for first in range(0, target.size, _ROWS):
        part = target[first : first + _ROWS]
        low, high = np.searchsorted(score, (part[0] - _UNDERFLOW * scale, part[-1] + _UNDERFLOW * scale))
        distance = np.subtract.outer(part / scale, score[low:high] / scale)
        carried[first : first + _ROWS] = np.exp(-0.5 * distance**2) @ mass[low:high]
    return carried


def panels(low: float, high: float, widest: float, order: int) -> tuple[Array, Array]:
    """Gauss-Legendre nodes and weights on an interval cut into equal panels no wider than `widest`."""
    panels = math.ceil((high - low) / widest)
    half = (high - low) / (2 * panels)
    points, weights = _legendre(order)
    middles = low + half * (2 * np.arange(panels) + 1)
    return (middles[:, None] + half * points).ravel(), np.tile(weights * half, panels)


def start(drift: float = 0.0) -> SubDensity:
    """All trials before the first look: score 0 at information 0."""
    return SubDensity(0.0, drift, np.zeros(1), np.ones(1))
