"""The likelihood of a spatial covariance over times of visits that differ from patient to patient.

No two patients need share a covariance matrix, so sums run over patients, all at once; there are two parameters a
group.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .correlation import SpatialCorrelation
from .cross_products import CrossProducts
from .likelihood import Derivatives, Point
from .named_structures import spatial_correlation

__all__ = ["PatientLikelihood"]

Array = NDArray[np.floating[Any]]

_N_PARAMETERS = 2


class PatientLikelihood:
    """The log-likelihood where every patient has a covariance matrix of their own.

    The parameters of a group are the logarithm of the standard deviation and the logit of the correlation at distance
    one.
    """

    def __init__(self, data: CrossProducts, times: Array, name: str, restricted: bool) -> None:
        self.data = data
        self.restricted = restricted
        self._group = data.group_of_pattern
        self._observed = data.observed
        self._pairs = self._observed[:, :, None] & self._observed[:, None, :]
        self._identity = np.eye(data.n_visits)
        order = np.argsort(data.pattern_of_patient)
        times = times[order]
        filled_in = np.where(self._observed, times, 0.0)
        distance = np.where(self._pairs, np.abs(filled_in[:, :, None] - filled_in[:, None, :]), 0.0)
        self._spatial = [spatial_correlation(name, distance[part]) for part in data.group_slices]
        counts = np.maximum(self._observed.sum(axis=0), 1)
        middle = filled_in.sum(axis=0) / counts
        self._typical: SpatialCorrelation = spatial_correlation(name, np.abs(middle[:, None] - middle))
        every = np.where(np.isfinite(times), times, middle)
        self._whole = [
            spatial_correlation(name, np.abs(one[:, :, None] - one[:, None, :]))
            for one in (every[part] for part in data.group_slices)
        ]
        self._design = data.rows[order, :, : data.n_columns]
        self._outcome = data.rows[order, :, data.n_columns]

    def starts(self) -> Iterator[Array]:
        """A grid of ranges with the variance of the least-squares residuals, the likeliest first."""
        candidates = [
            np.tile(np.append(0.0, one), (len(self._spatial), 1)) for one in self._spatial[0].starts(self._identity)
        ]
        reached = [(point.value, index) for index, one in enumerate(candidates) if (point := self.at(one))]
        for _, index in sorted(reached, reverse=True):
            yield candidates[index]

    def at(self, parameters: Array) -> Point | None:
        """The likelihood; None where a covariance is not positive definite."""
        if not np.isfinite(parameters).all() or np.abs(parameters[:, 0]).max() > 300:
            return None
        covariance = np.concatenate(
            [
                math.exp(2.0 * theta[0]) * spatial.values(theta[1:])
                for theta, spatial in zip(parameters, self._spatial, strict=True)
            ]
        )
        covariance = np.where(self._pairs, covariance, self._identity)
        try:
            root = np.linalg.cholesky(covariance)
        except np.linalg.LinAlgError:
            return None
        weight = np.linalg.inv(covariance) * self._pairs
        weight = 0.5 * (weight + weight.swapaxes(1, 2))
        weighted = weight @ self._design
        normal = np.einsum("ijp,ijq->pq", self._design, weighted, optimize=True)
        try:
            normal_root = np.linalg.cholesky(normal)
        except np.linalg.LinAlgError:
            return None
        inverse_root = np.linalg.inv(normal_root)
        inner = inverse_root.T @ inverse_root
        coefficients = inner @ np.einsum("ijp,ij->p", weighted, self._outcome, optimize=True)
        residual = self._outcome - self._design @ coefficients
        quadratic = float(np.einsum("ij,ijk,ik->", residual, weight, residual, optimize=True))
        value = -float(np.log(np.diagonal(root, axis1=1, axis2=2)).sum()) - 0.5 * quadratic
        if self.restricted:
            value -= float(np.log(np.diagonal(normal_root)).sum())
        if not math.isfinite(value):
            return None
        typical = np.stack([math.exp(2.0 * theta[0]) * self._typical.values(theta[1:]) for theta in parameters])
        return Point(parameters, value, typical, weight, inner, coefficients)

    def _moving(self, point: Point, index: int) -> tuple[list[Array], dict[tuple[int, int], Array]]:
        """First and second derivatives of the covariances of one group's patients."""
        part, theta = self.data.group_slices[index], point.parameters[index]
        spatial, seen = self._spatial[index], self._pairs[part]
        variance = math.exp(2.0 * theta[0])
        level = variance * spatial.values(theta[1:]) * seen
        slope = variance * spatial.first(theta[1:])[0] * seen
        bend = variance * spatial.second(theta[1:])[0, 0] * seen
        return [2.0 * level, slope], {(0, 0): 4.0 * level, (0, 1): 2.0 * slope, (1, 0): 2.0 * slope, (1, 1): bend}

    def derivatives(self, point: Point) -> Derivatives:
        """Derivatives over the parameters."""
        data, p = self.data, self.data.n_columns
        size = _N_PARAMETERS * len(self._spatial)
        gradient = np.empty(size)
        observed, expected = np.zeros((size, size)), np.zeros((size, size))
        design_derivatives = np.empty((size, p, p))
        scores = np.empty((size, p))
        for index, part in enumerate(data.group_slices):
            weight, design = point.weight[part], self._design[part]
            carried = weight @ design
            pull = np.einsum("ijk,ik->ij", weight, self._outcome[part] - design @ point.coefficients)
            first, second = self._moving(point, index)
            moved = [v @ carried for v in first]
            pushed = [np.einsum("ijk,ik->ij", v, pull) for v in first]
            hat = self._hat(carried, point)
            for a in range(_N_PARAMETERS):
                at = index * _N_PARAMETERS + a
                design_derivatives[at] = np.einsum("ijp,ijq->pq", carried, moved[a], optimize=True)
                scores[at] = np.einsum("ijp,ij->p", carried, pushed[a], optimize=True)
                gradient[at] = -0.5 * ((weight - hat) * first[a]).sum() + 0.5 * (pull * pushed[a]).sum()
                for b in range(a + 1):
                    other = index * _N_PARAMETERS + b
                    through = first[a] @ weight @ first[b]
                    traced = 0.5 * ((weight - 2.0 * hat) * through).sum()
                    squared = np.einsum("ij,ijk,ik->", pushed[a], weight, pushed[b], optimize=True)
                    curved = 0.5 * ((weight - hat) * second[a, b]).sum()
                    curved -= 0.5 * np.einsum("ij,ijk,ik->", pull, second[a, b], pull, optimize=True)
                    expected[at, other] = expected[other, at] = traced
                    observed[at, other] = observed[other, at] = -traced + squared + curved
        if self.restricted:
            turned = design_derivatives @ point.inner
            cross = 0.5 * turned.reshape(size, -1) @ turned.swapaxes(1, 2).reshape(size, -1).T
            expected += cross
            observed -= cross
        observed -= scores @ point.inner @ scores.T
        return Derivatives(gradient, observed, expected, design_derivatives)

    def _hat(self, carried: Array, point: Point) -> Array:
        """W_i X_i C X_i' W_i of each patient, which only the restricted likelihood subtracts from W_i."""
        if not self.restricted:
            return np.zeros(())
        return carried @ point.inner @ carried.swapaxes(1, 2)

    def units(self, point: Point) -> Array:
        """One: both parameters are logarithms."""
        return np.ones(point.parameters.size)

    def adjustment(self, point: Point, variance: Array, curvature: bool) -> Array:
        """sum_ab w_ab (Q'W V_a W V_b W Q - R_ab / 4) of the Kenward-Roger variance."""
        p = self.data.n_columns
        total = np.zeros((p, p))
        for index, part in enumerate(self.data.group_slices):
            weight = point.weight[part]
            carried = weight @ self._design[part]
            first, second = self._moving(point, index)
            for a in range(_N_PARAMETERS):
                for b in range(_N_PARAMETERS):
                    middle = first[a] @ weight @ first[b]
                    if curvature:
                        middle = middle - 0.25 * second[a, b]
                    share = variance[index * _N_PARAMETERS + a, index * _N_PARAMETERS + b]
                    total += share * np.einsum("ijp,ijk,ikq->pq", carried, middle, carried, optimize=True)
        return 0.5 * (total + total.T)

    def patient_covariances(self, point: Point) -> Array:
        """At the times of each patient; a visit without a time has the mean time of the visit."""
        by_pattern = np.concatenate(
            [
                math.exp(2.0 * theta[0]) * spatial.values(theta[1:])
                for theta, spatial in zip(point.parameters, self._whole, strict=True)
            ]
        )
        return by_pattern[self.data.pattern_of_patient]
