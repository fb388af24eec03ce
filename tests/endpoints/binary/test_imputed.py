"""Multiple imputation of a response: the draws, and what is gained over counting the missing as non-response."""

import math

import numpy as np
import pytest

from equipoise.endpoints.binary.imputed_response import impute_responses, pooled_comparison, pooled_risk
from equipoise.endpoints.binary.imputed_scores import _Draw, _fill_gaps, impute_scores
from equipoise.endpoints.binary.proportions import risk_difference, wilson_interval
from equipoise.errors import InputError

COVARIANCE = np.array([[100, 60, 50, 45], [60, 120, 80, 70], [50, 80, 140, 110], [45, 70, 110, 150.0]])
MEANS = np.array([60, 50, 46, 44.0])


def trial(generator, patients=160, effect=6.0, gaps=0.0, strength=0.25):
    """Scores at baseline and three visits; who does badly leaves, the more so in arm 1. Also the full responses."""
    arm = np.arange(patients) % 2
    scores = MEANS + generator.standard_normal((patients, 4)) @ np.linalg.cholesky(COVARIANCE).T
    scores[:, 1:] -= effect * np.array([0.5, 0.8, 1.0]) * arm[:, None]
    response = improved(scores[:, 0], scores[:, 3])
    gone = np.zeros(patients, dtype=bool)
    for visit in (2, 3):
        odds = -1.5 + strength * (scores[:, visit - 1] - 46) * arm
        gone |= generator.random(patients) < 1 / (1 + np.exp(-odds))
        scores[gone, visit] = np.nan
    for visit in (1, 2):
        scores[generator.random(patients) < gaps, visit] = np.nan
    return arm, scores, response


def improved(baseline, score):
    return (baseline - score >= 0.3 * baseline).astype(float)


def test_monotone_draws_have_the_posterior_mean_and_spread():
    """One visit: a regression, whose predictive distribution is a t distribution in closed form."""
    generator = np.random.default_rng(1)
    arm = np.arange(24) % 2
    baseline = generator.normal(50, 8, 24)
    score = 10 + 0.6 * baseline - 4 * arm + generator.normal(0, 5, 24)
    score[[3, 8, 15]] = np.nan
    drawn = impute_scores(score[:, None], arm, baseline[:, None], 60_000, np.random.default_rng(2))
    seen = ~np.isnan(score)
    design = np.column_stack([arm == 0, arm == 1, baseline]).astype(float)
    inverse = np.linalg.inv(design[seen].T @ design[seen])
    coefficients = inverse @ design[seen].T @ score[seen]
    freedom = seen.sum() - 3
    variance = ((score[seen] - design[seen] @ coefficients) ** 2).sum() / freedom
    for patient in np.flatnonzero(~seen):
        row = design[patient]
        spread = math.sqrt(variance * (1 + row @ inverse @ row) * freedom / (freedom - 2))
        assert drawn[:, patient].mean() == pytest.approx(row @ coefficients, abs=4 * spread / math.sqrt(60_000))
        assert drawn[:, patient].std() == pytest.approx(spread, rel=0.03)
    assert (drawn[:, seen] == score[seen]).all()
    one, other = np.flatnonzero(~seen)[:2]
    shared = variance * design[one] @ inverse @ design[other] * freedom / (freedom - 2)
    spreads = drawn[:, one].std() * drawn[:, other].std()
    assert np.cov(drawn[:, one], drawn[:, other])[0, 1] == pytest.approx(shared, abs=4 * spreads / math.sqrt(60_000))


