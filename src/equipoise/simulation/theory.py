"""What normal theory says of a set of virtual trials, to hold it against."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..errors import InputError, NotEstimable

if TYPE_CHECKING:
    from .characteristics import OperatingCharacteristics

__all__ = ["power_by_theory"]


def power_by_theory(found: OperatingCharacteristics) -> float:
    """Power under the scenario's laws on the z scale, with the standard error taken as known, as plans reckon it.

    It knows nothing of small samples, nor of settings that make patients more lifelike than their arms' laws. NaN
    where the scenario does not tell the effect.
    """
    try:
        return found.context.plan.under(found.scenario).power
    except (InputError, NotEstimable):
        return math.nan
