"""Weighted products of uniform p-values: closed forms, quadrature and simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import gammaincc, log_ndtr, ndtr, ndtri, ndtri_exp

from equipoise.errors import InputError
from equipoise.sequential.weighted_product import first_passages, power

ONES = np.ones(6)


@pytest.mark.parametrize("looks", range(1, 7))
@pytest.mark.parametrize("threshold", [0.5, 6.0, 20.0, 60.0, 400.0])
def test_a_constant_threshold_is_that_of_a_chi_square(looks, threshold):
    ours = first_passages(ONES[:looks], np.full(looks, threshold)).sum()
    assert ours == pytest.approx(gammaincc(looks, threshold), rel=1e-12)


@given(st.floats(0.05, 12), st.floats(0.05, 12))
@settings(max_examples=50)
def test_two_looks_with_equal_exponents(first, second):
    """P(p1 p2 <= c2 < c1 < p1) = c2 (-log c1) if c2 < c1, else c2 - c1 + c2 (-log c2)."""
    ours = first_passages(ONES[:2], np.array([first, second]))
    c1, c2 = math.exp(-first), math.exp(-second)
    later = c2 * first if c2 <= c1 else c2 - c1 + c2 * second
    assert ours[0] == pytest.approx(c1, rel=1e-14)
    assert ours[1] == pytest.approx(later, rel=1e-12)


@given(st.floats(0.3, 3), st.floats(0.5, 8), st.floats(0.0, 4), st.floats(0.05, 1.0))
@settings(max_examples=50)
def test_two_looks_with_a_floor_and_unequal_exponents(exponent, first, more, alpha0):
    """P(c1 < p1 < alpha0, p1 p2^g <= c2), c2 <= c1: g / (g - 1) c2^(1/g) (alpha0^(1 - 1/g) - c1^(1 - 1/g))."""
    ours = first_passages(
        np.array([1.0, exponent]), np.array([first, first + more]), np.array([-math.log(alpha0), 0.0])
    )
    low, high = math.exp(-first), alpha0
    later = quad(lambda p: min(1.0, (math.exp(-first - more) / p) ** (1 / exponent)), low, high)[0] if high > low else 0
    assert ours[1] == pytest.approx(later, rel=1e-8, abs=1e-14)


def test_three_looks_with_equal_exponents():
    """By quadrature over p1 what is closed over p2: the integral of c3 / (p1 p2) over p2 from c2 / p1 to 1."""
    b = np.array([4.4, 6.4, 8.1])
    c1, c2, c3 = np.exp(-b)
    inner = quad(lambda p1: c3 / p1 * math.log(p1 / c2), c1, 1, epsabs=1e-16, epsrel=1e-13)[0]
    assert first_passages(ONES[:3], b)[2] == pytest.approx(inner, rel=1e-12)


def test_four_looks_in_which_rpact_loses_five_digits():
    """Sum of two unit exponentials and two of mean a, by quadrature; see test_fisher for what rpact makes of it."""
    a, b = math.sqrt(1.5), 11.2
    tail, _ = quad(
        lambda x: x * math.exp(-x) * (1 + (b - x) / a) * math.exp(-(b - x) / a), 0, b, epsabs=1e-16, epsrel=1e-12
    )
    ours = first_passages(np.array([1.0, a, a, 1.0]), np.full(4, b)).sum()
    assert ours == pytest.approx(tail + (1 + b) * math.exp(-b), rel=1e-12)


def test_no_threshold_and_passed_thresholds():
    np.testing.assert_array_equal(first_passages(ONES[:2], np.full(2, math.inf)), [0, 0])
    np.testing.assert_array_equal(first_passages(ONES[:2], np.array([-1.0, 2.0])), [1, 0])
    late = first_passages(ONES[:3], np.array([math.inf, math.inf, 9.0]))
    assert late[:2].tolist() == [0, 0]
    assert late[2] == pytest.approx(gammaincc(3, 9.0), rel=1e-13)
    certain = first_passages(ONES[:2], np.array([3.0, -1.0]))
    assert certain.sum() == pytest.approx(1.0, abs=1e-14)


def test_against_simulation_with_everything_at_once():
    exponents, thresholds = np.array([1.0, 0.6, 1.7, 1.2]), np.array([3.0, 2.2, 4.0, 6.0])
    floors = np.array([0.2, 0.5, 0.1, 9.0])
    evidence = np.random.default_rng(5).exponential(size=(1_000_000, 4)) * exponents
    total, on, ours = np.cumsum(evidence, axis=1), np.ones(1_000_000, dtype=bool), []
    for look in range(4):
        rejected = on & (total[:, look] >= thresholds[look])
        ours.append(rejected.mean())
        on &= ~rejected & (evidence[:, look] > floors[look])
    np.testing.assert_allclose(first_passages(exponents, thresholds, floors), ours, rtol=0, atol=4e-4 * 4)


@pytest.mark.parametrize(
    "thresholds", [(4.6, 7.4, 9.7, 11.2), (9.0, 9.0, 9.0, 9.0), (math.inf, math.inf, 8.0, 9.0), (5.0, 3.0, 6.0, 4.0)]
)
def test_power_without_effect_is_the_level(thresholds):
    exponents, floors = np.array([1.0, 1.2, 0.8, 1.0]), np.array([0.7, 0.5, 0.0, 0.0])
    for held in (np.zeros(4), floors):
        ours = power(exponents, np.array(thresholds), held, np.zeros(4))
        assert ours == pytest.approx(first_passages(exponents, np.array(thresholds), held).sum(), abs=1e-14)


def test_power_with_two_looks_by_quadrature():
    exponents, thresholds, means = np.array([1.0, 1.3]), np.array([4.2, 6.1]), np.array([1.1, 1.9])

    def later(z):
        needed = math.exp(-max(6.1 + float(log_ndtr(-z)), 0.0) / 1.3)
        return math.exp(-0.5 * (z - 1.1) ** 2) / math.sqrt(2 * math.pi) * float(ndtr(1.9 + ndtri(needed)))

    critical = -float(ndtri_exp(-4.2))
    expected = float(ndtr(1.1 - critical)) + quad(later, -8, critical, epsabs=1e-13, epsrel=1e-12)[0]
    assert power(exponents, thresholds, np.zeros(2), means) == pytest.approx(expected, abs=1e-11)


@pytest.mark.parametrize("thresholds", [(4.6, 7.4, 9.7, 11.2), (9.0, 9.0, 9.0, 9.0)])
def test_power_against_simulation(thresholds):
    exponents, means = np.array([1.0, 0.8, 1.5, 1.0]), np.array([1.0, 1.5, 0.5, 2.0])
    z = np.random.default_rng(6).standard_normal((500_000, 4)) + means
    total = np.cumsum(-log_ndtr(-z) * exponents, axis=1)
    simulated = (total >= thresholds).any(axis=1).mean()
    assert power(exponents, np.array(thresholds), np.zeros(4), means) == pytest.approx(
        simulated, abs=4 * 0.5 / 500_000**0.5
    )


def test_power_rises_with_the_means():
    thresholds = np.array([4.6, 7.4, 9.7])
    values = [power(ONES[:3], thresholds, np.zeros(3), np.full(3, mean)) for mean in (-8.0, -1.0, 0.0, 1.0, 3.0, 30.0)]
    assert np.all(np.diff(values) > 0)
    assert values[0] < 1e-10
    assert values[-1] == 1.0


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (lambda: first_passages(None, np.ones(2)), "exponents is"),
        (lambda: first_passages(np.zeros(2), np.ones(2)), "exponents is"),
        (lambda: first_passages(np.ones(2), "1"), "thresholds is"),
        (lambda: first_passages(np.ones(2), np.ones(3)), "thresholds is"),
        (lambda: first_passages(np.ones(2), np.ones(2), np.array([-1.0, 0.0])), "floors is"),
        (lambda: power(np.ones(2), np.ones(2), None, np.ones(2)), "floors is None"),
        (lambda: power(np.ones(2), np.ones(2), np.zeros(2), np.ones(1)), "means is"),
    ],
)
def test_wrong_types_are_refused_by_name(action, message):
    with pytest.raises(InputError, match=message):
        action()
