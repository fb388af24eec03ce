"""Response at a visit: risks, their difference, and the number needed to treat."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from ..estimate import Estimate
from .binary.number_needed_to_treat import number_needed_to_treat
from .binary.proportions import RiskDifference, risk_difference, wilson_interval
from .planning.law import EndpointPlan, Law
from .results import ArmResponse, Comparison, ResponseResult

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..data import TrialData
    from ..protocol import Protocol, ResponseEndpoint

__all__ = ["analysed", "estimate", "plan", "primary", "responded"]


def responded(endpoint: ResponseEndpoint, protocol: Protocol, data: TrialData) -> NDArray[np.bool_]:
    """Whether each patient was seen to respond, shape (patients,)."""
    return protocol.responded(endpoint, data.baseline, data.at(endpoint.visit))


def analysed(endpoint: ResponseEndpoint, protocol: Protocol, data: TrialData) -> NDArray[np.bool_]:
    """Who is in the denominator: those whose visit was due and, if the protocol says so, only those seen there.

    A patient who has not reached the visit by the cut of the data is in no denominator; one without a baseline
    score can neither respond nor fail to, and is left out.
    """
    known = ~np.isnan(data.baseline)
    if endpoint.missing == "observed-only":
        return known & ~np.isnan(data.at(endpoint.visit))
    return known & data.is_due(endpoint.visit)


def _counted(patients: int) -> str:
    return "1 patient" if patients == 1 else f"{patients} patients"


def _difference(
    endpoint: ResponseEndpoint, protocol: Protocol, data: TrialData, arm: int, level: float
) -> RiskDifference:
    response, counts = responded(endpoint, protocol, data), analysed(endpoint, protocol, data)
    cells = []
    for at in (arm, 0):
        members = counts & (data.arm == at)
        if not members.any():
            raise InputError(
                f"response in arm {data.arm_names[at]}", 0, f"at least one patient due at {endpoint.visit}"
            )
        cells += [int((members & response).sum()), int(members.sum())]
    return risk_difference(*cells, level=level)


def primary(endpoint: ResponseEndpoint, protocol: Protocol, data: TrialData) -> tuple[Estimate, tuple[str, ...]]:
    """The risk difference, experimental minus control, with the score test's standard error: what a look needs."""
    found = _difference(endpoint, protocol, data, 1, 0.95)
    return found.score_estimate("higher", endpoint.label or endpoint.name), ()


def estimate(endpoint: ResponseEndpoint, protocol: Protocol, data: TrialData) -> ResponseResult:
    """The whole result: responders and risk by arm, risk differences (Newcombe), number needed to treat."""
    level = protocol.confidence_level
    response, counts = responded(endpoint, protocol, data), analysed(endpoint, protocol, data)
    seen = ~np.isnan(data.at(endpoint.visit))
    arms = []
    for at, name in enumerate(data.arm_names):
        members = counts & (data.arm == at)
        events, total = int((members & response).sum()), int(members.sum())
        if not total:
            raise InputError(f"response in arm {name}", 0, f"at least one patient due at {endpoint.visit}")
        interval = wilson_interval(events, total, level)
        arms.append(ArmResponse(name, events, total, int((members & seen).sum()), events / total, interval))
    comparisons, notes = [], []
    for at in range(1, len(data.arm_names)):
        found = _difference(endpoint, protocol, data, at, level)
        try:
            compared = found.score_estimate("higher", endpoint.label or endpoint.name)
        except InputError:
            notes.append(f"{data.arm_names[at]}: no test of the difference, as all or none responded in both arms")
        else:
            comparisons.append(Comparison(data.arm_names[at], endpoint.visit, compared, found.interval))
    visit = protocol.visit(endpoint.visit).label or endpoint.visit
    missing = int((counts & ~seen).sum())
    if missing:
        notes.append(f"{_counted(missing)} not seen at {visit}: counted as non-response")
    waiting = int((~data.is_due(endpoint.visit)).sum())
    if waiting:
        notes.append(f"{_counted(waiting)} not yet due at {visit}: not counted")
    difference = _difference(endpoint, protocol, data, 1, level)
    return ResponseResult(
        name=endpoint.name,
        label=endpoint.label or endpoint.name,
        kind=endpoint.type,
        comparisons=tuple(comparisons),
        patients=int(counts.sum()),
        notes=tuple(notes),
        arms=tuple(arms),
        difference=difference,
        number_needed_to_treat=number_needed_to_treat(difference.effect, difference.interval),
    )


def plan(endpoint: ResponseEndpoint, protocol: Protocol, law: Law) -> EndpointPlan:
    """Risk difference and binomial variances under a scenario, missing as the protocol counts it."""
    at = protocol.visit_names.index(endpoint.visit)
    risks, variances = [], []
    for arm in law.arms[:2]:
        risk = arm.response_probability(at, endpoint.improvement, endpoint.points, protocol.scale.better)
        seen = float(arm.staying[at])
        share = 1.0
        if endpoint.missing == "non-response":
            risk *= seen
        else:
            share = seen
        risks.append(risk)
        variances.append(risk * (1 - risk) / share)
    if sum(variances) < 1e-12:
        raise InputError("endpoint", endpoint.name, "a response that some but not all patients of the scenario reach")
    return EndpointPlan(risks[1] - risks[0], (variances[0], variances[1]), "higher")
