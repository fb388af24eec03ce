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
from .structures import upper_pairs

__all__ = ["Inference", "KenwardRoger", "Normal", "Satterthwaite", "combine_degrees"]

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


class Normal:
    """Model-based or given variance, infinite degrees of freedom."""

    def __init__(self, variance: Array) -> None:
        self.variance = variance

    def degrees(self, contrast: Array) -> float:
        """Infinity."""
        return float("inf")

    def f_test(self, contrasts: Array, coefficients: Array) -> tuple[float, float]:
        """Wald statistic over the number of contrasts; the denominator has infinite degrees of freedom."""
        return wald(contrasts, coefficients, self.variance) / len(contrasts), float("inf")


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

    With w the inverse of the observed information (as R's mmrm), P_a = -F_a and Q_ab = X'W V_a W V_b W X the adjusted
    variance is C + 2 C [sum_ab w_ab (Q_ab - P_a C P_b - R_ab / 4)] C, where R_ab = X'W V_ab W X with the second
    derivatives of the covariance. In the entries of an unstructured covariance R_ab is zero; `log_cholesky` takes
    the second derivatives of mmrm's parameters instead (log standard deviations and a scaled Cholesky factor).
    """

    def __init__(self, data: CrossProducts, maximum: Maximum, log_cholesky: bool) -> None:
        self._maximum = maximum
        self._inner = maximum.point.inner
        self._inverse = np.linalg.inv(maximum.information)
        self._satterthwaite = Satterthwaite(maximum)
        self.variance = self._adjusted(data, log_cholesky)

    def _adjusted(self, data: CrossProducts, log_cholesky: bool) -> Array:
        n_visits, p = data.n_visits, data.n_columns
        j, k = upper_pairs(n_visits)
        size = j.size
        basis = np.zeros((size, n_visits, n_visits))
        basis[np.arange(size), j, k] = 1.0
        basis[np.arange(size), k, j] = 1.0
        weight = self._maximum.point.weight
        design = self._maximum.design_derivatives
        total = np.zeros((p, p))
        for index, part in enumerate(data.group_slices):
            own = slice(index * size, (index + 1) * size)
            inverse = self._inverse[own, own]
            paired = np.einsum("ab,bln->aln", inverse, basis)
            # sum_ab w_ab W V_a W V_b W, a (T, T) matrix for every pattern.
            tensor = np.einsum("ajk,aln->jkln", basis, paired)
            middle = np.einsum("jkln,mkl->mjn", tensor, weight[part])
            if log_cholesky:
                middle = middle - 0.25 * _log_cholesky_curvature(self._maximum.point.covariance[index], inverse)
            around = weight[part] @ middle @ weight[part]
            around = 0.5 * (around + around.swapaxes(1, 2))[:, j, k]
            total += (around.reshape(-1) @ data.products[part].reshape(-1, (p + 1) ** 2)).reshape(p + 1, p + 1)[:p, :p]
        flat = design.reshape(len(design), -1)
        weighted = (self._inverse @ flat).reshape(design.shape)
        total -= np.einsum("aij,ajk->ik", design @ self._inner, weighted)
        return self._inner + 2.0 * self._inner @ (0.5 * (total + total.T)) @ self._inner

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


def _log_cholesky_curvature(covariance: Array, inverse: Array) -> Array:
    """sum_st w_st d2(Sigma)/d(s)d(t) over log-Cholesky parameters, where w is the variance of the entries carried over.

    Sigma = D L L'D with D = diag(exp(t_1), ..., exp(t_T)) and L unit lower triangular.
    """
    n_visits = len(covariance)
    factor = np.linalg.cholesky(covariance)
    scales = np.diagonal(factor)
    below = np.tril_indices(n_visits, -1)
    # Columns of derivatives of the factor: over the logarithm of scale i, its row i; over element (i, j), scale i.
    first = np.zeros((n_visits + len(below[0]), n_visits, n_visits))
    first[np.arange(n_visits), np.arange(n_visits)] = factor
    first[np.arange(n_visits, len(first)), below[0], below[1]] = scales[below[0]]
    j, k = upper_pairs(n_visits)
    moved = first @ factor.T
    jacobian = (moved + moved.swapaxes(1, 2))[:, j, k].T
    solved = np.linalg.solve(jacobian, inverse)
    spread = np.linalg.solve(jacobian, solved.T).T
    # d2(FF') = F_st F' + F F_st' + F_s F_t' + F_t F_s', where F_st is only non-zero for two parameters of one row,
    # one of them the logarithm of its scale; it then equals the derivative over the other.
    second = np.zeros((n_visits, n_visits))
    owner = np.concatenate([np.arange(n_visits), below[0]])
    for s, row in enumerate(owner):
        multiplicity = 1.0 if s < n_visits else 2.0
        second += multiplicity * spread[row, s] * first[s]
    total = second @ factor.T
    total = total + total.T
    cross = np.einsum("st,sij,tkj->ik", spread, first, first, optimize=True)
    return total + cross + cross.T


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
