"""A picture of estimates of one effect below each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..errors import InputError
from ..figure_style import INK, MUTED, arm_style, figure_function, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["estimators_figure"]

Row = tuple[str, float | None, float | None, float | None]
_ROW = 0.42


@figure_function
def estimators_figure(
    rows: Sequence[Row], null: float = 0.0, label: str = "Effect", *, logarithmic: bool = False
) -> Figure:
    """Estimates and intervals of one effect by several estimators, the first of them marked as the one to compare with.

    Parameters
    ----------
    rows
        (name, estimate, lower, upper) each, as people quote them (ratios not as logarithms); estimate or both limits
        may be None, limits may be infinite.
    null
        The effect under the null hypothesis.
    label
        Of the axis.
    logarithmic
        Whether the axis is, for ratios.

    Raises
    ------
    InputError
        When there is no row, or a value that cannot be shown: NaN, or not above 0 on a logarithmic axis.
    """
    _check(rows, null, logarithmic)
    places = [null] + [value for row in rows for value in row[1:] if value is not None and math.isfinite(value)]
    if logarithmic:
        places = [value for value in places if value > 0]
    forward, backward = (math.log, math.exp) if logarithmic else (float, float)
    low, high = forward(min(places)), forward(max(places))
    margin = 0.06 * (high - low or 1.0)
    low, high = backward(low - margin), backward(high + margin)
    figure, (axes,) = new_figure(1.0 + _ROW * len(rows))
    if logarithmic:
        axes.set_xscale("log")
    axes.axvline(null, color=MUTED, linewidth=0.9, zorder=1)
    for at, (name, estimate, lower, upper) in enumerate(rows):
        colour = INK if at == 0 else arm_style(1).colour
        height = -float(at)
        if lower is not None and upper is not None:
            ends = [min(max(value, low), high) for value in (lower, upper)]
            axes.plot(ends, [height, height], color=colour, linewidth=1.6, zorder=2)
            for value, place, cap in ((lower, ends[0], "<"), (upper, ends[1], ">")):
                marker = "|" if low < value < high else cap
                axes.plot([place], [height], marker, color=colour, markersize=7, markeredgewidth=1.4, zorder=3)
        if estimate is not None:
            place = min(max(estimate, low), high)
            marker = "o" if place == estimate else "<" if estimate < low else ">"
            face = "white" if at == 0 else colour
            axes.plot([place], [height], marker, color=colour, markerfacecolor=face, markersize=6, zorder=4)
        axes.text(
            0.0,
            height + 0.19,
            _text(name, estimate, lower, upper),
            transform=axes.get_yaxis_transform(),
            fontsize=9,
            va="bottom",
            color=colour,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.4},
            zorder=5,
        )
    axes.set_xlim(low, high)
    axes.set_ylim(-len(rows) + 0.6, 0.75)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    _ticks(axes, low, high, logarithmic)
    axes.set_xlabel(label)
    return figure


def _check(rows: Sequence[Row], null: float, logarithmic: bool) -> None:
    if not rows:
        raise InputError("rows", rows, "one or more rows (name, estimate, lower, upper)")
    if not math.isfinite(null) or (logarithmic and null <= 0):
        raise InputError("null", null, "a finite number above 0" if logarithmic else "a finite number")
    for name, *values in rows:
        for value in values:
            if value is not None and (math.isnan(value) or (logarithmic and value < 0)):
                raise InputError(name, value, "a number of at least 0" if logarithmic else "a number, or None")
        if (values[1] is None) != (values[2] is None):
            raise InputError(name, values[1:], "both limits, or None for both")


def _text(name: str, estimate: float | None, lower: float | None, upper: float | None) -> str:
    interval = "" if lower is None or upper is None else f"{_shown(lower)} to {_shown(upper)}"
    if estimate is None:
        return f"{name}: {interval}" if interval else name
    return f"{name}: {_shown(estimate)}" + (f" ({interval})" if interval else "")


def _shown(value: float) -> str:
    if math.isinf(value):
        return "∞" if value > 0 else "\N{MINUS SIGN}∞"
    text = f"{value:.0f}" if abs(value) >= 1000 else f"{value:#.3g}".rstrip(".")
    return text.replace("-", "\N{MINUS SIGN}")


def _ticks(axes: Axes, low: float, high: float, logarithmic: bool) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

    if not logarithmic:
        axes.xaxis.set_major_locator(MaxNLocator(6))
        return
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_locator(
        MaxNLocator(5) if high / low < 5 else LogLocator(subs=(1.0, 2.0, 5.0) if high / low < 200 else (1.0,))
    )
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
