"""The effect as observed and as corrected for the stopping."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ...errors import InputError
from ...figure_style import INK, MUTED, arm_style, figure_function, new_figure, shorten
from ...wording import level_text
from ..observed_interval import observed_interval
from ..phrases import EffectPhrases

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ...estimate import Interval
    from ...trial import TrialResult

__all__ = ["estimates_figure"]


@figure_function
def estimates_figure(result: TrialResult) -> Figure:
    """Effect as observed and as corrected, with the repeated interval, against no effect and the assumed one.

    Raises
    ------
    InputError
        When the last look could not be analysed.
    """
    conclusion = result.conclusion
    if conclusion is None:
        raise InputError("conclusion", None, "a trial whose last look could be analysed")
    phrases = EffectPhrases.of(result, conclusion.observed)
    interval, kind = observed_interval(result, conclusion)
    name = f"As observed, {kind}" if kind else "As observed"
    rows: list[tuple[str, float | None, Interval | None, str, str]] = [
        (name, conclusion.observed.effect, interval, "s", "white"),
        ("Median-unbiased", conclusion.median_unbiased, conclusion.interval, "o", arm_style(1).colour),
        ("Bias-adjusted", conclusion.bias_adjusted, None, "D", arm_style(1).colour),
        ("Repeated interval", None, conclusion.repeated_interval, "", ""),
    ]
    rows = [row for row in rows if row[1] is not None or row[2] is not None]
    null, assumed = phrases.natural(conclusion.observed.null_value), phrases.natural(result.plan.effect)
    ends = [null, assumed]
    for _, effect, interval, _, _ in rows:
        values = [effect] if effect is not None else []
        values += [interval.lower, interval.upper] if interval is not None else []
        ends += [phrases.natural(value) for value in values if math.isfinite(value)]
    figure, (axes,) = new_figure(1.95 + 0.56 * len(rows))
    low, high = min(ends), max(ends)
    logarithmic = conclusion.observed.scale.is_logarithmic
    if logarithmic:
        axes.set_xscale("log")
        margin = (high / low) ** 0.08 if high > low else 1.2
        low, high = low / margin, high * margin
    else:
        margin = 0.08 * (high - low or 1.0)
        low, high = low - margin, high + margin
    axes.axvline(null, color=INK, linewidth=1, zorder=1)
    axes.axvline(assumed, color=MUTED, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    for at, (name, effect, interval, marker, face) in enumerate(rows):
        height = -float(at)
        colour = arm_style(1).colour if at else INK
        if interval is not None:
            limits = [
                phrases.natural(value) if math.isfinite(value) else (low if value < 0 else high)
                for value in (interval.lower, interval.upper)
            ]
            axes.plot(limits, [height, height], color=colour, linewidth=1.8, zorder=2)
            for value, place, cap in ((interval.lower, limits[0], "<"), (interval.upper, limits[1], ">")):
                axes.plot(
                    [place],
                    [height],
                    "|" if math.isfinite(value) else cap,
                    color=colour,
                    markersize=9,
                    markeredgewidth=1.6,
                    zorder=3,
                )
        text = name
        if effect is not None:
            axes.plot(
                [phrases.natural(effect)],
                [height],
                marker,
                color=colour,
                markerfacecolor=face,
                markersize=7.5,
                zorder=4,
            )
            text += f": {phrases.value(effect)}"
        if interval is not None:
            text += f" ({phrases.limits(interval)})" if effect is not None else f": {phrases.limits(interval)}"
        axes.text(
            0.0,
            height + 0.2,
            text,
            transform=axes.get_yaxis_transform(),
            fontsize=9.5,
            va="bottom",
            color=colour,
            fontweight="bold",
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6},
            zorder=5,
        )
    axes.set_xlim(low, high)
    axes.set_ylim(-len(rows) + 0.6, 1.1)
    shares = [_along(place, low, high, logarithmic) for place in (null, assumed)]
    close = abs(shares[0] - shares[1]) < 0.3 and (shares[0] > 0.5) == (shares[1] > 0.5)
    for place, share, text in zip((null, assumed), shares, ("no effect", "assumed"), strict=True):
        left = share > 0.5
        axes.annotate(
            text,
            (place, 1.06),
            xytext=(-4 if left else 4, -11 if close and text == "assumed" else 0),
            textcoords="offset points",
            ha="right" if left else "left",
            va="top",
            fontsize=9,
            color=MUTED,
            style="italic",
        )
    if logarithmic:
        ticks = _ratios(low, high)
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.minorticks_off()
    else:
        axes.locator_params(axis="x", nbins=6)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    level = level_text(conclusion.observed_interval.level)
    axes.set_xlabel(f"{shorten(phrases.axis, 44)}, {level} intervals")
    axes.set_title("As observed and as corrected")
    fewer = conclusion.observed.better == "lower"
    sides = (phrases.experimental, phrases.control) if fewer else (phrases.control, phrases.experimental)
    for place, ha, arrow in ((0.0, "left", "← {}"), (1.0, "right", "{} →")):
        text = arrow.format(f"favours {shorten(sides[int(place)], 20)}")
        axes.annotate(
            text,
            (place, 0),
            xycoords="axes fraction",
            xytext=(0, -42),
            textcoords="offset points",
            ha=ha,
            va="top",
            fontsize=9,
            color=MUTED,
        )
    return figure


def _along(place: float, low: float, high: float, logarithmic: bool) -> float:
    """Where a value lies between the ends of the axis, from 0 to 1."""
    if logarithmic:
        return math.log(place / low) / math.log(high / low)
    return (place - low) / (high - low)


def _ratios(low: float, high: float) -> list[float]:
    """Round ratios between two, seven at most."""
    for steps in ((1, 1.5, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,)):
        powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        found = [step * 10.0**power for power in powers for step in steps if low <= step * 10.0**power <= high]
        if len(found) <= 7:
            return found
    return found[:: math.ceil(len(found) / 7)]
