"""What a fit knows of each patient at each visit: the design where nothing was observed, and rows of new data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .conditional import Patients
from .design_matrix import DesignMatrix
from .estimability import estimable
from .frame import Factor, is_missing, read_column, rows_of
from .model_table import ModelTable
from .reference_grid import ReferenceGrid

if TYPE_CHECKING:
    from .result import MixedFit

__all__ = [
    "Cells",
    "design_at_every_visit",
    "design_rows",
    "group_of_patient",
    "known_fit",
    "patients_of",
]

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Cells:
    """What a formula fit remembers of its data frame, to speak of visits that were not observed.

    Attributes
    ----------
    columns
        Every variable on the right of the formula, over the rows of the patients kept.
    patient, visit
        (rows,) index of the patient kept, and of the visit, each row belongs to.
    used
        (rows,) boolean, whether the row was part of the fit.
    design
        How rows of the columns become rows of the design.
    outcome_names
        Columns of which the outcome is made.
    subject_name, visit_name, group_name, weights_name, time_name
        Columns of the data frame.
    """

    columns: Mapping[str, Factor | Array]
    patient: NDArray[np.intp]
    visit: NDArray[np.intp]
    used: NDArray[np.bool_]
    design: DesignMatrix
    outcome_names: tuple[str, ...]
    subject_name: str
    visit_name: str
    group_name: str | None
    weights_name: str | None
    time_name: str | None

    @classmethod
    def remember(
        cls,
        table: ModelTable,
        design: DesignMatrix,
        patient: NDArray[np.intp],
        own: NDArray[np.bool_],
        *,
        group: str | None,
        weights: str | None,
        time: str | None,
    ) -> Cells:
        """Keep the rows `own` of the patients in the fit, `patient` being each row's (rows,)."""
        return cls(
            columns={name: rows_of(table.columns[name], own) for name in design.variables},
            patient=patient[own],
            visit=table.visits.codes[own],
            used=table.used[own],
            design=design,
            outcome_names=tuple(sorted(table.outcome_names)),
            subject_name=table.subjects.name,
            visit_name=table.visits.name,
            group_name=group,
            weights_name=weights,
            time_name=time,
        )

    def at_every_visit(self, n_patients: int, n_visits: int) -> tuple[dict[str, Factor | Array], NDArray[np.bool_]]:
        """Each column over (patients x visits) cells, and which cells (patients, visits) are wholly known.

        A cell takes the value of its own row. Where there is none, or the value is missing in it, a column that never
        changes within a patient gives the patient's value, and one that never differs between patients at a visit
        gives the visit's.
        """
        cell = self.patient * n_visits + self.visit
        rows = np.argsort(self.used, kind="stable")
        every = np.arange(n_patients * n_visits)
        found: dict[str, Factor | Array] = {}
        known = np.ones(n_patients * n_visits, dtype=bool)
        for name, column in self.columns.items():
            values = column.codes.astype(np.float64) if isinstance(column, Factor) else column
            there = rows[~is_missing(column)[rows]]
            full = np.full(n_patients * n_visits, np.nan)
            for by, of_cell, size in (
                (self.patient, every // n_visits, n_patients),
                (self.visit, every % n_visits, n_visits),
            ):
                shared = _shared(values[there], by[there], size)
                if shared is not None:
                    full = shared[of_cell]
                    break
            full[cell[there]] = values[there]
            known &= ~np.isnan(full)
            if isinstance(column, Factor):
                found[name] = replace(column, codes=np.where(np.isnan(full), 0, full).astype(np.intp))
            else:
                found[name] = full
        return found, known.reshape(n_patients, n_visits)


def _shared(values: Array, by: NDArray[np.intp], size: int) -> Array | None:
    """(size,) the value that all rows of a patient, or of a visit, have, NaN without a row; None where two differ."""
    low, high = np.full(size, np.inf), np.full(size, -np.inf)
    np.minimum.at(low, by, values)
    np.maximum.at(high, by, values)
    if (low < high).any():
        return None
    return np.where(low == high, low, np.nan)


def group_of_patient(fit: MixedFit) -> NDArray[np.intp]:
    """(patients kept,) index of each patient's covariance group."""
    data = fit._data
    return data.group_of_pattern[data.pattern_of_patient]


def patients_of(fit: MixedFit) -> Patients:
    """What the fit knows of its patients."""
    return Patients(fit.outcome, design_at_every_visit(fit), fit.patient_covariances, group_of_patient(fit))


def design_at_every_visit(fit: MixedFit) -> Array:
    """(patients kept, visits, columns) design in the user's units, NaN at visits whose covariates are not known.

    Of a fit to arrays it is the design given. A formula takes the covariates of a visit that was not observed from
    the visit's own row of the data, and where there is none from the patient's other rows if that covariate never
    changes within a patient, or from the other patients if it never differs between them at a visit.
    """
    seen = fit.observed
    if fit._cells is None:
        return np.where(np.isfinite(fit.design).all(axis=2, keepdims=True), fit.design, np.nan)
    design = np.where(seen[:, :, None], fit.design, np.nan)
    cells, grid = known_fit(fit)
    columns, known = cells.at_every_visit(*seen.shape)
    wanted = known & ~seen
    if wanted.any():
        flat = wanted.reshape(-1)
        taken = {name: rows_of(column, flat) for name, column in columns.items()}
        rows = _evaluated(cells, taken, int(wanted.sum()))
        design[wanted] = np.where(estimable(rows, grid.kept, grid.alias)[:, None], rows[:, grid.kept], np.nan)
    return design


def design_rows(fit: MixedFit, frame: Any) -> Array:
    """(rows, columns) design at the rows of a new data frame, read by narwhals.

    Raises
    ------
    InputError
        A column is missing or of the wrong kind, a level unknown, a covariate missing, a mean that the data cannot
        tell.
    """
    cells, grid = known_fit(fit)
    levels = {name: column.levels for name, column in cells.columns.items() if isinstance(column, Factor)}
    columns: dict[str, Factor | Array] = {}
    for name in cells.columns:
        column = read_column(frame, name, "data", levels)
        if isinstance(column, Factor) and name not in levels:
            raise InputError(f"data[{name!r}]", "labels", "numbers, as in the data of the fit")
        missing = is_missing(column)
        if missing.any():
            raise InputError(
                f"data[{name!r}]", f"missing in row {int(missing.argmax()) + 1}", "every covariate observed"
            )
        columns[name] = column
    rows = _evaluated(cells, columns, frame.shape[0])
    wrong = ~np.isfinite(rows).all(axis=1)
    if wrong.any():
        raise InputError("data", f"row {int(wrong.argmax()) + 1}", "finite values of the covariates in the formula")
    usable = estimable(rows, grid.kept, grid.alias)
    if not usable.all():
        row = int((~usable).argmax())
        shown = {name: _shown(column, row) for name, column in columns.items()}
        raise InputError(f"data, row {row + 1}", shown, "a combination of levels that the data of the fit can estimate")
    return rows[:, grid.kept]


def _evaluated(cells: Cells, columns: Mapping[str, Factor | Array], n_rows: int) -> Array:
    with np.errstate(all="ignore"):
        return cells.design.rows(columns, n_rows)


def known_fit(fit: MixedFit) -> tuple[Cells, ReferenceGrid]:
    """What a fit remembers of its data frame; refused where it was made from arrays."""
    if fit._cells is None or fit._grid is None:
        raise InputError("fit", "made from arrays", "a fit made from a formula, which can read a data frame")
    return fit._cells, fit._grid


def _shown(column: Factor | Array, row: int) -> object:
    return column.levels[column.codes[row]] if isinstance(column, Factor) else float(column[row])
