import math

import numpy as np
import pytest

from equipoise import GroupSequential, OBrienFlemingSpending
from equipoise.endpoints.planning.plan_ordinal import Ordinal, common_odds_ratio
from equipoise.endpoints.regression.proportional_odds import proportional_odds_batch
from equipoise.errors import InputError

WHITEHEAD = Ordinal((0.1, 0.2, 0.5, 0.2), 0.85 * 0.3 / (0.15 * 0.7))


def fixed(alpha=0.025, beta=0.1):
    return GroupSequential(information=(1.0,), alpha=alpha, sided=1, beta=beta)


def test_whitehead_1993():
    """Shares 0.2, 0.5, 0.2, 0.1 from very good to poor, odds ratio 2.43 (0.7 to 0.85 good or better): 187 patients for
    90% power at two-sided 5%.
    """
    assert math.log(WHITEHEAD.odds_ratio) == pytest.approx(0.887, abs=5e-4)
    size = WHITEHEAD.sample_size(fixed())
    assert math.ceil(size.fixed_patients) == 187
    np.testing.assert_allclose(WHITEHEAD.experimental, [0.044, 0.106, 0.472, 0.378], atol=5e-4)
    assert WHITEHEAD.power(fixed(), size.fixed_patients).drift == pytest.approx(size.drift, rel=1e-12)


def test_two_levels_are_a_difference_of_proportions():
    """Near no effect the variance is 1 / (p q) (1/n1 + 1/n2)."""
    plan = Ordinal((0.7, 0.3), 1 + 1e-9)
    assert plan.information((60, 40)) == pytest.approx(0.21 * 24, rel=1e-8)


def test_mirrored_levels_need_as_many_patients():
    mirrored = Ordinal(WHITEHEAD.control[::-1], 1 / WHITEHEAD.odds_ratio, better="lower")
    assert mirrored.fixed_size(0.025, 0.9) == pytest.approx(WHITEHEAD.fixed_size(0.025, 0.9), rel=1e-12)
    np.testing.assert_allclose(mirrored.experimental[::-1], WHITEHEAD.experimental, rtol=1e-12)
    split = Ordinal((0.1, 0.0, 0.2, 0.5, 0.2), WHITEHEAD.odds_ratio)
    assert split.fixed_size(0.025, 0.9) == pytest.approx(WHITEHEAD.fixed_size(0.025, 0.9), rel=1e-12)


def test_critical_effects_have_the_bounds_as_z():
    rule = GroupSequential(information=(0.5, 1.0), alpha=0.025, sided=1, efficacy=OBrienFlemingSpending(), beta=0.1)
    size = WHITEHEAD.sample_size(rule)
    information = np.array([0.5, 1.0]) * WHITEHEAD.information(size.per_arm)
    np.testing.assert_allclose(np.log(size.efficacy_effects) * np.sqrt(information), rule.efficacy_bounds, rtol=1e-12)


def test_the_regression_keeps_what_planning_promises():
    """400 trials of 2 x 200 patients: the regression's mean, variance and standard error are those of the plan."""
    rng = np.random.default_rng(1)
    shares = np.array([WHITEHEAD.control, WHITEHEAD.experimental])
    effect, variance = common_odds_ratio(shares[0], shares[1])
    assert effect == pytest.approx(math.log(WHITEHEAD.odds_ratio), rel=1e-12)
    arm = np.tile(np.arange(400) % 2, (400, 1))
    level = (rng.random(arm.shape)[:, :, None] >= np.cumsum(shares, axis=1)[arm][:, :, :-1]).sum(axis=2)
    found = proportional_odds_batch(level, arm).estimates()
    error = math.sqrt(2 * variance / 200)
    assert found.effect.mean() == pytest.approx(effect, abs=4 * error / 20)
    assert found.standard_error.mean() == pytest.approx(error, rel=0.01)
    assert found.effect.std() == pytest.approx(error, rel=0.12)
    assert 1 / math.sqrt(WHITEHEAD.information((200, 200))) == pytest.approx(error, rel=0.04)


def test_whitehead_holds_near_no_effect_whatever_the_allocation():
    plan = Ordinal((0.2, 0.3, 0.4, 0.1), 1.0001, allocation=2.0)
    _, variance = common_odds_ratio(np.array(plan.control), np.array(plan.experimental), 2 / 3)
    assert 1 / plan.information((2, 1)) == pytest.approx(variance * 1.5, rel=1e-5)


def test_odds_that_are_not_proportional_have_an_average():
    effect, _ = common_odds_ratio(np.array([0.2, 0.6, 0.2]), np.array([0.4, 0.2, 0.4]))
    assert effect == pytest.approx(0, abs=1e-12)
    effect, _ = common_odds_ratio(np.array([0.5, 0.3, 0.2, 0.0]), np.array([0.2, 0.3, 0.5, 0.0]))
    assert math.log(1.5) < effect < math.log(10)
    for shares in (([1.0, 0.0], [1.0, 0.0]), ([1.0, 0.0], [0.0, 1.0])):
        with pytest.raises(InputError):
            common_odds_ratio(*map(np.array, shares))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"control": (0.5, 0.6)}, "control"),
        ({"control": (1.0,)}, "control"),
        ({"control": (1.0, 0.0)}, "control"),
        ({"control": (-0.5, 1.5)}, "control"),
        ({"control": "half"}, "control"),
        ({"odds_ratio": 0}, "odds_ratio"),
        ({"allocation": -1}, "allocation"),
        ({"margin": math.inf}, "margin"),
        ({"better": "up"}, "better"),
    ],
)
def test_assumptions_that_cannot_be(changes, field):
    with pytest.raises(InputError) as caught:
        Ordinal(**{"control": (0.5, 0.5), "odds_ratio": 2.0} | changes)
    assert caught.value.field == field


def test_an_effect_on_the_wrong_side_has_no_size():
    with pytest.raises(InputError, match="an odds ratio below 1"):
        Ordinal((0.5, 0.5), 2.0, better="lower").sample_size(fixed())
    assert str(WHITEHEAD).startswith("Odds ratio 2.42857 of a higher level against 1")
