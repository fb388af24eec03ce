"""The columns of a data frame that a model needs, read and checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .design_matrix import categorical, named, parse
from .frame import Factor, is_missing, label_of, read_column, read_factor, read_frame, read_numbers, rows_of

__all__ = ["ModelTable", "read_model_table"]

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class ModelTable:
    """One row a patient and visit, as given; `used` tells the rows that enter.

    Attributes
    ----------
    columns
        Those of the formula, the outcome among them.
    outcome_names
        Columns on the left of the formula.
    group, weights, times
        Covariance group, weight and time of each row, where asked for.
    used
        (rows,) whether the outcome and everything else is there.
    notes
        What was left out, and why.
    """

    subjects: Factor
    visits: Factor
    columns: dict[str, Factor | Array]
    outcome_names: frozenset[str]
    group: Factor | None
    weights: Array | None
    times: Array | None
    used: NDArray[np.bool_]
    notes: tuple[str, ...]

    @property
    def rows_used(self) -> dict[str, Factor | Array]:
        """The columns of the formula in the rows used."""
        return {name: rows_of(column, self.used) for name, column in self.columns.items()}


def read_model_table(
    formula: str,
    data: Any,
    *,
    subject: str,
    visit: str,
    group: str | None,
    weights: str | None,
    time: str | None,
    levels: Any,
    reference: Any,
) -> ModelTable:
    """Read what a model needs; raises `InputError` for whatever cannot be right."""
    stated = _mapping("levels", levels, "a list of levels for each column, e.g. {'arm': ['placebo', 'active']}")
    references = _mapping("reference", reference, "a level for each factor, e.g. {'arm': 'placebo'}")
    frame = read_frame(data)
    left, right = parse(formula)
    for name in stated:
        read_factor(frame, name, "levels", stated)
    subjects = _complete(read_factor(frame, subject, "subject", {}), "subject")
    visits = _complete(read_factor(frame, visit, "visit", stated), "visit")
    if not visits.ordered:
        known = f"a polars Enum, an ordered pandas Categorical, or levels={{{visit!r}: [...]}}"
        raise InputError("visit", visit, f"visits in a stated order: {known}")

    required = {str(variable) for side in (left, right) for variable in side.required_variables}
    possible = (named(left) | named(right)) & set(frame.columns)
    columns: dict[str, Factor | Array] = {}
    for name in sorted(required | possible):
        read = read_factor if name in categorical(right) else read_column
        columns[name] = visits if name == visit else read(frame, name, "formula", stated)
    for name, level in references.items():
        columns[name] = _with_reference(columns.get(name), name, level, visit)
    outcomes = named(left) & set(columns)
    for name in outcomes:
        column = columns[name]
        if isinstance(column, Factor):
            raise InputError("formula", name, "an outcome of numbers")
        if np.isnan(column).all():
            raise InputError(name, "all missing", "at least some observed outcomes")

    groups = None if group is None else read_factor(frame, group, "group", stated)
    weight = None if weights is None else read_numbers(frame, weights, "weights", "a column of positive numbers")
    clock = None if time is None else read_numbers(frame, time, "time")
    needed: dict[str, Factor | Array] = {name: column for name, column in columns.items() if name not in outcomes}
    for name, column in ((group, groups), (weights, weight), (time, clock)):
        if name is not None and column is not None:
            needed[name] = column
    with_outcome = ~_missing_in(columns[name] for name in outcomes)
    used = with_outcome & ~_missing_in([subjects, *needed.values()])
    if not used.any():
        raise InputError("data", "no complete row", "rows with the outcome and every covariate observed")
    if weight is not None and not (weight[used] > 0).all():
        raise InputError("weights", weights, "a column of positive numbers")

    notes = _notes_on_missing(needed, with_outcome, used)
    visits, note = _of_levels_used(visits, used)
    notes += [note] if note else []
    for name, column in columns.items():
        if isinstance(column, Factor):
            columns[name], note = _of_levels_used(column, used)
            notes += [note] if note and note not in notes else []
    return ModelTable(subjects, visits, columns, frozenset(outcomes), groups, weight, clock, used, tuple(notes))


def _mapping(field: str, given: Any, expected: str) -> Mapping[str, Any]:
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise InputError(field, given, expected)
    return given


def _complete(column: Factor, field: str) -> Factor:
    if is_missing(column).any():
        raise InputError(field, column.name, "a column without missing values")
    return column


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


def _missing_in(columns: Iterable[Factor | Array]) -> NDArray[np.bool_]:
    """(rows,) whether any of the columns is missing."""
    return np.logical_or.reduce([is_missing(column) for column in columns])


def _notes_on_missing(
    needed: Mapping[str, Factor | Array], with_outcome: NDArray[np.bool_], used: NDArray[np.bool_]
) -> list[str]:
    """How many rows are left out, and for want of what."""
    notes = []
    if not with_outcome.all():
        notes.append(f"{_rows(~with_outcome)} without an outcome left out")
    if (with_outcome & ~used).any():
        counts = {name: int((is_missing(column) & with_outcome).sum()) for name, column in needed.items()}
        wanting = ", ".join(f"{name} missing in {count}" for name, count in counts.items() if count)
        notes.append(f"{_rows(with_outcome & ~used)} with an outcome left out: {wanting}")
    return notes


def _rows(chosen: NDArray[np.bool_]) -> str:
    count = int(chosen.sum())
    return f"{count} row{'' if count == 1 else 's'}"


def _of_levels_used(column: Factor, used: NDArray[np.bool_]) -> tuple[Factor, str]:
    """The factor without levels that no row used has, and a note of them.

    Levels found in the data are dropped, as R does; levels that were stated are refused.
    """
    codes = column.codes[used]
    present = np.bincount(codes[codes >= 0], minlength=len(column.levels)) > 0
    if present.all():
        return column, ""
    empty = [level for level, there in zip(column.levels, present, strict=True) if not there]
    if column.stated:
        raise InputError(column.name, empty[0], "every level to have a row with outcome and covariates observed")
    levels = tuple(level for level, there in zip(column.levels, present, strict=True) if there)
    renumbered = np.append(np.where(present, np.cumsum(present) - 1, -1), -1)
    note = f"no row used has {column.name} {', '.join(empty)}; left out of its levels"
    return replace(column, levels=levels, codes=renumbered[column.codes]), note
