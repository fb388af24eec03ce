import math

import numpy as np
import pytest

from equipoise.endpoints.regression.negative_binomial import (
    NO_OVERDISPERSION,
    negative_binomial_batch,
    negative_binomial_regression,
)
from equipoise.endpoints.regression.poisson import poisson_batch, poisson_regression
from equipoise.errors import InputError
from equipoise.estimate import Scale
from regression_reference import EPILEPSY, QUINE, epilepsy, quine


def log_likelihood(parameters, counts, design, time):
    """By the gamma functions; the last parameter is k, above 0."""
    from scipy.special import gammaln

    size, mean = 1 / parameters[-1], time * np.exp(design @ parameters[:-1])
    return float(
        (
            gammaln(counts + size)
            - gammaln(size)
            - gammaln(counts + 1)
            + size * np.log(size / (size + mean))
            + counts * np.log(mean / (size + mean))
        ).sum()
    )


def slopes(parameters, counts, design, time):
    """Central differences of the log-likelihood in extended precision, the gamma functions as products."""
    before = np.arange(counts.max(), dtype=np.longdouble)
    earlier = (counts[:, None] > before).sum(axis=0)

    def value(at):
        mean, k = time * np.exp(design.astype(np.longdouble) @ at[:-1]), at[-1]
        terms = counts * np.log(mean) - (counts + 1 / k) * np.log1p(k * mean)
        return (earlier * np.log1p(k * before)).sum() + terms.sum()

    here = parameters.astype(np.longdouble)
    found = []
    for at, size in enumerate([1.0] * (len(here) - 1) + [here[-1]]):
        step = np.zeros_like(here)
        step[at] = 1e-5 * size
        found.append(float((value(here + step) - value(here - step)) / (2 * step[at])))
    return np.array(found)


def agrees(fit, recorded):
    np.testing.assert_allclose(fit.coefficients, recorded.coefficients, rtol=1e-11)
    np.testing.assert_allclose(fit.standard_errors, recorded.standard_errors, rtol=1e-11)
    assert 1 / fit.dispersion == pytest.approx(recorded.more["theta"], rel=1e-11)
    error = fit.dispersion_standard_error / fit.dispersion**2
    assert error == pytest.approx(recorded.more["theta_error"], rel=1e-9)
    assert fit.log_likelihood == pytest.approx(recorded.log_likelihood, rel=1e-13)


def test_quine_agrees_with_r():
    fit = negative_binomial_regression(*quine())
    agrees(fit, QUINE)
    assert fit.notes == ()


def test_epilepsy_with_exposure_agrees_with_r():
    counts, arm, baseline, weeks = epilepsy()
    fit = negative_binomial_regression(counts, arm, baseline, exposure=weeks, label="seizures")
    agrees(fit, EPILEPSY)
    assert fit.estimate.scale == Scale.LOG_RATE_RATIO
    assert str(fit).splitlines()[0] == "seizures: 59 patients"


def simulated(seed, patients=60, dispersion=0.7):
    rng = np.random.default_rng(seed)
    arm, baseline, time = np.arange(patients) % 2, rng.normal(size=patients), rng.uniform(0.3, 2, patients)
    mean = 2.5 * time * np.exp(-0.4 * arm + 0.3 * baseline)
    return rng.poisson(mean * rng.gamma(1 / dispersion, dispersion, patients)), arm, baseline, time


