"""Every endpoint as observed and as corrected for the stop, one above the other."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ...errors import InputError
from ...figure_style import INK, MUTED, arm_style, figure_function, new_figure, shorten
from ...wording import arm_text, level_text
from ..honest import honest_row_label
from ..phrases import EffectPhrases

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ...trial import TrialResult
    from ...trial.honest import HonestRow

__all__ = ["forest_figure"]

_STYLES = (
    ("as observed", "as observed", "s", 0.2),
    ("bias-adjusted", "median-unbiased", "D", 0.0),
    ("given the stop", "given the stop", "o", -0.2),
)
_NAMES = {"as observed": "As observed", "bias-adjusted": "Corrected", "given the stop": "Given this stop"}


@figure_function
def forest_figure(result: TrialResult) -> Figure:
    """Effects of all endpoints in standard errors, positive in favour of the experimental arm, with their intervals.

    Raises
    ------
    InputError
        For a trial with nothing to correct.
    """
    honest = result.honest
    if honest is None:
        raise InputError("result", str(result.protocol.trial.name), "a trial that stopped by a rule with several looks")
    rows, styles = list(honest.rows), _STYLES if result.stopped_early else _STYLES[:2]
    figure, (axes,) = new_figure(1.6 + 0.74 * len(rows))
    low, high = _ends(rows, styles)
    colours = {"as observed": INK, "bias-adjusted": arm_style(1).colour, "given the stop": arm_style(2).colour}
    for at, row in enumerate(rows):
        phrases = EffectPhrases.of(result, row.observed, endpoint=row.endpoint)
        for which, around, marker, shift in styles:
            interval = row.interval(around)
            if interval is None and which == "as observed":
                interval = row.observed.interval(result.protocol.confidence_level)
            if interval is None or math.isnan(row.value(which)):
                continue
            ends = sorted(_score(row, limit) for limit in (interval.lower, interval.upper))
            _draw(axes, -at + shift, _score(row, row.value(which)), ends, (low, high), marker, colours[which])
        label = shorten(honest_row_label(result, row), 34)
        texts = (
            (0.0, "left", label, INK, "bold", 9.2),
            (1.0, "right", _values(row, phrases, [which for which, *_ in styles]), MUTED, "normal", 8.8),
        )
        for place, side, text, colour, weight, size in texts:
            written = axes.text(
                place,
                -at + 0.34,
                text,
                transform=axes.get_yaxis_transform(),
                fontsize=size,
                fontweight=weight,
                ha=side,
                va="bottom",
                color=colour,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.4},
                zorder=5,
            )
            written.set_in_layout(False)
    axes.axvline(0.0, color=INK, linewidth=1, zorder=1)
    axes.set_xlim(low, high)
    axes.set_ylim(-len(rows) + 0.55, 0.72)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    level = level_text(result.protocol.confidence_level)
    experimental = arm_text(result.protocol, result.protocol.experimental.name)
    axes.set_xlabel(f"Effect in standard errors ({level} CI)")
    favoured = f"favours {shorten(experimental, 20)} →"
    axes.annotate(
        favoured,
        (1.0, 0.0),
        xycoords="axes fraction",
        xytext=(0, -42),
        textcoords="offset points",
        ha="right",
        va="top",
        fontsize=9,
        color=MUTED,
    )
    axes.set_title("As observed and as corrected, every endpoint", pad=26)
    for which, _, marker, _ in styles:
        axes.plot([], [], marker, color=colours[which], markersize=6, label=_NAMES[which])
    axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=3, fontsize=9, frameon=False, borderaxespad=0.1)
    return figure


def _score(row: HonestRow, effect: float) -> float:
    """An effect in standard errors of the observed one, positive in favour of the experimental arm."""
    distance = (effect - row.observed.null_value) / row.observed.standard_error
    return distance if row.observed.better == "higher" else -distance


def _ends(rows: list[HonestRow], styles: tuple[tuple[str, str, str, float], ...]) -> tuple[float, float]:
    values = [0.0]
    for row in rows:
        for which, around, _, _ in styles:
            interval = row.interval(around)
            if interval is not None:
                values += [_score(row, value) for value in (interval.lower, interval.upper, row.value(which))]
    known = [min(max(value, -8.0), 12.0) for value in values if math.isfinite(value)]
    margin = 0.05 * (max(known) - min(known) or 1.0)
    return min(known) - margin, max(known) + margin


def _draw(
    axes: Axes, height: float, centre: float, ends: list[float], span: tuple[float, float], marker: str, colour: str
) -> None:
    low, high = span
    places = [min(max(value, low), high) for value in ends]
    axes.plot(places, [height, height], color=colour, linewidth=1.5, zorder=2)
    for value, place, cap in zip(ends, places, ("<", ">"), strict=True):
        axes.plot([place], [height], "|" if value == place else cap, color=colour, markersize=7, zorder=3)
    if low <= centre <= high:
        axes.plot([centre], [height], marker, color=colour, markersize=6, markerfacecolor="white", zorder=4)


def _values(row: HonestRow, phrases: EffectPhrases, readings: list[str]) -> str:
    values = [row.value(which) for which in readings]
    return " → ".join(
        phrases.value(value) if math.isfinite(value) else "∞" for value in values if not math.isnan(value)
    )
