"""Cases of tests/reference/after_stopping.json that look ahead: designs, scores, assumed effects."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import ndtri

from after_stopping_reference import CASES, RPACT
from equipoise.sequential import GroupSequential, HwangShihDeCaniSpending, OBrienFlemingSpending, PowerSpending, Region

CONDITIONAL = [case for case in CASES if case["inputs"]["endpoint"] == "canonical_conditional_power"]
GSDESIGN = [case for case in CASES if case["inputs"]["endpoint"] == "canonical_gsdesign"]
POWER = [case for case in RPACT if "conditional_power" in case["expected"]]
SPENDING = {
    "spending_lan_demets_obrien_fleming": lambda given: OBrienFlemingSpending(),
    "spending_hwang_shih_decani": lambda given: HwangShihDeCaniSpending(given["gamma"]),
    "spending_kim_demets_power": lambda given: PowerSpending(given["rho"]),
}


def region_of(given, respect_futility=False):
    """The region of a reference design; with futility bounds only where asked."""
    upper, times = np.array(given["critical_values"]), np.array(given["information_rates"])
    lower = -upper if given["sided"] == 2 else np.full(upper.shape, -np.inf)
    futility = given["futility"]
    if respect_futility and futility["type"] == "fixed_z_bounds":
        lower = np.append(futility["z_bounds"], -np.inf)
    elif respect_futility and futility["type"] == "spending_hwang_shih_decani":
        design = GroupSequential(
            times,
            given["alpha"],
            1,
            HwangShihDeCaniSpending(given["efficacy"]["gamma"]),
            HwangShihDeCaniSpending(futility["gamma"]),
            given["beta"],
        )
        lower = design.futility_bounds
    return Region(times, lower, upper)


def score(expected, look):
    """Normal score of the cumulative one-sided p-value: what rpact takes for z at a look, whatever the endpoint."""
    return -float(ndtri(expected["cumulative_p_values"][look]))


def assumed_effect(case):
    """The effect assumed ahead per square root of a patient (event), as rpact standardises it."""
    inputs, endpoint = case["inputs"], case["inputs"]["endpoint"]
    ahead = inputs.get("planned_n_remaining_stages") or inputs["planned_events_remaining_stages"]
    if endpoint == "mean_difference":
        return inputs["assumed_effect"] / (2 * inputs["assumed_sd"])
    if endpoint == "mean":
        return inputs["assumed_effect"] / inputs["assumed_sd"]
    if endpoint == "hazard_ratio":
        return math.log(inputs["assumed_effect"]) / 2
    # for rates the final test will use the variance under the null: rpact shifts the effect by what that adds to the
    # quantile of the conditional error, spread over all the patients ahead
    error = case["expected"]["conditional_rejection_probabilities"][inputs["analysis_stage"] - 1]
    p1 = inputs["assumed_p1"]
    if endpoint == "rate":
        variance, null = p1 * (1 - p1), inputs["null_value"] * (1 - inputs["null_value"])
        effect = p1 - inputs["null_value"]
    else:
        p2, mean = inputs["assumed_p2"], (p1 + inputs["assumed_p2"]) / 2
        variance, null = 2 * (p1 * (1 - p1) + p2 * (1 - p2)), 4 * mean * (1 - mean)
        effect = p1 - p2
    shift = -float(ndtri(error)) * (1 - math.sqrt(null / variance)) / math.sqrt(sum(ahead))
    return effect / math.sqrt(variance) + shift


def gsdesign_design(given):
    """The design of one of the `GSDESIGN` cases."""
    futility = None if given["futility"]["type"] == "none" else SPENDING[given["futility"]["type"]](given["futility"])
    efficacy = SPENDING[given["efficacy"]["type"]](given["efficacy"])
    return GroupSequential(given["information_rates"], given["alpha"], 1, efficacy, futility, given["beta"])
