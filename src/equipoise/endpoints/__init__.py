"""Endpoints: how each is planned, estimated, and estimated in many trials at once. A new one is a file with
`measured_on`, `estimate`, `primary`, `batch`, `analysed`, `plan` and `describe`, and a line here.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from ..estimate import Better, Estimate, Scale
from .batch import BatchEstimates
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
    Description,
    Durability,
    DurabilityResult,
    EndpointResult,
    MeanResult,
    ResponseResult,
    ResultTable,
)
from .survival.kaplan_meier import KaplanMeier, kaplan_meier
from .survival.log_rank import LogRank, log_rank
from .survival.restricted_means import restricted_mean_difference
from .visits_reached import patients_due, visit_reached

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..data import TrialData
    from ..protocol import Protocol
    from ..trial_batch import TrialBatch

__all__ = [
    "Accrual",
    "AncovaFit",
    "ArmMean",
    "ArmResponse",
    "Assumptions",
    "BatchEstimates",
    "Comparison",
    "Counts",
    "Description",
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
    "ResultTable",
    "RiskDifference",
    "Rule",
    "SampleSize",
    "Survival",
    "SurvivalExpectation",
    "SurvivalSize",
    "Weibull",
    "accrued",
    "accrued_by",
    "analysed",
    "ancova",
    "batch",
    "constant_hazard",
    "describe",
    "estimate",
    "has_number_needed_to_treat",
    "kaplan_meier",
    "log_rank",
    "measured_on",
    "needs_follow_up",
    "number_needed_to_treat",
    "odds_ratio",
    "plan",
    "primary",
    "primary_estimate",
    "reached",
    "restricted_mean_difference",
    "risk_difference",
    "risk_ratio",
    "seen",
    "wilson_interval",
]

_FILES = {
    "longitudinal": "longitudinal",
    "mean": "mean",
    "response": "response",
    "ordinal": "ordinal",
    "time-to-event": "time_to_event",
    "count": "count",
    "hierarchical": "hierarchical",
    "clusters": "clusters",
    "loss-of-response": "loss_of_response",
    "adverse-events": "adverse_events",
    "blinding": "blinding",
}


_METHODS = {
    "WinComponent": "ranks.win_components",
    "bang_index": "guesses.bang",
    "barnard_exact": "binary.barnard",
    "cochran_mantel_haenszel": "binary.mantel_haenszel",
    "correct_guess_rate_curve": "guesses.curve",
    "cox_regression": "survival.cox",
    "event_table": "safety.event_table",
    "fisher_exact": "binary.fisher",
    "g_computation": "binary.g_computation",
    "hodges_lehmann": "ranks.hodges_lehmann",
    "james_index": "guesses.james",
    "log_rank_groups": "survival.log_rank_groups",
    "logistic_regression": "regression.logistic",
    "matched_win_ratio": "ranks.matched_pairs",
    "negative_binomial_regression": "regression.negative_binomial",
    "poisson_regression": "regression.poisson",
    "principal_stratum": "durations.principal_stratum",
    "proportional_odds_regression": "regression.proportional_odds",
    "rank_sum": "ranks.rank_sum",
    "score_interval": "binary.score",
    "t_test": "regression.t_test",
    "time_in_response": "durations.time_in_response",
    "van_elteren": "ranks.van_elteren",
    "win_data": "ranks.win_components",
    "win_probability": "ranks.win_probability",
    "win_statistics": "ranks.win_statistics",
}


def __getattr__(name: str) -> Any:
    """Methods that analyse one data set, found where they live once they are asked for."""
    if name in _METHODS:
        return getattr(import_module(f".{_METHODS[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*__all__, *_METHODS})


def _file(endpoint: Any) -> Any:
    return import_module(f".{_FILES[endpoint.type]}", __name__)


def measured_on(endpoint: Any, protocol: Protocol) -> tuple[Scale, Better]:
    """The scale of an endpoint's effect, as estimated and as planned, and whether a higher or a lower one favours the
    experimental arm.
    """
    return _file(endpoint).measured_on(endpoint, protocol)


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


def batch(endpoint: Any, protocol: Protocol, trials: TrialBatch) -> BatchEstimates:
    """What a look needs, of many trials at once: the estimates that `primary` gives of each."""
    return _file(endpoint).batch(endpoint, protocol, trials)


def analysed(endpoint: Any, protocol: Protocol, data: TrialData) -> NDArray[np.bool_]:
    """Who enters the analysis of an endpoint, shape (patients,); raises `InputError` where a covariate is not there."""
    return _file(endpoint).analysed(endpoint, protocol, data)


def seen(endpoint: Any, protocol: Protocol, data: TrialData | TrialBatch) -> NDArray[np.bool_]:
    """Who was seen where the endpoint is known: has its measure, or a score at its visit; shape (..., patients)."""
    own = getattr(_file(endpoint), "seen", None)
    if own is not None:
        return own(endpoint, protocol, data)
    name = getattr(endpoint, "measure", "")
    if name:
        return np.asarray(~np.isnan(data.measure(name).value) & (data.arm >= 0))
    if protocol.outcome is None:
        return _file(endpoint).analysed(endpoint, protocol, data)
    return np.asarray(~np.isnan(data.at(protocol.visit_of(endpoint))) & (data.arm >= 0))


def describe(endpoint: Any, protocol: Protocol) -> Description:
    """How an endpoint is analysed, in words."""
    return _file(endpoint).describe(endpoint, protocol)


def needs_follow_up(endpoint: Any) -> bool:
    """Whether the endpoint is of the patients followed to the end, not of what was known at the deciding look."""
    return getattr(_file(endpoint), "NEEDS_FOLLOW_UP", False) and endpoint.role != "primary"


def has_number_needed_to_treat(endpoint: Any, protocol: Protocol) -> bool:
    """Whether the effect is a response's difference in risk, of which 1 / difference is the number needed to treat."""
    counted = getattr(_file(endpoint), "HAS_NUMBER_NEEDED_TO_TREAT", False)
    return counted and measured_on(endpoint, protocol)[0] is Scale.RISK_DIFFERENCE


