"""Restricted and full log-likelihood of the mixed model with its first and second derivatives.

With W the inverse of the covariance V(sigma) of all observations, C = (X'WX)^-1, P = W - WXCX'W, r = y - Xb and V_a the
derivative of V with respect to the a-th entry of the covariance matrix, the restricted log-likelihood l has

    dl/da     = -1/2 tr(P V_a) + 1/2 r'W V_a W r
    d2l/da db =  1/2 tr(P V_a P V_b) - y'P V_a P V_b P y          (V is linear in its entries)
    E -d2l    =  1/2 tr(P V_a P V_b)

(Lindstrom & Bates 1988, section 3; Gilmour, Thompson & Cullis 1995). The full likelihood, profiled over b, has W in
place of P wherever P stands in a trace. Everything is computed from cross-products per missingness pattern, in units
in which the outcome has residual variance near one and the design orthonormal columns.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .cross_products import CrossProducts
from .structures import upper_pairs

__all__ = ["Derivatives", "Likelihood", "Point"]

Array = NDArray[np.floating[Any]]


@lru_cache(maxsize=64)
def _indices(n_visits: int):
    """Index arrays that gather symmetrised products for pairs of entries a = (j, k), b = (l, n)."""
    j, k = upper_pairs(n_visits)
    half = np.where(j == k, 0.5, 1.0)
    jl = j[:, None] * n_visits + j[None, :]
    kn = k[:, None] * n_visits + k[None, :]
    jn = j[:, None] * n_visits + k[None, :]
    kl = k[:, None] * n_visits + j[None, :]
    flat = j * n_visits + k
    return j, k, half, jl, kn, jn, kl, flat


@dataclass(frozen=True)
class Point:
    """The likelihood at one covariance, in standardised units.

    Attributes
    ----------
    value
        Log-likelihood without the constants of the units.
    weight
        (patterns, T, T) inverse covariance of the observed visits, zero elsewhere.
    inner
        C = (Q'WQ)^-1.
    coefficients
        Generalised least squares coefficients.
    """

    value: float
    covariance: Array
    weight: Array
    inner: Array
    coefficients: Array


@dataclass(frozen=True)
class Derivatives:
    """First and second derivatives over the entries of the covariance, group after group.

    Attributes
    ----------
    gradient
        (entries,).
    observed_information, expected_information
        (entries, entries): minus the Hessian, and its expectation.
    design_derivatives
        (entries, p, p): F_a = Q'W V_a W Q.
    """

    gradient: Array
    observed_information: Array
    expected_information: Array
    design_derivatives: Array


class Likelihood:
    """The log-likelihood of one data set as a function of the covariance matrices, one per group."""

    def __init__(self, data: CrossProducts, restricted: bool) -> None:
        self.data = data
        self.restricted = restricted
        self.n_visits, self.n_columns = data.n_visits, data.n_columns
        self._pairs = data.observed[:, :, None] & data.observed[:, None, :]
        self._complete = bool(data.observed.all())
        self._identity = np.eye(self.n_visits)
        n_patterns = data.observed.shape[0]
        self._stack = data.products.reshape(-1, (self.n_columns + 1) ** 2)
        self._group_of_pattern = np.empty(n_patterns, dtype=np.intp)
        for index, part in enumerate(data.group_slices):
            self._group_of_pattern[part] = index

    def at(self, covariance: Array) -> Point | None:
        """The likelihood at covariances (groups, T, T); None where one is not positive definite."""
        data = self.data
        try:
            np.linalg.cholesky(covariance)
        except np.linalg.LinAlgError:
            return None
        full = covariance[self._group_of_pattern]
        if not self._complete:
            full = np.where(self._pairs, full, self._identity)
        sign, log_determinant = np.linalg.slogdet(full)
        if not (sign > 0).all():
            return None
        weight = np.linalg.inv(full)
        if not self._complete:
            weight *= self._pairs
        weight = 0.5 * (weight + weight.swapaxes(1, 2))
        p = self.n_columns
        *_, flat = _indices(self.n_visits)
        upper = weight.reshape(weight.shape[0], -1)[:, flat]
        normal = (upper.reshape(-1) @ self._stack).reshape(p + 1, p + 1)
        try:
            root = np.linalg.cholesky(normal[:p, :p])
        except np.linalg.LinAlgError:
            return None
        inverse_root = np.linalg.inv(root)
        inner = inverse_root.T @ inverse_root
        coefficients = inner @ normal[:p, p]
        quadratic = normal[p, p] - normal[p, :p] @ coefficients
        value = -0.5 * (float(data.n_patients @ log_determinant) + float(quadratic))
        if self.restricted:
            value -= float(np.log(np.diagonal(root)).sum())
        if not math.isfinite(value):
            return None
        return Point(value, covariance, weight, inner, coefficients)

    def derivatives(self, point: Point) -> Derivatives:
        """Derivatives over the upper triangles of the covariances."""
        data, p, n_visits = self.data, self.n_columns, self.n_visits
        j, k, half, jl, kn, jn, kl, _ = _indices(n_visits)
        n_entries = j.size
        n_patterns = data.observed.shape[0]
        weight = point.weight

        signed = np.append(-point.coefficients, 1.0)
        directions = np.zeros((2, p + 1, p + 1))
        np.outer(signed, signed, out=directions[0])
        if self.restricted:
            directions[1, :p, :p] = point.inner
        contracted = (self._stack @ directions.reshape(2, -1).T).reshape(n_patterns, n_entries, 2)
        contracted = contracted * np.where(j == k, 1.0, 0.5)[:, None]
        moments = np.empty((2, n_patterns, n_visits, n_visits))
        moments[:, :, j, k] = np.moveaxis(contracted, 2, 0)
        moments[:, :, k, j] = moments[:, :, j, k]
        squared, traced = weight @ moments @ weight
        counted = data.n_patients[:, None, None] * weight

        gradient_matrix = -0.5 * (counted - traced - squared)
        middle = np.stack([0.5 * counted - traced - squared, 0.5 * counted - traced])

        flat = weight.reshape(n_patterns, -1)
        # mixed[m, a, c]: the derivative of a quadratic form in the inverse covariance along entry a, at pair c.
        mixed = flat[:, jl] * flat[:, kn] + flat[:, jn] * flat[:, kl]
        mixed *= half[:, None]
        n_groups = len(data.group_slices)
        size = n_entries * n_groups
        gradient = np.empty(size)
        hessian = np.zeros((2, size, size))
        stacked = np.empty((size, (p + 1) ** 2))
        for index, part in enumerate(data.group_slices):
            own = slice(index * n_entries, (index + 1) * n_entries)
            total = gradient_matrix[part].sum(axis=0)
            gradient[own] = 2 * half * total[j, k]
            outer = flat[part].T @ middle[:, part].reshape(2, -1, n_visits * n_visits)
            outer = outer.reshape(2, n_visits, n_visits, n_visits, n_visits)
            # tr(V_a W V_b N) = sum over the orders of a = (j, k) and b = (l, n) of W[k, l] N[n, j].
            block = _symmetrised(outer, j, k)
            hessian[:, own, own] = block * (half[:, None] * half[None, :])
            lines = mixed[part].swapaxes(0, 1).reshape(n_entries, -1)
            stacked[own] = lines @ data.products[part].reshape(-1, (p + 1) ** 2)

        stacked = stacked.reshape(size, p + 1, p + 1)
        design = stacked[:, :p, :p]
        scores = stacked[:, :p, p] - design @ point.coefficients
        if self.restricted:
            carried = design @ point.inner
            cross = 0.5 * carried.reshape(size, -1) @ carried.swapaxes(1, 2).reshape(size, -1).T
            hessian += cross
        hessian[0] += scores @ point.inner @ scores.T
        hessian = 0.5 * (hessian + hessian.swapaxes(1, 2))
        return Derivatives(gradient, -hessian[0], hessian[1], design)


def _symmetrised(outer: Array, j: NDArray[np.intp], k: NDArray[np.intp]) -> Array:
    """Sum of outer[.., k, l, n, j] over the two orders of (j, k) and of (l, n)."""
    jr, kr, lc, nc = j[:, None], k[:, None], j[None, :], k[None, :]
    return outer[:, kr, lc, nc, jr] + outer[:, jr, lc, nc, kr] + outer[:, kr, nc, lc, jr] + outer[:, jr, nc, lc, kr]
