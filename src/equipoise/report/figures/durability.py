"""How long response lasts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import numpy as np

from ...endpoints.results import DurabilityResult
from ...errors import InputError
from ...figure_style import MUTED, arm_style, figure_function, new_figure, shorten
from ...wording import arm_label, days

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ...endpoints.survival.kaplan_meier import KaplanMeier
    from ...trial import TrialResult

__all__ = ["durability_figure", "durability_result", "median_text", "without_follow_up"]


def durability_result(result: TrialResult) -> DurabilityResult | None:
    """The first loss-of-response endpoint that could be analysed."""
    return next((item for item in result.secondary if isinstance(item, DurabilityResult)), None)


def without_follow_up(curve: KaplanMeier) -> bool:
    """Whether nobody was followed beyond the response visit, so that nothing can be said of a median."""
    return math.isinf(curve.median) and curve.last_time <= 0


def median_text(curve: KaplanMeier) -> str:
    """The median in days, "not reached", or "no follow-up" where nobody was followed beyond the response visit."""
    if without_follow_up(curve):
        return "no follow-up"
    return "not reached" if math.isinf(curve.median) else days(curve.median)


@figure_function
def durability_figure(result: TrialResult, among: Literal["responders", "all randomised"] = "responders") -> Figure:
    """Kaplan-Meier curves of staying in response by arm, with censoring ticks and numbers at risk.

    Parameters
    ----------
    among
        The responders of each arm; or all randomised, those without response counting as lost on day 0.

    Raises
    ------
    InputError
        When the trial has no loss-of-response endpoint that was analysed.
    """
    found = durability_result(result)
    if found is None:
        raise InputError("loss of response", "none", "a loss-of-response endpoint that was analysed")
    curves = [
        (at, arm, arm.responders if among == "responders" else arm.all_randomised) for at, arm in enumerate(found.arms)
    ]
    longest = max((curve.last_time for _, _, curve in curves if curve is not None), default=0.0)
    horizon = longest or max([1.0, *(day for _, arm, _ in curves for day in arm.horizons)])
    ticks = _ticks(horizon)
    rows = len(curves)
    height = 3.35 + 0.42 * rows
    figure, (axes,) = new_figure(height, layout=None)
    figure.subplots_adjust(
        left=0.165, right=0.975, top=1 - (0.34 + 0.2 * rows) / height, bottom=(0.78 + 0.2 * rows) / height
    )
    for at, arm, curve in curves:
        style, name = arm_style(at), shorten(arm_label(result.protocol, arm.arm), 17)
        if curve is None:
            said = "no responders" if among == "responders" else "nobody"
            axes.plot([], [], color=style.colour, linestyle=style.line, label=f"{name}: {said}")
            continue
        known = f"median {median_text(curve)}" + ("" if math.isinf(curve.median) else " days")
        said = "no follow-up" if without_follow_up(curve) else known
        times, heights = np.concatenate([[0.0], curve.times]), np.concatenate([[1.0], curve.survival])
        axes.step(
            times, heights, where="post", color=style.colour, linestyle=style.line, zorder=3, label=f"{name}: {said}"
        )
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
    for (at, _, _), text in zip(curves, legend.get_texts(), strict=True):
        text.set_color(arm_style(at).colour)
        text.set_fontweight("bold")
    axes.axhline(0.5, color=MUTED, linewidth=0.7, linestyle=(0, (1, 3)), zorder=1)
    axes.set_ylim(0, 1.02)
    axes.set_xlim(0, horizon * 1.03)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0%", "25%", "50%", "75%", "100%"])
    axes.set_ylabel("Still in response")
    axes.set_xticks(ticks)
    axes.set_xlabel("Days since the response visit")
    figure.text(0.012, 1 - 0.08 / height, f"Still in response, among {among}", fontsize=11, fontweight="bold", va="top")

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
    for row, (at, _, curve) in enumerate(curves, start=1):
        style = arm_style(at)
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
