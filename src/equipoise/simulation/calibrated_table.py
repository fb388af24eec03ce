"""A calibrated estimate as lines of text."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..narrow_table import wrapped
from ..text_table import text_table
from ..wording import level_text

if TYPE_CHECKING:
    from .calibrated import CalibratedEstimate

__all__ = ["calibrated_text"]

_GIVEN = {"all": "all trials", "look": "those that end at look {look}", "exit": "{decision} at look {look}"}


def calibrated_text(found: CalibratedEstimate) -> str:
    """A table of one row, ratios as ratios, with what was tried and what has to be known."""
    digits = _digits(found)
    interval, low_high = found.interval, found.truths
    low, high = (_number(found, truth, digits) for truth in low_high)
    row = [
        _number(found, found.observed.effect, digits),
        _with_error(found, found.effect, found.effect_error, digits),
        f"{_with_error(found, interval.lower, found.lower_error, digits)} to "
        f"{_with_error(found, interval.upper, found.upper_error, digits)}",
        _GIVEN[found.given].format(look=found.look, decision=found.decision.value),
        f"{len(found.points)}, {low} to {high}",
    ]
    headings = ["observed", "calibrated", f"{level_text(interval.level)} interval", "given", "truths tried"]
    how = "by studentised distance from the truth" if found.ordering == "studentised" else "by size"
    title = (
        f"{found.label}: {found.observed.scale.natural_name}, calibrated by {found.trials:,} virtual trials at every "
        f"truth (multiples of the effect of {found.scenario}), ordered {how}; Monte-Carlo standard errors in brackets"
    )
    notes = [line for note in found.notes for line in wrapped(note)]
    return "\n".join([*wrapped(title), text_table(headings, [row]), *notes])


def _digits(found: CalibratedEstimate) -> int:
    """Decimals that show two digits of the smallest Monte-Carlo error."""
    errors = [
        _natural_error(found, value, error)
        for value, error in (
            (found.effect, found.effect_error),
            (found.interval.lower, found.lower_error),
            (found.interval.upper, found.upper_error),
        )
    ]
    known = [error for error in errors if 0 < error < math.inf]
    return min(max(1 - math.floor(math.log10(min(known))), 0), 6) if known else 4


def _natural_error(found: CalibratedEstimate, value: float, error: float) -> float:
    """On the scale that is shown: that of a ratio is its own times that of its logarithm."""
    return error * found.observed.scale.natural(min(value, 700.0)) if found.observed.scale.is_logarithmic else error


def _number(found: CalibratedEstimate, value: float, digits: int) -> str:
    scale = found.observed.scale
    return f"{scale.natural(min(value, 700.0)) if scale.is_logarithmic and value < 700 else value:.{digits}f}"


def _with_error(found: CalibratedEstimate, value: float, error: float, digits: int) -> str:
    shown = _number(found, value, digits)
    return shown if math.isnan(error) else f"{shown} ({_natural_error(found, value, error):.{digits}f})"
