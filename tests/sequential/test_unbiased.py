"""The unbiased estimate: closed form for two looks, quadrature for three, and no bias at all."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import dblquad
from scipy.special import log_ndtr
from stopping_regions import ONE_LOOK, REGIONS, TWO_LOOKS, simulated, unit

from equipoise.sequential.estimators import MaximumLikelihood, Unbiased
from equipoise.sequential.properties import estimator_properties
from equipoise.sequential.region import Region
from equipoise.sequential.sample_space import SampleSpace
from equipoise.sequential.unbiased import first_look_mean, unbiased_estimate


@pytest.mark.parametrize("z", [-3.0, 0.2, 1.977, 2.6, 5.0, 9.0])
def test_two_looks_in_closed_form(z):
    """S_1 given S_2 and going on is N(S_2 t_1, t_1 (1 - t_1)) cut off at the bound (Emerson & Fleming 1990)."""
    time, bound = 0.5, 2.797 * math.sqrt(0.5)
    mean, deviation = z * time, math.sqrt(time * (1 - time))
    cut = (bound - mean) / deviation
    ratio = math.exp(-0.5 * cut**2 - 0.5 * math.log(2 * math.pi) - log_ndtr(cut))
    ours = unbiased_estimate(SampleSpace(TWO_LOOKS), 2, np.array([z]))[0]
    assert ours == pytest.approx((mean - deviation * ratio) / time, abs=1e-12)


@pytest.mark.parametrize("score", [2.1, 0.6, -0.3])
def test_three_looks_by_quadrature(score):
    region = Region(np.array([0.2, 0.5, 1.0]), np.array([-1.0, 0.1, 2.0]), np.array([3.0, 2.5, 2.0]))
    times = region.information
    (low, high), (low2, high2) = (
        (region.lower[k] * times[k] ** 0.5, region.upper[k] * times[k] ** 0.5) for k in (0, 1)
    )

    def density(s2, s1):
        steps = (s1, s2 - s1, score - s2)
        return math.exp(-0.5 * sum(s**2 / t for s, t in zip(steps, (0.2, 0.3, 0.5), strict=True)))

    accuracy = {"epsabs": 1e-14, "epsrel": 1e-12}
    whole = dblquad(density, low, high, low2, high2, **accuracy)[0]
    first = dblquad(lambda s2, s1: s1 * density(s2, s1), low, high, low2, high2, **accuracy)[0]
    assert first_look_mean(SampleSpace(region), 3, np.array([score]))[0] == pytest.approx(first / whole, abs=1e-11)


@pytest.mark.parametrize("name", REGIONS)
def test_unbiased_at_every_drift(name):
    region = REGIONS[name]
    drifts = np.array([-4.0, -1.0, 0.0, 0.6, 2.0, 3.3, 7.0]) * unit(region)
    properties = estimator_properties(region, Unbiased(), drifts)
    np.testing.assert_allclose(properties.bias / unit(region), 0.0, atol=1e-11)
    np.testing.assert_allclose(sum(stop.probability for stop in properties.stops), 1.0, atol=1e-12)


@pytest.mark.parametrize("name", REGIONS)
def test_less_variance_than_the_first_look_alone(name):
    region = REGIONS[name]
    drifts = np.array([0.0, 2.0]) * unit(region)
    first = next(look for look in range(1, region.looks + 1) if list(SampleSpace(region).stops(look)))
    variance = estimator_properties(region, Unbiased(), drifts).variance
    assert np.all(variance < 1.0 / region.information[first - 1])
    # no unbiased estimate beats all information there could be
    assert np.all(variance > unit(region) ** 2)


@pytest.mark.parametrize("name", ["unequal, both bounds", "wedge"])
def test_simulation(name):
    region, drift = REGIONS[name], 1.5
    looks, z = simulated(region, drift, 200_000, seed=11)
    space, values = SampleSpace(region), np.empty(z.shape)
    for look in range(1, space.looks + 1):
        values[looks == look] = unbiased_estimate(space, look, z[looks == look])
    exact = estimator_properties(region, Unbiased(), drift)
    assert abs(values.mean() - drift) < 4 * values.std() / math.sqrt(values.size)
    assert values.var() == pytest.approx(exact.variance[0], rel=0.02)


def test_at_the_first_look_and_for_one_look_it_is_the_likelihood_estimate():
    z = np.array([-2.0, 0.3, 3.5])
    for region in (ONE_LOOK, TWO_LOOKS):
        space = SampleSpace(region)
        np.testing.assert_allclose(
            unbiased_estimate(space, 1, z), MaximumLikelihood().estimate(space, 1, z), rtol=1e-14
        )


def test_looks_that_cannot_stop_do_not_matter():
    region = REGIONS["nothing spent first"]
    without = Region(region.information[1:], region.lower[1:], region.upper[1:])
    z = np.array([-1.0, 1.0, 2.6])
    ours = unbiased_estimate(SampleSpace(region), 3, z)
    np.testing.assert_allclose(ours, unbiased_estimate(SampleSpace(without), 2, z), atol=1e-12)


def test_mirror_image_and_later_looks():
    region = REGIONS["unequal, both bounds"]
    space, z = SampleSpace(region), np.array([0.1, 2.8])
    np.testing.assert_allclose(
        unbiased_estimate(space, 2, z), -unbiased_estimate(space.mirrored, 2, -z), rtol=1e-12, atol=1e-13
    )
    np.testing.assert_allclose(unbiased_estimate(space, 2, z), unbiased_estimate(SampleSpace(region.first(2)), 2, z))


def test_rare_outcomes():
    """A score no trial reaches pulls S_2 up to its bound, and S_1 to the middle of the bridge that ends there."""
    space = SampleSpace(REGIONS["five looks, two-sided"])
    _, bound, _ = space.edges(2)
    distances = []
    for z in (10.0, 25.0, 60.0):
        mean = first_look_mean(space, 3, np.array([z * math.sqrt(0.6)]))[0]
        distances.append(abs(mean / (0.5 * bound) - 1))
    assert distances[0] > distances[1] > distances[2]
    assert distances[2] < 4e-3
