"""Virtual trials, one or many."""

from __future__ import annotations

from .run import run
from .simulate import OperatingCharacteristics, Rate, simulate
from .virtual import generator_for, virtual_trial

__all__ = ["OperatingCharacteristics", "Rate", "generator_for", "run", "simulate", "virtual_trial"]
