import numpy as np
import pytest
from lifelike_trials import alternating, lifelike_with, logistic_fit, scores_of

from equipoise.patients.draws import Draws

PATIENTS = 100_000


def missed_with(told, trials=2):
    lifelike = lifelike_with(missed_visits=told)
    draws = Draws.of(2, "missed", range(trials))
    arm = alternating(trials, PATIENTS)
    scores = scores_of(lifelike, draws, arm)
    missed = lifelike.missed(draws, arm, scores)
    assert missed is not None
    return arm, scores, missed


def within_error(rate, probability, count):
    return abs(rate - probability) < 4 * np.sqrt(probability * (1 - probability) / count) + 1e-12


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"probability": 0.1}, [[0.1] * 3] * 2),
        ({"probability": 0.1, "arms": {"ketamine": 0.3}}, [[0.1] * 3, [0.3] * 3]),
        ({"visits": {"day1": 0.2, "week2": 0.05}}, [[0.2, 0.0, 0.05]] * 2),
    ],
)
def test_visits_are_missed_as_often_as_told_and_baseline_never(told, expected):
    arm, _, missed = missed_with(told)
    assert not missed[:, :, 0].any()
    for at, of_visits in enumerate(expected):
        members = missed[arm == at]
        for visit, probability in enumerate(of_visits, start=1):
            assert within_error(members[:, visit].mean(), probability, len(members))
    together = missed[:, :, 1] & missed[:, :, 3]
    assert within_error(together[arm == 0].mean(), expected[0][0] * expected[0][2], (arm == 0).sum())


def test_missing_depends_on_the_last_score_not_missed():
    arm, scores, missed = missed_with({"probability": 0.2, "odds_ratio_per_point": 1.05})
    for at in range(2):
        members = arm == at
        own, points = missed[members], scores[members]
        assert within_error(own[:, 1].mean(), 0.2, len(own))
        assert abs(own[:, 2].mean() - 0.2) < 0.01
        assert abs(own[:, 3].mean() - 0.2) < 0.01
        for chosen, last, visit in (
            (np.ones(len(own), dtype=bool), 0, 1),
            (~own[:, 1], 1, 2),
            (own[:, 1], 0, 2),
            (own[:, 1] & own[:, 2], 0, 3),
        ):
            found, errors = logistic_fit(points[chosen, last][:, None], own[chosen, visit])
            assert abs(found[1] - np.log(1.05)) < 4 * errors[1]


def test_missing_does_not_depend_on_the_score_missed_given_the_last():
    arm, scores, missed = missed_with({"probability": 0.2, "odds_ratio_per_point": 1.05})
    members = arm == 1
    found, errors = logistic_fit(scores[members][:, :2], missed[members][:, 1])
    assert abs(found[2]) < 4 * errors[2]


@pytest.mark.parametrize("told", [None, {"probability": 0.0}, {"odds_ratio_per_point": 1.2}])
def test_off_is_off(told):
    lifelike = lifelike_with(missed_visits=told)
    assert lifelike.missed(Draws.of(1, "off", [0]), alternating(1, 4), np.ones((1, 4, 4))) is None
