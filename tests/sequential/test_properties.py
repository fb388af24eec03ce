"""Bias, variance and coverage of every estimator: closed forms, exactness, simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import ndtr, ndtri
from stopping_regions import ONE_LOOK, REGIONS, TWO_LOOKS, simulated, unit

from equipoise.errors import InputError
from equipoise.sequential.conditional import Given
from equipoise.sequential.estimators import (
    ESTIMATORS,
    BiasAdjusted,
    ConditionalLikelihood,
    ConditionalMedian,
    MaximumLikelihood,
    MedianUnbiased,
    Unbiased,
    estimates,
    mean_of_likelihood_estimate,
)
from equipoise.sequential.orderings import LikelihoodRatio, SampleMean, ScoreTest, StageWise
from equipoise.sequential.properties import coverage, estimator_properties, probability_above
from equipoise.sequential.region import Region
from equipoise.sequential.sample_space import SampleSpace

DRIFTS = np.array([-2.0, 0.0, 0.7, 2.2, 3.6, 6.0])
ORDERED = [StageWise(), SampleMean(), LikelihoodRatio(), ScoreTest()]


def identity(value) -> str:
    return value.name


@pytest.mark.parametrize("drift", [-1.0, 0.0, 2.0, 4.5])
def test_likelihood_bias_after_two_looks_in_closed_form(drift):
    """(1 / t - 1) sqrt(t) phi(u - drift sqrt(t)): E[S - drift t] of those that stop and those that go on cancel."""
    time, bound = 0.5, 2.797
    density = math.exp(-0.5 * (bound - drift * math.sqrt(time)) ** 2) / math.sqrt(2 * math.pi)
    bias = (1 / time - 1) * math.sqrt(time) * density
    properties = estimator_properties(TWO_LOOKS, MaximumLikelihood(), drift)
    assert properties.bias[0] == pytest.approx(bias, abs=1e-13)
    assert properties.mean[0] == pytest.approx(drift + bias, abs=1e-13)
    mean = mean_of_likelihood_estimate(SampleSpace(TWO_LOOKS), np.array([drift]))[0]
    assert mean == pytest.approx(drift + bias, abs=1e-13)


@pytest.mark.parametrize("drift", [0.0, 2.0])
def test_mean_squared_error_by_quadrature(drift):
    """Of the unbiased estimate after two looks, from its closed form."""
    time, bound = 0.5, 2.797 * math.sqrt(0.5)

    def normal(x, mean, variance):
        return math.exp(-0.5 * (x - mean) ** 2 / variance) / math.sqrt(2 * math.pi * variance)

    def second(s):
        cut = (bound - 0.5 * s) / 0.5
        estimate = (0.5 * s - 0.5 * normal(cut, 0, 1) / ndtr(cut)) / time
        return (estimate - drift) ** 2 * normal(s, drift, 1.0) * ndtr(cut)

    accuracy = {"epsabs": 1e-13, "epsrel": 1e-12, "limit": 200}
    first = quad(lambda s: (s / time - drift) ** 2 * normal(s, drift * time, time), bound, 12, **accuracy)[0]
    exact = first + quad(second, drift - 9, drift + 9, **accuracy)[0]
    assert estimator_properties(TWO_LOOKS, Unbiased(), drift).mean_squared_error[0] == pytest.approx(exact, abs=1e-10)


@pytest.mark.parametrize("name", REGIONS)
def test_mean_of_likelihood_estimate_two_ways(name):
    region = REGIONS[name]
    drifts = DRIFTS * unit(region)
    properties = estimator_properties(region, MaximumLikelihood(), drifts)
    direct = mean_of_likelihood_estimate(SampleSpace(region), drifts)
    np.testing.assert_allclose(properties.mean, direct, atol=1e-12 * unit(region), rtol=1e-12)


@pytest.mark.parametrize("name", REGIONS)
@pytest.mark.parametrize("ordering", ORDERED[:3], ids=identity)
def test_median_unbiased(ordering, name):
    region = REGIONS[name]
    above = probability_above(region, MedianUnbiased(ordering), DRIFTS * unit(region))
    np.testing.assert_allclose(above, 0.5, atol=1e-9)


@pytest.mark.parametrize("name", REGIONS)
@pytest.mark.parametrize("given", list(Given))
def test_conditional_median_unbiased_in_all(given, name):
    """1/2 given every stop, so 1/2 in all."""
    region = REGIONS[name]
    above = probability_above(region, ConditionalMedian(given), DRIFTS[1:4] * unit(region))
    np.testing.assert_allclose(above, 0.5, atol=1e-9)


@pytest.mark.parametrize("name", ["two looks, futility", "five looks, two-sided", "far from unit information"])
@pytest.mark.parametrize("level", [0.5, 0.95])
@pytest.mark.parametrize(
    "estimator",
    [*(MedianUnbiased(ordering) for ordering in ORDERED[:3]), ConditionalMedian(), ConditionalMedian(Given.EXIT)],
    ids=identity,
)
def test_intervals_cover_exactly(estimator, level, name):
    region = REGIONS[name]
    np.testing.assert_allclose(coverage(region, estimator, DRIFTS[1:5] * unit(region), level), level, atol=1e-9)


def test_naive_interval_does_not_cover_and_score_test_interval_covers_at_least():
    region = REGIONS["five looks, two-sided"]
    assert coverage(region, MaximumLikelihood(), 2.0)[0] < 0.945
    odd = Region(np.array([0.06, 0.95, 1.0]), np.array([-3.39, -3.77, -3.0]), np.array([3.39, 3.77, 3.0]))
    assert np.all(coverage(odd, MedianUnbiased(ScoreTest()), np.array([-4.0, 0.0, 4.0])) > 0.95 - 1e-9)


@pytest.mark.parametrize("name", REGIONS)
def test_adjusting_reduces_bias(name):
    region = REGIONS[name]
    drifts = np.array([0.0, 1.0, 2.0, 3.0]) * unit(region)
    naive, adjusted = (
        estimator_properties(region, which, drifts).bias for which in (MaximumLikelihood(), BiasAdjusted())
    )
    assert np.abs(adjusted).max() < 0.5 * np.abs(naive).max()


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=identity)
def test_one_look_is_no_look(estimator):
    properties = estimator_properties(ONE_LOOK, estimator, DRIFTS)
    np.testing.assert_allclose(properties.bias, 0.0, atol=1e-11)
    np.testing.assert_allclose(properties.mean_squared_error, 1.0, atol=1e-10)
    row = estimates(ONE_LOOK, 1, 2.4, 0.9, [estimator])[0]
    assert row.estimate == pytest.approx(2.4, abs=1e-11)
    if row.lower is not None and row.upper is not None:
        assert (row.lower, row.upper) == pytest.approx((2.4 + ndtri(0.05), 2.4 + ndtri(0.95)), abs=1e-11)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=identity)
def test_antisymmetric_bias(estimator):
    for name in ("five looks, two-sided", "wedge"):
        properties = estimator_properties(REGIONS[name], estimator, [-1.4, 1.4], tolerance=1e-9)
        if np.isfinite(properties.bias).all():
            assert properties.bias.sum() == pytest.approx(0.0, abs=1e-8)
        assert properties.mean_squared_error[0] == pytest.approx(properties.mean_squared_error[1], rel=1e-7)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=identity)
@pytest.mark.parametrize("name", ["five looks, two-sided", "unequal, both bounds"])
def test_simulation(estimator, name):
    """Estimates of 200,000 simulated trials, interpolated on a fine grid of each way of stopping."""
    region, drift = REGIONS[name], 1.8
    looks, z = simulated(region, drift, 200_000, seed=3)
    space, values = SampleSpace(region), np.full(z.shape, np.nan)
    for look in range(1, space.looks + 1):
        root = math.sqrt(space.information[look - 1])
        for stop in space.stops(look):
            chosen = (looks == look) & (z * root >= stop.low) & (z * root <= stop.high)
            if chosen.any():
                grid = np.linspace(z[chosen].min(), z[chosen].max(), 1500)
                values[chosen] = np.interp(z[chosen], grid, estimator.estimate(space, look, grid))
    properties = estimator_properties(region, estimator, drift, tolerance=1e-9)
    assert abs(values.mean() - drift - properties.bias[0]) < 4.5 * values.std() / math.sqrt(values.size)
    assert values.var() == pytest.approx(properties.variance[0], rel=0.03)
    for look in range(1, space.looks + 1):
        probability, bias, error = (value[0] for value in properties.given_look(look))
        some = values[looks == look]
        if some.size < 2000:
            continue
        assert abs(some.size / z.size - probability) < 4.5 * math.sqrt(probability * (1 - probability) / z.size)
        assert abs(some.mean() - drift - bias) < 4.5 * some.std() / math.sqrt(some.size)
        assert ((some - drift) ** 2).mean() == pytest.approx(error, rel=0.15)


def test_conditional_estimates_have_no_mean_where_they_diverge():
    one_sided = estimator_properties(TWO_LOOKS, ConditionalLikelihood(), [0.0, 3.0])
    assert np.all(one_sided.bias == -math.inf)
    assert np.all(one_sided.mean_squared_error == math.inf)
    assert np.all(np.isfinite(one_sided.stops[-1].bias))
    total = sum(stop.probability for stop in one_sided.stops)
    np.testing.assert_allclose(total, 1.0, atol=1e-13)
    two_sided = REGIONS["five looks, two-sided"]
    given_exit = estimator_properties(two_sided, ConditionalMedian(Given.EXIT), 1.0)
    assert {stop.bias[0] for stop in given_exit.stops[:4]} == {-math.inf, math.inf}
    assert math.isnan(given_exit.bias[0])
    assert math.isfinite(estimator_properties(two_sided, ConditionalMedian(), 1.0, tolerance=1e-8).bias[0])


def test_rare_stops_keep_their_conditional_bias():
    """Without effect hardly any trial stops above first; those that do show the mean of a truncated normal."""
    region = Region(np.array([0.5, 1.0]), np.full(2, -math.inf), np.array([9.0, 1.96]))
    stop = estimator_properties(region, MaximumLikelihood(), 0.0).stops[0]
    assert stop.probability[0] == pytest.approx(ndtr(-9.0), rel=1e-10)
    density = math.exp(-0.5 * 81.0) / math.sqrt(2 * math.pi)
    assert stop.bias[0] == pytest.approx(density / ndtr(-9.0) / math.sqrt(0.5), rel=1e-10)


def test_every_estimate_of_one_trial():
    rows = {row.estimator: row for row in estimates(REGIONS["unequal, both bounds"], 2, 2.9)}
    assert list(rows) == [estimator.name for estimator in ESTIMATORS]
    naive = rows["maximum likelihood"].estimate
    for name, row in rows.items():
        assert math.isfinite(row.estimate)
        if name != "maximum likelihood":
            assert row.estimate < naive
        if row.lower is not None and row.upper is not None:
            assert row.lower < row.estimate < row.upper


def test_stopped_where_the_rule_goes_on_is_as_if_planned_so():
    region = REGIONS["two looks, efficacy"]
    for row in estimates(region, 1, 0.4):
        assert row.estimate == pytest.approx(0.4 / math.sqrt(0.5), abs=1e-10)


def test_a_look_where_nobody_goes_on_is_the_last():
    closed = Region(np.array([0.3, 0.6, 1.0]), np.array([-1.0, 1.5, 2.0]), np.array([3.0, 1.5, 2.0]))
    assert SampleSpace(closed).looks == 2
    ours, cut = (estimates(region, 2, 2.0) for region in (closed, closed.first(2)))
    assert ours == cut


def test_refuses():
    with pytest.raises(InputError, match="drifts"):
        estimator_properties(TWO_LOOKS, Unbiased(), [math.nan])
    with pytest.raises(InputError, match="interval"):
        coverage(TWO_LOOKS, Unbiased(), 0.0)
    with pytest.raises(InputError, match="look"):
        estimator_properties(REGIONS["nothing spent first"], MaximumLikelihood(), 0.0).given_look(1)


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (lambda: estimator_properties(None, BiasAdjusted(), 0.0), "region is None"),
        (lambda: estimator_properties(ONE_LOOK, BiasAdjusted, 0.0), "estimator is"),
        (lambda: estimator_properties(ONE_LOOK, BiasAdjusted(), []), "drifts is"),
        (lambda: estimator_properties(ONE_LOOK, BiasAdjusted(), "0"), "drifts is '0'"),
        (lambda: estimator_properties(ONE_LOOK, BiasAdjusted(), 0.0, None), "tolerance is None"),
        (lambda: estimator_properties(ONE_LOOK, MaximumLikelihood(), 0.0).given_look("1"), "look is '1'"),
        (lambda: coverage(ONE_LOOK, MaximumLikelihood(), 0.0, level=95), "level is 95"),
        (lambda: coverage(ONE_LOOK, MaximumLikelihood(), 0.0, level="0.95"), "level is"),
        (lambda: coverage(ONE_LOOK, "mle", 0.0), "estimator is 'mle'"),
        (lambda: coverage(ONE_LOOK, MaximumLikelihood(), [math.nan]), "drifts is"),
        (lambda: probability_above(ONE_LOOK, MaximumLikelihood(), [[0.0]]), "drifts is"),
        (lambda: probability_above(ONE_LOOK, None, 0.0), "estimator is None"),
        (lambda: estimates(None, 1, 1.0), "region is None"),
        (lambda: estimates(ONE_LOOK, 0, 1.0), "look is 0"),
        (lambda: estimates(ONE_LOOK, True, 1.0), "look is True"),
        (lambda: estimates(ONE_LOOK, 9, 1.0), "look is 9"),
        (lambda: estimates(ONE_LOOK, 1, math.nan), "z is nan"),
        (lambda: estimates(ONE_LOOK, 1, "1"), "z is '1'"),
        (lambda: estimates(ONE_LOOK, 1, 1.0, 95), "level is 95"),
        (lambda: estimates(ONE_LOOK, 1, 1.0, 0.95, ["mle"]), "estimators is 'mle'"),
        (lambda: estimates(ONE_LOOK, 1, 1.0, 0.95, "mle"), "estimators is 'mle'"),
        (lambda: estimates(ONE_LOOK, 1, 1.0, 0.95, None), "estimators is None"),
        (lambda: estimates(ONE_LOOK, 1, 1.0, 0.95, [BiasAdjusted]), "estimators is"),
        (lambda: MedianUnbiased("stage-wise"), "ordering is 'stage-wise'"),
        (lambda: MedianUnbiased(StageWise), "ordering is"),
        (lambda: ConditionalLikelihood("whole"), "given is 'whole'"),
        (lambda: ConditionalMedian(None), "given is None"),
        (lambda: Unbiased().estimate(ONE_LOOK, 1, np.ones(1)), "space is"),
        (lambda: MaximumLikelihood().estimate(SampleSpace(ONE_LOOK), 0, np.ones(1)), "look is 0"),
        (lambda: BiasAdjusted().estimate(SampleSpace(ONE_LOOK), 1, "1"), "z is '1'"),
        (lambda: MaximumLikelihood().interval(SampleSpace(ONE_LOOK), 1, np.ones(1), 1.0), "level is 1.0"),
        (lambda: ConditionalMedian().interval(SampleSpace(ONE_LOOK), 1, np.ones(1), None), "level is None"),
    ],
)
def test_wrong_types_are_refused_by_name(action, message):
    with pytest.raises(InputError, match=message):
        action()


def test_a_single_estimator_needs_no_list():
    assert estimates(ONE_LOOK, 1, 1.0, estimators=MaximumLikelihood()) == estimates(
        ONE_LOOK, 1, 1.0, estimators=[MaximumLikelihood()]
    )
