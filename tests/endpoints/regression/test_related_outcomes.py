"""Several outcomes in one model: what is exact, what others computed, and many trials at once."""

import os
from pathlib import Path

import numpy as np
import pytest

from contrast_reference import CHILDREN, RELATED, related_outcomes
from equipoise.endpoints.regression.ancova import ancova
from equipoise.endpoints.regression.related_outcomes import fit_related_outcomes, pooled_deviations
from equipoise.endpoints.regression.related_outcomes_batch import combined_batch
from equipoise.errors import InputError
from equipoise.mixed import FitError


def drawn(trials=1, patients=60, outcomes=4, seed=3, effect=-1.0):
    draws = np.random.default_rng(seed)
    arm = draws.permuted(np.tile(np.arange(patients) % 2, (trials, 1)), axis=1)
    own = draws.normal(10, 3, (trials, patients, outcomes)) + draws.normal(0, 2, (trials, patients, 1))
    age = draws.normal(40, 10, (trials, patients, 1))
    spread = np.linalg.cholesky(0.5 * np.eye(outcomes) + 0.5) * np.arange(1, outcomes + 1)[:, None]
    outcome = 0.5 * own + draws.normal(size=own.shape) @ spread.T + effect * arm[:, :, None] + 0.05 * age
    return outcome, arm, own, age


def assert_as_gls(found, reference):
    effects, errors, (total, error), likelihood = reference
    for ours, effect, spread in zip(found.estimates(), effects, errors, strict=True):
        assert ours.effect == pytest.approx(effect, abs=2e-5 * spread)
        assert ours.standard_error == pytest.approx(spread, rel=2e-5)
    assert found.combined().effect == pytest.approx(total, abs=2e-5 * error)
    assert found.combined().standard_error == pytest.approx(error, rel=2e-5)
    assert found.fit.log_likelihood == pytest.approx(likelihood, abs=2e-8)
    assert found.fit.log_likelihood >= likelihood - 1e-9


@pytest.mark.parametrize("case", RELATED)
def test_as_computed_by_rs_gls(case):
    outcome, arm, own, age = related_outcomes(case)
    method = "ml" if case == "ml" else "reml"
    assert_as_gls(fit_related_outcomes(outcome, arm, own=own, covariates=age[:, None], method=method), RELATED[case])


def test_symptom_clusters_of_children_after_a_disaster_as_computed_by_rs_gls():
    pandas = pytest.importorskip("pandas")
    folder = os.environ.get("EQUIPOISE_SHARED")
    if not folder or not (path := Path(folder) / "data/ptsd_emdr_cbt_children/fdd.csv").exists():
        pytest.skip("EQUIPOISE_SHARED does not name a folder with this data set")
    frame = pandas.read_csv(path)
    after, before = (frame[[f"yc{which}{visit}" for which in "abc"]].to_numpy() for visit in (2, 1))
    found = fit_related_outcomes(after, (frame["trt"] == "E").to_numpy().astype(int), own=before)
    assert found.rows.sum() == 29
    assert_as_gls(found, CHILDREN)


def test_maximum_likelihood_is_the_fixed_point_of_feasible_least_squares():
    """Iterated feasible generalised least squares ends at the maximum of the likelihood (Oberhofer & Kmenta 1974)."""
    outcome, arm, own, age = (values[0] for values in drawn())
    patients, count = outcome.shape
    eye = np.eye(count)
    design = np.concatenate(
        [factor[:, None, None] * eye for factor in (np.ones(patients), arm.astype(float), age[:, 0])]
        + [own[:, :, None] * eye],
        axis=2,
    )
    covariance = eye
    for _ in range(300):
        weights = np.linalg.inv(covariance)
        inner = np.einsum("ict,cd,ids->ts", design, weights, design)
        slopes = np.linalg.solve(inner, np.einsum("ict,cd,id->t", design, weights, outcome))
        residual = outcome - design @ slopes
        covariance = residual.T @ residual / patients
    found = fit_related_outcomes(outcome, arm, own=own, covariates=age, method="ml")
    np.testing.assert_allclose(found.covariance, covariance, rtol=1e-8)
    np.testing.assert_allclose([one.effect for one in found.estimates()], slopes[count : 2 * count], rtol=1e-8)
    errors = np.sqrt(np.diag(np.linalg.inv(inner)))[count : 2 * count]
    np.testing.assert_allclose([one.standard_error for one in found.estimates()], errors, rtol=1e-8)


