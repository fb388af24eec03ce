"""Power and expected size over two things that vary."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...errors import InputError
from ...figure_style import INK, figure_function, new_figure, shorten
from ...simulation.point_names import short_names, value_text
from ...wording import decimal
from .words import axis_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ...simulation import Comparison

__all__ = ["heat_map_axes", "heat_map_figure"]

_MOST_WRITTEN = 11
_LEAST_SHADE = 0.8


def heat_map_axes(found: Comparison) -> tuple[str, str] | None:
    """The two things that vary, the one with more values across; None unless there are just two."""
    able = [name for name, values in found.axes.items() if len(values) > 1]
    if len(able) != 2:
        return None
    across, up = sorted(able, key=lambda name: -len(found.axes[name]))
    return across, up


@figure_function
def heat_map_figure(found: Comparison, design: str = "", scenario: str = "") -> Figure:
    """Power and, below it, mean patients at each combination of two things.

    Parameters
    ----------
    design, scenario
        Which of them; the first by default.

    Raises
    ------
    InputError
        When there are not just two things that vary.
    """
    names = heat_map_axes(found)
    if names is None:
        raise InputError("axes", list(found.axes), "a comparison in which just two things vary")
    design, scenario = design or found.designs[0], scenario or found.scenarios[0]
    across, up = (_sorted(found.axes[name]) for name in names)
    power, size = np.full((2, len(up), len(across)), np.nan)
    for point, result in zip(found.points, found.results, strict=False):
        if point.design == design and point.scenario == scenario:
            place = up.index(point.values[names[1]]), across.index(point.values[names[0]])
            power[place], size[place] = 100 * result.power.value, result.patients().mean.value
    figure, (above, below) = new_figure(2.2 + 0.62 * len(up), 2)
    _map(above, power, across, up, 0, 100, "Power, %", "Blues")
    known = size[~np.isnan(size)]
    # shades no more than a fifth apart are of no account
    reach = (min(known.min(), _LEAST_SHADE * known.max()), float(known.max())) if known.size else (0.0, 1.0)
    _map(below, size, across, up, *reach, "Patients randomised, mean", "Oranges")
    above.set_xticklabels([])
    below.set_xlabel(axis_name(names[0]))
    for axes in (above, below):
        axes.set_ylabel(shorten(short_names(names)[names[1]], 16))
    return figure


def _sorted(values: tuple) -> list:
    """Numbers by their size, everything else as it was given."""
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    return sorted(values) if numbers else list(values)


def _map(
    axes: Axes, values: np.ndarray, across: list, up: list, low: float, high: float, title: str, colours: str
) -> None:
    from matplotlib import colormaps
    from matplotlib.patches import Rectangle

    # the darkest third is left out, so that numbers can be read on every cell
    shade = colormaps[colours]
    span = high - low or 1.0
    image = shade(0.08 + 0.6 * np.clip((np.nan_to_num(values, nan=low) - low) / span, 0, 1))
    image[np.isnan(values)] = 1.0
    # an image would be pixels in the page
    for row, column in np.ndindex(*values.shape):
        corner = (column - 0.5, row - 0.5)
        axes.add_patch(Rectangle(corner, 1, 1, facecolor=image[row, column], edgecolor="white", linewidth=0.6))
    axes.set_xlim(-0.5, len(across) - 0.5)
    axes.set_ylim(-0.5, len(up) - 0.5)
    axes.set_xticks(range(len(across)), [value_text(value) for value in across])
    axes.set_yticks(range(len(up)), [value_text(value) for value in up])
    axes.tick_params(length=0)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
    axes.set_title(title)
    if len(across) > _MOST_WRITTEN:
        every = -(-len(across) // _MOST_WRITTEN)
        axes.set_xticks(range(0, len(across), every), [value_text(value) for value in across[::every]])
    digits = 0 if len(across) > 8 else 1
    for row in range(len(up)):
        for column in range(len(across)):
            if not np.isnan(values[row, column]) and len(across) <= 2 * _MOST_WRITTEN:
                axes.text(
                    column,
                    row,
                    decimal(float(values[row, column]), digits),
                    ha="center",
                    va="center",
                    fontsize=8.5 if len(across) <= _MOST_WRITTEN else 6.5,
                    color=INK,
                )
