"""Spending functions: closed forms, limits, and refusals."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from equipoise.errors import InputError
from equipoise.sequential import (
    GroupSequential,
    HwangShihDeCaniSpending,
    OBrienFlemingSpending,
    PocockSpending,
    PowerSpending,
    SpendingFunction,
    UserSpending,
    stopping_rule,
)

FRACTIONS = np.linspace(0, 1, 41)
FAMILIES = [
    OBrienFlemingSpending(),
    PocockSpending(),
    PowerSpending(0.5),
    PowerSpending(3),
    HwangShihDeCaniSpending(-4),
    HwangShihDeCaniSpending(0),
    HwangShihDeCaniSpending(2),
    UserSpending((0.1, 0.4, 1.0), (0.3, 0.6, 1.0)),
]


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_every_family_rises_from_nothing_to_the_level(family):
    assert isinstance(family, SpendingFunction)
    spent = family.spent(FRACTIONS, 0.025)
    assert spent.shape == FRACTIONS.shape
    assert spent[0] == 0
    assert spent[-1] == pytest.approx(0.025, abs=1e-17)
    assert np.all(np.diff(spent) >= 0)
    assert family.spent(1.3, 0.025) == pytest.approx(0.025, abs=1e-17)
    assert hash(family) == hash(type(family)(**vars(family)))


def test_obrien_fleming_type_two_sided_formula():
    per_side = OBrienFlemingSpending().spent([0.4, 0.7], 0.025)
    total = 4 - 4 * norm.cdf(norm.ppf(1 - 0.05 / 4) / np.sqrt([0.4, 0.7]))
    np.testing.assert_allclose(2 * per_side, total, rtol=0, atol=1e-15)


def test_closed_forms():
    t = FRACTIONS
    np.testing.assert_allclose(PocockSpending().spent(t, 0.05), 0.05 * np.log(1 + (np.e - 1) * t), atol=1e-16)
    np.testing.assert_allclose(PowerSpending(2).spent(t, 0.05), 0.05 * t**2, atol=1e-17)
    gamma = (1 - np.exp(4 * t)) / (1 - np.exp(4))
    np.testing.assert_allclose(HwangShihDeCaniSpending(-4).spent(t, 0.05), 0.05 * gamma, atol=1e-16)
    nearly_even = HwangShihDeCaniSpending(1e-9).spent(t, 0.05)
    np.testing.assert_allclose(nearly_even, HwangShihDeCaniSpending(0).spent(t, 0.05), atol=1e-10)


def test_user_shares_hold_at_the_looks_of_the_design_and_are_linear_between():
    design = GroupSequential((0.5, 1.0), 0.05, 2, UserSpending((0.2, 1.0)))
    np.testing.assert_allclose(design.alpha_spent, [0.01, 0.05], atol=1e-16)
    assert design.bounds_at([0.75]).alpha_spent[0] == pytest.approx(0.05 * 0.6)
    with pytest.raises(InputError, match="information"):
        UserSpending((0.2, 1.0)).spent(0.5, 0.05)
    with pytest.raises(InputError, match="2 information fractions"):
        GroupSequential((0.3, 0.6, 1.0), efficacy=UserSpending((0.2, 1.0)))


def test_registry():
    assert stopping_rule("obrien-fleming") == OBrienFlemingSpending()
    assert stopping_rule("pocock") == PocockSpending()
    assert stopping_rule("power", rho=2.0) == PowerSpending(2.0)
    assert stopping_rule("hwang-shih-decani", gamma=-2.0) == HwangShihDeCaniSpending(-2.0)
    assert stopping_rule("user", cumulative=(0.5, 1.0)) == UserSpending((0.5, 1.0))


@pytest.mark.parametrize(
    "build",
    [
        lambda: stopping_rule("haybittle"),
        lambda: stopping_rule("power", gamma=1.0),
        lambda: stopping_rule("user"),
        lambda: PowerSpending(0.0),
        lambda: PowerSpending(np.nan),
        lambda: HwangShihDeCaniSpending(np.inf),
        lambda: UserSpending((0.5, 0.4, 1.0)),
        lambda: UserSpending((0.5, 0.9)),
        lambda: UserSpending(()),
        lambda: UserSpending((0.5, 1.0), (0.5, 0.9)),
        lambda: OBrienFlemingSpending().spent(-0.1, 0.05),
        lambda: PocockSpending().spent(np.nan, 0.05),
    ],
)
def test_refusals(build):
    with pytest.raises(InputError):
        build()
