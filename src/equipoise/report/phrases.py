"""Numbers, names and effects as a reader meets them; all that a report prints passes through here."""

from __future__ import annotations

import math
import unicodedata
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import TYPE_CHECKING

from ..estimate import Better, Estimate, Interval, Scale

if TYPE_CHECKING:
    import datetime

    from ..protocol import Protocol
    from ..trial import TrialResult

__all__ = [
    "FOLLOWED",
    "EffectPhrases",
    "arm_label",
    "arm_text",
    "clean",
    "counted",
    "day_text",
    "days",
    "decimal",
    "level_text",
    "listed",
    "p_cell",
    "p_text",
    "percent",
    "reason",
    "sentence",
    "visit_label",
    "visit_text",
]

MINUS = "\N{MINUS SIGN}"
SMALLEST = 1e-6
FOLLOWED = "all randomised by the deciding look, followed to the end"
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


def sentence(text: str) -> str:
    """Text as a sentence: a capital first, one full stop last."""
    return text[:1].upper() + text[1:].rstrip(".") + "."


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


@dataclass(frozen=True)
class EffectPhrases:
    """How effects of one comparison are said: experimental against control, on the scale of an estimate.

    Attributes
    ----------
    scale, better, null_value
        Of the estimate.
    measure
        What is measured: the rating scale's name, or "responders".
    experimental, control
        The arms as they stand inside a sentence.
    """

    scale: Scale
    better: Better
    null_value: float
    measure: str
    experimental: str
    control: str

    @classmethod
    def of(cls, result: TrialResult, estimate: Estimate, arm: str | None = None) -> EffectPhrases:
        """For an estimate of a trial; `arm` is the protocol's experimental arm unless named."""
        protocol = result.protocol
        measure = clean(protocol.outcome.scale) if estimate.scale is Scale.MEAN_DIFFERENCE else "responders"
        return cls(
            estimate.scale,
            estimate.better,
            estimate.null_value,
            measure,
            arm_text(protocol, arm or protocol.experimental.name),
            arm_text(protocol, protocol.control.name),
        )

    @property
    def digits(self) -> int:
        """Decimals of a printed effect."""
        return 2 if self.scale.is_logarithmic or self.scale is Scale.STANDARDISED_MEAN_DIFFERENCE else 1

    @property
    def unit(self) -> str:
        """Unit of a printed effect; empty for ratios."""
        return {Scale.MEAN_DIFFERENCE: "points", Scale.RISK_DIFFERENCE: "percentage points"}.get(self.scale, "")

    @property
    def axis(self) -> str:
        """Label of an axis of effects, with its unit."""
        if self.scale is Scale.MEAN_DIFFERENCE:
            return f"Difference in {self.measure} (points)"
        if self.scale is Scale.RISK_DIFFERENCE:
            return f"Difference in {self.measure} (% points)"
        return self.scale.natural_name.capitalize()

    def natural(self, effect: float) -> float:
        """The effect as it is printed: percentage points for risks, ratios instead of their logarithms."""
        if self.scale is Scale.RISK_DIFFERENCE:
            return 100 * effect
        return self.scale.natural(min(effect, 700.0)) if self.scale.is_logarithmic else effect

    def value(self, effect: float | None) -> str:
        """A signed effect without its unit."""
        if effect is None:
            return "–"
        return decimal(effect if math.isinf(effect) else self.natural(effect), self.digits)

    def error(self, standard_error: float) -> str:
        """A standard error, of the logarithm for ratios."""
        natural = standard_error if self.scale.is_logarithmic else self.natural(standard_error)
        return decimal(natural, self.digits)

    def limits(self, interval: Interval | None) -> str:
        """An interval, signed and without its unit."""
        return "–" if interval is None else f"{self.value(interval.lower)} to {self.value(interval.upper)}"

    def size(self, effect: float) -> str:
        """How large an effect is, without its direction: "11.9 points"; with more decimals where it would else be 0."""
        if self.scale.is_logarithmic:
            return f"{self.scale.natural_name} {self.value(effect)}"
        return f"{self._magnitude(effect)} {self.unit}".rstrip()

    def _magnitude(self, effect: float) -> str:
        digits, natural = self.digits, abs(effect if math.isinf(effect) else self.natural(effect))
        while natural >= SMALLEST and round(natural, digits) == 0:
            digits += 1
        return decimal(natural, digits)

    def _direction(self, effect: float) -> str:
        return "" if abs(self.natural(effect)) < SMALLEST else "higher" if effect > 0 else "lower"

    def said(self, effect: float) -> str:
        """An effect with its direction: "11.9 points lower"."""
        if self.scale.is_logarithmic:
            return self.size(effect)
        return f"{self.size(effect)} {self._direction(effect)}".rstrip()

    def compared(self, effect: float) -> str:
        """An effect in full: "11.9 points lower on CAPS-5 with ketamine than with midazolam"."""
        if self.scale.is_logarithmic:
            return f"{self.size(effect)} for {self.measure}, {self.experimental} against {self.control}"
        of = "in the proportion of " if self.scale is Scale.RISK_DIFFERENCE else "on "
        if not self._direction(effect):
            return f"no difference {of}{self.measure} between {self.experimental} and {self.control}"
        return f"{self.said(effect)} {of}{self.measure} with {self.experimental} than with {self.control}"

    def between(self, interval: Interval) -> str:
        """An interval with its direction: "5.8 to 19.2 points lower", "from 3.1 points lower to 4.0 points higher"."""
        lower, upper = interval.lower, interval.upper
        if self.scale.is_logarithmic:
            return self.limits(interval)
        if lower * upper > 0 and self._direction(lower) and self._direction(upper):
            near, far = sorted((abs(lower), abs(upper)))
            return f"{self._magnitude(near)} to {self._magnitude(far)} {self.unit} {self._direction(lower)}"
        return f"from {self.said(lower)} to {self.said(upper)}"

    def favours(self, effect: float) -> str:
        """The arm an effect favours, or an empty text where it favours none."""
        distance = effect - self.null_value
        if distance == 0:
            return ""
        return self.experimental if (distance > 0) == (self.better == "higher") else self.control
