"""Inference after stopping against rpact and an independent integration (reference/after_stopping.json)."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from equipoise import Estimate, Scale
from equipoise.sequential import GroupSequential, HwangShihDeCaniSpending, OBrienFlemingSpending, UserSpending
from equipoise.sequential.integration import exit_probabilities

CASES = json.loads((Path(__file__).parents[1] / "reference" / "after_stopping.json").read_text())["cases"]
CANONICAL = [case for case in CASES if case["inputs"]["endpoint"] == "canonical"]
RPACT = [case for case in CASES if case["inputs"]["endpoint"] != "canonical"]
ENDED = [case for case in RPACT if "final_p_value" in case["expected"]]


def design_with_bounds(given):
    """The spending design whose bounds are the critical values given, whatever family they came from."""
    times, bounds = given["information_rates"], np.array(given["critical_values"])
    below = -bounds if given["sided"] == 2 else np.full(bounds.shape, -np.inf)
    spent = np.cumsum(exit_probabilities(times, below, bounds, np.zeros(1))[0][0])
    shares = (*(spent[:-1] / spent[-1]), 1.0)
    design = GroupSequential(times, given["sided"] * spent[-1], given["sided"], UserSpending(shares))
    np.testing.assert_allclose(design.efficacy_bounds, bounds, rtol=0, atol=1e-12)
    return design


@pytest.mark.parametrize("case", CANONICAL, ids=[case["id"] for case in CANONICAL])
def test_canonical(case):
    inputs, expected = case["inputs"], case["expected"]
    error = inputs["information"][-1] ** -0.5
    conclusion = design_with_bounds(inputs["design"]).conclude(
        Estimate(inputs["z"] * error, error), look=inputs["stopped_at_look"]
    )
    assert conclusion.observed.effect == pytest.approx(expected["naive_estimate"], abs=1e-12)
    assert conclusion.p_value == pytest.approx(expected["final_p_value_one_sided"], abs=1e-9)
    assert conclusion.median_unbiased == pytest.approx(expected["median_unbiased_estimate"], abs=1e-9)
    # the bounds given spend alpha - 1e-8, so the limits are asked for at the level stated, not at the design's
    limits = [
        conclusion.trial.standardised_effect(tail, lambda mean: inputs["z"] - mean) * error for tail in (0.025, 0.975)
    ]
    np.testing.assert_allclose(limits, [expected["final_ci_lower"], expected["final_ci_upper"]], rtol=0, atol=1e-9)
    assert conclusion.interval.lower == pytest.approx(limits[0], abs=1e-6 * error)
    assert conclusion.interval.upper == pytest.approx(limits[1], abs=1e-6 * error)


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


@pytest.mark.parametrize("case", ENDED, ids=[case["id"] for case in ENDED])
def test_final_inference_against_rpact(case):
    inputs, expected = case["inputs"], case["expected"]
    look = expected["final_stage"]
    estimate = estimate_at(inputs, expected, look - 1)
    design = design_with_bounds(inputs["design"])
    conclusion = design.conclude(estimate, look=look)
    assert conclusion.decision.stops
    assert conclusion.p_value == pytest.approx(expected["final_p_value"], abs=1e-6)
    if look > 1:
        conclusion = design.conclude(as_rpact_scales_limits(inputs, estimate, look - 1), look=look)
    assert conclusion.interval is not None
    names = ("final_ci_lower", "final_ci_upper", "median_unbiased_estimate")
    ours = (conclusion.interval.lower, conclusion.interval.upper, conclusion.median_unbiased)
    for name, value in zip(names, ours, strict=True):
        if expected[name] is not None:
            assert estimate.scale.natural(value) == pytest.approx(expected[name], abs=1e-6)


SPENDING = [case for case in RPACT if case["inputs"]["design"]["efficacy"]["type"].startswith("spending")]


@pytest.mark.parametrize("case", SPENDING, ids=[case["id"] for case in SPENDING])
def test_repeated_inference_against_rpact(case):
    inputs, expected = case["inputs"], case["expected"]
    given = inputs["design"]
    family = (
        HwangShihDeCaniSpending(given["efficacy"]["gamma"])
        if given["efficacy"]["type"] == "spending_hwang_shih_decani"
        else OBrienFlemingSpending()
    )
    design = GroupSequential(given["information_rates"], given["alpha"], given["sided"], family)
    for look in range(inputs["analysis_stage"]):
        estimate = estimate_at(inputs, expected, look)
        conclusion = design.conclude(estimate, look=look + 1)
        theirs = expected["repeated_p_values"][look]
        if theirs < 0.4999:
            assert conclusion.repeated_p_value == pytest.approx(theirs, abs=1e-6)
        else:
            assert conclusion.repeated_p_value >= 0.4999
        if inputs["endpoint"] != "risk_difference":  # there rpact inverts the score test instead
            limits = conclusion.repeated_interval
            for ours, name in ((limits.lower, "repeated_ci_lower"), (limits.upper, "repeated_ci_upper")):
                assert estimate.scale.natural(ours) == pytest.approx(expected[name][look], abs=1e-6)
