"""Where the estimates lie, by the look that trials end at, against the truth."""

from __future__ import annotations

import math
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np

from ...errors import InputError
from ...figure_style import INK, MUTED, arm_style, figure_function, new_figure
from ...sequential import Decision
from ...wording import percent
from .words import effects_on_axis, phrases_of, ratio_ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ...simulation import OperatingCharacteristics

__all__ = ["estimate_distribution_figure"]

_KINDS = (
    ((Decision.EFFICACY,), arm_style(1).colour),
    ((Decision.HARM,), "#b34700"),
    (tuple(one for one in Decision if one not in (Decision.EFFICACY, Decision.HARM)), MUTED),
)
_MOST_BINS = 60
_TAIL = 0.001


@figure_function
def estimate_distribution_figure(found: OperatingCharacteristics) -> Figure:
    """One panel a look: the estimates of the trials that end there, those for efficacy and for harm solid, with the
    truth, where it is known, and the means of those for efficacy, for harm and of the others.

    Raises
    ------
    InputError
        When no trial gave an estimate.
    """
    looks = [look for look in range(1, found.looks + 1) if found.estimates(look=look).estimated]
    if not looks:
        raise InputError("trials", found.trials, "trials that gave estimates")
    edges, counts = found.effect_histogram()
    chosen, width = _binned(edges, counts)
    phrases = phrases_of(found)
    places = effects_on_axis(phrases, edges[chosen.start : chosen.stop + 1 : width])
    figure, panels = new_figure(1.0 + 1.15 * len(looks), len(looks))
    truth = phrases.natural(found.true_effect)
    other = arm_style(0)
    for axes, look in zip(panels, looks, strict=True):
        everything = _grouped(found.effect_histogram(look=look)[1], chosen, width) / found.trials
        axes.stairs(everything, places, fill=True, facecolor="#dfe3e8", edgecolor=other.colour, linewidth=0.8)
        top = float(everything.max())
        axes.set_ylim(0, 1.36 * top)
        for decisions, colour in _KINDS:
            counts = found.effect_histogram(look=look, decisions=decisions)[1]
            if Decision.CONTINUE not in decisions:
                rejecting = _grouped(counts, chosen, width) / found.trials
                axes.stairs(rejecting, places, fill=True, facecolor=colour, alpha=0.75, linewidth=0)
            summary = found.estimates(look=look, decisions=decisions)
            if summary.estimated:
                mean = phrases.natural(summary.mean.value)
                axes.plot([mean], [1.13 * top], "v", color=colour, markersize=6.5)
        if not math.isnan(truth):
            axes.axvline(truth, color=INK, linewidth=1.2, linestyle=(0, (4, 3)))
        share = found.stopping[look - 1].value
        stops = "end" if look == found.looks else "stop"
        winners = found.estimates(look=look, decisions=(Decision.EFFICACY,))
        title = f"Look {look}: {percent(share, 1)} of trials {stops}"
        axes.set_title(title + (f"; for efficacy {phrases.value(winners.mean.value)}" if winners.estimated else ""))
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.set_xlim(places[0], places[-1])
        if phrases.scale.is_logarithmic:
            axes.set_xscale("log")
            axes.minorticks_off()
            ticks = ratio_ticks(*sorted(axes.get_xlim()))
            axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        if axes is not panels[-1]:
            axes.tick_params(labelbottom=False)
    if not math.isnan(truth):
        _name_truth(panels[0], truth, phrases.natural(found.estimates(look=looks[0]).mean.value))
    panels[-1].set_xlabel(f"{fill(phrases.axis, 50)}\nas observed at the end")
    return figure


def _name_truth(axes: Axes, truth: float, mean: float) -> None:
    """Beside the dashed line, on the side away from the mean unless that is near the edge."""
    share = axes.transAxes.inverted().transform(axes.transData.transform((truth, 0)))[0]
    left = share > 0.85 or (mean > truth and share > 0.15)
    axes.annotate(
        "truth",
        (truth, 1.0),
        xycoords=("data", "axes fraction"),
        xytext=(-4 if left else 4, -1),
        textcoords="offset points",
        ha="right" if left else "left",
        va="top",
        fontsize=9,
        style="italic",
        color=MUTED,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.4, "alpha": 0.8},
    )


def _binned(edges: np.ndarray, counts: np.ndarray) -> tuple[slice, int]:
    """Which bins hold all but a thousandth of the estimates to either side, and how many of them make one of ours."""
    below = np.cumsum(counts) / max(counts.sum(), 1)
    first = int(np.searchsorted(below, _TAIL))
    last = int(np.searchsorted(below, 1 - _TAIL)) + 1
    width = max(-(-(last - first) // _MOST_BINS), 1)
    groups = max(-(-(last - first) // width), 4)
    first = max(min(first, len(counts) - groups * width), 0)
    groups = min(groups, (len(counts) - first) // width)
    return slice(first, first + groups * width), width


def _grouped(counts: np.ndarray, chosen: slice, width: int) -> np.ndarray:
    return counts[chosen].reshape(-1, width).sum(axis=1)
