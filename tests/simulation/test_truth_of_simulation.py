"""That virtual trials do what theory says, and that these tests would see it if they did not.

EQUIPOISE_TRIALS=1000000 gives the long run; 200,000 trials are the default.
"""

from __future__ import annotations

import math
import os

import numpy as np
import pytest
from normal_trials import CASES, entering, normal_trial, rule
from scipy.special import ndtr, ndtri, stdtrit
from scipy.stats import nct
from sequential_t import SequentialT
from stopping_theory import rejections, stops

from equipoise import gallery, simulate
from equipoise.cohort import Cohort
from equipoise.sequential import GroupSequential, OBrienFlemingSpending, PocockSpending
from equipoise.trial import many_looks, plan

TRIALS = int(os.environ.get("EQUIPOISE_TRIALS", "200000"))
MOST = 4.0  # Monte-Carlo standard errors


# ---- The exact law of looks with t tests, the yardstick --------------------------------------------------------------


def test_one_look_is_the_noncentral_t():
    t = float(stdtrit(38, ndtr(1.96)))
    above, below = SequentialT((40,), (-1.96,), (1.96,), 0.8, order=40).exits()[:, 0]
    assert above == pytest.approx(nct.sf(t, 38, 0.8 * math.sqrt(10)), abs=1e-8)
    assert below == pytest.approx(nct.cdf(-t, 38, 0.8 * math.sqrt(10)), abs=1e-8)


def test_each_look_alone_keeps_its_level_and_several_looks_nearly():
    bounds = GroupSequential(information=(0.75, 1.0), alpha=0.05, sided=2, efficacy=OBrienFlemingSpending())
    upper = tuple(bounds.efficacy_bounds)
    found = SequentialT((30, 40), (-upper[0], -upper[1]), upper, 0.0).exits()
    assert found[0] == pytest.approx(found[1], abs=1e-9)
    assert found[0, 0] == pytest.approx(ndtr(-upper[0]), abs=1e-8)
    # correlations of t statistics are not quite those of z: 5.07% where 5% is meant
    assert found.sum() == pytest.approx(0.0507395, abs=1e-6)


