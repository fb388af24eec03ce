"""Mean trajectories by arm."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np

from ...endpoints.results import MeanResult
from ...errors import InputError
from ...figure_style import INK, MUTED, arm_style, figure_function, new_figure, shorten, spread
from ...wording import arm_label, clean, decimal, level_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ...trial import TrialResult

__all__ = ["mean_result", "means_figure"]


def mean_result(result: TrialResult) -> MeanResult | None:
    """The endpoint whose means a report draws: the primary, or the first secondary that has means; None without."""
    found = [item for item in (result.primary, *result.secondary) if isinstance(item, MeanResult) and item.means]
    return (
        max(found, key=lambda item: len(item.means), default=None)
        if found and found[0] is not result.primary
        else (found or [None])[0]
    )


@figure_function
def means_figure(result: TrialResult) -> Figure:
    """Adjusted means (LS means) by arm and visit with their intervals, over the days of the trial.

    Baseline is the observed mean for scores, and 0 for change from baseline.

    Raises
    ------
    InputError
        When no endpoint of the trial has means.
    """
    found = mean_result(result)
    if found is None:
        raise InputError("means", "none", "a trial with a longitudinal or one-visit endpoint that was analysed")
    protocol = result.protocol
    change = protocol.analysis.outcome == "change"
    days = {visit.name: float(visit.day) for visit in protocol.visits}
    origin = days[protocol.visit_names[0]]
    figure, (axes,) = new_figure(3.7)
    visits = [protocol.visit_names[0], *dict.fromkeys(mean.visit for mean in found.means)]
    reach = max(days[visit] for visit in visits) - origin or 1.0
    arms = list(protocol.arm_names)
    ends = []
    for at, arm in enumerate(arms):
        style, own = arm_style(at), [mean for mean in found.means if mean.arm == arm]
        if not own:
            continue
        dodge = (at - (len(arms) - 1) / 2) * 0.02 * reach
        x = np.array([days[mean.visit] for mean in own]) + dodge
        y = np.array([mean.adjusted_mean for mean in own])
        limits = np.array([[mean.interval.lower, mean.interval.upper] for mean in own])
        known = result.data.baseline[(result.data.arm == at) & ~np.isnan(result.data.baseline)]
        start = 0.0 if change else float(known.mean()) if known.size else np.nan
        axes.errorbar(
            x,
            y,
            yerr=np.abs(limits - y[:, None]).T,
            fmt="none",
            ecolor=style.colour,
            elinewidth=1.2,
            capsize=3,
            zorder=2,
        )
        axes.plot(
            np.concatenate([[origin + (0.0 if change else dodge)], x]),
            np.concatenate([[start], y]),
            color=style.colour,
            linestyle=style.line,
            marker=style.marker,
            markerfacecolor=style.face,
            markersize=6.5,
            zorder=3,
            markevery=slice(1, None) if change else None,
        )
        ends.append((float(x[-1]), float(y[-1]), at, arm))
    low, high = axes.get_ylim()
    downwards = protocol.scale.better == "lower"
    low, high = (low - 0.1 * (high - low), high) if downwards else (low, high + 0.1 * (high - low))
    axes.set_ylim(low, high)
    heights = spread([end[1] for end in ends], 0.19 * (high - low), low, high)
    for (_, y, at, arm), height in zip(ends, heights, strict=True):
        text = f"{fill(shorten(arm_label(protocol, arm), 26), 14)}\n{decimal(y)}"
        axes.text(
            origin + reach * 1.05,
            height,
            text,
            color=arm_style(at).colour,
            va="center",
            fontsize=9.5,
            fontweight="bold",
            linespacing=1.1,
        )
    axes.set_xlim(origin - 0.04 * reach, origin + reach * 1.04)
    ticks: list[float] = []
    for visit in reversed(visits):
        if not ticks or ticks[-1] - days[visit] > 0.06 * reach:
            ticks.append(days[visit])
    axes.set_xticks(ticks, [f"{day - origin:g}" for day in ticks])
    axes.set_xlabel("Days since baseline")
    scale = clean(protocol.scale_name)
    axes.set_ylabel(f"Change in {scale} (points)" if change else f"{scale} (points)")
    axes.set_title(f"Mean {'change in ' if change else ''}{scale}, {level_text(protocol.confidence_level)} CI")
    if change:
        axes.axhline(0, color=MUTED, linewidth=0.8, zorder=1)
        axes.plot([origin], [0], "o", color=INK, markersize=6.5, zorder=4)
    axes.text(
        0.02,
        0.02 if downwards else 0.98,
        "↓ lower is better" if downwards else "↑ higher is better",
        transform=axes.transAxes,
        va="bottom" if downwards else "top",
        fontsize=9.5,
        color=MUTED,
        style="italic",
    )
    return figure
