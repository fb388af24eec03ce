"""The number needed to treat, for benefit or for harm."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from ...errors import InputError
from ...estimate import Better, Interval
from ...plain import plain

__all__ = ["NumberNeededToTreat", "number_needed_to_treat"]

Direction = Literal["benefit", "harm", "none"]


def _reciprocal(difference: float) -> float:
    return math.inf if difference == 0 else 1 / difference


def _shown(number: float) -> str:
    return "∞" if math.isinf(number) else f"{number:.1f}"


@dataclass(frozen=True, slots=True)
class NumberNeededToTreat:
    """Patients to treat for one more good outcome (NNTB) or one more bad one (NNTH) than under control.

    Attributes
    ----------
    nnt
        Point estimate, 1 / |risk difference|, at least 1; infinite where the risks are equal.
    direction
        "benefit" (NNTB), "harm" (NNTH), or "none" where the risks are equal.
    lower, upper
        Confidence limits, at least 1. Where the interval of the difference lies on one side of 0, both are of
        `direction` and lower <= upper. Where it covers 0, the set runs from NNTB `lower` through infinity to NNTH
        `upper`; a limit of the difference at 0 itself is infinite here.
    contains_infinity
        Whether the interval of the risk difference covers 0.
    level
        Confidence level.
    """

    nnt: float
    direction: Direction
    lower: float
    upper: float
    contains_infinity: bool
    level: float = 0.95

    @property
    def name(self) -> str:
        """NNTB, NNTH, or plain NNT where the risks are equal (Altman 1998)."""
        return {"benefit": "NNTB", "harm": "NNTH", "none": "NNT"}[self.direction]

    @property
    def interval_text(self) -> str:
        """The confidence set in words, e.g. "1.9 to 12.3" or "NNTB 1.9 to ∞ to NNTH 12.3"."""
        if not self.contains_infinity:
            return f"{_shown(self.lower)} to {_shown(self.upper)}"
        benefit = "" if math.isinf(self.lower) else f"NNTB {_shown(self.lower)} to "
        harm = "" if math.isinf(self.upper) else f" to NNTH {_shown(self.upper)}"
        return f"{benefit}∞{harm}"

    def __str__(self) -> str:
        return f"{self.name} {_shown(self.nnt)} ({self.interval_text})"

    def to_dict(self) -> dict[str, Any]:
        """The numbers for a JSON file; an infinite one is None."""

        return plain(
            {
                "nnt": self.nnt,
                "direction": self.direction,
                "lower": self.lower,
                "upper": self.upper,
                "contains_infinity": self.contains_infinity,
                "level": self.level,
                "text": str(self),
            }
        )


def number_needed_to_treat(
    risk_difference: float, interval: Interval, better: Better = "higher"
) -> NumberNeededToTreat:
    """Number needed to treat from a risk difference and its interval.

    The limits are the reciprocals of those of the difference, as Altman (1998, BMJ 317:1309) has them; Bender
    (2001, Control Clin Trials 22:102) recommends intervals of the difference built from Wilson limits, such as
    Newcombe's (`risk_difference`).

    Parameters
    ----------
    risk_difference
        Risk of the experimental arm minus risk of control, from -1 to 1.
    interval
        Its confidence interval, which must contain it; limits beyond -1 or 1, as Wald's may be, are cut there.
    better
        "higher" where the event is a good outcome (response), "lower" where it is a bad one (relapse).

    Raises
    ------
    InputError
        Where the difference lies outside [-1, 1] or outside its interval, or `better` is neither word.
    """
    if better not in ("higher", "lower"):
        raise InputError("better", better, "'higher' or 'lower'")
    if not -1 <= risk_difference <= 1:
        raise InputError("risk_difference", risk_difference, "a difference of two proportions, from -1 to 1")
    if not interval.lower <= risk_difference <= interval.upper:
        raise InputError("interval", str(interval), f"an interval that contains the difference, {risk_difference:.4g}")
    good, low, high = risk_difference, max(interval.lower, -1.0), min(interval.upper, 1.0)
    if better == "lower":
        good, low, high = -good, -high, -low
    direction: Direction = "benefit" if good > 0 else "harm" if good < 0 else "none"
    covers_zero = low <= 0 <= high
    if covers_zero:
        lower, upper = _reciprocal(high), _reciprocal(abs(low))
    else:
        lower, upper = sorted((1 / abs(low), 1 / abs(high)))
    return NumberNeededToTreat(_reciprocal(abs(good)), direction, lower, upper, covers_zero, interval.level)
