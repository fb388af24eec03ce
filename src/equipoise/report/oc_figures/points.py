"""Points of a comparison below each other: power and expected size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...figure_style import INK, MUTED, WIDTH, arm_style, figure_function, shorten
from ...wording import clean, decimal
from .words import NORMAL_95

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ...simulation import Comparison

__all__ = ["MOST_POINTS_DRAWN", "points_figure"]

MOST_POINTS_DRAWN = 14


@figure_function
def points_figure(found: Comparison) -> Figure:
    """Power and mean patients of each point, the first fourteen, with 95% Monte-Carlo intervals."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown = list(zip(found.points, found.results, strict=False))[:MOST_POINTS_DRAWN]
    figure = Figure(figsize=(WIDTH, 1.3 + 0.46 * len(shown)), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2, sharey=True)
    several = len(found.scenarios) > 1
    power = [(100 * one.power.value, 100 * one.power.careful_standard_error) for _, one in shown]
    size = [(one.patients().mean.value, one.patients().mean.standard_error) for _, one in shown]
    rows = range(len(shown))
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
        low, high = min(value for value, _ in values), max(value for value, _ in values)
        reach = max(high - low, 0.02 * max(abs(high), 1.0))
        axes.set_xlim(low - 0.35 * reach, high + 0.35 * reach)
        axes.grid(axis="y", color=MUTED, alpha=0.2, linewidth=0.6)
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0)
        axes.locator_params(axis="x", nbins=4)
    names = [
        shorten(clean(str(point) if not several or str(point) == point.scenario else f"{point.scenario}: {point}"), 24)
        for point, _ in shown
    ]
    left.set_yticks([-row for row in rows], names)
    left.set_ylim(-len(shown) + 0.5, 0.75)
    left.set_title("Power, %")
    right.set_title("Patients")
    return figure
