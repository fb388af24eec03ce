"""Inverse normal combination: reference values, the group-sequential test in it, level and coverage under change."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr, ndtri

from adaptive_reference import (
    cases_of,
    inverse_normal,
    rpact_conditional_means,
    rpact_final_stages,
    stages_of,
)
from equipoise import Estimate, Scale
from equipoise.errors import InputError
from equipoise.sequential import (
    FixedBounds,
    GroupSequential,
    HaybittlePeto,
    HwangShihDeCaniSpending,
    NoEarlyStopping,
    OBrienFleming,
    OBrienFlemingSpending,
    Pocock,
    PocockSpending,
)
from equipoise.sequential.combination import InverseNormal
from equipoise.sequential.decision import Decision, decide
from equipoise.sequential.nested import at_level, nested
from equipoise.sequential.stages import StageTest, stage_estimates

CASES = cases_of("two_arm_combination_test", "inverse_normal")
ENDED = [case for case in CASES if "final_p_value" in case["expected"]]
POWER = [case for case in CASES if "conditional_power" in case["expected"]]
ERRORS = cases_of("inverse_normal_conditional_error")
DECISIONS = {
    "continue": Decision.CONTINUE,
    "reject": Decision.EFFICACY,
    "reject and stop": Decision.EFFICACY,
    "accept": Decision.NOT_REJECTED,
}
TWO = GroupSequential((0.5, 1.0), 0.025, 1)
DESIGNS = {
    "spending": GroupSequential((0.3, 0.7, 1.0), 0.025, 1, PocockSpending()),
    "two-sided": GroupSequential((0.4, 0.7, 1.0), 0.05, 2, OBrienFleming()),
    "binding futility": GroupSequential(
        (0.4, 0.7, 1.0), 0.025, 1, OBrienFlemingSpending(), HwangShihDeCaniSpending(-2), 0.1, True
    ),
    "non-binding futility": GroupSequential(
        (0.4, 0.7, 1.0), 0.025, 1, OBrienFlemingSpending(), HwangShihDeCaniSpending(-2), 0.1
    ),
}


def ids(cases):
    return [case["id"] for case in cases]


@pytest.mark.parametrize("case", CASES, ids=ids(CASES))
def test_stage_by_stage_as_rpact(case):
    expected, test, stages = case["expected"], inverse_normal(case["inputs"]["design"]), stages_of(case["inputs"])
    natural = math.exp if case["inputs"]["endpoint"] == "hazard_ratio" else float
    np.testing.assert_allclose(
        ndtr(-test.scores(stages)), expected["stage_p_values"][: len(stages)], rtol=0, atol=1e-14
    )
    np.testing.assert_allclose(
        test.statistics(stages), expected["combined_test_statistics_z"][: len(stages)], rtol=0, atol=1e-13
    )
    for look in range(1, len(stages) + 1):
        seen = stages[:look]
        assert test.decide(seen) is DECISIONS[expected["actions"][look - 1]]
        interval = test.repeated_interval(seen)
        assert natural(interval.lower) == pytest.approx(expected["repeated_ci_lower"][look - 1], abs=1e-8)
        assert natural(interval.upper) == pytest.approx(expected["repeated_ci_upper"][look - 1], abs=1e-8)
        assert interval.level == pytest.approx(0.95)
        assert test.repeated_p_value(seen) == pytest.approx(expected["repeated_p_values"][look - 1], abs=1e-9)
        if look < test.looks:
            ours = test.conditional_rejection_probability(seen)
            # rpact spends alpha - 1e-8
            assert ours == pytest.approx(expected["conditional_rejection_probabilities"][look - 1], abs=1e-8)


@pytest.mark.parametrize("case", ENDED, ids=ids(ENDED))
def test_after_stopping_as_rpact(case):
    """The p-value as it is; estimates under rpact's convention, which replaces the stages' own standard errors.

    rpact finds limits for the drift and multiplies them by the standard deviation of all stages pooled (means), or by
    that of the pooled rate (rates), so that neither the t distribution nor the score test of the stages enters.
    """
    inputs, expected = case["inputs"], case["expected"]
    test, stages = inverse_normal(inputs["design"]), stages_of(inputs)[: expected["final_stage"]]
    natural = math.exp if inputs["endpoint"] == "hazard_ratio" else float
    assert test.conclude(stages).p_value == pytest.approx(expected["final_p_value"], abs=1e-9)
    conclusion = test.conclude(rpact_final_stages(test, inputs, expected["final_stage"]))
    assert conclusion.median_unbiased is not None
    assert conclusion.interval is not None
    assert natural(conclusion.median_unbiased) == pytest.approx(expected["median_unbiased_estimate"], abs=1e-8)
    assert natural(conclusion.interval.lower) == pytest.approx(expected["final_ci_lower"], abs=1e-8)
    assert natural(conclusion.interval.upper) == pytest.approx(expected["final_ci_upper"], abs=2e-8)


@pytest.mark.parametrize("case", POWER, ids=ids(POWER))
def test_conditional_power_as_rpact(case):
    test, stages = inverse_normal(case["inputs"]["design"]), stages_of(case["inputs"])
    means = rpact_conditional_means(test, case["inputs"], stages)
    np.testing.assert_allclose(
        test.conditional_power(stages, means), case["expected"]["conditional_power"][1:], rtol=0, atol=1e-8
    )


@pytest.mark.parametrize("case", ERRORS, ids=ids(ERRORS))
def test_conditional_error_as_independent_integration(case):
    inputs, expected = case["inputs"], case["expected"]
    test = inverse_normal(inputs["design"], with_their_bounds=True)
    stages = inputs["stage_p_values"]
    assert test.statistics(stages)[-1] == pytest.approx(expected["combined_z"], abs=1e-13)
    ours = test.conditional_rejection_probability(stages)
    assert ours == pytest.approx(expected["conditional_rejection_probability"], abs=1e-12)


@pytest.mark.parametrize("name", DESIGNS)
@pytest.mark.parametrize("z", [(1.2, 2.9), (3.9,), (1.2, 1.5, 2.4), (1.3, 1.5, 0.3), (1.3, 0.2)])
@pytest.mark.parametrize("better", ["higher", "lower"])
def test_without_changes_it_is_the_group_sequential_test(name, z, better):
    design = DESIGNS[name]
    test, total, sign = InverseNormal(design), 20.0, 1 if better == "higher" else -1
    cumulative = [
        Estimate(
            0.1 + sign * value / math.sqrt(time * total), 1 / math.sqrt(time * total), better=better, null_value=0.1
        )
        for value, time in zip(z, design.information, strict=False)
    ]
    theirs = design.conclude(cumulative)
    ours = test.conclude(stage_estimates(cumulative))
    assert ours.decision is theirs.decision
    assert ours.statistic == pytest.approx(theirs.z, abs=1e-13)
    assert ours.critical_value == theirs.efficacy_bound
    pairs = [(ours.repeated_interval, theirs.repeated_interval), (ours.interval, theirs.interval)]
    for mine, other in pairs:
        assert (mine is None) == (other is None)
        if mine is not None:
            assert (mine.lower, mine.upper, mine.level) == pytest.approx(
                (other.lower, other.upper, other.level), abs=1e-11
            )
    assert (ours.p_value is None) == (theirs.p_value is None)
    if ours.p_value is not None:
        assert ours.p_value == pytest.approx(theirs.p_value, abs=1e-12)
        assert ours.median_unbiased == pytest.approx(theirs.median_unbiased, abs=1e-11)


def simulated_two_stage(trials, effect, seed):
    """Stage z and standard errors when the second stage is the larger, the less promising the first looked."""
    rng = np.random.default_rng(seed)
    first = rng.standard_normal(trials) + effect * 3.0
    # information 9 in stage 1, from 1 to 90 in stage 2
    information = np.clip(9.0 * (2.5 - first) ** 2, 1.0, 90.0)
    second = rng.standard_normal(trials) + effect * np.sqrt(information)
    return first, second, information


def test_level_holds_when_the_second_stage_depends_on_the_first_and_that_of_the_pooled_z_does_not():
    first, second, information = simulated_two_stage(1_000_000, 0.0, seed=11)
    test = InverseNormal(TWO)
    one, two = test.thresholds
    combined = (first + second) / math.sqrt(2)
    assert np.mean((first >= one) | (combined >= two)) == pytest.approx(0.025, abs=4 * math.sqrt(0.025 / 1e6))
    assert test.evidence(np.array([first[0], second[0]])) == pytest.approx(combined[0], abs=1e-14)
    pooled = (3 * first + np.sqrt(information) * second) / np.sqrt(9 + information)
    assert np.mean((first >= one) | (pooled >= two)) > 0.026


def test_final_p_value_at_the_true_effect_is_uniform_when_the_second_stage_depends_on_the_first():
    effect, trials = 0.6, 2500
    first, second, information = simulated_two_stage(trials, effect, seed=12)
    test = InverseNormal(GroupSequential((0.5, 1.0), 0.025, 1, Pocock()))
    tails, kept = np.empty(trials), np.zeros(trials, dtype=bool)
    for trial in range(trials):
        z = np.array([first[trial], second[trial]])
        means = effect * np.array([3.0, math.sqrt(information[trial])])
        looks = 1 if z[0] >= test.thresholds[0] else 2
        against = (z - means)[:looks]
        tails[trial] = test.tail(against, means[:looks], test.evidence(against))
        kept[trial] = test.evidence(against) < test.thresholds[looks - 1]
    expected = (np.arange(trials) + 0.5) / trials
    assert np.abs(np.sort(tails) - expected).max() < 1.63 / math.sqrt(trials)
    # one-sided repeated bounds of level 1 - alpha
    assert kept.mean() >= 0.975 - 3 * math.sqrt(0.025 / trials)


def test_interval_and_median_solve_the_tail():
    test = InverseNormal(TWO)
    stages = [Estimate(0.5, 0.4), Estimate(0.9, 0.2)]
    conclusion = test.conclude(stages)
    assert conclusion.interval is not None
    assert conclusion.median_unbiased is not None
    ends = (conclusion.interval.lower, conclusion.median_unbiased, conclusion.interval.upper)
    for value, probability in zip(ends, (0.025, 0.5, 0.975), strict=True):
        scores = np.array([stage.z_against(value) for stage in stages])
        means = np.array([value / stage.standard_error for stage in stages])
        assert test.tail(scores, means, test.evidence(scores)) == pytest.approx(probability, abs=1e-12)
        # from first principles: P(Z_1 >= u) + P(Z_1 < u, Z_2 >= z)
        grid = np.linspace(-9, test.thresholds[0] - means[0], 200_001)
        density = np.exp(-0.5 * grid**2) / math.sqrt(2 * math.pi)
        later = np.trapezoid(density * ndtr(grid - math.sqrt(2) * test.evidence(scores)), grid)
        assert ndtr(-grid[-1]) + later == pytest.approx(probability, abs=1e-8)


def test_first_stage_stop_gives_the_t_interval():
    stage = Estimate(2.0, 0.4, 20)
    conclusion = InverseNormal(TWO).conclude([stage])
    assert conclusion.decision is Decision.EFFICACY
    assert conclusion.interval is not None
    fixed = stage.interval(0.95)
    assert (conclusion.interval.lower, conclusion.interval.upper) == pytest.approx(
        (fixed.lower, fixed.upper), abs=1e-11
    )
    assert conclusion.median_unbiased == pytest.approx(2.0, abs=1e-12)


def test_a_stage_test_is_an_estimate_if_it_tests_like_one():
    estimates = [Estimate(0.2, 0.12, scale=Scale.RISK_DIFFERENCE), Estimate(0.3, 0.1, scale=Scale.RISK_DIFFERENCE)]
    tests = [StageTest(estimate.z_against, Scale.RISK_DIFFERENCE) for estimate in estimates]
    one, other = InverseNormal(TWO).conclude(estimates), InverseNormal(TWO).conclude(tests)
    for name in ("p_value", "median_unbiased", "repeated_p_value", "statistic"):
        assert getattr(one, name) == pytest.approx(getattr(other, name), rel=1e-12)
    for name in ("interval", "repeated_interval"):
        mine, theirs = getattr(one, name), getattr(other, name)
        assert (mine.lower, mine.upper) == pytest.approx((theirs.lower, theirs.upper), rel=1e-11)


def test_limits_end_where_the_scale_ends():
    wide = StageTest(lambda value: (0.9 - value) / 5.0, Scale.RISK_DIFFERENCE)
    interval = InverseNormal(TWO).repeated_interval([wide])
    assert (interval.lower, interval.upper) == (-1.0, 1.0)


def test_p_values_alone_give_decisions_and_p_values_but_no_effects():
    conclusion = InverseNormal(TWO).conclude([0.03, 0.001])
    assert conclusion.decision is Decision.EFFICACY
    assert conclusion.p_value is not None
    assert conclusion.p_value < 0.025
    assert conclusion.interval is conclusion.repeated_interval is conclusion.median_unbiased is None
    assert "repeated p" in str(conclusion)
    assert InverseNormal(TWO).statistics([1.0, 0.001]).tolist() == [-math.inf, -math.inf]
    assert InverseNormal(TWO).conditional_rejection_probability([1.0]) == 0.0


@given(st.floats(0.1, 10), st.floats(0.1, 10))
@settings(max_examples=20)
def test_the_level_holds_with_any_weights(first, second):
    test = InverseNormal(TWO, (first, second))
    total = first**2 + second**2
    assert test.information == pytest.approx((first**2 / total, 1.0))
    spent = test.conditional_power([], np.zeros(2))
    assert spent[-1] == pytest.approx(0.025, abs=1e-12)
    assert test.evidence(np.array([1.0, -1.0])) == pytest.approx((first - second) / math.sqrt(total), abs=1e-12)


def test_planned_weights_are_the_default():
    design = DESIGNS["spending"]
    ours = InverseNormal(design, tuple(7 * np.sqrt(np.diff(design.information, prepend=0.0))))
    assert ours == InverseNormal(design)
    np.testing.assert_array_equal(ours.thresholds, design.efficacy_bounds)


@pytest.mark.parametrize("family", [HaybittlePeto(3.0), FixedBounds((2.8, 2.1)), NoEarlyStopping(), Pocock()], ids=str)
def test_repeated_p_value_falls_to_alpha_exactly_at_the_bound(family):
    design = GroupSequential((0.5, 1.0), 0.025, 1, family)
    test = InverseNormal(design)
    for look, bound in enumerate(test.thresholds, start=1):
        if math.isinf(bound):
            assert test.repeated_p_value([1e-9]) == 0.5
            continue
        # the last stage brings the statistic to the bound
        last = math.sqrt(look) * bound - (look - 1) * 1.0
        stages = [float(ndtr(-1.0))] * (look - 1)
        at = test.repeated_p_value([*stages, float(ndtr(-last))])
        assert at == pytest.approx(design.attained_level, abs=1e-9)
        assert test.repeated_p_value([*stages, float(ndtr(-last - 0.01))]) < at


def test_conditional_power_is_a_martingale_under_no_effect():
    test = InverseNormal(DESIGNS["spending"])
    nodes, weights = np.polynomial.legendre.leggauss(60)
    low, high = -8.5, float(test.thresholds[0])
    z = (low + high) / 2 + (high - low) / 2 * nodes
    density = np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi) * weights * (high - low) / 2
    ahead = np.array([test.conditional_rejection_probability([float(ndtr(-value))]) for value in z])
    assert ndtr(-high) + density @ ahead == pytest.approx(0.025, abs=1e-12)


def test_conditional_power_in_closed_form_with_one_stage_left():
    test = InverseNormal(TWO, (3.0, 4.0))
    needed = (5 * test.thresholds[1] - 3 * float(-ndtri(0.1))) / 4
    assert test.conditional_power([0.1], [2.3])[0] == pytest.approx(float(ndtr(2.3 - needed)), abs=1e-13)


def test_stage_estimates_undo_pooling():
    stages = [Estimate(0.3, 0.5), Estimate(-0.2, 0.4), Estimate(0.8, 0.7)]
    cumulative = []
    for look in range(1, 4):
        total = sum(stage.information for stage in stages[:look])
        mean = sum(stage.information * stage.effect for stage in stages[:look]) / total
        cumulative.append(Estimate(mean, total**-0.5))
    for one, other in zip(stage_estimates(cumulative), stages, strict=True):
        assert (one.effect, one.standard_error) == pytest.approx((other.effect, other.standard_error), abs=1e-12)
    with pytest.raises(InputError, match="standard errors that fall"):
        stage_estimates([Estimate(0.1, 0.2), Estimate(0.1, 0.3)])


def test_it_prints_and_speaks_json():
    test = InverseNormal(TWO)
    assert "0.7071" in str(test)
    assert "2.9626" in str(test)
    conclusion = test.conclude([Estimate(0.5, 0.4, scale=Scale.LOG_HAZARD_RATIO)])
    assert "hazard ratio" in str(conclusion)
    assert conclusion.to_dict()["decision"] == "continue"
    assert conclusion.to_dict()["interval"] is None
    assert conclusion.conditional_rejection_probability == pytest.approx(
        test.conditional_rejection_probability([Estimate(0.5, 0.4)]), abs=1e-15
    )


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (lambda: InverseNormal(TWO, (1.0,)), "2 positive numbers"),
        (lambda: InverseNormal(TWO, (1.0, -1.0)), "2 positive numbers"),
        (lambda: InverseNormal(TWO).decide([]), "at least one stage"),
        (lambda: InverseNormal(TWO).decide([0.5, 0.4, 0.3]), "at most 2 stages"),
        (lambda: InverseNormal(TWO).decide([0.0]), "above 0 and at most 1"),
        (lambda: InverseNormal(TWO).decide([math.nan]), "above 0 and at most 1"),
        (lambda: InverseNormal(TWO).conclude([1e-6, 0.4]), "a stage after which the trial continues"),
        (lambda: InverseNormal(TWO).repeated_interval([0.5]), "an Estimate or StageTest"),  # type: ignore[list-item]
        (lambda: InverseNormal(TWO).conditional_power([0.1], [1.0, 2.0]), "a finite mean for the stage to come"),
        (lambda: InverseNormal(TWO).conditional_power([0.1], [math.nan]), "means is"),
        (lambda: InverseNormal(TWO).conditional_rejection_probability([0.1, 0.2]), "fewer stages"),
        (
            lambda: InverseNormal(TWO).conclude([Estimate(1, 1), Estimate(1, 1, better="lower")]),
            "the same at every stage",
        ),
        (
            lambda: InverseNormal(
                GroupSequential((0.5, 1.0), 0.05, 2, OBrienFlemingSpending(), FixedBounds((0.3,)), 0.1, True)
            ),
            "without futility",
        ),
    ],
)
def test_bad_input_is_refused_in_words(action, message):
    with pytest.raises(InputError, match=message):
        action()


TEST = InverseNormal(TWO)
ONE_STAGE = Estimate(1.0, 0.6)


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (lambda: InverseNormal(None), "design is None"),
        (lambda: InverseNormal(GroupSequential), "design is"),
        (lambda: InverseNormal(TWO, (1e-300, 1.0)), "weights is .* none vanishes"),
        (lambda: InverseNormal(TWO, ("1", None)), "weights is"),
        (lambda: InverseNormal(TWO, [[1.0, 1.0]]), "weights is"),
        (lambda: InverseNormal(TWO, {1.0, 2.0}), "weights is"),
        (lambda: TEST.conclude(["0.1"]), "stages is '0.1'"),
        (lambda: TEST.conclude("0.1"), "stages is '0.1'"),
        (lambda: TEST.conclude({0.1, 0.2}), "stages is"),
        (lambda: TEST.conclude(None), "stages is None"),
        (lambda: TEST.conclude(Estimate), "stages is <class"),
        (lambda: TEST.conclude([[0.1, 0.2]]), "stages is"),
        (lambda: TEST.conclude(np.array(0.1)), "stages is"),
        (lambda: TEST.decide([True]), "stages is True"),
        (lambda: TEST.decide([np.array([0.1])]), "stages is"),
        (lambda: TEST.decide([0.0]), "stage p-value is 0.0"),
        (lambda: TEST.repeated_interval([ONE_STAGE] * 3), "stages is 3; expected at most 2"),
        (lambda: TEST.conditional_rejection_probability([0.1, 0.2]), "fewer stages"),
        (lambda: TEST.conditional_power([0.1], [[1.0]]), "means is"),
        (lambda: TEST.conditional_power([0.1], "1"), "means is"),
        (lambda: TEST.conditional_power([0.1], None), "means is"),
        (lambda: TEST.conditional_power([0.1, 0.2], [1.0]), "fewer stages"),
        (lambda: TEST.evidence("1"), "scores is"),
        (lambda: TEST.evidence(np.ones(3)), "scores is"),
        (lambda: TEST.evidence([]), "scores is"),
        (lambda: stage_estimates(np.array(1.0)), "cumulative is"),
        (lambda: stage_estimates({}), "cumulative is"),
        (lambda: TEST.shown(None), "evidence is None"),
        (lambda: TEST.tail(np.ones(2), np.ones(1), 1.0), "means is"),
        (lambda: TEST.tail(np.ones(2), np.ones(2), None), "evidence is None"),
        (lambda: TEST.thresholds_at("0.01"), "level is"),
        (lambda: TEST.thresholds_at(0.5), "level is 0.5"),
        (lambda: TEST.orders_effects("1"), "look is '1'"),
        (lambda: stage_estimates([1.0, 2.0]), "cumulative is 1.0"),
        (lambda: stage_estimates(1.0), "cumulative is 1.0"),
        (lambda: stage_estimates([ONE_STAGE, Estimate(1, 0.4, better="lower")]), "cumulative.better"),
        (lambda: StageTest(2.0), "z_against is 2.0"),
        (lambda: StageTest(float), "z_against is"),
        (lambda: StageTest(lambda value: 1.0, "mean"), "scale is 'mean'"),
        (lambda: StageTest(lambda value: 1.0, better=["higher"]), "better is"),
        (lambda: StageTest(lambda value: 1.0, null_value=None), "null_value is None"),
        (lambda: StageTest(lambda value: 1.0, Scale.RISK_DIFFERENCE, null_value=1.5), "null_value is 1.5"),
        (lambda: StageTest(lambda value: 1.0).possible("1"), "effect is '1'"),
        (lambda: TEST.decide([StageTest(lambda value: math.nan)]), "z_against"),
        (lambda: TEST.decide([StageTest(lambda value: "2")]), "z_against"),
        (lambda: nested(None), "design is None"),
        (lambda: at_level(TWO, "0.01"), "level is '0.01'"),
        (lambda: at_level(None, 0.01), "rule is None"),
        (lambda: decide(None, 1.0, 2.0, None, False), "design is None"),
        (lambda: decide(TWO, math.nan, 2.0, None, False), "z is nan"),
        (lambda: decide(TWO, "1", 2.0, None, False), "z is '1'"),
        (lambda: decide(TWO, 1.0, None, None, False), "efficacy is None"),
        (lambda: decide(TWO, 1.0, 2.0, "0", False), "futility is '0'"),
        (lambda: decide(TWO, 1.0, 2.0, None, 1), "last is 1; expected True or False"),
    ],
)
def test_wrong_types_are_refused_by_name(action, message):
    with pytest.raises(InputError, match=message):
        action()


def test_weights_count_by_their_ratios_however_large():
    assert InverseNormal(TWO, (1e300, 1e300)) == InverseNormal(TWO, (1.0, 1.0)) == InverseNormal(TWO, (1e-300, 1e-300))


def test_a_single_stage_needs_no_list():
    for stage in (ONE_STAGE, 0.1, StageTest(ONE_STAGE.z_against)):
        assert TEST.conclude(stage).to_dict() == TEST.conclude([stage]).to_dict()
        assert TEST.decide(stage) is TEST.decide([stage])
    assert stage_estimates(ONE_STAGE) == [ONE_STAGE]
    assert TEST.conditional_power(0.1, 1.0) == pytest.approx(TEST.conditional_power([0.1], [1.0]), rel=0, abs=0)
    assert "1 stage, " in str(InverseNormal(GroupSequential((1.0,), 0.025, 1)))
