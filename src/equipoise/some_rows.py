"""Some rows of arrays, without a copy where they are all, and rows that differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["are_all_rows", "distinct_rows", "index_of_rows"]


def are_all_rows(rows: NDArray[np.intp], total: int) -> bool:
    """Whether rows are all of `total`, in their order; as many in another order are not."""
    return len(rows) == total and bool((rows == np.arange(total)).all())


def index_of_rows(rows: NDArray[np.intp], total: int) -> slice | NDArray[np.intp]:
    """What takes these rows of an array that has `total` of them: where they are all, its own values and no copy."""
    return slice(None) if are_all_rows(rows, total) else rows


def distinct_rows(rows: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """The distinct rows of a table, NaN equal to NaN, and which of them each row is."""
    code, first = np.zeros(len(rows), dtype=np.intp), np.zeros(0, dtype=np.intp)
    for column in rows.T:
        values, place = np.unique(column, return_inverse=True)
        _, first, code = np.unique(code * values.size + place, return_index=True, return_inverse=True)
    return rows[first], code