@pytest.mark.parametrize("dispersion", [1e-4, 0.02, 0.3, 4.0])
@pytest.mark.parametrize("seed", range(6))
def test_it_is_the_maximum_of_the_likelihood_and_its_errors_are_the_expected_information(seed, dispersion):
    counts, arm, baseline, time = simulated(seed, dispersion=dispersion)
    fit = negative_binomial_regression(counts, arm, baseline, exposure=time)
    design = np.column_stack((np.ones(60), arm, baseline))
    mean = time * np.exp(design @ fit.coefficients)
    information = (design.T * (mean / (1 + fit.dispersion * mean))) @ design
    np.testing.assert_allclose(fit.covariance, np.linalg.inv(information), rtol=1e-9)
    ours = np.append(fit.coefficients, max(fit.dispersion, 1e-5))
    found = slopes(ours, counts, design, time)
    if fit.dispersion == 0:
        assert found[-1] < 0
        return
    errors = np.append(fit.standard_errors, fit.dispersion_standard_error)
    np.testing.assert_allclose(found * errors, 0, atol=1e-7)
    assert fit.log_likelihood == pytest.approx(log_likelihood(ours, counts, design, time), rel=1e-9)
    for factor in (0.5, 0.9, 1.1, 2.0):
        ours[-1] = factor * fit.dispersion
        assert log_likelihood(ours, counts, design, time) < fit.log_likelihood


def test_counts_that_vary_no_more_than_poisson_are_poisson():
    counts, arm = np.array([2, 3, 2, 3, 2, 3, 1, 2, 1, 2, 1, 2]), np.repeat([0, 1], 6)
    fit, poisson = negative_binomial_regression(counts, arm), poisson_regression(counts, arm)
    assert fit.dispersion == 0
    assert math.isnan(fit.dispersion_standard_error)
    assert fit.notes == (NO_OVERDISPERSION,)
    assert NO_OVERDISPERSION in str(fit)
    np.testing.assert_allclose(fit.coefficients, poisson.coefficients, rtol=1e-14)
    np.testing.assert_allclose(fit.covariance, poisson.covariance, rtol=1e-14)
    assert fit.log_likelihood == poisson.log_likelihood


def test_series_and_closed_forms_of_the_curvatures_meet():
    from equipoise.endpoints.regression.count_kernels import curvatures

    def _curvatures(t):
        return np.array([curvatures(float(value)) for value in t]).T

    t = np.array([0.0, 1e-9, 0.0299999, 0.0300001, 5.0])
    ratio, curve, slope = _curvatures(t)
    assert (ratio[0], curve[0], slope[0]) == pytest.approx((1, 1 / 2, -2 / 3), rel=1e-15)
    np.testing.assert_allclose(np.diff(ratio[2:4]), -0.5 * 2e-7, rtol=0.05)
    np.testing.assert_allclose(curve[2], curve[3], rtol=1e-6)
    np.testing.assert_allclose(slope[2], slope[3], rtol=1e-6)
    step = 1e-5
    np.testing.assert_allclose(
        (_curvatures(t[2:] + step)[1] - _curvatures(t[2:] - step)[1]) / (2 * step), slope[2:], rtol=1e-7
    )


def many(trials=150, patients=24, seed=1):
    rng = np.random.default_rng(seed)
    arm = rng.integers(0, 2, (trials, patients))
    arm[np.arange(patients) >= rng.integers(8, patients + 1, trials)[:, None]] = -1
    covariates = np.stack([rng.normal(50, 10, arm.shape), rng.random(arm.shape) < 0.25], axis=2)
    time = rng.uniform(0.1, 1, arm.shape)
    time[rng.random(arm.shape) < 0.05] = 0.0
    counts = rng.poisson(1.5 * time * rng.gamma(1, 1, arm.shape)).astype(float)
    counts[rng.random(arm.shape) < 0.05] = np.nan
    return counts, arm, covariates, time


