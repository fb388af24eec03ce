"""Figures of the stopping rule: the design as planned, and the trial's path against it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ...figure_style import BOUND, INK, MUTED, SHADE, arm_style, figure_function, new_figure
from ..phrases import decimal, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ...trial import Plan, TrialResult

__all__ = ["design_figure", "path_figure"]

HALO = {"facecolor": "white", "edgecolor": "none", "pad": 1.0, "alpha": 0.85}


@figure_function
def design_figure(plan: Plan) -> Figure:
    """Bounds on z against the information fraction, and below them where the trial is expected to end.

    Parameters
    ----------
    plan
        A protocol's plan; z is positive in favour of the experimental arm.
    """
    figure, (above, below) = new_figure(5.4, 2, (3, 2))
    figure.get_layout_engine().set(hspace=0.06)  # type: ignore[union-attr]
    _bounds(above, plan, [])
    above.set_title("Stopping rule")
    looks = plan.design.looks
    truths = (
        (f"assumed effect, power {percent(plan.under_effect.power, 1)}", plan.under_effect, arm_style(1)),
        (
            (
                f"no effect, {'error' if plan.design.sided == 1 else 'one-sided error'}"
                f" {percent(plan.under_no_effect.power, 1)}"
            ),
            plan.under_no_effect,
            arm_style(0),
        ),
    )
    width = 0.36
    for at, (label, expected, style) in enumerate(truths):
        places = np.arange(looks) + (at - 0.5) * (width + 0.03)
        below.bar(
            places,
            expected.stopping,
            width,
            label=label,
            color=style.face,
            edgecolor=style.colour,
            hatch=style.hatch,
            linewidth=1,
        )
        if looks <= 4:
            for place, share in zip(places, expected.stopping, strict=True):
                below.text(place, share + 0.03, percent(share, 1), ha="center", va="bottom", fontsize=9 - looks / 2)
    below.set_xticks(
        range(looks),
        [
            f"Look {look}\n{count} patients" if looks <= 4 else f"{look}"
            for look, count in enumerate(plan.patients_per_look, 1)
        ],
    )
    below.set_xlim(-0.6, looks - 0.4)
    below.set_ylim(0, 1.16)
    below.set_yticks([0, 0.5, 1], ["0%", "50%", "100%"])
    below.set_title("Probability of ending at each look")
    below.legend(
        loc="upper center", bbox_to_anchor=(0.45, -0.27 if looks <= 4 else -0.14), ncols=1, frameon=False, fontsize=9.5
    )
    return figure


@figure_function
def path_figure(result: TrialResult) -> Figure:
    """The z-values of the looks taken against the bounds of the design, with what the rule said at each."""
    figure, (axes,) = new_figure(3.4 + 0.17 * len(result.looks))
    taken = [(look.fraction, look.z, look.number) for look in result.looks]
    analysed = [(fraction, z) for fraction, z, _ in taken if z is not None]
    _bounds(axes, result.plan, [z for _, z in analysed], labelled=False)
    if analysed:
        fractions, values = zip(*analysed, strict=True)
        axes.plot(fractions, values, "-o", color=arm_style(1).colour, markersize=8, linewidth=1.6, zorder=5)
    for look in result.looks:
        if look.z is None:
            axes.plot([look.fraction], [0], "x", color=INK, markersize=9, zorder=5)
        axes.annotate(
            str(look.number),
            (look.fraction, look.z or 0.0),
            xytext=(-8, 4),
            textcoords="offset points",
            ha="right",
            fontsize=10,
            fontweight="bold",
            zorder=6,
            bbox=HALO,
        )
    lines = [
        f"Look {look.number}: "
        + ("could not be analysed" if look.z is None else f"z = {decimal(look.z, 3)}")
        + f", {look.decision}"
        for look in result.looks
    ]
    figure.supxlabel("\n".join(lines), fontsize=10, fontweight="bold", color=INK)
    axes.set_title("Path of the trial")
    return figure


def _bounds(axes: Axes, plan: Plan, values: list[float], labelled: bool = True) -> None:
    """Draw bounds, regions and axes, high enough for the values."""
    design = plan.design
    fractions, efficacy = np.array(design.information), np.array(design.efficacy_bounds)
    finite = np.isfinite(efficacy)
    futility = None if design.futility_bounds is None else np.array(design.futility_bounds)
    highest = max([2.6, *(abs(value) for value in values), *efficacy[finite].tolist()])
    top = max(min(highest, 4.5), *(abs(value) for value in values), 0.0) + 1.1
    bottom = -top if design.sided == 2 else min(-1.6, *(value - 0.9 for value in values), 0.0)
    if futility is not None and np.isfinite(futility).any():
        bottom = min(bottom, max(float(futility[np.isfinite(futility)].min()), -3.0) - 0.9)

    def region(bound: np.ndarray, edge: float, kind: str, marker: str) -> None:
        known = np.isfinite(bound)
        x, y = fractions[known], bound[known]
        if not x.size:
            return
        reach = 0.06 if x.size > 1 else 0.12
        wide_x, wide_y = np.concatenate([[x[0] - reach], x, [x[-1] + reach]]), np.concatenate([y[:1], y, y[-1:]])
        axes.fill_between(wide_x, wide_y, edge, color=SHADE[kind], linewidth=0, zorder=0)
        axes.plot(
            x, y, color=BOUND, linestyle=(0, (5, 2)), marker=marker, markersize=6, linewidth=1.4, zorder=3, clip_on=True
        )
        if labelled and x.size <= 5:
            for place, value in zip(x, y, strict=True):
                shown = min(max(value, bottom + 0.9), top - 0.9)
                axes.annotate(
                    decimal(value, 3),
                    (place, shown),
                    xytext=(0, 7 if edge > value else -7),
                    textcoords="offset points",
                    ha="center",
                    va="bottom" if edge > value else "top",
                    fontsize=9.5,
                    color=BOUND,
                )
        axes.text(
            0.02,
            top - 0.12 if edge > 0 else bottom + 0.12,
            f"stop for {kind}",
            ha="left",
            va="top" if edge > 0 else "bottom",
            fontsize=9.5,
            color=MUTED,
            style="italic",
        )

    region(efficacy, top, "efficacy", "^")
    if design.sided == 2:
        region(-efficacy, bottom, "harm", "v")
    if futility is not None:
        before = np.where(np.arange(futility.size) < futility.size - 1, futility, -math.inf)
        region(before, bottom, "futility", "v")
    axes.axhline(0, color=MUTED, linewidth=0.8, zorder=1)
    ticks = [0.0, *fractions.tolist()]
    kept = [tick for at, tick in enumerate(ticks) if at + 1 == len(ticks) or ticks[-1] - tick > 0.07]
    axes.set_xticks(kept, [f"{tick:.3g}" for tick in kept])
    axes.set_xlim(0, 1.12)
    axes.set_ylim(bottom, top)
    axes.set_xlabel("Information fraction")
    axes.set_ylabel("z-value")
