from dataclasses import dataclass

import numpy as np
import pytest

from equipoise import gallery
from equipoise.patients import Draws, Truth, draw_covariates, draw_entry, draw_leaving, draw_scores, visit_days

PROTOCOL = gallery("ptsd-ketamine")


@dataclass
class Path:
    scores: np.ndarray
    left_after: np.ndarray


def draws(scenario, patients=60_000, seed=1):
    truth = Truth.of(PROTOCOL, scenario)
    arm = np.arange(patients) % 2
    numbers = Draws.of(seed, scenario, [0])
    scores = draw_scores(numbers, arm[None], truth.laws)
    return truth, arm, Path(scores[0], draw_leaving(numbers, arm[None], scores, *truth.leaving)[0])


def test_leaving_is_that_of_its_law_patient_by_patient():
    truth, arm, path = draws("later-trials", 500)
    uniform = Draws.of(1, "later-trials", [0]).uniform("leaving", 500, 3)[0]
    for at, law in enumerate(truth.arms):
        log_odds = law.dropout_intercepts + law.dropout_log_odds_per_point * path.scores[arm == at, :-1]
        leaves = uniform[arm == at] < 1 / (1 + np.exp(-log_odds))
        expected = np.where(leaves.any(axis=1), leaves.argmax(axis=1), 3)
        np.testing.assert_array_equal(path.left_after[arm == at], expected)


def test_scores_are_quantiles_of_the_latent_values():
    truth, arm, path = draws("as-published", 500)
    normal = Draws.of(1, "as-published", [0]).normal("scores", 500, 4)[0]
    for at, law in enumerate(truth.arms):
        latent = normal[arm == at] @ law.cholesky.T
        expected = np.stack([part.at(latent[:, visit]) for visit, part in enumerate(law.scores)], axis=1)
        np.testing.assert_array_equal(path.scores[arm == at], expected)


def test_published_response_rates_follow_exactly_from_the_scenario():
    midazolam, ketamine = Truth.of(PROTOCOL, "as-published").arms
    risks = [arm.response_probability(3, 0.30, None, "lower") * arm.staying[3] for arm in (midazolam, ketamine)]
    assert risks[0] == pytest.approx(0.20, abs=0.005)
    assert risks[1] == pytest.approx(0.67, abs=0.005)
    assert ketamine.means[3] - midazolam.means[3] == pytest.approx(-11.88, abs=1e-6)


@pytest.mark.parametrize("scenario", ["as-published", "later-trials"])
def test_trajectories_have_the_means_sds_and_correlations_of_the_scenario(scenario):
    truth, arm, path = draws(scenario)
    for at, law in enumerate(truth.arms):
        scores = path.scores[arm == at]
        error = np.sqrt(np.diag(law.covariance) / len(scores))
        assert (np.abs(scores.mean(axis=0) - law.means) < 4 * error).all()
        np.testing.assert_allclose(scores.std(axis=0), [part.sd for part in law.scores], rtol=0.015)
        np.testing.assert_allclose(np.corrcoef(scores.T), law.correlation, atol=0.02)
        assert scores.min() >= 0
        assert scores.max() <= 80


@pytest.mark.parametrize("scenario", ["as-published", "later-trials"])
def test_dropout_has_the_asked_probability_and_follows_the_last_seen_score(scenario):
    truth, arm, path = draws(scenario, 200_000)
    for at, law in enumerate(truth.arms):
        left = path.left_after[arm == at] < 3
        assert left.mean() == pytest.approx(1 - law.staying[-1], abs=0.006)
        first = path.left_after[arm == at] == 0
        assert path.scores[arm == at, 0][first].mean() > path.scores[arm == at, 0][~first].mean()
        score = path.scores[arm == at, 0]
        low, high = first[score <= 38].mean(), first[score >= 42].mean()
        gap = score[score >= 42].mean() - score[score <= 38].mean()
        observed = np.log(high / (1 - high)) - np.log(low / (1 - low))
        assert observed == pytest.approx(gap * np.log(1.03), abs=0.15)


