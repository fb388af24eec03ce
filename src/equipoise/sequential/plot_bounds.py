"""Pictures of bounds: where a trial may stop, look by look, and the path it took."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..errors import InputError
from ..estimate import Estimate
from ..figure_style import BOUND, INK, MUTED, SHADE, arm_style, figure_function, new_figure
from .bounds import Boundaries
from .conclusion import Conclusion
from .decision import Decision, decide
from .design import GroupSequential
from .plot_scales import PlotScale, plot_scale, z_scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["bounds_figure", "bounds_seen", "draw_bounds", "look_ticks"]

Array = npt.NDArray[np.float64]
HALO = {"facecolor": "white", "edgecolor": "none", "pad": 1.0, "alpha": 0.85}
_MOST_LABELLED = 5
_NEAR = 0.125  # information within which labels beside each other would meet
_HEIGHT, _WIDTH = 170.0, 265.0  # of axes, in points, about


@figure_function
def bounds_figure(
    design: GroupSequential,
    scale: str = "z",
    *,
    conclusion: Conclusion | None = None,
    path: Sequence[float | Estimate | None] | None = None,
    information: Sequence[float] | None = None,
    drift: float | None = None,
) -> Figure:
    """Where a trial stops, against the information fraction, and the path it took.

    Parameters
    ----------
    design
        The design as planned.
    scale
        "z"; "p-value" (nominal, of one look; both sides fold into one when two-sided); "effect", the estimate: on its
        own scale (ratios not as logarithms) where a conclusion or estimates are given, otherwise as a multiple of the
        planned effect; "conditional power" (to cross a later efficacy bound under the planned drift), "conditional
        power at trend", "predictive power" (flat prior). The powers have no bound at the last look.
    conclusion
        What was concluded at a look; bounds are shown as they were found at the information observed.
    path
        z-values (positive in favour of the experimental arm) or estimates at looks 1..k, None or NaN at one that could
        not be analysed; by default the last alone, from the conclusion.
    information
        Observed information at looks 1..k as fractions of the planned maximum; by default the conclusion's, or as
        planned.
    drift
        Planned drift theta sqrt(I_max), where the design has no beta or its own is not meant.

    Raises
    ------
    InputError
        When the scale is unknown or needs a planned effect that is missing, or path, information and conclusion do not
        fit each other.
    """
    z, estimates, fractions, final = _observed(design, conclusion, path, information)
    boundaries = bounds_seen(design, fractions, final)
    chosen = plot_scale(scale, design, boundaries, estimates, drift)
    points = _points(chosen, boundaries, design, z, estimates, final)
    figure, (axes,) = new_figure(3.5)
    planned = None
    if not _same(boundaries.information, design.planned.information) and chosen.estimates is None:
        planned = design.planned
    draw_bounds(
        axes,
        boundaries,
        design.sided,
        scale=chosen,
        values=[value for _, value, _ in points],
        labelled=not points,
        planned=planned,
    )
    if not points:
        axes.set_title("Stopping rule")
        return figure
    _draw_path(axes, chosen, points)
    decision = conclusion.decision if conclusion is not None else _decision(design, boundaries, z, final)
    axes.set_title(f"Look {len(fractions)} of {boundaries.information.size}: {decision}")
    return figure


def bounds_seen(design: GroupSequential, fractions: Sequence[float], final: bool = False) -> Boundaries:
    """Bounds at the information observed so far and at the looks still planned.

    Parameters
    ----------
    fractions
        Observed information at looks 1..k as fractions of the planned maximum.
    final
        Whether the last of them ends the trial.
    """
    if not fractions:
        return design.planned
    later = [] if final else [time for time in design.information[len(fractions) :] if time > fractions[-1]]
    return design.bounds_at([*fractions, *later], True)


def _observed(
    design: GroupSequential,
    conclusion: Conclusion | None,
    path: Sequence[float | Estimate | None] | None,
    information: Sequence[float] | None,
) -> tuple[list[float], list[Estimate | None] | None, list[float], bool]:
    """z-values, estimates if there are any, and information of the looks so far, and whether they were all."""
    if conclusion is not None and conclusion.design != design:
        raise InputError("conclusion", conclusion, "one reached by the design given")
    if path is None and conclusion is None:
        if information is not None:
            raise InputError("information", information, "None without a path or a conclusion")
        return [], None, [], False
    if path is None:
        assert conclusion is not None
        path = [None] * (conclusion.look - 1) + [conclusion.observed]
    z, estimates = [], []
    for at, seen in enumerate(path):
        if seen is not None and not isinstance(seen, Estimate) and math.isinf(seen):
            raise InputError(f"path[{at}]", seen, "a finite z-value, an Estimate, or None")
        z.append(math.nan if seen is None else seen.favourable_z if isinstance(seen, Estimate) else float(seen))
        estimates.append(seen if isinstance(seen, Estimate) else None)
    if conclusion is not None and estimates and estimates[-1] is None:
        estimates[-1] = conclusion.observed
    if information is None:
        information = design.information[: len(path)] if conclusion is None else conclusion.information
    if not path or len(path) != len(information):
        raise InputError("path", list(path), f"{len(information)} values, one for each look so far")
    if conclusion is not None and not (
        len(path) == conclusion.look
        and math.isclose(z[-1], conclusion.z, abs_tol=1e-9)
        and _same(information, conclusion.information)
    ):
        raise InputError("path", list(path), "the path that led to the conclusion given")
    final = len(path) >= design.looks or information[-1] >= 1 if conclusion is None else conclusion.final
    return z, estimates if any(estimates) else None, [float(fraction) for fraction in information], final


def _same(one: Iterable[float], other: Iterable[float]) -> bool:
    return np.array_equal(np.asarray(one), np.asarray(other))


def _decision(design: GroupSequential, boundaries: Boundaries, z: list[float], final: bool) -> Decision:
    look = len(z) - 1
    if math.isnan(z[look]):
        return Decision.NOT_REJECTED if final else Decision.CONTINUE
    futility = None if boundaries.futility is None else float(boundaries.futility[look])
    return decide(design, z[look], float(boundaries.efficacy[look]), futility, final)


def _points(
    scale: PlotScale,
    boundaries: Boundaries,
    design: GroupSequential,
    z: list[float],
    estimates: list[Estimate | None] | None,
    final: bool,
) -> list[tuple[float, float, bool]]:
    """Information, value on the scale, and whether it favours the experimental arm, at each look analysed."""
    points = []
    for at, seen in enumerate(z):
        if math.isnan(seen):
            continue
        estimate = None if estimates is None else estimates[at]
        if scale.estimates is not None and estimate is not None:
            value = estimate.scale.natural(estimate.effect)
        elif scale.span is not None and final and at + 1 == len(z):
            # nothing is left to chance
            value = 1.0 if seen >= boundaries.efficacy[at] else 0.0
        else:
            value = scale.value(seen, at + 1)
        if not math.isnan(value):
            points.append((float(boundaries.information[at]), value, seen >= 0))
    return points


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
    """
    scale = scale or z_scale()
    times = boundaries.information
    sides = _sides(scale, boundaries, sided)
    low, high = _limits(scale, sides, values, sided)
    scale.dress(axes, low, high)
    page = _Page(axes, scale, times, low, high, max(1.12, float(times[-1]) + 0.12))
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
    if labelled and times.size <= _MOST_LABELLED:
        for time in times[np.isposinf(boundaries.efficacy)]:
            page.at_the_edge(float(time), "none", scale.favours_up)
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


