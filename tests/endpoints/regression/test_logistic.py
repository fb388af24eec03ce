import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from equipoise.endpoints.binary.proportions import odds_ratio
from equipoise.endpoints.regression.logistic import logistic_batch, logistic_regression
from equipoise.errors import InputError
from equipoise.estimate import Scale
from regression_reference import BIRTH_WEIGHTS, birth_weights


def simulated(patients=80, covariates=2, seed=0, arms=2):
    rng = np.random.default_rng(seed)
    baseline = rng.normal(30, 8, (patients, covariates))
    arm = rng.permutation(np.arange(patients) % arms)
    risk = 1 / (1 + np.exp(-(0.08 * (baseline[:, :1].sum(axis=1) - 30) + 0.8 * arm - 0.4)))
    return (rng.random(patients) < risk).astype(float), arm, baseline


def test_birth_weights_agree_with_r():
    fit = logistic_regression(*birth_weights(), better="lower")
    np.testing.assert_allclose(fit.coefficients, BIRTH_WEIGHTS.coefficients, rtol=1e-12)
    np.testing.assert_allclose(fit.standard_errors, BIRTH_WEIGHTS.standard_errors, rtol=1e-11)
    assert fit.log_likelihood == pytest.approx(BIRTH_WEIGHTS.log_likelihood, rel=1e-14)


def test_two_arms_without_covariates_are_the_odds_ratio_of_the_table():
    fit = logistic_regression([1] * 15 + [0] * 5 + [1] * 7 + [0] * 14, [1] * 20 + [0] * 21)
    woolf = odds_ratio(15, 20, 7, 21)
    assert fit.estimate.effect == pytest.approx(woolf.effect, rel=1e-13)
    assert fit.estimate.standard_error == pytest.approx(woolf.standard_error, rel=1e-13)
    assert fit.estimate.scale == Scale.LOG_ODDS_RATIO
    assert fit.log_likelihood == pytest.approx(
        15 * math.log(0.75) + 5 * math.log(0.25) + 7 * math.log(1 / 3) + 14 * math.log(2 / 3), rel=1e-14
    )


@given(st.integers(0, 60))
def test_it_solves_the_score_equations_and_its_covariance_is_the_inverse_information(seed):
    outcome, arm, baseline = simulated(seed=seed)
    fit = logistic_regression(outcome, arm, baseline)
    design = np.column_stack((np.ones(80), arm, baseline))
    risk = 1 / (1 + np.exp(-design @ fit.coefficients))
    np.testing.assert_allclose(design.T @ (outcome - risk), 0, atol=1e-9)
    information = (design.T * (risk * (1 - risk))) @ design
    np.testing.assert_allclose(fit.covariance, np.linalg.inv(information), rtol=1e-9)


@given(st.integers(0, 40), st.floats(-1e3, 1e3), st.floats(0.01, 100))
def test_symmetries(seed, shift, stretch):
    outcome, arm, baseline = simulated(60, 2, seed)
    estimate = logistic_regression(outcome, arm, baseline).estimate
    for other, sign in (
        (logistic_regression(1 - outcome, arm, baseline), -1),
        (logistic_regression(outcome, 1 - arm, baseline), -1),
        (logistic_regression(outcome, arm, shift - stretch * baseline[:, ::-1]), 1),
    ):
        assert other.estimate.effect == pytest.approx(sign * estimate.effect, rel=1e-8, abs=1e-9)
        assert other.estimate.standard_error == pytest.approx(estimate.standard_error, rel=1e-8)


def test_any_two_of_three_arms_can_be_compared():
    outcome, arm, baseline = simulated(90, 1, 4, arms=3)
    fit, other = logistic_regression(outcome, arm, baseline), logistic_regression(outcome, (arm + 2) % 3, baseline)
    assert fit.names == ("intercept", "arm 1", "arm 2", "covariate 1")
    assert fit.compare(2, 1).effect == pytest.approx(other.compare(1, 0).effect, rel=1e-10)
    assert fit.compare(2, 1).standard_error == pytest.approx(other.compare(1, 0).standard_error, rel=1e-10)
    assert fit.compare(0, 1).effect == -fit.estimates[0].effect
    for arguments in ((3, 0), (1, -1), (1, 1)):
        with pytest.raises(InputError):
            fit.compare(*arguments)