def test_dropout_does_not_depend_on_the_unseen_score_given_the_seen_one():
    _, arm, path = draws("later-trials", 200_000)
    for at in (0, 1):
        chosen = (arm == at) & (path.left_after >= 2)
        left = path.left_after[chosen] == 2
        seen, unseen = path.scores[chosen, 2], path.scores[chosen, 3]
        inside = (seen > 25) & (seen < 45)
        residual = unseen[inside] - np.polyval(np.polyfit(seen[inside], unseen[inside], 2), seen[inside])
        gap = residual[left[inside]].mean() - residual[~left[inside]].mean()
        assert abs(gap) < 4 * residual.std() / np.sqrt(left[inside].sum())


def test_simulated_response_matches_the_quadrature():
    truth, arm, path = draws("as-published", 200_000)
    for at, law in enumerate(truth.arms):
        chosen = arm == at
        responded = PROTOCOL.responded(PROTOCOL.endpoints[1], path.scores[chosen, 0], path.scores[chosen, 3]).mean()
        expected = law.response_probability(3, 0.30, None, "lower")
        assert responded == pytest.approx(expected, abs=4 * np.sqrt(expected * (1 - expected) / chosen.sum()))


def test_response_in_points_and_on_scales_where_higher_is_better():
    law = Truth.of(PROTOCOL, "as-published").arms[1]
    by_points = law.response_probability(3, None, 10.0, "lower")
    generator = np.random.default_rng(2)
    latent = generator.standard_normal((200_000, 4)) @ law.cholesky.T
    start, end = law.scores[0].at(latent[:, 0]), law.scores[3].at(latent[:, 3])
    assert (start - end >= 10).mean() == pytest.approx(by_points, abs=0.005)
    assert (end - start >= 10).mean() == pytest.approx(law.response_probability(3, None, 10.0, "higher"), abs=0.002)


def test_an_arm_of_two_kinds_of_patients_is_planned_as_it_is_drawn():
    truth = Truth.of(PROTOCOL, "less-uniform")
    numbers, ketamine = Draws.of(1, "x", [0]), truth.arms[1]
    law = truth.lifelike.law(numbers, np.ones((1, 400_000), dtype=np.intp))
    scores = draw_scores(numbers, law, truth.laws)[0]
    error = np.sqrt(np.diag(ketamine.covariance) / len(scores))
    assert (np.abs(scores.mean(axis=0) - ketamine.means) < 4 * error).all()
    np.testing.assert_allclose(np.cov(scores.T), ketamine.covariance, rtol=0.02)
    rate = PROTOCOL.responded(PROTOCOL.endpoints[1], scores[:, 0], scores[:, 3]).mean()
    expected = ketamine.response_probability(3, 0.30, None, "lower")
    assert rate == pytest.approx(expected, abs=4 * np.sqrt(expected * (1 - expected) / len(scores)))
    alone = Truth.of(PROTOCOL, "half-effect").arms[1].response_probability(3, 0.30, None, "lower")
    assert expected > alone + 0.02


def test_entry_is_a_poisson_process_that_starts_on_day_0():
    days = draw_entry(Draws.of(3, "entry", [0]), 50_000, 2.0)[0]
    assert days[0] == 0
    assert (np.diff(days) >= 0).all()
    assert len(days) / days[-1] * 365.25 / 12 == pytest.approx(2.0, rel=0.02)


def test_covariates_follow_their_distribution():
    drawn = draw_covariates(Draws.of(4, "x", [0]), 50_000, PROTOCOL.covariates)
    assert drawn["age"].min() >= 18
    assert drawn["age"].max() <= 70
    assert drawn["age"].mean() == pytest.approx(40.5, abs=1.5)
    assert (drawn["sex"] == "female").mean() == pytest.approx(0.77, abs=0.01)


def test_visits_take_place_inside_their_windows():
    days = visit_days(Draws.of(5, "x", [0]), 5_000, PROTOCOL.visits)[0]
    assert set(np.unique(days[:, 0])) == {0}
    assert set(np.unique(days[:, 2])) == {6, 7, 8}
    assert set(np.unique(days[:, 3])) == {13, 14, 15, 16}
