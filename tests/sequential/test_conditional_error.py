"""Unplanned changes: the level they keep, the inference they allow, and the tests they must agree with."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy.special import ndtr

from equipoise import Estimate, Scale
from equipoise.errors import InputError
from equipoise.sequential import (
    FixedBounds,
    GroupSequential,
    HwangShihDeCaniSpending,
    NoEarlyStopping,
    OBrienFlemingSpending,
    Pocock,
    PocockSpending,
)
from equipoise.sequential.backward_image import backward_image
from equipoise.sequential.combination import InverseNormal
from equipoise.sequential.conditional_error import adapt
from equipoise.sequential.conditional_power import conditional_error
from equipoise.sequential.decision import Decision
from equipoise.sequential.inference import StoppedTrial
from equipoise.sequential.stages import stage_estimates

TOTAL = 20.0
PLAIN = GroupSequential((0.3, 0.6, 1.0), 0.025, 1, PocockSpending())
BINDING = GroupSequential((0.3, 0.6, 1.0), 0.025, 1, PocockSpending(), HwangShihDeCaniSpending(-2), 0.1, True)
LOOSE = GroupSequential((0.3, 0.6, 1.0), 0.025, 1, PocockSpending(), HwangShihDeCaniSpending(-2), 0.1)


def cumulative(z, design, better: Any = "higher"):
    sign = 1 if better == "higher" else -1
    return [
        Estimate(sign * value / math.sqrt(time * TOTAL), 1 / math.sqrt(time * TOTAL), better=better)
        for value, time in zip(z, design.information, strict=False)
    ]


def since(estimates, look):
    """Cumulative estimates of the data after a look alone."""
    before, result = estimates[look - 1], []
    for estimate in estimates[look:]:
        gained = estimate.information - before.information
        effect = (estimate.information * estimate.effect - before.information * before.effect) / gained
        result.append(Estimate(effect, gained**-0.5, better=estimate.better))
    return result


def unchanged(design, interim, look):
    """The rest as it was planned."""
    time = design.information[look - 1]
    ahead = design.region(design.binding).after(time, interim.favourable_z * math.sqrt(time))
    futility = FixedBounds(tuple(ahead.lower[:-1])) if design.binding and ahead.looks > 1 else None
    return adapt(
        design,
        interim,
        look,
        information=tuple(ahead.information / ahead.information[-1]),
        efficacy=FixedBounds(tuple(ahead.upper)),
        futility=futility,
        binding=futility is not None,
    )


@pytest.mark.parametrize("design", [PLAIN, LOOSE, BINDING], ids=["plain", "non-binding", "binding"])
@pytest.mark.parametrize(("z", "look"), [((1.2, 2.6), 1), ((1.2, 1.9, 2.6), 1), ((1.2, 1.9, 1.1), 2), ((0.8, -1.5), 1)])
@pytest.mark.parametrize("better", ["higher", "lower"])
def test_without_a_change_nothing_changes(design, z, look, better):
    estimates = cumulative(z, design, better)
    adaptation = unchanged(design, estimates[look - 1], look)
    theirs, ours = design.conclude(estimates), adaptation.conclude(since(estimates, look))
    if design is LOOSE and theirs.decision is Decision.FUTILITY:
        return  # the rest was planned anew without its non-binding futility
    assert ours.decision is theirs.decision
    if theirs.p_value is None:
        assert ours.p_value is ours.interval is ours.median_unbiased is None
        return
    assert ours.p_value == pytest.approx(theirs.p_value, abs=1e-12)
    assert ours.median_unbiased == pytest.approx(theirs.median_unbiased, abs=1e-11)
    assert ours.interval is not None
    assert (ours.interval.lower, ours.interval.upper) == pytest.approx(
        (theirs.interval.lower, theirs.interval.upper), abs=1e-11
    )


@pytest.mark.parametrize("error", [0.12, 0.3, 0.9])
def test_with_one_look_before_and_after_it_is_the_inverse_normal_test(error):
    """Two routes to the same test, interval and median, programmed apart (Müller & Schäfer 2001, section 5)."""
    design = GroupSequential((0.4, 1.0), 0.025, 1, Pocock())
    interim, new = Estimate(0.5, 0.35), Estimate(0.6, error)
    adapted = adapt(design, interim, 1).conclude(new)
    combined = InverseNormal(design).conclude([interim, new])
    assert adapted.decision.rejects == combined.decision.rejects
    assert adapted.p_value == pytest.approx(combined.p_value, abs=1e-13)
    assert adapted.median_unbiased == pytest.approx(combined.median_unbiased, abs=1e-11)
    for one, other in (
        (adapted.interval, combined.interval),
        (adapted.repeated_interval, combined.repeated_interval),
    ):
        assert one is not None
        assert other is not None
        assert (one.lower, one.upper) == pytest.approx((other.lower, other.upper), abs=1e-10)


@pytest.mark.parametrize("design", [PLAIN, BINDING], ids=["plain", "binding"])
def test_the_conditional_error_integrates_to_alpha(design):
    low, high = design.region(design.binding).lower[0], design.efficacy_bounds[0]
    low = max(low, -8.5)
    nodes, weights = np.polynomial.legendre.leggauss(80)
    z = (low + high) / 2 + (high - low) / 2 * nodes
    ahead = [conditional_error(design.region(design.binding), value, 0.3) for value in z]
    density = np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi) * weights * (high - low) / 2
    assert float(ndtr(-high)) + density @ np.array(ahead) == pytest.approx(0.025, abs=1e-12)


def changed(z):
    """A new rest whose looks, family and size depend on what was seen."""
    if z < 0.3:
        return {"information": (1.0,), "efficacy": NoEarlyStopping()}, 4.0
    if z < 1.3:
        return {"information": (0.4, 0.7, 1.0), "efficacy": Pocock()}, 40.0
    return {"information": (0.5, 1.0), "efficacy": OBrienFlemingSpending()}, 12.0


@pytest.mark.parametrize("effect", [0.0, 0.45])
def test_final_p_value_at_the_true_effect_is_uniform_after_data_dependent_changes(effect):
    """Hence exact coverage of the interval and the median (Gao, Liu & Mehta 2013)."""
    design, trials, rng = PLAIN, 700, np.random.default_rng(31)
    tails, rejected, below = np.empty(trials), np.zeros(trials, dtype=bool), np.zeros(trials, dtype=bool)
    for trial in range(trials):
        interim_error = 1 / math.sqrt(0.3 * TOTAL)
        interim = Estimate(effect + interim_error * rng.standard_normal(), interim_error)
        if interim.z >= design.efficacy_bounds[0]:
            tails[trial] = float(ndtr(-interim.z_against(effect)))
            rejected[trial] = True
            below[trial] = interim.z_against(effect) >= design.efficacy_bounds[0]
            continue
        rest, size = changed(interim.z)
        adaptation = adapt(design, interim, 1, **rest)
        score, before, given = 0.0, 0.0, []
        for look, time in enumerate(adaptation.rest.information, start=1):
            gained = (time - before) * size
            score += rng.standard_normal() * math.sqrt(gained) + effect * gained
            before = time
            given.append(Estimate(score / (time * size), 1 / math.sqrt(time * size)))
            decision = adaptation.decide(given[-1].z, look)
            if decision.stops:
                break
        tails[trial] = adaptation.p_value(given, effect)
        rejected[trial] = decision is Decision.EFFICACY
        if trial < 120:
            conclusion = adaptation.conclude(given)
            below[trial] = conclusion.repeated_interval.lower > effect
            # the p-value of no effect and the decision say the same
            assert conclusion.p_value is not None
            assert (conclusion.p_value <= 0.025) == rejected[trial]
    distance = np.abs(np.sort(tails) - (np.arange(trials) + 0.5) / trials)
    assert distance.max() < 1.63 / math.sqrt(trials)
    assert below[:120].mean() <= 0.025 + 3 * math.sqrt(0.025 / 120)
    if effect == 0:
        assert rejected.mean() == pytest.approx(0.025, abs=4 * math.sqrt(0.025 / trials))


def test_level_of_the_whole_by_simulation_when_the_new_rest_follows_the_data():
    """100,000 trials under no effect, the rests of three kinds by exact conditional error."""
    design, rng = PLAIN, np.random.default_rng(32)
    z = rng.standard_normal(100_000)
    grid = np.linspace(-5, design.efficacy_bounds[0], 400)
    errors = np.array([conditional_error(design.region(), value, 0.3) for value in grid])
    level = np.where(z < design.efficacy_bounds[0], np.interp(z, grid, errors), 1.0)
    # the new rest, whatever it is, rejects with that probability
    for value in (0.0, 1.0, 2.0):
        rest, _ = changed(value)
        adaptation = adapt(design, Estimate(value / math.sqrt(6), 1 / math.sqrt(6)), 1, **rest)
        spent = adaptation.rest.region(False).exit_probabilities(np.zeros(1)).upper.sum()
        assert spent == pytest.approx(adaptation.conditional_error, abs=1e-13)
    assert level.mean() == pytest.approx(0.025, abs=4 * float(np.std(level)) / math.sqrt(z.size))


@pytest.mark.parametrize("region", [PLAIN.region(False), BINDING.region()], ids=["open", "futility"])
@pytest.mark.parametrize("drift", [-1.0, 0.0, 3.0])
def test_backward_image_has_the_probability_asked_for(region, drift):
    time, z = 0.3, 1.0
    ahead = region.after(time, z * math.sqrt(time))
    order = []
    for probability in (1e-12, 0.01, 0.2, 0.5, 0.8, 0.97):
        look, image = backward_image(region, z, 1, probability, drift)
        score = image * math.sqrt(region.information[look - 1]) - z * math.sqrt(time)
        new = score / math.sqrt(ahead.information[look - 2])
        assert StoppedTrial(ahead, look - 1).tail(new, drift) == pytest.approx(probability, abs=1e-12)
        lower, upper = region.lower[look - 1], region.upper[look - 1]
        assert look == region.looks or image >= upper or image <= lower
        order.append(StoppedTrial(region, look).tail(image, drift))
    assert np.all(np.diff(order) > 0)


def test_the_interim_t_statistic_enters_by_its_p_value():
    interim = Estimate(1.0, 0.5, 8)
    adaptation = adapt(PLAIN, interim, 1)
    normal = adapt(PLAIN, Estimate(interim.z * 0.5, 0.5), 1)
    assert adaptation.conditional_error == pytest.approx(normal.conditional_error, abs=1e-15)
    assert adaptation.rest.alpha == adaptation.conditional_error


def test_observed_information_of_the_new_looks():
    interim = cumulative((1.0,), PLAIN)[0]
    adaptation = adapt(PLAIN, interim, 1, information=(0.5, 1.0))
    given = [Estimate(0.2, 0.5), Estimate(0.7, 0.25)]
    planned, observed = adaptation.conclude(given), adaptation.conclude(given, information=(0.4, 1.0))
    assert observed.efficacy_bound < planned.efficacy_bound
    assert adaptation.rest.bounds_at((0.4, 1.0)).efficacy[-1] == observed.efficacy_bound


def test_it_prints_and_speaks_json():
    interim = Estimate(-0.4, 0.3, scale=Scale.LOG_HAZARD_RATIO, better="lower")
    adaptation = adapt(PLAIN, interim, 1, information=(0.5, 1.0), beta=0.1)
    assert "conditional error" in str(adaptation)
    # what the new data need, by the new rest's drift
    assert adaptation.rest.power(adaptation.rest.drift) == pytest.approx(0.9, abs=1e-10)
    going = adaptation.conclude(Estimate(-0.1, 0.3, scale=Scale.LOG_HAZARD_RATIO, better="lower"))
    assert going.decision is Decision.CONTINUE
    assert going.to_dict()["p_value"] is None
    assert "hazard ratio" in str(going)
    done = adaptation.conclude([Estimate(e, 0.2, scale=Scale.LOG_HAZARD_RATIO, better="lower") for e in (-0.1, -0.6)])
    assert done.interval is not None
    assert done.median_unbiased is not None
    assert done.median_unbiased in done.interval
    assert done.interval.upper < 0


def test_stages_since_the_change_add_up():
    estimates = cumulative((1.2, 1.9, 2.6), PLAIN)
    assert since(estimates, 1)[0] == stage_estimates(estimates)[1]


ONE = cumulative((1.0,), PLAIN)[0]


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (lambda: adapt(GroupSequential((0.5, 1.0), 0.05, 2), ONE, 1), "one hypothesis in one direction"),
        (lambda: adapt(PLAIN, ONE, 3), "a look from 1 to 2"),
        (lambda: adapt(PLAIN, Estimate(9.0, 1.0), 1), "does not stop for efficacy"),
        (lambda: adapt(BINDING, Estimate(-9.0, 1.0), 1), "does not stop for futility"),
        (lambda: adapt(PLAIN, Estimate(-99.0, 1.0), 1), "leaves some conditional error"),
        (lambda: adapt(PLAIN, ONE, 1).conclude([]), "for each look since the change"),
        (lambda: adapt(PLAIN, ONE, 1).conclude([ONE, ONE]), "at most 1 estimates"),
        (lambda: adapt(PLAIN, ONE, 1).conclude(Estimate(1, 1, better="lower")), "that of the interim"),
        (lambda: adapt(PLAIN, ONE, 1).conclude(ONE, information=(0.5, 1.0)), "1 information fractions"),
        (
            lambda: adapt(PLAIN, ONE, 1, information=(0.5, 1.0)).conclude([Estimate(9, 1), Estimate(9, 1)]),
            "does not stop for efficacy",
        ),
    ],
)
def test_bad_input_is_refused_in_words(action, message):
    with pytest.raises(InputError, match=message):
        action()


@pytest.mark.parametrize("new", [-0.5, 0.1, 1.4])
def test_a_conditional_error_above_one_half(new):
    """A promising interim look: finishing as planned by way of the conditional error changes nothing."""
    design = GroupSequential((0.5, 1.0), 0.025, 1)
    interim, later = Estimate(2.9, 1.0), Estimate(new, 1.0)
    adaptation = adapt(design, interim, 1)
    assert adaptation.rest.alpha > 0.5
    ours = adaptation.conclude([later])
    theirs = design.conclude([interim, Estimate((2.9 + new) / 2, 0.5**0.5)])
    assert ours.decision is theirs.decision
    assert ours.p_value == pytest.approx(theirs.p_value, abs=1e-12)
    assert ours.median_unbiased == pytest.approx(theirs.median_unbiased, abs=1e-9)
    assert ours.interval.lower == pytest.approx(theirs.interval.lower, abs=1e-9)
    assert ours.interval.upper == pytest.approx(theirs.interval.upper, abs=1e-9)
    assert ours.repeated_interval.lower == pytest.approx(theirs.repeated_interval.lower, abs=1e-9)


@pytest.mark.parametrize("new", [-30.0, -12.0, 25.0])
def test_new_data_at_odds_with_the_old(new):
    """However far apart, a rest as planned gives what the trial as planned gives."""
    design = GroupSequential((0.5, 1.0), 0.025, 1)
    interim = Estimate(1.0, 1.0)
    ours = adapt(design, interim, 1).conclude([Estimate(new, 1.0)])
    theirs = design.conclude([interim, Estimate((1.0 + new) / 2, 0.5**0.5)])
    assert ours.median_unbiased == pytest.approx(theirs.median_unbiased, abs=1e-7)
    assert ours.interval.lower == pytest.approx(theirs.interval.lower, abs=1e-7)
    assert ours.interval.upper == pytest.approx(theirs.interval.upper, abs=1e-7)