@pytest.mark.parametrize("freedom", ["satterthwaite", "kenward-roger"])
def test_complete_outcomes_with_covariates_in_common_are_separate_least_squares(freedom):
    """Zellner (1962), section 3: the same regressors in every equation."""
    outcome, arm, _, age = (values[0] for values in drawn())
    found = fit_related_outcomes(outcome, arm, covariates=age, degrees_of_freedom=freedom)
    separate = [ancova(column, arm, age) for column in outcome.T]
    for ours, theirs in zip(found.estimates(), separate, strict=True):
        assert ours.effect == pytest.approx(theirs.estimate.effect, rel=1e-12, abs=1e-13)
        assert ours.standard_error == pytest.approx(theirs.estimate.standard_error, rel=1e-12)
        assert ours.degrees_of_freedom == pytest.approx(theirs.degrees_of_freedom, rel=1e-10)
    for at in (0, 1):
        for which, theirs in enumerate(separate):
            mean = found.mean(at, which)
            assert mean.effect == pytest.approx(theirs.adjusted_means[at], rel=1e-12)
            assert mean.standard_error == pytest.approx(theirs.adjusted_mean_standard_errors[at], rel=1e-12)
    total = ancova(outcome.sum(axis=1), arm, age).estimate
    ours = found.combined()
    assert ours.effect == pytest.approx(total.effect, rel=1e-12)
    assert ours.standard_error == pytest.approx(total.standard_error, rel=1e-12)
    assert ours.degrees_of_freedom == pytest.approx(total.degrees_of_freedom, rel=1e-10)
    design = np.column_stack([np.ones(len(arm)), arm, age])
    residual = outcome - design @ np.linalg.lstsq(design, outcome, rcond=None)[0]
    crossed = residual.T @ residual / (len(arm) - 3) * np.linalg.inv(design.T @ design)[1, 1]
    np.testing.assert_allclose(found.covariance_of_estimates(), crossed, rtol=1e-11)
    assert found.covariance_of_estimates().sum() == pytest.approx(total.standard_error**2, rel=1e-12)


def test_joint_test_by_kenward_and_roger_is_hotellings():
    outcome, arm, _, _ = (values[0] for values in drawn(patients=20))
    found = fit_related_outcomes(outcome, arm, degrees_of_freedom="kenward-roger").joint_test()
    gap = outcome[arm == 1].mean(axis=0) - outcome[arm == 0].mean(axis=0)
    residual = outcome - np.where(arm[:, None] == 1, outcome[arm == 1].mean(axis=0), outcome[arm == 0].mean(axis=0))
    squared = 10 * 10 / 20 * gap @ np.linalg.solve(residual.T @ residual / 18, gap)
    assert found.statistic == pytest.approx(squared * (20 - 4 - 1) / (18 * 4), rel=1e-6)
    assert found.denominator_degrees_of_freedom == pytest.approx(15, rel=1e-6)


def test_any_arms_and_weights():
    outcome, _, own, _ = (values[0] for values in drawn(patients=66))
    three = np.arange(66) % 3
    found = fit_related_outcomes(outcome, three, own=own, names="BCDE", arm_names=("none", "low", "high"))
    np.testing.assert_allclose(
        [one.effect for one in found.estimates(2, 1)],
        np.subtract([one.effect for one in found.estimates(2)], [one.effect for one in found.estimates(1)]),
        rtol=1e-10,
    )
    weighed = found.combined([1, 0, -1, 0], 1)
    difference = found.estimates(1)[0].effect - found.estimates(1)[2].effect
    covariance = found.covariance_of_estimates(1)
    assert weighed.effect == pytest.approx(difference, rel=1e-12)
    variance = covariance[0, 0] + covariance[2, 2] - 2 * covariance[0, 2]
    assert weighed.standard_error == pytest.approx(np.sqrt(variance), rel=1e-12)
    assert "high:E" in found.fit.names
    for arguments in ((3, 0), (1, 1), (-1, 0)):
        with pytest.raises(InputError):
            found.differences(*arguments)
    for weights in ([1, 1], [0, 0, 0, 0]):
        with pytest.raises(InputError, match="one an outcome"):
            found.combined(weights)


def test_who_lacks_a_covariate_is_left_out_and_who_lacks_an_outcome_is_not():
    outcome, arm, own, age = (values[0] for values in drawn())
    outcome[3], outcome[7, 2], own[9, 1], age[11] = np.nan, np.nan, np.nan, np.nan
    found = fit_related_outcomes(outcome, arm, own=own, covariates=age)
    assert np.flatnonzero(~found.rows).tolist() == [3, 9, 11]
    again = fit_related_outcomes(outcome[found.rows], arm[found.rows], own=own[found.rows], covariates=age[found.rows])
    assert again.combined() == found.combined()


