"""How the figures of virtual trials name effects, axes and points."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ...endpoints import describe
from ...wording import arm_text, clean, decimal
from ..phrases import EffectPhrases

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ...simulation import OperatingCharacteristics
    from ...simulation.context import Aim

__all__ = ["AXES", "NORMAL_95", "axis_name", "effects_on_axis", "phrases_of", "ratio_ticks", "short_effect"]

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
