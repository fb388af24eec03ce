"""Effects and their errors as tables show them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..estimate import Scale
from ..wording import decimal
from .rates import Mean

if TYPE_CHECKING:
    from .context import Aim

__all__ = ["bias_heading", "effect_text", "error_text", "in_percent", "rmse_heading", "unit_text"]

_PERCENT = frozenset({Scale.RISK_DIFFERENCE, Scale.NET_BENEFIT, Scale.WIN_PROBABILITY})


def in_percent(aim: Aim) -> bool:
    """Whether effects are shown multiplied by 100."""
    return aim.scale in _PERCENT


def unit_text(aim: Aim) -> str:
    """The unit after a comma; empty where it goes without saying."""
    return ", %" if aim.scale in _PERCENT else ""


def effect_text(aim: Aim, effect: float) -> str:
    """An effect as people quote it."""
    if math.isnan(effect):
        return "–"
    if aim.scale in _PERCENT:
        return decimal(100 * effect, 1)
    return decimal(aim.scale.natural(min(effect, 700.0)), 2)


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
