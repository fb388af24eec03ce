"""A table of text: what the page shows, and what `print` shows of it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Table"]


@dataclass(frozen=True)
class Table:
    """A table of text: one header, rows of as many cells, the first column naming the row.

    Attributes
    ----------
    title, note
        Above and below the table; the note may be empty.
    header, rows
        Cells.
    """

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""

    @property
    def is_wide(self) -> bool:
        """Whether the rows are wider than a page, so that their cells are broken into lines."""
        longest = [max((len(row[at]) for row in self.rows), default=0) for at in range(len(self.header))]
        return len(self.header) > 9 or sum(longest) > 140

    def __str__(self) -> str:
        widths = [max(len(row[at]) for row in (self.header, *self.rows)) for at in range(len(self.header))]

        def line(row: tuple[str, ...]) -> str:
            return "  ".join(
                cell.ljust(width) if at == 0 else cell.rjust(width)
                for at, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()

        return "\n".join([self.title, line(self.header), *map(line, self.rows), *([self.note] if self.note else [])])
