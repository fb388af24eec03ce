"""Tables of numbers that read well, as text and as HTML."""

from __future__ import annotations

import html
import math
import textwrap
from collections.abc import Iterable, Sequence

__all__ = [
    "WIDTH",
    "aligned",
    "common_decimals",
    "decimals_for",
    "format_degrees",
    "format_p",
    "html_table",
    "intervals",
    "level_text",
    "statistic_head",
    "table",
    "titled",
    "wrapped",
]

WIDTH = 120

_MOST_DECIMALS = 7
_MOST_DIGITS = 9


def table(heads: Sequence[str], body: Sequence[Sequence[str]], *, left: int = 1) -> str:
    """Aligned columns; the first `left` of them to the left, the others to the right."""
    widths = [max(len(row[index]) for row in [heads, *body]) for index in range(len(heads))]
    lines = []
    for row in [heads, *body]:
        cells = [
            cell.ljust(width) if index < left else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def html_table(heads: Sequence[str], body: Sequence[Sequence[str]], *, left: int = 1, caption: str = "") -> str:
    """An HTML table without styles beyond alignment, its text escaped; the first `left` columns name the row."""

    def cell(tag: str, text: str, index: int) -> str:
        side = "left" if index < left else "right"
        scope = {"thead": ' scope="col"', "th": ' scope="row"', "td": ""}[tag]
        name = "td" if tag == "td" else "th"
        return f'<{name}{scope} style="text-align:{side}">{html.escape(text.strip())}</{name}>'

    lines = ["<table>"]
    if caption:
        lines.append(f'<caption style="text-align:left">{html.escape(caption)}</caption>')
    lines.append(
        "<thead><tr>" + "".join(cell("thead", head, index) for index, head in enumerate(heads)) + "</tr></thead>"
    )
    lines.append("<tbody>")
    for row in body:
        cells = (cell("th" if index < left else "td", text, index) for index, text in enumerate(row))
        lines.append("<tr>" + "".join(cells) + "</tr>")
    lines += ["</tbody>", "</table>"]
    return "\n".join(lines)


def decimals_for(standard_error: float | None) -> int | None:
    """Decimals that show three significant digits of a standard error; None where that needs powers of ten."""
    if standard_error is None or not (math.isfinite(standard_error) and standard_error > 0):
        return 3
    wanted = 2 - math.floor(math.log10(standard_error))
    return None if wanted > _MOST_DECIMALS or wanted < 2 - _MOST_DIGITS else max(0, wanted)


def common_decimals(standard_errors: Sequence[float | None]) -> list[int | None]:
    """The same decimals for all numbers of one unit, those that the smallest standard error needs."""
    each = [decimals_for(error) for error in standard_errors if error is not None]
    known = [places for places in each if places is not None]
    whole = max(known) if known and len(known) == len(each) else None if each else 3
    return [whole] * len(standard_errors)


def aligned(values: Sequence[float | None], decimals: Sequence[int | None], gap: str = "") -> list[str]:
    """Numbers of one column with the decimals of their row, their decimal points below each other.

    A missing value becomes `gap`; one that no fixed number of decimals suits is written with a power of ten.
    """
    texts: list[tuple[str, int | None]] = []
    for value, places in zip(values, decimals, strict=True):
        if value is None:
            texts.append((gap, None))
        elif math.isinf(value):
            texts.append(("inf" if value > 0 else "-inf", None))
        elif places is None or abs(value) >= 10**_MOST_DIGITS:
            texts.append((f"{value:.3e}", None))
        else:
            texts.append((f"{value:.{places}f}", places + (places > 0)))
    tail = max((length for _, length in texts if length is not None), default=0)
    return [text if length is None else text + " " * (tail - length) for text, length in texts]


def intervals(limits: Sequence[tuple[float, float] | None], decimals: Sequence[int | None], gap: str = "") -> list[str]:
    """Intervals as "lower to upper", aligned on both."""
    lower = aligned([None if pair is None else pair[0] for pair in limits], decimals)
    upper = aligned([None if pair is None else pair[1] for pair in limits], decimals)
    left, right = (max((len(text) for text in column), default=0) for column in (lower, upper))
    return [
        gap if pair is None else f"{low.rjust(left)} to {high.rjust(right)}"
        for pair, low, high in zip(limits, lower, upper, strict=True)
    ]


def format_p(value: float | None) -> str:
    """A p-value to four decimals."""
    if value is None:
        return ""
    return "<0.0001" if value < 1e-4 else f"{value:.4f}"


def format_degrees(value: float | None) -> str:
    """Degrees of freedom to one decimal."""
    if value is None:
        return ""
    return "inf" if math.isinf(value) else f"{value:.1f}"


def level_text(level: float) -> str:
    """A confidence level in per cent."""
    return f"{100 * level:.10g} %"


def statistic_head(degrees_of_freedom: Iterable[float]) -> str:
    """What a column of estimates over their standard errors is called: z where all are normal."""
    return "z" if all(math.isinf(value) for value in degrees_of_freedom) else "t"


def titled(what: str, by: Sequence[str], where: str) -> str:
    """What a table shows, within what, and where."""
    return "; ".join(part for part in (what + (f" by {' and '.join(by)}" if by else ""), where) if part)


def wrapped(text: str) -> str:
    """A long line as several."""
    return textwrap.fill(text, WIDTH, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)
