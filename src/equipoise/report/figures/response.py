"""Responders by arm."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING

from ...endpoints import describe
from ...endpoints.results import ResponseResult
from ...errors import InputError
from ...figure_style import INK, arm_style, figure_function, new_figure, shorten
from ...wording import arm_label, capital, clean, level_text, percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ...trial import TrialResult

__all__ = ["response_figure", "response_results"]


def response_results(result: TrialResult) -> tuple[ResponseResult, ...]:
    """The response endpoints that could be analysed, the primary first."""
    return tuple(item for item in (result.primary, *result.secondary) if isinstance(item, ResponseResult))


@figure_function
def response_figure(result: TrialResult, endpoint: str = "") -> Figure:
    """Proportion of responders by arm with Wilson intervals, and the number needed to treat with its interval.

    Parameters
    ----------
    endpoint
        Name of the response endpoint; the first by default.

    Raises
    ------
    InputError
        When the trial has no such endpoint, or it could not be analysed.
    """
    found = next((item for item in response_results(result) if endpoint in ("", item.name)), None)
    if found is None:
        raise InputError("response endpoint", endpoint or "none", "a response endpoint that was analysed")
    figure, (axes,) = new_figure(1.75 + 0.62 * len(found.arms))
    for at, arm in enumerate(found.arms):
        style, height = arm_style(at), -float(at)
        if not arm.patients:
            label = f"{shorten(arm_label(result.protocol, arm.arm), 26)}: nobody"
            axes.text(0, height + 0.27, label, va="bottom", fontsize=10, fontweight="bold", color=style.colour)
            continue
        axes.barh(
            height,
            arm.risk,
            0.42,
            color="white" if style.hatch else style.face,
            edgecolor=style.colour,
            hatch=style.hatch,
            linewidth=1.2,
            zorder=2,
        )
        span = [[max(arm.risk - arm.interval.lower, 0.0)], [max(arm.interval.upper - arm.risk, 0.0)]]
        axes.errorbar(
            [arm.risk],
            [height],
            xerr=span,
            fmt="none",
            ecolor="white",
            elinewidth=3.6,
            capsize=5,
            capthick=3.6,
            zorder=3,
        )
        axes.errorbar(
            [arm.risk], [height], xerr=span, fmt="none", ecolor=INK, elinewidth=1.4, capsize=4, capthick=1.4, zorder=4
        )
        label = (
            f"{shorten(arm_label(result.protocol, arm.arm), 26)}: {arm.responders} of {arm.patients}"
            f" ({percent(arm.risk, 1)})"
        )
        axes.text(0, height + 0.27, label, va="bottom", fontsize=10, fontweight="bold", color=style.colour)
    axes.set_xlim(0, 1)
    axes.set_ylim(-len(found.arms) + 0.62, 0.72)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.axvline(0, color=INK, linewidth=0.8)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0%", "25%", "50%", "75%", "100%"])
    level = level_text(found.arms[0].interval.level)
    what = clean(describe(result.protocol.endpoint(found.name), result.protocol).measured)
    axes.set_xlabel(shorten(f"{capital(what)}, {level} Wilson interval", 56))
    axes.set_title(fill(shorten(clean(found.label), 90), 40))
    number = found.number_needed_to_treat
    if number is not None:
        # The interval goes through infinity when the difference may be none; the text of the number says so.
        figure.supxlabel(f"{number.name} {str(number).split(' ', 1)[1]}", fontsize=10, fontweight="bold", color=INK)
    return figure
