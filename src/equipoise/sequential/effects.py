"""Effects as people read them and as JSON holds them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ..estimate import Estimate, Interval, Scale
from ..plain import plain
from ..text_table import text_table

__all__ = ["corrected_table", "differing", "effect_text", "effects_table", "estimate_dict", "interval_dict"]


def effect_text(scale: Scale, value: float | None) -> str:
    """An effect on its natural scale, in four figures; a dash where there is none."""
    if value is None:
        return "-"
    return f"{scale.natural(min(value, 700.0)) if scale.is_logarithmic else value:.4g}"


def effects_table(
    scale: Scale, rows: Iterable[tuple[str, float | None, Interval | None]], heading: str | None = None
) -> str:
    """Named effects with their intervals, one a line."""
    cells = []
    for name, value, interval in rows:
        ends = (None, None) if interval is None else (interval.lower, interval.upper)
        cells.append([name, *(effect_text(scale, part) for part in (value, *ends))])
    return text_table([heading or scale.natural_name, "estimate", "lower", "upper"], cells)


def corrected_table(observed: Estimate, as_observed: Interval, median_unbiased: float, interval: Interval) -> str:
    """What was observed, and what remains of it, with their intervals of one level."""
    level = f"{100 * interval.level:g} %"
    return effects_table(
        observed.scale,
        [
            (f"as observed, {level}", observed.effect, as_observed),
            (f"median-unbiased, {level}", median_unbiased, interval),
        ],
    )


def differing(estimates: Sequence[Any]) -> str | None:
    """The first of direction, null value and scale in which estimates differ; None where they may stand together."""
    for name in ("better", "null_value", "scale"):
        if len({getattr(estimate, name) for estimate in estimates}) > 1:
            return name
    return None


def interval_dict(interval: Interval | None) -> dict[str, float | None] | None:
    """An interval for JSON; an infinite limit is None."""
    if interval is None:
        return None
    return {"lower": plain(interval.lower), "upper": plain(interval.upper), "level": interval.level}


def estimate_dict(estimate: Estimate) -> dict[str, Any]:
    """What was observed, for JSON."""
    return {
        "effect": estimate.effect,
        "standard_error": estimate.standard_error,
        "degrees_of_freedom": plain(estimate.degrees_of_freedom),
        "scale": str(estimate.scale),
        "better": estimate.better,
        "null_value": estimate.null_value,
        "label": estimate.label,
    }
