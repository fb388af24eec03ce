"""Rows of a new data frame for which a fit is asked to predict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .conditional import Patients
from .covariance.named import is_spatial
from .design_matrix import outcome_of
from .frame import is_missing, read_factor, read_frame, read_numbers
from .individuals import design_rows, known_fit

if TYPE_CHECKING:
    from .individuals import Cells
    from .result import MixedFit

__all__ = ["NewRows", "read_new_rows"]

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class NewRows:
    """Rows of new data as arrays.

    Attributes
    ----------
    design
        (rows, columns).
    patient
        (rows,) index of the patient; every row its own where patients were not asked for.
    visit, group
        (rows,) indices of the fit's visits and covariance groups; zero where not asked for.
    weight
        (rows,) one where the data have none.
    time
        (rows,) of a spatial structure, else zero.
    outcome
        (rows,), NaN where missing or not asked for.
    """

    design: Array
    patient: NDArray[np.intp]
    visit: NDArray[np.intp]
    group: NDArray[np.intp]
    weight: Array
    time: Array
    outcome: Array

    def variances(self, fit: MixedFit) -> Array:
        """(rows,) variance of a new outcome around its mean."""
        return _by_group(fit)[self.group, self.visit, self.visit] / self.weight

    def by_patient(self, fit: MixedFit) -> Patients:
        """The patients of the rows; a visit without a row has no outcome and no design."""
        n_patients, n_visits = int(self.patient.max()) + 1, len(fit.visits)

        def filled(rows: Array, elsewhere: float) -> Array:
            found = np.full((n_patients, n_visits, *rows.shape[1:]), elsewhere)
            found[self.patient, self.visit] = rows
            return found

        group = np.zeros(n_patients, dtype=np.intp)
        group[self.patient] = self.group
        covariances = self._over_time(fit, group) if is_spatial(fit.structure) else _by_group(fit)[group]
        root = filled(np.sqrt(self.weight), 1.0)
        covariances = covariances / (root[:, :, None] * root[:, None, :])
        return Patients(filled(self.outcome, np.nan), filled(self.design, np.nan), covariances, group)

    def _over_time(self, fit: MixedFit, group: NDArray[np.intp]) -> Array:
        """(patients, visits, visits) at each patient's own times; a visit without a row is independent of others."""
        n_visits = len(fit.visits)
        covariances = np.tile(np.eye(n_visits), (group.size, 1, 1))
        order = np.argsort(self.patient, kind="stable")
        ends = np.cumsum(np.bincount(self.patient))
        for one, rows in enumerate(np.split(order, ends[:-1])):
            found = fit.covariance_at(self.time[rows])
            covariances[one][np.ix_(self.visit[rows], self.visit[rows])] = found[group[one]] if fit.groups else found
        return covariances


def _by_group(fit: MixedFit) -> Array:
    """(groups, visits, visits)."""
    return fit.covariance if fit.groups else fit.covariance[None]


def read_new_rows(fit: MixedFit, data: Any, *, with_outcome: bool, with_covariance: bool) -> NewRows:
    """Read what is asked for from any data frame.

    Raises
    ------
    InputError
        As `design_rows`; two rows of a patient at one visit or time, a patient in two covariance groups, weights not
        positive, a time missing.
    """
    cells, _ = known_fit(fit)
    frame = read_frame(data)
    design = design_rows(fit, frame)
    n_rows = len(design)
    zeros = np.zeros(n_rows, dtype=np.intp)
    patient, visit, group = np.arange(n_rows), zeros, zeros
    weight, time, outcome = np.ones(n_rows), np.zeros(n_rows), np.full(n_rows, np.nan)
    if with_covariance:
        visit = _codes(frame, cells.visit_name, fit.visits)
        if cells.group_name is not None:
            group = _codes(frame, cells.group_name, fit.groups)
        if cells.weights_name is not None and cells.weights_name in frame.columns:
            weight = _weights(frame, cells.weights_name)
    if with_outcome:
        patient = np.unique(_codes(frame, cells.subject_name, None), return_inverse=True)[1].reshape(-1)
        outcome = _outcome(frame, fit.formula, cells, n_rows)
        _refuse_two_rows(cells, patient, visit, fit.visits)
        _refuse_two_groups(cells, patient, group)
        if is_spatial(fit.structure) and cells.time_name is not None:
            time = _times(frame, cells.time_name)
            _refuse_two_times(cells, patient, time)
    return NewRows(design, patient, visit, group, weight, time, outcome)


