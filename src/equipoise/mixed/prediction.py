"""Fitted means and predictions, at the visits of the fit or at the rows of new data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..checks import flag, number
from ..errors import InputError
from .conditional import ConditionalDistribution, condition
from .covariance_uncertainty import covariance_uncertainty
from .individuals import design_at_every_visit
from .new_data import NewRows, read_new_rows
from .tables import aligned, decimals_for, format_degrees, html_table, intervals, table

if TYPE_CHECKING:
    import polars

    from .result import MixedFit

__all__ = ["IntervalKind", "Predictions", "predict"]

Array = NDArray[np.floating[Any]]
IntervalKind = Literal["confidence", "prediction"]

_PRINTED = 20
_BLOCK = 1024
_FROM_THE_COVARIANCE = ("satterthwaite", "kenward-roger")


@dataclass(frozen=True, repr=False)
class Predictions:
    """Means of the model, or of each patient's missing visits given the observed ones.

    All arrays are (patients kept, visits) of the fit, or (rows,) of new data, in units of the outcome; NaN at visits
    of the fit whose covariates are not known.

    Attributes
    ----------
    mean
        X b; of conditional predictions the outcome itself where it was observed, elsewhere its conditional mean.
    standard_error
        Of the mean as an estimate; zero where the outcome was observed and is its own prediction.
    prediction_error
        Standard deviation of a new outcome around the mean, that of the coefficients included and the covariance
        taken as known; None where not asked for.
    covariance_error
        What the estimation of the covariance adds to the error of a conditional prediction, as a standard deviation
        to be added in squares; the limits of prediction intervals count it. None where not asked for.
    degrees_of_freedom
        Of the mean's contrast of the coefficients, by the fit's method; of a conditional prediction interval, those of
        the variance of the prediction error (Satterthwaite). Infinite where there is nothing to estimate.
    lower, upper
        Limits of the interval, None without one.
    interval, level
        "confidence" for the mean, "prediction" for a new outcome, or None; and its level.
    conditional
        Whether the means are given the patient's own observed visits.
    labels
        Columns that say where each value belongs: patient and visit, or the row of the new data.
    """

    mean: Array
    standard_error: Array
    prediction_error: Array | None
    covariance_error: Array | None
    degrees_of_freedom: Array
    lower: Array | None
    upper: Array | None
    interval: IntervalKind | None
    level: float
    conditional: bool
    labels: dict[str, list[Any]]

    def to_frame(self) -> polars.DataFrame:
        """A polars data frame, one row a value; visits of the fit whose covariates are not known are left out."""
        import polars

        columns: dict[str, Any] = {"mean": self.mean, "standard_error": self.standard_error}
        if self.prediction_error is not None:
            columns["prediction_error"] = self.prediction_error
        if self.covariance_error is not None:
            columns["covariance_error"] = self.covariance_error
        columns["degrees_of_freedom"] = self.degrees_of_freedom
        if self.lower is not None and self.upper is not None:
            columns |= {"lower": self.lower, "upper": self.upper}
        known = ~np.isnan(self.mean.reshape(-1))
        labelled = {name: [v for v, k in zip(values, known, strict=True) if k] for name, values in self.labels.items()}
        return polars.DataFrame(
            {**labelled, **{name: np.ravel(values)[known] for name, values in columns.items()}}, strict=False
        )

    def _table(self) -> tuple[list[str], list[list[str]], int]:
        """Headings, the first lines, and how many there are besides."""
        heads = [*self.labels, "mean", "standard error", "df"]
        if self.interval is not None:
            heads.append(f"{100 * self.level:g} % {self.interval} interval")
        mean, error, degrees = (np.ravel(one) for one in (self.mean, self.standard_error, self.degrees_of_freedom))
        known = np.flatnonzero(~np.isnan(mean))
        shown = known[:_PRINTED]
        decimals = [decimals_for(float(error[index])) for index in shown]
        columns = [[str(values[index]) for index in shown] for values in self.labels.values()]
        columns += [aligned([float(one[index]) for index in shown], decimals) for one in (mean, error)]
        columns.append([format_degrees(float(degrees[index])) for index in shown])
        if self.lower is not None and self.upper is not None:
            low, high = np.ravel(self.lower), np.ravel(self.upper)
            columns.append(intervals([(float(low[index]), float(high[index])) for index in shown], decimals))
        return heads, [list(row) for row in zip(*columns, strict=True)], known.size - shown.size

    def _title(self) -> str:
        return "Conditional predictions" if self.conditional else "Fitted means"

    def __str__(self) -> str:
        heads, body, rest = self._table()
        more = f"\n... and {rest} more; to_frame() has all" if rest else ""
        return f"{self._title()}\n{table(heads, body, left=len(self.labels))}{more}"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        heads, body, rest = self._table()
        more = f"<p>... and {rest} more; to_frame() has all</p>" if rest else ""
        return html_table(heads, body, left=len(self.labels), caption=self._title()) + more


def predict(
    fit: MixedFit,
    data: Any = None,
    *,
    conditional: bool = False,
    interval: IntervalKind | None = "confidence",
    level: float = 0.95,
) -> Predictions:
    """Means of the model with their standard errors, degrees of freedom and intervals.

    Parameters
    ----------
    data
        Any data frame with the columns of the formula; None for every patient and visit of the fit. A prediction
        interval needs the column of the visits too, and that of the covariance groups; conditional predictions need
        the patients and the outcome besides, which may be missing. Rows count with a weight of one where there is no
        column of weights.
    conditional
        Whether to give the mean of each missing outcome conditional on the patient's observed ones, and an observed
        outcome as itself, as R's mmrm does; else the mean of the model, X b.
    interval
        "confidence" for the mean at the estimated covariance, "prediction" for an outcome, or None. Without
        `conditional` the outcome is that of a new patient, and the t quantile has the degrees of freedom of the mean's
        contrast of the coefficients, exact for one visit. With it the outcome is the one missing, and the interval
        counts that the covariance is estimated (Harville & Jeske 1992); else it would be too short in small trials.
    level
        Of the intervals.

    Raises
    ------
    InputError
        New data for a fit to arrays, a column or level not known, a covariate missing, a mean the data cannot tell.
    """
    conditional = flag("conditional", conditional)
    if interval not in ("confidence", "prediction", None):
        raise InputError("interval", interval, "'confidence', 'prediction' or None")
    if not 0 < number("level", level) < 1:
        raise InputError("level", level, "a confidence level between 0 and 1")
    if data is None:
        return _of_the_fit(fit, conditional, interval, level)
    rows = read_new_rows(fit, data, with_outcome=conditional, with_covariance=conditional or interval == "prediction")
    return _of_new_data(fit, rows, conditional, interval, level)


def _of_the_fit(fit: MixedFit, conditional: bool, interval: IntervalKind | None, level: float) -> Predictions:
    design = design_at_every_visit(fit)
    n_patients, n_visits = design.shape[:2]
    labels: dict[str, list[Any]] = {
        "patient": [patient for patient in fit.patients for _ in range(n_visits)],
        "visit": list(fit.visits) * n_patients,
    }
    if conditional:

        def conditioned(at: MixedFit) -> ConditionalDistribution:
            return condition(fit._data.outcome, design, at.patient_covariances, fit.coefficients)

        return _conditional(fit, conditioned, np.indices((n_patients, n_visits)), interval, level, labels)
    variance = None
    if interval == "prediction":
        variance = np.diagonal(fit.patient_covariances, axis1=1, axis2=2)
    return _with_errors(fit, design @ fit.coefficients, design, variance, None, False, interval, level, labels)


def _of_new_data(
    fit: MixedFit, rows: NewRows, conditional: bool, interval: IntervalKind | None, level: float
) -> Predictions:
    labels: dict[str, list[Any]] = {"row": list(range(1, len(rows.design) + 1))}
    if conditional:

        def conditioned(at: MixedFit) -> ConditionalDistribution:
            outcome, design, covariances = rows.by_patient(at)
            return condition(outcome, design, covariances, fit.coefficients)

        return _conditional(fit, conditioned, np.stack([rows.patient, rows.visit]), interval, level, labels)
    mean = rows.design @ fit.coefficients
    variance = None if interval != "prediction" else rows.variances(fit)
    return _with_errors(fit, mean, rows.design, variance, None, False, interval, level, labels)


def _conditional(
    fit: MixedFit,
    conditioned: Callable[[MixedFit], ConditionalDistribution],
    where: NDArray[np.intp],
    interval: IntervalKind | None,
    level: float,
    labels: dict[str, list[Any]],
) -> Predictions:
    """Conditional predictions at the (patient, visit) indices `where` (2, ...)."""
    place = (where[0], where[1])
    found = conditioned(fit)
    variance = np.diagonal(found.covariance, axis1=1, axis2=2)[place]
    uncertainty = None
    if interval == "prediction":

        def predicted(at: MixedFit, covariance_of_coefficients: Array) -> tuple[Array, Array]:
            moved = conditioned(at)
            spread = moved.covariance_with(covariance_of_coefficients)
            return moved.mean[place], np.diagonal(spread, axis1=1, axis2=2)[place]

        uncertainty = covariance_uncertainty(fit, predicted)
    return _with_errors(
        fit, found.mean[place], found.contrast[place], variance, uncertainty, True, interval, level, labels
    )


def _with_errors(
    fit: MixedFit,
    mean: Array,
    contrast: Array,
    variance: Array | None,
    uncertainty: tuple[Array, Array] | None,
    conditional: bool,
    interval: IntervalKind | None,
    level: float,
    labels: dict[str, list[Any]],
) -> Predictions:
    """Errors and limits of means (...) with contrasts (..., columns) and variances of the outcome (...)."""
    from scipy.special import ndtri, stdtrit

    squared = np.einsum("...p,pq,...q->...", contrast, fit.covariance_of_coefficients, contrast, optimize=True)
    squared = np.maximum(squared, 0.0)
    standard_error = np.sqrt(squared)
    prediction_error = None if variance is None else np.sqrt(squared + np.maximum(variance, 0.0))
    degrees = _degrees(fit, contrast)
    covariance_error = None
    if uncertainty is not None:
        covariance_error = np.sqrt(np.maximum(uncertainty[0], 0.0))
        if fit.variance == "model" and fit.degrees_of_freedom_method.startswith(_FROM_THE_COVARIANCE):
            degrees = uncertainty[1]
    lower = upper = None
    if interval is not None:
        finite = np.isfinite(degrees)
        tail = (1 + level) / 2
        quantile = np.where(finite, stdtrit(np.where(finite, degrees, 1.0), tail), ndtri(tail))
        spread = standard_error if interval == "confidence" else prediction_error
        assert spread is not None
        if covariance_error is not None:
            spread = np.hypot(spread, covariance_error)
        lower, upper = mean - quantile * spread, mean + quantile * spread
    return Predictions(
        mean=mean,
        standard_error=standard_error,
        prediction_error=prediction_error,
        covariance_error=covariance_error,
        degrees_of_freedom=degrees,
        lower=lower,
        upper=upper,
        interval=interval,
        level=level,
        conditional=conditional,
        labels=labels,
    )


def _degrees(fit: MixedFit, contrast: Array) -> Array:
    """Degrees of freedom of contrasts (..., columns), each different one computed once."""
    flat = contrast.reshape(-1, contrast.shape[-1])
    found = np.full(len(flat), np.inf)
    known = np.isfinite(flat).all(axis=1)
    found[~known] = np.nan
    asked = known & flat.any(axis=1)
    if asked.any():
        different, index = np.unique(flat[asked], axis=0, return_inverse=True)
        if fit.variance == "model" and fit.degrees_of_freedom_method.startswith(_FROM_THE_COVARIANCE):
            degrees = _satterthwaite(fit, different)
        else:
            degrees = np.array([fit.estimate(row).degrees_of_freedom for row in different])
        found[asked] = degrees[index.reshape(-1)]
    return found.reshape(contrast.shape[:-1])


def _satterthwaite(fit: MixedFit, contrasts: Array) -> Array:
    """`Satterthwaite.degrees` for many contrasts (rows, columns) at once."""
    maximum = fit._maximum
    rotated = np.linalg.solve(fit._data.triangle.T, contrasts.T).T
    carried = rotated @ maximum.point.inner
    variance = (rotated * carried).sum(axis=1)
    spread = np.empty(len(rotated))
    for start in range(0, len(rotated), _BLOCK):
        part = carried[start : start + _BLOCK]
        gradient = (part @ maximum.design_derivatives * part).sum(axis=2)
        spread[start : start + _BLOCK] = (gradient * np.linalg.solve(maximum.information, gradient)).sum(axis=0)
    return 2.0 * variance**2 / spread
