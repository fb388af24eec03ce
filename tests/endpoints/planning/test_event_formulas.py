import math
from dataclasses import replace

import numpy as np
import pytest

from equipoise.endpoints.planning.accrual import Accrual
from equipoise.endpoints.planning.event_formulas import FORMULAS, LogRankPrecision, pooled_hazard_ratio, precision
from equipoise.endpoints.planning.plan_survival import Survival
from equipoise.errors import InputError
from equipoise.sequential import GroupSequential, HwangShihDeCaniSpending, OBrienFlemingSpending

FIXED = GroupSequential((1.0,), 0.025, 1, beta=0.2)
MONTHLY = math.log(2) / 10


def simulated_looks(hazard, ratio, arms, over, looks, trials, seed):
    """Log-rank z (positive when the first arm fares better) and calendar time when each number of events is reached."""
    generator = np.random.Generator(np.random.Philox(seed))
    group = np.repeat([1.0, 0.0], arms)
    shape = (trials, group.size)
    entry = generator.uniform(0, over, shape)
    time = generator.exponential(1.0, shape) / np.where(group == 1, hazard * ratio, hazard)
    calendar = np.sort(entry + time, axis=1)[:, np.array(looks) - 1]
    z = np.empty(calendar.shape)
    for look in range(len(looks)):
        cut = calendar[:, look, None]
        followed = np.minimum(time, cut - entry)  # below 0: not yet randomised, sorted first and not at risk
        event = (entry + time <= cut) & (followed >= 0)
        order = np.argsort(followed, axis=1)
        event, first = np.take_along_axis(event, order, 1), group[order]
        share = np.cumsum(first[:, ::-1], axis=1)[:, ::-1] / np.arange(group.size, 0, -1)
        variance = np.sum(event * share * (1 - share), axis=1)
        z[:, look] = np.sum(event * (share - first), axis=1) / np.sqrt(variance)
    return z, calendar


def test_what_the_formulas_ask_and_what_it_gives():
    # 2 : 1, hazard ratio 0.6, for a power of 0.8: the table in event_formulas, with less precision
    true = {}
    for formula in FORMULAS:
        assumed = Survival(MONTHLY, Accrual.uniform(12), 0.6, follow_up=8, allocation=2, formula=formula)
        events = round(assumed.sample_size(FIXED).maximum_events)
        z, _ = simulated_looks(MONTHLY, 0.6, (183, 91), 12, [events], 10_000, 3)
        true[formula] = np.mean(z > 1.959964)
    table = (0.827, 0.777, 0.843, 0.813, 0.762)
    np.testing.assert_allclose(list(true.values()), table, rtol=0, atol=4 * math.sqrt(0.8 * 0.2 / 10_000))
    assert min(FORMULAS, key=lambda formula: abs(true[formula] - 0.8)) == "lachin-foulkes"


def test_a_simulated_group_sequential_trial_goes_as_planned():
    rule = GroupSequential((0.4, 0.7, 1.0), 0.025, 1, OBrienFlemingSpending(), HwangShihDeCaniSpending(-2), 0.1)
    assumed = Survival(MONTHLY, Accrual.uniform(12), 0.7, follow_up=8)
    asked = assumed.sample_size(rule)
    looks, arms, trials = np.rint(asked.events).astype(int), asked.rounded_per_arm, 4000
    plan = assumed.power(replace(rule, information=tuple(looks / looks[-1])), sum(arms), looks[-1])
    z, calendar = simulated_looks(MONTHLY, 0.7, arms, 12, looks, trials, 4)
    # a look is held at its last event, which in the mean comes about half an event before that many are expected
    np.testing.assert_allclose(calendar.mean(axis=0), plan.analysis_times, rtol=0, atol=0.05)
    efficacy, futility = z >= plan.efficacy_bounds, z < plan.futility_bounds
    stopped = np.argmax(efficacy | futility, axis=1)
    won = efficacy[np.arange(trials), stopped]
    assert won.mean() == pytest.approx(plan.power, abs=4 * math.sqrt(0.09 / trials))
    shares = [np.mean(won & (stopped == look)) for look in range(3)]
    np.testing.assert_allclose(shares, plan.efficacy_probabilities, rtol=0, atol=4 * math.sqrt(0.25 / trials))
    duration = calendar[np.arange(trials), stopped]
    error = duration.std() / math.sqrt(trials)
    assert duration.mean() == pytest.approx(plan.full_effect.duration, abs=4 * error + 0.03)


@pytest.mark.parametrize("formula", FORMULAS)
def test_near_no_effect_all_formulas_are_one(formula):
    ratio, events = 1 + 1e-6, (1.0, 1.0 * (1 - 1e-6))
    found = precision(formula, 1 / ratio, 1.0, 1.0, -1.0, events, events)
    assert found.deviation / found.effect == pytest.approx(2 / math.log(ratio), rel=1e-5)
    assert found.null_deviation == pytest.approx(found.deviation, rel=1e-5)


def test_pooled_hazard_keeps_the_mean_of_the_arms():
    ratio, margin, allocation = 0.8, 1.3, 2.0
    control = pooled_hazard_ratio(ratio, margin, allocation)
    assert control + allocation * margin * control == pytest.approx(1 + allocation * ratio)


def test_drift_of_unequal_deviations_inverts_the_size():
    found = LogRankPrecision(0.4, 2.0, 2.1)
    level = 1.959963984540054
    events = found.fixed_events(level, 1.2)
    assert found.drift(FIXED, events) == pytest.approx(level + 1.2, rel=1e-12)
    assert LogRankPrecision(0.4, 2.0, 2.0).drift(FIXED, 100.0) == pytest.approx(2.0)


@pytest.mark.parametrize("formula", ["freedman", "hsieh-freedman"])
def test_freedman_knows_no_margin(formula):
    with pytest.raises(InputError, match="margin"):
        precision(formula, 0.8, 1.2, 1.0, -1.0)
