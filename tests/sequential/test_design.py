"""Group-sequential designs: published values, type I error by another route, limits, and refusals."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from trapezoid_integration import by_trapezoid

from equipoise.errors import InputError
from equipoise.sequential import (
    GroupSequential,
    HwangShihDeCaniSpending,
    OBrienFlemingSpending,
    PocockSpending,
    PowerSpending,
    UserSpending,
)

FUTILE = GroupSequential((0.3, 0.6, 1.0), 0.025, 1, PocockSpending(), HwangShihDeCaniSpending(-2), 0.1)
BINDING = GroupSequential((0.3, 0.6, 1.0), 0.025, 1, PocockSpending(), HwangShihDeCaniSpending(-2), 0.1, True)


def test_two_looks_as_published():
    np.testing.assert_allclose(GroupSequential().efficacy_bounds, [2.340, 2.012], atol=5e-4)


@pytest.mark.parametrize("sided", [1, 2])
@pytest.mark.parametrize("family", [OBrienFlemingSpending(), PocockSpending(), PowerSpending(1.5)])
@pytest.mark.parametrize("information", [(0.3, 0.6, 1.0), (0.1, 0.15, 0.7, 0.9, 1.0)])
def test_type_one_error_by_another_integration(sided, family, information):
    design = GroupSequential(information, 0.025 * sided, sided, family)
    upper = design.efficacy_bounds
    lower = -upper if sided == 2 else np.full(upper.shape, -np.inf)
    exits = by_trapezoid(information, lower, upper, 0.0)
    np.testing.assert_allclose(sided * np.cumsum(exits), design.alpha_spent, atol=1e-10, rtol=0)
    assert design.alpha_spent[-1] == design.alpha


@pytest.mark.parametrize("design", [FUTILE, BINDING], ids=["non-binding", "binding"])
def test_both_errors_with_futility_by_another_integration(design):
    upper, lower = design.efficacy_bounds, design.futility_bounds
    assert lower[-1] == upper[-1]
    power = by_trapezoid(design.information, lower, upper, design.drift).sum()
    assert power == pytest.approx(0.9, abs=1e-10)
    if design.binding:
        respected = by_trapezoid(design.information, lower, upper, 0.0).sum()
    else:
        respected = by_trapezoid(design.information, np.full(3, -np.inf), upper, 0.0).sum()
    assert respected == pytest.approx(0.025, abs=1e-10)
    exits = design.exit_probabilities(design.drift)
    np.testing.assert_allclose(np.cumsum(exits.futility), design.beta_spent, atol=1e-12)
    assert exits.upper.sum() + exits.futility.sum() == pytest.approx(1.0, abs=1e-13)


@pytest.mark.parametrize("sided", [1, 2])
def test_one_look_is_the_fixed_design(sided):
    design = GroupSequential((1.0,), 0.05, sided, beta=0.1)
    critical = norm.isf(0.05 / sided)
    assert design.efficacy_bounds == pytest.approx([critical], abs=1e-14)
    assert design.drift == pytest.approx(critical + norm.isf(0.1), abs=1e-13)
    assert design.inflation_factor == pytest.approx(1.0, abs=1e-13)
    assert design.power(2.0) == pytest.approx(norm.sf(critical - 2.0), abs=1e-15)
    assert design.expected_information(2.0) == 1.0
    futile = GroupSequential((1.0,), 0.05, 1, futility=PocockSpending(), beta=0.1)
    assert futile.drift == pytest.approx(norm.isf(0.05) + norm.isf(0.1), abs=1e-13)


def test_limits_of_power():
    design = GroupSequential((0.25, 0.5, 1.0), 0.05, 2)
    assert design.power(0.0) == pytest.approx(0.025, abs=1e-14)
    assert design.power(40.0) == pytest.approx(1.0, abs=1e-14)
    assert design.power(-10.0) < 1e-15
    assert design.power(1e9) == 1.0
    assert design.power(-1e9) == 0.0
    np.testing.assert_allclose(FUTILE.exit_probabilities([-1e9, 1e9]).futility[:, 0], [1.0, 0.0])
    assert design.expected_information(40.0) == pytest.approx(0.25, abs=1e-12)
    assert FUTILE.expected_information(-40.0) == pytest.approx(0.3, abs=1e-12)


def test_shapes_and_symmetry():
    design = GroupSequential((0.5, 0.8, 1.0))
    drifts = np.array([[0.0, 1.0, 2.0], [3.0, 4.0, -1.0]])
    exits, mirrored = design.exit_probabilities(drifts), design.exit_probabilities(-drifts)
    assert exits.upper.shape == exits.lower.shape == (2, 3, 3)
    assert exits.futility is None
    np.testing.assert_allclose(exits.upper, mirrored.lower, atol=1e-15)
    assert design.power(drifts).shape == design.expected_information(drifts).shape == (2, 3)
    np.testing.assert_allclose(design.power(drifts)[1, 0], design.power(3.0), atol=1e-15)
    assert isinstance(design.power(1.0), float)
    assert FUTILE.exit_probabilities(1.0).lower is None
    assert np.all(np.diff(design.power(np.linspace(-2, 6, 50))) > 0)


def test_spending_nothing_gives_no_bound():
    design = GroupSequential((0.3, 0.6, 1.0), 0.05, 2, UserSpending((0.0, 0.4, 1.0)), beta=0.2)
    assert design.efficacy_bounds[0] == np.inf
    assert design.to_dict()["efficacy_bounds"][0] is None
    assert design.exit_probabilities(2.0).upper[0] == 0
    assert "inf" in str(design)
    late = GroupSequential((0.3, 0.6, 1.0), 0.025, 1, futility=UserSpending((0.0, 0.4, 1.0)), beta=0.2)
    assert late.futility_bounds[0] == -np.inf


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.floats(0.02, 1.0), min_size=1, max_size=6),
    st.floats(1e-4, 0.1),
    st.sampled_from([1, 2]),
    st.floats(-8, 4),
)
def test_alpha_is_spent_whatever_the_design(steps, alpha, sided, gamma):
    times = np.cumsum(steps) / np.sum(steps)
    times[-1] = 1.0
    design = GroupSequential(times, alpha, sided, HwangShihDeCaniSpending(gamma))
    exits = design.exit_probabilities(0.0)
    np.testing.assert_allclose(sided * np.cumsum(exits.upper), design.alpha_spent, rtol=1e-9, atol=1e-15)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.floats(0.1, 1.0), min_size=2, max_size=5), st.floats(0.05, 0.3), st.booleans())
def test_beta_is_spent_whatever_the_design(steps, beta, binding):
    times = np.cumsum(steps) / np.sum(steps)
    times[-1] = 1.0
    design = GroupSequential(times, 0.025, 1, futility=HwangShihDeCaniSpending(-3), beta=beta, binding=binding)
    assert design.power(design.drift) == pytest.approx(1 - beta, abs=1e-11)
    assert np.all(design.futility_bounds <= design.efficacy_bounds)
    alone = GroupSequential(times, 0.025, 1, beta=beta)
    if not binding:
        np.testing.assert_array_equal(alone.efficacy_bounds, design.efficacy_bounds)
        assert design.drift > alone.drift


@pytest.mark.parametrize("sided", [1, 2])
@pytest.mark.parametrize("family", [OBrienFlemingSpending(), PocockSpending()])
def test_extremes_stay_finite(sided, family):
    design = GroupSequential(np.arange(1, 21) / 20, 1e-6, sided, family, beta=0.01)
    assert np.all(np.isfinite(design.efficacy_bounds))
    assert 6 < design.drift < 9
    exits = design.exit_probabilities([-20.0, 0.0, 20.0])
    assert np.all(np.isfinite(exits.upper))
    assert exits.upper[2].sum() == pytest.approx(1.0, abs=1e-13)
    assert sided * exits.upper[1].sum() == pytest.approx(1e-6, rel=1e-9)
    early = GroupSequential(np.arange(1, 21) / 20, 1e-6, 1, family, HwangShihDeCaniSpending(-2), 0.01)
    assert np.all(np.isfinite(early.futility_bounds))
    assert early.power(early.drift) == pytest.approx(0.99, abs=1e-11)


def test_observed_information():
    design = GroupSequential((0.5, 0.75, 1.0), 0.05, 2)
    early = design.bounds_at([0.4])
    assert not early.complete
    exact = norm.isf(OBrienFlemingSpending().spent(0.4, 0.025))
    assert early.efficacy == pytest.approx([exact], abs=1e-13)
    last = design.bounds_at([0.4, 0.8, 0.95])
    assert last.complete
    assert last.alpha_spent[-1] == 0.05
    exits = by_trapezoid([0.4, 0.8, 0.95], -last.efficacy, last.efficacy, 0.0)
    assert 2 * exits.sum() == pytest.approx(0.05, abs=1e-10)
    beyond = design.bounds_at([0.4, 0.8, 1.2])
    exits = by_trapezoid([0.4, 0.8, 1.2], -beyond.efficacy, beyond.efficacy, 0.0)
    assert 2 * exits.sum() == pytest.approx(0.05, abs=1e-10)
    assert design.bounds_at([0.4, 1.02]).complete
    np.testing.assert_array_equal(design.bounds_at([0.5, 0.75]).efficacy, design.efficacy_bounds[:2])
    changed = FUTILE.bounds_at([0.35, 0.7])
    power = by_trapezoid([0.35, 0.7], changed.futility, changed.efficacy, FUTILE.drift)
    missed = by_trapezoid([0.35, 0.7], -changed.efficacy, -changed.futility, -FUTILE.drift)
    assert np.all(power > 0)
    np.testing.assert_allclose(np.cumsum(missed), changed.beta_spent, atol=1e-10)


def test_beta_spent_at_once_ends_the_trial_at_the_first_look():
    design = GroupSequential((0.5, 1.0), 0.025, 1, PocockSpending(), UserSpending((1.0, 1.0)), 0.1)
    assert design.futility_bounds[0] == pytest.approx(design.efficacy_bounds[0], abs=1e-9)
    assert design.power(design.drift) == pytest.approx(0.9, abs=1e-12)


def test_prints_and_exports():
    text = str(FUTILE)
    for words in ("futility z", "non-binding", "beta spent", "inflation factor", "0.300"):
        assert words in text
    frame = FUTILE.to_frame()
    assert frame.shape == (3, 8)
    assert frame["power"][-1] == pytest.approx(0.9)
    assert json.loads(json.dumps(FUTILE.to_dict(), allow_nan=False))["alpha"] == 0.025
    plain = GroupSequential()
    assert "futility" not in str(plain)
    assert plain.futility_bounds is None
    assert plain.beta_spent is None
    assert pickle.loads(pickle.dumps(FUTILE)) == FUTILE
    assert hash(GroupSequential()) == hash(plain)


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"information": (0.5, 0.9)}, "information"),
        ({"information": (0.5, 0.5, 1.0)}, "information"),
        ({"information": (0.0, 1.0)}, "information"),
        ({"information": ()}, "information"),
        ({"information": (np.nan, 1.0)}, "information"),
        ({"alpha": 0.0}, "alpha"),
        ({"alpha": 0.6, "sided": 1}, "alpha"),
        ({"sided": 3}, "sided"),
        ({"beta": 1.0}, "beta"),
        ({"efficacy": "pocock"}, "efficacy"),
        ({"sided": 1, "beta": 0.1, "futility": "pocock"}, "futility"),
        ({"sided": 1, "futility": PocockSpending()}, "beta"),
    ],
)
def test_refusals(arguments, field):
    with pytest.raises(InputError) as caught:
        GroupSequential(**arguments)
    assert caught.value.field == field


def test_refusals_later():
    design = GroupSequential()
    for bad in ([], [0.5, 0.4], [0.5, 1.0, 1.2], [1.1, 1.2], [np.nan], [-0.5]):
        with pytest.raises(InputError, match="information"):
            design.bounds_at(bad)
    with pytest.raises(InputError, match="beta"):
        _ = design.drift
    with pytest.raises(InputError, match="drift"):
        design.power(np.nan)
