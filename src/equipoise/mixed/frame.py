"""Columns of a data frame as factors and covariates."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError

__all__ = ["Factor", "is_missing", "label_of", "read_column", "read_factor", "read_frame", "read_numbers", "rows_of"]

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Factor:
    """A column of labels.

    Attributes
    ----------
    levels
        In order; the first is the reference.
    codes
        (rows,) index of each row's level, -1 where missing.
    ordered
        Whether the order of the levels was stated, by the caller or by the column's type.
    stated
        Whether the levels themselves were, rather than found in the column.
    """

    name: str
    levels: tuple[str, ...]
    codes: NDArray[np.intp]
    ordered: bool
    stated: bool = True


def label_of(value: object) -> str:
    """A value as a factor level, named as R names it."""
    if isinstance(value, (bool, np.bool_)):
        return "TRUE" if value else "FALSE"
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    return str(value)


def read_frame(data: Any) -> Any:
    """Any data frame as an eager narwhals frame."""
    import narwhals.stable.v2 as nw
    from narwhals.exceptions import DuplicateError

    try:
        frame = nw.from_native(data)
        if isinstance(frame, nw.LazyFrame):
            frame = frame.collect()
        names = list(frame.columns)
        rows = frame.shape[0]
    except TypeError:
        raise InputError("data", type(data).__name__, "a data frame (polars, pandas, pyarrow, ...)") from None
    except DuplicateError:
        raise InputError("data", "two columns of one name", "columns that each have a name of their own") from None
    for name in names:
        if not isinstance(name, str):
            raise InputError("data", name, "columns named by text")
    if rows == 0:
        raise InputError("data", "empty", "at least one row")
    return frame


def _series(frame: Any, name: Any, field: str) -> Any:
    """One column; refused where there is none of that name or of a kind that cannot be read."""
    import narwhals.stable.v2 as nw

    if not isinstance(name, str) or name not in frame.columns:
        near = difflib.get_close_matches(name, frame.columns, n=1) if isinstance(name, str) else []
        hint = f"a column of the data; the nearest is {near[0]!r}" if near else f"one of {list(frame.columns)}"
        raise InputError(field, name, hint)
    series = frame[name]
    kind = series.dtype
    known = kind.is_numeric() or kind in (nw.String, nw.Categorical, nw.Enum, nw.Boolean, nw.Object)
    if not known:
        if series.is_null().all():
            raise InputError(name, "all missing", "a column with values")
        raise InputError(field, f"{name} ({kind})", "a column of numbers, labels or truth values")
    return series


def read_column(frame: Any, name: str, field: str, levels: Mapping[str, Sequence[object]]) -> Factor | Array:
    """One column as the formula takes it: a factor if of labels or truth values or named in `levels`, else numbers."""
    if name not in levels and _series(frame, name, field).dtype.is_numeric():
        return read_numbers(frame, name, field)
    return read_factor(frame, name, field, levels)


def read_numbers(frame: Any, name: str, field: str, expected: str = "a column of numbers") -> Array:
    """One column as float numbers, NaN where missing; labels and infinite numbers are refused."""
    import narwhals.stable.v2 as nw

    series = _series(frame, name, field)
    if not series.dtype.is_numeric():
        raise InputError(field, name, expected)
    missing = series.is_null().to_numpy().astype(bool)
    found = np.where(missing, np.nan, series.cast(nw.Float64).to_numpy()).astype(np.float64)
    if np.isinf(found).any():
        raise InputError(name, f"infinite in row {int(np.isinf(found).argmax()) + 1}", "finite numbers")
    return found


def read_factor(frame: Any, name: str, field: str, levels: Mapping[str, Sequence[object]]) -> Factor:
    """One column as a factor, with the levels stated or those found in it."""
    import narwhals.stable.v2 as nw

    series = _series(frame, name, field)
    kind = series.dtype
    nulls = series.is_null().to_list()
    values: list[object] = [None if null else value for value, null in zip(series.to_list(), nulls, strict=True)]
    try:
        numbering = {value: at for at, value in enumerate(dict.fromkeys(values))}
    except TypeError:
        raise InputError(field, f"{name} ({kind})", "a column of numbers, labels or truth values") from None
    number = np.fromiter(map(numbering.__getitem__, values), dtype=np.intp, count=len(values))
    present = {value: at for value, at in numbering.items() if value is not None and value == value}

    ordered = is_stated = True
    if name in levels:
        stated = _stated(name, levels[name])
    elif kind == nw.Enum or (kind == nw.Categorical and frame.implementation.is_pandas_like()):
        # A pandas Categorical without an order is a Categorical here, one with an order an Enum.
        stated = tuple(label_of(level) for level in series.cat.get_categories().to_list())
        ordered = kind == nw.Enum
    else:
        ordered, is_stated = kind.is_numeric() or kind == nw.Boolean, False
        stated = tuple(label_of(v) for v in sorted(present, key=None if ordered else label_of))  # type: ignore[type-var, arg-type]
    index = {level: code for code, level in enumerate(stated)}
    code_of_number = np.full(len(numbering), -1, dtype=np.intp)
    for value, at in present.items():
        label = label_of(value)
        if label not in index:
            raise InputError(name, label, f"one of the levels {list(stated)}")
        code_of_number[at] = index[label]
    return Factor(name, stated, code_of_number[number], ordered, is_stated)


def _stated(name: str, levels: Any) -> tuple[str, ...]:
    """Levels as stated, in order."""
    if isinstance(levels, str | Mapping | set | frozenset) or not isinstance(levels, Iterable):
        raise InputError(f"levels[{name!r}]", levels, "a list of levels in their order")
    stated = tuple(label_of(level) for level in levels)
    if len(set(stated)) != len(stated):
        raise InputError(f"levels[{name!r}]", stated, "levels that differ from each other")
    return stated


def is_missing(column: Factor | Array) -> NDArray[np.bool_]:
    """(rows,) where a column is missing."""
    return column.codes < 0 if isinstance(column, Factor) else np.isnan(column)


def rows_of(column: Factor | Array, chosen: NDArray[np.bool_]) -> Factor | Array:
    """Some rows of a column."""
    return replace(column, codes=column.codes[chosen]) if isinstance(column, Factor) else column[chosen]
