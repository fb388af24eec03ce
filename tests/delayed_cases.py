"""Delayed-response tests and estimates that several test files use."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from equipoise.estimate import Estimate
from equipoise.sequential.delayed import DelayedResponse
from equipoise.sequential.delayed_conclusion import DecidedTrial
from equipoise.sequential.delayed_region import DelayedRegion
from equipoise.sequential.design import GroupSequential
from equipoise.sequential.spending import OBrienFlemingSpending, PocockSpending, PowerSpending

REFERENCE = json.loads((Path(__file__).parent / "reference" / "delayed_response.json").read_text())
SPENDING = {"obrien-fleming": OBrienFlemingSpending(), "pocock": PocockSpending()}


def three_looks(binding: bool = True, pipeline: tuple[float, ...] = (0.5, 0.85), **changes: Any) -> DelayedResponse:
    parameters = {
        "information": (0.4, 0.65, 1.0),
        "alpha": 0.05,
        "sided": 1,
        "efficacy": OBrienFlemingSpending(),
        "futility": OBrienFlemingSpending(),
        "beta": 0.1,
        "binding": binding,
    }
    return DelayedResponse(GroupSequential(**(parameters | changes)), pipeline)


def seen(z: float, fraction: float, **changes: Any) -> Estimate:
    """An estimate with this z and as much information as the fraction says."""
    return Estimate(float(z / math.sqrt(fraction)), 1 / math.sqrt(fraction), **changes)


def as_rpact(case: dict[str, Any]) -> DelayedResponse:
    """The test of a case of rpact, which keeps earlier futility bounds even when they are not binding."""
    spending = SPENDING[case["spending"]]
    test = three_looks(case["binding"], tuple(case["pipeline"]), efficacy=spending, futility=spending)
    if not case["binding"]:
        planned, information = test.region, np.array(test.design.information)
        kept = DelayedRegion.balanced(information, planned.lower, planned.upper, planned.pipeline, True)
        vars(test).update(region=kept, reversal_probabilities=kept.outcomes(np.zeros(1)).lost[0])
    return test


def delayedgsd_test() -> DelayedResponse:
    """The test of DelayedGSD's boundaries."""
    case = REFERENCE["delayedgsd"]["boundaries"]
    first, second, _ = (fraction / 12 for fraction in case["information_of_12"])
    spending = PowerSpending(case["rho"])
    design = GroupSequential(
        (first, second, 1.0), case["alpha"], 1, spending, spending, beta=case["beta"], binding=True
    )
    return DelayedResponse(design, tuple(fraction / 12 for fraction in case["pipeline_of_12"]))


def delayedgsd_tail(case: dict[str, Any]) -> tuple[float, float]:
    """p-value at the bound, ours and theirs."""
    arrays = [np.array(case[name]) for name in ("information", "lower", "upper", "pipeline", "critical")]
    theirs = case.get("p_value")
    if theirs is None:
        theirs = case["alpha"] * (case["information"][0] / case["spending_information"]) ** case["rho"]
    return DecidedTrial(DelayedRegion(*arrays, binding=True)).tail(case["z"]), theirs
