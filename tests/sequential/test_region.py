"""Continuation regions: shifting, wedges, and exits by another integration."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import ndtr
from scipy.stats import norm

import equipoise as eq
from equipoise.sequential import Region

TIMES = np.array([0.4, 1.0])
WEDGE = Region(TIMES, np.array([-2.5, -2.0]), np.array([2.5, 2.0]), (np.array([-0.6, -2.0]), np.array([0.6, 2.0])))


def second_look(low, high, drift, pieces):
    """P(low < Z2 < high, Z1 in one of the pieces) by adaptive quadrature."""
    root, rest = np.sqrt(TIMES[0]), np.sqrt(TIMES[1] - TIMES[0])
    mean = drift * (TIMES[1] - TIMES[0])

    def inside(z):
        ends = (np.array([low, high]) - z * root - mean) / rest
        return norm.pdf(z - drift * root) * (ndtr(ends[1]) - ndtr(ends[0]))

    return sum(quad(inside, *piece, epsabs=1e-14, epsrel=1e-13)[0] for piece in pieces)


@pytest.mark.parametrize("drift", [-1.0, 0.0, 2.8])
def test_wedge_by_quadrature(drift):
    exits = WEDGE.exit_probabilities(np.array([drift]))
    pieces = ((-2.5, -0.6), (0.6, 2.5))
    root = np.sqrt(TIMES[0]) * drift
    assert exits.inner[0, 0] == pytest.approx(ndtr(0.6 - root) - ndtr(-0.6 - root), abs=1e-15)
    assert exits.upper[0, 1] == pytest.approx(second_look(2.0, 40.0, drift, pieces), abs=1e-13)
    assert exits.lower[0, 1] == pytest.approx(second_look(-40.0, -2.0, drift, pieces), abs=1e-13)
    assert exits.inner[0, 1] == pytest.approx(second_look(-2.0, 2.0, drift, pieces), abs=1e-13)
    total = exits.upper.sum() + exits.lower.sum() + exits.inner.sum()
    assert total == pytest.approx(1.0, abs=1e-13)


def test_wedge_is_symmetric():
    drifts = np.array([0.3, 1.7, 4.0])
    here, there = WEDGE.exit_probabilities(drifts), WEDGE.exit_probabilities(-drifts)
    np.testing.assert_allclose(here.upper, there.lower, atol=1e-15)
    np.testing.assert_allclose(here.inner, there.inner, atol=1e-15)


def test_after_a_look_the_rest_is_as_conditional():
    """Exits after a look, averaged over where a trial stands there, are the exits of the whole."""
    drift = 1.3
    whole = WEDGE.exit_probabilities(np.array([drift]))
    root = np.sqrt(TIMES[0])

    def rejected(z):
        ahead = WEDGE.after(TIMES[0], z * root)
        return norm.pdf(z - drift * root) * ahead.exit_probabilities(np.array([drift])).upper.sum()

    found = sum(quad(rejected, *piece, epsabs=1e-12)[0] for piece in ((-2.5, -0.6), (0.6, 2.5)))
    assert found == pytest.approx(whole.upper[0, 1], abs=1e-11)


@pytest.mark.parametrize("binding", [False, True])
@pytest.mark.parametrize("efficacy", [eq.PocockSpending(), eq.OBrienFlemingSpending(), eq.WangTsiatis(0.25)])
@pytest.mark.parametrize("futility", [eq.PocockSpending(), eq.PowerSpending(2), eq.FixedBounds((0.3, 0.8))])
def test_two_sided_futility_by_simulation(binding, efficacy, futility):
    design = eq.GroupSequential((0.3, 0.6, 1.0), 0.05, 2, efficacy, futility, 0.2, binding)
    upper, inner = design.efficacy_bounds, design.futility_bounds
    assert inner[-1] == upper[-1]
    assert design.power(design.drift) == pytest.approx(0.8, abs=1e-11)
    nothing = design.exit_probabilities(0.0)
    if binding:
        assert nothing.upper.sum() + nothing.lower.sum() == pytest.approx(0.05, abs=1e-10)
    else:
        np.testing.assert_array_equal(upper, eq.GroupSequential((0.3, 0.6, 1.0), 0.05, 2, efficacy).efficacy_bounds)
        assert nothing.upper.sum() < 0.025
    if design.beta_spent is not None:
        spent = design.exit_probabilities(design.spending_drift).futility
        np.testing.assert_allclose(np.cumsum(spent), design.beta_spent, atol=1e-11)
        assert design.spending_drift < design.drift
    steps = np.random.default_rng(5).normal(size=(200_000, 3)) * np.sqrt(np.diff((0, 0.3, 0.6, 1.0)))
    paths = (np.cumsum(steps, axis=1) + 2.0 * np.array(design.information)) / np.sqrt(design.information)
    stopped = (np.abs(paths) >= upper) | (np.abs(paths) <= inner)
    first = np.where(stopped.any(axis=1), stopped.argmax(axis=1), 2)
    last = np.take_along_axis(paths, first[:, None], axis=1)[:, 0]
    rejected = np.bincount(first[last >= upper[first]], minlength=3) / len(paths)
    np.testing.assert_allclose(rejected, design.exit_probabilities(2.0).upper, atol=5e-3)


def test_two_sided_decisions():
    design = eq.GroupSequential((0.5, 1.0), 0.05, 2, futility=eq.FixedBounds((0.4,)), beta=0.1)
    decisions = [str(design.decide(z, 1)) for z in (3.5, -3.5, 0.3, -0.3, 0.5, -0.5)]
    assert decisions == ["stop for efficacy", "stop for harm", *["stop for futility"] * 2, *["continue"] * 2]


def test_ordering_round_a_wedge():
    """Inference after a binding wedge: symmetric, uniform under no effect, and the interval covers."""
    design = eq.GroupSequential((0.3, 0.6, 1.0), 0.05, 2, eq.PocockSpending(), eq.PocockSpending(), 0.2, True)
    rng = np.random.default_rng(11)
    drift, p_values, covered = 1.5, [], 0
    steps = rng.normal(size=(1500, 3)) * np.sqrt(np.diff((0, 0.3, 0.6, 1.0)))
    paths = (np.cumsum(steps, axis=1) + drift * np.array(design.information)) / np.sqrt(design.information)
    below = []
    for path in paths:
        for look, z in enumerate(path, 1):
            if design.decide(z, look).stops:
                conclusion = design.conclude(eq.Estimate(z, 1.0), look=look)
                truth = drift * np.sqrt(design.information[look - 1])
                covered += truth in conclusion.interval
                below.append(conclusion.median_unbiased < truth)
                p_values.append(conclusion.trial.tail(z, drift))
                break
    assert covered / len(paths) == pytest.approx(0.95, abs=0.018)
    assert np.mean(below) == pytest.approx(0.5, abs=0.04)
    ranks = np.sort(p_values)
    assert np.abs(ranks - np.arange(1, ranks.size + 1) / ranks.size).max() < 1.63 / np.sqrt(ranks.size)
