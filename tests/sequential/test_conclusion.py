"""Inference after stopping: limits, simulation, sign and scale, refusals."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import kstest, norm

from equipoise import Estimate, Scale
from equipoise.errors import InputError
from equipoise.sequential import Decision, GroupSequential, HwangShihDeCaniSpending, PocockSpending
from equipoise.sequential.estimators import mean_of_likelihood_estimate

TWO_SIDED = GroupSequential((0.4, 0.7, 1.0), 0.05, 2)
ONE_SIDED = GroupSequential((0.4, 0.7, 1.0), 0.025, 1, PocockSpending(), HwangShihDeCaniSpending(-2), 0.1)
BINDING = GroupSequential((0.4, 0.7, 1.0), 0.025, 1, PocockSpending(), HwangShihDeCaniSpending(-2), 0.1, True)


def mean_estimate(trial, drift):
    """Mean of the estimate at stopping."""
    return float(mean_of_likelihood_estimate(trial.space, np.array([drift]))[0])


def estimate(z, fraction=1.0, **more):
    """Normal estimate with this z and unit information at fraction 1, so that effect is in units of drift."""
    error = fraction**-0.5
    return Estimate(z * error, error, **more)


def simulated(design, drift, trials, seed):
    """Conclusions of trials drawn under a drift, each stopped where the rule stops it."""
    random = np.random.default_rng(seed)
    times = np.array(design.information)
    scores = np.cumsum(random.normal(drift * np.diff(times, prepend=0), np.sqrt(np.diff(times, prepend=0)),
                                     (trials, times.size)), axis=1)  # fmt: skip
    z = scores / np.sqrt(times)
    crossed = z >= design.efficacy_bounds
    if design.sided == 2:
        crossed |= z <= -design.efficacy_bounds
    elif design.futility_bounds is not None:
        crossed |= z <= design.futility_bounds
    crossed[:, -1] = True
    stops = crossed.argmax(axis=1)
    return [design.conclude(estimate(z[i, k], times[k]), look=int(k) + 1) for i, k in enumerate(stops)]


@pytest.mark.parametrize(("design", "drift"), [(TWO_SIDED, 2.5), (BINDING, 3.5)], ids=["two-sided", "binding"])
def test_median_coverage_and_bias_by_simulation(design, drift):
    conclusions = simulated(design, drift, 1000, 20)
    noise = 3.5 / math.sqrt(len(conclusions))
    assert all(conclusion.decision.stops for conclusion in conclusions)
    assert np.mean([drift in conclusion.interval for conclusion in conclusions]) == pytest.approx(
        0.95, abs=noise * math.sqrt(0.95 * 0.05)
    )
    medians = np.array([conclusion.median_unbiased for conclusion in conclusions])
    assert np.mean(medians > drift) == pytest.approx(0.5, abs=noise * 0.5)
    naive = np.array([conclusion.observed.effect for conclusion in conclusions])
    adjusted = np.array([conclusion.bias_adjusted for conclusion in conclusions])
    exact = mean_estimate(conclusions[0].trial, drift)
    # the exact bias of the naive estimate takes most of the noise out of the bias of the adjusted one
    left = exact - drift + (adjusted - naive).mean()
    assert abs(left) < 0.5 * abs(exact - drift)
    assert 3.5 * (adjusted - naive).std() / math.sqrt(naive.size) < 0.5 * abs(exact - drift)
    covered = [drift in conclusion.repeated_interval for conclusion in conclusions]
    assert np.mean(covered) >= 0.95 - noise * math.sqrt(0.95 * 0.05)


@pytest.mark.parametrize("drift", [0.0, 2.5, 4.0])
@pytest.mark.parametrize("design", [TWO_SIDED, BINDING], ids=["two-sided", "binding"])
def test_mean_estimate_by_simulation(design, drift):
    trial = design.conclude(estimate(2.6, 0.7), look=2).trial
    random, gains = np.random.default_rng(8), np.diff(trial.information, prepend=0)
    scores = np.cumsum(random.normal(drift * gains, np.sqrt(gains), (300_000, 3)), axis=1)
    z = scores / np.sqrt(trial.information)
    crossed = (z >= trial.upper) | (z <= trial.region.lower)
    crossed[:, -1] = True
    estimates = (scores / trial.information)[np.arange(len(z)), crossed.argmax(axis=1)]
    assert mean_estimate(trial, drift) == pytest.approx(estimates.mean(), abs=3.5 * estimates.std() / len(z) ** 0.5)


@pytest.mark.parametrize("design", [TWO_SIDED, BINDING], ids=["two-sided", "binding"])
def test_p_values_are_uniform_under_no_effect(design):
    p_values = [conclusion.p_value for conclusion in simulated(design, 0.0, 1000, 3)]
    assert kstest(p_values, "uniform").pvalue > 0.01


@pytest.mark.parametrize("design", [TWO_SIDED, ONE_SIDED, BINDING], ids=["two-sided", "non-binding", "binding"])
def test_p_value_and_interval_agree_with_the_decision(design):
    """At the bound of each look p equals the alpha spent by then (non-binding futility ignored), and the limit is 0."""
    for look, (bound, spent) in enumerate(zip(design.efficacy_bounds, design.alpha_spent, strict=True), start=1):
        fraction = design.information[look - 1]
        at_bound = design.conclude(estimate(bound, fraction), look=look)
        assert at_bound.decision is Decision.EFFICACY
        assert at_bound.p_value == pytest.approx(spent, abs=1e-13)
        plain = replace(design, futility=None, beta=None, binding=False)
        limit = (bound - plain.efficacy_bounds[look - 1]) * at_bound.observed.standard_error
        assert at_bound.repeated_interval.lower == pytest.approx(limit, abs=1e-13)
        assert limit == 0 or design is BINDING
        assert at_bound.interval.level == pytest.approx(0.95)
        if look == design.looks:
            assert at_bound.interval.lower == pytest.approx(0, abs=1e-11)
        else:
            assert at_bound.interval.lower > 0
        if design is not BINDING:
            assert at_bound.repeated_p_value == pytest.approx(design.alpha, rel=1e-9)


def test_interval_inverts_the_stage_wise_tail():
    conclusion = TWO_SIDED.conclude(estimate(2.6, 0.7), look=2)
    for effect, tail in (
        (conclusion.interval.lower, 0.025),
        (conclusion.median_unbiased, 0.5),
        (conclusion.interval.upper, 0.975),
    ):
        assert conclusion.trial.tail(2.6, effect) == pytest.approx(tail, abs=1e-12)
    assert mean_estimate(conclusion.trial, conclusion.bias_adjusted) == pytest.approx(2.6 / 0.7**0.5, abs=1e-12)


@pytest.mark.parametrize("freedom", [4.0, 30.0, math.inf])
def test_first_look_and_fixed_design_are_the_ordinary_test(freedom):
    observed = Estimate(5.0, 1.1, freedom, better="higher", null_value=0.5)
    early, fixed = TWO_SIDED.conclude(observed), GroupSequential((1.0,)).conclude(observed)
    for conclusion in (early, fixed):
        if conclusion.decision is Decision.CONTINUE:
            continue
        ordinary = observed.interval(0.95)
        assert conclusion.p_value == pytest.approx(observed.p_value, rel=1e-10)
        assert conclusion.median_unbiased == pytest.approx(5.0, abs=1e-11)
        assert conclusion.interval.lower == pytest.approx(ordinary.lower, abs=1e-9)
        assert conclusion.interval.upper == pytest.approx(ordinary.upper, abs=1e-9)
    assert fixed.bias_adjusted == pytest.approx(5.0, abs=1e-12)
    assert fixed.repeated_interval.lower == pytest.approx(ordinary.lower, abs=1e-9)
    assert fixed.repeated_p_value == pytest.approx(observed.p_value, rel=1e-8)


@pytest.mark.parametrize("freedom", [25.0, math.inf])
def test_sign_and_direction(freedom):
    """Turning the scale round turns every result round; so does harm for benefit in a two-sided design."""
    up = TWO_SIDED.conclude(Estimate(3.0, 1.0, freedom, better="higher"), look=2)
    down = TWO_SIDED.conclude(Estimate(-3.0, 1.0, freedom, better="lower"), look=2)
    harm = TWO_SIDED.conclude(Estimate(-3.0, 1.0, freedom, better="higher"), look=2)
    assert up.decision is down.decision is Decision.EFFICACY
    assert harm.decision is Decision.HARM
    assert up.z == -harm.z == down.z
    for other in (down, harm):
        assert other.p_value == pytest.approx(up.p_value, rel=1e-12)
        assert other.median_unbiased == pytest.approx(-up.median_unbiased, abs=1e-10)
        assert other.bias_adjusted == pytest.approx(-up.bias_adjusted, abs=1e-10)
        assert other.interval.lower == pytest.approx(-up.interval.upper, abs=1e-10)
        assert other.interval.upper == pytest.approx(-up.interval.lower, abs=1e-10)
        assert other.repeated_interval.lower == pytest.approx(-up.repeated_interval.upper, abs=1e-12)
        assert other.repeated_p_value == pytest.approx(up.repeated_p_value, rel=1e-9)
    assert down.expected_observed_given_stop(-1.0) == pytest.approx(-up.expected_observed_given_stop(1.0))


def test_decisions():
    assert TWO_SIDED.conclude(estimate(1.0)).decision is Decision.CONTINUE
    assert TWO_SIDED.conclude(estimate(1.0), look=3).decision is Decision.NOT_REJECTED
    assert TWO_SIDED.conclude(estimate(-2.5), look=3).decision is Decision.HARM
    assert ONE_SIDED.conclude(estimate(-1.0)).decision is Decision.FUTILITY
    assert ONE_SIDED.conclude(estimate(-4.0), look=3).decision is Decision.NOT_REJECTED
    overruled = ONE_SIDED.conclude([estimate(-1.0), estimate(1.9), estimate(2.4)])
    assert overruled.decision is Decision.EFFICACY
    going_on = ONE_SIDED.conclude(estimate(1.5))
    assert going_on.p_value is going_on.median_unbiased is going_on.interval is going_on.bias_adjusted is None
    assert math.isfinite(going_on.repeated_interval.lower)
    assert going_on.repeated_p_value > 0.025
    assert Decision.EFFICACY.rejects
    assert not Decision.FUTILITY.rejects


def test_a_design_decides_on_z_alone():
    for design in (TWO_SIDED, ONE_SIDED):
        for look in (1, 2, 3):
            for z in (-4.0, 0.0, 1.9, 4.0):
                assert design.decide(z, look) is design.conclude(estimate(z), look=look).decision
    with pytest.raises(InputError, match="look"):
        TWO_SIDED.decide(1.0, 0)


def test_binding_futility_is_respected_and_non_binding_ignored():
    efficacy_only = GroupSequential((0.4, 0.7, 1.0), 0.025, 1, PocockSpending())
    last = estimate(2.5)
    ignored, alone = ONE_SIDED.conclude(last, look=3), efficacy_only.conclude(last, look=3)
    assert ignored.p_value == pytest.approx(alone.p_value, abs=1e-15)
    assert ignored.interval.lower == pytest.approx(alone.interval.lower, abs=1e-12)
    assert ignored.bias_adjusted == pytest.approx(alone.bias_adjusted, abs=1e-12)
    assert BINDING.conclude(last, look=3).p_value < ignored.p_value - 1e-5


def test_observed_information_changes_bounds_and_not_what_it_need_not():
    planned = TWO_SIDED.conclude(estimate(2.3), look=3)
    moved = TWO_SIDED.conclude(estimate(2.3), look=3, information=(0.44, 0.76, 1.1))
    scaled = TWO_SIDED.conclude(estimate(2.3), look=3, information=(0.4, 0.7, 1.0))
    assert moved.efficacy_bound != planned.efficacy_bound
    assert scaled.p_value == planned.p_value
    assert moved.information == (0.44, 0.76, 1.1)
    early = TWO_SIDED.conclude(estimate(2.8), look=2, information=(0.4, 1.05))
    assert early.final
    assert early.decision is Decision.EFFICACY
    late = TWO_SIDED.conclude(estimate(3.0), look=2, information=(0.5, 0.8))
    assert late.trial.information[-1] == 1.0


def test_expected_observed_given_stop():
    conclusion = TWO_SIDED.conclude(estimate(2.6, 0.7), look=2)
    truth, times = 1.5, np.array(TWO_SIDED.information)
    random = np.random.default_rng(5)
    gains = np.diff(times, prepend=0)
    z = np.cumsum(random.normal(truth * gains, np.sqrt(gains), (400_000, 3)), axis=1) / np.sqrt(times)
    here = (abs(z[:, 0]) < TWO_SIDED.efficacy_bounds[0]) & (z[:, 1] >= TWO_SIDED.efficacy_bounds[1])
    drawn = z[here, 1] / 0.7**0.5
    expected = conclusion.expected_observed_given_stop(truth)
    assert drawn.mean() == pytest.approx(expected, abs=4 * drawn.std() / math.sqrt(drawn.size))
    assert conclusion.exaggeration(truth) == pytest.approx(expected / truth)
    many = conclusion.expected_observed_given_stop(np.array([[-40.0, -1.0], [0.0, 12.0]]))
    assert many.shape == (2, 2)
    assert np.all(np.diff(many.ravel()) > 0)
    bound = TWO_SIDED.efficacy_bounds[1] / 0.7**0.5
    assert bound < many[0, 0] < bound + 0.05
    for design in (TWO_SIDED, ONE_SIDED):
        far = design.conclude(estimate(2.6), look=3).expected_observed_given_stop([-1e5, -1e2, 1e2, 1e5])
        assert np.all(np.isfinite(far))
        assert design.efficacy_bounds[2] <= far[0] < design.efficacy_bounds[2] + 1e-4
        assert np.all(np.diff(far) > 0)
    first = TWO_SIDED.conclude(estimate(4.0, 0.4))
    critical, root = TWO_SIDED.efficacy_bounds[0], 0.4**0.5
    mean = truth + norm.pdf(critical - truth * root) / norm.sf(critical - truth * root) / root
    assert first.expected_observed_given_stop(truth) == pytest.approx(mean, rel=1e-12)


def test_prints_and_exports():
    observed = Estimate(-0.45, 0.15, scale=Scale.LOG_HAZARD_RATIO, better="lower", label="death")
    conclusion = TWO_SIDED.conclude(observed, look=2)
    text = str(conclusion)
    for words in ("death", "hazard ratio", "stop for efficacy", "median-unbiased, 95 %", "0.6376", "bias-adjusted"):
        assert words in text
    exported = json.loads(json.dumps(conclusion.to_dict(), allow_nan=False))
    assert exported["decision"] == "stop for efficacy"
    assert exported["degrees_of_freedom"] is None
    assert exported["interval"]["lower"] == conclusion.interval.lower
    going_on = TWO_SIDED.conclude(observed)
    assert "continue" in str(going_on)
    assert json.loads(json.dumps(going_on.to_dict(), allow_nan=False))["interval"] is None


@pytest.mark.parametrize(("z", "look"), [(25.0, 1), (25.0, 3), (-25.0, 3), (1e-9, 3), (8.0, 2)])
@pytest.mark.parametrize("design", [TWO_SIDED, ONE_SIDED, BINDING], ids=["two-sided", "non-binding", "binding"])
@pytest.mark.parametrize("freedom", [7.0, math.inf])
def test_extremes_stay_finite(design, z, look, freedom):
    conclusion = design.conclude(Estimate(z, 1.0, freedom), look=look)
    assert 0 <= conclusion.p_value <= 1
    values = [
        conclusion.median_unbiased,
        conclusion.bias_adjusted,
        conclusion.interval.lower,
        conclusion.interval.upper,
    ]
    assert np.all(np.isfinite(values))
    assert conclusion.interval.lower <= conclusion.median_unbiased <= conclusion.interval.upper


def test_refusals():
    crossed, fine = estimate(4.0), estimate(1.0)
    for bad, arguments, field in [
        ([crossed, fine], {}, "z at look 1"),
        ([fine] * 4, {}, "look"),
        ([], {}, "estimates"),
        (1.0, {}, "estimates"),
        (fine, {"look": 0}, "look"),
        (fine, {"look": 4}, "look"),
        ([fine, fine], {"look": 3}, "look"),
        ([fine, estimate(1.0, better="lower")], {}, "estimates.better"),
        ([fine, estimate(1.0, null_value=0.2)], {}, "estimates.null_value"),
        (fine, {"look": 1, "information": (0.4, 0.7)}, "information"),
        (fine, {"look": 2, "information": (0.7, 0.4)}, "information"),
    ]:
        with pytest.raises(InputError) as caught:
            TWO_SIDED.conclude(bad, **arguments)
        assert caught.value.field == field
    with pytest.raises(InputError, match="futility"):
        BINDING.conclude([estimate(-1.0), fine])
    with pytest.raises(InputError, match="null value"):
        TWO_SIDED.conclude(fine).exaggeration(0.0)
    with pytest.raises(InputError, match="true_effect"):
        TWO_SIDED.conclude(fine).expected_observed_given_stop(np.inf)


@pytest.mark.parametrize(
    ("degrees_of_freedom", "statistic"), [(3, -30), (10, -25), (5, -20), (26, -25), (math.inf, -40)]
)
def test_far_against_the_experimental_arm_the_limits_are_those_of_the_fixed_sample(degrees_of_freedom, statistic):
    """A one-sided trial that far below never came near its bounds, so the interval is the ordinary one."""
    design = GroupSequential(information=(0.5, 1.0), alpha=0.025, sided=1)
    conclusion = design.conclude(Estimate(float(statistic), 1.0, degrees_of_freedom), look=2)
    ordinary = conclusion.observed.interval(0.95)
    assert conclusion.median_unbiased == pytest.approx(statistic, rel=1e-6)
    assert conclusion.interval.lower == pytest.approx(ordinary.lower, rel=1e-6)
    assert conclusion.interval.upper == pytest.approx(ordinary.upper, rel=1e-6)
    assert conclusion.p_value <= 1


def test_a_result_beyond_all_doubt_still_has_its_repeated_p_value():
    design = GroupSequential(information=(0.75, 1.0), alpha=0.05, sided=2)
    assert 0 < design.conclude(Estimate(45.0, 1.0), look=1).repeated_p_value < 1e-200
    assert design.conclude(Estimate(90.0, 1.0), look=2).repeated_p_value <= 2e-300


def test_t_statistics_cover_in_tiny_trials():
    """Two arms of 4, then 8, an effect of 2.5 standard deviations: the t interval of a trial that may stop half way."""
    design, rng, truth = GroupSequential((0.5, 1.0), 0.05, 2), np.random.default_rng(41), 2.5
    covered, below = [], []
    for _ in range(1200):
        arms = rng.normal(size=(2, 8)) + np.array([[truth], [0.0]])
        given = []
        for patients in (4, 8):
            first, second = arms[:, :patients]
            spread = (first.var(ddof=1) + second.var(ddof=1)) / 2
            error = math.sqrt(2 * spread / patients)
            given.append(Estimate(first.mean() - second.mean(), error, 2 * patients - 2))
        stopped = design.conclude(given[0])
        if not stopped.decision.stops:
            stopped = design.conclude(given)
        covered.append(truth in stopped.interval)
        below.append(stopped.median_unbiased < truth)
    assert np.mean(covered) == pytest.approx(0.95, abs=0.02)
    assert np.mean(below) == pytest.approx(0.5, abs=0.06)


def test_effects_of_a_t_statistic_and_back():
    for better in ("higher", "lower"):
        seen = Estimate(-4.0, 1.5, 7.0, better=better, null_value=0.5)
        for mean in (-3.0, 0.0, 1.2):
            assert seen.mean_at_effect(seen.effect_at_mean(mean)) == pytest.approx(mean, abs=1e-12)
        assert seen.effect_at_mean(0.0) == pytest.approx(0.5, abs=1e-12)
        assert seen.effect_at_mean(seen.favourable_z) == pytest.approx(-4.0, abs=1e-12)
    normal = Estimate(1.0, 0.5)
    assert normal.effect_at_mean(1.5) == pytest.approx(0.75, abs=1e-15)
    far = GroupSequential((0.5, 1.0)).conclude(Estimate(12.0, 1.0, 5.0), look=2)
    assert far.interval.lower < far.median_unbiased < 12.0 < far.interval.upper
    table = far.estimates()
    assert table["median-unbiased, stage-wise"].effect == pytest.approx(far.median_unbiased, abs=1e-9)
    assert table["bias-adjusted"].effect == pytest.approx(far.bias_adjusted, abs=1e-9)
    assert table["maximum likelihood"].effect == pytest.approx(12.0, abs=1e-12)
    assert table["maximum likelihood"].interval.upper == pytest.approx(far.observed_interval.upper, abs=1e-12)


def test_following_with_a_look_added():
    design = GroupSequential((0.5, 1.0), 0.05, 2)
    looks = [Estimate(1.0, 1.0), Estimate(1.5, 0.8), Estimate(2.5, 0.7)]
    followed = design.follow(looks, information=(0.4, 0.7, 1.0))
    assert [str(found.decision) for found in followed] == ["continue", "continue", "stop for efficacy"]
    open_ended = design.conclude([Estimate(1.0, 1.0), Estimate(3.0, 0.8)], information=(0.4, 0.7), final=False)
    three = GroupSequential((0.4, 0.7, 1.0), 0.05, 2).conclude([Estimate(1.0, 1.0), Estimate(3.0, 0.8)])
    assert open_ended.bias_adjusted == pytest.approx(three.bias_adjusted, abs=1e-9)


def test_a_futility_stop_that_was_not_binding_ends_the_trial_there():
    design = GroupSequential((0.5, 0.75, 1.0), 0.025, 1, futility=HwangShihDeCaniSpending(-2), beta=0.2)
    conclusion = design.conclude(Estimate(0.2, 1.0), look=1)
    assert conclusion.bias_adjusted == pytest.approx(0.2, abs=1e-12)
    assert conclusion.estimates()["bias-adjusted"].effect == pytest.approx(0.2, abs=1e-12)


def test_every_estimate_counts_the_looks_that_were_analysed():
    """A look that failed spends nothing and is none; the look's own number stays that of the plan."""
    conclusion = TWO_SIDED.conclude(estimate(3.4, 0.7), look=1, information=(0.7,))
    numbered = replace(conclusion, look=2)
    ours = [row.effect for row in numbered.estimates()]
    np.testing.assert_array_equal(ours, [row.effect for row in conclusion.estimates()])
