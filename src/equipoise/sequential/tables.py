"""Plain-text tables and JSON numbers for the objects of this room."""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = ["number", "text_table"]


def number(value: float | None) -> float | None:
    """A finite float, or None for what JSON cannot hold."""
    return None if value is None or not math.isfinite(value) else float(value)


def text_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Right-aligned columns under their headings, two spaces apart."""
    widths = [max(len(row[column]) for row in (headings, *rows)) for column in range(len(headings))]
    return "\n".join(
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in (headings, *rows)
    )
