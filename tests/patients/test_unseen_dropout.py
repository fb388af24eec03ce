import numpy as np
import pytest
from lifelike_trials import alternating, lifelike_with, logistic_fit, scores_of
from scipy.optimize import brentq
from scipy.stats import multivariate_normal

from equipoise.patients import ScoreDistribution
from equipoise.patients.calibration import expit, joint_probabilities, logistic_intercept
from equipoise.patients.draws import Draws

FIRST = ScoreDistribution.with_moments(35.6, 10.2, 0, 80)
SECOND = ScoreDistribution.with_moments(23.72, 10.2, 0, 80)
CROWDED = ScoreDistribution.with_moments(3, 4, 0, 80)
HEAVY = {"midazolam__dropout": 0.3, "ketamine__dropout": 0.5}


@pytest.mark.parametrize("correlation", [-0.5, 0.0, 0.6, 0.95, 0.999])
@pytest.mark.parametrize("second", [SECOND, CROWDED])
def test_pairs_of_scores_have_the_laws_of_each_alone(second, correlation):
    found = joint_probabilities(FIRST, second, correlation)
    np.testing.assert_allclose(found.sum(axis=1), FIRST.probabilities, atol=1e-13)
    np.testing.assert_allclose(found.sum(axis=0), second.probabilities, atol=1e-12)
    np.testing.assert_allclose(found, joint_probabilities(second, FIRST, correlation).T, atol=1e-12)
    if correlation == 0:
        np.testing.assert_allclose(found, np.outer(FIRST.probabilities, second.probabilities), atol=1e-13)


def test_pairs_of_scores_are_rectangles_of_the_bivariate_normal():
    found = joint_probabilities(FIRST, SECOND, 0.68).cumsum(axis=0).cumsum(axis=1)
    law = multivariate_normal(mean=[0, 0], cov=[[1, 0.68], [0.68, 1]])
    for row, column in ((20, 10), (35, 24), (50, 30), (36, 60)):
        expected = law.cdf([FIRST.thresholds[row], SECOND.thresholds[column]])
        assert found[row, column] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("probability", [1e-6, 0.02, 0.5, 0.999])
@pytest.mark.parametrize("log_odds_ratio", [-5.0, -0.03, 0.0, 0.1, 700.0])
def test_the_intercept_gives_the_average(probability, log_odds_ratio):
    slopes, weights = log_odds_ratio * FIRST.scores, FIRST.probabilities
    found = logistic_intercept(slopes, weights, probability)
    assert (weights * expit(found + slopes)).sum() == pytest.approx(probability, rel=1e-9)
    if abs(log_odds_ratio) <= 0.1:
        expected = brentq(lambda at: (weights / (1 + np.exp(-at - slopes))).sum() - probability, -60, 60, xtol=1e-13)
        assert found == pytest.approx(expected, abs=1e-9)


def test_the_intercept_of_never_is_minus_infinity():
    assert logistic_intercept(FIRST.scores, FIRST.probabilities, 0.0) == -np.inf


def test_a_ratio_of_one_is_off_and_else_the_arms_own_law():
    assert lifelike_with(**HEAVY).leaving is None
    barely = lifelike_with(dropout_odds_ratio_per_unseen_point=1 + 1e-13, **HEAVY).leaving
    assert barely is not None
    for at, arm in enumerate(lifelike_with(**HEAVY).arms):
        np.testing.assert_allclose(barely.intercepts[at], arm.dropout_intercepts, atol=1e-9)
    np.testing.assert_allclose(barely.slopes, np.log(1.03))


@pytest.mark.parametrize("mixed", [{}, {"responders": {"fraction": 0.6}}])
def test_dropout_averages_what_is_asked_and_its_odds_ratios_are_recovered(mixed):
    lifelike = lifelike_with(dropout_odds_ratio_per_unseen_point=1.06, **HEAVY, **mixed)
    leaving = lifelike.leaving
    assert leaving is not None
    draws = Draws.of(4, "unseen", range(4))
    arm = alternating(4, 100_000)
    scores = scores_of(lifelike, draws, lifelike.law(draws, arm))
    leaves = draws.uniform("leaving", 100_000, 3) < expit(leaving.log_odds(arm, scores))
    for at, law in enumerate(lifelike.arms):
        members = arm == at
        rate = leaves[members].mean(axis=0)
        error = np.sqrt(law.leaving * (1 - law.leaving) / members.sum())
        assert (np.abs(rate - law.leaving) < 4 * error).all()
        for interval in range(3):
            columns = scores[members][:, interval : interval + 2]
            found, errors = logistic_fit(columns, leaves[members][:, interval])
            expected = [leaving.intercepts[at, interval], np.log(1.03), np.log(1.06)]
            assert (np.abs(found - expected) < 4 * errors).all()


def test_those_who_stay_mislead_only_where_the_unseen_score_counts():
    bias = {}
    for ratio in (1 + 1e-12, 1.06):
        lifelike = lifelike_with(dropout_odds_ratio_per_unseen_point=ratio, **HEAVY)
        assert lifelike.leaving is not None
        draws = Draws.of(9, "stay", range(2))
        arm = np.ones((2, 100_000), dtype=np.intp)
        scores = scores_of(lifelike, draws, arm)
        stays = draws.uniform("leaving", 100_000, 3)[..., 2] > expit(lifelike.leaving.log_odds(arm, scores))[..., 2]
        last, following = scores[..., 2].ravel(), scores[..., 3].ravel()
        cell = last.astype(int)
        own = np.bincount(cell, following) / np.maximum(np.bincount(cell), 1)
        residual = (following - own[cell])[stays.ravel()]
        bias[ratio] = residual.mean() / (residual.std() / np.sqrt(len(residual)))
    unseen, seen = bias[1.06], bias[1 + 1e-12]
    assert abs(seen) < 4
    assert unseen < -10


def test_nobody_leaves_an_arm_without_dropout():
    lifelike = lifelike_with(dropout_odds_ratio_per_unseen_point=1.06, midazolam__dropout=0.0)
    assert lifelike.leaving is not None
    assert np.isneginf(lifelike.leaving.intercepts[0]).all()
    assert np.isfinite(lifelike.leaving.intercepts[1]).all()
