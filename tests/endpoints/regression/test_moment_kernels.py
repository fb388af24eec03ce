"""One pass over the patients gives the sums that whole arrays give."""

import numpy as np
import pytest

from equipoise.endpoints.regression.ancova import ancova
from equipoise.endpoints.regression.ancova_batch import ancova_batch, ancova_of
from equipoise.endpoints.regression.cross_products import triangle_of
from equipoise.endpoints.regression.t_test import means_by_arm, moments_by_arm
from equipoise.endpoints.regression.trials import many_trials


def many(trials=60, patients=25, seed=1, centre=0.0):
    rng = np.random.default_rng(seed)
    arm = rng.integers(-1, 3, (trials, patients))
    arm[::9] = np.where(arm[::9] == 1, 0, arm[::9])
    scores = centre + rng.normal(0, 10, (trials, patients, 4))
    scores[rng.random(scores.shape) < 0.1] = np.nan
    return scores, arm


@pytest.mark.parametrize("centre", [0.0, 1e7])
@pytest.mark.parametrize("change", [False, True])
def test_means_by_arm_are_those_of_arrays(centre, change):
    scores, arm = many(centre=centre)
    before = scores[:, :, 0] if change else None
    outcome = scores[:, :, 2] - scores[:, :, 0] if change else scores[:, :, 2]
    found, expected = moments_by_arm(scores[:, :, 2], arm, 3, before), means_by_arm(outcome, arm, 3)
    np.testing.assert_array_equal(found.patients, expected.patients)
    np.testing.assert_allclose(found.mean, expected.mean, rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(found.standard_deviation, expected.standard_deviation, rtol=1e-13)


def test_one_value_repeated_has_no_spread():
    _, arm = many()
    found = moments_by_arm(np.full(arm.shape, 20.1), arm, 2)
    assert np.nanmax(found.standard_deviation) < 1e-13


def test_triangles_are_those_of_least_squares():
    scores, arm = many()
    covariates, own, outcomes = scores[:, :, :1], scores[:, :, 1:2], scores[:, :, 2:]
    found = triangle_of(covariates, arm, outcomes, 3, own=own)
    assert found.fine.any()
    partly = np.isnan(outcomes).any(axis=2) & ~np.isnan(outcomes).all(axis=2)
    lacking = np.isnan(covariates[:, :, 0]) | np.isnan(own[:, :, 0]) | (arm < 0)
    np.testing.assert_array_equal(found.partly, (partly & ~lacking).any(axis=1))
    for trial in np.flatnonzero(found.fine):
        kept = ~lacking[trial] & ~np.isnan(outcomes[trial]).any(axis=1)
        assert found.sizes[trial].tolist() == [(arm[trial, kept] == at).sum() for at in range(3)]
        design = np.column_stack(
            [np.ones(kept.sum()), covariates[trial, kept], arm[trial, kept] == 2, arm[trial, kept] == 1]
        )
        y = np.column_stack([own[trial, kept], outcomes[trial, kept]])
        beta = np.linalg.lstsq(design, y, rcond=None)[0]
        away = y - design @ beta
        np.testing.assert_allclose(found.rest[trial], away.T @ away, rtol=1e-10, atol=1e-9)
        length = found.triangle[trial, 2, 2]
        np.testing.assert_allclose(found.triangle[trial, 3:, 2] / length, beta[-1], rtol=1e-9, atol=1e-10)


def test_an_infinite_value_is_not_fine():
    scores, arm = many()
    scores[3, np.argmax(arm[3] == 1), 2] = np.inf
    assert not triangle_of(scores[:, :, :1], arm, scores[:, :, 2:3], 3).fine[3]


@pytest.mark.parametrize("columns", [0, 1])
def test_change_is_taken_in_passing(columns):
    scores, arm = many()
    arm[arm == 2] = -1
    covariates = scores[:, :, :columns]
    passing = ancova_of(many_trials(scores[:, :, 2], arm, covariates, arms=2), scores[:, :, 0])
    given = ancova_batch(scores[:, :, 2] - scores[:, :, 0], arm, covariates, arms=2)
    np.testing.assert_array_equal(passing.effect, given.effect)
    np.testing.assert_array_equal(passing.standard_error, given.standard_error)
    assert passing.failures == given.failures
    assert passing.failures
    one = next(at for at in range(len(arm)) if at not in passing.failures)
    here = arm[one] >= 0
    outcome = (scores[one, :, 2] - scores[one, :, 0])[here]
    single = ancova(outcome, (arm[one, here, None] == 1).astype(float), covariates[one, here]).estimate
    assert (passing.effect[one], passing.standard_error[one]) == pytest.approx(
        (single.effect, single.standard_error), rel=1e-11
    )


def test_arrays_that_may_not_be_written_are_read():
    scores, arm = many()
    scores.flags.writeable = arm.flags.writeable = False
    assert np.isfinite(moments_by_arm(scores[:, :, 1], arm, 2).mean[1]).all()