def many(trials=150, patients=24, seed=1):
    """Small trials of unequal size with missing values, a rare indicator and many that cannot be fitted."""
    rng = np.random.default_rng(seed)
    arm = rng.integers(0, 3, (trials, patients))
    arm[np.arange(patients) >= rng.integers(6, patients + 1, trials)[:, None]] = -1
    covariates = np.stack([rng.normal(50, 10, arm.shape), rng.random(arm.shape) < 0.15], axis=2)
    outcome = (rng.random(arm.shape) < 0.2 + 0.2 * np.maximum(arm, 0)).astype(float)
    outcome[rng.random(arm.shape) < 0.05] = np.nan
    covariates[rng.random(covariates.shape) < 0.02] = np.nan
    return outcome, arm, covariates


def single_or_reason(function, *arguments, **options):
    try:
        return function(*arguments, **options), None
    except InputError as error:
        return None, str(error)


def test_many_trials_are_what_each_is_alone():
    outcome, arm, covariates = many()
    batch = logistic_batch(outcome, arm, covariates, names=["age", "site"], arms=3)
    estimates, failed = batch.estimates(2, 1), 0
    assert len(batch) == len(estimates) == 150
    for at in range(150):
        there = arm[at] >= 0
        alone, reason = None, None
        if set(arm[at][there]) == {0, 1, 2}:
            alone, reason = single_or_reason(
                logistic_regression, outcome[at, there], arm[at, there], covariates[at, there], names=["age", "site"]
            )
            assert (str(batch.failures[at]) if at in batch.failures else None) == reason
        if alone is None:
            assert np.isnan(batch.coefficients[at]).all()
            assert np.isnan(estimates.effect[at])
            assert at in estimates.failures
            failed += 1
            continue
        np.testing.assert_allclose(batch.coefficients[at], alone.coefficients, rtol=1e-10, atol=1e-10)
        np.testing.assert_allclose(batch.covariance[at], alone.covariance, rtol=1e-9, atol=1e-10)
        assert estimates.effect[at] == pytest.approx(alone.compare(2, 1).effect, abs=1e-10)
        assert estimates.standard_error[at] == pytest.approx(alone.compare(2, 1).standard_error, rel=1e-10)
        assert batch.log_likelihood[at] == pytest.approx(alone.log_likelihood, rel=1e-12)
        assert (batch.patients[at], batch.dropped[at]) == (alone.patients, alone.dropped)
    assert 30 < failed < 140


def test_separation_is_found_where_linear_programming_finds_it():
    """The likelihood has no maximum exactly where some direction separates the outcomes (Albert & Anderson 1984)."""
    from scipy.optimize import linprog

    rng = np.random.default_rng(5)
    trials, patients = 400, 14
    arm = np.tile(np.arange(patients) % 2, (trials, 1))
    covariates = np.round(rng.normal(0, 2, (trials, patients, 2)))
    outcome = (rng.random((trials, patients)) < 1 / (1 + np.exp(-1.5 * covariates[:, :, 0]))).astype(float)
    batch = logistic_batch(outcome, arm, covariates)
    found = 0
    for at in range(trials):
        design = np.column_stack((np.ones(patients), arm[at], covariates[at]))
        if np.linalg.matrix_rank(design) < 4:
            assert at in batch.failures
            continue
        signed = design * (2 * outcome[at] - 1)[:, None]
        best = linprog(-signed.sum(axis=0), A_ub=-signed, b_ub=np.zeros(patients), bounds=[(-1, 1)] * 4)
        assert (at in batch.failures) == (-best.fun > 1e-7), at
        found += at in batch.failures
    assert 50 < found < 350


def test_levels_that_nobody_has_may_be_left_out():
    outcome, arm, baseline = simulated(60, 1, 2)
    columns = np.stack([baseline[:, 0], np.zeros(60)], axis=1)
    batch = logistic_batch(outcome[None], arm[None], columns[None], drop_absent=True)
    plain = logistic_regression(outcome, arm, baseline)
    np.testing.assert_allclose(batch.coefficients[0, :3], plain.coefficients, rtol=1e-11)
    np.testing.assert_allclose(batch.covariance[0, :3, :3], plain.covariance, rtol=1e-11)
    assert np.isnan(batch.coefficients[0, 3])
    refused = logistic_batch(outcome[None], arm[None], columns[None], names=["age", "site B"])
    assert "'site B'" in str(refused.failures[0])
    copied = np.stack([baseline[:, 0], 2 * baseline[:, 0] - 3], axis=1)
    assert 0 in logistic_batch(outcome[None], arm[None], copied[None], drop_absent=True).failures