def test_many_trials_are_what_each_is_alone():
    counts, arm, covariates, time = many()
    batch = negative_binomial_batch(counts, arm, covariates, exposure=time)
    estimates = batch.estimates()
    for at in range(150):
        there = arm[at] >= 0
        reason = None
        try:
            alone = negative_binomial_regression(
                counts[at, there], arm[at, there], covariates[at, there], exposure=time[at, there]
            )
        except InputError as error:
            reason = str(error)
        assert estimates.failures.get(at) == reason
        if reason is None:
            assert estimates.effect[at] == pytest.approx(alone.estimate.effect, rel=1e-10, abs=1e-10)
            assert estimates.standard_error[at] == pytest.approx(alone.estimate.standard_error, rel=1e-10)
            assert batch.dispersion[at] == pytest.approx(alone.dispersion, rel=1e-9, abs=1e-12)
            assert batch.log_likelihood[at] == pytest.approx(alone.log_likelihood, rel=1e-11)
    assert 10 < len(estimates.failures) < 140
    fitted = ~np.isnan(batch.dispersion)
    assert 0 < (batch.dispersion[fitted] == 0).sum() < fitted.sum()
    poisson = poisson_batch(counts, arm, covariates, exposure=time)
    assert (batch.log_likelihood[fitted] >= poisson.log_likelihood[fitted]).all()


def test_large_counts_and_wild_ones():
    rng = np.random.default_rng(4)
    arm = np.tile(np.arange(40) % 2, (60, 1))
    for shape, rate in ((20.0, 5000.0), (0.05, 20.0), (2.0, 0.05)):
        counts = rng.poisson(rate * rng.gamma(shape, 1 / shape, arm.shape))
        batch = negative_binomial_batch(counts, arm)
        assert all("at least one event" in str(reason) for reason in batch.failures.values())
        fitted = np.setdiff1d(np.arange(60), list(batch.failures))
        mean = np.exp(np.take_along_axis(batch.log_rates[fitted], arm[fitted], axis=1))
        shrunk = (counts[fitted] - mean) / (1 + batch.dispersion[fitted][:, None] * mean)
        np.testing.assert_allclose(shrunk.sum(axis=1), 0, atol=1e-6 * rate)
        np.testing.assert_allclose((shrunk * arm[fitted]).sum(axis=1), 0, atol=1e-6 * rate)


def test_coverage_and_dispersion_in_simulation():
    """2,000 trials of 150 patients with k = 0.8 and exposures of 0.2 to 1.5."""
    rng = np.random.default_rng(3)
    arm, time = np.tile(np.arange(150) % 2, (2000, 1)), rng.uniform(0.2, 1.5, (2000, 150))
    counts = rng.poisson(2 * time * np.exp(-0.35 * arm) * rng.gamma(1 / 0.8, 0.8, arm.shape))
    batch = negative_binomial_batch(counts, arm, exposure=time)
    found = batch.estimates()
    covered = np.abs(found.effect + 0.35) < 1.959963985 * found.standard_error
    assert covered.mean() == pytest.approx(0.95, abs=0.015)
    assert found.effect.std() == pytest.approx(found.standard_error.mean(), rel=0.05)
    assert np.median(batch.dispersion) == pytest.approx(0.8, rel=0.05)
    assert batch.dispersion.std() == pytest.approx(batch.dispersion_standard_error.mean(), rel=0.1)


def test_the_standard_error_is_what_planning_promises():
    """Counts(...).information at the assumed rates is what 400 fits have on average."""
    from equipoise.endpoints.planning.plan_counts import Counts

    rng = np.random.default_rng(8)
    arm = np.tile(np.arange(600) % 2, (400, 1))
    counts = rng.poisson(1.4 * np.exp(-0.3 * arm) * rng.gamma(2, 0.5, arm.shape))
    found = negative_binomial_batch(counts, arm).estimates()
    promised = Counts(1.4 * math.exp(-0.3), 1.4, dispersion=0.5, exposure=1.0).information((300, 300))
    assert np.mean(found.standard_error**-2) == pytest.approx(promised, rel=0.01)


def test_an_arm_without_events_is_refused():
    with pytest.raises(InputError, match="at least one event in every arm"):
        negative_binomial_regression([0, 3, 0, 9, 0, 1], [0, 1, 0, 1, 0, 1])
    with pytest.raises(InputError, match="'higher', 'lower'"):
        negative_binomial_regression([1, 3, 0, 9, 0, 1], [0, 1, 0, 1, 0, 1], better="less")
