"""Numbers, names and effects as a reader meets them; all that a report prints passes through here."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..endpoints import describe
from ..estimate import Better, Estimate, Interval, Scale
from ..wording import arm_text, clean, decimal

if TYPE_CHECKING:
    from ..trial import TrialResult

__all__ = ["FOLLOWED", "EffectPhrases"]

SMALLEST = 1e-6
_PERCENT = frozenset({Scale.RISK_DIFFERENCE, Scale.WIN_PROBABILITY, Scale.NET_BENEFIT})
_UNDIRECTED = frozenset({Scale.WIN_PROBABILITY, Scale.NET_BENEFIT})
_TWO_DIGITS = frozenset({Scale.STANDARDISED_MEAN_DIFFERENCE, Scale.RATE_DIFFERENCE})
FOLLOWED = "all randomised by the deciding look, followed to the end"


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
    own_unit: str = ""

    @classmethod
    def of(
        cls, result: TrialResult, estimate: Estimate, arm: str | None = None, endpoint: str | None = None
    ) -> EffectPhrases:
        """For an estimate of a trial, of the protocol's experimental arm and primary endpoint unless named."""
        protocol = result.protocol
        described = describe(protocol.primary if endpoint is None else protocol.endpoint(endpoint), protocol)
        return cls(
            estimate.scale,
            estimate.better,
            estimate.null_value,
            clean(described.measured),
            arm_text(protocol, arm or protocol.experimental.name),
            arm_text(protocol, protocol.control.name),
            clean(described.unit),
        )

    @property
    def digits(self) -> int:
        """Decimals of a printed effect."""
        return 2 if self.scale.is_logarithmic or self.scale in _TWO_DIGITS else 1

    @property
    def unit(self) -> str:
        """Unit of a printed effect; empty for ratios."""
        return self.own_unit or self.scale.unit

    @property
    def kind(self) -> str:
        """What a printed effect is: "mean difference, points", "hazard ratio"."""
        name = self.scale.natural_name
        return f"{name}, {self.unit}" if self.unit else name

    @property
    def axis(self) -> str:
        """Label of an axis of effects, with its unit."""
        if self.scale is Scale.RISK_DIFFERENCE:
            return f"Difference in {self.measure} (% points)"
        if self.is_directed and self.unit:
            return f"Difference in {self.measure} ({self.unit})"
        return f"{self.scale.natural_name.capitalize()}{f' ({self.unit})' if self.unit else ''}"

    @property
    def is_directed(self) -> bool:
        """Whether the effect is a difference, said as so much higher or lower."""
        return not self.scale.is_logarithmic and self.scale not in _UNDIRECTED

    def natural(self, effect: float) -> float:
        """The effect as it is printed: percentage points for risks, ratios instead of their logarithms."""
        if self.scale in _PERCENT:
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
        if not self.is_directed:
            percent = "%" if self.scale in _PERCENT else ""
            return f"{self.scale.natural_name} {self.value(effect)}{percent}"
        return f"{self._magnitude(effect)} {self.unit}".rstrip()

    def _magnitude(self, effect: float) -> str:
        digits, natural = self.digits, abs(effect if math.isinf(effect) else self.natural(effect))
        while natural >= SMALLEST and round(natural, digits) == 0:
            digits += 1
        return decimal(natural, digits)

    def _direction(self, effect: float) -> str:
        if abs(self.natural(effect)) < SMALLEST:
            return ""
        more, less = ("longer", "shorter") if self.scale is Scale.TIME_DIFFERENCE else ("higher", "lower")
        return more if effect > 0 else less

    def said(self, effect: float) -> str:
        """An effect with its direction: "11.9 points lower"."""
        if not self.is_directed:
            return self.size(effect)
        return f"{self.size(effect)} {self._direction(effect)}".rstrip()

    def compared(self, effect: float) -> str:
        """An effect in full: "11.9 points lower on CAPS-5 with ketamine than with midazolam"."""
        if not self.is_directed:
            return f"{self.size(effect)} for {self.measure}, {self.experimental} against {self.control}"
        of = {Scale.RISK_DIFFERENCE: "in the proportion of ", Scale.TIME_DIFFERENCE: "in mean "}.get(self.scale, "on ")
        if not self._direction(effect):
            return f"no difference {of}{self.measure} between {self.experimental} and {self.control}"
        return f"{self.said(effect)} {of}{self.measure} with {self.experimental} than with {self.control}"

    def between(self, interval: Interval) -> str:
        """An interval with its direction: "5.8 to 19.2 points lower", "from 3.1 points lower to 4.0 points higher"."""
        lower, upper = interval.lower, interval.upper
        if not self.is_directed:
            return self.limits(interval) + ("%" if self.scale in _PERCENT else "")
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
