"""Pictures of a stopping rule and of a trial under it, each a function of one object."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import InputError
from ..figure_style import BOUND, INK, MUTED, SHADE, arm_style, figure_function, new_figure
from .design import GroupSequential
from .monitoring import Monitoring
from .plot_bounds import bounds_figure
from .plot_estimators import estimators_figure
from .plot_regions import look_ticks
from .plot_scales import decimal, percent, scientific
from .spending import SpendingFunction

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["bounds_figure", "estimators_figure", "monitoring_figure", "power_figure", "spending_figure"]

Array = npt.NDArray[np.float64]
_LINE = {"efficacy": arm_style(1).colour, "futility": arm_style(0).colour, "harm": arm_style(2).colour}
_DARK = {"efficacy": "#5fa8d3", "futility": "#a9a9a9", "harm": "#e8a77e"}
_POINTS = 121
_LIKELY = 0.04  # less is not worth a name
_MARKERS = {"no effect": "s", "trend": "D", "planned effect": "o"}
_PERCENTS = (0.0, 0.25, 0.5, 0.75, 1.0)


@figure_function
def power_figure(design: GroupSequential, drifts: npt.ArrayLike | None = None) -> Figure:
    """Power against the true effect, where the trial stops, and the information it is expected to need.

    Above the zero line the probability of having stopped for efficacy by each look, together the power; below it the
    probability of having stopped for futility before the last look, and for harm at any. The expected information is a
    fraction of the maximum; the line across is the information of the fixed design.

    Parameters
    ----------
    design
        With a beta the axis is in multiples of the planned effect, otherwise in drift theta sqrt(I_max).
    drifts
        Drifts to show, rising, at least two; by default from no effect to half as much again as planned, or to where
        the power is almost 1.

    Raises
    ------
    InputError
        When the drifts are not finite or do not rise.
    """
    shown = _drifts(design, drifts)
    unit, label = _unit(design)
    effects = shown / unit
    exits = design.exit_probabilities(shown)
    stacks = {"efficacy": exits.upper}
    if exits.futility is not None:
        stacks["futility"] = exits.futility[:, :-1]
    if exits.lower is not None:
        stacks["harm"] = exits.lower
    figure, (above, below) = new_figure(4.9, 2, (3, 1.15))
    _draw_stops(above, effects, stacks)
    if design.beta is not None and effects[0] <= 1 <= effects[-1]:
        power = float(design.power(design.drift))
        above.plot([1.0], [power], "o", color=_LINE["efficacy"], markersize=6.5, zorder=5)
        above.vlines(1.0, 0.0, power, color=MUTED, linewidth=0.9, linestyle=(0, (1, 2)), zorder=2)
        above.annotate(
            f"power {percent(power)}",
            (1.0, power),
            xytext=(-8, 3),
            textcoords="offset points",
            ha="right",
            va="center",
            fontsize=9.5,
            zorder=6,
        )
    above.set_title("Power, and when the trial stops")
    above.set_ylabel("Probability of stopping")
    above.tick_params(labelbottom=False)
    expected = np.asarray(design.expected_information(shown))
    below.plot(effects, expected, color=INK, zorder=3)
    below.axhline(1, color=MUTED, linewidth=0.8, zorder=1)
    lowest = float(expected.min())
    if design.beta is not None:
        fixed = 1 / design.inflation_factor
        lowest = min(lowest, fixed)
        below.axhline(fixed, color=MUTED, linewidth=0.9, linestyle=(0, (1, 2)), zorder=1)
        at_left = abs(expected[0] - fixed) > abs(expected[-1] - fixed)
        below.annotate(
            "fixed design",
            (effects[0 if at_left else -1], fixed),
            xytext=(4 if at_left else -4, -2),
            textcoords="offset points",
            ha="left" if at_left else "right",
            va="top",
            fontsize=8.5,
            color=MUTED,
            style="italic",
        )
    below.set_ylim(max(lowest - 0.3 * (1.0 - lowest) - 0.08, 0.0), 1.05)
    below.set_xlabel(label)
    below.set_ylabel("Expected\ninformation")
    for axes in (above, below):
        axes.set_xlim(effects[0], effects[-1])
    figure.align_ylabels([above, below])
    return figure


def _drifts(design: GroupSequential, drifts: npt.ArrayLike | None) -> Array:
    if drifts is None:
        return np.linspace(0.0, 1.5 * design.drift if design.beta is not None else _strong(design), _POINTS)
    given = np.atleast_1d(np.asarray(drifts, dtype=np.float64))
    if given.ndim != 1 or given.size < 2 or not np.all(np.isfinite(given)) or not np.all(np.diff(given) > 0):
        raise InputError("drifts", drifts, "two or more finite drifts, rising")
    return given


def _strong(design: GroupSequential) -> float:
    """A drift with almost full power at the last look."""
    last = float(design.efficacy_bounds[-1])
    return (last if math.isfinite(last) else float(np.min(design.efficacy_bounds))) + 2.5


def _unit(design: GroupSequential) -> tuple[float, str]:
    """Drift of one unit of the axis of effects, and its name."""
    if design.beta is None:
        return 1.0, "Drift, mean of z at full information"
    return design.drift, "True effect (multiple of the planned one)"


def _draw_stops(axes: Axes, effects: Array, stacks: dict[str, Array]) -> None:
    """Probabilities of stopping at each look on top of each other, efficacy upwards, futility and harm downwards."""
    down = {kind: stack for kind, stack in stacks.items() if kind != "efficacy"}
    likely = [kind for kind, stack in down.items() if float(stack.sum(axis=1).max(initial=0.0)) > _LIKELY]
    depth = float(np.sum([stack.sum(axis=1) for stack in down.values()], axis=0).max()) if down else 0.0
    bottom = -depth - 0.06 if likely else -depth
    top = 1.04
    start, unnamed = np.zeros(effects.size), False
    for kind, stack in stacks.items():
        way = 1.0 if kind == "efficacy" else -1.0
        edges = start[:, None] + way * np.cumsum(np.column_stack((np.zeros(effects.size), stack)), axis=1)
        colours = _shades(kind, stacks["efficacy"].shape[1])
        for look in range(stack.shape[1]):
            low, high = np.sort(edges[:, look : look + 2], axis=1).T
            axes.fill_between(effects, low, high, color=colours[look], linewidth=0, zorder=1)
            if look + 1 < stack.shape[1]:
                axes.plot(effects, edges[:, look + 1], color="white", linewidth=0.6, zorder=2)
            named = _name_band(axes, effects, low, high, f"look {look + 1}", 0.055 * (top - bottom))
            unnamed |= not named and float((high - low).max()) > _LIKELY
        if kind == "efficacy" or kind in likely:
            axes.plot(effects, edges[:, -1], color=_LINE[kind], linewidth=1.8, zorder=3)
        start = np.zeros(effects.size) if kind == "efficacy" else edges[:, -1]
    axes.axhline(0, color=INK, linewidth=0.8, zorder=4)
    axes.set_ylim(bottom, top)
    places = [place for place in (-1.0, -0.5, 0.0, 0.5, 1.0) if place >= bottom] if likely else list(_PERCENTS)
    axes.set_yticks(places, [f"{abs(place):.0%}" for place in places])
    style: dict[str, Any] = {"fontsize": 9.5, "style": "italic", "color": MUTED, "transform": axes.transAxes}
    note = "\nearly looks darker" if unnamed else ""
    axes.text(0.02, 0.98, f"stop for efficacy{note}", ha="left", va="top", **style)
    if likely:
        axes.text(0.98, 0.03, f"stop for {' or '.join(likely)}", ha="right", va="bottom", **style)


def _shades(kind: str, looks: int) -> list[tuple[float, ...]]:
    """Colours of the looks, the first the darkest."""
    from matplotlib.colors import to_rgb

    dark, light = np.array(to_rgb(_DARK[kind])), np.array(to_rgb(SHADE[kind]))
    shares = np.linspace(0.0, 1.0, looks) if looks > 1 else np.array([0.6])
    return [tuple(dark + share * (light - dark)) for share in shares]


def _name_band(axes: Axes, effects: Array, low: Array, high: Array, text: str, tall: float) -> bool:
    """Write the name of a band where it fits best, if it fits."""
    half = 0.075 * float(np.ptp(effects))
    best, place = tall, math.nan
    for effect in effects[(effects >= effects[0] + half) & (effects <= effects[-1] - half)]:
        under = np.abs(effects - effect) <= half
        room = float(high[under].min() - low[under].max())
        if room > best:
            best, place = room, float(effect)
    if math.isnan(place):
        return False
    under = np.abs(effects - place) <= half
    middle = float(high[under].min() + low[under].max()) / 2
    axes.text(place, middle, text, ha="center", va="center", fontsize=9, zorder=4, color=INK)
    return True


@figure_function
def spending_figure(design: GroupSequential) -> Figure:
    """Error spent by each look against the information fraction: alpha, and beta where a futility rule spends it.

    Points are what the bounds spend at the looks; the curve is the spending function, where there is one.
    """
    panels: list[tuple[str, Any, Array, float, int]] = [
        ("alpha", design.efficacy, design.alpha_spent, design.level, design.sided)
    ]
    if design.beta_spent is not None:
        panels.append(("beta", design.futility, design.beta_spent, float(design.beta or 0.0), 1))
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    figure, axes = new_figure(0.7 + 2.3 * len(panels), len(panels))
    times = np.array(design.information)
    for panel, (name, rule, spent, level, sides) in zip(axes, panels, strict=True):
        colour = BOUND if name == "alpha" else _LINE["futility"]
        if isinstance(rule, SpendingFunction):
            fractions = np.unique(np.concatenate((np.linspace(0, 1, 401), times, [1 - 1e-9])))
            panel.plot(fractions, sides * np.asarray(rule.spent(fractions, level)), color=colour, zorder=2)
        panel.plot(times, spent, "o", color=colour, markersize=6 if times.size <= 8 else 4, zorder=3)
        # a rule that spends later than its function says does so for a wedge
        delayed = name == "beta" and not np.allclose(spent, rule.spent(times, level), rtol=1e-6, atol=0)
        panel.axhline(spent[-1], color=MUTED, linewidth=0.7, linestyle=(0, (1, 2)), zorder=1)
        panel.set_ylim(-0.12 * spent[-1], (1.46 if delayed else 1.36) * spent[-1])
        panel.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
        panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _error(value)))
        panel.set_xlim(0, 1.12)
        look_ticks(panel, times, 1.12)
        both = ", both sides" if name == "alpha" and design.sided == 2 else ""
        panel.set_title(f"{name.capitalize()} spent{both}")
        panel.set_ylabel(f"Cumulative {name}")
        _write_spent(panel, times, spent, delayed)
        note = rule.name if len(rule.name) <= 56 else f"{rule.name[:55].rstrip()}…"
        if delayed:
            note += "\na look without a wedge leaves its share to later ones"
        panel.text(0.02, 0.99, note, transform=panel.transAxes, va="top", fontsize=9, color=MUTED, style="italic")
    axes[-1].set_xlabel("Information fraction")
    return figure


def _write_spent(axes: Axes, times: Array, spent: Array, below: bool) -> None:
    """Write what is spent beside the points, where nothing else is written; `below` where a curve runs above them."""
    taken: list[tuple[float, float, float]] = []
    for at in reversed(range(times.size) if times.size <= 5 else [times.size - 1]):
        time, value = float(times[at]), float(spent[at])
        text = _error(value)
        width = 0.024 * len(text)
        above_left, under_right = (time - width, time, value), (time, time + width, value - 0.17 * spent[-1])
        choices = (under_right,) if below and at + 1 < times.size else (above_left, under_right)
        for left, right, height in choices:
            if left < 0.005 and height == value:
                left, right = time, time + width
            room = 0.11 * spent[-1]
            if right > 1.12 or any(left < end and start < right and abs(height - y) < room for start, end, y in taken):
                continue
            taken.append((left, right, height))
            on_left, under = right == time, height < value
            axes.annotate(
                text,
                (time, value),
                xytext=(-3 if on_left else 3, -4 if under else 4),
                textcoords="offset points",
                ha="right" if on_left else "left",
                va="top" if under else "bottom",
                fontsize=9,
                zorder=4,
            )
            break


def _error(value: float) -> str:
    """An error rate as text."""
    return f"{value:.3g}" if value == 0 or abs(value) >= 1e-4 else scientific(value)


@figure_function
def monitoring_figure(monitoring: Monitoring) -> Figure:
    """Conditional power against the effect it assumes, given z now.

    Marked are no effect, the planned effect (where the design has a beta) and the observed trend; the line across is
    the predictive power under a flat prior. With more than one look ahead the dashed curve is the power of the next.

    Parameters
    ----------
    monitoring
        Conditional power counts any look ahead, and stops for futility where they are binding.
    """
    design = monitoring.design
    unit, label = _unit(design)
    named = {"no effect": 0.0, "trend": monitoring.trend}
    if design.beta is not None:
        named["planned effect"] = design.drift
    low, high = _span(monitoring, unit)
    drifts = np.linspace(low, high, _POINTS)
    figure, (axes,) = new_figure(4.2)
    colour = arm_style(1).colour
    ahead = monitoring.later_information.size
    lines = axes.plot(
        drifts / unit,
        monitoring.conditional_power(drifts),
        color=colour,
        zorder=3,
        label="by any look ahead" if ahead > 1 else "at the last look",
    )
    if ahead > 1 and math.isfinite(monitoring.later_efficacy_bounds[0]):
        powers = monitoring.conditional_power(drifts, "next")
        style: dict[str, Any] = {"linestyle": (0, (4, 2)), "linewidth": 1.2, "zorder": 2.5}
        lines += axes.plot(drifts / unit, powers, color=colour, label="at the next look", **style)
    predictive = monitoring.predictive_power()
    lines.append(
        axes.axhline(
            predictive,
            color=_LINE["harm"],
            linewidth=1.3,
            linestyle=(0, (1, 1.2)),
            zorder=2,
            label=f"predictive power {percent(predictive)}",
        )
    )
    marks = []
    for name, drift in named.items():
        power = float(monitoring.conditional_power(drift))
        place = min(max(drift, low), high)
        far = "" if place == drift else f" ({decimal(drift / unit, 2)})"
        marks += axes.plot(
            [place / unit],
            [power],
            _MARKERS[name] if place == drift else ">" if drift > high else "<",
            color=INK,
            markersize=7,
            linestyle="none",
            clip_on=False,
            zorder=5,
            label=f"{name}{far} {percent(power)}",
        )
    axes.set_xlim(low / unit, high / unit)
    axes.set_ylim(-0.03, 1.05)
    axes.set_yticks(_PERCENTS, [f"{place:.0%}" for place in _PERCENTS])
    axes.locator_params(axis="x", nbins=6)
    axes.set_xlabel(label.replace("True", "Assumed"))
    # effects in one column, lines in the other
    blank = axes.plot([], [], linestyle="none", label=" ") * (len(lines) - len(marks))
    figure.legend(
        handles=[*marks, *blank, *lines],
        loc="outside lower center",
        ncols=2,
        frameon=False,
        fontsize=9.5,
        handlelength=1.8,
    )
    axes.set_ylabel("Conditional power")
    axes.set_title(
        f"Look {monitoring.look} of {monitoring.boundaries.information.size}: z = {decimal(monitoring.z, 3)}"
    )
    return figure


def _span(monitoring: Monitoring, unit: float) -> tuple[float, float]:
    """Drifts to show: no effect, the planned one and the trend unless it is far off."""
    wide = unit if monitoring.design.beta is not None else _strong(monitoring.design)
    trend = min(max(monitoring.trend, -1.0 * wide), 2.5 * wide)
    low, high = min(0.0, trend), max(wide * 1.3, trend)
    margin = 0.07 * (high - low)
    return low - margin, high + margin
