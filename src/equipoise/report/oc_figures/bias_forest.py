"""Bias of the estimates, as observed and as corrected, endpoint by endpoint."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...errors import InputError
from ...figure_style import INK, MUTED, arm_style, figure_function, new_figure, shorten
from ...sequential import Decision
from ...simulation.effect_text import has_direction
from ...wording import clean
from .words import NORMAL_95

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ...simulation import OperatingCharacteristics
    from ...simulation.effect_sums import EffectSummary

__all__ = ["bias_forest_figure"]

_NAMES = {"observed": "as observed", "median_unbiased": "median-unbiased", "bias_adjusted": "bias-adjusted"}
_MOST_SECONDARY = 8


@dataclass(frozen=True)
class _Row:
    """A heading, or the bias of an estimator over all trials and over those stopped early for efficacy, in SDs."""

    name: str
    overall: tuple[float, float] | None = None
    stopped: tuple[float, float] | None = None


@figure_function
def bias_forest_figure(found: OperatingCharacteristics) -> Figure:
    """Bias in standard deviations of the estimate with 95% Monte-Carlo intervals, over all trials and over those that
    stopped early for efficacy; positive where it flatters the experimental arm, or side effects or guesses of the
    treatment come out more frequent there than they are.

    Raises
    ------
    InputError
        When no estimate has a known truth.
    """
    rows = _rows(found)
    if not any(row.overall for row in rows):
        raise InputError("trials", found.trials, "trials that gave estimates of a known truth")
    from matplotlib.transforms import blended_transform_factory

    figure, (axes,) = new_figure(1.4 + 0.3 * len(rows))
    axes.axvline(0, color=INK, linewidth=1, zorder=1)
    for at, row in enumerate(rows):
        if row.overall is None:
            axes.text(
                0.012,
                -at - 0.12,
                row.name,
                transform=blended_transform_factory(figure.transFigure, axes.transData),
                in_layout=False,
                fontsize=9.5,
                fontweight="bold",
                va="center",
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8},
                zorder=4,
            )
            continue
        both = ((row.overall, arm_style(1), 0.14), (row.stopped, arm_style(2), -0.14))
        for values, style, lift in both:
            if values is None:
                continue
            bias, error = values
            axes.errorbar(
                bias,
                -at + lift,
                xerr=NORMAL_95 * error,
                fmt=style.marker,
                color=style.colour,
                markersize=5,
                elinewidth=1.4,
                capsize=2,
                zorder=3,
            )
    ends = [
        side for row in rows for values in (row.overall, row.stopped) if values
        for side in (values[0] - NORMAL_95 * values[1], values[0] + NORMAL_95 * values[1])
    ]  # fmt: skip
    low, high = min([*ends, -0.05]), max([*ends, 0.05])
    axes.set_xlim(low - 0.06 * (high - low), high + 0.06 * (high - low))
    axes.set_ylim(-len(rows) + 0.4, 0.6)
    named = [at for at, row in enumerate(rows) if row.overall is not None]
    axes.set_yticks([-at for at in named], [rows[at].name for at in named])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x", color=MUTED, alpha=0.2, linewidth=0.6)
    axes.locator_params(axis="x", nbins=6)
    axes.set_xlabel("Bias in SDs of the estimate\nright: flatters the treatment")
    axes.set_title("Bias of the estimates")
    handles = [axes.plot([], [], arm_style(at).marker, color=arm_style(at).colour, markersize=5)[0] for at in (1, 2)]
    names = ["all trials", "stopped early for efficacy"]
    shown = 2 if any(row.stopped for row in rows) else 1
    figure.legend(handles[:shown], names[:shown], loc="outside lower left", ncols=2, frameon=False, fontsize=9)
    return figure


def _rows(found: OperatingCharacteristics) -> list[_Row]:
    rows = [_Row(shorten(clean(found.context.primary.label), 46))]
    for name, words in _NAMES.items():
        overall = found.estimates(name)
        if not overall.estimated:
            continue
        stopped = found.tally.summary(name, None, (Decision.EFFICACY,), early=True) if found.looks > 1 else None
        rows.append(_Row(words, _scaled(overall, overall), _scaled(stopped, overall)))
    for one in list(found.secondary.values())[:_MOST_SECONDARY]:
        directed = has_direction(one.aim, found.context.plan.protocol)
        values = _scaled(one.overall, one.overall, directed)
        if values is None:
            continue
        stopped = _scaled(one.given_early_efficacy, one.overall, directed) if found.looks > 1 else None
        label = shorten(clean(one.aim.label), 46 if directed else 30)
        rows += [
            _Row(label if directed else f"{label} (right: more often)"),
            _Row("as observed", values, stopped),
        ]
    return rows


def _scaled(some: EffectSummary | None, spread: EffectSummary, directed: bool = True) -> tuple[float, float] | None:
    """Bias and its standard error in standard deviations of the estimates of all trials, positive if
    it flatters, or where nothing does if it is too high.
    """
    if some is None or some.estimated < 2:
        return None
    bias, size = some.bias, spread.standard_deviation
    if math.isnan(bias.value) or not size > 0:
        return None
    return (some.aim.sign if directed else 1) * bias.value / size, bias.standard_error / size
