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
