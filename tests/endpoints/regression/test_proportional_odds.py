import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from equipoise.endpoints.regression.logistic import logistic_regression
from equipoise.endpoints.regression.proportional_odds import proportional_odds_batch, proportional_odds_regression
from equipoise.errors import InputError
from equipoise.estimate import Scale
from regression_reference import CHEESE, CHEESE_TABLE, HOUSING, cheese, housing


def agrees(fit, recorded, tolerance):
    np.testing.assert_allclose(fit.coefficients, recorded.coefficients, rtol=tolerance)
    np.testing.assert_allclose(fit.standard_errors, recorded.standard_errors, rtol=tolerance)
    np.testing.assert_allclose(fit.thresholds, recorded.more["thresholds"], rtol=10 * tolerance)
    assert fit.log_likelihood == pytest.approx(recorded.log_likelihood, rel=1e-13)


def test_copenhagen_housing_agrees_with_r():
    fit = proportional_odds_regression(*housing())
    agrees(fit, HOUSING, 1e-12)
    assert fit.estimate.scale == Scale.LOG_ODDS_RATIO


def test_cheese_tasting_agrees_with_r():
    fit = proportional_odds_regression(*cheese())
    agrees(fit, CHEESE, 2e-11)
    assert fit.levels.tolist() == list(range(1, 10))
    np.testing.assert_array_equal(fit.counts, CHEESE_TABLE[[3, 0, 1, 2]])


def simulated(patients=90, levels=5, seed=0, covariates=1):
    rng = np.random.default_rng(seed)
    baseline, arm = rng.normal(50, 10, (patients, covariates)), np.arange(patients) % 2
    latent = 0.8 * arm + 0.05 * (baseline[:, 0] - 50) + rng.logistic(size=patients)
    return np.digitize(latent, np.linspace(-1.5, 2.0, levels - 1)).astype(float), arm, baseline


def log_likelihood(thresholds, slopes, level, design):
    below = 1 / (1 + np.exp(design @ slopes - thresholds[:, None]))
    edges = np.concatenate((np.zeros((1, len(level))), below, np.ones((1, len(level)))))
    return np.log(np.diff(edges, axis=0)[level.astype(int), np.arange(len(level))]).sum()


@pytest.mark.parametrize("levels", [3, 6])
@pytest.mark.parametrize("seed", range(3))
def test_it_is_the_maximum_and_its_covariance_the_curvature_there(seed, levels):
    level, arm, baseline = simulated(seed=seed, levels=levels)
    fit = proportional_odds_regression(level, arm, baseline - 50)
    design, inner = np.column_stack((arm, baseline - 50)), levels - 1

    def value(at):
        return log_likelihood(at[:inner], at[inner:], level, design)

    best = np.concatenate((fit.thresholds, fit.coefficients[1:]))
    assert fit.log_likelihood == pytest.approx(value(best), rel=1e-13)
    steps = 1e-4 * np.eye(inner + 2)
    np.testing.assert_allclose([(value(best + s) - value(best - s)) / 2e-4 for s in steps], 0, atol=1e-4)
    curvature = [
        [(value(best + s + t) - value(best + s - t) - value(best - s + t) + value(best - s - t)) / 4e-8 for s in steps]
        for t in steps
    ]
    covariance = np.linalg.inv(-np.array(curvature))
    np.testing.assert_allclose(np.diag(fit.covariance)[1:], np.diag(covariance)[inner:], rtol=1e-3)
    assert fit.covariance[0, 0] == pytest.approx(covariance[0, 0], rel=1e-3)
    assert fit.covariance[0, 1] == pytest.approx(-covariance[0, inner], rel=1e-2)


def test_two_levels_are_logistic_regression():
    level, arm, baseline = simulated(levels=2)
    fit, logistic = (
        proportional_odds_regression(7 * level - 2, arm, baseline),
        logistic_regression(level, arm, baseline),
    )
    np.testing.assert_allclose(fit.coefficients, logistic.coefficients, rtol=1e-11)
    np.testing.assert_allclose(fit.covariance, logistic.covariance, rtol=1e-10)
    assert fit.thresholds.tolist() == pytest.approx([-logistic.coefficients[0]], rel=1e-11)
    assert fit.log_likelihood == pytest.approx(logistic.log_likelihood, rel=1e-13)


@given(st.integers(0, 40), st.floats(-100, 100), st.floats(0.01, 100))
def test_symmetries(seed, shift, stretch):
    level, arm, baseline = simulated(60, 4, seed)
    fit = proportional_odds_regression(level, arm, baseline)
    for other, sign in (
        (proportional_odds_regression(-level, arm, baseline), -1),
        (proportional_odds_regression(level, 1 - arm, baseline), -1),
        (proportional_odds_regression(np.exp(level), arm, shift + stretch * baseline), 1),
    ):
        assert other.estimate.effect == pytest.approx(sign * fit.estimate.effect, rel=1e-8, abs=1e-9)
        assert other.estimate.standard_error == pytest.approx(fit.estimate.standard_error, rel=1e-8)
    mirrored = proportional_odds_regression(-level, arm, baseline)
    np.testing.assert_allclose(mirrored.thresholds, -fit.thresholds[::-1], rtol=1e-8, atol=1e-9)


