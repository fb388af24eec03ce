"""What a fitted mixed model says."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError
from ..estimate import Better, Estimate
from .cross_products import CrossProducts
from .inference import Inference, KenwardRoger, Normal, Satterthwaite
from .optimise import Maximum
from .sandwich import Sandwich

if TYPE_CHECKING:
    import polars

    from .means import LeastSquaresMeans, ReferenceGrid

__all__ = ["DegreesOfFreedom", "FTest", "Method", "MixedFit", "Variance"]

Array = NDArray[np.floating[Any]]
Method = Literal["reml", "ml"]
DegreesOfFreedom = Literal["satterthwaite", "kenward-roger", "kenward-roger-log-cholesky", "normal"]
Variance = Literal["model", "CR0", "CR2", "CR3"]


@dataclass(frozen=True)
class FTest:
    """A test that several linear combinations of the coefficients are all zero.

    Attributes
    ----------
    statistic
        F.
    numerator_degrees_of_freedom, denominator_degrees_of_freedom
        Of the F distribution it is referred to; an infinite denominator means chi-square over the numerator.
    """

    statistic: float
    numerator_degrees_of_freedom: int
    denominator_degrees_of_freedom: float

    @property
    def p_value(self) -> float:
        """Probability of a larger F under the hypothesis."""
        from scipy.special import chdtrc, fdtrc

        q = self.numerator_degrees_of_freedom
        if math.isinf(self.denominator_degrees_of_freedom):
            return float(chdtrc(q, q * self.statistic))
        return float(fdtrc(q, self.denominator_degrees_of_freedom, self.statistic))

    def __str__(self) -> str:
        return (
            f"F({self.numerator_degrees_of_freedom}, {self.denominator_degrees_of_freedom:.4g}) = "
            f"{self.statistic:.4g}, p = {self.p_value:.3g}"
        )


@dataclass(frozen=True, repr=False)
class MixedFit:
    """A fitted mixed model for repeated measures.

    Attributes
    ----------
    names
        Of the coefficients.
    coefficients
        (columns,) generalised least squares estimates, in units of the outcome over units of the column.
    covariance
        (visits, visits) estimated covariance between a patient's visits; (groups, visits, visits) with groups.
    log_likelihood
        Restricted or full, all constants kept (the restricted one without log |X'X|, as R's mmrm).
    aic, bic
        With the covariance parameters only as penalty; BIC with the logarithm of the number of patients.
    n_patients, n_observations
        Used in the fit; `n_patients_dropped` had no observed visit.
    iterations, gradient_norm
        Of the optimiser; the norm is the distance to the maximum in standard errors of the parameters.
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
    groups: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    formula: str = ""
    _grid: ReferenceGrid | None = field(default=None, compare=False)
    _data: CrossProducts = field(default=None, compare=False)  # type: ignore[assignment]
    _maximum: Maximum = field(default=None, compare=False)  # type: ignore[assignment]

    @classmethod
    def from_maximum(cls, data: CrossProducts, maximum: Maximum, *, method: Method, **described: Any) -> MixedFit:
        """Carry a maximum back from standardised units."""
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
            coefficients=coefficients,
            covariance=covariance if described.get("groups") else covariance[0],
            log_likelihood=value,
            n_patients=int(data.kept.sum()),
            n_observations=data.n_observations,
            n_covariance_parameters=maximum.parameters.size,
            iterations=maximum.iterations,
            gradient_norm=maximum.gradient_norm,
            method=method,
            _data=data,
            _maximum=maximum,
            **described,
        )

    @cached_property
    def _inference(self) -> Inference:
        kind = self.degrees_of_freedom_method
        if self.variance != "model":
            sandwich = Sandwich(self._data, self._maximum, self.variance)
            return Normal(sandwich.variance) if kind == "normal" else sandwich
        if kind == "normal":
            return Normal(self._maximum.point.inner)
        if kind == "satterthwaite":
            return Satterthwaite(self._maximum)
        return KenwardRoger(self._data, self._maximum, log_cholesky=kind == "kenward-roger-log-cholesky")

    @property
    def aic(self) -> float:
        """-2 log-likelihood + 2 x covariance parameters."""
        return -2 * self.log_likelihood + 2 * self.n_covariance_parameters

    @property
    def bic(self) -> float:
        """-2 log-likelihood + log(patients) x covariance parameters."""
        return -2 * self.log_likelihood + math.log(self.n_patients) * self.n_covariance_parameters

    @cached_property
    def covariance_of_coefficients(self) -> Array:
        """(columns, columns) covariance of the coefficients: model-based, Kenward-Roger adjusted, or sandwich."""
        inverse = np.linalg.inv(self._data.triangle)
        return self._data.scale**2 * (inverse @ self._inference.variance @ inverse.T)

    @cached_property
    def standard_errors(self) -> Array:
        """(columns,) standard errors of the coefficients."""
        return np.sqrt(np.diagonal(self.covariance_of_coefficients))

    @cached_property
    def degrees_of_freedom(self) -> Array:
        """(columns,) degrees of freedom of each coefficient."""
        inverse = np.linalg.inv(self._data.triangle)
        return np.array([self._inference.degrees(row) for row in inverse])

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
        contrasts = np.asarray(given, dtype=np.float64)
        columns = len(self.names)
        if contrasts.ndim != dimensions or contrasts.shape[-1] != columns or not np.isfinite(contrasts).all():
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
        rotated = np.linalg.solve(self._data.triangle.T, vector)
        inference = self._inference
        return Estimate(
            effect=float(vector @ self.coefficients),
            standard_error=self._data.scale * math.sqrt(float(rotated @ inference.variance @ rotated)),
            degrees_of_freedom=inference.degrees(rotated),
            better=better,
            label=label,
        )

    def f_test(self, matrix: ArrayLike) -> FTest:
        """Test that all linear combinations, rows of `matrix` (rows, columns), are zero.

        Rows that depend on the others are left out of the numerator's degrees of freedom. Satterthwaite and sandwich:
        Fai & Cornelius (1996); Kenward-Roger: Kenward & Roger (1997).
        """
        contrasts = self._contrasts(matrix, 2, "matrix")
        rotated = np.linalg.solve(self._data.triangle.T, contrasts.T).T
        inference = self._inference
        values, vectors = np.linalg.eigh(rotated @ inference.variance @ rotated.T)
        usable = values > 1.5e-8 * max(float(values[-1]), 0.0)
        rank = int(usable.sum()) if values[-1] > 0 else 0
        if rank == 0:
            raise InputError("matrix", "all zero", "at least one non-zero row")
        if rank < len(contrasts):
            rotated = vectors[:, usable].T @ rotated
        effects = self._data.offset / self._data.scale + self._maximum.point.coefficients
        if rank == 1:
            row = rotated[0]
            statistic = float((row @ effects) ** 2 / (row @ inference.variance @ row))
            return FTest(statistic, 1, inference.degrees(row))
        statistic, denominator = inference.f_test(rotated, effects)
        return FTest(statistic, rank, denominator)

    def _reference_grid(self) -> ReferenceGrid:
        if self._grid is None:
            raise InputError("fit", "made from arrays", "a fit made from a formula, which knows the factors")
        return self._grid

    def ls_means(
        self, factor: str, *, by: str | None = None, at: Mapping[str, object] | None = None, level: float = 0.95
    ) -> LeastSquaresMeans:
        """Least squares means of a factor, within each level of another, as R's emmeans.

        Parameters
        ----------
        factor, by
            Factors of the formula. All other factors weigh equally, covariates are at their mean over the rows used.
        at
            Levels or covariate values to use instead, e.g. {"baseline": 40}.
        level
            Of the confidence intervals.
        """
        from .means import LeastSquaresMean, LeastSquaresMeans

        grid = self._reference_grid()
        rows = []
        for cell in grid.cells((factor,) if by is None else (factor, by)):
            label = ", ".join(cell.values())
            estimate = self.estimate(grid.contrast({**(at or {}), **cell}), label=label)
            rows.append(LeastSquaresMean(cell, estimate, estimate.interval(level)))
        return LeastSquaresMeans(tuple(rows))

    def contrast(
        self,
        levels: Mapping[str, tuple[object, object]],
        *,
        at: Mapping[str, object] | None = None,
        better: Better = "higher",
        label: str | None = None,
    ) -> Estimate:
        """Difference of two least squares means, first level minus second.

        Parameters
        ----------
        levels
            One factor with two of its levels, e.g. {"arm": ("ketamine", "midazolam")}.
        at
            Levels of other factors, values of covariates, e.g. {"visit": "week2"}; what is not named is averaged.
        better
            Whether a higher or a lower value favours the first level.
        label
            For people; by default the levels compared.
        """
        grid = self._reference_grid()
        if len(levels) != 1:
            raise InputError("levels", dict(levels), "one factor with two levels")
        ((factor, pair),) = levels.items()
        if isinstance(pair, str) or len(pair) != 2:
            raise InputError(f"levels[{factor!r}]", pair, "two levels, first minus second")
        first, second = (grid.level(factor, one, "levels") for one in pair)
        fixed = dict(at or {})
        if factor in fixed:
            raise InputError("at", fixed, f"factors other than {factor!r}")
        difference = grid.contrast({**fixed, factor: first}) - grid.contrast({**fixed, factor: second})
        if label is None:
            label = f"{first} - {second}" + "".join(f", {name} {value}" for name, value in fixed.items())
        return self.estimate(difference, better=better, label=label)

    def to_frame(self) -> polars.DataFrame:
        """The coefficients as a polars data frame, one row each."""
        import polars

        return polars.DataFrame(
            {
                "coefficient": list(self.names),
                "estimate": self.coefficients,
                "standard_error": self.standard_errors,
                "degrees_of_freedom": self.degrees_of_freedom,
                "t": self.t_values,
                "p_value": self.p_values,
            }
        )

    def __str__(self) -> str:
        from .summary import summarise

        return summarise(self)

    __repr__ = __str__
