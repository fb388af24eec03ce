"""Fitted means and predictions, at the visits of the fit or at the rows of new data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..checks import flag
from ..errors import InputError
from .conditional import Patients, condition
from .confidence import confidence_level, t_quantiles
from .covariance_uncertainty import covariance_uncertainty
from .individuals import design_at_every_visit, patients_of
from .new_data import read_new_rows
from .tables import aligned, common_decimals, format_degrees, html_table, intervals, table

if TYPE_CHECKING:
    import polars

    from .result import MixedFit

__all__ = ["IntervalKind", "Predictions", "predict"]

Array = NDArray[np.floating[Any]]
IntervalKind = Literal["confidence", "prediction"]

_PRINTED = 20
_BLOCK = 1024


@dataclass(frozen=True, eq=False, repr=False)
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
    interval, level
        "confidence" for the mean, "prediction" for a new outcome, or None; and its level.
    labels
        Columns that say where each value belongs: patient and visit, or the row of the new data.
    observed
        Of conditional predictions, whether the outcome was observed and is its own prediction; else None.
    """

    mean: Array
    standard_error: Array
    prediction_error: Array | None
    covariance_error: Array | None
    degrees_of_freedom: Array
    interval: IntervalKind | None
    level: float
    labels: dict[str, list[Any]]
    observed: NDArray[np.bool_] | None = None

    @property
    def conditional(self) -> bool:
        """Whether the means are given the patient's own observed visits."""
        return self.observed is not None

    @property
    def interval_error(self) -> Array:
        """The standard deviation that the interval is made of; without an interval the standard error."""
        if self.interval != "prediction" or self.prediction_error is None:
            return self.standard_error
        if self.covariance_error is None:
            return self.prediction_error
        return np.hypot(self.prediction_error, self.covariance_error)

    @property
    def lower(self) -> Array | None:
        """Lower limits of the interval, None without one."""
        return None if self.interval is None else self.mean - self._half_width

    @property
    def upper(self) -> Array | None:
        """Upper limits of the interval, None without one."""
        return None if self.interval is None else self.mean + self._half_width

    @property
    def _half_width(self) -> Array:
        return t_quantiles(self.degrees_of_freedom, self.level) * self.interval_error

    def to_frame(self) -> polars.DataFrame:
        """A polars data frame, one row a value; visits of the fit whose covariates are not known are left out."""
        import polars

        columns: dict[str, Any] = {
            "observed": self.observed,
            "mean": self.mean,
            "standard_error": self.standard_error,
            "prediction_error": self.prediction_error,
            "covariance_error": self.covariance_error,
            "degrees_of_freedom": self.degrees_of_freedom,
            "lower": self.lower,
            "upper": self.upper,
        }
        known = ~np.isnan(self.mean.reshape(-1))
        labelled = {name: [v for v, k in zip(values, known, strict=True) if k] for name, values in self.labels.items()}
        found = {name: np.ravel(values)[known] for name, values in columns.items() if values is not None}
        return polars.DataFrame({**labelled, **found}, strict=False)

    def _table(self) -> tuple[list[str], list[list[str]], int]:
        """Headings, the first lines, and how many there are besides."""
        error_name = "prediction error" if self.interval == "prediction" else "standard error"
        heads = [*self.labels, "mean", error_name, "df"]
        mean, error, degrees = (np.ravel(one) for one in (self.mean, self.interval_error, self.degrees_of_freedom))
        known = np.flatnonzero(~np.isnan(mean))
        shown = known[:_PRINTED]
        seen = np.zeros(shown.size, dtype=bool) if self.observed is None else np.ravel(self.observed)[shown]

        def told(values: Array) -> list[float | None]:
            return [None if own else float(values[index]) for index, own in zip(shown, seen, strict=True)]

        errors = told(error)
        decimals = common_decimals(errors)
        columns = [[str(values[index]) for index in shown] for values in self.labels.values()]
        columns.append(aligned([float(mean[index]) for index in shown], decimals))
        columns.append(aligned(errors, decimals, "observed"))
        columns.append([format_degrees(one) for one in told(degrees)])
        lower, upper = self.lower, self.upper
        if lower is not None and upper is not None:
            heads.append(f"{100 * self.level:g} % {self.interval} interval")
            limits = zip(told(np.ravel(lower)), told(np.ravel(upper)), strict=True)
            columns.append(intervals([None if a is None or b is None else (a, b) for a, b in limits], decimals))
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
    """Means of the model with their standard errors, degrees of freedom and intervals; see `MixedFit.predict`."""
    conditional = flag("conditional", conditional)
    if interval is not None and (not isinstance(interval, str) or interval not in ("confidence", "prediction")):
        raise InputError("interval", interval, "'confidence', 'prediction' or None")
    asked = _Asked(fit, interval, confidence_level(level))
    of_outcome = interval == "prediction"
    if data is None:
        shape = (len(fit.patients), len(fit.visits))
        labels: dict[str, list[Any]] = {
            "patient": [patient for patient in fit.patients for _ in fit.visits],
            "visit": list(fit.visits) * shape[0],
        }
        if conditional:
            return asked.given_the_observed(patients_of(fit), tuple(np.indices(shape)), labels)
        variance = np.diagonal(fit.patient_covariances, axis1=1, axis2=2) if of_outcome else None
        return asked.means(design_at_every_visit(fit), variance, labels)
    rows = read_new_rows(fit, data, with_outcome=conditional, with_covariance=conditional or of_outcome)
    labels = {"row": list(range(1, len(rows.design) + 1))}
    if conditional:
        return asked.given_the_observed(rows.by_patient(fit), (rows.patient, rows.visit), labels)
    return asked.means(rows.design, rows.variances(fit) if of_outcome else None, labels)


