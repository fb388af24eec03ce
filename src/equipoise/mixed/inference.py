"""Variance and degrees of freedom of linear combinations of the coefficients.

Everything here works in standardised units: contrasts of the coefficients of the orthonormalised design.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .cross_products import CrossProducts
from .errors import FitError
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
    "scale_and_denominator",
    "spectral_f_test",
    "wald",
]

Array = NDArray[np.floating[Any]]

_NEAR_TWO_DEGREES = 1e-3


class Inference(Protocol):
    """What a fit asks of its method of inference."""

    @property
    def variance(self) -> Array:
        """(p, p) covariance of the standardised coefficients."""
        ...

    def degrees(self, contrasts: Array) -> Array:
        """(rows,) degrees of freedom of contrasts (rows, p)."""
        ...

    def f_test(self, contrasts: Array, coefficients: Array) -> tuple[float, float]:
        """F statistic and denominator degrees of freedom of linearly independent contrasts (q, p), q > 1."""
        ...


class Fixed:
    """A given variance with degrees of freedom that do not depend on the covariance: infinite, residual, or
    between-within.
    """

    def __init__(self, variance: Array, degrees: Callable[[Array], Array]) -> None:
        self.variance = variance
        self._degrees = degrees

    def degrees(self, contrasts: Array) -> Array:
        """(rows,) degrees of freedom of contrasts (rows, p)."""
        return self._degrees(contrasts)

    def f_test(self, contrasts: Array, coefficients: Array) -> tuple[float, float]:
        """Wald statistic over the number of contrasts, with the fewest degrees of freedom among them."""
        statistic = wald(contrasts, coefficients, self.variance) / len(contrasts)
        return statistic, float(self._degrees(contrasts).min())


def infinite(contrasts: Array) -> Array:
    """Of the normal distribution."""
    return np.full(len(contrasts), np.inf)


def residual(data: CrossProducts) -> Callable[[Array], Array]:
    """Observations less coefficients, for every contrast."""
    free = float(data.n_observations - data.n_columns)
    return lambda contrasts: np.full(len(contrasts), free)


def between_within(data: CrossProducts) -> Callable[[Array], Array]:
    """Degrees of freedom split between and within patients (Schluchter & Elashoff 1990; R's mmrm and SAS).

    A column that is the same at all visits of every patient is between patients and has as many as there are patients
    less such columns, the intercept among them; any other has as many as observations less patients less such columns.
    The intercept itself counts as within wherever another column does. A contrast has the fewest of the coefficients it
    involves.
    """
    design = data.design
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

    def degrees(contrasts: Array) -> Array:
        coefficients = np.abs(contrasts @ data.triangle)
        rounding = np.linalg.norm(contrasts, axis=1)[:, None] * np.linalg.norm(data.triangle, axis=0)
        involved = coefficients > 1e-10 * rounding
        return np.where(involved, own, np.inf).min(axis=1)

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

    def degrees(self, contrasts: Array) -> Array:
        """(rows,) degrees of freedom of contrasts (rows, p)."""
        carried = contrasts @ self.variance
        slopes = self._maximum.design_derivatives @ carried.T
        gradient = np.einsum("apr,rp->ar", slopes, carried)
        variance = np.einsum("rp,rp->r", contrasts, carried)
        spread = np.einsum("ar,ar->r", gradient, np.linalg.solve(self._maximum.information, gradient))
        return 2.0 * variance**2 / spread

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
        if np.linalg.eigvalsh(self.variance)[0] <= 0:
            raise FitError("Too few patients for the Kenward-Roger variance: it is not positive definite.")

    def _adjusted(self, curvature: bool) -> Array:
        design = self._maximum.design_derivatives
        total = self._maximum.likelihood.adjustment(self._maximum.point, self._inverse, curvature)
        weighted = (self._inverse @ design.reshape(len(design), -1)).reshape(design.shape)
        total = total - np.einsum("aij,ajk->ik", design @ self._inner, weighted)
        return self._inner + self._inner @ (total + total.T) @ self._inner

    def degrees(self, contrasts: Array) -> Array:
        """For single contrasts they equal Satterthwaite's."""
        return self._satterthwaite.degrees(contrasts)

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
        scale, denominator = scale_and_denominator(a1, a2, q)
        if not (scale > 0 and denominator > 0):
            raise FitError(f"Too few patients for a Kenward-Roger test of {q} effects at once.")
        return scale * wald(contrasts, coefficients, self.variance) / q, denominator


def scale_and_denominator(a1: float, a2: float, q: int) -> tuple[float, float]:
    """Factor of F and its denominator degrees of freedom from A_1 and A_2 of q contrasts (Kenward & Roger 1997).

    Written so that it holds where the paper's intermediate moments are infinite: the variance of F with four degrees
    of freedom or fewer, its mean with two or fewer. With two degrees of freedom the factor is the limit.
    """
    left = 1.0 - a2 / q
    if abs(left) < _NEAR_TWO_DEGREES:
        return _beside(a1, a2, q)
    b = (a1 + 6.0 * a2) / (2.0 * q)
    g = ((q + 1) * a1 - (q + 4) * a2) / ((q + 2) * a2)
    bottom = 3 * q + 2 * (1 - g)
    c1, c2, c3 = g / bottom, (q - g) / bottom, (q + 2 - g) / bottom
    spread = 1.0 - c3 * b
    top = (left / (1.0 - c2 * b)) ** 2 * (1.0 + c1 * b)
    denominator = 4.0 + (q + 2) * spread / (top - spread)
    return left * denominator / (denominator - 2.0), denominator


def _beside(a1: float, a2: float, q: int) -> tuple[float, float]:
    """Factor and degrees of freedom extrapolated from four points beside this one, to the fourth order."""

    def mean(step: float) -> Array:
        sides = [scale_and_denominator(a1 * factor, a2 * factor, q) for factor in (1.0 - step, 1.0 + step)]
        return np.mean(sides, axis=0)

    near, far = mean(3 * _NEAR_TWO_DEGREES), mean(6 * _NEAR_TWO_DEGREES)
    scale, denominator = (4.0 * near - far) / 3.0
    return float(scale), float(denominator)


def wald(contrasts: Array, coefficients: Array, variance: Array) -> float:
    """(Lb)'(L var L')^-1 (Lb)."""
    effect = contrasts @ coefficients
    return float(effect @ np.linalg.solve(contrasts @ variance @ contrasts.T, effect))


def spectral_f_test(
    contrasts: Array, coefficients: Array, variance: Array, degrees: Callable[[Array], Array]
) -> tuple[float, float]:
    """F statistic and denominator degrees of freedom of Fai & Cornelius (1996)."""
    values, vectors = np.linalg.eigh(contrasts @ variance @ contrasts.T)
    rotated = vectors.T @ contrasts
    statistic = float(((rotated @ coefficients) ** 2 / values).mean())
    return statistic, combine_degrees(degrees(rotated))


def combine_degrees(degrees: Array) -> float:
    """Denominator degrees of freedom of a sum of squared independent t statistics (Fai & Cornelius 1996)."""
    if np.ptp(degrees) < 1e-8:
        return float(degrees.mean())
    if (degrees <= 2).any():
        return 2.0
    expected = float((degrees / (degrees - 2)).sum())
    return 2 * expected / (expected - degrees.size)
