"""Second estimates after a stop: limits of the correlation, mirror images, quadrature, exactness given the stop."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri
from stopping_regions import REGIONS, simulated, unit

from equipoise import Estimate, GroupSequential, InputError, Scale
from equipoise.sequential import FixedBounds, Given, OBrienFleming, Pocock, PocockSpending
from equipoise.sequential.conditional import conditional_quantile
from equipoise.sequential.inference import StoppedTrial
from equipoise.sequential.sample_space import SampleSpace
from equipoise.sequential.secondary import secondary_estimates
from equipoise.sequential.secondary_conditional import conditional_shifts
from equipoise.sequential.secondary_law import ConfidenceLaw

CONDITIONAL = "conditional median-unbiased, given look"
POCOCK = GroupSequential(information=(0.5, 0.75, 1.0), efficacy=Pocock())
OBRIEN = GroupSequential(information=(0.75, 1.0), efficacy=OBrienFleming())
FUTILE = GroupSequential(
    information=(0.3, 0.6, 1.0), sided=1, alpha=0.025, futility=FixedBounds((0.0, 0.3)), binding=True
)
WEDGE = GroupSequential(information=(0.4, 0.7, 1.0), beta=0.1, futility=PocockSpending(), binding=True)
CASES = [(POCOCK, 1, 2.6), (POCOCK, 2, 2.9), (POCOCK, 3, 1.4), (OBRIEN, 1, 2.5), (OBRIEN, 2, -0.4), (OBRIEN, 2, 2.2)]
CASES += [(FUTILE, 2, 2.9), (FUTILE, 2, 0.1), (FUTILE, 3, 1.7), (WEDGE, 2, 0.2), (WEDGE, 3, -2.4)]


def every(found):
    """All numbers of second estimates, shape (numbers, correlations)."""
    ranged = (found.naive, found.median_unbiased, found.given_look, found.given_exit)
    parts = [value for one in ranged for value in (one.estimate, one.lower, one.upper)]
    return np.array([np.ravel(value) for value in (*parts, found.bias_adjusted, found.unbiased)])


@pytest.mark.parametrize(("design", "look", "z"), CASES)
@pytest.mark.parametrize("better", ["higher", "lower"])
@pytest.mark.parametrize("freedom", [18.0, math.inf])
def test_the_first_estimate_itself_is_the_second_with_correlation_one(design, look, z, better, freedom):
    plain = Estimate(z * 0.7, 0.7, freedom)
    effect = plain.quantile(z) * 0.7
    first = Estimate(0.3 + (effect if better == "higher" else -effect), 0.7, freedom, null_value=0.3, better=better)
    conclusion = design.conclude(first, look=look)
    found, table = secondary_estimates(conclusion, first, 1.0), conclusion.estimates()
    assert found.level == conclusion.interval.level
    assert found.median_unbiased.estimate == pytest.approx(conclusion.median_unbiased, abs=1e-11)
    assert found.median_unbiased.lower == pytest.approx(conclusion.interval.lower, abs=1e-11)
    assert found.median_unbiased.upper == pytest.approx(conclusion.interval.upper, abs=1e-11)
    assert found.bias_adjusted == pytest.approx(conclusion.bias_adjusted, abs=1e-13)
    assert found.unbiased == pytest.approx(table["unbiased"].effect, abs=1e-13)
    given = table[CONDITIONAL]
    assert found.given_look.estimate == pytest.approx(given.effect, rel=1e-10)
    assert found.given_look.lower == pytest.approx(given.interval.lower, rel=1e-10)
    assert found.given_look.upper == pytest.approx(given.interval.upper, rel=1e-10)
    assert found.naive.lower == conclusion.observed_interval.lower


@pytest.mark.parametrize(("design", "look", "z"), CASES)
def test_without_correlation_the_estimate_stands_as_observed(design, look, z):
    second = Estimate(0.4, 0.25, 31.0, Scale.LOG_ODDS_RATIO, "lower", -0.1)
    found = secondary_estimates(design.conclude(Estimate(z, 1.0), look=look), second, 0.0, 0.9)
    ends = second.interval(0.9)
    for one in (found.naive, found.median_unbiased, found.given_look, found.given_exit):
        np.testing.assert_allclose([one.estimate, one.lower, one.upper], [0.4, ends.lower, ends.upper], atol=1e-12)
    assert found.bias_adjusted == found.unbiased == 0.4


@pytest.mark.parametrize(("design", "look", "z"), CASES)
def test_mirror_images(design, look, z):
    second = Estimate(1.1, 0.5, 25.0, better="higher", null_value=0.2)
    conclusion = design.conclude(Estimate(z, 1.0), look=look)
    rho = np.array([-1.0, -0.7, 0.2, 0.9])
    found = every(secondary_estimates(conclusion, second, rho))
    # the second counted the other way about, on a scale turned round
    turned = every(secondary_estimates(conclusion, replace(second, effect=-1.1, null_value=-0.2), -rho))
    order = [0, 2, 1, 3, 5, 4, 6, 8, 7, 9, 11, 10, 12, 13]
    np.testing.assert_allclose(turned, -found[order], rtol=1e-9)
    # or only called so: neither the null value nor the direction moves an estimate without a change in correlation
    called = every(secondary_estimates(conclusion, replace(second, better="lower"), rho))
    np.testing.assert_allclose(called, found, rtol=1e-8)
    first = Estimate(-z, 1.0, better="lower")
    np.testing.assert_allclose(every(secondary_estimates(design.conclude(first, look=look), second, -rho)), found)


@pytest.mark.parametrize("design", [POCOCK, WEDGE])
def test_two_sided_designs_have_no_side(design):
    second, rho = Estimate(1.1, 0.5), np.array([-0.8, 0.3, 1.0])
    above, below = (design.conclude(Estimate(side * 2.2, 1.0), look=3) for side in (1, -1))
    np.testing.assert_allclose(
        every(secondary_estimates(above, second, rho)), every(secondary_estimates(below, second, -rho)), rtol=1e-9
    )


def test_several_correlations_as_each_alone_and_no_jump_between_them():
    conclusion, second = POCOCK.conclude(Estimate(2.9, 1.0), look=2), Estimate(-0.7, 0.3, better="lower")
    rho = np.linspace(-1.0, 1.0, 6).reshape(2, 3)
    found = secondary_estimates(conclusion, second, rho)
    assert found.median_unbiased.lower.shape == found.naive.upper.shape == found.unbiased.shape == (2, 3)
    for place, one in enumerate(rho.ravel()):
        alone = every(secondary_estimates(conclusion, second, one))
        np.testing.assert_allclose(every(found)[:, place], alone[:, 0], rtol=1e-12)
    root = math.sqrt(0.5)
    near = every(secondary_estimates(conclusion, second, [root - 1e-9, root + 1e-9, 1.0 - 1e-9, 1.0]))
    np.testing.assert_allclose(near[:, 0], near[:, 1], atol=1e-8)
    np.testing.assert_allclose(near[:, 2], near[:, 3], atol=1e-7)


@pytest.mark.parametrize("name", ["two looks, futility", "five looks, two-sided", "unequal, both bounds", "wedge"])
def test_quantiles_of_the_sum_by_adaptive_quadrature(name):
    region = REGIONS[name]
    trial = StoppedTrial(region, region.looks - 1)
    root = math.sqrt(trial.information[trial.look - 1])
    z = float(region.upper[trial.look - 1]) + 0.4
    law, probabilities = ConfidenceLaw.of(trial, np.array([z])), np.array([0.025, 0.5, 0.975, 1.0 - 1e-8])
    for rho in (0.2, 0.69, 0.72, 0.95, -0.8):
        spread = math.sqrt(1.0 - rho**2)
        for probability, value in zip(
            probabilities, law.quantiles(np.array([rho]), probabilities)[:, 0, 0], strict=True
        ):
            ends = (-10.0, 10.0)
            # chance that rho (M - z) + spread N lies below the value, over N
            below = quad(
                lambda v, value=value, rho=rho, spread=spread: (
                    math.exp(-0.5 * v * v)
                    / math.sqrt(2 * math.pi)
                    * trial.tail(z, (z + (value - spread * v) / rho) / root)
                ),
                *ends,
                epsabs=1e-13,
                epsrel=1e-12,
                limit=200,
                points=[value / spread],
            )[0]
            below = below if rho > 0 else 1.0 - below
            assert below == pytest.approx(probability, abs=1e-11)


def test_conditional_shifts_by_adaptive_quadrature():
    space, bound = SampleSpace(POCOCK.region(False)), float(POCOCK.efficacy_bounds[0])
    root, low = math.sqrt(0.5 / 0.75), float(POCOCK.efficacy_bounds[1])
    rest = math.sqrt(1.0 - root**2)

    def reached(x):
        return ndtr((bound - root * x) / rest) - ndtr((-bound - root * x) / rest)

    for z, rho, probability in ((2.5, 0.5, 0.5), (3.0, 0.8, 0.025), (2.4, 0.3, 0.975), (3.5, -0.6, 0.1)):
        sign = math.copysign(1.0, rho)

        def excess(shift, z=z, rho=rho, probability=probability, sign=sign):
            def weight(step):
                return math.exp(-0.5 * (step - shift) ** 2) * reached(z + rho * step)

            end = (low - z) / rho
            inside = (end, 12.0) if sign > 0 else (-12.0, end)
            part = (0.0, inside[1])
            above, whole = (quad(weight, *ends, epsabs=1e-15, epsrel=1e-12)[0] for ends in (part, inside))
            return above / whole - probability

        exact = brentq(excess, -8, 8, xtol=1e-12)
        given = np.array([z]), np.array([rho]), np.array([probability]), Given.EXIT
        assert conditional_shifts(space, 2, *given)[0] == pytest.approx(exact, abs=1e-9)


@pytest.mark.parametrize("given", list(Given))
@pytest.mark.parametrize("name", REGIONS)
def test_correlation_one_is_conditional_inference_of_the_first(name, given):
    space = SampleSpace(REGIONS[name])
    for look in range(1, space.looks + 1):
        root = math.sqrt(space.information[look - 1])
        for stop in space.stops(look):
            low, high = max(stop.low / root, -3.0), min(stop.high / root, 3.0)
            low, high = (low, low + 2.0) if high <= low and stop.high == math.inf else (low, high)
            low, high = (high - 2.0, high) if high <= low else (low, high)
            z = low + (high - low) * np.array([0.05, 0.3, 0.9])
            for probability in (0.025, 0.5, 0.975):
                wanted = conditional_quantile(space, look, z, probability, given) * root
                found = z + conditional_shifts(space, look, z, np.ones(3), np.full(3, probability), given)
                np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-10)
                # almost none leaves the normal quantile
                least = conditional_shifts(space, look, z, np.full(3, 1e-9), np.full(3, probability), given)
                np.testing.assert_allclose(least, ndtri(probability), atol=1e-6)


@pytest.mark.parametrize("given", list(Given))
@pytest.mark.parametrize("rho", [0.8, -0.5])
@pytest.mark.parametrize("name", ["two looks, futility", "five looks, two-sided", "wedge"])
def test_conditional_p_values_are_uniform_given_every_stop_whatever_the_first_effect(name, rho, given):
    region = REGIONS[name]
    space, generator = SampleSpace(region), np.random.default_rng(8)
    probabilities = np.array([0.05, 0.3, 0.5, 0.9])
    for drift in (0.3 * unit(region), 2.2 * unit(region)):
        looks, z = simulated(region, drift, 12_000, seed=3)
        mean = drift * np.sqrt(region.information[looks - 1])
        noise = rho * (z - mean) + math.sqrt(1.0 - rho**2) * generator.standard_normal(z.size)
        for look in range(1, space.looks + 1):
            for stop in space.stops(look):
                scores = z * math.sqrt(region.information[look - 1])
                chosen = (looks == look) & (scores >= stop.low) & (scores <= stop.high)
                if chosen.sum() < 600:
                    continue
                some, count = z[chosen][:1200], min(1200, int(chosen.sum()))
                values = np.tile(some, 4), np.full(4 * count, rho), np.repeat(probabilities, count)
                if given is Given.LOOK and len(list(space.stops(look))) > 1:
                    # among all that stop at the look, not only those that leave this way
                    chosen = looks == look
                    some, count = z[chosen][:1200], min(1200, int(chosen.sum()))
                    values = np.tile(some, 4), np.full(4 * count, rho), np.repeat(probabilities, count)
                shifts = conditional_shifts(space, look, *values, given).reshape(4, count)
                below = (noise[chosen][:1200] + shifts <= 0).mean(axis=1)
                error = np.sqrt(probabilities * (1 - probabilities) / count)
                np.testing.assert_array_less(np.abs(below - (1 - probabilities)), 4.5 * error)


def test_exactly_at_the_bound_given_the_exit_nothing_is_too_low():
    bound = float(FUTILE.efficacy_bounds[1])
    found = secondary_estimates(FUTILE.conclude(Estimate(bound, 1.0), look=2), Estimate(1.0, 1.0), [0.0, 0.4])
    assert found.given_exit.estimate[0] == pytest.approx(1.0)
    assert found.given_exit.estimate[1] == found.given_exit.upper[1] == -math.inf
    cut = Estimate(0.2, 0.1, scale=Scale.RISK_DIFFERENCE)
    assert secondary_estimates(FUTILE.conclude(Estimate(bound, 1.0), look=2), cut, 0.4).given_exit.lower == -1.0


def test_futility_that_inference_leaves_out_ends_the_trial_there():
    design = GroupSequential(information=(0.3, 0.6, 1.0), sided=1, alpha=0.025, futility=FixedBounds((0.0, 0.3)))
    first, second = Estimate(0.1, 1.0), Estimate(0.5, 1.0)
    conclusion = design.conclude(first, look=2)
    found = secondary_estimates(conclusion, second, 0.6)
    assert every(found)[6:9] == pytest.approx(every(found)[9:12])
    same = secondary_estimates(conclusion, first, 1.0)
    assert same.given_look.estimate == pytest.approx(conclusion.estimates()[CONDITIONAL].effect, abs=1e-12)


def test_printed_and_plain():
    conclusion = POCOCK.conclude(Estimate(2.9, 1.0), look=2)
    found = secondary_estimates(conclusion, Estimate(-0.7, 0.3, 40.0, Scale.LOG_HAZARD_RATIO, "lower"), -0.6)
    assert next(iter(found.table())).estimator == "as observed"
    assert found.table()["median-unbiased"].interval.lower == found.median_unbiased.lower
    assert "hazard ratio, 95 % interval" in str(found)
    assert json.loads(json.dumps(found.to_dict()))["estimates"]["bias-adjusted"]["effect"] == found.bias_adjusted
    several = secondary_estimates(conclusion, Estimate(-0.7, 0.3), [0.2, 0.4])
    assert str(several).count("as observed") == 2
    with pytest.raises(InputError, match="a single correlation"):
        several.table()


def test_what_is_refused():
    goes_on = POCOCK.conclude(Estimate(1.0, 1.0), look=2)
    conclusion, second = POCOCK.conclude(Estimate(2.9, 1.0), look=2), Estimate(0.1, 1.0)
    with pytest.raises(InputError, match="a trial that has stopped"):
        secondary_estimates(goes_on, second, 0.5)
    for correlation in (1.1, math.nan, "high", [0.2, -1.2], True):
        with pytest.raises(InputError, match="correlation"):
            secondary_estimates(conclusion, second, correlation)
    with pytest.raises(InputError, match="Estimate"):
        secondary_estimates(conclusion, 0.4, 0.5)
    with pytest.raises(InputError, match="Conclusion"):
        secondary_estimates(second, second, 0.5)
    with pytest.raises(InputError, match="level"):
        secondary_estimates(conclusion, second, 0.5, 1.0)
