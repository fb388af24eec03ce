"""Figures of the stopping rule: the design as planned, and the trial's path against it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...figure_style import INK, arm_style, figure_function, new_figure
from ...sequential.plot_bounds import HALO, bounds_seen
from ...sequential.plot_regions import draw_bounds, look_ticks
from ...wording import decimal, percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ...sequential import Boundaries
    from ...trial import Plan, TrialResult

__all__ = ["design_figure", "path_figure"]


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
    draw_bounds(above, plan.design.planned, plan.design.sided, height=145)
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
            for look, count in enumerate(plan.units_per_look, 1)
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
    boundaries = _bounds(result)
    draw_bounds(axes, boundaries, result.plan.design.sided, values=[z for _, z in analysed], labelled=False)
    looks = boundaries.information.tolist() + [fraction for fraction, _, _ in taken]
    look_ticks(axes, np.unique(looks), axes.get_xlim()[1])
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


def _bounds(result: TrialResult) -> Boundaries:
    """Bounds as the trial met them, and at the looks that were still planned; a look that failed is none."""
    last = result.last_look
    if result.conclusion is not None:
        fractions = list(result.conclusion.information)
    else:
        passed = result.plan.design.information[: result.looks[0].number - 1]
        fractions = [*passed, *(look.fraction for look in result.looks if look.z is not None)]
        if last.fraction > max(fractions, default=0.0):
            fractions.append(last.fraction)
        fractions = fractions or [result.plan.design.information[last.number - 1]]
    return bounds_seen(result.plan.design, fractions, last.last, last.number)
