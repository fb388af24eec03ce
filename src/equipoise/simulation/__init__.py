"""Virtual trials, one or many."""

from __future__ import annotations

from .simulate import OperatingCharacteristics, simulate
from .run import run
from .virtual import generator_for, virtual_trial

__all__ = ["OperatingCharacteristics", "generator_for", "run", "simulate", "virtual_trial"]
