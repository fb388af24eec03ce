"""The trials behind tests/reference/after_stopping.json."""

from __future__ import annotations

import math

import numpy as np

from equipoise import Estimate, Scale
from equipoise.sequential import GroupSequential, HwangShihDeCaniSpending, OBrienFlemingSpending, UserSpending
from reference_values import reference_cases
from region_exits import exit_probabilities

CASES = reference_cases("after_stopping")
CANONICAL = [case for case in CASES if case["inputs"]["endpoint"] == "canonical"]
RPACT = [case for case in CASES if case["source"].startswith("rpact") and "analysis_stage" in case["inputs"]]
TWO_ARMS = [
    case
    for case in RPACT
    if case["inputs"]["endpoint"] in ("mean_difference", "risk_difference", "hazard_ratio")
    and case["inputs"].get("equal_variances", True)
    and "conditional_power" not in case["expected"]
]
ENDED = [case for case in TWO_ARMS if "final_p_value" in case["expected"]]
SPENDING = [case for case in TWO_ARMS if case["inputs"]["design"]["efficacy"]["type"].startswith("spending")]


def design_with_bounds(given):
    """The spending design whose bounds are the critical values given, whatever family they came from."""
    times, bounds = given["information_rates"], np.array(given["critical_values"])
    below = -bounds if given["sided"] == 2 else np.full(bounds.shape, -np.inf)
    spent = np.cumsum(exit_probabilities(times, below, bounds, np.zeros(1))[0][0])
    shares = (*(spent[:-1] / spent[-1]), 1.0)
    design = GroupSequential(times, given["sided"] * spent[-1], given["sided"], UserSpending(shares))
    np.testing.assert_allclose(design.efficacy_bounds, bounds, rtol=0, atol=1e-12)
    return design


def spending_design(given):
    """The design of one of the `SPENDING` cases."""
    family = (
        HwangShihDeCaniSpending(given["efficacy"]["gamma"])
        if given["efficacy"]["type"] == "spending_hwang_shih_decani"
        else OBrienFlemingSpending()
    )
    return GroupSequential(given["information_rates"], given["alpha"], given["sided"], family)


def estimate_at(inputs, expected, look):
    """Effect and standard error as rpact has them at a look (index from 0)."""
    data, better = inputs["stage_data"], "higher" if inputs["direction_upper"] else "lower"
    if inputs["endpoint"] == "hazard_ratio":
        ratio = data["allocation_ratio"]
        error = (1 + ratio) / math.sqrt(ratio * data["events"][look])
        return Estimate(
            data["log_rank_z"][look] * error,
            error,
            math.inf,
            Scale.LOG_HAZARD_RATIO,
            better,
            math.log(inputs["null_value"]),
        )
    null = inputs["null_value"]
    if inputs["endpoint"] == "risk_difference":
        effect, z = expected["cumulative_effect"][look], expected["cumulative_test_statistics"][look]
        return Estimate(effect, (effect - null) / z, math.inf, Scale.RISK_DIFFERENCE, better, null)
    n1, n2 = np.cumsum(data["n1"])[look], np.cumsum(data["n2"])[look]
    effect, t = expected["cumulative_effect"][look], expected["cumulative_test_statistics"][look]
    freedom = math.inf if inputs["normal_approximation"] else float(n1 + n2 - 2)
    return Estimate(effect, abs((effect - null) / t), freedom, Scale.MEAN_DIFFERENCE, better, null)


def as_rpact_scales_limits(inputs, estimate, look):
    """A normal estimate with the same z and the standard error by which rpact multiplies limits found on the z scale.

    For t statistics after look 1 that is the standard error itself, the z being the normal score; for risk differences
    the standard error pooled over the arms.
    """
    error = estimate.standard_error
    if inputs["endpoint"] == "risk_difference":
        data = {name: np.cumsum(inputs["stage_data"][name])[look] for name in ("n1", "n2", "events1", "events2")}
        rate = (data["events1"] + data["events2"]) / (data["n1"] + data["n2"])
        error = math.sqrt(rate * (1 - rate) * (1 / data["n1"] + 1 / data["n2"]))
    effect = estimate.null_value + estimate.z * error
    return Estimate(effect, error, math.inf, estimate.scale, estimate.better, estimate.null_value)
