"""Equipoise: a randomised clinical trial from its protocol to a verdict that can be trusted."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .conduct import DataError, read_data, write_data
    from .errors import InputError, NotEstimable
    from .estimate import Estimate, Interval, Scale
    from .mixed import FitError, MixedFit, fit_mmrm, mmrm
    from .protocol import Protocol, ProtocolError, gallery
    from .report import write_report
    from .sequential import (
        Conclusion,
        Decision,
        FixedBounds,
        GroupSequential,
        HaybittlePeto,
        HwangShihDeCaniSpending,
        NoEarlyStopping,
        OBrienFleming,
        OBrienFlemingSpending,
        Pocock,
        PocockSpending,
        PowerSpending,
        UserSpending,
        WangTsiatis,
        stopping_rule,
    )
    from .simulation import OperatingCharacteristics, run, simulate
    from .trial import Plan, TrialData, TrialResult, analyse, plan

__version__ = "0.1.0"

__all__ = [
    "Conclusion",
    "DataError",
    "Decision",
    "Estimate",
    "FitError",
    "FixedBounds",
    "GroupSequential",
    "HaybittlePeto",
    "HwangShihDeCaniSpending",
    "InputError",
    "Interval",
    "MixedFit",
    "NoEarlyStopping",
    "NotEstimable",
    "OBrienFleming",
    "OBrienFlemingSpending",
    "OperatingCharacteristics",
    "Plan",
    "Pocock",
    "PocockSpending",
    "PowerSpending",
    "Protocol",
    "ProtocolError",
    "Scale",
    "TrialData",
    "TrialResult",
    "UserSpending",
    "WangTsiatis",
    "analyse",
    "fit_mmrm",
    "gallery",
    "mmrm",
    "plan",
    "read_data",
    "run",
    "simulate",
    "stopping_rule",
    "write_data",
    "write_report",
]

_ROOMS = {
    "estimate": ("Estimate", "Interval", "Scale"),
    "errors": ("InputError", "NotEstimable"),
    "sequential": (
        "Conclusion",
        "Decision",
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
        "UserSpending",
        "WangTsiatis",
        "stopping_rule",
    ),
    "mixed": ("FitError", "MixedFit", "fit_mmrm", "mmrm"),
    "protocol": ("Protocol", "ProtocolError", "gallery"),
    "trial": ("Plan", "TrialData", "TrialResult", "analyse", "plan"),
    "simulation": ("OperatingCharacteristics", "run", "simulate"),
    "conduct": ("DataError", "read_data", "write_data"),
    "report": ("write_report",),
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _ROOM_OF:
        raise AttributeError(f"module 'equipoise' has no attribute {name!r}")
    return getattr(import_module(f".{_ROOM_OF[name]}", __name__), name)


def __dir__() -> list[str]:
    return __all__
