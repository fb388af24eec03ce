"""Equipoise: a randomised clinical trial from its protocol to a verdict that can be trusted."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .conduct import DataError, read_data, write_data
    from .endpoints import Accrual, Counts, Means, PiecewiseExponential, Rates, RepeatedMeasures, Survival, Weibull
    from .errors import InputError, NotEstimable
    from .estimate import Estimate, Interval, Scale
    from .mixed import BatchFit, FitError, MixedFit, compare_fits, fit_batch, fit_mmrm, mmrm
    from .protocol import Paper, Protocol, ProtocolError, gallery, paper
    from .report import write_report
    from .sequential import (
        Conclusion,
        Decision,
        DelayedResponse,
        DiscretePrior,
        FisherCombination,
        FixedBounds,
        GroupSequential,
        HaybittlePeto,
        HwangShihDeCaniSpending,
        InverseNormal,
        NoEarlyStopping,
        NormalPrior,
        OBrienFleming,
        OBrienFlemingSpending,
        Pocock,
        PocockSpending,
        PowerSpending,
        PromisingZone,
        UserSpending,
        WangTsiatis,
        adapt,
        overrunning,
        reestimate,
        stopping_rule,
    )
    from .simulation import Comparison, OperatingCharacteristics, grid, run, simulate, simulate_grid
    from .simulation.calibrated import CalibratedEstimate, calibrate
    from .trial import (
        Monitored,
        Plan,
        PublishedConclusion,
        Secondary,
        TrialData,
        TrialResult,
        analyse,
        conclude,
        conclude_effects,
        monitor,
        plan,
    )

__version__ = "0.1.0"

__all__ = [
    "Accrual",
    "BatchFit",
    "CalibratedEstimate",
    "Comparison",
    "Conclusion",
    "Counts",
    "DataError",
    "Decision",
    "DelayedResponse",
    "DiscretePrior",
    "Estimate",
    "FisherCombination",
    "FitError",
    "FixedBounds",
    "GroupSequential",
    "HaybittlePeto",
    "HwangShihDeCaniSpending",
    "InputError",
    "Interval",
    "InverseNormal",
    "Means",
    "MixedFit",
    "Monitored",
    "NoEarlyStopping",
    "NormalPrior",
    "NotEstimable",
    "OBrienFleming",
    "OBrienFlemingSpending",
    "OperatingCharacteristics",
    "Paper",
    "PiecewiseExponential",
    "Plan",
    "Pocock",
    "PocockSpending",
    "PowerSpending",
    "PromisingZone",
    "Protocol",
    "ProtocolError",
    "PublishedConclusion",
    "Rates",
    "RepeatedMeasures",
    "Scale",
    "Secondary",
    "Survival",
    "TrialData",
    "TrialResult",
    "UserSpending",
    "WangTsiatis",
    "Weibull",
    "adapt",
    "analyse",
    "calibrate",
    "compare_fits",
    "conclude",
    "conclude_effects",
    "fit_batch",
    "fit_mmrm",
    "gallery",
    "grid",
    "mmrm",
    "monitor",
    "overrunning",
    "paper",
    "plan",
    "read_data",
    "reestimate",
    "run",
    "simulate",
    "simulate_grid",
    "stopping_rule",
    "write_data",
    "write_report",
]

_ROOMS = {
    "estimate": (
        "Estimate",
        "Interval",
        "Scale",
    ),
    "errors": (
        "InputError",
        "NotEstimable",
    ),
    "sequential": (
        "Conclusion",
        "Decision",
        "DelayedResponse",
        "DiscretePrior",
        "FisherCombination",
        "FixedBounds",
        "GroupSequential",
        "HaybittlePeto",
        "HwangShihDeCaniSpending",
        "InverseNormal",
        "NoEarlyStopping",
        "NormalPrior",
        "OBrienFleming",
        "OBrienFlemingSpending",
        "Pocock",
        "PocockSpending",
        "PowerSpending",
        "PromisingZone",
        "UserSpending",
        "WangTsiatis",
        "adapt",
        "overrunning",
        "reestimate",
        "stopping_rule",
    ),
    "mixed": (
        "BatchFit",
        "FitError",
        "MixedFit",
        "compare_fits",
        "fit_batch",
        "fit_mmrm",
        "mmrm",
    ),
    "protocol": (
        "Paper",
        "Protocol",
        "ProtocolError",
        "gallery",
        "paper",
    ),
    "endpoints": (
        "Accrual",
        "Counts",
        "Means",
        "PiecewiseExponential",
        "Rates",
        "RepeatedMeasures",
        "Survival",
        "Weibull",
    ),
    "trial": (
        "Monitored",
        "Plan",
        "PublishedConclusion",
        "Secondary",
        "TrialData",
        "TrialResult",
        "analyse",
        "conclude",
        "conclude_effects",
        "monitor",
        "plan",
    ),
    "simulation": (
        "Comparison",
        "OperatingCharacteristics",
        "grid",
        "run",
        "simulate",
        "simulate_grid",
    ),
    "simulation.calibrated": (
        "CalibratedEstimate",
        "calibrate",
    ),
    "conduct": (
        "DataError",
        "read_data",
        "write_data",
    ),
    "report": ("write_report",),
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _ROOM_OF:
        raise AttributeError(f"module 'equipoise' has no attribute {name!r}")
    return getattr(import_module(f".{_ROOM_OF[name]}", __name__), name)


def __dir__() -> list[str]:
    return __all__
