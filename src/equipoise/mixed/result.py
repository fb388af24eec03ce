"""What a fitted mixed model says."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError
from ..estimate import Better, Estimate
from .cross_products import CrossProducts
from .inference import Fixed, Inference, KenwardRoger, Satterthwaite, between_within, infinite, residual
from .named_structures import is_spatial, spatial_correlation, structure
from .optimise import Maximum
from .sandwich import Sandwich

if TYPE_CHECKING:
    import polars
    from matplotlib.figure import Figure

    from .contrasts import Comparisons
    from .means import LeastSquaresMeans
    from .multiplicity import Adjustment
    from .reference_grid import CellWeights, ReferenceGrid
    from .term_tests import TermTests

__all__ = ["DegreesOfFreedom", "FTest", "Method", "MixedFit", "Variance"]

Array = NDArray[np.floating[Any]]
Method = Literal["reml", "ml"]
DegreesOfFreedom = Literal[
    "satterthwaite", "kenward-roger", "kenward-roger-mmrm", "between-within", "residual", "normal"
]
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
    _grid: ReferenceGrid | None = field(default=None, compare=False)
    _data: CrossProducts = field(default=None, compare=False)  # type: ignore[assignment]
    _maximum: Maximum = field(default=None, compare=False)  # type: ignore[assignment]

    @classmethod
    def from_maximum(cls, data: CrossProducts, maximum: Maximum, *, method: Method, **described: Any) -> MixedFit:
        """Carry a maximum back from standardised units."""
        point = maximum.point
        scale = data.scale
        groups = described.get("groups", ())
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
            covariance=covariance if groups else covariance[0],
            covariance_parameters=_described(maximum, described["structure"], described["visits"], groups, scale),
            log_likelihood=value,
            n_patients=int(data.kept.sum()),
            n_observations=data.n_observations,
            n_covariance_parameters=point.parameters.size,
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
            if kind == "satterthwaite":
                return sandwich
            variance = sandwich.variance
        elif kind == "satterthwaite":
            return Satterthwaite(self._maximum)
        elif kind.startswith("kenward-roger"):
            return KenwardRoger(self._maximum, curvature=kind == "kenward-roger-mmrm")
        else:
            variance = self._maximum.point.inner
        if kind == "residual":
            return Fixed(variance, residual(self._data))
        if kind == "between-within":
            return Fixed(variance, between_within(self._data))
        return Fixed(variance, infinite)

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
        when = np.asarray(times, dtype=np.float64)
        if when.ndim != 1 or not np.isfinite(when).all():
            raise InputError("times", when.shape, "finite numbers in one row")
        correlation = spatial_correlation(self.structure, np.abs(when[:, None] - when))
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
        self,
        factors: str | Sequence[str],
        *,
        by: str | Sequence[str] | None = None,
        at: Mapping[str, object] | None = None,
        weights: CellWeights = "equal",
        level: float = 0.95,
    ) -> LeastSquaresMeans:
        """Least squares means of the cells of some factors, as R's emmeans.

        A cell that the data cannot tell, such as an arm never seen at a visit, is listed as not estimable.

        Parameters
        ----------
        factors, by
            One factor of the formula or several, those of `by` changing slowest. What is named in neither is averaged.
        at
            Levels to use instead of all of a factor's, one or a list, e.g. {"visit": ["week4", "week8"]}, and values of
            covariates instead of their mean over the rows used, e.g. {"baseline": 40}.
        weights
            How other factors are averaged: "equal" over their levels, or "proportional" to how often the combinations
            of their levels occur in the rows used (at the levels of `at`), the same in every cell. Searle, Speed &
            Milliken (1980), American Statistician 34, 216-221.
        level
            Of the confidence intervals.
        """
        from .means import least_squares_means

        return least_squares_means(self, factors, by, at, weights, level)

    def contrast(
        self,
        levels: Mapping[str, tuple[object, object]],
        *,
        at: Mapping[str, object] | None = None,
        weights: CellWeights = "equal",
        better: Better = "higher",
        label: str | None = None,
    ) -> Estimate:
        """Difference of two least squares means, first level minus second.

        Parameters
        ----------
        levels
            One factor with two of its levels, e.g. {"arm": ("ketamine", "midazolam")}.
        at
            Levels of other factors, one or a list over which is averaged, and values of covariates, e.g.
            {"visit": "week2"} or {"visit": ["week4", "week8"]}; what is not named is averaged.
        weights
            How other factors are averaged, as for `ls_means`.
        better
            Whether a higher or a lower value favours the first level.
        label
            For people; by default the levels compared.
        """
        from .contrasts import difference

        return difference(self, levels, at, weights, better, label)

    def pairwise(
        self,
        factor: str,
        *,
        by: str | Sequence[str] | None = None,
        at: Mapping[str, object] | None = None,
        weights: CellWeights = "equal",
        adjust: Adjustment | None = None,
        direction: Literal["later - earlier", "earlier - later"] = "later - earlier",
        level: float = 0.95,
        better: Better = "higher",
    ) -> Comparisons:
        """All differences between the least squares means of a factor's levels.

        Parameters
        ----------
        factor, by
            The factor, compared within each combination of the levels of other factors.
        at, weights
            As for `ls_means`.
        adjust
            P-values and intervals that hold for all comparisons at the same levels of `by` together: "bonferroni",
            "holm" (with Bonferroni's intervals) or "tukey"; None for none. The estimates stay as they are.
        direction
            By default a later level of the factor minus an earlier one, experimental minus reference (emmeans'
            "revpairwise"); "earlier - later" is emmeans' "pairwise".
        level
            Of the confidence intervals.
        better
            Whether a higher or a lower difference is good.
        """
        from .contrasts import all_pairs

        return all_pairs(self, factor, by, at, weights, adjust, direction, level, better)

    def versus_control(
        self,
        factor: str,
        *,
        control: object | None = None,
        by: str | Sequence[str] | None = None,
        at: Mapping[str, object] | None = None,
        weights: CellWeights = "equal",
        adjust: Literal["bonferroni", "holm"] | None = None,
        level: float = 0.95,
        better: Better = "higher",
    ) -> Comparisons:
        """Every other level of a factor minus the control (its first level unless named); else as `pairwise`."""
        from .contrasts import versus_control

        return versus_control(self, factor, control, by, at, weights, adjust, level, better)

    def slope(
        self,
        covariate: str,
        *,
        at: Mapping[str, object] | None = None,
        weights: CellWeights = "equal",
        better: Better = "higher",
        label: str | None = None,
    ) -> Estimate:
        """Change of the mean when a covariate is higher by 1.

        Parameters
        ----------
        covariate
            Variable of the formula. Where the formula transforms it, the change is that from its mean over the rows
            used, or from its value in `at`, to 1 more.
        at
            Levels of factors, one or a list, and values of covariates, e.g. {"visit": "week8"}; other factors are
            averaged.
        weights, better, label
            As for `contrast`.
        """
        from .contrasts import slope

        return slope(self, covariate, at, weights, better, label)

    def anova(self, type: Literal[2, 3] = 3) -> TermTests:
        """F test of each term of the formula.

        Parameters
        ----------
        type
            3: the effects of a factor, or an interaction, of means averaged with equal weights over the factors it
            interacts with, whatever the contrasts and the reference level. 2: what a term adds to all terms that do not
            contain it, by the cross-products of the design, its factors thus averaged about as often as they occur.
            As SAS and R's mmrm a term counts as containing another only where both have the same covariates: with
            baseline * arm the test of arm is of the arms at baseline 0, so centre a covariate before, where that is
            not meant.

        Of terms that the data can tell only in part (empty cells) that part is tested. Goodnight (1980), Tests of
        hypotheses in fixed effects linear models, Communications in Statistics A9, 167-180. A constant counts as
        contained in every factor even where the formula has no intercept.
        """
        from .term_tests import each_term

        return each_term(self, type)

    def test_terms(self, *terms: str) -> FTest:
        """Joint test of one or several terms of the formula, e.g. "arm:visit", or "arm" and "arm:visit" (no effect at
        any visit), with the hypotheses of type III."""
        from .term_tests import terms_together

        return terms_together(self, terms)

    def plot(
        self,
        factor: str | None = None,
        *,
        by: str | None = None,
        kind: Literal["means", "difference"] = "means",
        control: object | None = None,
        times: Mapping[Any, float] | None = None,
        at: Mapping[str, object] | None = None,
        weights: CellWeights = "equal",
        level: float = 0.95,
        outcome: str | None = None,
        time: str | None = None,
        title: str | None = None,
    ) -> Figure:
        """Least squares means by arm and visit with their intervals, or differences from the control.

        Parameters
        ----------
        factor, by
            The factor drawn as lines and the one along the axis; by default the visit, and the factor that interacts
            with it.
        kind
            "means", or "difference" of every other level from the control with a line at zero.
        control
            The level compared with; by default the first.
        times
            Time of each visit, so that the axis is in proportion, e.g. {"week1": 7, "week2": 14}; numbers as labels of
            all visits are taken as times.
        at, weights, level
            As for `ls_means`.
        outcome, time, title
            Labels; by default the formula's outcome, the name of `by`, and what is shown.
        """
        from .plot_means import means_figure

        return means_figure(
            self,
            factor,
            by=by,
            kind=kind,
            control=control,
            times=times,
            at=at,
            weights=weights,
            level=level,
            outcome=outcome,
            time=time,
            title=title,
        )

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

    def _repr_html_(self) -> str:
        from .summary import summarise_html

        return summarise_html(self)


def _described(
    maximum: Maximum, name: str, visits: tuple[str, ...], groups: tuple[str, ...], scale: float
) -> dict[str, float]:
    """The covariance parameters by name, of every group."""
    found: dict[str, float] = {}
    # Their description does not depend on the times.
    chosen = structure(name, len(visits), np.arange(float(len(visits))))
    for index, theta in enumerate(maximum.point.parameters):
        after = f" ({groups[index]})" if groups else ""
        found |= {key + after: value for key, value in chosen.describe(theta, visits, scale).items()}
    return found
