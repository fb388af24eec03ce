"""Classical boundaries: printed tables, type I error by another integration, limits and refusals."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm
from trapezoid_integration import by_trapezoid

import equipoise as eq
from equipoise.sequential import parameters_of
from equipoise.sequential.rules import RULES
from published_values import (
    OBRIEN_FLEMING,
    OBRIEN_FLEMING_INFLATION,
    POCOCK,
    POCOCK_INFLATION,
    WANG_TSIATIS,
)


def even(looks):
    return tuple(np.arange(1, looks + 1) / looks)


def printed(table):
    return [(first, looks, value) for first, row in table.items() for looks, value in row.items()]


@pytest.mark.parametrize(("alpha", "looks", "constant"), printed(POCOCK))
def test_pocock_table(alpha, looks, constant):
    bounds = eq.GroupSequential(even(looks), alpha, 2, eq.Pocock()).efficacy_bounds
    np.testing.assert_allclose(bounds, constant, atol=5.1e-4)


@pytest.mark.parametrize(("alpha", "looks", "constant"), printed(OBRIEN_FLEMING))
def test_obrien_fleming_table(alpha, looks, constant):
    bounds = eq.GroupSequential(even(looks), alpha, 2, eq.OBrienFleming()).efficacy_bounds
    np.testing.assert_allclose(bounds * np.sqrt(even(looks)), constant, atol=5.1e-4)


@pytest.mark.parametrize(("delta", "looks", "constant"), printed(WANG_TSIATIS))
def test_wang_tsiatis_table(delta, looks, constant):
    bounds = eq.GroupSequential(even(looks), 0.05, 2, eq.WangTsiatis(delta)).efficacy_bounds
    np.testing.assert_allclose(bounds[-1], constant, atol=5.1e-4)
    np.testing.assert_allclose(bounds, bounds[-1] * np.array(even(looks)) ** (delta - 0.5), rtol=1e-15)


@pytest.mark.parametrize(
    ("family", "table"), [(eq.Pocock(), POCOCK_INFLATION), (eq.OBrienFleming(), OBRIEN_FLEMING_INFLATION)]
)
def test_inflation_tables(family, table):
    for power, looks, factor in printed(table):
        design = eq.GroupSequential(even(looks), 0.05, 2, family, beta=1 - power)
        assert design.inflation_factor == pytest.approx(factor, abs=5.1e-4)


FAMILIES = [
    eq.Pocock(),
    eq.OBrienFleming(),
    eq.WangTsiatis(0.3),
    eq.HaybittlePeto(3.0),
    eq.FixedBounds((3.0, 2.5)),
    eq.FixedBounds((0.001, 0.01), "p-value"),
]


@pytest.mark.parametrize("sided", [1, 2])
@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_type_one_error_by_another_integration(family, sided):
    design = eq.GroupSequential((0.2, 0.7, 1.0), sided * 0.025, sided, family)
    upper = design.efficacy_bounds
    lower = -upper if sided == 2 else np.full(3, -np.inf)
    exits = by_trapezoid(design.information, lower, upper, 0.0)
    np.testing.assert_allclose(np.cumsum(exits) * sided, design.alpha_spent, atol=1e-10, rtol=0)
    assert design.alpha_spent[-1] == pytest.approx(design.alpha, abs=1e-12)


def test_pocock_and_obrien_fleming_are_wang_tsiatis():
    times = (0.25, 0.6, 1.0)
    for family, delta in ((eq.Pocock(), 0.5), (eq.OBrienFleming(), 0.0)):
        np.testing.assert_array_equal(
            eq.GroupSequential(times, 0.05, 2, family).efficacy_bounds,
            eq.GroupSequential(times, 0.05, 2, eq.WangTsiatis(delta)).efficacy_bounds,
        )


def test_one_look_is_the_fixed_test():
    for family in (eq.Pocock(), eq.OBrienFleming(), eq.HaybittlePeto()):
        design = eq.GroupSequential((1.0,), 0.05, 2, family, beta=0.2)
        assert design.efficacy_bounds == pytest.approx([norm.isf(0.025)], abs=1e-12)
        assert design.inflation_factor == pytest.approx(1.0, abs=1e-12)


def test_no_early_stopping_is_the_fixed_test_at_the_last_look():
    design = eq.GroupSequential((0.3, 0.6, 1.0), 0.025, 1, eq.NoEarlyStopping(), beta=0.1)
    assert np.all(np.isinf(design.efficacy_bounds[:2]))
    assert design.efficacy_bounds[2] == pytest.approx(norm.isf(0.025), abs=1e-13)
    assert design.inflation_factor == pytest.approx(1.0, abs=1e-12)


def test_bounds_fixed_in_full_spend_what_they_spend():
    design = eq.GroupSequential((0.5, 1.0), 0.05, 2, eq.FixedBounds((3.0, 2.0)))
    np.testing.assert_array_equal(design.efficacy_bounds, [3.0, 2.0])
    exits = by_trapezoid((0.5, 1.0), np.array([-3.0, -2.0]), np.array([3.0, 2.0]), 0.0)
    np.testing.assert_allclose(design.alpha_spent, 2 * np.cumsum(exits), atol=1e-10)
    assert design.alpha_spent[-1] < 0.05
    with pytest.raises(eq.InputError, match=r"at most 0\.025"):
        _ = eq.GroupSequential((0.5, 1.0), 0.05, 2, eq.FixedBounds((2.0, 2.0))).efficacy_bounds


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_other_information_than_planned_keeps_alpha(family):
    """A classical boundary at other looks than planned: fewer, more, early end, over-running."""
    design = eq.GroupSequential((0.2, 0.7, 1.0), 0.05, 2, family)
    for observed, final in (
        ((0.25, 0.66, 1.04), None),
        ((0.5, 1.0), None),
        ((0.2, 0.5, 0.7, 0.97), True),
        ((0.4,), True),
    ):
        found = design.bounds_at(observed, final)
        assert found.complete
        exits = by_trapezoid(observed, -found.efficacy, found.efficacy, 0.0)
        np.testing.assert_allclose(2 * np.cumsum(exits), found.alpha_spent, atol=1e-10)
        assert found.alpha_spent[-1] == pytest.approx(0.05, abs=1e-12)
    partial = design.bounds_at((0.2, 0.7), False)
    np.testing.assert_allclose(partial.efficacy, design.efficacy_bounds[:2], atol=1e-10)


def test_names_make_every_rule():
    given = {
        "user": {"cumulative": (0.5, 1.0)},
        "fixed": {"values": (2.8, 2.0)},
        "wang-tsiatis": {"delta": 0.1},
        "haybittle-peto": {"bound": 3.3},
    }
    for name in RULES:
        rule = eq.stopping_rule(name, **given.get(name, {}))
        assert isinstance(rule, RULES[name])
        design = eq.GroupSequential((0.5, 1.0), 0.05, 2, rule)
        assert rule.name in str(design)
    assert parameters_of("classical-pocock") == {}
    for wrong in (
        lambda: eq.stopping_rule("tukey"),
        lambda: eq.stopping_rule("fixed"),
        lambda: eq.stopping_rule("classical-pocock", delta=1.0),
        lambda: eq.WangTsiatis(np.nan),
        lambda: eq.HaybittlePeto(-1.0),
        lambda: eq.GroupSequential((0.5, 1.0), 0.05, 2, eq.FixedBounds((2.0, 2.0, 2.0))),
        lambda: eq.GroupSequential((0.5, 1.0), 0.05, 2, eq.FixedBounds((0.3,), "conditional power")),
        lambda: eq.GroupSequential((0.5, 1.0), 0.05, 2, eq.HaybittlePeto(1.5)).efficacy_bounds,
        lambda: eq.FixedBounds((1.5,), "p-value"),
        lambda: eq.FixedBounds((0.5,), "power"),
        lambda: eq.FixedBounds(()),
    ):
        with pytest.raises(eq.InputError):
            wrong()
