"""The picture of a mixed model: means by arm and visit, and differences from the control, with their intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..checks import instance, number
from ..errors import InputError
from ..estimate import Estimate, Interval
from ..figure_style import MUTED, arm_style, figure_function, new_figure, shorten, spread
from .contrasts import versus_control
from .frame import label_of
from .means import least_squares_means
from .reference_grid import GridRequest

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from .result import MixedFit

__all__ = ["means_figure"]

Array = NDArray[np.floating[Any]]
# Position of the line's style, its label, and one estimate or gap a visit.
Line = tuple[int, str, list[tuple[Estimate, Interval] | None]]

# Inches, and the longest name in letters.
_HEIGHT, _MARGIN, _LETTER, _EDGE = 3.6, 0.95, 0.085, 0.08
_NARROWEST, _WIDEST = 3.2, 7.0
_LABEL = 24


@figure_function
def means_figure(
    fit: MixedFit,
    factor: str | None,
    *,
    by: str | None,
    kind: Literal["means", "difference"],
    control: object | None,
    times: Mapping[Any, float] | None,
    request: GridRequest,
    outcome: str | None,
    time: str | None,
    title: str | None,
) -> Figure:
    """Least squares means by arm and visit, or differences from the control; see `MixedFit.plot`."""
    if kind not in ("means", "difference"):
        raise InputError("kind", kind, "'means' or 'difference'")
    along = _axis(fit, by)
    factor = _lines(fit, factor, along)
    grid = fit._reference_grid()
    asked = grid.levels_at(along, request.at)
    visits = [one for one in grid.factors[along] if one in asked]
    places, ticks, timed = _places(along, visits, times)
    levels = grid.factors[factor]
    reference = levels[0] if control is None else grid.level(factor, control, "control")
    styles = {name: index for index, name in enumerate([reference, *(one for one in levels if one != reference)])}
    lines: list[Line] = []
    percent = f"{100 * request.level:.10g}"
    if kind == "means":
        means = {(row.cell[factor], row.cell[along]): row for row in least_squares_means(fit, factor, along, request)}
        for name in grid.levels_at(factor, request.at):
            rows = [means[name, visit] for visit in visits]
            lines.append((styles[name], name, [_pair(row.estimate, row.interval) for row in rows]))
        heading, upright = f"Least squares means, {percent}% CI", outcome or _outcome(fit)
    else:
        found = versus_control(fit, factor, reference, along, request, None)
        differences = {(row.first, row.cell[along]): row for row in found}
        for name in dict.fromkeys(row.first for row in found):
            rows = [differences[name, visit] for visit in visits]
            lines.append((styles[name], name, [_pair(row.estimate, row.interval) for row in rows]))
        heading = f"Difference from {shorten(reference, _LABEL)}, {percent}% CI"
        upright = f"Difference in {outcome or _outcome(fit)}"
        if len(lines) == 1:
            heading = f"{shorten(lines[0][1], _LABEL)} − {shorten(reference, _LABEL)}, {percent}% CI"
    alone = kind == "difference" and len(lines) == 1
    figure, (axes,) = new_figure(_HEIGHT)
    names = 0.0 if alone else max(len(shorten(name, _LABEL)) for _, name, _ in lines) * _LETTER
    inside = _width(places, ticks, len(lines), timed)
    width = _MARGIN + names + inside + _EDGE
    figure.set_size_inches(width, _HEIGHT)
    figure.set_layout_engine("constrained", rect=(0, 0, 1 - _EDGE / width, 1))
    _draw(axes, lines, np.array(places))
    if kind == "difference":
        low, high = axes.get_ylim()
        axes.set_ylim(min(low, 0.0 - 0.04 * (high - low)), max(high, 0.04 * (high - low)))
        axes.axhline(0.0, color=MUTED, linewidth=0.9, zorder=1)
    _label(axes, lines, places, alone=alone)
    _ticks(axes, places, ticks, inside)
    axes.set_xlabel(time or ("Time" if times is not None and timed else along))
    axes.set_ylabel(upright)
    axes.set_title(title if title is not None else heading)
    return figure


def _outcome(fit: MixedFit) -> str:
    return fit.formula.split("~", 1)[0].strip() or "outcome"


def _pair(estimate: Estimate | None, interval: Interval | None) -> tuple[Estimate, Interval] | None:
    return None if estimate is None or interval is None else (estimate, interval)


def _axis(fit: MixedFit, by: str | None) -> str:
    """The factor along the axis: the one named, or that whose levels are the visits."""
    grid = fit._reference_grid()
    if by is not None:
        return grid.factor(by, "by")
    for name, levels in grid.factors.items():
        if levels == fit.visits:
            return name
    raise InputError("by", by, "a factor of the formula, as the visit is not one of them")


def _lines(fit: MixedFit, factor: str | None, along: str) -> str:
    """The factor drawn as lines: the one named, the only other one, or the only one that interacts with the visit."""

    grid = fit._reference_grid()
    if factor is not None:
        if grid.factor(factor) == along:
            raise InputError("factor", factor, "a factor other than that along the axis")
        return factor
    others = [name for name in grid.factors if name != along]
    if len(others) > 1:
        terms = {column.term for column in grid.design.columns}
        others = [name for name in others if any({name, along} <= set(term) for term in terms)]
    if len(others) != 1:
        names = [name for name in grid.factors if name != along]
        raise InputError("factor", factor, f"the name of the arm or another factor, one of {names}")
    return others[0]


def _places(
    along: str, visits: Sequence[str], times: Mapping[Any, float] | None
) -> tuple[list[float], list[str], bool]:
    """Where the visits lie on the axis, what stands below them, and whether the axis is one of time."""
    if times is not None:
        instance("times", times, Mapping, f"a mapping from the levels of {along!r} to numbers")
        known = {label_of(visit): time for visit, time in times.items()}
        for visit in visits:
            if visit not in known:
                raise InputError("times", dict(times), f"a time for every level of {along!r}, {list(visits)}")
        found = [known[visit] for visit in visits]
        found = [number(f"times[{visit!r}]", time) for visit, time in zip(visits, found, strict=True)]
    else:
        try:
            found = [float(visit) for visit in visits]
        except ValueError:
            return [float(index) for index in range(len(visits))], list(visits), False
    places = [float(one) for one in found]
    if len(set(places)) < len(places) or not all(math.isfinite(one) for one in places):
        raise InputError("times", places, "a different finite time for every visit")
    return places, [f"{place:g}" for place in places], True


def _width(places: list[float], labels: list[str], n_lines: int, timed: bool) -> float:
    """Inches between the axes' ends that let labels, or else the intervals of neighbouring visits, stand apart."""
    wanted = len(labels) * max(0.36, _LETTER * (max(len(label) for label in labels) + 1.5))
    if timed and len(places) > 1:
        wanted = float(np.ptp(places) / np.diff(np.sort(places)).min()) * 0.09 * max(n_lines, 2)
    return min(_WIDEST, max(_NARROWEST, wanted))


