"""Estimates given the stop: truncated normal by quadrature, exactness given the look, limits at bounds, rare stops."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import log_ndtr, ndtr, ndtri
from stopping_regions import ONE_LOOK, REGIONS, TWO_LOOKS, simulated, unit

from equipoise.sequential.conditional import (
    Given,
    conditional_estimate_and_interval,
    conditional_likelihood_estimate,
    conditional_mean,
    conditional_quantile,
    conditional_tail,
    stops_given,
)
from equipoise.sequential.region import Region
from equipoise.sequential.sample_space import SampleSpace, Stop


def cut_normal(low, high, mean):
    """Mean of a normal of unit variance between two points, by Gauss-Legendre quadrature on a hundred panels."""
    peak = min(max(mean, low), high)
    reach = min(12.0, 40.0 / max(abs(peak - mean), 1e-9))
    ends = np.linspace(max(low, peak - reach), min(high, peak + reach), 101)
    points, weights = np.polynomial.legendre.leggauss(20)
    x = 0.5 * (ends[1:] + ends[:-1])[:, None] + 0.5 * np.diff(ends)[:, None] * points
    density = weights * np.exp(-0.5 * (x - peak) * (x + peak - 2 * mean))
    return peak + float((density * (x - peak)).sum() / density.sum())


@pytest.mark.parametrize("z", [2.83, 3.0, 4.2])
def test_first_look_is_a_truncated_normal(z):
    space, root = SampleSpace(TWO_LOOKS), math.sqrt(0.5)
    exact = brentq(lambda drift: cut_normal(2.797, math.inf, drift * root) - z, -80, 20, xtol=1e-13)
    assert conditional_likelihood_estimate(space, 1, np.array([z]))[0] == pytest.approx(exact, rel=1e-10)
    tail = brentq(lambda d: log_ndtr(d * root - z) - log_ndtr(d * root - 2.797) + math.log(2), -80, 20, xtol=1e-13)
    assert conditional_quantile(space, 1, np.array([z]))[0] == pytest.approx(tail, rel=1e-10)


@pytest.mark.parametrize("z", [-0.05, 0.08])
def test_wedge_is_a_doubly_truncated_normal(z):
    region = Region(
        np.array([0.4, 1.0]),
        np.array([-2.5, -2.0]),
        np.array([2.5, 2.0]),
        (np.array([-0.2, -2.0]), np.array([0.3, 2.0])),
    )
    space, root = SampleSpace(region), math.sqrt(0.4)
    exact = brentq(lambda drift: cut_normal(-0.2, 0.3, drift * root) - z, -60, 60, xtol=1e-13)
    ours = conditional_likelihood_estimate(space, 1, np.array([z]), Given.EXIT)[0]
    assert ours == pytest.approx(exact, rel=1e-9, abs=1e-9)

    def tail(drift):
        low, at, high = (ndtr(drift * root - edge) for edge in (-0.2, z, 0.3))
        return (at - high) / (low - high) - 0.5

    ours = conditional_quantile(space, 1, np.array([z]), 0.5, Given.EXIT)[0]
    assert ours == pytest.approx(brentq(tail, -10, 10, xtol=1e-13), abs=1e-9)


@pytest.mark.parametrize("z", [-1.5, 1.2, 2.4, 4.0])
def test_last_look_by_quadrature(z):
    space, bound = SampleSpace(TWO_LOOKS), 2.797 * math.sqrt(0.5)

    def reached(drift, power, above):
        def integrand(s):
            left = 0.5 * drift
            weight = math.exp(-((s - left) ** 2)) / math.sqrt(math.pi)
            return weight * ((s + left) ** power if above is None else ndtr((s + left - above) / math.sqrt(0.5)))

        low = min(bound, 0.5 * drift) - 9
        return quad(
            integrand, low, bound, epsabs=1e-15, epsrel=1e-13, points=[0.5 * drift] if 0.5 * drift < bound else None
        )[0]

    exact = brentq(lambda d: reached(d, 1, None) / reached(d, 0, None) - z, -5, 12, xtol=1e-13)
    assert conditional_likelihood_estimate(space, 2, np.array([z]))[0] == pytest.approx(exact, abs=1e-9)
    exact = brentq(lambda d: reached(d, 0, z) / reached(d, 0, None) - 0.5, -5, 12, xtol=1e-13)
    assert conditional_quantile(space, 2, np.array([z]))[0] == pytest.approx(exact, abs=1e-9)


@pytest.mark.parametrize("given", list(Given))
@pytest.mark.parametrize("name", REGIONS)
def test_tail_and_mean_match_simulation(given, name):
    region = REGIONS[name]
    space, drift = SampleSpace(region), 0.9 * unit(region)
    looks, z = simulated(region, drift, 200_000, seed=5)
    for look in range(1, space.looks + 1):
        scores = z[looks == look] * math.sqrt(space.information[look - 1])
        for stop in space.stops(look):
            stops = stops_given(space, stop, given)
            among = scores[(scores >= stops[0].low) & (scores <= stops[-1].high)]
            within = scores[(scores >= stop.low) & (scores <= stop.high)]
            if within.size < 500:
                continue
            mean = conditional_mean(space, stops, np.array([drift]))[0]
            assert abs(among.mean() - mean) < 4.5 * among.std() / math.sqrt(among.size)
            at = np.array([np.median(within)])
            tail = conditional_tail(space, stops, stop, at, np.array([drift]))[0]
            assert abs((among >= at).mean() - tail) < 4.5 * math.sqrt(tail * (1 - tail) / among.size)


@pytest.mark.parametrize("given", list(Given))
@pytest.mark.parametrize("name", REGIONS)
def test_quantiles_and_likelihood_estimate_solve_their_equations(given, name):
    space = SampleSpace(REGIONS[name])
    for look in range(1, space.looks + 1):
        root = math.sqrt(space.information[look - 1])
        for stop in space.stops(look):
            low, high = max(stop.low, -3 * root), min(stop.high, 3 * root)
            low, high = (low, low + 2 * root) if high <= low and stop.high == math.inf else (low, high)
            low, high = (high - 2 * root, high) if high <= low else (low, high)
            scores = low + (high - low) * np.array([0.2, 0.5, 0.9])
            stops = stops_given(space, stop, given)
            for probability in (0.025, 0.5, 0.975):
                drifts = conditional_quantile(space, look, scores / root, probability, given)
                assert np.all(np.diff(drifts) > 0)
                tails = conditional_tail(space, stops, stop, scores, drifts)
                np.testing.assert_allclose(tails, probability, atol=1e-10)
            drifts = conditional_likelihood_estimate(space, look, scores / root, given)
            np.testing.assert_allclose(conditional_mean(space, stops, drifts), scores, rtol=1e-10, atol=1e-10 * root)


def test_one_look_is_the_normal_interval():
    z = np.array([-1.0, 0.5, 2.4])
    space = SampleSpace(ONE_LOOK)
    np.testing.assert_allclose(conditional_likelihood_estimate(space, 1, z), z, atol=1e-12)
    estimate, lower, upper = conditional_estimate_and_interval(space, 1, z, 0.9)
    np.testing.assert_allclose([estimate, lower, upper], [z, z - ndtri(0.95), z + ndtri(0.95)], atol=1e-12)


def test_only_one_way_out_makes_both_conditions_one():
    space, z = SampleSpace(TWO_LOOKS), np.array([2.9, 3.6])
    for probability in (0.1, 0.5):
        np.testing.assert_array_equal(
            conditional_quantile(space, 1, z, probability, Given.LOOK),
            conditional_quantile(space, 1, z, probability, Given.EXIT),
        )


@pytest.mark.parametrize("given", list(Given))
@pytest.mark.parametrize("name", ["five looks, two-sided", "unequal, both bounds", "wedge"])
def test_mirror_image(given, name):
    space = SampleSpace(REGIONS[name])
    for look, z in ((1, 4.8), (2, 3.4), (3, -2.9), (space.looks, 0.7)):
        at = np.array([z])
        if not any(stop.low <= z * math.sqrt(space.information[look - 1]) <= stop.high for stop in space.stops(look)):
            continue
        estimate, lower, upper = conditional_estimate_and_interval(space, look, at, 0.95, given)
        mirror = conditional_estimate_and_interval(space.mirrored, look, -at, 0.95, given)
        np.testing.assert_allclose([-estimate, -upper, -lower], mirror, rtol=1e-9, atol=1e-10)
        ours = conditional_likelihood_estimate(space, look, at, given)
        np.testing.assert_allclose(ours, -conditional_likelihood_estimate(space.mirrored, look, -at, given), rtol=1e-9)


def test_at_the_bound_estimates_fall_without_limit():
    """Just above the bound the score is exponential with rate -drift: estimates -1 and -log 2 over the distance."""
    region = REGIONS["unequal, both bounds"]
    space, root = SampleSpace(region), math.sqrt(region.information[1])
    for distance in (1e-3, 1e-4, 1e-5):
        z = np.array([region.upper[1] + distance / root])
        ours = distance * conditional_likelihood_estimate(space, 2, z, Given.EXIT)[0]
        assert ours == pytest.approx(-1.0, abs=12 * distance)
        ours = distance * conditional_quantile(space, 2, z, 0.5, Given.EXIT)[0]
        assert ours == pytest.approx(-math.log(2), abs=12 * distance)
    at = region.upper[1:2]
    assert conditional_likelihood_estimate(space, 2, at, Given.EXIT)[0] == -math.inf
    assert conditional_quantile(space, 2, at, 0.5, Given.EXIT)[0] == -math.inf
    # with another way out below, the bound is nothing special given the look alone
    assert math.isfinite(conditional_quantile(space, 2, at)[0])


@pytest.mark.parametrize("bound", [6.0, 15.0, 35.0])
def test_rare_stops(bound):
    """Bounds no trial without effect ever sees change nothing but the scale: the first look is a truncated normal."""
    space = SampleSpace(Region(np.array([0.5, 1.0]), np.full(2, -math.inf), np.array([bound, 2.0])))
    root, z = math.sqrt(0.5), bound + 0.4
    ours = conditional_likelihood_estimate(space, 1, np.array([z]))[0]
    exact = brentq(lambda drift: cut_normal(bound, math.inf, drift * root) - z, -80, 80, xtol=1e-13)
    assert ours == pytest.approx(exact, rel=1e-9)
    stop = Stop(1, next(iter(space.stops(1))).exit, bound * root, math.inf)
    # P(Z > z | Z > bound) under no effect, far out: the ratio of Mills' series
    tail = conditional_tail(space, [stop], stop, np.array([z * root]), np.zeros(1))[0]
    ratio = quad(lambda x: math.exp(-0.5 * (x - bound) * (x + bound)), z, z + 6, epsabs=0, epsrel=1e-12)[0]
    ratio /= quad(lambda x: math.exp(-0.5 * (x - bound) * (x + bound)), bound, bound + 6, epsabs=0, epsrel=1e-12)[0]
    assert tail == pytest.approx(ratio, rel=1e-10)


def test_a_score_that_does_not_stop_is_refused():
    with pytest.raises(ValueError, match="does not stop"):
        conditional_quantile(SampleSpace(TWO_LOOKS), 1, np.array([1.0]))
