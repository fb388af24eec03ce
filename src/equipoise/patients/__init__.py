"""Virtual patients: who they are, how they fare, when they leave; nothing of how they will be analysed."""

from __future__ import annotations

from .draw import Trajectories, draw_covariates, draw_entry, draw_trajectories, visit_days
from .draw_measures import draw_clusters, draw_measure
from .scores import ScoreDistribution
from .truth import ArmTruth, Truth

__all__ = [
    "ArmTruth",
    "ScoreDistribution",
    "Trajectories",
    "Truth",
    "draw_clusters",
    "draw_covariates",
    "draw_entry",
    "draw_measure",
    "draw_trajectories",
    "visit_days",
]
