"""A table of results: typed cells, which a report or a terminal shows as they stand."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from ..estimate import Interval
from ..plain import plain
from ..text_table import text_table
from ..wording import clean, decimal, p_cell, percent, sentence

__all__ = ["Cell", "Column", "ResultTable"]

Cell = str | int | float | Interval | None


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table of results: what its cells are, and how many decimals they are shown with.

    Attributes
    ----------
    kind
        "text", "count", "number", "percent" (a probability, or an interval of them), "points" (a difference of
        probabilities, in percentage points), "p" (a p-value). A cell of the last five kinds may be an `Interval`.
    """

    name: str
    kind: Literal["text", "count", "number", "percent", "points", "p"] = "text"
    digits: int = 1


@dataclass(frozen=True, slots=True)
class ResultTable:
    """Rows that a report or a terminal shows as they stand; None is a cell without a value."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Title, note and one table a row for a JSON file; an interval as its limits and level."""

        def cell(value: Cell) -> Any:
            if isinstance(value, Interval):
                return {"lower": value.lower, "upper": value.upper, "level": value.level}
            return value

        names = [column.name for column in self.columns]
        rows = [{name: cell(value) for name, value in zip(names, row, strict=True)} for row in self.rows]
        return plain({"title": self.title, "rows": rows, "note": self.note})

    @property
    def text_rows(self) -> tuple[tuple[str, ...], ...]:
        """Cells as text, each by the kind of its column."""
        return tuple(
            tuple(_cell(column, cell) for column, cell in zip(self.columns, row, strict=True)) for row in self.rows
        )

    def __str__(self) -> str:
        header = [clean(column.name) for column in self.columns]
        lines = [clean(self.title), text_table(header, [list(row) for row in self.text_rows])]
        return "\n".join([*lines, sentence(clean(self.note))] if self.note else lines)


def _cell(column: Column, cell: Cell) -> str:
    if cell is None:
        return "–"
    if isinstance(cell, str):
        return clean(cell)
    if isinstance(cell, Interval):
        limits = f"{_number(column, cell.lower)} to {_number(column, cell.upper)}"
        return f"{limits}%" if column.kind == "percent" else limits
    if column.kind == "count":
        return f"{cell:,.0f}" if math.isfinite(cell) else _number(column, cell)
    if column.kind == "p":
        return p_cell(cell)
    if column.kind == "percent" and math.isfinite(cell):
        return percent(cell, column.digits)
    return _number(column, cell)


def _number(column: Column, value: float) -> str:
    return decimal(100 * value if column.kind in ("percent", "points") else value, column.digits)
