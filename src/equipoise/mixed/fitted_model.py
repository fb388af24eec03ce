"""What a fitted mixed model is: estimates, covariance, inference for any linear combination of the coefficients."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..checks import any_shape, numbers
from ..errors import InputError
from ..estimate import Better, Estimate
from .covariance.named import is_spatial
from .cross_products import CrossProducts
from .f_test import FTest
from .inference import Fixed, Inference, KenwardRoger, Satterthwaite, between_within, infinite, residual
from .optimise import Maximum
from .patient_likelihood import PatientLikelihood
from .sandwich import Sandwich

if TYPE_CHECKING:
    from .individuals import Cells
    from .reference_grid import ReferenceGrid

__all__ = ["DegreesOfFreedom", "FittedModel", "Method", "Variance"]

Array = NDArray[np.floating[Any]]
Method = Literal["reml", "ml"]
DegreesOfFreedom = Literal[
    "satterthwaite", "kenward-roger", "kenward-roger-mmrm", "between-within", "residual", "normal"
]
Variance = Literal["model", "CR0", "CR2", "CR3"]


@dataclass(frozen=True, eq=False, repr=False)
class FittedModel:
    """A fitted mixed model for repeated measures.

    Attributes
    ----------
    names
        Of the coefficients.
    coefficients
        (columns,) generalised least squares estimates, in units of the outcome over units of the column.
    covariance
        (visits, visits) estimated covariance between a patient's visits; (groups, visits, visits) with groups. Of a
        spatial structure with patients' own times: at the mean time of each visit.
    covariance_parameters
        Standard deviations and correlations (or the range, in units of time) of a structure other than unstructured.
    log_likelihood
        Restricted or full, all constants kept (the restricted one without log |X'X|, as R's mmrm).
    aic, aicc, bic
        With the covariance parameters only as penalty; BIC with the logarithm of the number of patients.
    n_patients, n_observations
        Used in the fit; `n_patients_dropped` had no observed visit.
    iterations, gradient_norm
        Of the optimiser; the norm is the distance to the maximum in standard errors of the parameters.
    structure
        Name of the covariance structure fitted, the first of those asked for that could be.
    method, degrees_of_freedom_method, variance
        As asked for.
    """

    names: tuple[str, ...]
    coefficients: Array
    covariance: Array
    log_likelihood: float
    n_patients: int
    n_observations: int
    n_patients_dropped: int
    n_covariance_parameters: int
    iterations: int
    gradient_norm: float
    method: Method
    degrees_of_freedom_method: DegreesOfFreedom
    variance: Variance
    visits: tuple[str, ...]
    structure: str
    covariance_parameters: dict[str, float]
    groups: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    formula: str = ""
    patients: tuple[str, ...] = ()
    _cells: Cells | None = None
    _grid: ReferenceGrid | None = None
    _data: CrossProducts = field(default=None)  # type: ignore[assignment]
    _maximum: Maximum = field(default=None)  # type: ignore[assignment]
    _inference: Inference = field(default=None)  # type: ignore[assignment]

    @classmethod
    def from_maximum(
        cls,
        data: CrossProducts,
        maximum: Maximum,
        *,
        names: tuple[str, ...],
        method: Method,
        degrees_of_freedom_method: DegreesOfFreedom,
        variance: Variance,
        visits: tuple[str, ...],
        structure: str,
        groups: tuple[str, ...],
        notes: tuple[str, ...],
        n_patients_dropped: int,
    ) -> Self:
        """Carry a maximum back from standardised units; raises `FitError` where there is no such inference."""
        point = maximum.point
        scale = data.scale
        coefficients = np.linalg.solve(data.triangle, data.offset + scale * point.coefficients)
        free = data.n_observations
        value = point.value + data.log_jacobian_weights
        if method == "reml":
            free -= data.n_columns
            value -= float(np.log(np.abs(np.diagonal(data.triangle))).sum())
        value -= free * (0.5 * math.log(2 * math.pi) + math.log(scale))
        covariance = point.covariance * scale**2
        return cls(
            names=names,
            coefficients=coefficients,
            covariance=covariance if groups else covariance[0],
            log_likelihood=value,
            n_patients=int(data.kept.sum()),
            n_observations=data.n_observations,
            n_patients_dropped=n_patients_dropped,
            n_covariance_parameters=point.parameters.size,
            iterations=maximum.iterations,
            gradient_norm=maximum.gradient_norm,
            method=method,
            degrees_of_freedom_method=degrees_of_freedom_method,
            variance=variance,
            visits=visits,
            structure=structure,
            covariance_parameters=_described(maximum, visits, groups, scale),
            groups=groups,
            notes=notes,
            patients=tuple(str(i + 1) for i in np.flatnonzero(data.kept)),
            _data=data,
            _maximum=maximum,
            _inference=_inferred(data, maximum, degrees_of_freedom_method, variance),
        )

    @property
    def outcome(self) -> Array:
        """(patients, visits) outcomes of the patients in the fit, NaN where not observed."""
        return self._data.outcome

    @property
    def design(self) -> Array:
        """(patients, visits, columns) design of the patients in the fit, of no meaning where not observed."""
        return self._data.design

    @property
    def observed(self) -> NDArray[np.bool_]:
        """(patients, visits) whether a patient in the fit was observed at a visit."""
        return self._data.observed[self._data.pattern_of_patient]

    @property
    def has_own_times(self) -> bool:
        """Whether a spatial covariance was fitted over times of visits that differ from patient to patient."""
        return isinstance(self._maximum.likelihood, PatientLikelihood)

    @property
    def gradient(self) -> Array:
        """(parameters,) of the log-likelihood over the covariance parameters, in units of their standard errors."""
        return self._maximum.gradient / np.sqrt(np.diagonal(self._maximum.information))

    @cached_property
    def patient_covariances(self) -> Array:
        """(patients, visits, visits): covariance of all visits of each patient in the fit, weights counted."""
        found = self._data.scale**2 * self._maximum.likelihood.patient_covariances(self._maximum.point)
        root = self._data.root_weights
        return found if root is None else found / (root[:, :, None] * root[:, None, :])

    def covariance_at(self, times: ArrayLike) -> Array:
        """Covariance at any times (m,), in the units of the times given: (m, m), or (groups, m, m) with groups.

        For spatial structures only.
        """
        if not is_spatial(self.structure):
            raise InputError("covariance", self.structure, "a spatial structure, which knows other times")
        when = numbers("times", times)
        correlation = self._maximum.likelihood.correlation_over(np.abs(when[:, None] - when))
        found = np.stack(
            [
                (self._data.scale * math.exp(theta[0])) ** 2 * correlation.values(theta[1:])
                for theta in self._maximum.point.parameters
            ]
        )
        return found if self.groups else found[0]

    @property
    def aic(self) -> float:
        """-2 log-likelihood + 2 x covariance parameters."""
        return -2 * self.log_likelihood + 2 * self.n_covariance_parameters

    @property
    def aicc(self) -> float:
        """-2 log-likelihood + 2 k m / (m - k - 1), k covariance parameters (Hurvich & Tsai 1989).

        m is the number of observations less the coefficients, and at least k + 2, as in R mmrm (there also by ML).
        """
        k = self.n_covariance_parameters
        free = self.n_observations - len(self.names)
        free = max(free, k + 2)
        return -2 * self.log_likelihood + 2 * k * free / (free - k - 1)

    @property
    def bic(self) -> float:
        """-2 log-likelihood + log(patients) x covariance parameters."""
        return -2 * self.log_likelihood + math.log(self.n_patients) * self.n_covariance_parameters

    @cached_property
    def covariance_of_coefficients(self) -> Array:
        """(columns, columns) covariance of the coefficients: model-based, Kenward-Roger adjusted, or sandwich."""
        return self._data.unstandardised(self._inference.variance)

    @cached_property
    def standard_errors(self) -> Array:
        """(columns,) standard errors of the coefficients."""
        return np.sqrt(np.diagonal(self.covariance_of_coefficients))

    @cached_property
    def degrees_of_freedom(self) -> Array:
        """(columns,) degrees of freedom of each coefficient."""
        return self.degrees_of(np.eye(len(self.names)))

    def degrees_of(self, contrasts: Array) -> Array:
        """(rows,) degrees of freedom of linear combinations of the coefficients (rows, columns)."""
        return self._inference.degrees(self._rotated(contrasts))

    def standard_errors_of(self, contrasts: Array) -> Array:
        """(rows,) standard errors of linear combinations of the coefficients (rows, columns)."""
        rotated = self._rotated(contrasts)
        return self._data.scale * np.sqrt(np.einsum("rp,pq,rq->r", rotated, self._inference.variance, rotated))

    def _rotated(self, contrasts: Array) -> Array:
        """Contrasts (rows, columns) of the coefficients of the orthonormalised design."""
        return np.linalg.solve(self._data.triangle.T, contrasts.T).T

    @property
    def t_values(self) -> Array:
        """(columns,) coefficients over their standard errors."""
        return self.coefficients / self.standard_errors

    @property
    def p_values(self) -> Array:
        """(columns,) two-sided p-values of the coefficients."""
        from scipy.special import ndtr, stdtr

        tail = -np.abs(self.t_values)
        if self.degrees_of_freedom_method == "normal":
            return 2 * ndtr(tail)
        return 2 * stdtr(self.degrees_of_freedom, tail)

    def _contrasts(self, given: ArrayLike, dimensions: int, field_name: str) -> Array:
        contrasts = any_shape(field_name, given)
        columns = len(self.names)
        if contrasts.ndim != dimensions or contrasts.shape[-1] != columns or contrasts.size == 0:
            wanted = f"{columns} finite numbers" if dimensions == 1 else f"a finite array of shape (rows, {columns})"
            raise InputError(field_name, contrasts.shape, wanted)
        return contrasts

    def estimate(self, contrast: ArrayLike, *, better: Better = "higher", label: str = "") -> Estimate:
        """A linear combination of the coefficients with its standard error and degrees of freedom.

        Parameters
        ----------
        contrast
            (columns,), not all zero.
        better
            Whether a higher or a lower value favours the experimental arm.
        label
            What is estimated, for people.
        """
        vector = self._contrasts(contrast, 1, "contrast")
        if not vector.any():
            raise InputError("contrast", "all zero", "at least one non-zero element")
        row = vector[None]
        return Estimate(
            effect=float(vector @ self.coefficients),
            standard_error=float(self.standard_errors_of(row)[0]),
            degrees_of_freedom=float(self.degrees_of(row)[0]),
            better=better,
            label=label,
        )

    def f_test(self, matrix: ArrayLike) -> FTest:
        """Test that all linear combinations, rows of `matrix` (rows, columns), are zero.

        Rows that depend on the others are left out of the numerator's degrees of freedom. Satterthwaite and sandwich:
        Fai & Cornelius (1996); Kenward-Roger: Kenward & Roger (1997).
        """
        contrasts = self._contrasts(matrix, 2, "matrix")
        rotated = self._rotated(contrasts)
        inference = self._inference
        # Whether rows depend on each other must not depend on their units.
        sizes = np.sqrt(np.einsum("rp,pq,rq->r", rotated, self._maximum.point.inner, rotated))
        scaled = rotated / np.where(sizes > 0, sizes, 1.0)[:, None]
        values, vectors = np.linalg.eigh(scaled @ self._maximum.point.inner @ scaled.T)
        usable = values > 1.5e-8 * max(float(values[-1]), 0.0)
        rank = int(usable.sum()) if values[-1] > 0 else 0
        if rank == 0:
            raise InputError("matrix", "all zero", "at least one non-zero row")
        if rank < len(contrasts):
            rotated = vectors[:, usable].T @ scaled
        effects = self._data.offset / self._data.scale + self._maximum.point.coefficients
        if rank == 1:
            row = rotated[0]
            statistic = float((row @ effects) ** 2 / (row @ inference.variance @ row))
            return FTest(statistic, 1, float(inference.degrees(rotated)[0]))
        statistic, denominator = inference.f_test(rotated, effects)
        return FTest(statistic, rank, denominator)

    def _reference_grid(self) -> ReferenceGrid:
        if self._grid is None:
            raise InputError("fit", "made from arrays", "a fit made from a formula, which knows the factors")
        return self._grid


def _inferred(data: CrossProducts, maximum: Maximum, kind: DegreesOfFreedom, variance: Variance) -> Inference:
    """The variance of the coefficients asked for, with its degrees of freedom."""
    if variance != "model":
        sandwich = Sandwich(data, maximum, variance)
        if kind == "satterthwaite":
            return sandwich
        matrix = sandwich.variance
    elif kind == "satterthwaite":
        return Satterthwaite(maximum)
    elif kind in ("kenward-roger", "kenward-roger-mmrm"):
        return KenwardRoger(maximum, curvature=kind == "kenward-roger-mmrm")
    else:
        matrix = maximum.point.inner
    if kind == "residual":
        return Fixed(matrix, residual(data))
    if kind == "between-within":
        return Fixed(matrix, between_within(data))
    return Fixed(matrix, infinite)


def _described(maximum: Maximum, visits: tuple[str, ...], groups: tuple[str, ...], scale: float) -> dict[str, float]:
    """The covariance parameters by name, of every group."""
    found: dict[str, float] = {}
    for index, named in enumerate(maximum.likelihood.describe(maximum.point, visits, scale)):
        after = f" ({groups[index]})" if groups else ""
        found |= {key + after: value for key, value in named.items()}
    return found
