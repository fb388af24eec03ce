"""The likelihood of a spatial covariance over times of visits that differ from patient to patient.

No two patients need share a covariance matrix, so sums run over patients, all at once; there are two parameters a
group.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
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
from .covariance.named import spatial_correlation
from .cross_products import CrossProducts
from .likelihood import Derivatives, Point

__all__ = ["PatientLikelihood"]

Array = NDArray[np.floating[Any]]

_N_PARAMETERS = 2


class PatientLikelihood:
    """The log-likelihood where every patient has a covariance matrix of their own.

    The parameters of a group are the logarithms of the standard deviation and of the decay over the typical distance.
    """

    def __init__(self, data: CrossProducts, times: Array, name: str, restricted: bool) -> None:
        self.data = data
        self.restricted = restricted
        self._observed = data.observed
        self._pairs = self._observed[:, :, None] & self._observed[:, None, :]
        self._identity = np.eye(data.n_visits)
        order = np.argsort(data.pattern_of_patient)
        times = times[order]
        counts = np.maximum(self._observed.sum(axis=0), 1)
        middle = np.where(self._observed, times, 0.0).sum(axis=0) / counts
        every = np.where(np.isfinite(times), times, middle)
        whole = np.abs(every[:, :, None] - every[:, None, :])
        distance = np.where(self._pairs, whole, 0.0)
        self._family = spatial_correlation(name, distance)
        self._closest = np.array([distance[part][distance[part] > 0].min() for part in data.group_slices])
        self._spatial = [self.correlation_over(distance[part]) for part in data.group_slices]
        self._typical = self.correlation_over(np.abs(middle[:, None] - middle))
        self._whole = [self.correlation_over(whole[part]) for part in data.group_slices]
        self._design = data.rows[order, :, : data.n_columns]
        self._outcome = data.rows[order, :, data.n_columns]

    def starts(self) -> list[Array]:
        """A grid of ranges with the variance of the least-squares residuals, the likeliest first; before them, with
        several groups, each group's own likeliest range.
        """
        grid = self._family.starts(self._identity)
        candidates = [np.tile(np.append(0.0, one), (len(self._spatial), 1)) for one in grid]
        reached = [(point.value, index) for index, one in enumerate(candidates) if (point := self.at(one))]
        found = [candidates[index] for _, index in sorted(reached, reverse=True)]
        if found and len(self._spatial) > 1:
            found.insert(0, self._own_ranges(found[0], grid))
        return found

    def _own_ranges(self, start: Array, grid: list[Array]) -> Array:
        """The start with each group's range in turn set to the likeliest of the grid."""
        for index in range(len(start)):
            trials = np.tile(start, (len(grid), 1, 1))
            trials[:, index, 1] = np.concatenate(grid)
            values = [-np.inf if (point := self.at(one)) is None else point.value for one in trials]
            start = trials[int(np.argmax(values))]
        return start

    def last_resort(self) -> Iterator[Array]:
        """None."""
        yield from ()

    @property
    def tries_every_start(self) -> bool:
        """With few patients."""
        return len(self._design) < FEW_PATIENTS

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
        try:
            weight = np.linalg.inv(covariance) * self._pairs
        except np.linalg.LinAlgError:
            return None
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

    def stays_inside(self, candidate: Point, current: Point) -> bool:
        """Whether neither the variance nor the range changes more than tenfold in one step."""
        return bool(np.abs(candidate.parameters - current.parameters).max() < math.log(10.0))

    def fault(self, point: Point, information: Array | None) -> str:
        """Correlations of nought or of one, judged at the closest visits and in the patients' own matrices."""
        spread = np.exp(point.parameters[:, 0])
        if spread.min() < SMALLEST_EIGENVALUE * spread.max():
            return SINGULAR
        for theta, spatial, closest in zip(point.parameters, self._spatial, self._closest, strict=True):
            if self.correlation_over(np.array([closest])).values(theta[1:])[0] < SMALLEST_CORRELATION:
                return UNCORRELATED
            # Pairs not seen have distance nought here, and are no correlation of one.
            own = np.where(spatial.distance > 0, spatial.values(theta[1:]), self._identity)
            if np.linalg.eigvalsh(own)[:, 0].min() < SMALLEST_SMOOTH_EIGENVALUE:
                return SINGULAR
        return ""

    def describe(self, point: Point, visits: tuple[str, ...], scale: float) -> list[dict[str, float]]:
        """The standard deviation and the range, or the correlation at distance one."""
        return [
            {"standard deviation": scale * math.exp(theta[0]), **self._family.describe(theta[1:], visits)}
            for theta in point.parameters
        ]

    def correlation_over(self, distance: Array) -> SpatialCorrelation:
        """The spatial family fitted, over other distances."""
        return replace(self._family, distance=distance)

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
                        if a == b == 1:
                            middle = middle + 0.25 * self._family.bend_of_mmrm(point.parameters[index, 1:]) * first[1]
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
