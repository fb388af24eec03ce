"""Crossing probabilities against other ways to compute them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import multivariate_normal, norm
from trapezoid_integration import by_trapezoid

from equipoise.errors import InputError
from equipoise.sequential.integration import Grid, start
from region_exits import exit_probabilities

EVEN = np.arange(1, 6) / 5
UNEVEN = np.array([0.03, 0.04, 0.5, 0.97, 1.0])


@pytest.mark.parametrize("drift", [0.0, 2.5])
def test_two_looks_by_adaptive_quadrature(drift):
    times, upper = [0.3, 1.0], np.array([2.2, 1.9])
    above, below = exit_probabilities(times, -upper, upper, np.array([drift]))

    def integrand(score):
        rest = norm.sf(upper[1], score + 0.7 * drift, math.sqrt(0.7))
        return norm.pdf(score, 0.3 * drift, math.sqrt(0.3)) * rest

    expected, _ = quad(integrand, -2.2 * math.sqrt(0.3), 2.2 * math.sqrt(0.3), epsabs=1e-14, epsrel=1e-13)
    assert above[0, 0] == pytest.approx(norm.sf(2.2 - drift * math.sqrt(0.3)), abs=1e-15)
    assert above[0, 1] == pytest.approx(expected, abs=1e-13)
    assert below[0, 0] == pytest.approx(norm.cdf(-2.2 - drift * math.sqrt(0.3)), abs=1e-15)


def test_three_looks_by_the_trapezoidal_rule():
    times, lower, upper = [0.3, 0.6, 1.0], np.array([-1.0, 0.2, 1.9]), np.array([2.8, 2.4, 1.9])
    above, _ = exit_probabilities(times, lower, upper, np.array([0.0, 3.0]))
    for row, drift in zip(above, (0.0, 3.0), strict=True):
        np.testing.assert_allclose(row, by_trapezoid(times, lower, upper, drift, 1201), atol=1e-10, rtol=0)


@pytest.mark.parametrize("times", [EVEN, UNEVEN], ids=["even", "uneven"])
def test_no_crossing_by_the_multivariate_normal(times):
    upper = np.array([2.9, 2.7, 2.4, 2.1, 2.0])
    covariance = np.sqrt(np.minimum.outer(times, times) / np.maximum.outer(times, times))
    above, _ = exit_probabilities(times, np.full(5, -np.inf), upper, np.array([0.0]))
    inside = multivariate_normal(np.zeros(5), covariance, seed=1, maxpts=2_000_000, abseps=1e-8, releps=1e-8).cdf(upper)
    assert 1 - above.sum() == pytest.approx(inside, abs=1e-6)


@pytest.mark.parametrize("times", [EVEN, UNEVEN], ids=["even", "uneven"])
@pytest.mark.parametrize("lowest", [-np.inf, 0.0, -2.0])
def test_the_grid_has_converged_and_nothing_is_lost(times, lowest):
    upper, lower = np.array([3.5, 3.0, np.inf, 2.3, 2.0]), np.full(5, lowest)
    lower[-1] = 2.0
    drifts = np.array([-20.0, -3.0, 0.0, 1.0, 4.0, 20.0])
    above, below = exit_probabilities(times, lower, upper, drifts)
    finer, finer_below = exit_probabilities(times, lower, upper, drifts, Grid(order=24, width=2.0, reach=10.0))
    np.testing.assert_allclose(above, finer, atol=1e-14, rtol=0)
    np.testing.assert_allclose(below, finer_below, atol=1e-14, rtol=0)
    np.testing.assert_allclose((above + below).sum(axis=1), 1.0, atol=1e-13, rtol=0)


def test_one_recursion_serves_many_drifts():
    drifts = np.linspace(-30, 40, 71)
    upper, lower = np.array([np.inf, 2.8, 2.5, 2.2, 2.0]), np.full(5, -np.inf)
    together, _ = exit_probabilities(EVEN, lower, upper, drifts)
    apart = np.vstack([exit_probabilities(EVEN, lower, upper, np.array([drift]))[0] for drift in drifts])
    np.testing.assert_allclose(together, apart, atol=1e-14, rtol=0)


def test_tails_keep_their_relative_accuracy():
    """P(first crossing at look 2) far out, against quadrature of the integrand scaled up."""
    times, bound = [0.5, 1.0], 11.0
    above, _ = exit_probabilities(times, [-np.inf, -np.inf], [np.inf, bound], np.array([0.0]))
    assert above[0, 1] == pytest.approx(norm.sf(bound), rel=1e-11)


def test_quantile_inverts_the_tail():
    state = start().advance(0.4, -0.5, 1.5, 1.0, (0.0, 9.0))
    for probability in (0.3, 0.02, 1e-6, 1e-30):
        score = state.upper_quantile(1.0, probability)
        assert state.upper_exit(1.0, score, np.zeros(1))[0] == pytest.approx(probability, rel=1e-12)
    assert state.upper_quantile(1.0, 0.0) == math.inf
    assert state.upper_quantile(1.0, 0.9999) == -math.inf


def test_moments_of_the_score():
    state, drifts = start().advance(0.4, -0.5, 1.5, 1.0, (0.0, 3.0)), np.array([0.0, 2.0])
    whole = state.upper_moment(1.0, -math.inf, drifts)
    np.testing.assert_allclose(state.upper_moment(1.0, 1.1, drifts) + state.lower_moment(1.0, 1.1, drifts), whole)
    first = start().upper_moment(0.25, 0.4, drifts)
    u = (drifts * 0.25 - 0.4) / 0.5
    np.testing.assert_allclose(first, drifts * 0.25 * norm.cdf(u) + 0.5 * norm.pdf(u), rtol=1e-14)


@pytest.mark.parametrize("tolerance", [1e-3, 1e-6, 1e-9, 1e-12, 1e-15])
@pytest.mark.parametrize("times", [(0.2, 0.4, 0.6, 0.8, 1.0), (0.03, 0.04, 0.5, 0.97, 1.0)])
def test_a_grid_keeps_its_tolerance(times, tolerance):
    lower, upper = np.array([-1.0, -0.5, 0.2, 0.8, 2.0]), np.array([4.5, 3.1, 2.6, 2.2, 2.0])
    drifts = np.linspace(-3.0, 8.0, 23)
    grid = Grid.within(tolerance)
    ours = exit_probabilities(times, lower, upper, drifts, grid)
    exact = exit_probabilities(times, lower, upper, drifts, Grid(32, 1.5, 11.0))
    error = max(np.abs(one - other).max() for one, other in zip(ours, exact, strict=True))
    assert error < max(tolerance, 3e-15)
    assert grid.order <= Grid.within(tolerance / 10).order


def test_the_grid_by_default_is_that_of_double_precision():
    assert Grid.within(1e-16).order == 16
    with pytest.raises(InputError, match="tolerance"):
        Grid.within(0.0)
