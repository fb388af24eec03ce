"""Effects and their errors as tables show them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..endpoints import describe
from ..estimate import Scale
from ..wording import arm_text, clean, counted, decimal, listed
from .rates import Mean

if TYPE_CHECKING:
    from ..protocol import Protocol
    from .context import Aim

__all__ = [
    "arms_compared",
    "bias_heading",
    "effect_text",
    "error_text",
    "has_direction",
    "in_percent",
    "kind_text",
    "mean_text",
    "rmse_heading",
]

_PERCENT = frozenset({Scale.RISK_DIFFERENCE, Scale.NET_BENEFIT, Scale.WIN_PROBABILITY})
_WITHOUT_DIRECTION = frozenset({"blinding", "adverse-events"})


def in_percent(aim: Aim) -> bool:
    """Whether effects are shown multiplied by 100."""
    return aim.scale in _PERCENT


def has_direction(aim: Aim, protocol: Protocol) -> bool:
    """Whether a trial is in favour of an arm by this endpoint: guesses of the treatment and side effects are not."""
    return protocol.endpoint(aim.name).type not in _WITHOUT_DIRECTION


def kind_text(aim: Aim, protocol: Protocol) -> str:
    """What a printed effect is, with its unit: "mean difference, points", "risk difference, %", "hazard ratio"."""
    own = clean(describe(protocol.endpoint(aim.name), protocol).unit)
    unit = "%" if in_percent(aim) else own or aim.scale.unit
    return f"{aim.scale.natural_name}, {unit}" if unit else aim.scale.natural_name


def effect_text(aim: Aim, effect: float) -> str:
    """An effect as people quote it."""
    if math.isnan(effect):
        return "–"
    if aim.scale in _PERCENT:
        return decimal(100 * effect, 1)
    return decimal(aim.scale.natural(min(effect, 700.0)), 2)


def mean_text(aim: Aim, mean: Mean) -> str:
    """A mean effect, with its Monte-Carlo standard error where no bias beside it tells that; of ratios the geometric
    mean.
    """
    if math.isnan(mean.value) or not math.isnan(aim.truth):
        return effect_text(aim, mean.value)
    if aim.scale.is_logarithmic:
        factor = math.exp(min(mean.value, 700.0))
        return Mean(factor, factor * mean.standard_error, mean.trials).text(2)
    return error_text(aim, mean)


def error_text(aim: Aim, error: Mean, *, ratio: bool = True) -> str:
    """A bias or a root mean squared error; a bias of logarithms as the factor of the ratio."""
    if math.isnan(error.value):
        return "–"
    if aim.scale in _PERCENT:
        return error.scaled(100.0).text(1)
    if aim.scale.is_logarithmic and ratio:
        factor = math.exp(min(error.value, 700.0))
        return "×" + Mean(factor, factor * error.standard_error, error.trials).text(2)
    return error.text(2)


def bias_heading(aim: Aim) -> str:
    """Heading of a column of biases."""
    return "bias (factor)" if aim.scale.is_logarithmic else "bias"


def rmse_heading(aim: Aim) -> str:
    """Heading of a column of root mean squared errors."""
    return "RMSE (of the log)" if aim.scale.is_logarithmic else "RMSE"


def arms_compared(protocol: Protocol) -> str:
    """Of three arms and more, which two are compared; empty of two."""
    names = [arm_text(protocol, name) for name in protocol.arm_names]
    if len(names) == 2:
        return ""
    control, experimental = (arm_text(protocol, arm.name) for arm in (protocol.control, protocol.experimental))
    others = [name for name in names if name not in (control, experimental)]
    return (
        f"Of {counted(len(names), 'arm')}, {experimental} is compared with {control}; patients of {listed(others)} are"
        " simulated and counted too, but effects and decisions are of the two compared"
    )
