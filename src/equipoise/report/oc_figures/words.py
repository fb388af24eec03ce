"""How the figures of virtual trials name effects, axes and points."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ...endpoints import describe
from ...simulation.point_names import short_names, value_text
from ...wording import arm_text, clean, decimal
from ..phrases import EffectPhrases

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    from ...simulation import Comparison, OperatingCharacteristics
    from ...simulation.context import Aim
    from ...simulation.vary import GridPoint

__all__ = [
    "AXES",
    "NORMAL_95",
    "axis_name",
    "effects_on_axis",
    "phrases_of",
    "point_text",
    "point_words",
    "ratio_ticks",
    "short_effect",
]

NORMAL_95 = 1.959963984540054
AXES = {
    "effect": "True effect, as a multiple of the scenario's",
    "dropout": "Probability of dropping out",
    "sd": "SD, as a multiple of the scenario's",
    "patients": "Planned patients",
    "patients-per-month": "Patients a month",
    "correlation": "Correlation of visits, as a multiple of the protocol's",
}


def axis_name(name: str) -> str:
    """What varies, as the label of an axis."""
    return AXES.get(name, clean(name))


def point_words(found: Comparison, point: GridPoint, without: Collection[str] = ()) -> str:
    """Scenario, design and values of a point where there are several, with short names; empty where nothing differs.

    Parameters
    ----------
    without
        Axes to leave out.
    """
    several = len(found.scenarios) > 1
    varied = [name for name, values in found.axes.items() if len(values) > 1 and name not in without]
    names = short_names(varied)
    words = [clean(point.scenario)] if several else []
    words += [clean(point.design)] if point.design else []
    words += [f"{names[name]} {value_text(point.values[name])}" for name in varied if name in point.values]
    return ", ".join(words)


def point_text(found: Comparison, point: GridPoint) -> str:
    """What tells a point from the others, or else all that it is."""
    return point_words(found, point) or clean(str(point))


def phrases_of(found: OperatingCharacteristics, aim: Aim | None = None) -> EffectPhrases:
    """How effects of an endpoint are said; of the primary one by default."""
    aim, protocol = aim or found.context.primary, found.context.plan.protocol
    described = describe(protocol.endpoint(aim.name), protocol)
    return EffectPhrases(
        aim.scale,
        aim.better,
        aim.null_value,
        clean(described.measured),
        arm_text(protocol, protocol.experimental.name),
        arm_text(protocol, protocol.control.name),
        clean(described.unit),
    )


def effects_on_axis(phrases: EffectPhrases, effects: NDArray[np.float64]) -> NDArray[np.float64]:
    """Effects as an axis shows them: percentage points, and ratios instead of their logarithms."""
    return np.array([phrases.natural(float(effect)) for effect in effects])


def short_effect(phrases: EffectPhrases, effect: float) -> str:
    """An effect with few digits, for ticks."""
    return "–" if math.isnan(effect) else decimal(phrases.natural(effect), phrases.digits)


def ratio_ticks(low: float, high: float) -> list[float]:
    """Round ratios for a logarithmic axis, seven at most."""
    from matplotlib.ticker import MaxNLocator

    if high / low < 4:
        ticks = MaxNLocator(6).tick_values(low, high)
    else:
        powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        steps = (1, 2, 5) if len(powers) <= 3 else (1,)
        ticks = [step * 10.0**power for power in powers for step in steps]
    inside = [float(tick) for tick in ticks if low <= tick <= high]
    return inside[:: -(-len(inside) // 7)] if inside else []
