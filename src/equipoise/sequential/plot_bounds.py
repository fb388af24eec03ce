"""Pictures of bounds: where a trial may stop, look by look, and the path it took."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..errors import InputError
from ..estimate import Estimate
from ..figure_style import INK, arm_style, figure_function, new_figure
from .bounds import Boundaries
from .conclusion import Conclusion
from .decision import Decision, decide
from .design import GroupSequential
from .plot_regions import MOST_LABELLED, draw_bounds
from .plot_scales import PlotScale, plot_scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["bounds_figure", "bounds_seen"]

Array = npt.NDArray[np.float64]
HALO = {"facecolor": "white", "edgecolor": "none", "pad": 1.0, "alpha": 0.85}


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
    look = len(fractions) if conclusion is None else conclusion.look
    boundaries = bounds_seen(design, fractions, final, look)
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
    axes.set_title(f"Look {look} of {look + boundaries.information.size - len(fractions)}: {decision}")
    return figure


def bounds_seen(
    design: GroupSequential, fractions: Sequence[float], final: bool = False, look: int | None = None
) -> Boundaries:
    """Bounds at the information observed so far and at the looks still planned.

    Parameters
    ----------
    fractions
        Observed information at the looks so far as fractions of the planned maximum.
    final
        Whether the last of them ends the trial.
    look
        Number of the last of them, as planned; their number by default.
    """
    if not fractions:
        return design.planned
    ahead = design.information[len(fractions) if look is None else look :]
    later = [] if final else [time for time in ahead if time > fractions[-1]]
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
        path = [None] * (len(conclusion.information) - 1) + [conclusion.observed]
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
        math.isclose(z[-1], conclusion.z, abs_tol=1e-9) and _same(information, conclusion.information)
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


def _draw_path(axes: Axes, scale: PlotScale, points: list[tuple[float, float, bool]]) -> None:
    colour = arm_style(1).colour
    x, y = [point[0] for point in points], [point[1] for point in points]
    axes.plot(x, y, "-o", color=colour, markersize=8 if len(points) <= 8 else 5, linewidth=1.6, zorder=5)
    heights = [scale.forward(value) * (-1.0 if scale.inverted else 1.0) for value in y]
    right = axes.get_xlim()[1]
    for order, (time, value, favourable) in enumerate(points):
        if scale.folded and not favourable:
            axes.plot([time], [value], "o", color=colour, markerfacecolor="white", markersize=8, zorder=5.5)
        if len(points) > MOST_LABELLED and order + 1 < len(points):
            continue
        before = heights[order] - heights[order - 1] if order else 0.0
        after = heights[order + 1] - heights[order] if order + 1 < len(points) else 0.0
        aside, up = _clear_of_the_line(before, after, time < 0.16, time > right - 0.16)
        axes.annotate(
            scale.written(value),
            (time, value),
            xytext=(8 * aside, 7 if up else -7),
            textcoords="offset points",
            ha=("right", "center", "left")[aside + 1],
            va="bottom" if up else "top",
            fontsize=9.5,
            fontweight="bold",
            color=INK,
            zorder=6,
            bbox=HALO,
        )


def _clear_of_the_line(before: float, after: float, is_first: bool, is_last: bool) -> tuple[int, bool]:
    """Where a number beside a point stays clear of the path: left (-1), above or below (0) or right (1), and if above.

    `before` and `after` are the rises of the path to and from the point.
    """
    if before < 0 and after >= 0:
        return (0, False) if after > 0 or is_last else (1, True)
    if before >= 0 and after < 0:
        return (0, True) if before > 0 else (1, True)
    if before < 0:
        return 1, True
    return (1, False) if is_first and after > 0 else (0 if after == 0 or is_first else -1, True)
