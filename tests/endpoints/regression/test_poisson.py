import math

import numpy as np
import pytest

from equipoise.endpoints.regression.poisson import poisson_batch, poisson_regression
from equipoise.errors import InputError
from equipoise.estimate import Scale
from regression_reference import EPILEPSY_POISSON, epilepsy


@pytest.mark.parametrize("variance", ["model", "HC0", "HC1", "HC2", "HC3"])
def test_epilepsy_agrees_with_r(variance):
    counts, arm, baseline, weeks = epilepsy()
    fit = poisson_regression(counts, arm, baseline, exposure=weeks, variance=variance)
    errors = EPILEPSY_POISSON.more.get(variance, EPILEPSY_POISSON.standard_errors)
    np.testing.assert_allclose(fit.coefficients, EPILEPSY_POISSON.coefficients, rtol=2e-13)
    np.testing.assert_allclose(fit.standard_errors, errors, rtol=1e-10)
    assert fit.log_likelihood == pytest.approx(EPILEPSY_POISSON.log_likelihood, rel=1e-14)
    assert fit.estimate.scale == Scale.LOG_RATE_RATIO
    assert fit.estimate.better == "lower"


def test_without_covariates_it_is_events_over_time():
    rng = np.random.default_rng(1)
    arm, time = np.arange(30) % 3, rng.uniform(0.2, 2, 30)
    counts = rng.poisson(3 * time)
    fit = poisson_regression(counts, arm, exposure=time)
    events = np.array([counts[arm == at].sum() for at in range(3)])
    years = np.array([time[arm == at].sum() for at in range(3)])
    np.testing.assert_allclose(fit.rates, events / years, rtol=1e-13)
    np.testing.assert_allclose(fit.log_rate_covariance, np.diag(1 / events), rtol=1e-12, atol=1e-14)
    np.testing.assert_array_equal(fit.events, events)
    np.testing.assert_allclose(fit.exposure, years, rtol=1e-14)
    estimate = fit.compare(2, 1)
    assert estimate.effect == pytest.approx(math.log(events[2] / years[2] / (events[1] / years[1])), rel=1e-12)
    assert estimate.standard_error == pytest.approx(math.sqrt(1 / events[2] + 1 / events[1]), rel=1e-13)
    interval = fit.rate_interval(1, 0.9)
    assert math.log(interval.upper / fit.rates[1]) == pytest.approx(
        1.6448536269514722 / math.sqrt(events[1]), rel=1e-12
    )
    robust = poisson_regression(counts, arm, exposure=time, variance="HC0").compare(2, 1)
    residual = counts - time * (events / years)[arm]
    spread = sum((residual[arm == at] ** 2).sum() / events[at] ** 2 for at in (1, 2))
    assert robust.standard_error == pytest.approx(math.sqrt(spread), rel=1e-12)


def test_rates_are_at_the_mean_of_the_covariates():
    counts, arm, baseline, _ = epilepsy()
    fit = poisson_regression(counts, arm, baseline, exposure=np.full(59, 8.0))
    points = np.column_stack((np.ones(2), [0, 1], np.tile(baseline.mean(axis=0), (2, 1))))
    np.testing.assert_allclose(fit.log_rates, points @ fit.coefficients, rtol=1e-12)
    np.testing.assert_allclose(fit.log_rate_covariance, points @ fit.covariance @ points.T, rtol=1e-9)


def test_symmetries():
    counts, arm, baseline, _ = epilepsy()
    plain = poisson_regression(counts, arm, baseline)
    timed = poisson_regression(counts, 1 - arm, 3 - 2 * baseline, exposure=np.full(59, 365.25))
    assert timed.estimate.effect == pytest.approx(-plain.estimate.effect, rel=1e-11)
    assert timed.estimate.standard_error == pytest.approx(plain.estimate.standard_error, rel=1e-11)
    np.testing.assert_allclose(timed.rates[::-1] * 365.25, plain.rates, rtol=1e-12)


def many(trials=150, patients=20, seed=1):
    """Small trials of few events: many have an arm without any, or a site without."""
    rng = np.random.default_rng(seed)
    arm = rng.integers(0, 2, (trials, patients))
    arm[np.arange(patients) >= rng.integers(8, patients + 1, trials)[:, None]] = -1
    covariates = np.stack([rng.normal(50, 10, arm.shape), rng.random(arm.shape) < 0.25], axis=2)
    time = rng.uniform(0.1, 1, arm.shape)
    time[rng.random(arm.shape) < 0.05] = 0.0
    counts = rng.poisson(0.8 * time * (1 + np.maximum(arm, 0))).astype(float)
    counts[rng.random(arm.shape) < 0.05] = np.nan
    time[rng.random(arm.shape) < 0.02] = np.nan
    return counts, arm, covariates, time