def _draw(axes: Axes, lines: list[Line], places: Array) -> None:
    """Each line with its intervals, moved sideways so that the intervals of one visit stand beside each other."""
    reach = float(np.ptp(places)) or 1.0
    order = np.argsort(places)
    gaps = np.concatenate([[np.inf], np.diff(places[order]), [np.inf]])
    nearest = np.empty(places.size)
    nearest[order] = np.minimum(gaps[:-1], gaps[1:])
    step = np.minimum(0.022 * reach, 0.55 * nearest / max(len(lines) - 1, 1))
    for index, (style_at, _, pairs) in enumerate(lines):
        style = arm_style(style_at)
        x = places + (index - (len(lines) - 1) / 2) * step
        y = np.array([math.nan if pair is None else pair[0].effect for pair in pairs])
        limits = np.array([(math.nan,) * 2 if pair is None else (pair[1].lower, pair[1].upper) for pair in pairs])
        seen = ~np.isnan(y)
        axes.errorbar(
            x[seen],
            y[seen],
            yerr=np.abs(limits[seen] - y[seen, None]).T,
            fmt="none",
            ecolor=style.colour,
            elinewidth=1.1,
            capsize=2.5 if len(lines) <= 3 else 1.8,
            zorder=2,
        )
        axes.plot(
            x[order],
            y[order],
            color=style.colour,
            linestyle=style.line,
            marker=style.marker,
            markerfacecolor=style.face,
            markersize=6 if len(lines) <= 3 else 4.8,
            linewidth=1.6,
            zorder=3,
        )


def _label(axes: Axes, lines: list[Line], places: list[float], *, alone: bool) -> None:
    """The name of each line beside its last mean, in its colour."""
    reach = (max(places) - min(places)) or 1.0
    edge = (0.045 + 0.011 * (len(lines) - 1)) * reach
    axes.set_xlim(min(places) - edge, max(places) + edge)
    if alone:
        return
    last = sorted(range(len(places)), key=lambda index: places[index])
    ends = []
    for style_at, name, pairs in lines:
        seen = [pairs[index] for index in last]
        known = [pair[0].effect for pair in seen if pair is not None]
        if known:
            ends.append((known[-1], style_at, name))
    low, high = axes.get_ylim()
    heights = spread([end[0] for end in ends], 0.068 * (high - low), low, high)
    for (_, style_at, name), height in zip(ends, heights, strict=True):
        axes.annotate(
            shorten(name, _LABEL),
            (1.0, height),
            xycoords=("axes fraction", "data"),
            xytext=(5, 0),
            textcoords="offset points",
            color=arm_style(style_at).colour,
            va="center",
            fontsize=9.5,
            fontweight="bold",
            annotation_clip=False,
        )


def _ticks(axes: Axes, places: list[float], labels: list[str], inside: float) -> None:
    """A tick at every visit, and its label where there is room, the later before the earlier."""
    reach = (max(places) - min(places)) or 1.0
    kept: list[tuple[float, str]] = []
    for place, label in sorted(zip(places, labels, strict=True), reverse=True):
        if kept:
            room = (kept[-1][0] - place) / (1.12 * reach) * inside
            if room < _LETTER * (0.5 * (len(label) + len(kept[-1][1])) + 0.5):
                continue
        kept.append((place, label))
    axes.set_xticks([place for place, _ in kept], [label for _, label in kept])
    axes.set_xticks(places, minor=True)
    axes.tick_params(axis="x", which="minor", length=2.5)
