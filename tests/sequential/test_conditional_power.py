"""Conditional and predictive power: reference values, the martingale they must be, limits and simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr

from after_stopping_reference import RPACT, TWO_ARMS, estimate_at
from equipoise.errors import InputError
from equipoise.sequential import GroupSequential, OBrienFlemingSpending, Region
from equipoise.sequential.conditional_power import (
    b_value,
    conditional_error,
    conditional_power,
    conditional_stops,
    expected_b_value,
    posterior_weights,
    predictive_power,
    predictive_region,
    reverse_conditional_power,
    trend,
)
from monitoring_reference import CONDITIONAL, GSDESIGN, POWER, assumed_effect, region_of, score

TIMES = np.array([0.2, 0.45, 0.7, 1.0])
UPPER = np.array([3.6, 2.9, 2.4, 2.02])
OPEN = Region(TIMES, np.full(4, -np.inf), UPPER)
FUTILE = Region(TIMES, np.array([-0.5, 0.3, 1.1, 2.02]), UPPER)
TWO_SIDED = Region(TIMES, -UPPER, UPPER)
HALF = np.array([-np.inf, 0.4, 1.0, 2.02])
WEDGE = Region(TIMES, -UPPER, UPPER, (-HALF, HALF))
REGIONS = {"open": OPEN, "futility": FUTILE, "two-sided": TWO_SIDED, "wedge": WEDGE}


def ids(cases):
    return [case["id"] for case in cases]


@pytest.mark.parametrize("case", CONDITIONAL, ids=ids(CONDITIONAL))
def test_conditional_and_predictive_power_against_independent_integration(case):
    inputs, expected = case["inputs"], case["expected"]
    region, z = region_of(inputs["design"]), inputs["z"]
    root, now = math.sqrt(inputs["max_information"]), inputs["information"][inputs["interim_look"] - 1]
    now /= inputs["max_information"]
    drifts = np.array(inputs["thetas"]) * root
    observed = np.array([trend(z, now)])
    assert observed[0] / root == pytest.approx(expected["estimate"], abs=1e-14)
    for by, name in (("any", "any_later_look"), ("last", "final_look_only")):
        for under, values in (
            (drifts, f"conditional_power_{name}"),
            (observed, f"conditional_power_at_estimate_{name}"),
        ):
            ours = conditional_power(region, z, now, under, by)
            np.testing.assert_allclose(ours, np.atleast_1d(expected[values]), rtol=0, atol=1e-14)
        theirs = expected[f"predictive_power_flat_prior_{name}"]
        assert predictive_power(region, z, now, by=by) == pytest.approx(theirs, abs=1e-14)
    assert conditional_error(region, z, now) == pytest.approx(expected["conditional_rejection_probability"], abs=1e-14)


@pytest.mark.parametrize("case", GSDESIGN, ids=ids(GSDESIGN))
def test_conditional_power_by_later_look_and_discrete_prior_against_gsdesign(case):
    inputs, expected = case["inputs"], case["expected"]
    times, upper = np.array(inputs["information"]), np.array(expected["critical_values"])
    futility = expected["futility_bounds"]
    lower = np.full(upper.shape, -np.inf) if futility is None else np.array(futility)
    region, z, now = Region(times, lower, upper), inputs["z"], times[inputs["interim_look"] - 1]
    thetas = np.array(expected["thetas_observed_null_design"])
    assert trend(z, now) == pytest.approx(thetas[0], abs=1e-15)
    stops = conditional_stops(region, z, now, thetas)
    np.testing.assert_allclose(stops.upper.T, expected["conditional_power_by_later_look"], rtol=0, atol=1e-9)
    powers = conditional_power(region, z, now, thetas)
    np.testing.assert_allclose(powers, expected["conditional_power_total"], rtol=0, atol=1e-9)
    prior, weights = np.array(inputs["prior_thetas"]), np.array(inputs["prior_weights"])
    posterior = posterior_weights(prior, weights, z, now)
    np.testing.assert_allclose(posterior, expected["posterior_weights"], rtol=0, atol=1e-14)
    averaged = posterior @ conditional_power(region, z, now, prior)
    assert averaged == pytest.approx(expected["predictive_power_discrete_prior"], abs=1e-9)


@pytest.mark.parametrize("case", TWO_ARMS, ids=ids(TWO_ARMS))
def test_z_of_an_estimate_is_the_normal_score_rpact_uses(case):
    for look in range(case["inputs"]["analysis_stage"]):
        estimate = estimate_at(case["inputs"], case["expected"], look)
        assert estimate.favourable_z == pytest.approx(score(case["expected"], look), abs=1e-9)


@pytest.mark.parametrize("case", RPACT, ids=ids(RPACT))
def test_conditional_rejection_probability_against_rpact(case):
    # planned information, futility bounds left out, both sides of a two-sided design
    inputs, expected = case["inputs"], case["expected"]
    region, sided = region_of(inputs["design"]), inputs["design"]["sided"]
    looks = range(min(inputs["analysis_stage"], region.looks - 1))
    for look in looks:
        theirs = expected["conditional_rejection_probabilities"][look]
        if theirs is None:
            assert score(expected, look) >= region.upper[: look + 1].min()  # crossed already
            continue
        ours = conditional_error(region, score(expected, look), region.information[look], sided)
        assert ours == pytest.approx(theirs, abs=1e-8)


@pytest.mark.parametrize("case", POWER, ids=ids(POWER))
def test_conditional_power_against_rpact(case):
    # rpact: z is the normal score of the cumulative p at planned information, each later stage adds a normal variable
    # of mean effect * sqrt(n) with known variance, and non-binding futility bounds stop the trial
    inputs, expected, look = case["inputs"], case["expected"], case["inputs"]["analysis_stage"]
    region = region_of(inputs["design"], respect_futility=True)
    ahead = inputs.get("planned_n_remaining_stages") or inputs["planned_events_remaining_stages"]
    gained = np.diff(region.information)[look - 1 :]
    drifts = assumed_effect(case) * np.sqrt(np.array(ahead) / gained)
    assert np.ptp(drifts) < 1e-12
    sign = -1 if case["id"] == "mean2_asOF3s2_cp_stage1" else 1  # there rpact takes the effect with its sign reversed
    stops = conditional_stops(region, score(expected, look - 1), region.information[look - 1], sign * drifts[:1])
    np.testing.assert_allclose(np.cumsum(stops.upper[0]), expected["conditional_power"][look:], rtol=0, atol=1e-8)


def test_conditional_power_of_two_sided_means_where_rpact_reverses_the_sign():
    by_name = {case["id"]: case for case in POWER}
    two, one = by_name["mean2_asOF3s2_cp_stage1"], by_name["mean2_asOF3_cp_stage1"]
    assert two["inputs"]["stage_data"] == one["inputs"]["stage_data"]
    region, z = region_of(two["inputs"]["design"]), score(two["expected"], 0)
    stops = conditional_stops(region, z, 0.4, assumed_effect(two) * np.sqrt(np.array([60 / 0.3])))
    # the same data and bounds: the lower bound changes the power to cross the upper one hardly at all
    np.testing.assert_allclose(np.cumsum(stops.upper[0]), one["expected"]["conditional_power"][1:], atol=2e-4)
    assert two["expected"]["conditional_power"][2] < 3e-4


def interval(region, drift):
    """Gauss-Legendre nodes and weights of z at the first look among trials that go on."""
    root = math.sqrt(region.information[0])
    edges = [max(region.lower[0], drift * root - 9), min(region.upper[0], drift * root + 9)]
    if region.inner is not None and region.inner[0][0] < region.inner[1][0]:
        edges[1:1] = [region.inner[0][0], region.inner[1][0]]
    points, weights = np.polynomial.legendre.leggauss(60)
    z, mass = [], []
    for low, high in zip(edges[::2], edges[1::2], strict=True):
        nodes = low + (high - low) / 2 * (points + 1)
        z.append(nodes)
        mass.append((high - low) / 2 * weights * np.exp(-0.5 * (nodes - drift * root) ** 2) / math.sqrt(2 * math.pi))
    return np.concatenate(z), np.concatenate(mass)


FIRST_WEDGE = Region(TIMES, -UPPER, UPPER, (-np.array([0.3, *HALF[1:]]), np.array([0.3, *HALF[1:]])))


@pytest.mark.parametrize("region", [*REGIONS.values(), FIRST_WEDGE], ids=[*REGIONS, "wedge at the first look"])
@pytest.mark.parametrize("drift", [0.0, 2.0, 3.5])
def test_conditional_stops_average_to_the_unconditional_ones(region, drift):
    z, mass = interval(region, drift)
    stops = [conditional_stops(region, value, TIMES[0], np.array([drift])) for value in z]
    whole = region.exit_probabilities(np.array([drift]))
    for side in ("upper", "lower", "inner"):
        averaged = mass @ np.array([getattr(stop, side)[0] for stop in stops])
        np.testing.assert_allclose(averaged, getattr(whole, side)[0, 1:], rtol=0, atol=1e-13)


@pytest.mark.parametrize("region", REGIONS.values(), ids=list(REGIONS))
@pytest.mark.parametrize(("mean", "variance"), [(2.5, 1.5), (0.0, 40.0), (-1.0, 0.2), (0.0, math.inf)])
@pytest.mark.parametrize("z", [-1.0, 0.8, 2.7])
def test_predictive_power_is_the_average_over_the_posterior(region, mean, variance, z):
    now = TIMES[0]
    precision = 0.0 if math.isinf(variance) else 1 / variance
    spread = 1 / (now + precision)
    centre = (z * math.sqrt(now) + mean * precision) * spread
    points, weights = np.polynomial.legendre.leggauss(300)
    standard = 9.5 * points
    weights = 9.5 * weights * np.exp(-0.5 * standard**2) / math.sqrt(2 * math.pi)
    drifts = centre + math.sqrt(spread) * standard
    for by in ("any", "next", "last"):
        averaged = weights @ conditional_power(region, z, now, drifts, by)
        assert predictive_power(region, z, now, mean, variance, by) == pytest.approx(averaged, abs=1e-12)
    stops = conditional_stops(region, z, now, drifts)
    ahead = predictive_region(region, z, now, mean, variance).exit_probabilities(np.zeros(1))
    for side in ("upper", "lower", "inner"):
        averaged = weights @ getattr(stops, side)
        np.testing.assert_allclose(getattr(ahead, side)[0], averaged, rtol=0, atol=1e-12)


def test_predictive_power_equals_simulation():
    rng, trials, z, now = np.random.default_rng(3), 400_000, 1.4, TIMES[0]
    drift = trend(z, now) + rng.standard_normal(trials) / math.sqrt(now)
    score, running = np.full(trials, b_value(z, now)), np.ones(trials, bool)
    crossed = np.zeros(trials, bool)
    for look in range(1, 4):
        gained = TIMES[look] - TIMES[look - 1]
        score = score + drift * gained + math.sqrt(gained) * rng.standard_normal(trials)
        reached = score / math.sqrt(TIMES[look])
        crossed |= running & (reached >= UPPER[look])
        running &= (reached > FUTILE.lower[look]) & (reached < UPPER[look])
    expected = predictive_power(FUTILE, z, now)
    assert crossed.mean() == pytest.approx(expected, abs=4 * math.sqrt(expected * (1 - expected) / trials))


def test_predictive_power_between_known_drift_and_flat_prior():
    for region in REGIONS.values():
        known = conditional_power(region, 1.3, TIMES[1], np.array([2.2]))[0]
        assert predictive_power(region, 1.3, TIMES[1], 2.2, 0.0) == pytest.approx(known, abs=1e-15)
        assert predictive_power(region, 1.3, TIMES[1], 2.2, 1e-13) == pytest.approx(known, abs=1e-12)
        flat = predictive_power(region, 1.3, TIMES[1])
        assert predictive_power(region, 1.3, TIMES[1], 2.2, 1e14) == pytest.approx(flat, abs=1e-12)


def test_one_look_ahead_in_closed_form():
    z, now, drifts = 1.7, TIMES[2], np.array([-1.0, 0.0, 2.5])
    ends = expected_b_value(z, now, drifts)
    np.testing.assert_allclose(ends, b_value(z, now) + 0.3 * drifts, rtol=0, atol=1e-15)
    closed = ndtr((ends - UPPER[-1]) / math.sqrt(1 - now))
    for by in ("any", "next", "last"):
        np.testing.assert_allclose(conditional_power(OPEN, z, now, drifts, by), closed, rtol=1e-13)
    flat = ndtr((trend(z, now) - UPPER[-1]) / math.sqrt(1 / now - 1))
    assert predictive_power(OPEN, z, now) == pytest.approx(flat, rel=1e-13)
    assert reverse_conditional_power(z, now, UPPER[-1]) == pytest.approx(flat, rel=1e-13)


def test_information_in_other_units_changes_nothing():
    scaled = Region(TIMES * 250, FUTILE.lower, UPPER)
    drifts = np.array([0.0, 1.0, 3.0])
    ours = conditional_power(scaled, 1.2, TIMES[1] * 250, drifts / math.sqrt(250))
    np.testing.assert_allclose(ours, conditional_power(FUTILE, 1.2, TIMES[1], drifts), rtol=0, atol=1e-14)
    assert predictive_power(scaled, 1.2, TIMES[1] * 250, 2.0 / math.sqrt(250), 3.0 / 250) == pytest.approx(
        predictive_power(FUTILE, 1.2, TIMES[1], 2.0, 3.0), abs=1e-14
    )


@settings(max_examples=40)
@given(
    z=st.floats(-6, 8),
    step=st.floats(0.05, 4),
    drift=st.floats(-3, 6),
    now=st.floats(1e-3, 0.95),
    kind=st.sampled_from(["open", "futility"]),
)
def test_power_rises_with_z_and_drift(z, step, drift, now, kind):
    region = REGIONS[kind]
    for by in ("any", "next", "last"):
        here, further = conditional_power(region, z, now, np.array([drift, drift + step]), by)
        higher = conditional_power(region, z + step, now, np.array([drift]), by)[0]
        for value in (here, further, higher):
            assert 0 <= value <= 1
        assert further >= here - 1e-14
        assert higher >= here - 1e-14
        assert predictive_power(region, z + step, now, by=by) >= predictive_power(region, z, now, by=by) - 1e-14
    assert conditional_power(region, z, now, np.array([drift]))[0] >= (
        conditional_power(region, z, now, np.array([drift]), "next")[0] - 1e-15
    )


@pytest.mark.parametrize("z", [-12.0, 12.0])
@pytest.mark.parametrize("now", [1e-4, 0.3, 0.9999])
def test_far_out_nothing_breaks(z, now):
    drifts = np.array([-40.0, 0.0, 40.0])
    for region in REGIONS.values():
        stops = conditional_stops(region, z, now, drifts)
        total = stops.upper + stops.lower + stops.inner
        assert np.all(np.isfinite(total))
        assert np.all(total.sum(axis=1) <= 1 + 1e-12)
        powers = conditional_power(region, z, now, drifts)
        assert np.all(np.diff(powers) >= -1e-14) or region is WEDGE
        assert 0 <= predictive_power(region, z, now) <= 1
    assert conditional_power(OPEN, 12.0, 0.9999, np.zeros(1))[0] == 1
    assert conditional_power(OPEN, -12.0, 0.9999, np.zeros(1))[0] == 0


def test_conditional_error_averages_to_alpha():
    design = GroupSequential((0.3, 0.6, 1.0), 0.05, 2, OBrienFlemingSpending())
    region = design.region(False)
    z, mass = interval(region, 0.0)
    averaged = mass @ np.array([conditional_error(region, value, 0.3, 2) for value in z])
    assert averaged + design.alpha_spent[0] == pytest.approx(0.05, abs=1e-13)


def test_posterior_weights_far_from_every_drift_of_the_prior():
    weights = posterior_weights(np.array([0.0, 1.0, 2.0]), np.array([0.0, 0.5, 0.5]), 60.0, 0.5)
    assert weights[0] == 0
    assert weights.sum() == pytest.approx(1, abs=1e-15)
    assert weights[2] > 1 - 1e-10


def test_refusals():
    with pytest.raises(InputError, match="by is 'first'"):
        conditional_power(OPEN, 1.0, 0.3, np.zeros(1), "first")  # pyright: ignore[reportArgumentType]
    with pytest.raises(InputError, match="information is 1"):
        conditional_power(OPEN, 1.0, 1.0, np.zeros(1))
    with pytest.raises(InputError, match="information is 1"):
        predictive_power(OPEN, 1.0, 1.0)


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (lambda: b_value("1", 0.5), "z is '1'"),
        (lambda: b_value(1.0, -0.5), "information is -0.5"),
        (lambda: trend(1.0, 0), "information is 0"),
        (lambda: expected_b_value(1.0, 0.5, "1"), "drift is '1'"),
        (lambda: expected_b_value(1.0, 0.5, 1.0, 0.2), "end is 0.2"),
        (lambda: conditional_power(None, 1.0, 0.2, np.zeros(1)), "region is None"),
        (lambda: conditional_power(OPEN, math.nan, 0.2, np.zeros(1)), "z is nan"),
        (lambda: conditional_power(OPEN, 1.0, 0.2, None), "drifts is None"),
        (lambda: conditional_power(OPEN, 1.0, 0.2, np.zeros(1), ["any"]), "by is"),
        (lambda: conditional_error(OPEN, 1.0, 0.2, 3), "sided is 3"),
        (lambda: predictive_power(OPEN, 1.0, 0.2, None), "mean is None"),
        (lambda: predictive_power(OPEN, 1.0, 0.2, 0.0, -1.0), "variance is -1.0"),
        (lambda: posterior_weights(np.ones(2), np.ones(3), 1.0, 0.2), "weights is"),
        (lambda: posterior_weights(np.ones(2), np.zeros(2), 1.0, 0.2), "weights is"),
        (lambda: reverse_conditional_power(1.0, 0.5, None), "bound is None"),
        (lambda: reverse_conditional_power(1.0, 1.0, 2.0), "end is 1.0"),
    ],
)
def test_wrong_types_are_refused_by_name(action, message):
    with pytest.raises(InputError, match=message):
        action()