@pytest.mark.parametrize("variance", ["model", "HC1", "HC3"])
def test_many_trials_are_what_each_is_alone(variance):
    counts, arm, covariates, time = many()
    batch = poisson_batch(counts, arm, covariates, exposure=time, variance=variance)
    estimates = batch.estimates()
    for at in range(150):
        there = arm[at] >= 0
        reason = None
        try:
            alone = poisson_regression(
                counts[at, there], arm[at, there], covariates[at, there], exposure=time[at, there], variance=variance
            )
        except InputError as error:
            reason = str(error)
        assert estimates.failures.get(at) == reason
        assert np.isnan(estimates.effect[at]) == (reason is not None)
        if reason is None:
            assert estimates.effect[at] == pytest.approx(alone.estimate.effect, rel=1e-10, abs=1e-10)
            assert estimates.standard_error[at] == pytest.approx(alone.estimate.standard_error, rel=1e-10)
            np.testing.assert_allclose(batch.log_rates[at], alone.log_rates, rtol=1e-10, atol=1e-10)
            assert (batch.patients[at], batch.dropped[at]) == (alone.patients, alone.dropped)
    assert 20 < len(estimates.failures) < 130
    reasons = " ".join(estimates.failures.values())
    assert "at least one event in every arm" in reasons
    assert "their estimated rate runs to 0" in reasons


def test_the_sandwich_keeps_its_level_where_counts_vary_more_than_poisson():
    """1,500 trials of 200 patients with gamma frailty: the model's interval is too short, the sandwich's is not."""
    rng = np.random.default_rng(2)
    arm = np.tile(np.arange(200) % 2, (1500, 1))
    counts = rng.poisson(2 * np.exp(-0.3 * arm) * rng.gamma(1, 1, arm.shape))
    covered = {}
    for variance in ("model", "HC1"):
        found = poisson_batch(counts, arm, variance=variance).estimates()
        covered[variance] = (np.abs(found.effect + 0.3) < 1.959963985 * found.standard_error).mean()
    assert covered["HC1"] == pytest.approx(0.95, abs=0.017)
    assert covered["model"] < 0.82


def rejected(field, *arguments, **options):
    with pytest.raises(InputError) as caught:
        poisson_regression(*arguments, **options)
    assert caught.value.field == field
    return str(caught.value)


def test_what_cannot_be_analysed_is_named():
    arm = np.arange(10) % 2
    rejected("outcome", arm, arm)
    rejected("outcome", arm - 1, arm)
    rejected("outcome", arm + 0.5, arm)
    rejected("outcome", np.full(10, 2e6), arm)
    assert "'site'" in rejected("covariates", [0, 0, 0, 0, 1, 2, 1, 1, 2, 1], arm, [0] * 4 + [1] * 6, names=["site"])
    rejected("exposure", arm + 1, arm, exposure=-np.ones(10))
    rejected("exposure", arm + 1, arm, exposure=np.zeros(10))
    rejected("exposure", arm + 1, arm, exposure=np.ones(9))
    rejected("exposure", arm + 1, arm, exposure=["a"] * 10)
    rejected("variance", arm + 1, arm, variance="HC9")
    rejected("better", arm + 1, arm, better="up")
    rejected("patients", [1, 2], [0, 1], variance="HC1")
    with pytest.raises(InputError, match="an arm from 0 to 1"):
        poisson_regression(arm + 1, arm).rate_interval(2)
    with pytest.raises(InputError, match="confidence level"):
        poisson_regression(arm + 1, arm).rate_interval(1, 95)


def test_no_time_under_observation_says_nothing():
    arm = np.arange(10) % 2
    counts, time = np.array([1, 2, 0, 1, 2, 3, 1, 0, 0, 0]), np.array([1.0] * 8 + [0.0] * 2)
    fit, again = poisson_regression(counts, arm, exposure=time), poisson_regression(counts[:8], arm[:8])
    assert (fit.patients, fit.dropped) == (8, 2)
    np.testing.assert_allclose(fit.coefficients, again.coefficients, rtol=1e-13)


@pytest.mark.parametrize("variance", ["HC0", "HC1", "HC2", "HC3"])
def test_a_patient_of_leverage_1(variance):
    """Who alone makes up an arm leaves a sandwich nothing to go by; who alone has a level, says nothing of the arms."""
    counts, arm = np.array([2, 0, 1, 3, 2, 1, 0, 4]), np.array([0, 1, 1, 1, 1, 1, 1, 1])
    for one in (arm, 1 - arm):
        with pytest.raises(InputError, match="one patient alone") as caught:
            poisson_regression(counts, one, variance=variance)
        batch = poisson_batch(np.stack([counts, counts]), np.stack([one, np.arange(8) % 2]), variance=variance)
        assert batch.estimates().failures == {0: str(caught.value)}
        assert np.isfinite(batch.estimates().standard_error[1])
    arm, level = np.arange(8) % 2, np.array([1, 0, 0, 0, 0, 0, 0, 0])
    fit = poisson_regression(counts, arm, level, variance=variance)
    without = poisson_regression(counts[1:], arm[1:], variance=variance)
    assert fit.estimate.effect == pytest.approx(without.estimate.effect, rel=1e-10)
    if variance != "HC1":
        assert fit.estimate.standard_error == pytest.approx(without.estimate.standard_error, rel=1e-9)
    fit.rate_interval(0)
