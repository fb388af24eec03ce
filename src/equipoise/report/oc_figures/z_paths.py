"""The fan of z-values over the looks, against the bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...figure_style import INK, MUTED, arm_style, figure_function, new_figure
from ...sequential.plot_regions import draw_bounds, look_ticks

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from ...simulation import OperatingCharacteristics

__all__ = ["MOST_PATHS", "z_paths_figure"]

MOST_PATHS = 150
_ASIDE = 0.022
_PERCENTS = (5, 25, 50, 75, 95)


@figure_function
def z_paths_figure(found: OperatingCharacteristics) -> Figure:
    """z of the first trials, look by look, and its quantiles among those that take each look; bounds as planned.

    Paths need the trials, kept or in a folder; without them only the quantiles are drawn.
    """
    design = found.context.plan.design
    fractions = design.planned.information
    figure, (axes,) = new_figure(4.0)
    quantiles = found.z_quantiles(_PERCENTS)
    seen = quantiles[np.isfinite(quantiles)]
    paths = _first_paths(found)
    values = [float(seen.min()), float(seen.max())] if seen.size else []
    draw_bounds(axes, design.planned, design.sided, values=values, labelled=False)
    low, high = axes.get_ylim()
    if paths is not None:
        colours = {True: arm_style(1).colour, False: MUTED}
        for path, won in zip(*paths, strict=True):
            taken = np.flatnonzero(~np.isnan(path))
            if not len(taken):
                continue
            x, y = np.append(0.0, fractions[taken]), np.append(0.0, path[taken])
            axes.plot(x, np.clip(y, low, high), color=colours[bool(won)], linewidth=0.5, alpha=0.3, zorder=2)
            axes.plot(
                x[-1:], np.clip(y[-1:], low, high), ".", color=colours[bool(won)], markersize=3, alpha=0.5, zorder=2
            )
    for at, time in enumerate(fractions):
        five, quarter, middle, upper, most = quantiles[at]
        if not np.isfinite(middle):
            continue
        place = time + _ASIDE
        axes.plot([place, place], [max(five, low), min(most, high)], color=INK, linewidth=1.2, zorder=6)
        axes.plot([place, place], [max(quarter, low), min(upper, high)], color=INK, linewidth=4.5, zorder=6)
        axes.plot([place], [middle], "o", color="white", markeredgecolor=INK, markersize=6, zorder=7)
    look_ticks(axes, fractions, axes.get_xlim()[1])
    axes.set_title("Paths of z")
    return figure


def _first_paths(found: OperatingCharacteristics) -> tuple[NDArray[np.float64], NDArray[np.bool_]] | None:
    """z at each look of the first trials, NaN where a look was not taken or not analysed, and whether they rejected in
    favour of the experimental arm; None where the trials were not kept.
    """
    from ...sequential import Decision
    from ...simulation.rows import DECISIONS
    from ...simulation.store import ResultsFolder

    if found.rows is not None:
        looks = found.rows.looks
        chosen = slice(0, int(np.searchsorted(looks["trial"], MOST_PATHS)))
        trial, look, z = (looks[name][chosen] for name in ("trial", "look", "z"))
        won = looks["decision"][chosen] == DECISIONS.index(Decision.EFFICACY)
    elif found.folder is not None:
        import polars as pl

        frame = ResultsFolder.scan(found.folder, "looks", min(MOST_PATHS, found.trials))
        frame = frame.select("trial", "look", "z", won=pl.col("decision") == Decision.EFFICACY.value).collect()
        trial, look, z, won = (frame[name].to_numpy() for name in ("trial", "look", "z", "won"))
    else:
        return None
    if not len(trial):
        return None
    paths = np.full((int(trial.max()) + 1, found.looks), np.nan)
    rejects = np.zeros(len(paths), dtype=bool)
    paths[trial, look - 1] = z
    np.logical_or.at(rejects, trial, won)
    return paths, rejects
