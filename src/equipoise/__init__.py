"""Equipoise: a randomised clinical trial from its protocol to a verdict that can be trusted."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_WHERE = {
    "Estimate": "estimate",
    "Interval": "estimate",
    "Scale": "estimate",
    "InputError": "errors",
    "GroupSequential": "sequential",
    "Conclusion": "sequential",
    "OBrienFlemingSpending": "sequential",
    "PocockSpending": "sequential",
    "PowerSpending": "sequential",
    "HwangShihDeCaniSpending": "sequential",
    "UserSpending": "sequential",
    "mmrm": "mixed",
    "MixedFit": "mixed",
    "Protocol": "protocol",
    "gallery": "protocol",
    "TrialData": "trial",
    "plan": "trial",
    "analyse": "trial",
    "run": "simulation",
    "simulate": "simulation",
    "read_data": "conduct",
    "write_report": "report",
}

__all__ = sorted([*_WHERE, "__version__"])

if TYPE_CHECKING:
    pass


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(import_module(f".{_WHERE[name]}", __name__), name)
    raise AttributeError(f"module 'equipoise' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