@dataclass(frozen=True)
class _Asked:
    """Predictions of a fit with one kind of interval."""

    fit: MixedFit
    interval: IntervalKind | None
    level: float

    def means(self, design: Array, variance: Array | None, labels: dict[str, list[Any]]) -> Predictions:
        """At rows (..., columns) of the design, with variances (...) of an outcome around its mean."""
        error, degrees = _of_contrasts(self.fit, design)
        spread = None if variance is None else np.sqrt(error**2 + variance)
        mean = design @ self.fit.coefficients
        return Predictions(mean, error, spread, None, degrees, self.interval, self.level, labels)

    def given_the_observed(
        self, patients: Patients, place: tuple[NDArray[np.intp], ...], labels: dict[str, list[Any]]
    ) -> Predictions:
        """At the (patient, visit) indices `place`."""
        found = condition(patients, self.fit.coefficients)
        error, degrees = _of_contrasts(self.fit, found.contrast[place])
        spread = added = None
        if self.interval == "prediction":
            spread = np.sqrt(error**2 + found.variance[place])
            variance, of_the_whole = covariance_uncertainty(self.fit, patients, found)
            added = np.sqrt(variance[place])
            if self.fit.degrees_of_freedom_method.startswith(("satterthwaite", "kenward-roger")):
                degrees = of_the_whole[place] if self.fit.variance == "model" else degrees
        observed = ~np.isnan(patients.outcome[place])
        return Predictions(
            found.mean[place], error, spread, added, degrees, self.interval, self.level, labels, observed
        )


def _of_contrasts(fit: MixedFit, contrasts: Array) -> tuple[Array, Array]:
    """Standard errors and degrees of freedom of contrasts (..., columns), each different one computed once.

    NaN where the contrast is; zero and infinity where it is zero.
    """
    flat = contrasts.reshape(-1, contrasts.shape[-1])
    known = np.isfinite(flat).all(axis=1)
    error, degrees = np.where(known, 0.0, np.nan), np.where(known, np.inf, np.nan)
    asked = known & flat.any(axis=1)
    if asked.any():
        different, index = np.unique(flat[asked], axis=0, return_inverse=True)
        parts = [different[start : start + _BLOCK] for start in range(0, len(different), _BLOCK)]
        error[asked] = np.concatenate([fit.standard_errors_of(part) for part in parts])[index.reshape(-1)]
        degrees[asked] = np.concatenate([fit.degrees_of(part) for part in parts])[index.reshape(-1)]
    return error.reshape(contrasts.shape[:-1]), degrees.reshape(contrasts.shape[:-1])
