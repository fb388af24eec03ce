"""Group-sequential rules: when to stop on z-values and information, and what may be claimed afterwards."""

from .bounds import Boundaries
from .conclusion import Conclusion, Decision, decide
from .design import ExitProbabilities, GroupSequential
from .spending import (
    HwangShihDeCaniSpending,
    OBrienFlemingSpending,
    PocockSpending,
    PowerSpending,
    SpendingFunction,
    UserSpending,
    spending_function,
)

__all__ = [
    "Boundaries",
    "Conclusion",
    "Decision",
    "ExitProbabilities",
    "GroupSequential",
    "HwangShihDeCaniSpending",
    "OBrienFlemingSpending",
    "PocockSpending",
    "PowerSpending",
    "SpendingFunction",
    "UserSpending",
    "decide",
    "spending_function",
]
