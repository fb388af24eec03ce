import math

import numpy as np
import pytest

from equipoise.endpoints.regression.ancova import ancova
from equipoise.endpoints.regression.ancova_batch import ancova_batch
from equipoise.errors import InputError

NAMES = ("age", "bdi", "site")


def trials(number=240, patients=40, arms=2, seed=2):
    """Trials with missing values, absent patients, ties, and at the start all that cannot, or hardly, be analysed."""
    draws = np.random.default_rng(seed)
    arm = draws.integers(0, arms, (number, patients))
    covariates = np.stack(
        [
            draws.normal(40, 7, arm.shape),
            np.round(draws.normal(20, 5, arm.shape)),
            draws.integers(0, 2, arm.shape).astype(float),
        ],
        axis=2,
    )
    outcome = np.round(2 + 0.4 * covariates[:, :, 0] - 3 * (arm == 1) + draws.normal(0, 5, arm.shape))
    outcome[draws.random(arm.shape) < 0.15] = np.nan
    covariates[draws.random(covariates.shape) < 0.03] = np.nan
    arm[:, 30:] = np.where(draws.random((number, 10)) < 0.5, -1, arm[:, 30:])
    covariates[0, :, 2] = 7.3
    covariates[1, :, 2] = 3 * covariates[1, :, 0] - covariates[1, :, 1] + 2
    covariates[2, :, 2] = arm[2] == 1
    covariates[3, :, 2] = covariates[3, :, 0] + 1e-5 * draws.normal(size=patients)
    covariates[4, :, 2] = covariates[4, :, 0] + 1e-9 * draws.normal(size=patients)
    outcome[5] = 0.1
    outcome[6] = 2 + 3 * arm[6]
    outcome[7] = 2 + 3 * arm[7] + 1e-7 * draws.normal(size=patients)
    arm[8] = np.where(arm[8] == 1, 0, arm[8])
    outcome[9, arm[9] == 1] = np.nan
    arm[10, 5:] = -1
    arm[11, 3:] = -1
    outcome[12] = np.nan
    covariates[13, :, 0] += 2.0**30
    outcome[14] += 2.0**30
    arm[15] = -1
    return outcome, arm, covariates


@pytest.mark.parametrize("arms", [2, 3])
@pytest.mark.parametrize("count", [0, 1, 3])
def test_equals_the_single_and_fails_where_it_does_for_the_same_reason(arms, count):
    outcome, arm, covariates = trials(arms=arms)
    covariates = covariates[:, :, :count]
    batch = ancova_batch(outcome, arm, covariates, names=NAMES[:count], arms=arms)
    for at in range(len(outcome)):
        here = arm[at] >= 0
        columns = np.stack([arm[at, here] == which for which in range(1, arms)], axis=1).astype(float)
        try:
            one = ancova(outcome[at, here], columns, covariates[at, here], names=NAMES[:count]).estimate
            found = (one.effect, one.standard_error, one.degrees_of_freedom)
        except InputError as error:
            found = str(error)
        if isinstance(found, str):
            assert batch.failures[at] == found
            assert math.isnan(batch.effect[at])
        else:
            assert at not in batch.failures
            ours = (batch.effect[at], batch.standard_error[at], batch.degrees_of_freedom[at])
            np.testing.assert_allclose(ours, found, rtol=1e-10, atol=1e-11 if at != 14 else 1e-6)
    assert {8, 9, 12, 15} <= set(batch.failures)
    if count == 3:
        assert {0, 1, 2, 4, 11} <= set(batch.failures)
        assert "'site'" in batch.failures[0]
        assert 3 not in batch.failures
    assert len(batch.failures) < 20


def test_neither_other_trials_nor_absent_patients_matter():
    outcome, arm, covariates = trials(60)
    whole = ancova_batch(outcome, arm, covariates)
    some = ancova_batch(outcome[30:], arm[30:], covariates[30:])
    np.testing.assert_array_equal(whole.effect[30:], some.effect)
    wider = np.concatenate([arm, np.full((60, 9), -1)], axis=1)
    padded = ancova_batch(
        np.concatenate([outcome, np.ones((60, 9))], axis=1),
        wider,
        np.concatenate([covariates, np.ones((60, 9, 3))], axis=1),
    )
    np.testing.assert_allclose(padded.effect, whole.effect, rtol=1e-10, atol=1e-12)
    assert padded.failures.keys() == whole.failures.keys()


def test_level_and_mean_in_many_trials():
    """20,000 null trials of 12 patients, adjusted for a covariate: the t test is exact."""
    from scipy.special import stdtr

    draws = np.random.default_rng(4)
    covariate = draws.normal(size=(20_000, 12))
    arm = np.broadcast_to(np.arange(12) % 2, covariate.shape)
    found = ancova_batch(covariate + draws.normal(size=covariate.shape), arm, covariate[:, :, None])
    p = 2 * stdtr(found.degrees_of_freedom, -np.abs(found.effect / found.standard_error))
    assert (found.degrees_of_freedom == 9).all()
    assert (p < 0.05).mean() == pytest.approx(0.05, abs=3.5 * math.sqrt(0.05 * 0.95 / 20_000))
    assert found.effect.mean() == pytest.approx(0.0, abs=3.5 * found.effect.std() / math.sqrt(20_000))


def test_bad_arrays_are_named():
    outcome, arm, covariates = trials(20)
    for arguments, field in (
        ((outcome[0], arm[0], covariates[0]), "outcome"),
        ((outcome, arm[:, 1:], covariates), "arm"),
        ((outcome, arm - 1, covariates), "arm"),
        ((outcome, arm, covariates[:, 1:]), "covariates"),
        ((np.where(np.isnan(outcome), math.inf, outcome), arm, covariates), "outcome"),
    ):
        with pytest.raises(InputError) as caught:
            ancova_batch(*arguments)
        assert caught.value.field == field
    with pytest.raises(InputError, match="one name for each"):
        ancova_batch(outcome, arm, covariates, names=["age"])
