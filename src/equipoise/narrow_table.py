"""Tables of text that stay within the width of a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .table import Table

__all__ = ["WIDTH", "narrow_text", "wrapped"]

WIDTH = 100
"""Characters of a line."""
_MOST_LINES = 3


def narrow_text(table: Table, keys: int = 1, width: int = WIDTH) -> str:
    """A table without its title and note: headings broken into lines, and columns that do not fit below the others.

    Parameters
    ----------
    keys
        How many columns name a row, the first of them flush left; they stand before every block of columns.
    width
        Characters of a line; more only where the names of the rows and one column take more.
    """
    rows = table.rows
    columns = range(len(table.header))
    widths = [max((len(row[at]) for row in rows), default=0) for at in columns]
    widths = [
        max(size, -(-len(heading) // _MOST_LINES), *map(len, heading.split() or [""]))
        for size, heading in zip(widths, table.header, strict=True)
    ]
    blocks: list[list[int]] = [[]]
    room = used = width - sum(widths[:keys]) - 2 * (keys - 1)
    for at in columns[keys:]:
        used -= 2 + widths[at]
        if used < 0 and blocks[-1]:
            blocks.append([])
            used = room - 2 - widths[at]
        blocks[-1].append(at)
    names = list(columns[:keys])
    return "\n\n".join(_block(table, [*names, *block], widths) for block in blocks)


def wrapped(text: str, width: int = WIDTH) -> list[str]:
    """A text as lines of a terminal, broken between words; none of an empty one."""
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)


def _block(table: Table, columns: Sequence[int], widths: Sequence[int]) -> str:
    headings = [_broken(table.header[at], widths[at]) for at in columns]
    height = max(map(len, headings))
    above = [[""] * (height - len(heading)) + heading for heading in headings]
    lines = [[heading[line] for heading in above] for line in range(height)]
    lines += [[row[at] for at in columns] for row in table.rows]
    return "\n".join(_line(cells, [widths[at] for at in columns]) for cells in lines)


def _broken(heading: str, width: int) -> list[str]:
    return wrapped(heading, max(width, 1)) or [""]


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = (
        cell.ljust(width) if at == 0 else cell.rjust(width)
        for at, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join([first, *others]).rstrip()
