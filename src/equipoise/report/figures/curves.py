"""Curves of staying without an event, by arm."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...figure_style import MUTED, arm_style, new_figure, shorten
from ...wording import arm_label

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ...endpoints.survival.kaplan_meier import KaplanMeier
    from ...protocol import Protocol

__all__ = ["ArmCurve", "curves_figure"]


@dataclass(frozen=True)
class ArmCurve:
    """The curve of one arm and what the legend says of it; None where the arm has nobody to draw."""

    arm: str
    curve: KaplanMeier | None
    said: str


def curves_figure(
    protocol: Protocol, arms: Sequence[ArmCurve], title: str, up: str, along: str, horizons: Sequence[float] = ()
) -> Figure:
    """Kaplan-Meier curves by arm, with censoring ticks and numbers at risk.

    Parameters
    ----------
    arms
        In the order of `Protocol.arm_names`.
    title, up, along
        Of the figure and its axes.
    horizons
        Days to show where nobody was followed at all.
    """
    longest = max((item.curve.last_time for item in arms if item.curve is not None), default=0.0)
    horizon = longest or max([1.0, *horizons])
    ticks = _ticks(horizon)
    rows = len(arms)
    height = 3.35 + 0.42 * rows
    figure, (axes,) = new_figure(height, layout=None)
    figure.subplots_adjust(
        left=0.165, right=0.975, top=1 - (0.34 + 0.2 * rows) / height, bottom=(0.78 + 0.2 * rows) / height
    )
    for at, item in enumerate(arms):
        style, label = arm_style(at), f"{shorten(arm_label(protocol, item.arm), 17)}: {item.said}"
        curve = item.curve
        if curve is None:
            axes.plot([], [], color=style.colour, linestyle=style.line, label=label)
            continue
        times, heights = np.concatenate([[0.0], curve.times]), np.concatenate([[1.0], curve.survival])
        axes.step(times, heights, where="post", color=style.colour, linestyle=style.line, zorder=3, label=label)
        ticked = curve.censored > 0
        axes.plot(
            curve.times[ticked],
            curve.survival[ticked],
            "|",
            color=style.colour,
            markersize=9,
            markeredgewidth=1.6,
            zorder=4,
            clip_on=False,
        )
    legend = axes.legend(
        loc="lower left",
        bbox_to_anchor=(-0.01, 0.985),
        frameon=False,
        fontsize=9.5,
        borderpad=0.2,
        labelspacing=0.3,
        handlelength=2.6,
    )
    for at, text in enumerate(legend.get_texts()):
        text.set_color(arm_style(at).colour)
        text.set_fontweight("bold")
    axes.axhline(0.5, color=MUTED, linewidth=0.7, linestyle=(0, (1, 3)), zorder=1)
    axes.set_ylim(0, 1.02)
    axes.set_xlim(0, horizon * 1.03)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0%", "25%", "50%", "75%", "100%"])
    axes.set_ylabel(up)
    axes.set_xticks(ticks)
    axes.set_xlabel(along)
    figure.text(0.012, 1 - 0.08 / height, title, fontsize=11, fontweight="bold", va="top")

    def below(text: str, x: float, row: int, colour: str, across: str = "data", ha: str = "center") -> None:
        axes.annotate(
            text,
            (x, 0),
            xycoords=(across, "axes fraction"),
            xytext=(0, -38 - 14.4 * row),
            textcoords="offset points",
            ha=ha,
            va="top",
            fontsize=9.5,
            color=colour,
            annotation_clip=False,
        )

    below("Number at risk", 0.0, 0, MUTED, "axes fraction", "left")
    for at, item in enumerate(arms):
        row, style, curve = at + 1, arm_style(at), item.curve
        level = -(38 + 14.4 * row + 6.5) / 72 / (height * (axes.get_position().height))
        axes.plot(
            [-0.15, -0.05],
            [level, level],
            transform=axes.transAxes,
            color=style.colour,
            linestyle=style.line,
            clip_on=False,
        )
        for tick in ticks:
            below(str(0 if curve is None else int(curve.at_risk_at([tick])[0])), tick, row, style.colour)
    return figure


def _ticks(horizon: float) -> list[float]:
    """Weeks or months in days, four to seven of them."""
    for step in (1, 2, 7, 14, 28, 56, 91, 182, 365):
        if horizon / step <= 6:
            return [float(day) for day in range(0, int(horizon) + 1, step)]
    step = math.ceil(horizon / 6 / 365) * 365
    return [float(day) for day in range(0, int(horizon) + 1, step)]
