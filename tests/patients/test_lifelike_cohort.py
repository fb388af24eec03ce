"""What scenarios with lifelike settings do to drawn trials, on the random numbers of the plain scenario."""

import numpy as np
import pytest
from lifelike_trials import protocol_with

from equipoise.patients import Truth
from equipoise.patients.draws import Draws
from equipoise.protocol import Protocol
from equipoise.simulation.virtual import draw_cohort
from protocols import with_measures

TRIALS, PATIENTS = 500, 200
STAYING = {"midazolam__dropout": 0.0, "ketamine__dropout": 0.0}


def cohort_of(protocol, trials=TRIALS, patients=PATIENTS):
    return draw_cohort(protocol, Truth.of(protocol, "as-published"), Draws.of(3, "cohort", range(trials)), patients)


def cohort_with(**settings):
    return cohort_of(protocol_with(**settings))


def difference(cohort, visit=3):
    """Mean difference between the arms in each trial, shape (trials,)."""
    scores = cohort.scores[:, :, visit]
    return np.nanmean(np.where(cohort.arm == 1, scores, np.nan), axis=1) - np.nanmean(
        np.where(cohort.arm == 0, scores, np.nan), axis=1
    )


@pytest.fixture(scope="module")
def plain():
    return cohort_with(**STAYING)


def test_belief_moves_the_difference_as_the_page_says(plain):
    felt, not_felt = {"experimental": 0.85, "does_not_know": 0.05}, {"experimental": 0.35, "does_not_know": 0.25}
    told = {"points": -3.0, "sign": "dissociation", "felt": felt, "not_felt": not_felt}
    moved = difference(cohort_with(expectancy=told, **STAYING)) - difference(plain)
    assert abs(moved.mean() + 0.75) < 4 * moved.std() / np.sqrt(TRIALS) + 0.005


def test_a_recorded_guess_is_the_belief_and_the_adverse_event_is_what_was_felt():
    table = with_measures([{"name": "safety", "type": "adverse-events", "role": "secondary"}]).model_dump(mode="json")
    table["scenarios"]["as-published"]["expectancy"] = {
        "points": -80.0,
        "sign": "dissociation",
        "felt": {"experimental": 1.0},
        "not_felt": {"experimental": 0.0},
        "guesses": ["own-guess"],
    }
    for arm in table["scenarios"]["as-published"]["arms"].values():
        arm["dropout"] = 0.0
    cohort = cohort_of(Protocol.model_validate(table), 20, 100)
    guess = cohort.measures["own-guess"].value
    assert ((guess == 1) == (cohort.scores[:, :, 3] == 0)).all()
    felt = np.isfinite(cohort.event_days["adverse event", "dissociation"])
    assert ((guess == 1) == felt).all()
    assert set(np.unique(cohort.measures["rater-guess"].value)) == {-1, 0, 1}


def test_sites_spread_the_effect_and_standard_errors_that_overlook_them_are_too_small(plain):
    spread = difference(cohort_with(sites={"number": 4, "effect_sd": 8.0}, **STAYING))
    before = difference(plain)
    assert spread.mean() == pytest.approx(before.mean(), abs=4 * spread.std() / np.sqrt(TRIALS) + 0.3)
    added = spread.var() - before.var()
    assert added == pytest.approx(8.0**2 / 4, rel=4 * np.sqrt(2 / TRIALS) + 0.1)


def test_the_covariate_takes_the_site():
    levels = [f"site {number}" for number in range(6)]
    protocol = protocol_with(
        covariates=[{"name": "site", "kind": "categorical", "levels": levels}],
        sites={"number": 6, "mean_sd": 30.0},
        **STAYING,
    )
    cohort = cohort_of(protocol, 40, 120)
    site = cohort.covariates["site"]
    assert set(np.unique(site)) == set(levels)
    between = np.array([[cohort.scores[trial][site[trial] == one, 0].mean() for one in levels] for trial in range(40)])
    assert between.std(axis=1).mean() > 15


def test_drift_leaves_the_difference_and_moves_the_late():
    cohort, before = (cohort_with(rater_drift=told, **STAYING) for told in ({"points_per_year": -0.1}, None))
    moved = difference(cohort) - difference(before)
    assert abs(moved.mean()) < 4 * moved.std() / np.sqrt(TRIALS) + 0.02
    late = (cohort.scores - before.scores)[:, -1, 0].mean()
    years = cohort.randomised[:, -1].mean() / 365.25
    assert late == pytest.approx(-0.1 * years, rel=0.05)


def test_missed_visits_hide_scores_and_days_and_nobody_leaves(plain):
    cohort = cohort_with(missed_visits={"probability": 0.3}, **STAYING)
    missed = np.isnan(cohort.scores)
    assert not missed[:, :, 0].any()
    assert missed[:, :, 1:].mean() == pytest.approx(0.3, abs=0.005)
    np.testing.assert_array_equal(missed, np.isnan(cohort.assessed))
    assert np.isnan(cohort.withdrawn).all()
    np.testing.assert_array_equal(cohort.scores[~missed], plain.scores[~missed])


def test_unseen_scores_that_drive_dropout_make_those_who_stay_look_better():
    heavy = {"midazolam__dropout": 0.4, "ketamine__dropout": 0.4}
    at_random, not_at_random = (cohort_with(dropout_odds_ratio_per_unseen_point=ratio, **heavy) for ratio in (1.0, 1.1))
    means = [np.nanmean(cohort.scores[:, :, 3]) for cohort in (at_random, not_at_random)]
    assert means[1] < means[0] - 2
    gone = [(~np.isnan(cohort.withdrawn)).mean() for cohort in (at_random, not_at_random)]
    assert gone[0] == pytest.approx(0.4, abs=0.01)
    assert 0.34 < gone[1] < 0.4


def test_responders_keep_the_difference(plain):
    moved = difference(cohort_with(responders={"fraction": 0.5}, **STAYING)) - difference(plain)
    assert abs(moved.mean()) < 4 * moved.std() / np.sqrt(TRIALS)
    assert moved.std() > 0
