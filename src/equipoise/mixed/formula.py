"""The mixed model for repeated measures from a formula and a data frame."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .design_matrix import design_matrix, named, outcome_of, parse
from .fit import fit_mmrm
from .fitted_model import DegreesOfFreedom, Method, Variance
from .frame import Factor, label_of, read_column, read_frame
from .individuals import Cells
from .named_structures import CovarianceName
from .reference_grid import ReferenceGrid, cell_frequencies
from .result import MixedFit

__all__ = ["mmrm"]

Array = NDArray[np.floating[Any]]

_RANK_TOLERANCE = 1e-7
_CLEARLY_INDEPENDENT = 1e-6


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
        Columns. The visits need an order: a polars Enum, a pandas Categorical, numbers, or `levels`. The visit is a
        factor in the formula even where it is a number.
    covariance, method, degrees_of_freedom, variance
        As for `fit_mmrm`.
    time
        Column of the time of each row, in any unit, for spatial covariances; it need not be in the formula.
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
    stated = dict(levels or {})
    frame = read_frame(data)
    left, right = parse(formula)
    required = {str(variable) for side in (left, right) for variable in side.required_variables}
    variables = required | ((named(left) | named(right)) & set(frame.columns))
    for name in stated:
        read_column(frame, name, "levels", {})

    subjects = read_column(frame, subject, "subject", {}, as_factor=True)
    visits = read_column(frame, visit, "visit", stated, as_factor=True)
    assert isinstance(subjects, Factor)
    assert isinstance(visits, Factor)
    for column, field in ((subjects, "subject"), (visits, "visit")):
        if (column.codes < 0).any():
            raise InputError(field, column.name, "a column without missing values")
    if not visits.ordered:
        raise InputError(
            "visit",
            visit,
            f"visits in a stated order: a polars Enum, a pandas Categorical, or levels={{{visit!r}: [...]}}",
        )
    columns: dict[str, Factor | Array] = {
        name: visits if name == visit else read_column(frame, name, "formula", stated) for name in sorted(variables)
    }
    for name, level in (reference or {}).items():
        columns[name] = _with_reference(columns.get(name), name, level, visit)
    outcome_names = named(left) & set(columns)
    for name in outcome_names:
        column = columns[name]
        if isinstance(column, Factor):
            raise InputError("formula", name, "an outcome of numbers")
        if np.isnan(column).all():
            raise InputError(name, "all missing", "at least some observed outcomes")
    groups = read_column(frame, group, "group", stated, as_factor=True) if group is not None else None
    weight = read_column(frame, weights, "weights", {}) if weights is not None else None
    if isinstance(weight, Factor):
        raise InputError("weights", weights, "a column of positive numbers")
    clock = read_column(frame, time, "time", {}) if time is not None else None
    if isinstance(clock, Factor):
        raise InputError("time", time, "a column of numbers")

    needed = {column: found for column, found in columns.items() if column not in outcome_names}
    needed |= {name: found for name, found in ((group, groups), (weights, weight), (time, clock)) if name is not None}
    with_outcome = ~_missing_in([columns[name] for name in outcome_names], frame.shape[0])
    used = with_outcome & ~_missing_in(needed.values(), frame.shape[0])
    if not used.any():
        raise InputError("data", "no complete row", "rows with the outcome and every covariate observed")
    notes = _notes_on_missing(needed, with_outcome, used)
    all_visits = _of_levels_used(visits, used, [] if visit in columns else notes)
    assert isinstance(all_visits, Factor)
    columns = {name: _of_levels_used(column, used, notes) for name, column in columns.items()}
    kept = {name: _rows(column, used) for name, column in columns.items()}
    visits = _rows(all_visits, used)
    assert isinstance(visits, Factor)

    n_rows = int(used.sum())
    y = outcome_of(formula, kept, n_rows)
    compiled = design_matrix(formula, kept, n_rows)
    x = compiled.rows(kept, n_rows)
    names = compiled.names
    if not np.isfinite(x).all() or not np.isfinite(y).all():
        raise InputError("formula", formula, "finite values of outcome and covariates")
    factors = {name: column for name, column in kept.items() if isinstance(column, Factor)}

    codes, patient = np.unique(subjects.codes[used], return_inverse=True)
    cell = patient * len(visits.levels) + visits.codes
    found, counts = np.unique(cell, return_counts=True)
    if (counts > 1).any():
        twice = int(found[counts.argmax()])
        who, when = subjects.levels[codes[twice // len(visits.levels)]], visits.levels[twice % len(visits.levels)]
        raise InputError("data", f"{subject} {who} at {visit} {when}", "at most one row a patient and visit")

    root = None if weight is None else np.sqrt(weight[used])
    if root is not None and not (root > 0).all():
        raise InputError("weights", weights, "a column of positive numbers")
    kept_columns, alias = _aliases(x if root is None else x * root[:, None])
    n_patients, n_visits = codes.size, len(visits.levels)
    outcome = np.full((n_patients, n_visits), np.nan)
    outcome[patient, visits.codes] = y
    design = np.zeros((n_patients, n_visits, int(kept_columns.sum())))
    design[patient, visits.codes] = x[:, kept_columns]
    weight_array = None
    if weight is not None:
        weight_array = np.ones((n_patients, n_visits))
        weight_array[patient, visits.codes] = weight[used]
    time_array = None
    if clock is not None:
        time_array = np.full((n_patients, n_visits), np.nan)
        time_array[patient, visits.codes] = clock[used]
    group_array, group_names = _grouped(groups, used, patient, n_patients, subjects, codes)

    if not kept_columns.all():
        aliased = ", ".join(name for name, keep in zip(names, kept_columns, strict=True) if not keep)
        notes.append(f"left out as combinations of the columns before them: {aliased}")
    fit = fit_mmrm(
        outcome,
        design,
        names=[name for name, keep in zip(names, kept_columns, strict=True) if keep],
        method=method,
        degrees_of_freedom=degrees_of_freedom,
        covariance=covariance,
        times=time_array,
        group=group_array,
        weights=weight_array,
        variance=variance,
        visits=visits.levels,
        groups=group_names,
    )
    grid = ReferenceGrid(
        design=compiled,
        factors={name: column.levels for name, column in factors.items() if name not in outcome_names},
        means={
            name: float(column.mean())
            for name, column in kept.items()
            if not isinstance(column, Factor) and name in compiled.variables
        },
        kept=kept_columns,
        alias=alias,
        frequencies=cell_frequencies(column for name, column in factors.items() if name not in outcome_names),
    )
    cells = Cells.remember(
        columns,
        compiled,
        outcome_names,
        subjects,
        codes,
        all_visits,
        used,
        group=group,
        weights=weights,
        time=time,
    )
    absent = len(np.unique(subjects.codes)) - n_patients
    return replace(
        fit,
        notes=(*notes, *fit.notes),
        n_patients_dropped=absent,
        formula=formula,
        patients=tuple(subjects.levels[code] for code in codes),
        _cells=cells,
        _grid=grid,
    )


def _with_reference(column: Factor | Array | None, name: str, level: object, visit: str) -> Factor:
    """The factor with one level moved before the others."""
    if not isinstance(column, Factor) or name == visit:
        raise InputError("reference", name, "a factor of the formula other than the visit")
    label = label_of(level)
    if label not in column.levels:
        raise InputError(f"reference[{name!r}]", level, f"one of {list(column.levels)}")
    at = column.levels.index(label)
    order = [at, *(index for index in range(len(column.levels)) if index != at)]
    moved = np.append(np.argsort(order), -1)
    return replace(column, levels=tuple(column.levels[index] for index in order), codes=moved[column.codes])


def _missing_in(columns: Iterable[Factor | Array | None], n_rows: int) -> NDArray[np.bool_]:
    """(rows,) whether any of the columns is missing."""
    missing = np.zeros(n_rows, dtype=bool)
    for column in columns:
        if column is not None:
            missing |= column.codes < 0 if isinstance(column, Factor) else np.isnan(column)
    return missing


def _notes_on_missing(
    needed: Mapping[str, Factor | Array | None], with_outcome: NDArray[np.bool_], used: NDArray[np.bool_]
) -> list[str]:
    """How many rows are left out, and for want of what."""
    notes = []
    if not with_outcome.all():
        notes.append(f"{int((~with_outcome).sum())} rows without an outcome left out")
    if (with_outcome & ~used).any():
        counts = {name: int((_missing_in([column], used.size) & with_outcome).sum()) for name, column in needed.items()}
        wanting = ", ".join(f"{name} missing in {count}" for name, count in counts.items() if count)
        notes.append(f"{int((with_outcome & ~used).sum())} rows with an outcome left out: {wanting}")
    return notes


def _of_levels_used(column: Factor | Array, used: NDArray[np.bool_], notes: list[str]) -> Factor | Array:
    """The column without levels that no row used has: dropped with a note if found in the data, refused if stated."""
    if not isinstance(column, Factor):
        return column
    present = np.bincount(column.codes[used], minlength=len(column.levels)) > 0
    if present.all():
        return column
    empty = [level for level, there in zip(column.levels, present, strict=True) if not there]
    if column.stated:
        raise InputError(column.name, empty[0], "every level to have a row with outcome and covariates observed")
    notes.append(f"no row used has {column.name} {', '.join(empty)}; left out of its levels")
    levels = tuple(level for level, there in zip(column.levels, present, strict=True) if there)
    renumbered = np.append(np.where(present, np.cumsum(present) - 1, -1), -1)
    return replace(column, levels=levels, codes=renumbered[column.codes])


def _rows(column: Factor | Array, used: NDArray[np.bool_]) -> Factor | Array:
    return replace(column, codes=column.codes[used]) if isinstance(column, Factor) else column[used]


def _aliases(x: Array) -> tuple[NDArray[np.bool_], Array]:
    """Which columns to keep, going from left to right, and the others as combinations of them (kept, left out)."""
    kept = np.ones(x.shape[1], dtype=bool)
    lengths = np.sqrt(np.einsum("np,np->p", x, x))
    if (lengths > 0).all() and x.shape[1] <= x.shape[0]:
        cosines = (x.T @ x) / np.outer(lengths, lengths)
        if np.linalg.eigvalsh(cosines)[0] > _CLEARLY_INDEPENDENT:
            return kept, np.empty((x.shape[1], 0))
    basis = np.empty((x.shape[0], 0))
    for index in range(x.shape[1]):
        rest = x[:, index]
        for _ in range(2):
            rest = rest - basis @ (basis.T @ rest)
        length = float(np.linalg.norm(rest))
        if length <= _RANK_TOLERANCE * float(np.linalg.norm(x[:, index])):
            kept[index] = False
        else:
            basis = np.column_stack([basis, rest / length])
    alias = np.linalg.lstsq(x[:, kept], x[:, ~kept], rcond=None)[0]
    return kept, alias


def _grouped(
    groups: Factor | Array | None,
    used: NDArray[np.bool_],
    patient: NDArray[np.intp],
    n_patients: int,
    subjects: Factor,
    codes: NDArray[np.intp],
) -> tuple[NDArray[np.intp] | None, tuple[str, ...] | None]:
    """Covariance group of each patient, and the names of the groups."""
    if groups is None:
        return None, None
    assert isinstance(groups, Factor)
    of_row = groups.codes[used]
    of_patient = np.empty(n_patients, dtype=np.intp)
    of_patient[patient] = of_row
    if (of_patient[patient] != of_row).any():
        row = int(np.flatnonzero(of_patient[patient] != of_row)[0])
        raise InputError(groups.name, subjects.levels[codes[patient[row]]], "one covariance group a patient")
    return of_patient, tuple(groups.levels[code] for code in np.unique(of_patient))
