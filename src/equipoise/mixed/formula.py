"""The mixed model for repeated measures from a formula and a data frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .covariance.named import CovarianceName, is_spatial
from .design_matrix import DesignMatrix, design_matrix, outcome_of
from .fit import fit_mmrm
from .fitted_model import DegreesOfFreedom, Method, Variance
from .frame import Factor
from .individuals import Cells
from .model_table import ModelTable, read_model_table
from .rank import aliases
from .reference_grid import ReferenceGrid, cell_frequencies
from .result import MixedFit

__all__ = ["mmrm"]

Array = NDArray[np.floating[Any]]


def mmrm(
    formula: str,
    data: Any,
    *,
    subject: str,
    visit: str,
    covariance: CovarianceName | Sequence[CovarianceName] = "unstructured",
    time: str | None = None,
    method: Method = "reml",
    degrees_of_freedom: DegreesOfFreedom = "satterthwaite",
    variance: Variance = "model",
    group: str | None = None,
    weights: str | None = None,
    levels: Mapping[str, Sequence[object]] | None = None,
    reference: Mapping[str, object] | None = None,
) -> MixedFit:
    """Fit a mixed model for repeated measures, as R's mmrm does.

    Rows with a missing outcome, covariate or weight are left out and counted (missing at random). Factors have
    treatment contrasts against their first level; coefficients are named and ordered as R does. Columns that depend
    on earlier ones are left out with a note, as R does.

    Parameters
    ----------
    formula
        Wilkinson formula, e.g. "change ~ baseline * visit + arm * visit"; the covariance does not belong in it.
    data
        Any data frame (polars, pandas, pyarrow, ...), one row a patient and visit.
    subject, visit
        Columns. The visits need an order: a polars Enum, an ordered pandas Categorical, numbers, or
        `levels`. The visit is a
        factor in the formula even where it is a number.
    covariance, method, degrees_of_freedom, variance
        As for `fit_mmrm`.
    time
        Column of the time of each row, in any unit, for spatial covariances; it need not be in the formula. Rows
        without a time are left out and counted.
    group
        Column whose values each have their own covariance matrix, constant within a patient.
    weights
        Column of positive weights.
    levels
        Order of the levels of columns, e.g. {"arm": ["midazolam", "ketamine"]}; a column named here is a factor.
    reference
        Reference level of factors, e.g. {"arm": "midazolam"}, put before their other levels.

    Raises
    ------
    InputError
        Unknown column, visits without an order, two rows of a patient at one visit, no outcome, a level without rows.
    FitError
        As for `fit_mmrm`.
    """
    asked = [covariance] if isinstance(covariance, str) else covariance
    if time is None and isinstance(asked, list | tuple) and any(is_spatial(str(one)) for one in asked):
        raise InputError("time", None, "the column of the times of the visits, which a spatial covariance needs")
    table = read_model_table(
        formula,
        data,
        subject=subject,
        visit=visit,
        group=group,
        weights=weights,
        time=time,
        levels=levels,
        reference=reference,
    )
    rows = table.rows_used
    n_rows = int(table.used.sum())
    y = outcome_of(formula, rows, n_rows)
    design = design_matrix(formula, rows, n_rows)
    x = design.rows(rows, n_rows)
    if not np.isfinite(x).all() or not np.isfinite(y).all():
        raise InputError("formula", formula, "finite values of outcome and covariates")
    if x.shape[1] == 0:
        raise InputError("formula", formula, "at least one column on the right of the '~'")
    root = 1.0 if table.weights is None else np.sqrt(table.weights[table.used])[:, None]
    kept, alias = aliases(x * root)
    notes = list(table.notes)
    if not kept.all():
        aliased = ", ".join(name for name, keep in zip(design.names, kept, strict=True) if not keep)
        notes.append(f"left out as combinations of the columns before them: {aliased}")

    cells = _Places(table, subject, visit)
    fit = fit_mmrm(
        cells.filled(y),
        cells.filled(x[:, kept], 0.0),
        names=[name for name, keep in zip(design.names, kept, strict=True) if keep],
        method=method,
        degrees_of_freedom=degrees_of_freedom,
        covariance=covariance,
        times=None if table.times is None else cells.filled_from_every_row(table.times, np.nan),
        weights=None if table.weights is None else cells.filled_from_every_row(table.weights, 1.0),
        variance=variance,
        visits=table.visits.levels,
        **cells.groups(table.group),
    )
    return replace(
        fit,
        notes=(*notes, *fit.notes),
        n_patients_dropped=len(np.unique(table.subjects.codes)) - len(cells.patients),
        formula=formula,
        patients=cells.patients,
        _grid=_reference_grid(table, design, rows, kept, alias),
        _cells=Cells.remember(
            table, design, cells.patient_of_row, cells.in_fit, group=group, weights=weights, time=time
        ),
    )


class _Places:
    """Where each row used stands among patients and visits; refuses two rows in one place.

    Attributes
    ----------
    patient_of_row, in_fit
        Of every row of the table, used or not: its patient among those of the fit, and whether it is one of theirs at
        a visit of the fit.
    """

    def __init__(self, table: ModelTable, subject: str, visit: str) -> None:
        self.codes, patient = np.unique(table.subjects.codes[table.used], return_inverse=True)
        self.patient = patient.reshape(-1)
        self.visit = table.visits.codes[table.used]
        self.patients = tuple(table.subjects.levels[code] for code in self.codes)
        self.shape = (len(self.patients), len(table.visits.levels))
        self._table = table
        every = np.minimum(np.searchsorted(self.codes, table.subjects.codes), self.shape[0] - 1)
        self.in_fit = (self.codes[every] == table.subjects.codes) & (table.visits.codes >= 0)
        self.patient_of_row = every
        places, counts = np.unique(self.patient * self.shape[1] + self.visit, return_counts=True)
        if (counts > 1).any():
            who, when = divmod(int(places[counts.argmax()]), self.shape[1])
            twice = f"{subject} {self.patients[who]} at {visit} {table.visits.levels[when]}"
            raise InputError("data", twice, "at most one row a patient and visit")

    def filled(self, rows: Array, elsewhere: float = np.nan) -> Array:
        """(patients, visits, ...) from values of the rows used."""
        found = np.full((*self.shape, *rows.shape[1:]), elsewhere)
        found[self.patient, self.visit] = rows
        return found

    def filled_from_every_row(self, values: Array, elsewhere: float) -> Array:
        """(patients, visits) from all rows of the patients in the fit, those without an outcome too."""
        found = np.full(self.shape, elsewhere)
        known = self.in_fit & np.isfinite(values)
        # Rows used come last, so that theirs are the values that count.
        for rows in (known & ~self._table.used, known & self._table.used):
            found[self.patient_of_row[rows], self._table.visits.codes[rows]] = values[rows]
        return found

    def groups(self, group: Factor | None) -> dict[str, Any]:
        """The covariance group of each patient and the groups' names, as `fit_mmrm` takes them."""
        if group is None:
            return {}
        of_row = group.codes[self._table.used]
        of_patient = np.empty(self.shape[0], dtype=np.intp)
        of_patient[self.patient] = of_row
        differs = of_patient[self.patient] != of_row
        if differs.any():
            who = self.patients[self.patient[int(differs.argmax())]]
            raise InputError(group.name, who, "one covariance group a patient")
        return {"group": of_patient, "groups": [group.levels[code] for code in np.unique(of_patient)]}


def _reference_grid(
    table: ModelTable, design: DesignMatrix, rows: Mapping[str, Factor | Array], kept: NDArray[np.bool_], alias: Array
) -> ReferenceGrid:
    """What LS means need of the rows used: levels, means of covariates, how often levels occur together."""
    factors = {
        name: column for name, column in rows.items() if isinstance(column, Factor) and name not in table.outcome_names
    }
    return ReferenceGrid(
        design=design,
        factors={name: column.levels for name, column in factors.items()},
        means={
            name: float(column.mean())
            for name, column in rows.items()
            if not isinstance(column, Factor) and name in design.variables
        },
        kept=kept,
        alias=alias,
        frequencies=cell_frequencies(factors.values()),
    )
