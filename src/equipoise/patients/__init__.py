"""Virtual patients: who they are, how they fare, when they leave; nothing of how they will be analysed."""

from __future__ import annotations

from .draw import Trajectories, draw_covariates, draw_entry, draw_trajectories, visit_days
from .scores import ScoreDistribution
from .truth import ArmTruth, Truth

__all__ = [
    "ArmTruth",
    "ScoreDistribution",
    "Trajectories",
    "Truth",
    "draw_covariates",
    "draw_entry",
    "draw_trajectories",
    "visit_days",
]