def _refuse_missing(name: str, missing: NDArray[np.bool_]) -> None:
    if missing.any():
        raise InputError(f"data[{name!r}]", f"missing in row {int(missing.argmax()) + 1}", "no missing value")


def _codes(frame: Any, name: str, levels: tuple[str, ...] | None) -> NDArray[np.intp]:
    column = read_factor(frame, name, "data", {} if levels is None else {name: levels})
    _refuse_missing(name, is_missing(column))
    return column.codes


def _weights(frame: Any, name: str) -> Array:
    """A weight of one where it is missing."""
    weight = read_numbers(frame, name, "data", "a column of positive numbers")
    if (weight <= 0).any():
        raise InputError(f"data[{name!r}]", f"not above 0 in row {int((weight <= 0).argmax()) + 1}", "positive numbers")
    return np.where(np.isnan(weight), 1.0, weight)


def _times(frame: Any, name: str) -> Array:
    time = read_numbers(frame, name, "data", "a column of times as numbers")
    _refuse_missing(name, is_missing(time))
    return time


def _outcome(frame: Any, formula: str, cells: Cells, n_rows: int) -> Array:
    columns = {
        name: np.full(n_rows, np.nan)
        if name in frame.columns and frame[name].is_null().all()
        else read_numbers(frame, name, "data", "an outcome of numbers")
        for name in cells.outcome_names
    }
    missing = np.logical_or.reduce([is_missing(column) for column in columns.values()])
    with np.errstate(all="ignore"):
        outcome = outcome_of(formula, columns, n_rows)
    wrong = ~missing & ~np.isfinite(outcome)
    if wrong.any():
        raise InputError("data", f"row {int(wrong.argmax()) + 1}", "a finite outcome, or a missing one")
    return np.where(missing, np.nan, outcome)


def _first_twice(*keys: NDArray[Any]) -> int | None:
    """The first row that has the keys of an earlier one."""
    _, first, place = np.unique(np.stack(keys), axis=1, return_index=True, return_inverse=True)
    again = first[place.reshape(-1)] != np.arange(len(keys[0]))
    return int(again.argmax()) if again.any() else None


def _refuse_two_rows(cells: Cells, patient: NDArray[np.intp], visit: NDArray[np.intp], visits: tuple[str, ...]) -> None:
    row = _first_twice(patient, visit)
    if row is not None:
        found = f"the {cells.subject_name} of row {row + 1} twice at {cells.visit_name} {visits[visit[row]]}"
        raise InputError("data", found, "at most one row a patient and visit")


def _refuse_two_times(cells: Cells, patient: NDArray[np.intp], time: Array) -> None:
    row = _first_twice(patient, time)
    if row is not None:
        found = f"the {cells.subject_name} of row {row + 1} twice at {cells.time_name} {time[row]:g}"
        raise InputError("data", found, "times that differ in a patient")


def _refuse_two_groups(cells: Cells, patient: NDArray[np.intp], group: NDArray[np.intp]) -> None:
    of_patient = np.empty(int(patient.max()) + 1, dtype=np.intp)
    of_patient[patient] = group
    differs = of_patient[patient] != group
    if differs.any():
        found = f"the {cells.subject_name} of row {int(differs.argmax()) + 1} in two"
        raise InputError(f"data[{cells.group_name!r}]", found, f"one {cells.group_name} a patient")