def test_levels_that_nobody_has_are_none():
    level, arm, baseline = simulated(60, 4)
    gaps = np.array([0, 3, 4, 9])[level.astype(int)]
    fit, other = proportional_odds_regression(level, arm, baseline), proportional_odds_regression(gaps, arm, baseline)
    np.testing.assert_array_equal(fit.coefficients, other.coefficients)
    assert other.levels.tolist() == [0, 3, 4, 9]
    batch = proportional_odds_batch(np.stack([gaps, level]), np.stack([arm, arm]), np.stack([baseline, baseline]))
    np.testing.assert_array_equal(batch.levels, [0, 1, 2, 3, 4, 9])
    np.testing.assert_allclose(batch.coefficients, np.stack([fit.coefficients] * 2), rtol=1e-12)
    assert np.isnan(batch.thresholds).tolist() == [[False, True, True, False, False], [False, False, False, True, True]]
    np.testing.assert_allclose(batch.thresholds[0][[0, 3, 4]], fit.thresholds, rtol=1e-12)
    assert batch.counts.sum(axis=(1, 2)).tolist() == [60, 60]


def many(trials=150, patients=20, seed=1):
    rng = np.random.default_rng(seed)
    arm = rng.integers(0, 2, (trials, patients))
    arm[np.arange(patients) >= rng.integers(5, patients + 1, trials)[:, None]] = -1
    covariates = np.stack([rng.normal(50, 10, arm.shape), rng.random(arm.shape) < 0.2], axis=2)
    latent = 2 * arm + 0.1 * (covariates[:, :, 0] - 50) + rng.logistic(size=arm.shape)
    level = np.digitize(latent, [-2.0, 0.0, 2.0, 3.0, 6.0]).astype(float)
    level[::10] = np.minimum(level[::10], 1)
    level[5::25] = 3
    level[rng.random(arm.shape) < 0.05] = np.nan
    return level, arm, covariates


def test_many_trials_are_what_each_is_alone():
    level, arm, covariates = many()
    batch = proportional_odds_batch(level, arm, covariates)
    estimates = batch.estimates()
    for at in range(150):
        there = arm[at] >= 0
        reason = None
        try:
            alone = proportional_odds_regression(level[at, there], arm[at, there], covariates[at, there])
        except InputError as error:
            reason = str(error)
        if reason and "two arms" in reason:
            assert "at least one patient" in estimates.failures[at]
            continue
        assert estimates.failures.get(at) == reason
        if reason is None:
            np.testing.assert_allclose(batch.coefficients[at], alone.coefficients, rtol=1e-9, atol=1e-9)
            assert estimates.effect[at] == pytest.approx(alone.estimate.effect, rel=1e-10, abs=1e-10)
            assert estimates.standard_error[at] == pytest.approx(alone.estimate.standard_error, rel=1e-10)
            found = batch.thresholds[at][~np.isnan(batch.thresholds[at])]
            np.testing.assert_allclose(found, alone.thresholds, rtol=1e-8, atol=1e-8)
            assert batch.log_likelihood[at] == pytest.approx(alone.log_likelihood, rel=1e-11)
    assert 15 < len(estimates.failures) < 130
    reasons = " ".join(estimates.failures.values())
    for part in ("two or more levels", "do not separate levels", "covariate that varies"):
        assert part in reasons


def test_coverage_in_simulation():
    """2,000 trials of 150 patients on six levels."""
    rng = np.random.default_rng(3)
    arm, baseline = np.tile(np.arange(150) % 2, (2000, 1)), rng.normal(size=(2000, 150))
    latent = 0.7 * arm + 0.8 * baseline + rng.logistic(size=arm.shape)
    found = proportional_odds_batch(np.digitize(latent, [-2, -1, 0, 1, 2]), arm, baseline).estimates()
    covered = np.abs(found.effect - 0.7) < 1.959963985 * found.standard_error
    assert covered.mean() == pytest.approx(0.95, abs=0.015)
    assert found.effect.std() == pytest.approx(found.standard_error.mean(), rel=0.05)


def test_many_levels_are_well_within_reach():
    level, arm, baseline = simulated(200, 2, 1)
    rng = np.random.default_rng(0)
    fine = np.round(10 * (level + arm + rng.normal(size=200)), 1)
    fit = proportional_odds_regression(fine, arm, baseline)
    assert fit.thresholds.size == len(np.unique(fine)) - 1 > 90
    assert (np.diff(fit.thresholds) > 0).all()


def rejected(field, *arguments, **options):
    with pytest.raises(InputError) as caught:
        proportional_odds_regression(*arguments, **options)
    assert caught.value.field == field
    return str(caught.value)


def test_what_cannot_be_analysed_is_named():
    level, arm, baseline = simulated(40)
    rejected("outcome", np.ones(40), arm)
    assert "'arm'" in rejected("covariates", arm + 3, arm)
    assert "age'" in rejected("covariates", np.argsort(np.argsort(baseline[:, 0])) // 10, arm, baseline, names=["age"])
    rejected("covariates", level, arm, np.full((40, 1), 3.0))
    rejected("arm", level, np.zeros(40))
    rejected("outcome", np.full(40, "mild"), arm)
    rejected("better", level, arm, better="up")


def test_it_prints_as_a_table():
    level, arm = np.repeat([0, 1, 2, 0, 1, 2], [4, 3, 2, 2, 3, 4]), np.repeat([0, 1], 9)
    fit = proportional_odds_regression(level, arm, label="severity", better="lower")
    assert str(fit).splitlines()[0] == "severity: 18 patients"
    assert fit.estimate.favourable_z < 0
