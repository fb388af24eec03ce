"""The likelihood from cross-products per missingness pattern, where patients share their covariance matrices.

The derivatives are taken over the entries of the covariance matrices, in which the covariance is linear, and carried
to the parameters of the structure by the chain rule. Everything is in units in which the outcome has residual variance
near one and the design orthonormal columns.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .boundary import (
    FEW_PATIENTS,
    SINGULAR,
    SMALLEST_CORRELATION,
    SMALLEST_EIGENVALUE,
    SMALLEST_SMOOTH_EIGENVALUE,
    UNCORRELATED,
)
from .covariance.correlation import SpatialCorrelation
from .covariance.scaled import Scaled
from .covariance.structures import CovarianceStructure, correlation_of, filled, upper_pairs
from .covariance.unstructured import Unstructured
from .cross_products import CrossProducts
from .likelihood import Derivatives, Point

__all__ = ["PatternLikelihood"]

Array = NDArray[np.floating[Any]]

_START_EIGENVALUE = 0.05
_LEAST_INFORMATION = 1e-6


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


class PatternLikelihood:
    """The log-likelihood of patients who share the covariance matrix of their group."""

    def __init__(self, data: CrossProducts, structure: CovarianceStructure, restricted: bool) -> None:
        self.data = data
        self.structure = structure
        self.restricted = restricted
        self.n_visits, self.n_columns = data.n_visits, data.n_columns
        self._pairs = data.observed[:, :, None] & data.observed[:, None, :]
        self._complete = bool(data.observed.all())
        self._identity = np.eye(self.n_visits)
        self._stack = data.products.reshape(-1, (self.n_columns + 1) ** 2)
        self._group_of_pattern = data.group_of_pattern

    def starts(self) -> list[Array]:
        """From mean products of residuals, the likeliest first."""
        candidates = self._starts_near(_moments(self.data))
        if len(candidates) < 2:
            return candidates
        reached = [(point.value, index) for index, one in enumerate(candidates) if (point := self.at(one))]
        return [candidates[index] for _, index in sorted(reached, reverse=True)]

    def last_resort(self) -> Iterator[Array]:
        """From some steps of the EM algorithm."""
        yield from self._starts_near(self._expectation_maximisation(_moments(self.data)))

    @property
    def tries_every_start(self) -> bool:
        """With few patients, where there are several starts."""
        return self.data.n_patients.sum() < FEW_PATIENTS

    def _starts_near(self, moments: Array) -> list[Array]:
        return [np.stack(row) for row in zip(*(self.structure.starts(one) for one in moments), strict=True)]

    def _expectation_maximisation(self, moments: Array, steps: int = 60) -> Array:
        """Unstructured covariances after some steps of the EM algorithm from uncorrelated visits.

        With G the gradient as a symmetric matrix and N the number of patients, a step is Sigma + (2 / N) Sigma G Sigma;
        it keeps Sigma positive definite and the likelihood from falling (Laird & Ware 1982).
        """
        covariance = previous = moments * np.eye(self.n_visits)
        rows, columns = upper_pairs(self.n_visits)
        n_patients = np.array([self.data.n_patients[part].sum() for part in self.data.group_slices])
        free = PatternLikelihood(self.data, Unstructured(self.n_visits), self.restricted)
        for _ in range(steps):
            point = free.at(covariance[:, rows, columns])
            if point is None or not np.isfinite(point.covariance).all():
                return previous
            previous = covariance
            gradient = free.derivatives(point).gradient.reshape(len(covariance), -1)
            symmetric = np.zeros_like(covariance)
            symmetric[:, rows, columns] += 0.5 * gradient
            symmetric[:, columns, rows] += 0.5 * gradient
            covariance = covariance + (2.0 / n_patients)[:, None, None] * (covariance @ symmetric @ covariance)
            covariance = 0.5 * (covariance + covariance.swapaxes(1, 2))
        return covariance

    def at(self, parameters: Array) -> Point | None:
        """The likelihood; None where a covariance is not positive definite."""
        data = self.data
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            entries = np.stack([self.structure.entries(theta) for theta in parameters])
        if not np.isfinite(entries).all():
            return None
        covariance = filled(entries, self.n_visits)
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
        try:
            weight = np.linalg.inv(full)
        except np.linalg.LinAlgError:
            return None
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
        return Point(parameters, value, covariance, weight, inner, coefficients)

    def derivatives(self, point: Point) -> Derivatives:
        """Derivatives over the parameters of the structure."""
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
        q = self.structure.n_parameters
        size = q * n_groups
        gradient = np.empty(size)
        hessian = np.zeros((2, size, size))
        stacked = np.empty((size, (p + 1) ** 2))
        for index, part in enumerate(data.group_slices):
            own = slice(index * q, (index + 1) * q)
            total = gradient_matrix[part].sum(axis=0)
            slopes = 2 * half * total[j, k]
            outer = flat[part].T @ middle[:, part].reshape(2, -1, n_visits * n_visits)
            outer = outer.reshape(2, n_visits, n_visits, n_visits, n_visits)
            # tr(V_a W V_b N) = sum over the orders of a = (j, k) and b = (l, n) of W[k, l] N[n, j].
            block = _symmetrised(outer, j, k) * (half[:, None] * half[None, :])
            lines = mixed[part].swapaxes(0, 1).reshape(n_entries, -1)
            if not self.structure.is_entries:
                theta = point.parameters[index]
                jacobian = self.structure.jacobian(theta)
                block = jacobian @ block @ jacobian.T
                block[0] += self.structure.curvature(theta) @ slopes
                slopes = jacobian @ slopes
                lines = jacobian @ lines
            gradient[own] = slopes
            hessian[:, own, own] = block
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

    def stays_inside(self, candidate: Point, current: Point) -> bool:
        """Whether no variance of a combination of visits shrinks to less than a tenth in one step."""
        try:
            np.linalg.cholesky(candidate.covariance - 0.1 * current.covariance)
        except np.linalg.LinAlgError:
            return False
        return True

    def fault(self, point: Point, information: Array | None) -> str:
        """A covariance singular to working accuracy, correlations of nought over time, variances nobody tells."""
        spread = np.sqrt(np.diagonal(point.covariance, axis1=1, axis2=2))
        correlation = correlation_of(point.covariance)
        spatial = isinstance(self.structure, Scaled) and isinstance(self.structure.correlation, SpatialCorrelation)
        limit = SMALLEST_SMOOTH_EIGENVALUE if spatial else SMALLEST_EIGENVALUE
        if spread.min() < SMALLEST_EIGENVALUE * spread.max() or np.linalg.eigvalsh(correlation)[:, 0].min() < limit:
            return SINGULAR
        rows, columns = np.triu_indices(self.n_visits, 1)
        if spatial and correlation[:, rows, columns].max(axis=1).min() < SMALLEST_CORRELATION:
            return UNCORRELATED
        if information is not None and self.structure.is_entries:
            rows, columns = upper_pairs(self.n_visits)
            units = (spread[:, rows] * spread[:, columns]).ravel()
            if (np.diagonal(information) * units**2).min() < _LEAST_INFORMATION:
                return "The data do not tell every variance of the covariance: the design fits some visit exactly."
        return ""

    def describe(self, point: Point, visits: tuple[str, ...], scale: float) -> list[dict[str, float]]:
        """As the structure does."""
        return [self.structure.describe(theta, visits, scale) for theta in point.parameters]

    def correlation_over(self, distance: Array) -> SpatialCorrelation:
        """The spatial family fitted, over other distances."""
        if isinstance(self.structure, Scaled) and isinstance(self.structure.correlation, SpatialCorrelation):
            return replace(self.structure.correlation, distance=distance)
        raise TypeError(f"{self.structure.name} is not a spatial structure")

    def adjustment(self, point: Point, variance: Array, curvature: bool) -> Array:
        """sum_ab w_ab (Q'W V_a W V_b W Q - R_ab / 4) of the Kenward-Roger variance."""
        data, n_visits, p = self.data, self.n_visits, self.n_columns
        j, k = upper_pairs(n_visits)
        basis = filled(np.eye(j.size), n_visits)
        q = self.structure.n_parameters
        total = np.zeros((p, p))
        for index, part in enumerate(data.group_slices):
            theta = point.parameters[index]
            own = variance[index * q : (index + 1) * q, index * q : (index + 1) * q]
            jacobian = self.structure.jacobian(theta)
            over_entries = jacobian.T @ own @ jacobian
            # sum_ab w_ab W V_a W V_b W, a (T, T) matrix for every pattern.
            tensor = np.einsum("ajk,aln->jkln", basis, np.einsum("ab,bln->aln", over_entries, basis))
            weight = point.weight[part]
            middle = np.einsum("jkln,mkl->mjn", tensor, weight)
            if curvature:
                middle = middle - 0.25 * filled(self.structure.mean_curvature(theta, own), n_visits)
            around = weight @ middle @ weight
            around = 0.5 * (around + around.swapaxes(1, 2))[:, j, k]
            total += (around.reshape(-1) @ data.products[part].reshape(-1, (p + 1) ** 2)).reshape(p + 1, p + 1)[:p, :p]
        return 0.5 * (total + total.T)

    def patient_covariances(self, point: Point) -> Array:
        """The covariance of each patient's group."""
        return point.covariance[self._group_of_pattern[self.data.pattern_of_patient]]


def _symmetrised(outer: Array, j: NDArray[np.intp], k: NDArray[np.intp]) -> Array:
    """Sum of outer[.., k, l, n, j] over the two orders of (j, k) and of (l, n)."""
    jr, kr, lc, nc = j[:, None], k[:, None], j[None, :], k[None, :]
    return outer[:, kr, lc, nc, jr] + outer[:, jr, lc, nc, kr] + outer[:, kr, nc, lc, jr] + outer[:, jr, nc, lc, kr]


def _moments(data: CrossProducts) -> Array:
    """Mean products of least-squares residuals over the patients seen at both visits, made positive definite."""
    start = []
    for part in data.group_slices:
        seen = data.observed[part].astype(np.float64)
        counts = (seen.T * data.n_patients[part]) @ seen
        moments = data.visit_products[part].sum(axis=0) / np.maximum(counts, 1.0)
        variances = np.diagonal(moments)
        floor = 1e-4 * float(variances.max())
        scales = np.sqrt(np.maximum(variances, floor))
        correlation = moments / np.outer(scales, scales)
        np.fill_diagonal(correlation, 1.0)
        smallest = float(np.linalg.eigvalsh(correlation)[0])
        if smallest < _START_EIGENVALUE:
            shrink = (1.0 - _START_EIGENVALUE) / (1.0 - smallest)
            correlation *= shrink
            np.fill_diagonal(correlation, 1.0)
        start.append(correlation * np.outer(scales, scales))
    return np.stack(start)
