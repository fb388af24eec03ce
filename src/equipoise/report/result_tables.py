"""Tables that endpoints bring with their results, as text."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..estimate import Interval
from ..trial import NotAnalysed
from ..wording import clean, decimal, p_cell, percent, sentence
from .table import Table

if TYPE_CHECKING:
    from ..endpoints import ResultTable
    from ..endpoints.results import Cell, Column
    from ..trial import TrialResult

__all__ = ["endpoint_result_tables", "text_of"]


def text_of(table: ResultTable) -> Table:
    """A table of results as text, each cell by the kind of its column."""
    rows = tuple(
        tuple(_cell(column, cell) for column, cell in zip(table.columns, row, strict=True)) for row in table.rows
    )
    header = tuple(clean(column.name) for column in table.columns)
    return Table(clean(table.title), header, rows, sentence(clean(table.note)) if table.note else "")


def endpoint_result_tables(result: TrialResult) -> list[Table]:
    """Those of every endpoint that was analysed, the primary first."""
    return [
        text_of(table)
        for item in (result.primary, *result.secondary)
        if not isinstance(item, NotAnalysed)
        for table in item.tables
    ]


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
