"""Endpoints: how each is planned and how it is estimated. A new one is a file with `estimate`, `primary`,
`analysed` and `plan`, and a line here.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..estimate import Estimate
from .binary.number_needed_to_treat import NumberNeededToTreat, number_needed_to_treat
from .binary.proportions import RiskDifference, odds_ratio, risk_difference, risk_ratio, wilson_interval
from .planning.accrual import Accrual
from .planning.event_times import PiecewiseExponential, Weibull, constant_hazard
from .planning.law import EndpointPlan, Law
from .planning.plan_counts import Counts
from .planning.plan_means import Means
from .planning.plan_rates import Rates
from .planning.plan_repeated import RepeatedMeasures
from .planning.plan_survival import Survival
from .planning.sample_size import Assumptions, Rule
from .planning.sample_size_result import SampleSize
from .planning.survival_size import SurvivalExpectation, SurvivalSize
from .regression.ancova import AncovaFit, ancova
from .results import (
    ArmMean,
    ArmResponse,
    Comparison,
    Durability,
    DurabilityResult,
    EndpointResult,
    MeanResult,
    ResponseResult,
)
from .survival.kaplan_meier import KaplanMeier, kaplan_meier, restricted_mean_difference
from .survival.log_rank import LogRank, log_rank

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..data import TrialData
    from ..protocol import Protocol

__all__ = [
    "Accrual",
    "AncovaFit",
    "ArmMean",
    "ArmResponse",
    "Assumptions",
    "Comparison",
    "Counts",
    "Durability",
    "DurabilityResult",
    "EndpointPlan",
    "EndpointResult",
    "KaplanMeier",
    "Law",
    "LogRank",
    "MeanResult",
    "Means",
    "NumberNeededToTreat",
    "PiecewiseExponential",
    "Rates",
    "RepeatedMeasures",
    "ResponseResult",
    "RiskDifference",
    "Rule",
    "SampleSize",
    "Survival",
    "SurvivalExpectation",
    "SurvivalSize",
    "Weibull",
    "analysed",
    "ancova",
    "constant_hazard",
    "estimate",
    "kaplan_meier",
    "log_rank",
    "needs_follow_up",
    "number_needed_to_treat",
    "odds_ratio",
    "plan",
    "primary",
    "primary_estimate",
    "restricted_mean_difference",
    "risk_difference",
    "risk_ratio",
    "wilson_interval",
]

_FILES = {
    "longitudinal": "longitudinal",
    "mean": "mean",
    "response": "response",
    "loss-of-response": "loss_of_response",
}


def _file(endpoint: Any) -> Any:
    return import_module(f".{_FILES[endpoint.type]}", __name__)


def estimate(endpoint: Any, protocol: Protocol, data: TrialData) -> EndpointResult:
    """The whole result of an endpoint of the protocol on trial data; raises `InputError` with the reason where
    there is none.
    """
    return _file(endpoint).estimate(endpoint, protocol, data)


def primary(endpoint: Any, protocol: Protocol, data: TrialData) -> tuple[Estimate, tuple[str, ...]]:
    """What a look needs: the estimate of the experimental arm against control, and notes on how it had to be found."""
    return _file(endpoint).primary(endpoint, protocol, data)


def primary_estimate(endpoint: Any, protocol: Protocol, data: TrialData) -> Estimate:
    """The estimate of the experimental arm against control and nothing else."""
    return primary(endpoint, protocol, data)[0]


def analysed(endpoint: Any, protocol: Protocol, data: TrialData) -> NDArray[np.bool_]:
    """Who enters the analysis of an endpoint, shape (patients,); raises `InputError` where a covariate is not there."""
    return _file(endpoint).analysed(endpoint, protocol, data)


def needs_follow_up(endpoint: Any) -> bool:
    """Whether the endpoint is of the patients followed to the end, not of what was known at the deciding look."""
    return getattr(_file(endpoint), "NEEDS_FOLLOW_UP", False)


def plan(endpoint: Any, protocol: Protocol, law: Law) -> EndpointPlan:
    """Effect and variance of an endpoint under a scenario."""
    return _file(endpoint).plan(endpoint, protocol, law)
