"""Extreme inputs: finite, monotone, without a warning; a bound that does not exist is infinite and says so."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import ndtr, ndtri

import equipoise as eq

FAMILIES = [
    eq.OBrienFlemingSpending(),
    eq.PocockSpending(),
    eq.PowerSpending(3),
    eq.HwangShihDeCaniSpending(-4),
    eq.OBrienFleming(),
    eq.Pocock(),
    eq.WangTsiatis(0.25),
    eq.HaybittlePeto(9.0),
    eq.NoEarlyStopping(),
]


@pytest.mark.parametrize("sided", [1, 2])
@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_tiny_alpha(family, sided):
    design = eq.GroupSequential((0.25, 0.5, 1.0), 1e-12 * sided, sided, family, beta=0.1)
    bounds = design.efficacy_bounds
    assert not np.isnan(bounds).any()
    assert bounds[-1] >= -ndtri(1e-12) - 1e-9
    assert design.alpha_spent[-1] == pytest.approx(1e-12 * sided, rel=1e-9)
    exits = design.exit_probabilities(0.0)
    assert sided * exits.upper.sum() == pytest.approx(1e-12 * sided, rel=1e-8)
    assert math.isfinite(design.drift)
    assert design.power(design.drift) == pytest.approx(0.9, abs=1e-11)


@pytest.mark.parametrize("sided", [1, 2])
@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_fifty_looks(family, sided):
    design = eq.GroupSequential(np.arange(1, 51) / 50, 0.025 * sided, sided, family)
    bounds = design.efficacy_bounds
    assert not np.isnan(bounds).any()
    exits = design.exit_probabilities(0.0)
    assert exits.upper.sum() == pytest.approx(0.025, abs=1e-10)
    power = design.power(np.array([0.0, 1.0, 2.0, 4.0, 8.0, 40.0]))
    assert np.all(np.diff(power) > 0)
    assert power[-1] == pytest.approx(1.0, abs=1e-12)


def test_fifty_looks_with_futility():
    for sided, binding in ((1, False), (1, True), (2, False)):
        design = eq.GroupSequential(
            np.arange(1, 51) / 50, 0.025 * sided, sided, futility=eq.PowerSpending(2), beta=0.1, binding=binding
        )
        exits = design.exit_probabilities(np.array([0.0, design.drift]))
        assert exits.upper[1].sum() == pytest.approx(0.9, abs=1e-10)
        if binding:
            assert exits.upper[0].sum() == pytest.approx(0.025, abs=1e-10)
        assert np.all(design.futility_bounds <= design.efficacy_bounds)


@pytest.mark.parametrize("sided", [1, 2])
@pytest.mark.parametrize("family", FAMILIES[:3] + FAMILIES[5:6], ids=lambda family: family.name)
def test_looks_a_ten_thousandth_apart(family, sided):
    times = (0.4999, 0.5, 0.5001, 0.9999, 1.0)
    design = eq.GroupSequential(times, 0.025 * sided, sided, family, beta=0.1)
    assert np.isfinite(design.efficacy_bounds).all()
    assert design.exit_probabilities(0.0).upper.sum() == pytest.approx(0.025, abs=1e-10)
    merged = eq.GroupSequential((0.5, 1.0), 0.025 * sided, sided, family, beta=0.1)
    assert design.drift == pytest.approx(merged.drift, rel=0.02)


def test_very_early_look():
    design = eq.GroupSequential((1e-4, 0.5, 1.0), 0.05, 2)
    assert design.efficacy_bounds[0] == math.inf
    assert "inf" in str(design)
    assert design.to_dict()["efficacy_bounds"][0] is None
    assert eq.GroupSequential((1e-4, 0.5, 1.0), 0.05, 2, eq.PocockSpending()).efficacy_bounds[0] == pytest.approx(
        -ndtri(eq.PocockSpending().spent(1e-4, 0.025)), abs=1e-12
    )


@pytest.mark.parametrize("futility", [None, eq.PowerSpending(2)])
def test_drift_of_forty(futility):
    design = eq.GroupSequential((0.2, 0.6, 1.0), 0.025, 1, futility=futility, beta=0.1)
    exits = design.exit_probabilities(np.array([-40.0, 40.0]))
    assert exits.upper[1].sum() == pytest.approx(1.0, abs=1e-13)
    assert 0 <= exits.upper[0].sum() < 1e-100
    information = design.expected_information(np.array([-40.0, 40.0]))
    assert np.all((information >= 0.2) & (information <= 1.0))


@pytest.mark.parametrize("look", [1, 2, 3])
@pytest.mark.parametrize("z", [12.0, -12.0])
@pytest.mark.parametrize("sided", [1, 2])
def test_z_of_twelve(look, z, sided):
    design = eq.GroupSequential((0.3, 0.6, 1.0), 0.025 * sided, sided)
    conclusion = design.conclude(eq.Estimate(z, 1.0), look=look)
    if sided == 1 and z < 0 and look < 3:
        assert conclusion.decision is eq.Decision.CONTINUE
        return
    assert math.isfinite(conclusion.median_unbiased)
    assert conclusion.interval.lower < conclusion.median_unbiased < conclusion.interval.upper
    assert 0 <= conclusion.p_value <= 1
    if look == 1:
        assert conclusion.p_value == pytest.approx(
            sided * ndtr(-abs(z)) if z > 0 or sided == 2 else ndtr(-z), rel=1e-10
        )
    assert 0 < conclusion.repeated_p_value <= 1
    earlier = sided * ndtr(-design.efficacy_bounds[: look - 1]).max(initial=0)
    if z > 0 or sided == 2:
        assert conclusion.p_value >= earlier


def test_a_wedge_look_close_to_the_one_before():
    """The density has a hole there; the wedge must be found all the same."""
    spending = eq.OBrienFlemingSpending()
    planned = eq.GroupSequential((0.6, 0.8, 1.0), 0.05, 2, spending, spending, 0.2)
    near, further = (planned.bounds_at((0.6, 0.8, time, 1.0), True) for time in (0.803, 0.81))
    assert near.futility[2] == pytest.approx(further.futility[2], abs=0.01)
    for times in ((0.6, 0.603, 1.0), (0.0215357, 0.0335534, 0.712523, 0.7199676, 1.0)):
        design = eq.GroupSequential(times, 0.05, 2, spending, spending, 0.2)
        assert design.power(design.drift) == pytest.approx(0.8, abs=1e-10)
        spent = design.exit_probabilities(design.spending_drift).futility
        np.testing.assert_allclose(np.cumsum(spent), design.beta_spent, atol=1e-10)


def test_binding_futility_that_leaves_less_than_alpha():
    """Bounds stay finite and what is said to be spent is what is spent."""
    design = eq.GroupSequential((0.5, 1.0), 0.3, 1, eq.NoEarlyStopping(), eq.FixedBounds((0.6,)), 0.2, True)
    assert np.isfinite(design.efficacy_bounds[-1])
    assert design.alpha_spent[-1] < 0.3
    exits = design.exit_probabilities(0.0)
    assert exits.upper.sum() == pytest.approx(design.alpha_spent[-1], abs=1e-12)
    plan = eq.GroupSequential(
        (0.3921, 1.0), 0.001, 2, eq.PowerSpending(5), eq.FixedBounds((0.38,), "predictive power"), 0.2, True
    )
    found = plan.bounds_at((0.373, 0.956, 1.0), True)
    assert np.isfinite(found.efficacy).all()
    reached = found.region(2, True).exit_probabilities(np.zeros(1))
    assert 2 * reached.upper.sum() == pytest.approx(found.alpha_spent[-1], abs=1e-12)


@pytest.mark.parametrize("z", [30.0, 60.0, 99.0])
@pytest.mark.parametrize("freedom", [math.inf, 5000.0, 50.0])
def test_absurdly_large_effects(z, freedom):
    design = eq.GroupSequential((0.3, 0.6, 1.0), 0.05, 2)
    first, last = (design.conclude(eq.Estimate(z, 1.0, freedom), look=look) for look in (1, 3))
    assert first.decision is last.decision is eq.Decision.EFFICACY
    assert first.interval.lower < z < first.interval.upper
    # the stage-wise ordering ranks a late stop below every earlier one, however large
    assert last.interval.lower < last.median_unbiased < last.interval.upper
    with pytest.raises(eq.InputError, match="within 100 standard errors"):
        design.conclude(eq.Estimate(1e6, 1.0), look=1)


def test_t_so_far_out_that_its_tail_underflows():
    for freedom in (30.0, 400.0, 5000.0):
        edge = 36.4
        at = eq.Estimate(eq.Estimate(0.0, 1.0, freedom).quantile(edge), 1.0, freedom)
        assert at.z == pytest.approx(edge, rel=1e-9)
        steps = [eq.Estimate(at.effect * factor, 1.0, freedom).z for factor in (1.0, 1.05, 1.1, 1.2, 1.5)]
        assert np.isfinite(steps).all()
        assert np.all(np.diff(steps) > 0)
    # nearly normal: z of t as the expansion has it, t (1 - (t^2 + 1) / (4 f)) to first order
    assert eq.Estimate(45.0, 1.0, 1e7).z == pytest.approx(45.0 * (1 - (45.0**2 + 1) / 4e7), rel=1e-7)


def test_alpha_of_a_thousand_million_millionth():
    design = eq.GroupSequential((0.5, 1.0), 1e-15, 2)
    conclusion = design.conclude(eq.Estimate(9.0, 1.0), look=2)
    assert conclusion.interval.lower < 9.0 < conclusion.interval.upper


@pytest.mark.parametrize("scale", ["predictive power", "conditional power at trend", "conditional power"])
@pytest.mark.parametrize("efficacy", [eq.OBrienFlemingSpending(), eq.HaybittlePeto(3.0)])
def test_binding_futility_so_strict_that_alpha_cannot_be_spent(scale, efficacy):
    """Eight looks at which three in ten chances are not enough: the level holds, what is spent is said."""
    times = np.arange(1, 9) / 8
    design = eq.GroupSequential(times, 0.025, 1, efficacy, eq.FixedBounds((0.3,), scale), 0.2, binding=True)
    assert np.isfinite(design.efficacy_bounds).all()
    assert design.power(design.drift) == pytest.approx(0.8, abs=1e-10)
    spent = design.exit_probabilities(0.0).upper.sum()
    assert spent <= 0.025 + 1e-12
    assert spent == pytest.approx(design.alpha_spent[-1], abs=1e-11)
