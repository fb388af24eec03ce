"""Variance and degrees of freedom of linear combinations of the coefficients.

Everything here works in standardised units: contrasts of the coefficients of the orthonormalised design.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .cross_products import CrossProducts
from .optimise import Maximum

__all__ = [
    "Fixed",
    "Inference",
    "KenwardRoger",
    "Satterthwaite",
    "between_within",
    "combine_degrees",
    "infinite",
    "residual",
    "spectral_f_test",
    "wald",
]

Array = NDArray[np.floating[Any]]


class Inference(Protocol):
    """What a fit asks of its method of inference."""

    @property
    def variance(self) -> Array:
        """(p, p) covariance of the standardised coefficients."""
        ...

    def degrees(self, contrast: Array) -> float:
        """Degrees of freedom of one contrast (p,)."""
        ...

    def f_test(self, contrasts: Array, coefficients: Array) -> tuple[float, float]:
        """F statistic and denominator degrees of freedom of linearly independent contrasts (q, p), q > 1."""
        ...


class Fixed:
    """A given variance with degrees of freedom that do not depend on the covariance: infinite, residual, or
    between-within.
    """

    def __init__(self, variance: Array, degrees: Callable[[Array], float]) -> None:
        self.variance = variance
        self._degrees = degrees

    def degrees(self, contrast: Array) -> float:
        """Degrees of freedom of one contrast (p,)."""
        return self._degrees(contrast)

    def f_test(self, contrasts: Array, coefficients: Array) -> tuple[float, float]:
        """Wald statistic over the number of contrasts, with the fewest degrees of freedom among them."""
        statistic = wald(contrasts, coefficients, self.variance) / len(contrasts)
        return statistic, min(self._degrees(row) for row in contrasts)


def infinite(contrast: Array) -> float:
    """Of the normal distribution."""
    return float("inf")


def residual(data: CrossProducts) -> Callable[[Array], float]:
    """Observations less coefficients, for every contrast."""
    free = float(data.n_observations - data.n_columns)
    return lambda contrast: free


def between_within(data: CrossProducts) -> Callable[[Array], float]:
    """Degrees of freedom split between and within patients (Schluchter & Elashoff 1990; R's mmrm and SAS).

    A column that is the same at all visits of every patient is between patients and has as many as there are patients
    less such columns, the intercept among them; any other has as many as observations less patients less such columns.
    The intercept itself counts as within wherever another column does. A contrast has the fewest of the coefficients it
    involves.
    """
    root = None if data.root_weights is None else data.root_weights[:, :, None]
    design = data.rows[:, :, :-1] @ data.triangle
    design = design if root is None else design / root
    seen = data.observed[data.pattern_of_patient][:, :, None]
    largest = np.where(seen, design, -np.inf).max(axis=1)
    smallest = np.where(seen, design, np.inf).min(axis=1)
    size = np.abs(np.where(seen, design, 0.0)).max(axis=(0, 1))
    within = (largest - smallest).max(axis=0) > 1e-9 * size
    intercept = ~within & (largest.max(axis=0) - smallest.min(axis=0) <= 1e-9 * size)
    n_patients = design.shape[0]
    few = float(n_patients - (~within).sum())
    many = float(data.n_observations - n_patients - within.sum())
    own = np.where(within | (intercept & within.any()), many, few)

    def degrees(contrast: Array) -> float:
        coefficients = np.abs(data.triangle.T @ contrast) * size
        return float(own[coefficients > 1e-9 * coefficients.max()].min())

    return degrees


class Satterthwaite:
    """Satterthwaite degrees of freedom from the inverse observed information.

    One contrast c: 2 v^2 / (g'Ag) with v = c'Cc, g its gradient over the covariance parameters and A the inverse of
    the observed information (Giesbrecht & Burns 1985). Several contrasts: the spectral decomposition of LCL' gives
    independent t statistics whose degrees of freedom are combined (Fai & Cornelius 1996).
    """

    def __init__(self, maximum: Maximum) -> None:
        self.variance = maximum.point.inner
        self._maximum = maximum

    def degrees(self, contrast: Array) -> float:
        """Degrees of freedom of one contrast (p,)."""
        carried = self.variance @ contrast
        gradient = self._maximum.design_derivatives @ carried @ carried
        variance = float(contrast @ carried)
        return 2.0 * variance**2 / float(gradient @ np.linalg.solve(self._maximum.information, gradient))

    def f_test(self, contrasts: Array, coefficients: Array) -> tuple[float, float]:
        """F statistic and denominator degrees of freedom after Fai & Cornelius (1996)."""
        return spectral_f_test(contrasts, coefficients, self.variance, self.degrees)


class KenwardRoger:
    """Small-sample variance and F test of Kenward & Roger (1997).

    With w the inverse of the observed information (as R's mmrm), P_a = -F_a, Q_ab = X'W V_a W V_b W X and R_ab =
    X'W V_ab W X the adjusted variance is C + 2 C [sum_ab w_ab (Q_ab - P_a C P_b - R_ab / 4)] C. R depends on how the
    covariance is parametrised, and vanishes where the covariance is linear in its parameters, as an unstructured one is
    in its entries; nothing else does. It is left out unless `curvature` asks for that of mmrm's parameters.
    """

    def __init__(self, maximum: Maximum, curvature: bool) -> None:
        self._maximum = maximum
        self._inner = maximum.point.inner
        self._inverse = np.linalg.inv(maximum.information)
        self._satterthwaite = Satterthwaite(maximum)
        self.variance = self._adjusted(curvature)

    def _adjusted(self, curvature: bool) -> Array:
        design = self._maximum.design_derivatives
        total = self._maximum.likelihood.adjustment(self._maximum.point, self._inverse, curvature)
        weighted = (self._inverse @ design.reshape(len(design), -1)).reshape(design.shape)
        total = total - np.einsum("aij,ajk->ik", design @ self._inner, weighted)
        return self._inner + self._inner @ (total + total.T) @ self._inner

    def degrees(self, contrast: Array) -> float:
        """For one contrast they equal Satterthwaite's."""
        return self._satterthwaite.degrees(contrast)

    def f_test(self, contrasts: Array, coefficients: Array) -> tuple[float, float]:
        """Scaled F statistic and denominator degrees of freedom (Kenward & Roger 1997, section 3)."""
        q = len(contrasts)
        inner = self._inner
        theta = contrasts.T @ np.linalg.solve(contrasts @ inner @ contrasts.T, contrasts)
        spread = inner @ theta @ inner @ self._maximum.design_derivatives
        traces = np.trace(spread, axis1=1, axis2=2)
        a1 = float(traces @ self._inverse @ traces)
        size = len(spread)
        pairs = spread.reshape(size, -1) @ spread.swapaxes(1, 2).reshape(size, -1).T
        a2 = float((self._inverse * pairs).sum())
        b = (a1 + 6.0 * a2) / (2.0 * q)
        g = ((q + 1) * a1 - (q + 4) * a2) / ((q + 2) * a2)
        bottom = 3 * q + 2 * (1 - g)
        c1, c2, c3 = g / bottom, (q - g) / bottom, (q + 2 - g) / bottom
        mean = 1.0 / (1.0 - a2 / q)
        spread_of_f = 2.0 / q * (1 + c1 * b) / ((1 - c2 * b) ** 2 * (1 - c3 * b))
        ratio = spread_of_f / (2.0 * mean**2)
        denominator = 4.0 + (q + 2) / (q * ratio - 1)
        scale = denominator / (mean * (denominator - 2))
        return scale * wald(contrasts, coefficients, self.variance) / q, denominator


def wald(contrasts: Array, coefficients: Array, variance: Array) -> float:
    """(Lb)'(L var L')^-1 (Lb)."""
    effect = contrasts @ coefficients
    return float(effect @ np.linalg.solve(contrasts @ variance @ contrasts.T, effect))


def spectral_f_test(
    contrasts: Array, coefficients: Array, variance: Array, degrees: Callable[[Array], float]
) -> tuple[float, float]:
    """F statistic and denominator degrees of freedom of Fai & Cornelius (1996)."""
    values, vectors = np.linalg.eigh(contrasts @ variance @ contrasts.T)
    rotated = vectors.T @ contrasts
    statistic = float(((rotated @ coefficients) ** 2 / values).mean())
    return statistic, combine_degrees(np.array([degrees(row) for row in rotated]))


def combine_degrees(degrees: Array) -> float:
    """Denominator degrees of freedom of a sum of squared independent t statistics (Fai & Cornelius 1996)."""
    if np.ptp(degrees) < 1e-8:
        return float(degrees.mean())
    if (degrees <= 2).any():
        return 2.0
    expected = float((degrees / (degrees - 2)).sum())
    return 2 * expected / (expected - degrees.size)
