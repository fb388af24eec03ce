"""Conditional power at every look from one pass back, against the recursion forward from each look."""

from __future__ import annotations

import time

import numpy as np
import pytest

import equipoise as eq
from equipoise.sequential.backward import conditional_power_bounds
from equipoise.sequential.futility_scales import on_scale, z_bound


@pytest.mark.parametrize("sided", [1, 2])
@pytest.mark.parametrize("drift", [0.0, 3.2, 8.0])
@pytest.mark.parametrize("family", [eq.OBrienFlemingSpending(), eq.Pocock(), eq.NoEarlyStopping()])
@pytest.mark.parametrize("times", [(0.5, 1.0), (0.3, 0.6, 1.0), (0.1, 0.12, 0.7, 0.95, 1.0)])
@pytest.mark.parametrize("power", [0.01, 0.3, 0.9])
def test_as_from_each_look(sided, drift, family, times, power):
    design = eq.GroupSequential(times, 0.025 * sided, sided, family)
    information, efficacy = np.array(times), design.efficacy_bounds
    ours = conditional_power_bounds([power] * (len(times) - 1), information, efficacy, drift, sided)
    one_by_one = [
        z_bound(power, "conditional power", look, information, efficacy, drift, sided) for look in range(1, len(times))
    ]
    np.testing.assert_allclose(ours, one_by_one, rtol=1e-10, atol=1e-10)


def test_limits():
    information, efficacy = np.array([0.5, 0.8, 1.0]), np.array([3.0, 2.4, 2.0])
    found = conditional_power_bounds([None, 0.0], information, efficacy, 3.0, 1)
    np.testing.assert_array_equal(found, [-np.inf, -np.inf])
    assert conditional_power_bounds([1.0, 0.2], information, efficacy, 3.0, 1)[0] == np.inf


def test_fifty_looks_in_a_moment():
    before = time.perf_counter()
    design = eq.GroupSequential(
        np.arange(1, 51) / 50, 0.025, 1, futility=eq.FixedBounds((0.1,), "conditional power"), beta=0.1
    )
    assert design.power(design.drift) == pytest.approx(0.9, abs=1e-10)
    assert time.perf_counter() - before < 20


def test_binding_bounds_settle_with_twenty_looks():
    """Futility bounds have the conditional power asked for under the very efficacy bounds they have moved."""
    times = np.arange(1, 21) / 20
    futility = eq.FixedBounds((0.3,), "conditional power")
    design = eq.GroupSequential(times, 0.025, 1, futility=futility, beta=0.2, binding=True)
    powers = [
        on_scale(design.futility_bounds[at], "conditional power", at + 1, times, design.efficacy_bounds, design.drift)
        for at in range(19)
    ]
    np.testing.assert_allclose(powers, 0.3, atol=1e-11)
    assert design.exit_probabilities(0.0).upper.sum() == pytest.approx(0.025, abs=1e-11)
