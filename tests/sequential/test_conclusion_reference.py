"""Inference after stopping against rpact and an independent integration (reference/after_stopping.json)."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtri

from after_stopping_reference import (
    CANONICAL,
    ENDED,
    RPACT,
    SPENDING,
    as_rpact_scales_limits,
    design_with_bounds,
    estimate_at,
    spending_design,
)
from boundaries_reference import design_of
from equipoise import Decision, Estimate

ACTIONS = {
    "continue": (Decision.CONTINUE,),
    "reject and stop": (Decision.EFFICACY, Decision.HARM),
    "reject": (Decision.EFFICACY, Decision.HARM),
    "accept and stop": (Decision.FUTILITY,),
    "accept": (Decision.NOT_REJECTED,),
}


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
    limits = [mean * error for mean in conclusion.trial.means(inputs["z"], (0.025, 0.975))]
    np.testing.assert_allclose(limits, [expected["final_ci_lower"], expected["final_ci_upper"]], rtol=0, atol=1e-9)
    assert conclusion.interval.lower == pytest.approx(limits[0], abs=1e-6 * error)
    assert conclusion.interval.upper == pytest.approx(limits[1], abs=1e-6 * error)


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


@pytest.mark.parametrize("case", SPENDING, ids=[case["id"] for case in SPENDING])
def test_repeated_inference_against_rpact(case):
    inputs, expected = case["inputs"], case["expected"]
    design = spending_design(inputs["design"])
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


@pytest.mark.parametrize("case", RPACT, ids=[case["id"] for case in RPACT])
def test_every_trial_of_rpact_on_the_z_scale(case):
    """Decisions, repeated and final p-values of every endpoint and boundary family, from the cumulative p-values."""
    inputs, expected = case["inputs"], case["expected"]
    design = design_of(inputs["design"])
    for look in range(inputs["analysis_stage"]):
        z = -float(ndtri(expected["cumulative_p_values"][look]))
        conclusion = design.conclude(Estimate(z, 1.0), look=look + 1)
        assert conclusion.decision in ACTIONS[expected["actions"][look]]
        theirs = expected["repeated_p_values"][look]
        if theirs < 0.4999:
            assert conclusion.repeated_p_value == pytest.approx(theirs, abs=1e-6)
        else:  # rpact's search ends at 1/2 over both sides, ours at 1/2 a side
            assert conclusion.repeated_p_value >= 0.4999
        if expected.get("final_stage") == look + 1:
            assert conclusion.p_value == pytest.approx(expected["final_p_value"], abs=1e-6)
