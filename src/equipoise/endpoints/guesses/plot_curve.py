"""The correct-guess-rate curve drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...figure_style import BOUND, MUTED, arm_style, figure_function, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from .curve import GuessRateCurve

__all__ = ["curve_figure"]


@figure_function
def curve_figure(curve: GuessRateCurve) -> Figure:
    """Effect and interval against the rate of correct guesses; the observed rate and that of a coin are marked."""
    style = arm_style(1)
    figure, (axes,) = new_figure(3.0)
    rates = np.array(curve.rates)
    lower, upper = (np.array([getattr(one, end) for one in curve.intervals]) for end in ("lower", "upper"))
    axes.fill_between(rates, lower, upper, color=style.colour, alpha=0.18, linewidth=0)
    axes.plot(rates, [one.effect for one in curve.estimates], color=style.colour)
    axes.axhline(0.0, color=MUTED, linewidth=0.9, zorder=1)
    axes.axvline(0.5, color=MUTED, linewidth=0.9, linestyle=(0, (1, 2)), zorder=1)
    axes.axvline(curve.observed_rate, color=BOUND, linewidth=1.0, linestyle=(0, (4, 2)), zorder=1)
    axes.plot([curve.observed_rate], [curve.unadjusted.effect], marker="o", color=BOUND, zorder=3)
    axes.annotate(
        "observed",
        (curve.observed_rate, 1.0),
        xycoords=("data", "axes fraction"),
        xytext=(3, -3),
        textcoords="offset points",
        va="top",
        color=BOUND,
        fontsize=9,
    )
    axes.set_xlim(float(rates.min()), float(rates.max()) if rates.size > 1 else float(rates.min()) + 1e-9)
    axes.set_xlabel("Rate of correct guesses")
    axes.set_ylabel(f"Difference, {curve.label}" if curve.label else str(curve.scale).capitalize())
    axes.set_title("Effect by the rate of correct guesses")
    return figure