@pytest.mark.parametrize("drift", [0.0, 3.0])
@pytest.mark.parametrize("efficacy", [OBrienFlemingSpending(), PocockSpending()])
def test_with_many_patients_it_becomes_the_integration_of_independent_increments(drift, efficacy):
    design = GroupSequential(information=(0.5, 1.0), alpha=0.05, sided=2, efficacy=efficacy)
    upper, exits = tuple(design.efficacy_bounds), design.exit_probabilities(drift)
    expected = np.stack([exits.upper, exits.lower])

    def exact(patients):
        looks, effect = (patients // 2, patients), drift / math.sqrt(patients / 4)
        return SequentialT(looks, (-upper[0], -upper[1]), upper, effect, order=40).exits()

    few, many = exact(20_000), exact(40_000)
    assert np.abs(few - expected).max() < 3e-4
    # the difference falls as 1 / patients; without it nothing is left
    np.testing.assert_allclose(2 * many - few, expected, atol=2e-7)


# ---- Virtual trials against theory -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case[2] == "t"])
def test_small_trials_stop_as_often_as_t_tests_do(name):
    protocol, scenario, law = CASES[name]
    found = stops(protocol, scenario, TRIALS if "40 patients, O'Brien" in name else TRIALS // 4, law=law)
    assert found.seen.sum() > 0.02 * found.trials
    assert found.distance < MOST


def test_three_looks_stop_as_often_as_independent_increments_say():
    """Of t tests of 200 patients 5.017% reject by the exact law: a third of a standard error of 200,000 trials off."""
    found = stops(*CASES["200 patients, three looks, no effect"][:2], TRIALS)
    assert found.distance < MOST
    assert abs(found.level_distance(0.05)) < MOST


def test_futility_bounds_stop_as_often_as_independent_increments_say():
    found = stops(*CASES["200 patients, three looks and futility, no effect"][:2], TRIALS // 10)
    assert found.seen[2].sum() > 0.5 * found.trials
    assert found.distance < MOST


def test_as_many_stop_for_harm_as_for_efficacy_without_effect():
    for name in ("40 patients, O'Brien-Fleming, no effect", "30 patients, Pocock, no effect"):
        upward, downward, _ = rejections(*CASES[name][:2], TRIALS // 2, seed=5)
        assert abs(upward - downward) < MOST * math.sqrt(upward + downward)


def test_the_plan_s_power_is_the_trials_power():
    """The plan takes the standard error as known: at 352 patients that promises 0.2% too much, by the exact law."""
    size = {"power": 0.8, "scenario": "effect"}
    protocol = normal_trial(352, 0.3, stopping=rule(0.5, 1.0), sample_size=size)
    planned = plan(protocol)
    found = simulate(protocol, "effect", TRIALS // 10, 3, "serial", secondary=False, corrected=False).power
    assert abs(found.value - planned.under_effect.power) < MOST * found.standard_error
    upper = tuple(planned.design.efficacy_bounds)
    exact = SequentialT(planned.units_per_look, (-upper[0], -upper[1]), upper, 0.3).exits()[0].sum()
    assert planned.under_effect.power - exact == pytest.approx(0.00216, abs=1e-5)
    assert abs(found.value - exact) < MOST * found.standard_error


def test_power_of_one_look_is_that_of_the_t_test():
    protocol = normal_trial(40, 0.9)
    found = simulate(protocol, "effect", TRIALS // 2, 3, "serial", secondary=False, corrected=False).power
    exact = nct.sf(stdtrit(38, 0.975), 38, 0.9 * math.sqrt(10))
    assert abs(found.value - exact) < MOST * found.standard_error


# ---- Planted mistakes, and what sees them ----------------------------------------------------------------------------


KETAMINE = gallery("ptsd-ketamine")


def ketamine_level(trials):
    """Type I error of the ketamine trial's mixed model at its two looks, in Monte-Carlo standard errors from 5%.

    A million trials show 5.1%: t statistics of 27 and 37 degrees of freedom hang together a little less than z.
    """
    upward, downward, trials = rejections(KETAMINE, "no-effect", trials, seed=4)
    return ((upward + downward) / trials - 0.05) / math.sqrt(0.05 * 0.95 / trials)


def test_type_one_error_of_the_ketamine_trial_is_guarded():
    assert abs(ketamine_level(TRIALS // 10)) < MOST


def test_guard_of_the_ketamine_trial_sees_one_sided_spending_compared_with_a_two_sided_p_value(monkeypatch):
    replaced_bounds(monkeypatch, lambda *look: -ndtri(spent_by(*look) / 2))
    assert ketamine_level(5_000) < -MOST


def level(seed=1):
    """Type I error of two looks, in Monte-Carlo standard errors from 5%: the guard. By the exact law it is 5.04%."""
    protocol = normal_trial(60, stopping=rule(0.5, 1.0, efficacy="pocock"))
    upward, downward, trials = rejections(protocol, "no-effect", 20_000, seed)
    return ((upward + downward) / trials - 0.05) / math.sqrt(0.05 * 0.95 / trials)


def test_type_one_error_is_guarded():
    assert max(abs(level(seed)) for seed in range(1, 4)) < MOST


def replaced_bounds(monkeypatch, bound_of):
    """Bounds of looks as a mistaken programmer would find them, `bound_of(design, fractions, last)`."""

    def at(self, counts, last):
        fractions = [count / self.plan.total_units for count in counts]
        return bound_of(self.plan.design, fractions, last), math.nan, ""

    monkeypatch.setattr(many_looks.Bounds, "at", at)


def spent_by(design, fractions, last):
    """Cumulative one-sided alpha spent at the last of the looks."""
    return float(design.bounds_at(fractions, last).alpha_spent[-1]) / 2


def test_guard_sees_cumulative_one_sided_spending_compared_with_a_two_sided_p_value(monkeypatch):
    replaced_bounds(monkeypatch, lambda *look: -ndtri(spent_by(*look) / 2))
    assert level() < -MOST


def test_guard_sees_that_the_interim_look_spent_nothing(monkeypatch):
    """Which is also what cumulative spending compared with a p-value of the same side comes to."""

    def bound(design, fractions, last):
        return float(design.bounds_at(fractions[-1:] if last else fractions, last).efficacy[-1])

    replaced_bounds(monkeypatch, bound)
    assert level() > MOST


def test_guard_sees_one_sided_alpha_spent_on_either_side(monkeypatch):
    replaced_bounds(
        monkeypatch,
        lambda design, fractions, last: float(
            GroupSequential(information=design.information, alpha=0.05, sided=1, efficacy=PocockSpending())
            .bounds_at(fractions, last)
            .efficacy[-1]
        ),
    )
    assert level() > MOST


def test_guard_sees_t_statistics_taken_for_normal(monkeypatch):
    small = normal_trial(24, stopping=rule(0.5, 1.0, efficacy="pocock"), accrual=entering(2.0))
    assert stops(small, "no-effect", 20_000, law="t").distance < MOST
    usual = many_looks.favourable_z_of
    monkeypatch.setattr(
        many_looks, "favourable_z_of", lambda effect, error, _, *rest: usual(effect, error, np.inf, *rest)
    )
    assert stops(small, "no-effect", 20_000, law="t").distance > MOST


def test_theory_at_observed_fractions_sees_planned_ones(monkeypatch):
    fast = normal_trial(40, stopping=rule(0.5, 1.0), accrual=entering(300.0))
    found = stops(fast, "no-effect", 20_000, law="t")
    assert found.distance < MOST

    def bound(design, fractions, last):
        planned = (*design.information[: len(fractions) - 1], 1.0 if last else design.information[len(fractions) - 1])
        return float(design.bounds_at(planned).efficacy[-1])

    replaced_bounds(monkeypatch, bound)
    assert stops(fast, "no-effect", 20_000, law="t").distance > MOST


def interim_unseen(trials=5_000):
    """Patients counted at the interim look of whom there is no outcome, in errors from the share that drops out."""
    share = 0.3
    protocol = normal_trial(60, dropout=share, stopping=rule(0.5, 1.0), accrual=entering(60.0))
    found = simulate(protocol, "no-effect", trials, 1, "serial", secondary=False, corrected=False)
    looks = found.rows.looks
    first = looks["look"] == 1
    due, observed = (int(looks[name][first].sum()) for name in ("due", "observed"))
    return (1 - observed / due - share) / math.sqrt(share * (1 - share) / due)


def test_share_unseen_at_the_interim_look_sees_dropouts_counted_too_early(monkeypatch):
    assert abs(interim_unseen()) < MOST

    def early(self):
        return np.fmin(np.fmin(self.assessed, self.due), self.withdrawn[:, :, None])

    monkeypatch.setattr(Cohort, "reached", property(early))
    assert interim_unseen() > MOST


def test_theory_sees_patients_analysed_before_they_are_due(monkeypatch):
    protocol = normal_trial(40, 0.9, stopping=rule(0.5, 1.0), accrual=entering(30.0))
    assert stops(protocol, "effect", 10_000, law="t").distance < MOST
    found = simulate(protocol, "effect", 2_000, secondary=False, corrected=False).rows.looks
    assert (found["observed"] <= found["due"]).all()
    usual = Cohort.known_at
    monkeypatch.setattr(Cohort, "known_at", lambda self, rows, days: usual(self, rows, days, followed=True))
    assert stops(protocol, "effect", 10_000, law="t").distance > MOST


def test_theory_sees_looks_that_are_late(monkeypatch):
    """What was known a day before the look lacks the patient who brought it about."""
    protocol = normal_trial(24, 1.2, stopping=rule(0.5, 1.0, efficacy="pocock"), accrual=entering(10.0))
    assert stops(protocol, "effect", 20_000, law="t").distance < MOST
    usual = Cohort.known_at
    monkeypatch.setattr(Cohort, "known_at", lambda self, rows, days: usual(self, rows, days - 1))
    assert stops(protocol, "effect", 20_000, law="t").distance > MOST


def test_theory_sees_arms_taken_for_each_other(monkeypatch):
    usual = many_looks.favourable_z_of
    monkeypatch.setattr(many_looks, "favourable_z_of", lambda *given: -usual(*given))
    assert abs(level()) < MOST  # symmetric without effect
    assert stops(*CASES["40 patients, O'Brien-Fleming, 0.9 SD"][:2], 2_000, law="t").distance > MOST
