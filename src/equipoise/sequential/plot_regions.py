"""Drawing of bounds and stopping regions on one pair of axes, with room for every number and name."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..figure_style import BOUND, INK, MUTED, SHADE
from .bounds import Boundaries
from .plot_scales import PlotScale, z_scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["MOST_LABELLED", "draw_bounds", "look_ticks"]

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]
MOST_LABELLED = 5
_NEAR = 0.125  # information within which labels beside each other would meet
_EDGE = 3.0  # points that writing keeps from the ends of the axes
_WIDTH = 265.0  # of axes, in points, about
_NAMES: dict[str, Any] = {"fontsize": 9.5, "color": MUTED, "style": "italic", "zorder": 4}


@dataclass(frozen=True, eq=False)
class _Side:
    """One boundary of a picture.

    Attributes
    ----------
    kind
        Of the stop: a key of `SHADE`.
    edge
        Values on the scale, NaN where there is no bound, shape (looks,).
    up
        Whether the region lies above its edge on the page.
    inner
        Where the region ends on its other side; None when it reaches the end of the axis.
    """

    kind: str
    edge: Array
    up: bool
    inner: Array | None = None

    @property
    def known(self) -> list[int]:
        """Looks (from 0) with a bound."""
        return [int(at) for at in np.flatnonzero(np.isfinite(self.edge))]

    @property
    def edges(self) -> list[tuple[Array, bool]]:
        """Each edge, and whether the region lies above it."""
        return [(self.edge, self.up)] + ([] if self.inner is None else [(self.inner, not self.up)])


def _sides(scale: PlotScale, boundaries: Boundaries, sided: int) -> list[_Side]:
    looks = boundaries.information.size

    def values(bounds: Array) -> Array:
        return np.array(
            [scale.value(float(z), at + 1) if math.isfinite(z) else math.nan for at, z in enumerate(bounds)]
        )

    up = scale.favours_up
    sides = [_Side("efficacy", values(boundaries.efficacy), up)]
    if sided == 2 and not scale.folded:
        sides.append(_Side("harm", values(-boundaries.efficacy), not up))
    if boundaries.futility is None:
        return sides
    interim = np.arange(looks) < looks - boundaries.complete
    futility = np.where(interim, boundaries.futility, -math.inf)
    if sided == 2:
        futility = np.where(futility > 0, futility, -math.inf)
    if np.isfinite(futility).any():
        wedge = sided == 2 and not scale.folded
        sides.append(_Side("futility", values(futility), not up, values(-futility) if wedge else None))
    return sides


def draw_bounds(
    axes: Axes,
    boundaries: Boundaries,
    sided: int,
    *,
    scale: PlotScale | None = None,
    values: Sequence[float] = (),
    labelled: bool = True,
    planned: Boundaries | None = None,
    height: float = 170.0,
) -> None:
    """Draw bounds, regions and axes.

    Parameters
    ----------
    axes
        Where to; its limits, ticks and names of axes are set.
    boundaries, sided
        Bounds at every look, and the sides of the design.
    scale
        Of the vertical axis; z by default.
    values
        On that scale, to be inside the picture.
    labelled
        Whether bounds are written beside their marks; where looks are many only the last are.
    planned
        Bounds to show dotted, for comparison.
    height
        Of the axes in points, about, by which numbers and names are given room.
    """
    scale = scale or z_scale()
    times = boundaries.information
    sides = _sides(scale, boundaries, sided)
    low, high = _limits(scale, times, sides, values, sided, height)
    scale.dress(axes, low, high)
    page = _Page(axes, scale, times, low, high, max(1.12, float(times[-1]) + 0.12), height)
    for time in times:
        axes.axvline(time, color=MUTED, linewidth=0.5, alpha=0.35, zorder=0.5)
    if math.isfinite(scale.null):
        axes.axhline(scale.null, color=MUTED, linewidth=0.8, zorder=0.4)
    for value, name in scale.marks:
        if low < scale.forward(value) < high:
            axes.axhline(value, color=MUTED, linewidth=0.9, linestyle=(0, (1, 2)), zorder=1)
            axes.text(0.02, value, name, fontsize=8.5, color=MUTED, va="bottom", ha="left", style="italic", zorder=4)
    for side in sides:
        page.fill(side)
    for side in sides:
        page.mark(side)
        page.name(side, labelled)
        if labelled:
            page.write(side)
    if labelled and times.size <= MOST_LABELLED:
        before = -math.inf
        for time in times[np.isposinf(boundaries.efficacy)]:
            if time - before > 0.11:
                page.at_the_edge(float(time), "none", scale.favours_up, 15)
                before = time
    if planned is not None:
        for side in _sides(scale, planned, sided):
            for edge, _ in side.edges:
                axes.plot(planned.information, edge, color=INK, linestyle=":", linewidth=1, zorder=2.5)
    axes.set_xlabel("Information fraction" + ("" if planned is None else " (dotted: bounds as planned)"))
    axes.set_xlim(0, page.right)
    look_ticks(axes, times, page.right)


def look_ticks(axes: Axes, times: Array, right: float) -> None:
    """Ticks at 0 and at the looks, the last first in line where they would meet."""
    kept: list[float] = []
    for tick in (float(times[-1]), 0.0, *(float(time) for time in times[:-1])):
        if all(abs(tick - other) > 0.085 * right for other in kept):
            kept.append(tick)
    kept.sort()
    axes.set_xticks(kept, [f"{tick:.3g}" for tick in kept])


def _limits(
    scale: PlotScale, times: Array, sides: list[_Side], values: Sequence[float], sided: int, height: float
) -> tuple[float, float]:
    """Ends of the axis, as places along it: all of the later bounds, of early ones what is not too far.

    Beyond them there is room for names.
    """
    crowded = times.size <= MOST_LABELLED and bool(np.any(np.diff(times) < _NEAR))
    if scale.span is not None:
        return scale.span[0] - 0.18, scale.span[1] + (0.4 if crowded else 0.24)
    null = scale.forward(scale.null)

    def distances(edge: Array) -> Array:
        return np.array([scale.forward(float(value)) - null for value in edge[np.isfinite(edge)]])

    efficacy = distances(sides[0].edge)
    furthest = scale.reach * (abs(efficacy[-1]) if efficacy.size else 2.0)
    ends = [0.0]
    for side in sides:
        for edge, _ in side.edges:
            ends += np.clip(distances(edge), -furthest, furthest).tolist()
    ends += [scale.forward(value) - null for value in values]
    ends += [scale.forward(value) - null for value, _ in scale.marks]
    lowest, highest = min(ends), max(ends)
    if sided == 2 and not scale.folded:
        highest = max(highest, -lowest)
        lowest = -highest
    rooms = {True: 12 / height, False: 12 / height}
    for side in sides:
        if side.inner is None:
            rooms[side.up != scale.inverted] = (45 if crowded else 33) / height
    unit = (highest - lowest) / (1 - rooms[True] - rooms[False])
    return null + lowest - rooms[False] * unit, null + highest + rooms[True] * unit


@dataclass(frozen=True, eq=False)
class _Page:
    """Axes with the scale they have, `low` and `high` their ends as places along it, `right` the end of the other.

    `height` is theirs in points, about.
    """

    axes: Axes
    scale: PlotScale
    times: Array
    low: float
    high: float
    right: float
    height: float

    def points(self, one: float, other: float) -> float:
        """About how far apart two values are on the page, up positive, in points."""
        apart = (self.scale.forward(other) - self.scale.forward(one)) / (self.high - self.low) * self.height
        return -apart if self.scale.inverted else apart

    def is_inside(self, value: float) -> bool:
        """Whether a value is within the picture."""
        return self.low < self.scale.forward(value) < self.high

    def ends_of(self, run: Indices) -> tuple[float, float]:
        """How far a region reaches to the left and right of consecutive looks."""
        first, last, times = int(run[0]), int(run[-1]), self.times
        widest = 0.06 if times.size > 1 else 0.12
        before = min(widest, (times[first] - times[first - 1]) / 2) if first else widest
        after = min(widest, (times[last + 1] - times[last]) / 2) if last + 1 < times.size else widest
        return float(times[first] - before), float(times[last] + after)

    def fill(self, side: _Side) -> None:
        bottom, top = self.axes.get_ylim()
        for run in _runs(side.edge):
            left, right = self.ends_of(run)
            x = np.concatenate(([left], self.times[run], [right]))
            held = np.concatenate((run[:1], run, run[-1:]))
            other = np.full(x.shape, top if side.up else bottom) if side.inner is None else side.inner[held]
            self.axes.fill_between(x, side.edge[held], other, color=SHADE[side.kind], linewidth=0, zorder=0.6)

    def mark(self, side: _Side) -> None:
        for edge, up in side.edges:
            for run in _runs(edge):
                self.axes.plot(
                    self.times[run],
                    edge[run],
                    color=BOUND,
                    linestyle=(0, (5, 2)),
                    marker="^" if up else "v",
                    markersize=6 if self.times.size <= 8 else 4,
                    linewidth=1.4,
                    zorder=3,
                )

    def write(self, side: _Side) -> None:
        """Write bounds beside their marks."""
        if self.scale.span is not None and side.kind == "harm":
            return
        many = self.times.size > MOST_LABELLED
        if many and side.inner is not None:
            return
        symmetric = side.inner is not None and self.scale.is_symmetric
        for edge, up in side.edges[: 1 if symmetric or self.scale.span is not None else 2]:
            inside = [at for at in side.known if self.is_inside(edge[at])]
            for at in [] if many else side.known:
                if at not in inside:
                    beyond = self.scale.forward(edge[at]) >= self.high
                    arrow = "↑" if beyond != self.scale.inverted else "↓"
                    self.at_the_edge(
                        float(self.times[at]), f"{arrow} {self.scale.written(edge[at])}", beyond != self.scale.inverted
                    )
            raised = False
            for order, at in enumerate(inside[-1:] if many else inside):
                raised = not raised and order > 0 and self.times[at] - self.times[inside[order - 1]] < _NEAR
                # a wedge's values are written outside it
                above = up if side.inner is None else not up
                self._beside(edge, at, above, raised, symmetric)

    def _beside(self, edge: Array, at: int, above: bool, raised: bool, symmetric: bool) -> None:
        value, text = float(edge[at]), self.scale.written(edge[at])
        towards = 1.0 if above else -1.0
        place, va = (0.0, towards * (19.0 if raised else 6.0)), "bottom" if above else "top"
        if symmetric:
            text, half = f"±{text}", abs(self.points(0.0, value))
            value, place, va = (0.0, (0.0, 0.0), "center") if half > 9 else (-abs(value), (0.0, -6.0), "top")
        else:
            place = (self._shift(edge, at, above), place[1])
        self.axes.annotate(
            text,
            (float(self.times[at]), value),
            xytext=place,
            textcoords="offset points",
            ha="center",
            va=va,
            fontsize=9.5 if self.times.size <= 4 else 9,
            color=BOUND,
            zorder=4,
        )

    def _shift(self, edge: Array, at: int, above: bool) -> float:
        """How far aside a number must go, in points, to keep clear of the line from the look before or to the next."""
        for other, way in ((at - 1, 1.0), (at + 1, -1.0)):
            if not (0 <= other < edge.size and math.isfinite(edge[other])):
                continue
            rise = self.points(float(edge[at]), float(edge[other])) * (1.0 if above else -1.0)
            width = abs(self.times[other] - self.times[at]) / self.right * _WIDTH
            if rise / width * 13 > 5:
                return way * (11.0 if self.times[at] + 0.1 < self.right - 0.05 else 5.0)
        return 0.0

    def at_the_edge(self, time: float, text: str, up: bool, inwards: float = _EDGE) -> None:
        """Write near the upper or lower edge, `inwards` points from it, what cannot be shown at its place."""
        # the line to the next bound leaves the picture on the right
        aside = 3 if time <= 0.1 else -14 if time > 0.15 and inwards == _EDGE else 0
        self.axes.annotate(
            text,
            (time, 1.0 if up else 0.0),
            xycoords=("data", "axes fraction"),
            xytext=(aside, -inwards if up else inwards),
            textcoords="offset points",
            ha="center" if time > 0.1 else "left",
            va="top" if up else "bottom",
            fontsize=9,
            color=BOUND,
            zorder=4,
        )

    def name(self, side: _Side, labelled: bool) -> None:
        """The kind of stop, written in its region or beside it."""
        if not side.known:
            return
        first, last = side.known[0], side.known[-1]
        left, right = self.ends_of(np.array([first, last]))
        if side.inner is None:
            self._name_at_the_end(side, left, right)
            return
        text = f"stop for {side.kind}"
        edges = [self.scale.forward(float(edge[last])) for edge, _ in side.edges]
        middle = self.scale.backward(sum(edges) / 2)
        tall = abs(edges[0] - edges[1]) / (self.high - self.low) * self.height > 20
        many = self.times.size > MOST_LABELLED
        if tall and (many or (labelled and not self.scale.is_symmetric)):
            self.axes.text(right - 0.02, middle, text, ha="right", va="center", **_NAMES)
        elif right > 0.93 or (labelled and left > 0.4):
            self.axes.text(left - 0.01, middle, text, ha="right", va="bottom", **_NAMES)
        else:
            self.axes.text(right + 0.01, middle, text.replace("for ", "for\n"), ha="left", va="center", **_NAMES)

    def _name_at_the_end(self, side: _Side, left: float, right: float) -> None:
        text = f"stop for {side.kind}"
        if self.scale.folded and side.kind == "efficacy":
            text += " or, if z < 0, for harm"
        width = 0.0185 * len(text)
        middle = (left + right) / 2
        if right - left < width and width / 2 < middle < self.right - width / 2:
            place, aligned = middle, "center"
        else:
            place, aligned = max(right - 0.015, width), "right"
        self.axes.annotate(
            text,
            (place, 1.0 if side.up else 0.0),
            xycoords=("data", "axes fraction"),
            xytext=(0, -3 if side.up else 3),
            textcoords="offset points",
            ha=aligned,
            va="top" if side.up else "bottom",
            **_NAMES,
        )


def _runs(edge: Array) -> list[Indices]:
    """Indices of the looks with a bound, split where a look without one lies between."""
    known = np.flatnonzero(np.isfinite(edge))
    return [run for run in np.split(known, np.flatnonzero(np.diff(known) > 1) + 1) if run.size]
