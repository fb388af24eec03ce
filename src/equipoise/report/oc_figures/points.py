"""Points of a comparison below each other: power and expected size."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ...figure_style import INK, MUTED, WIDTH, arm_style, figure_function, shorten
from ...simulation.point_names import value_text
from ...wording import decimal
from .words import NORMAL_95, axis_name, point_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ...simulation import Comparison
    from ...simulation.vary import GridPoint

__all__ = ["MOST_POINTS_DRAWN", "points_figure"]

MOST_POINTS_DRAWN = 14
_LONGEST = 24


@figure_function
def points_figure(found: Comparison) -> Figure:
    """Power and mean patients of each point, the first fourteen, with 95% Monte-Carlo intervals.

    Where there is no effect, the type I error: rejections in either direction.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    drawn = list(zip(found.points, found.results, strict=False))[:MOST_POINTS_DRAWN]
    figure = Figure(figsize=(WIDTH, 1.3 + 0.46 * len(drawn)), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2, sharey=True)
    rates = [one.power if one.type_one_error is None else one.type_one_error for _, one in drawn]
    power = [(100 * rate.value, 100 * rate.careful_standard_error) for rate in rates]
    size = [(one.patients().mean.value, one.patients().mean.standard_error) for _, one in drawn]
    rows = range(len(drawn))
    for axes, values, digits, unit in ((left, power, 1, "%"), (right, size, 1, "")):
        style = arm_style(1)
        for row, (value, error) in zip(rows, values, strict=True):
            axes.errorbar(
                value,
                -row,
                xerr=NORMAL_95 * error,
                fmt=style.marker,
                color=style.colour,
                markersize=5.5,
                elinewidth=1.4,
                capsize=2.5,
            )
            axes.annotate(
                f"{decimal(value, digits)}{unit}",
                (value, -row),
                xytext=(0, 6),
                textcoords="offset points",
                ha="center",
                va="bottom",
                fontsize=8.5,
                color=INK,
            )
        low = min(value - NORMAL_95 * _known(error) for value, error in values)
        high = max(value + NORMAL_95 * _known(error) for value, error in values)
        reach = max(high - low, 0.02 * max(abs(high), 1.0))
        axes.set_xlim(low - 0.2 * reach, high + 0.2 * reach)
        axes.grid(axis="y", color=MUTED, alpha=0.2, linewidth=0.6)
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0)
        axes.locator_params(axis="x", nbins=4)
    left.set_yticks([-row for row in rows], _names(found, [point for point, _ in drawn], left))
    left.set_ylim(-len(drawn) + 0.5, 0.75)
    nulls = [one.type_one_error is not None for _, one in drawn]
    left.set_title("Type I error, %" if all(nulls) else "Power, %")
    for row, null in enumerate(nulls):
        if null and not all(nulls):
            left.annotate(
                "type I error",
                (power[row][0], -row),
                xytext=(0, -6),
                textcoords="offset points",
                ha="center",
                va="top",
                fontsize=8,
                color=MUTED,
            )
    right.set_title("Patients")
    return figure


def _known(error: float) -> float:
    """A standard error; 0 of a single trial, which has none."""
    return 0.0 if math.isnan(error) else error


def _names(found: Comparison, points: Sequence[GridPoint], axes: Axes) -> list[str]:
    """What tells the points apart; the values alone, and what they are of beside the axis, where one thing varies."""
    varied = [name for name, values in found.axes.items() if len(values) > 1]
    if len(varied) == 1 and len(found.scenarios) == len(found.designs) == 1:
        axes.set_ylabel(shorten(axis_name(varied[0]), 36), fontsize=8.5)
        return [shorten(value_text(point.values[varied[0]]), _LONGEST) for point in points]
    return [shorten(point_text(found, point), _LONGEST) for point in points]
