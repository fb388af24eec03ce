"""Numbers, names and dates as a reader meets them."""

from __future__ import annotations

import math
import unicodedata
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datetime

    from .protocol import Protocol

__all__ = [
    "arm_label",
    "arm_text",
    "capital",
    "clean",
    "counted",
    "day_text",
    "days",
    "decimal",
    "level_text",
    "listed",
    "measure_label",
    "measure_text",
    "p_cell",
    "p_text",
    "percent",
    "reason",
    "sentence",
    "visit_label",
    "visit_text",
]

MINUS = "\N{MINUS SIGN}"
OVERRIDES = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def clean(text: str) -> str:
    """Text of a protocol on one line, without control characters and overrides of its direction; joiners stay."""
    unfit = {"Cc", "Cs", "Zl", "Zp"}
    return " ".join(
        "".join(" " if unicodedata.category(char) in unfit or char in OVERRIDES else char for char in text).split()
    )


def _rounded(value: float, digits: int) -> str:
    """A finite number rounded half away from zero, as read and not as held: 0.145 is a half, whatever its last bits."""
    step = Decimal(1).scaleb(-digits)
    return f"{Decimal(f'{value:.12g}').quantize(step, ROUND_HALF_UP, Context(prec=400)):f}"


def decimal(value: float | None, digits: int = 1) -> str:
    """A number rounded half up, with a true minus sign; a dash for what is not known, and the sign of infinity."""
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    shown = _rounded(value, digits)
    if float(shown) == 0:
        shown = shown.lstrip("-")
    return shown.replace("-", MINUS)


def percent(probability: float, digits: int = 0) -> str:
    """A probability as a percentage, rounded half up; never 0% or 100% for what is neither."""
    smallest = 10.0**-digits
    value = 100 * probability
    if 0 < value < smallest / 2:
        return f"below {smallest:g}%"
    if 100 - smallest / 2 < value < 100:
        return f"above {100 - smallest:g}%"
    return f"{_rounded(value, digits)}%"


def p_text(value: float | None) -> str:
    """A p-value: "p = 0.023", "p < 0.0001"."""
    if value is None:
        return "p not defined"
    if value < 1e-4:
        return "p < 0.0001"
    return f"p = {value:.4f}" if value < 0.001 else f"p = {value:.3f}" if value < 0.0995 else f"p = {value:.2f}"


def p_cell(value: float | None) -> str:
    """A p-value in a table: "0.023", "<0.0001"."""
    return "–" if value is None else p_text(value).removeprefix("p = ").replace("p < ", "<")


def level_text(level: float) -> str:
    """A confidence level: "95%"."""
    return f"{100 * level:.4g}%"


def counted(count: int, noun: str, plural: str = "") -> str:
    """A count and its noun: "1 patient", "2 patients"."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def capital(text: str) -> str:
    """Text with a capital first, the rest as it is."""
    return text[:1].upper() + text[1:]


def sentence(text: str) -> str:
    """Text as a sentence: a capital first, one full stop last."""
    return capital(text).rstrip(".") + "."


def reason(text: str) -> str:
    """A reason somebody else wrote, to be put into a sentence that has its own full stop."""
    return clean(text).rstrip(". ")


def listed(items: list[str] | tuple[str, ...], word: str = "and") -> str:
    """Items in a row: "a, b and c"."""
    items = list(items)
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {word} {items[-1]}" if items else ""


def day_text(date: datetime.date) -> str:
    """A date in words, the same in every locale: "12 March 2020"."""
    months = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ]
    return f"{date.day} {months[date.month - 1]} {date.year}"


def days(value: float) -> str:
    """A number of days, halves shown only where there are any."""
    return decimal(value, 0 if math.isfinite(value) and value == round(value) else 1)


def arm_label(protocol: Protocol, name: str) -> str:
    """An arm's label for headings and figures."""
    return clean(next((arm.label for arm in protocol.arms if arm.name == name), "") or name)


def arm_text(protocol: Protocol, name: str) -> str:
    """An arm's name inside a sentence: a small letter first unless the label is, or begins with, a proper name."""
    return _inside(arm_label(protocol, name), clean(name))


def visit_label(protocol: Protocol, name: str) -> str:
    """A visit's label for headings and figures."""
    return clean(protocol.visit(name).label or name)


def visit_text(protocol: Protocol, name: str) -> str:
    """A visit's name inside a sentence."""
    return _inside(visit_label(protocol, name), clean(name))


def measure_label(protocol: Protocol, name: str) -> str:
    """A measure's label for headings, or the rating scale's name where no measure is named."""
    return clean(protocol.measure(name).label or name) if name else clean(protocol.scale_name)


def measure_text(protocol: Protocol, name: str) -> str:
    """A measure's name inside a sentence, or the rating scale's."""
    return _inside(measure_label(protocol, name), clean(name)) if name else clean(protocol.scale_name)


def _inside(label: str, name: str) -> str:
    """A label with a small first letter where the protocol's own name has one, or where all its other words are small.

    The first word keeps its capital when the rest of it is no small letters (an acronym, "McKenzie"), when it stands
    alone, and when the protocol's own name is that word with a capital.
    """
    small = label[0].lower() + label[1:]
    if "".join(label.split()).casefold() == "".join(name.split()).casefold() and name[:1].islower():
        return small
    first, *others = label.split()
    common = first[1:].islower() and not any(letter.isupper() for word in others for letter in word)
    return small if others and common and first != name else label