def test_a_gap_is_drawn_from_its_law_given_the_visits_before_and_after():
    steps = np.linalg.cholesky(COVARIANCE)
    # of the regressions of each column on those before: coefficients and residual standard deviations
    spread = np.diag(steps)
    earlier = np.eye(4) - np.diag(spread) @ np.linalg.inv(steps)
    runs = 50_000
    draw = _Draw(
        np.broadcast_to(((np.eye(4) - earlier) @ MEANS)[:, None], (runs, 4, 1)),
        np.broadcast_to(earlier, (runs, 4, 4)),
        np.broadcast_to(spread, (runs, 4)),
    )
    scores = np.array([[70.0, np.nan, np.nan, 30.0], [50.0, np.nan, 60.0, np.nan]])
    completed = np.broadcast_to(scores, (runs, 2, 4)).copy()
    gaps = np.array([[False, True, True, False], [False, True, False, False]])
    _fill_gaps(completed, np.ones((2, 1)), gaps, np.array([3, 2]), draw, np.random.default_rng(1))
    for patient, lost, seen in ((0, [1, 2], [0, 3]), (1, [1], [0, 2])):
        weights = np.linalg.solve(COVARIANCE[np.ix_(seen, seen)], COVARIANCE[np.ix_(seen, lost)])
        mean = MEANS[lost] + (scores[patient, seen] - MEANS[seen]) @ weights
        covariance = COVARIANCE[np.ix_(lost, lost)] - COVARIANCE[np.ix_(lost, seen)] @ weights
        drawn = completed[:, patient, lost]
        np.testing.assert_allclose(drawn.mean(axis=0), mean, atol=4 * np.sqrt(covariance.max() / runs))
        np.testing.assert_allclose(np.cov(drawn.T), covariance.squeeze(), rtol=0.04)


def test_gaps_do_not_bias_the_scores_that_follow():
    """With many patients the parameters are known, and the law of what is missing is the conditional normal one."""
    generator = np.random.default_rng(3)
    patients = 4000
    arm = np.arange(patients) % 2
    scores = MEANS + generator.standard_normal((patients, 4)) @ np.linalg.cholesky(COVARIANCE).T
    lost = generator.random(patients) < 0.25
    later = generator.random(patients) < 0.3
    scores[lost, 2] = np.nan
    scores[later, 3] = np.nan
    drawn = impute_scores(scores[:, 1:], arm, scores[:, :1], 40, np.random.default_rng(4))
    for missing, columns in ((later & lost, [0, 1]), (later & ~lost, [0, 1, 2])):
        weights = np.linalg.solve(COVARIANCE[np.ix_(columns, columns)], COVARIANCE[columns, 3])
        mean = MEANS[3] + (scores[missing][:, columns] - MEANS[columns]) @ weights
        spread = math.sqrt(COVARIANCE[3, 3] - COVARIANCE[3, columns] @ weights)
        assert drawn[:, missing].mean() == pytest.approx(mean.mean(), abs=0.4)
        residual = drawn[:, missing] - mean
        assert residual.std() == pytest.approx(spread, rel=0.04)
        slope = np.polyfit(mean, drawn[:, missing].mean(axis=0), 1)[0]
        assert slope == pytest.approx(1, abs=0.06)


@pytest.mark.parametrize("gaps", [0.0, 0.1])
def test_imputation_is_unbiased_and_covers_where_counting_non_response_is_biased(gaps):
    generator, runs = np.random.default_rng(5), 150 if gaps else 400
    full = [trial(generator, 100_000)[0::2] for _ in range(2)]
    truth = np.mean([response[arm == 1].mean() - response[arm == 0].mean() for arm, response in full])
    effects, covered, errors, as_failures, as_seen = [], [], [], [], []
    for run in range(runs):
        arm, scores, response = trial(generator, gaps=gaps)
        drawn = impute_scores(scores[:, 1:], arm, scores[:, :1], 20, np.random.default_rng(run))
        found = pooled_comparison(improved(scores[:, 0], drawn), arm)
        effects.append(found.effect)
        errors.append(found.standard_error)
        covered.append(truth in found.interval())
        lost = np.isnan(scores[:, 3])
        counted = np.where(lost, 0, response)
        as_failures.append(counted[arm == 1].mean() - counted[arm == 0].mean())
        as_seen.append(response[~lost & (arm == 1)].mean() - response[~lost & (arm == 0)].mean())
    error = np.std(effects) / math.sqrt(runs)
    assert np.mean(effects) == pytest.approx(truth, abs=3.5 * error)
    assert np.mean(covered) == pytest.approx(0.955, abs=3.5 * math.sqrt(0.05 * 0.95 / runs))
    assert np.mean(errors) == pytest.approx(np.std(effects), rel=0.2)
    assert abs(np.mean(as_failures) - truth) > 0.05
    assert abs(np.mean(as_seen) - truth) > 0.05


