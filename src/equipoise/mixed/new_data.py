"""Rows of a new data frame for which a fit is asked to predict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .design_matrix import outcome_of
from .frame import Factor, read_column, read_factor, read_frame
from .individuals import design_rows
from .named_structures import is_spatial

if TYPE_CHECKING:
    from .individuals import Cells
    from .result import MixedFit

__all__ = ["NewRows", "read_new_rows"]

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True)
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
        by_group = fit.covariance if fit.groups else fit.covariance[None]
        return by_group[self.group, self.visit, self.visit] / self.weight

    def by_patient(self, fit: MixedFit) -> tuple[Array, Array, Array]:
        """Outcome (patients, visits), design and covariances of each patient; NaN at visits without a row."""
        n_patients, n_visits = int(self.patient.max()) + 1, len(fit.visits)
        outcome = np.full((n_patients, n_visits), np.nan)
        design = np.full((n_patients, n_visits, self.design.shape[1]), np.nan)
        root = np.ones((n_patients, n_visits))
        group = np.zeros(n_patients, dtype=np.intp)
        outcome[self.patient, self.visit] = self.outcome
        design[self.patient, self.visit] = self.design
        root[self.patient, self.visit] = np.sqrt(self.weight)
        group[self.patient] = self.group
        if is_spatial(fit.structure):
            covariances = self._over_time(fit, group)
        else:
            covariances = (fit.covariance if fit.groups else fit.covariance[None])[group]
        return outcome, design, covariances / (root[:, :, None] * root[:, None, :])

    def _over_time(self, fit: MixedFit, group: NDArray[np.intp]) -> Array:
        """(patients, visits, visits) at each patient's own times; visits without a row are far from all others."""
        n_visits = len(fit.visits)
        covariances = np.zeros((group.size, n_visits, n_visits))
        covariances[:, np.arange(n_visits), np.arange(n_visits)] = 1.0
        order = np.argsort(self.patient, kind="stable")
        ends = np.cumsum(np.bincount(self.patient))
        for one, rows in enumerate(np.split(order, ends[:-1])):
            found = fit.covariance_at(self.time[rows])
            covariances[one][np.ix_(self.visit[rows], self.visit[rows])] = found[group[one]] if fit.groups else found
        return covariances


def read_new_rows(fit: MixedFit, data: Any, *, with_outcome: bool, with_covariance: bool) -> NewRows:
    """Read what is asked for from any data frame.

    Raises
    ------
    InputError
        As `design_rows`; two rows of a patient at one visit or time, a patient in two covariance groups, weights not
        positive, a time missing.
    """
    frame = read_frame(data)
    design = design_rows(fit, frame)
    n_rows = len(design)
    zeros = np.zeros(n_rows, dtype=np.intp)
    patient, visit, group = np.arange(n_rows), zeros, zeros
    weight, time, outcome = np.ones(n_rows), np.zeros(n_rows), np.full(n_rows, np.nan)
    cells = fit._cells
    if with_covariance and cells is not None:
        visit = _codes(frame, cells.visit_name, fit.visits)
        if cells.group_name is not None:
            group = _codes(frame, cells.group_name, fit.groups)
        if cells.weights_name is not None and cells.weights_name in frame.columns:
            weight = _weights(frame, cells.weights_name)
    if with_outcome and cells is not None:
        patient = np.unique(_codes(frame, cells.subject_name, None), return_inverse=True)[1].reshape(-1)
        outcome = _outcome(frame, fit.formula, cells, n_rows)
        if is_spatial(fit.structure) and cells.time_name is not None:
            time = _times(frame, cells.time_name)
        _refuse_twice(fit, cells, patient, visit, group)
    return NewRows(design, patient, visit, group, weight, time, outcome)


def _codes(frame: Any, name: str, levels: tuple[str, ...] | None) -> NDArray[np.intp]:
    column = read_factor(frame, name, "data", {} if levels is None else {name: levels})
    assert isinstance(column, Factor)
    missing = column.codes < 0
    if missing.any():
        raise InputError(f"data[{name!r}]", f"missing in row {int(missing.argmax()) + 1}", "no missing value")
    return column.codes


def _weights(frame: Any, name: str) -> Array:
    weight = read_column(frame, name, "data", {})
    if isinstance(weight, Factor) or not (weight[~np.isnan(weight)] > 0).all():
        raise InputError(f"data[{name!r}]", "not positive", "a column of positive numbers")
    return np.where(np.isnan(weight), 1.0, weight)


def _times(frame: Any, name: str) -> Array:
    time = read_column(frame, name, "data", {})
    if isinstance(time, Factor) or not np.isfinite(time).all():
        raise InputError(f"data[{name!r}]", "missing or labels", "a finite time in every row")
    return time


def _outcome(frame: Any, formula: str, cells: Cells, n_rows: int) -> Array:
    columns = {name: read_column(frame, name, "data", {}) for name in cells.outcome_names}
    for name, column in columns.items():
        if isinstance(column, Factor):
            raise InputError(f"data[{name!r}]", "labels", "an outcome of numbers")
    missing = np.zeros(n_rows, dtype=bool)
    for column in columns.values():
        missing |= np.isnan(np.asarray(column, dtype=np.float64))
    with np.errstate(all="ignore"):
        outcome = outcome_of(formula, columns, n_rows)
    wrong = ~missing & ~np.isfinite(outcome)
    if wrong.any():
        raise InputError("data", f"row {int(wrong.argmax()) + 1}", "a finite outcome, or a missing one")
    return np.where(missing, np.nan, outcome)


def _refuse_twice(
    fit: MixedFit, cells: Cells, patient: NDArray[np.intp], visit: NDArray[np.intp], group: NDArray[np.intp]
) -> None:
    found, first, counts = np.unique(patient * len(fit.visits) + visit, return_index=True, return_counts=True)
    if (counts > 1).any():
        twice = int(counts.argmax())
        when = fit.visits[int(found[twice]) % len(fit.visits)]
        raise InputError(
            "data",
            f"the {cells.subject_name} of row {int(first[twice]) + 1} twice at {cells.visit_name} {when}",
            "at most one row a patient and visit",
        )
    low = np.full(int(patient.max()) + 1, len(fit.groups))
    np.minimum.at(low, patient, group)
    if (low[patient] != group).any():
        row = int((low[patient] != group).argmax())
        raise InputError("data", f"row {row + 1}", f"one {cells.group_name} a patient")
