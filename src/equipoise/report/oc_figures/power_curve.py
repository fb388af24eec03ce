"""Power and expected size along what varies, most often the effect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import InputError
from ...figure_style import MUTED, arm_style, figure_function, new_figure, shorten
from ...simulation.point_names import value_text
from .words import NORMAL_95, axis_name, phrases_of, point_words, short_effect

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ...simulation import Comparison

__all__ = ["MOST_CURVES", "curve_axis", "curves_of", "power_curve_figure"]

MOST_CURVES = 5
_LONGEST_BESIDE, _LONGEST = 30, 64
_MOST_TICKS = 6


def curve_axis(found: Comparison) -> str | None:
    """What the curves run along: the effect if it varies, else the number with the most values; None without one."""
    able = [
        name
        for name, values in found.axes.items()
        if len(values) > 1 and all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    ]
    if "effect" in able:
        return "effect"
    return max(able, key=lambda name: len(found.axes[name]), default=None)


@figure_function
def power_curve_figure(found: Comparison) -> Figure:
    """Power and, below it, the mean number of patients against what varies, with pointwise 95% Monte-Carlo bands.

    One curve for each design and combination of the other values, the first five of them.

    Raises
    ------
    InputError
        When nothing varies that is a number.
    """
    along = curve_axis(found)
    if along is None:
        raise InputError("axes", list(found.axes), "a comparison in which a number varies")
    chosen = curves_of(found, along)[:MOST_CURVES]
    named = len(chosen) > 1
    columns = 2 if all(len(label) <= _LONGEST_BESIDE for label, _ in chosen) else 1
    legend = 0.21 * -(-len(chosen) // columns) if named else 0.0
    figure, (above, below) = new_figure(4.9 + legend, 2, (3, 2))
    for at, (label, points) in enumerate(chosen):
        points = sorted(points)
        x = np.array([value for value, _ in points], dtype=float)
        results = [found.results[number] for _, number in points]
        power = [(100 * one.power.value, 100 * one.power.careful_standard_error) for one in results]
        size = [(one.patients().mean.value, one.patients().mean.standard_error) for one in results]
        for axes, values in ((above, power), (below, size)):
            _curve(axes, x, np.array(values), (at + 1) % MOST_CURVES, label if axes is above else None)
    above.set_ylim(0, 102)
    above.set_yticks([0, 25, 50, 75, 100], ["0%", "25%", "50%", "75%", "100%"])
    above.set_title("Power")
    below.set_title("Patients randomised, mean")
    low, high = below.get_ylim()
    below.set_ylim(max(0.0, low - 0.25 * (high - low)), high + 0.1 * (high - low))
    ticks = [float(value) for value in sorted(found.axes[along])]
    ticks = ticks[:: -(-len(ticks) // _MOST_TICKS)] if len(ticks) > _MOST_TICKS else ticks
    for axes in (above, below):
        axes.grid(axis="y", color=MUTED, alpha=0.25, linewidth=0.6)
        axes.set_axisbelow(True)
        axes.set_xticks(ticks, [])
    below.set_xticks(ticks, _tick_names(found, along, ticks))
    below.set_xlabel(axis_name(along))
    if named:
        handles = above.get_legend_handles_labels()
        figure.legend(*handles, loc="outside lower left", ncols=columns, frameon=False, fontsize=9)
    return figure


def curves_of(found: Comparison, along: str) -> list[tuple[str, list[tuple[Any, int]]]]:
    """Of each scenario, design and combination of the other values: its name, and places along the axis with the
    numbers of the points.
    """
    curves: dict[Any, tuple[str, list[tuple[Any, int]]]] = {}
    for number, (point, _) in enumerate(zip(found.points, found.results, strict=False)):
        if along not in point.values:
            continue
        others = [(name, repr(value)) for name, value in point.values.items() if name != along]
        name = shorten(point_words(found, point, (along,)), _LONGEST)
        curve = curves.setdefault((point.scenario, point.design, *others), (name, []))
        curve[1].append((point.values[along], number))
    return list(curves.values())


def _curve(axes: Axes, x: np.ndarray, values: np.ndarray, style_at: int, label: str | None) -> None:
    style = arm_style(style_at)
    y, reach = values[:, 0], NORMAL_95 * values[:, 1]
    axes.fill_between(x, y - reach, y + reach, color=style.colour, alpha=0.18, linewidth=0)
    axes.plot(
        x,
        y,
        color=style.colour,
        linestyle=style.line,
        marker=style.marker,
        markerfacecolor=style.face,
        markersize=4.5 if len(x) <= 12 else 0,
        label=label,
    )


def _tick_names(found: Comparison, along: str, ticks: list[float]) -> list[str]:
    """Values, and of multiples of the effect the true effect below them where it is one and the same."""
    names = [value_text(tick) for tick in ticks]
    if along != "effect":
        return names
    for at, tick in enumerate(ticks):
        same = [
            result
            for point, result in zip(found.points, found.results, strict=False)
            if point.values.get(along) == tick
        ]
        texts = {short_effect(phrases_of(result), result.true_effect) for result in same}
        if len(texts) == 1:
            names[at] += f"\n({texts.pop()})"
    return names
