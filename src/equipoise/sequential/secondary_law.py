"""The confidence distribution of a mean of z after stopping, added to what the stop does not touch.

By the stage-wise ordering H(mu) = P_mu(outcome at least as high as the one observed) rises from 0 to 1 in the mean mu
of z at the look of the stop: it is the distribution of a variable M whose quantiles are the confidence limits for mu.
Of a second estimate with favourable z-value y and correlation rho with z, y - rho z is independent of the look and of z
there, with mean eta - rho mu and variance 1 - rho^2. Together they give the mean eta of y the distribution of

    y + rho (M - z) + sqrt(1 - rho^2) N,   N standard normal,

exact in its parts, approximate as a whole. H continues to complex drifts with |H(mu + i x)| <= exp(x^2 / 2), whatever
the bounds: it is as smooth as a normal distribution function, and quadrature converges as fast as with one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
import numpy.typing as npt

from .inference import StoppedTrial
from .orderings import StageWise
from .root_arrays import rising_roots

__all__ = ["ConfidenceLaw"]

Array = npt.NDArray[np.float64]
Chosen = npt.NDArray[np.intp]

_ORDER = 16  # points on a panel
_WIDEST = 1.5  # of a panel, in standard errors
_REACH = 8.3  # normal score of the probability left out above
_DEEP = 10.0  # and below, where small probabilities keep their digits
_EXTREME = 4.75  # normal score of a probability so near 1 that its complement is asked for
_STEEP = math.sqrt(0.5)  # correlation from which the normal part is the narrower of the two
_STEP = 0.5  # of the trapezoidal rule for it
_CHUNK = 1 << 20
_Law = Callable[[Array, Chosen, Array], Array]


@dataclass(frozen=True, eq=False)
class ConfidenceLaw:
    """Distributions of M - z for several outcomes, on Gauss-Legendre points of panels.

    Attributes
    ----------
    trial, z
        The trial at its look, and z there, shape (outcomes,).
    low, width
        Where the first panel begins, and how wide each is, shape (outcomes,).
    tail, density
        H and its derivative, shape (outcomes, panels, points).
    """

    trial: StoppedTrial
    z: Array
    low: Array
    width: Array
    tail: Array
    density: Array

    @classmethod
    def of(cls, trial: StoppedTrial, z: Array) -> ConfidenceLaw:
        """The laws after a trial stopped at its look with each of `z` (z,)."""
        from scipy.special import ndtr

        root = math.sqrt(trial.information[trial.look - 1])
        deep, rare = (np.full(z.shape, float(ndtr(-reach))) for reach in (_DEEP, _REACH))
        low = StageWise().drift_at(trial.space, trial.look, z, deep) * root - z
        high = -StageWise().drift_at(trial.space.mirrored, trial.look, -z, rare) * root - z
        panels = math.ceil(float((high - low).max()) / _WIDEST)
        width = (high - low) / panels
        points, _, differences = _rule()
        places = np.arange(panels)[:, None] + 0.5 * (1.0 + points)
        drifts = (z[:, None, None] + low[:, None, None] + width[:, None, None] * places) / root
        scores = np.broadcast_to((z * root)[:, None, None], drifts.shape)
        tail = StageWise().upper_tail(trial.space, trial.look, scores.ravel(), drifts.ravel()).reshape(drifts.shape)
        return cls(trial, z, low, width, tail, tail @ differences.T * (2.0 / width)[:, None, None])

    @cached_property
    def mirrored(self) -> ConfidenceLaw:
        """The laws of z - M."""
        return ConfidenceLaw.of(StoppedTrial(self.trial.region.mirrored, self.trial.look), -self.z)

    def quantiles(self, correlation: Array, probabilities: Array) -> Array:
        """Quantiles of rho (M - z) + sqrt(1 - rho^2) N.

        Parameters
        ----------
        correlation
            rho from -1 to 1, shape (correlations,).
        probabilities
            Between 0 and 1, shape (probabilities,).

        Returns
        -------
        Shape (probabilities, outcomes, correlations).
        """
        shape = probabilities.size, self.low.size, correlation.size
        which, outcome, place = (index.ravel() for index in np.indices(shape))
        return self._found(outcome, correlation[place], probabilities[which]).reshape(shape)

    def paired(self, correlation: Array, probabilities: Array) -> Array:
        """The same with a correlation for each outcome, shape (outcomes,); (probabilities, outcomes)."""
        shape = probabilities.size, self.low.size
        which, outcome = (index.ravel() for index in np.indices(shape))
        return self._found(outcome, correlation[outcome], probabilities[which]).reshape(shape)

    def _found(self, outcome: Chosen, correlation: Array, probability: Array) -> Array:
        from scipy.special import ndtri

        # the law at -rho is that at rho mirrored
        sign = np.where(correlation < 0, -1.0, 1.0)
        rho, target = np.abs(correlation), sign * ndtri(probability)
        found = np.empty(rho.shape)
        extreme = target > _EXTREME
        for chosen, law, turn in ((~extreme, self, 1.0), (extreme, None, -1.0)):
            if chosen.any():
                law = law or self.mirrored
                found[chosen] = turn * law._roots(outcome[chosen], rho[chosen], turn * target[chosen])
        return sign * found

    def _roots(self, outcome: Chosen, rho: Array, target: Array) -> Array:
        """Quantiles with normal scores `target`, of correlations of at least 0; shape (values,) all."""
        from scipy.special import ndtri

        found = np.empty(target.shape)
        steep = rho >= _STEEP
        for part, distribution in ((np.flatnonzero(~steep), self._spread), (np.flatnonzero(steep), self._steep)):

            def excess(value: Array, which: Chosen, part: Chosen = part, distribution: _Law = distribution) -> Array:
                at = part[which]
                reached = np.clip(distribution(value, outcome[at], rho[at]), 1e-300, 1.0 - 1e-16)
                return ndtri(reached) - target[at]

            if part.size:
                found[part] = rising_roots(excess, target[part])
        return found

    def _spread(self, value: Array, outcome: Chosen, rho: Array) -> Array:
        """P(rho (M - z) + sqrt(1 - rho^2) N <= value), over the points of M."""
        from scipy.special import ndtr

        points, weights, _ = _rule()
        panels = self.tail.shape[1]
        places = (np.arange(panels)[:, None] + 0.5 * (1.0 + points)).ravel()
        mass = (self.density * weights).reshape(self.low.size, -1) * (0.5 * self.width)[:, None]
        found = np.empty(value.shape)
        for first in range(0, value.size, max(1, _CHUNK // places.size)):
            part = slice(first, first + max(1, _CHUNK // places.size))
            at = outcome[part]
            size = self.low[at, None] + self.width[at, None] * places
            steps = (value[part, None] - rho[part, None] * size) / np.sqrt(1.0 - rho[part, None] ** 2)
            found[part] = np.einsum("ij,ij->i", mass[at], ndtr(steps))
        return found

    def _steep(self, value: Array, outcome: Chosen, rho: Array) -> Array:
        """The same over the points of N, by the trapezoidal rule."""
        count = math.ceil(_REACH / _STEP)
        normal = _STEP * np.arange(-count, count + 1)
        weights = np.exp(-0.5 * normal**2)
        weights /= weights.sum()
        found = np.empty(value.shape)
        for first in range(0, value.size, max(1, _CHUNK // (normal.size * _ORDER))):
            part = slice(first, first + max(1, _CHUNK // (normal.size * _ORDER)))
            size = (value[part, None] - np.sqrt(1.0 - rho[part, None] ** 2) * normal) / rho[part, None]
            found[part] = self._tails(np.broadcast_to(outcome[part, None], size.shape), size) @ weights
        return found

    def _tails(self, outcome: Chosen, size: Array) -> Array:
        """H at places `size` from z, by the polynomial of the panel."""
        panels = self.tail.shape[1]
        steps = (size - self.low[outcome]) / self.width[outcome]
        number = np.clip(np.floor(steps), 0, panels - 1)
        place = np.clip(2.0 * (steps - number) - 1.0, -1.0, 1.0)
        points, _, _ = _rule()
        distance = place[..., None] - points
        exact = distance == 0
        distance[exact] = 1e-30
        ratio = _barycentric() / distance
        inside = (ratio * self.tail[outcome, number.astype(np.intp)]).sum(axis=-1) / ratio.sum(axis=-1)
        return np.where(steps <= 0, 0.0, np.where(steps >= panels, 1.0, inside))


@cache
def _rule() -> tuple[Array, Array, Array]:
    """Gauss-Legendre points and weights, and the matrix that differentiates a polynomial through the points."""
    points, weights = np.polynomial.legendre.leggauss(_ORDER)
    factor = _barycentric()
    gaps = np.subtract.outer(points, points)
    np.fill_diagonal(gaps, 1.0)
    matrix = (factor / factor[:, None]) / gaps
    np.fill_diagonal(matrix, 0.0)
    np.fill_diagonal(matrix, -matrix.sum(axis=1))
    return points, weights, matrix


@cache
def _barycentric() -> Array:
    """Weights of the barycentric formula at the Gauss-Legendre points (Berrut & Trefethen 2004, SIAM Rev 46:501)."""
    points, weights = np.polynomial.legendre.leggauss(_ORDER)
    return np.where(np.arange(_ORDER) % 2, -1.0, 1.0) * np.sqrt((1.0 - points**2) * weights)