def test_a_visit_with_few_patients_is_not_used_and_a_constant_covariate_neither():
    generator = np.random.default_rng(6)
    arm, scores, _ = trial(generator, 40, strength=0.0)
    empty = scores.copy()
    empty[3:, 1] = np.nan
    constant = np.full((40, 1), 60.0)
    with_it = impute_scores(empty[:, 1:], arm, np.column_stack([scores[:, 0], constant]), 5, np.random.default_rng(1))
    without = impute_scores(empty[:, 2:], arm, scores[:, :1], 5, np.random.default_rng(1))
    np.testing.assert_array_equal(with_it, without)
    copied = np.column_stack([scores[:, 0], scores[:, 1:]])
    np.testing.assert_array_equal(
        impute_scores(copied, arm, scores[:, :1], 5, np.random.default_rng(1)),
        impute_scores(scores[:, 1:], arm, scores[:, :1], 5, np.random.default_rng(1)),
    )


def test_complete_scores_stay_and_seeds_repeat():
    arm, scores, response = trial(np.random.default_rng(7), 60, gaps=0.2)
    first, again = (impute_scores(scores[:, 1:], arm, scores[:, :1], 8, np.random.default_rng(9)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert not np.isnan(first).any()
    other = impute_scores(scores[:, 1:], arm, scores[:, :1], 8, np.random.default_rng(10))
    assert (first != other).any()
    complete = impute_scores(np.full((60, 1), 30.0), arm, scores[:, :1], 4, np.random.default_rng(1))
    assert (complete == 30).all()
    tables = np.broadcast_to(response, (4, 60))
    found = pooled_comparison(tables, arm)
    plain = risk_difference(*(int(part) for at in (1, 0) for part in (response[arm == at].sum(), (arm == at).sum())))
    assert found.effect == pytest.approx(plain.effect, abs=1e-15)
    assert found.standard_error == pytest.approx(plain.standard_error, rel=1e-13)
    assert found.degrees_of_freedom == pytest.approx(59 / 61 * 58)
    risk, interval = pooled_risk(tables, arm, 1)
    wilson = wilson_interval(int(response[arm == 1].sum()), 30)
    assert risk == response[arm == 1].mean()
    assert interval.lower == pytest.approx(wilson.lower, abs=0.01)
    assert interval.lower < wilson.lower < wilson.upper < interval.upper


def test_a_native_response_is_imputed_within_its_arm():
    """The arm's proportion is what the draws average; variances follow from the beta distribution."""
    response = np.array([1.0] * 6 + [0.0] * 4 + [np.nan] * 3 + [1.0] * 2 + [0.0] * 10 + [np.nan] * 2)
    arm = np.array([1] * 13 + [0] * 14)
    drawn = impute_responses(response, arm, 40_000, np.random.default_rng(1))
    assert set(np.unique(drawn)) == {0.0, 1.0}
    assert (drawn[:, ~np.isnan(response)] == response[~np.isnan(response)]).all()
    assert drawn[:, 10:13].mean() == pytest.approx(0.6, abs=0.01)
    assert drawn[:, 25:].mean() == pytest.approx(2 / 12, abs=0.01)
    assert np.cov(drawn[:, 10], drawn[:, 11])[0, 1] == pytest.approx(0.24 / 11, abs=0.005)
    none = impute_responses(
        np.where(arm == 1, response, np.where(np.isnan(response), np.nan, 0.0)), arm, 50, np.random.default_rng(1)
    )
    assert (none[:, arm == 0] == 0).all()


def test_a_native_response_is_imputed_given_covariates():
    generator = np.random.default_rng(11)
    patients = 6000
    arm, covariate = np.arange(patients) % 2, generator.standard_normal(patients)
    risk = 1 / (1 + np.exp(-(0.2 + 0.7 * arm + 1.2 * covariate)))
    response = (generator.random(patients) < risk).astype(float)
    lost = generator.random(patients) < 1 / (1 + np.exp(-(covariate - 1)))
    given = np.where(lost, np.nan, response)
    drawn = impute_responses(given, arm, 30, np.random.default_rng(2), covariate[:, None])
    for at in (0, 1):
        own = lost & (arm == at)
        assert drawn[:, own].mean() == pytest.approx(risk[own].mean(), abs=0.03)
    blind = impute_responses(given, arm, 30, np.random.default_rng(2))
    assert abs(blind[:, lost].mean() - risk[lost].mean()) > 0.1


def test_native_responses_cover():
    """Missing completely at random within arms: unbiased, and the interval holds its level."""
    generator, effects, covered = np.random.default_rng(12), [], []
    arm = np.arange(120) % 2
    for run in range(500):
        response = (generator.random(120) < np.where(arm == 1, 0.55, 0.35)).astype(float)
        response[generator.random(120) < np.where(arm == 1, 0.35, 0.1)] = np.nan
        found = pooled_comparison(impute_responses(response, arm, 20, np.random.default_rng(run)), arm)
        effects.append(found.effect)
        covered.append(0.2 in found.interval())
    assert np.mean(effects) == pytest.approx(0.2, abs=3.5 * np.std(effects) / math.sqrt(500))
    assert np.mean(covered) == pytest.approx(0.95, abs=0.035)


def test_the_pooled_interval_of_a_risk_covers():
    generator, covered = np.random.default_rng(13), []
    for run in range(600):
        response = (generator.random(60) < 0.15).astype(float)
        response[generator.random(60) < 0.3] = np.nan
        drawn = impute_responses(response, np.zeros(60, dtype=int), 20, np.random.default_rng(run))
        covered.append(0.15 in pooled_risk(drawn, np.zeros(60, dtype=int), 0)[1])
    assert np.mean(covered) == pytest.approx(0.95, abs=0.03)


def test_what_cannot_be_imputed():
    arm, scores, _ = trial(np.random.default_rng(8), 40, strength=0.0)
    unseen = scores.copy()
    unseen[arm == 1, 3] = np.nan
    with pytest.raises(InputError, match="somebody seen in every arm"):
        impute_scores(unseen[:, 1:], arm, scores[:, :1], 5, np.random.default_rng(1))
    few = scores.copy()
    few[4:, 3] = np.nan
    with pytest.raises(InputError, match="5 in all"):
        impute_scores(few[:, 1:], arm, scores[:, :1], 5, np.random.default_rng(1))
    nobody = np.where(arm == 1, np.nan, 1.0)
    with pytest.raises(InputError, match="recorded in every arm"):
        impute_responses(nobody, arm, 5, np.random.default_rng(1))
    with pytest.raises(InputError, match="all patients had the event"):
        pooled_comparison(np.ones((5, 40)), arm)
    with pytest.raises(InputError, match="of a completed data set"):
        pooled_comparison(np.ones((5, 40)), arm, "odds-ratio")
    with pytest.raises(InputError, match="at least one patient in each group"):
        pooled_comparison(np.ones((5, 40)), np.zeros(40, dtype=int))
    with pytest.raises(InputError, match="an arm with patients"):
        pooled_risk(np.ones((5, 40)), arm, 2)