def _limits(scale: PlotScale, sides: list[_Side], values: Sequence[float], sided: int) -> tuple[float, float]:
    """Ends of the axis, as places along it: all of the later bounds, of early ones what is not too far.

    Beyond them there is room for names.
    """
    if scale.span is not None:
        return scale.span[0] - 0.18, scale.span[1] + 0.24
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
    rooms = {True: 0.07, False: 0.07}
    for side in sides:
        if side.inner is None:
            rooms[side.up != scale.inverted] = 0.19
    unit = (highest - lowest) / (1 - rooms[True] - rooms[False])
    return null + lowest - rooms[False] * unit, null + highest + rooms[True] * unit


@dataclass(frozen=True, eq=False)
class _Page:
    """Axes with the scale they have, `low` and `high` their ends as places along it, `right` the end of the other."""

    axes: Axes
    scale: PlotScale
    times: Array
    low: float
    high: float
    right: float

    def points(self, one: float, other: float) -> float:
        """About how far apart two values are on the page, up positive, in points."""
        apart = (self.scale.forward(other) - self.scale.forward(one)) / (self.high - self.low) * _HEIGHT
        return -apart if self.scale.inverted else apart

    def is_inside(self, value: float) -> bool:
        """Whether a value is within the picture."""
        return self.low < self.scale.forward(value) < self.high

    def ends_of(self, run: Array) -> tuple[float, float]:
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
        many = self.times.size > _MOST_LABELLED
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

    def at_the_edge(self, time: float, text: str, up: bool) -> None:
        """Write at the upper or lower edge what cannot be shown at its place."""
        self.axes.annotate(
            text,
            (time, 1.0 if up else 0.0),
            xycoords=("data", "axes fraction"),
            xytext=(0 if time > 0.1 else 3, -3 if up else 3),
            textcoords="offset points",
            ha="center" if time > 0.1 else "left",
            va="top" if up else "bottom",
            fontsize=9,
            color=BOUND,
            zorder=4,
        )

    def name(self, side: _Side, labelled: bool) -> None:
        """The kind of stop, written in its region or beside it."""
        text = f"stop for {side.kind}"
        style = {"fontsize": 9.5, "color": MUTED, "style": "italic", "zorder": 4}
        if not side.known:
            return
        first, last = side.known[0], side.known[-1]
        left, right = self.ends_of(np.array([first, last]))
        if side.inner is None:
            if self.scale.folded and side.kind == "efficacy":
                text += " or, if z < 0, for harm"
            place = max(right - 0.015, 0.36 if len(text) < 20 else 0.7)
            self.axes.annotate(
                text,
                (place, 1.0 if side.up else 0.0),
                xycoords=("data", "axes fraction"),
                xytext=(0, -3 if side.up else 3),
                textcoords="offset points",
                ha="right",
                va="top" if side.up else "bottom",
                **style,
            )
            return
        middle = self.scale.backward(self.scale.forward(side.edge[last]) / 2 + self.scale.forward(side.inner[last]) / 2)
        tall = abs(self.points(side.edge[last], side.inner[last])) > 20
        if tall and (not labelled or self.times.size > _MOST_LABELLED or not self.scale.is_symmetric):
            self.axes.text(right - 0.02, middle, text, ha="right", va="center", **style)
        elif left > 0.4 or right > 0.93:
            self.axes.text(left - 0.01, middle, text, ha="right", va="center", **style)
        else:
            self.axes.text(right + 0.01, middle, text.replace("for ", "for\n"), ha="left", va="center", **style)


def _runs(edge: Array) -> list[Array]:
    """Indices of the looks with a bound, split where a look without one lies between."""
    known = np.flatnonzero(np.isfinite(edge))
    return [run for run in np.split(known, np.flatnonzero(np.diff(known) > 1) + 1) if run.size]


def _draw_path(axes: Axes, scale: PlotScale, points: list[tuple[float, float, bool]]) -> None:
    colour = arm_style(1).colour
    x, y = [point[0] for point in points], [point[1] for point in points]
    axes.plot(x, y, "-o", color=colour, markersize=8 if len(points) <= 8 else 5, linewidth=1.6, zorder=5)
    for order, (time, value, favourable) in enumerate(points):
        if scale.folded and not favourable:
            axes.plot([time], [value], "o", color=colour, markerfacecolor="white", markersize=8, zorder=5.5)
        if len(points) > _MOST_LABELLED and order + 1 < len(points):
            continue
        left = time > 0.16
        axes.annotate(
            scale.written(value),
            (time, value),
            xytext=(-8 if left else 8, 4),
            textcoords="offset points",
            ha="right" if left else "left",
            fontsize=9.5,
            fontweight="bold",
            color=INK,
            zorder=6,
            bbox=HALO,
        )