def test_a_far_offset_costs_no_digits():
    outcome, arm, baseline = simulated(60, 1)
    baseline = np.round(baseline * 16) / 16
    near = logistic_regression(outcome, arm, baseline)
    far = logistic_regression(outcome, arm, baseline + 2.0**28)
    assert far.estimate.effect == pytest.approx(near.estimate.effect, rel=1e-10)
    assert far.estimate.standard_error == pytest.approx(near.estimate.standard_error, rel=1e-10)


def test_coverage_in_simulation():
    """2,000 trials of 160 patients: the Wald interval of the log odds ratio given the covariate."""
    rng = np.random.default_rng(3)
    arm = np.tile(np.arange(160) % 2, (2000, 1))
    baseline = rng.normal(size=(2000, 160))
    outcome = rng.random((2000, 160)) < 1 / (1 + np.exp(-(0.6 * arm + 0.7 * baseline - 0.3)))
    found = logistic_batch(outcome, arm, baseline).estimates()
    assert not found.failures
    covered = np.abs(found.effect - 0.6) < 1.959963985 * found.standard_error
    assert covered.mean() == pytest.approx(0.95, abs=0.015)
    assert found.effect.std() == pytest.approx(found.standard_error.mean(), rel=0.05)


def rejected(field, *arguments, **options):
    with pytest.raises(InputError) as caught:
        logistic_regression(*arguments, **options)
    assert caught.value.field == field
    return str(caught.value)


def test_what_cannot_be_analysed_is_named():
    outcome, arm, baseline = simulated(40, 2)
    assert "20/20" in rejected("outcome", np.where(arm == 1, 1, outcome), arm)
    rejected("outcome", np.zeros(40), arm)
    rejected("outcome", outcome * 2, arm)
    rejected("outcome", outcome[None], arm)
    rejected("arm", outcome, arm + 1)
    rejected("arm", outcome, arm * 0)
    rejected("arm", outcome, arm - 1)
    rejected("arm", outcome, arm / 2)
    rejected("arm", outcome, arm[:-1])
    rejected("arm", np.where(arm == 1, math.nan, outcome), arm)
    reason = rejected("covariates", outcome, arm, np.column_stack((baseline[:, 0], outcome)), names=["age", "cured"])
    assert "'cured'" in reason
    assert "run away" in reason
    constant = np.column_stack((baseline, np.full(40, 7.3)))
    assert "'site'" in rejected("covariates", outcome, arm, constant, names=["age", "bdi", "site"])
    copied = np.column_stack((baseline, 3 * baseline[:, 0] - baseline[:, 1] + 2))
    assert "'total'" in rejected("covariates", outcome, arm, copied, names=["age", "bdi", "total"])
    rejected("covariates", outcome, arm, baseline[:-1])
    rejected("covariates", outcome, arm, np.full((40, 1), "a"))
    rejected("covariates", outcome, arm, np.where(baseline > 30, math.inf, baseline))
    rejected("names", outcome, arm, baseline, names=["age"])
    rejected("names", outcome, arm, baseline[:, 0], names="a")
    rejected("better", outcome, arm, better="up")
    with pytest.raises(InputError, match="one row a trial"):
        logistic_batch(outcome, arm)


def test_missing_values_drop_patients_and_it_prints_as_a_table():
    outcome, arm, baseline = simulated(40, 2)
    outcome[3], baseline[5, 1], baseline[3, 0] = math.nan, math.nan, math.nan
    fit = logistic_regression(outcome, arm, baseline, label="response")
    kept = np.delete(np.arange(40), [3, 5])
    again = logistic_regression(outcome[kept], arm[kept], baseline[kept])
    assert (fit.patients, fit.dropped, again.dropped) == (38, 2, 0)
    np.testing.assert_allclose(fit.coefficients, again.coefficients, rtol=1e-12)
    assert str(fit).startswith("response: 38 patients, 2 left out for missing values\n  intercept ")
    with pytest.raises(ValueError, match="read-only"):
        fit.coefficients[0] = 0
