"""Virtual trials, one or many."""

from __future__ import annotations

from .characteristics import OperatingCharacteristics
from .chunk import Task, simulate_chunk
from .comparison import Comparison, PairedDifference, simulate_grid
from .designs import Design, design_of
from .rates import Mean, Rate
from .run import run
from .simulate import simulate
from .vary import Axis, GridPoint, axes_of, grid
from .virtual import draw_cohort, virtual_trial

__all__ = [
    "Axis",
    "Comparison",
    "Design",
    "GridPoint",
    "Mean",
    "OperatingCharacteristics",
    "PairedDifference",
    "Rate",
    "Task",
    "axes_of",
    "design_of",
    "draw_cohort",
    "grid",
    "run",
    "simulate",
    "simulate_chunk",
    "simulate_grid",
    "virtual_trial",
]
