"""Group-sequential rules: when to stop on z-values and information, and what may be claimed afterwards."""

from .bounds import Boundaries
from .conclusion import Conclusion
from .decision import Decision, decide
from .design import GroupSequential
from .exit_probabilities import ExitProbabilities
from .families import BoundaryFamily, HaybittlePeto, OBrienFleming, Pocock, WangTsiatis
from .fixed import FixedBounds
from .region import Exits, Region
from .rules import RULES, parameters_of, stopping_rule
from .spending import (
    HwangShihDeCaniSpending,
    NoEarlyStopping,
    OBrienFlemingSpending,
    PocockSpending,
    PowerSpending,
    SpendingFunction,
    UserSpending,
)

__all__ = [
    "RULES",
    "Boundaries",
    "BoundaryFamily",
    "Conclusion",
    "Decision",
    "ExitProbabilities",
    "Exits",
    "FixedBounds",
    "GroupSequential",
    "HaybittlePeto",
    "HwangShihDeCaniSpending",
    "NoEarlyStopping",
    "OBrienFleming",
    "OBrienFlemingSpending",
    "Pocock",
    "PocockSpending",
    "PowerSpending",
    "Region",
    "SpendingFunction",
    "UserSpending",
    "WangTsiatis",
    "decide",
    "parameters_of",
    "stopping_rule",
]
