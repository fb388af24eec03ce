"""Counts of patients with an event, as users give them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["counts_of", "one_table", "tables_of", "tables_text"]


def counts_of(
    events: ArrayLike, total: ArrayLike, group: str = "", least: int = 1
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Events and patients of one group, in shapes that broadcast.

    Raises
    ------
    InputError
        For counts that are not whole, negative or above their total, or totals below `least`.
    """
    try:
        given_events, given_total = np.asarray(events, dtype=float), np.asarray(total, dtype=float)
    except (TypeError, ValueError):
        raise InputError(f"events{group}, total{group}", (events, total), "whole numbers") from None
    if not (np.all(np.isfinite(given_total)) and np.all(given_total >= least) and np.all(given_total % 1 == 0)):
        raise InputError(f"total{group}", total, f"a whole number of patients, at least {least}")
    try:
        inside = np.all(given_events >= 0) and np.all(given_events <= given_total)
    except ValueError:
        shapes = given_events.shape, given_total.shape
        raise InputError(f"events{group}, total{group}", shapes, "arrays of shapes that fit each other") from None
    if not (inside and np.all(given_events % 1 == 0)):
        raise InputError(f"events{group}", events, f"a whole number from 0 to the total, {total}")
    return given_events, given_total


def tables_of(
    events1: ArrayLike, total1: ArrayLike, events2: ArrayLike, total2: ArrayLike, least: int = 1
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Events and patients of two groups, each of the shape to which all four broadcast.

    Raises
    ------
    InputError
        As `counts_of`, and for shapes that do not fit each other.
    """
    parts = (*counts_of(events1, total1, "1", least), *counts_of(events2, total2, "2", least))
    try:
        one, two, three, four = np.broadcast_arrays(*parts)
    except ValueError:
        shapes = tuple(part.shape for part in parts)
        raise InputError("events1, total1, events2, total2", shapes, "shapes that fit each other") from None
    return one, two, three, four


def one_table(events1: int, total1: int, events2: int, total2: int) -> tuple[int, int, int, int]:
    """The four counts of a single table; raises `InputError` as `tables_of`, and for arrays."""
    for group, events, total in (("1", events1, total1), ("2", events2, total2)):
        count, size = counts_of(events, total, group)
        if count.ndim or size.ndim:
            raise InputError(f"events{group}, total{group}", (events, total), "one count and one total")
    return int(events1), int(total1), int(events2), int(total2)


def tables_text(events1: float, total1: float, events2: float, total2: float) -> str:
    """A table in words, for messages: "3/20 and 5/21"."""
    return f"{events1:.0f}/{total1:.0f} and {events2:.0f}/{total2:.0f}"
