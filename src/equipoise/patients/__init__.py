"""Virtual patients: who they are, how they fare, when they leave; nothing of how they will be analysed."""

from __future__ import annotations

from .draw import Laws, draw_covariates, draw_entry, draw_leaving, draw_scores, visit_days
from .draw_clusters import draw_clusters, draw_subscales
from .draw_events import draw_events
from .draw_measures import draw_measure
from .draws import Draws
from .exposure import exposure_shift, mean_exposure_shift
from .items import ItemLaw, draw_items
from .leaving import draw_left, hide_unseen, somebody_leaves
from .scores import ScoreDistribution
from .side_effects import side_effects
from .truth import ArmTruth, Truth

__all__ = [
    "ArmTruth",
    "Draws",
    "ItemLaw",
    "Laws",
    "ScoreDistribution",
    "Truth",
    "draw_clusters",
    "draw_covariates",
    "draw_entry",
    "draw_events",
    "draw_items",
    "draw_leaving",
    "draw_left",
    "draw_measure",
    "draw_scores",
    "draw_subscales",
    "exposure_shift",
    "hide_unseen",
    "mean_exposure_shift",
    "side_effects",
    "somebody_leaves",
    "visit_days",
]