def test_deviations_within_arms():
    outcome, arm, _, _ = (values[0] for values in drawn())
    outcome[4, 1] = np.nan
    for at, found in enumerate(pooled_deviations(outcome, arm)):
        parts = [outcome[(arm == which) & ~np.isnan(outcome[:, at]), at] for which in (0, 1)]
        squares = sum(part.var() * len(part) for part in parts)
        assert found == pytest.approx(np.sqrt(squares / (sum(map(len, parts)) - 2)), rel=1e-12)


@pytest.mark.parametrize("kind", ["satterthwaite", "kenward-roger", "residual", "normal"])
@pytest.mark.parametrize("own_covariates", [True, False])
def test_many_trials_equal_each(kind, own_covariates):
    outcome, arm, own, age = drawn(40, 50)
    own += 2.0 * arm[:, :, None]
    draws = np.random.default_rng(8)
    outcome[draws.random(arm.shape) < 0.1] = np.nan
    arm[draws.random(arm.shape) < 0.05] = -1
    age[draws.random(age.shape) < 0.01] = np.nan
    outcome[0, 3, 1] = np.nan if not np.isnan(outcome[0, 3, 0]) else 0.0
    outcome[1, 5, :2] = [np.nan, 1.0]
    arm[2] = np.where(arm[2] == 1, 0, arm[2])
    own = own if own_covariates else own[:, :, :0]
    many = combined_batch(outcome, arm, own, age, 2, kind)
    assert np.isnan(many[0, [1, 2]]).all()
    fitted = 0
    for at in np.flatnonzero(~np.isnan(many[0])):
        here = arm[at] >= 0
        one = fit_related_outcomes(
            outcome[at, here],
            arm[at, here],
            own=own[at, here] if own_covariates else None,
            covariates=age[at, here],
            degrees_of_freedom=kind,
        ).combined()
        assert many[0, at] == pytest.approx(one.effect, abs=1e-9 * one.standard_error)
        assert many[1, at] == pytest.approx(one.standard_error, rel=1e-9)
        assert many[2, at] == pytest.approx(one.degrees_of_freedom, rel=1e-8)
        fitted += 1
    assert fitted >= 34


def test_kenward_and_roger_differ_from_satterthwaite_where_own_covariates_do():
    outcome, arm, own, age = drawn(20, 40)
    own += 4.0 * arm[:, :, None]
    plain = combined_batch(outcome, arm, own, age, 2, "satterthwaite")
    adjusted = combined_batch(outcome, arm, own, age, 2, "kenward-roger")
    np.testing.assert_array_equal(plain[[0, 2]], adjusted[[0, 2]])
    assert (adjusted[1] > 1.0001 * plain[1]).all()


def test_level_in_small_trials():
    """4,000 trials of 36 patients without an effect: Kenward-Roger's test of the sum keeps 5%."""
    from scipy.special import stdtr

    outcome, arm, own, _ = drawn(4000, 36, effect=0.0, seed=12)
    found = combined_batch(outcome, arm, own, np.empty((*arm.shape, 0)), 2, "kenward-roger")
    alone = np.flatnonzero(np.isnan(found[0]))
    assert len(alone) < 40
    for at in alone:
        one = fit_related_outcomes(outcome[at], arm[at], own=own[at], degrees_of_freedom="kenward-roger").combined()
        found[:, at] = one.effect, one.standard_error, one.degrees_of_freedom
    p = 2 * stdtr(found[2], -np.abs(found[0] / found[1]))
    assert (p < 0.05).mean() == pytest.approx(0.05, abs=3.5 * np.sqrt(0.05 * 0.95 / 4000))


def test_bad_input_is_named():
    outcome, arm, own, age = (values[0] for values in drawn())
    for arguments, options, field in (
        ((outcome[:, 0], arm), {}, "outcomes"),
        ((outcome, arm[1:]), {}, "arm"),
        ((outcome, arm - 1), {}, "arm"),
        ((outcome, arm.astype(float)), {}, "arm"),
        ((outcome, arm), {"own": own[:, :2]}, "own"),
        ((outcome, arm), {"covariates": age[1:]}, "covariates"),
        ((np.where(arm[:, None] == 1, np.nan, outcome), arm), {}, "arm"),
        ((outcome, arm), {"degrees_of_freedom": "none"}, "degrees_of_freedom"),
    ):
        with pytest.raises(InputError) as caught:
            fit_related_outcomes(*arguments, **options)
        assert caught.value.field == field
    with pytest.raises(FitError):
        fit_related_outcomes(outcome[:4], arm[:4], own=own[:4])
