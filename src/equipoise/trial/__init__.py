"""One trial: its plan, what was known at each look, the decision, the analysis."""

from __future__ import annotations

from ..data import Events, TrialData
from .analyse import NotAnalysed, Provenance, TrialResult, analyse
from .describe import ArmFlow, BaselineRow, SafetyRow, adverse_events, baseline, flow
from .looks import Look, look_day, waiting, walk
from .many_looks import Bounds, ManyLooks, walk_many
from .monitor import Monitored, monitor
from .plan import Expectation, Plan, plan
from .published import PublishedConclusion, PublishedRow, Secondary, conclude, conclude_effects

__all__ = [
    "ArmFlow",
    "BaselineRow",
    "Bounds",
    "Events",
    "Expectation",
    "Look",
    "ManyLooks",
    "Monitored",
    "NotAnalysed",
    "Plan",
    "Provenance",
    "PublishedConclusion",
    "PublishedRow",
    "SafetyRow",
    "Secondary",
    "TrialData",
    "TrialResult",
    "adverse_events",
    "analyse",
    "baseline",
    "conclude",
    "conclude_effects",
    "flow",
    "look_day",
    "monitor",
    "plan",
    "waiting",
    "walk",
    "walk_many",
]