def reached(endpoint: Any, protocol: Protocol, data: Any) -> NDArray[np.float64]:
    """Days of the trial on which what the looks count came about: patients at the endpoint's visit, seen or not, or
    events; infinite where it did not.

    Parameters
    ----------
    data
        One trial, or many with an axis of trials before that of the patients and arm -1 where there is none.

    Returns
    -------
    Shape (..., patients).
    """
    own = getattr(_file(endpoint), "reached", None)
    if own is not None:
        return own(endpoint, protocol, data)
    return visit_reached(data, protocol.visit_of(endpoint))


@overload
def accrued(endpoint: Any, protocol: Protocol, data: TrialData) -> int: ...
@overload
def accrued(endpoint: Any, protocol: Protocol, data: TrialBatch) -> NDArray[np.intp]: ...
def accrued(endpoint: Any, protocol: Protocol, data: TrialData | TrialBatch) -> int | NDArray[np.intp]:
    """How much of what the looks count is in the data: patients who have reached the visit, or events; of many trials
    an array (trials,).
    """
    own = getattr(_file(endpoint), "accrued", None)
    if own is not None:
        return own(endpoint, protocol, data)
    return patients_due(data, protocol.visit_of(endpoint))


def accrued_by(endpoint: Any, protocol: Protocol, data: Any, days: NDArray[np.float64] | float) -> NDArray[np.intp]:
    """How much of what the looks count has come about by a day of the trial in all that would happen in it; shape
    (trials,) of many trials and as many days.
    """
    by = np.asarray(days, dtype=float)[..., None]
    return np.asarray(np.count_nonzero(reached(endpoint, protocol, data) <= by, axis=-1), dtype=np.intp)


def plan(endpoint: Any, protocol: Protocol, law: Law) -> EndpointPlan:
    """Effect and variance of an endpoint under a scenario."""
    return _file(endpoint).plan(endpoint, protocol, law)
