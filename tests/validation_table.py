"""Tables of docs/validation.md: how numbers and differences are written."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

COLUMNS = ("What", "Source", "Theirs", "Ours", "Difference")


@dataclass(frozen=True)
class Table:
    """Rows of text under their headings."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def __str__(self) -> str:
        lines = [self.columns, ("---",) * len(self.columns), *self.rows]
        return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


@dataclass(frozen=True)
class Section:
    """A heading, what is to be said, and tables."""

    title: str
    text: str
    tables: tuple[Table, ...]

    def __str__(self) -> str:
        return "\n\n".join([f"## {self.title}", self.text.strip(), *map(str, self.tables)])


def number(value: float, digits: int = 8) -> str:
    """At most `digits` significant digits: few enough that the last bits of a computation cannot be seen."""
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    mantissa, *exponent = f"{value + 0.0:.{digits}g}".split("e")
    return (mantissa + "".join(f"e{int(power)}" for power in exponent)).replace("-", "−")


def numbers(values: Iterable[float], digits: int = 8) -> str:
    return ", ".join(number(float(value), digits) for value in values)


def upper_power(difference: float, floor: float = 1e-12) -> str:
    """The smallest power of ten above a difference, not below `floor`."""
    exponent = round(math.log10(floor))
    while difference >= 10.0**exponent:
        exponent += 1
    return f"< 1e{exponent}".replace("-", "−")


def largest(ours: Sequence[float], theirs: Sequence[float], relative: bool = False) -> float:
    """The largest difference; where both are infinite, none."""
    first, second = np.asarray(ours, dtype=float), np.asarray(theirs, dtype=float)
    finite = ~(np.isinf(first) & (first == second))
    gaps = np.abs(first[finite] - second[finite])
    if relative:
        gaps = gaps / np.abs(second[finite])
    return float(gaps.max(initial=0.0))


def row(
    what: str,
    source: str,
    theirs: Sequence[float],
    ours: Sequence[float],
    *,
    digits: int = 8,
    relative: bool = False,
    floor: float = 1e-12,
) -> tuple[str, ...]:
    """One row under `COLUMNS`."""
    gap = upper_power(largest(ours, theirs, relative), floor)
    return what, source, numbers(theirs, digits), numbers(ours, digits), gap


def printed_row(
    what: str, source: str, theirs: Sequence[float], ours: Sequence[float], decimals: int
) -> tuple[str, ...]:
    """A row whose reference was printed to so many decimals."""
    gap = largest(ours, theirs)
    agrees = gap <= 0.50001 * 10.0**-decimals
    values = ", ".join(f"{value:.{decimals}f}".replace("-", "−") for value in theirs)
    return what, source, values, numbers(ours, 8), "none in the digits printed" if agrees else upper_power(gap)
