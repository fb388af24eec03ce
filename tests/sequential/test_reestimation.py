"""Sample size chosen again: reference values, CP_min by its definition, type I error by integration."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr, ndtri

from adaptive_reference import cases_of, inverse_normal, stages_of
from equipoise import Estimate
from equipoise.errors import InputError
from equipoise.sequential import (
    GroupSequential,
    HwangShihDeCaniSpending,
    NoEarlyStopping,
    OBrienFlemingSpending,
    Pocock,
    PromisingZone,
    Zone,
    adjusted_final_bound,
    reestimate,
)
from equipoise.sequential.combination import InverseNormal
from equipoise.sequential.fisher import FisherCombination

CASES = cases_of("sample_size_reestimation")
TWO = GroupSequential((0.5, 1.0), 0.025, 1)
THREE = GroupSequential((0.3, 0.6, 1.0), 0.025, 1, Pocock())
FUTILE = GroupSequential((0.4, 1.0), 0.025, 1, OBrienFlemingSpending(), HwangShihDeCaniSpending(-2), 0.1)


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_information_as_rpact(case):
    inputs, expected = case["inputs"], case["expected"]
    test, (stage,) = inverse_normal(inputs["design"]), stages_of(inputs)
    assert isinstance(stage, Estimate)
    assert ndtr(-stage.statistic) == pytest.approx(expected["stage1_p_value"], abs=1e-14)
    unit = 4 * inputs["assumed_sd"] ** 2  # patients per unit of information, half in each arm
    result = reestimate(
        test,
        [stage],
        inputs["assumed_effect"],
        target=inputs["target_conditional_power"],
        minimum=inputs["min_n_stage2_total"] / unit,
        maximum=inputs["max_n_stage2_total"] / unit,
    )
    assert result.information * unit == pytest.approx(expected["n_stage2_total_unrounded"], rel=1e-8)
    assert result.at_minimum == pytest.approx(expected["conditional_power_at_min"], abs=1e-8)
    assert result.at_maximum == pytest.approx(expected["conditional_power_at_max"], abs=1e-8)
    assert result.reaches_target == (case["id"] == "ssr_1")


@pytest.mark.parametrize(
    "test",
    [InverseNormal(TWO), InverseNormal(THREE), FisherCombination(), FisherCombination((0.3, 0.6, 1.0))],
    ids=["two looks", "three looks", "Fisher", "Fisher, three looks"],
)
def test_the_target_is_met(test):
    stages = [Estimate(0.4, 0.35)]
    result = reestimate(test, stages, 0.5, target=0.85)
    assert result.reaches_target
    means = 0.5 * np.sqrt(result.per_stage)
    assert test.conditional_power(stages, means)[-1] == pytest.approx(0.85, abs=1e-11)
    assert sum(result.per_stage) == pytest.approx(result.information, rel=1e-14)
    ahead = np.diff(test.information)
    np.testing.assert_allclose(np.array(result.per_stage) / result.information, ahead / ahead.sum(), rtol=1e-13)
    assert "0.8500" in str(result)


def test_one_stage_left_in_closed_form():
    test = InverseNormal(TWO)
    needed = math.sqrt(2) * test.thresholds[1] - 1.3
    result = reestimate(test, [float(ndtr(-1.3))], 0.5, target=0.9)
    assert result.information == pytest.approx(((needed - float(ndtri(0.1))) / 0.5) ** 2, rel=1e-11)


def test_the_observed_effect_is_the_default():
    test = InverseNormal(THREE)
    stages = [Estimate(-0.4, 0.4, better="lower"), Estimate(-0.6, 0.2, better="lower")]
    pooled = (0.4 / 0.16 + 0.6 / 0.04) / (1 / 0.16 + 1 / 0.04)
    assert reestimate(test, stages).information == pytest.approx(
        reestimate(test, stages, pooled).information, rel=1e-12
    )


def test_limits():
    test, stages = InverseNormal(TWO), [Estimate(0.4, 0.35)]
    free = reestimate(test, stages, 0.5).information
    low = reestimate(test, stages, 0.5, minimum=2 * free)
    assert low.information == 2 * free
    assert low.conditional_power > 0.9
    assert "least allowed" in str(low)
    high = reestimate(test, stages, 0.5, maximum=free / 2)
    assert high.information == free / 2
    assert high.conditional_power < 0.9
    assert "out of reach" in str(high)
    assert reestimate(test, stages, -0.5, maximum=10.0).information == 10.0
    with pytest.raises(InputError, match="no information suffices"):
        reestimate(test, stages, -0.5)


@pytest.mark.parametrize("target", [0.8, 0.9])
@pytest.mark.parametrize("maximum", [1.5, 2.0, 3.0])
@pytest.mark.parametrize("time", [0.25, 0.5, 0.75])
def test_the_smallest_conditional_power_by_its_definition(target, maximum, time):
    """With the information raised as the zone says, the bound that keeps the conditional error is the planned one.

    Chen, DeMets & Lan 2004: written out for a trial whose only test is the last, planned at 1.96.
    """
    found = PromisingZone(GroupSequential((time, 1.0), 0.025, 1, NoEarlyStopping()), maximum, target)
    bound = -ndtri(0.025)
    z = found.z_limits[0]
    trend = ndtr((z / math.sqrt(time) - bound) / math.sqrt(1 - time))
    assert found.smallest_conditional_power == pytest.approx(trend, abs=1e-9)
    end = float(found.information(z + 1e-9))
    conditional_error = ndtr(-(bound - z * math.sqrt(time)) / math.sqrt(1 - time))
    kept = (z * math.sqrt(time) - ndtri(conditional_error) * math.sqrt(end - time)) / math.sqrt(end)
    assert kept == pytest.approx(bound, abs=1e-6)


@pytest.mark.parametrize("design", [TWO, THREE, FUTILE], ids=["two looks", "three looks", "futility"])
@pytest.mark.parametrize("maximum", [1.3, 2.0, math.inf])
def test_from_the_smallest_conditional_power_up_the_adjusted_bound_is_not_above_the_planned(design, maximum):
    zone = PromisingZone(design, maximum)
    low, high = zone.z_limits
    z = np.linspace(low + 1e-9, high - 1e-9, 2001)
    assert np.all(zone.final_bound(z) <= zone.bound + 1e-12)
    below = np.linspace(0.51 * low, low - 1e-6, 50)
    loose = PromisingZone(design, maximum, smallest=zone.conditional_power(0.5 * low))
    assert np.all(loose.final_bound(below) > loose.bound)


@pytest.mark.parametrize("design", [TWO, THREE, FUTILE], ids=["two looks", "three looks", "futility"])
@pytest.mark.parametrize("smallest", [None, 0.1])
def test_type_one_error_by_integration(design, smallest):
    zone = PromisingZone(design, 2.0, 0.9, smallest)
    respected = float(design.power(0.0))
    # the adjusted bound spends what the design does, exactly; the conventional test no more, from CP_min on
    assert zone.power(0.0, adjusted=True) == pytest.approx(respected, abs=1e-13)
    if smallest is None:
        assert zone.power(0.0) < respected
    assert zone.power(3.0) > design.power(3.0)
    assert zone.expected_information(3.0) > design.expected_information(3.0)


def test_power_and_information_by_simulation():
    zone, drift, trials = PromisingZone(THREE, 2.0, 0.9), 2.8, 400_000
    rng = np.random.default_rng(21)
    times = np.array([0.3, 0.6])
    score = np.cumsum(rng.standard_normal((trials, 2)) * np.sqrt([0.3, 0.3]) + drift * 0.3, axis=1)
    z = score / np.sqrt(times)
    first, second = (z >= THREE.efficacy_bounds[:2]).T
    final = zone.information(z[:, 1])
    last = (score[:, 1] + rng.standard_normal(trials) * np.sqrt(final - 0.6) + drift * (final - 0.6)) / np.sqrt(final)
    rejected = first | second | (last >= zone.bound)
    information = np.where(first, 0.3, np.where(second, 0.6, final))
    assert zone.power(drift) == pytest.approx(rejected.mean(), abs=4 * 0.3 / math.sqrt(trials))
    assert zone.expected_information(drift) == pytest.approx(information.mean(), abs=4 * 0.5 / math.sqrt(trials))


@given(st.floats(-1, 2.9), st.floats(-2, 4), st.floats(0.55, 6))
@settings(max_examples=50)
def test_the_adjusted_bound_is_the_combination_test_with_planned_weights(first, second, information):
    pooled = (first * math.sqrt(0.5) + second * math.sqrt(information - 0.5)) / math.sqrt(information)
    bound = adjusted_final_bound(TWO, first, information)
    test = InverseNormal(TWO)
    excess = test.evidence(np.array([first, second])) - test.thresholds[1]
    # the two differ by a factor that depends on the new size alone
    factor = math.sqrt((information - 0.5) / information) / math.sqrt(0.5)
    assert pooled - bound == pytest.approx(factor * excess, abs=1e-12)


def test_zones_and_information():
    zone = PromisingZone(TWO, 2.0, 0.9)
    low, high = zone.z_limits
    assert zone.zone(low - 1e-6) is Zone.UNFAVOURABLE
    assert zone.zone(low) is zone.zone(high - 1e-6) is Zone.PROMISING
    assert zone.zone(high) is Zone.FAVOURABLE
    assert zone.conditional_power(high) == pytest.approx(0.9, abs=1e-14)
    z = np.array([low - 1e-9, low, high - 1e-9, high, 5.0])
    np.testing.assert_allclose(zone.information(z), [1, 2, 1, 1, 1], rtol=0, atol=1e-7)
    # inside the zone the information gives the target under the trend, the level kept
    inner = 1.9
    final = zone.information(inner)
    trend = inner / math.sqrt(0.5)
    to_go = (zone.final_bound(inner) * math.sqrt(final) - inner * math.sqrt(0.5)) / math.sqrt(final - 0.5)
    assert float(ndtr(trend * math.sqrt(final - 0.5) - to_go)) == pytest.approx(0.9, abs=1e-12)
    assert "0.3570" in str(zone)


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (lambda: PromisingZone(GroupSequential((0.5, 1.0), 0.05, 2)), "sided is 2"),
        (lambda: PromisingZone(GroupSequential((1.0,), 0.025, 1)), "looks is 1; expected at least 2"),
        (lambda: PromisingZone(TWO, 1.0), "above 1"),
        (lambda: PromisingZone(TWO, 2.0, 0.4), "between 0.5 and 1"),
        (lambda: PromisingZone(TWO, 2.0, 0.9, 0.95), "between 0 and the target"),
        (lambda: PromisingZone(TWO).power(math.inf), "a finite number"),
        (lambda: adjusted_final_bound(TWO, 1.0, 0.5), "more than the 0.5"),
        (lambda: reestimate(InverseNormal(TWO), [0.1, 0.2], 0.5), "fewer stages"),
        (lambda: reestimate(InverseNormal(TWO), [0.1]), "an assumed effect"),
        (lambda: reestimate(InverseNormal(TWO), [0.1], 0.5, target=1.0), "between 0 and 1"),
        (lambda: reestimate(InverseNormal(TWO), [0.1], 0.5, minimum=-1.0), "at least 0"),
        (lambda: reestimate(InverseNormal(TWO), [0.1], 0.5, minimum=2.0, maximum=1.0), "not below the minimum"),
        (lambda: reestimate(InverseNormal(TWO), [0.1], math.nan), "a finite number"),
    ],
)
def test_bad_input_is_refused_in_words(action, message):
    with pytest.raises(InputError, match=message):
        action()


ZONE = PromisingZone(TWO)
SEEN = Estimate(1.0, 0.6)


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (lambda: reestimate(TWO, [SEEN]), "test is"),
        (lambda: reestimate(InverseNormal, [SEEN]), "test is"),
        (lambda: reestimate(InverseNormal(TWO), None), "stages is None"),
        (lambda: reestimate(InverseNormal(TWO), [SEEN], "1"), "effect is '1'"),
        (lambda: reestimate(InverseNormal(TWO), [SEEN], target=None), "target is None"),
        (lambda: reestimate(InverseNormal(TWO), [SEEN], minimum=None), "minimum is None"),
        (lambda: reestimate(InverseNormal(TWO), [SEEN], maximum=None), "maximum is None"),
        (lambda: reestimate(InverseNormal(TWO), [SEEN], maximum=math.nan), "maximum is nan"),
        (lambda: PromisingZone(InverseNormal(TWO)), "design is"),
        (lambda: PromisingZone(GroupSequential), "design is"),
        (lambda: PromisingZone(TWO, None), "maximum is None"),
        (lambda: PromisingZone(TWO, 2.0, "0.9"), "target is '0.9'"),
        (lambda: PromisingZone(TWO, smallest="0.3"), "smallest is '0.3'"),
        (lambda: ZONE.zone(math.nan), "z is nan"),
        (lambda: ZONE.zone("1"), "z is '1'"),
        (lambda: ZONE.zone(np.array([1.0])), "z is"),
        (lambda: ZONE.information(math.nan), "z is nan"),
        (lambda: ZONE.information([[1.0], [2.0, 3.0]]), "z is"),
        (lambda: ZONE.final_bound(math.nan), "z is nan"),
        (lambda: ZONE.conditional_power(math.nan), "z is nan"),
        (lambda: ZONE.conditional_power("1"), "z is '1'"),
        (lambda: ZONE.conditional_power(None), "z is None"),
        (lambda: ZONE.power(None), "drift is None"),
        (lambda: ZONE.power(1.0, adjusted=1), "adjusted is 1"),
        (lambda: ZONE.expected_information("1"), "drift is '1'"),
        (lambda: adjusted_final_bound(TWO, math.nan, 1.5), "z is nan"),
        (lambda: adjusted_final_bound(TWO, 1.0, math.nan), "information is nan"),
        (lambda: adjusted_final_bound(TWO, 1.0, math.inf), "information is inf"),
        (lambda: adjusted_final_bound(TWO, [1.0, 2.0], [1.5, 1.5, 1.5]), "information is .* fits that of z"),
        (lambda: adjusted_final_bound(None, 1.0, 1.5), "design is None"),
    ],
)
def test_wrong_types_are_refused_by_name(action, message):
    with pytest.raises(InputError, match=message):
        action()
