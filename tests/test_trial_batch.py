"""Many trials as arrays say what each says alone."""

import numpy as np
import pytest

from equipoise import InputError
from equipoise.data import ADVERSE_EVENT, LOSS_OF_RESPONSE
from equipoise.patients import Truth
from equipoise.simulation import generator_for, virtual_trial
from equipoise.trial_batch import TrialBatch
from protocols import with_measures

PROTOCOL = with_measures([{"name": "clusters", "type": "clusters", "visit": "week2"}])
TRIALS = [
    virtual_trial(
        PROTOCOL, Truth.of(PROTOCOL, "as-published"), generator_for(1, "as-published", number), size
    ).known_at(day)
    for number, (size, day) in enumerate([(12, 900), (40, 200), (3, 60)])
]
BATCH = TrialBatch.of(TRIALS)


@pytest.mark.parametrize("at", range(len(TRIALS)))
def test_each_trial_stands_in_its_row(at):
    trial, size = TRIALS[at], len(TRIALS[at])
    np.testing.assert_array_equal(BATCH.arm[at, :size], trial.arm)
    assert (BATCH.arm[at, size:] == -1).all()
    for visit in trial.visit_names:
        np.testing.assert_array_equal(BATCH.at(visit)[at, :size], trial.at(visit))
        np.testing.assert_array_equal(BATCH.is_due(visit)[at, :size], trial.is_due(visit))
        np.testing.assert_array_equal(BATCH.since_randomisation(visit)[at, :size], trial.since_randomisation(visit))
        np.testing.assert_array_equal(BATCH.subscale("B", visit)[at, :size], trial.subscale("B", visit))
        assert not BATCH.is_due(visit)[at, size:].any()
    np.testing.assert_array_equal(BATCH.followed[at, :size], trial.followed)
    for name, found in trial.measures.items():
        of_all = BATCH.measure(name)
        for part in ("value", "observed", "exposure"):
            single = getattr(found, part)
            if single is None:
                assert getattr(of_all, part) is None
            else:
                np.testing.assert_array_equal(getattr(of_all, part)[at, :size], single)
    for key in ((LOSS_OF_RESPONSE, ""), (ADVERSE_EVENT, ""), (ADVERSE_EVENT, "nausea"), (ADVERSE_EVENT, "no such")):
        np.testing.assert_array_equal(BATCH.first_event(*key)[at, :size], trial.first_event(*key))
    for name, values in trial.covariates.items():
        np.testing.assert_array_equal(BATCH.covariates[name][at, :size], values)


def test_refusals():
    with pytest.raises(InputError, match="at least one trial"):
        TrialBatch.of([])
    for data in (BATCH, TRIALS[0]):
        with pytest.raises(InputError, match="a measure in the data"):
            data.measure("weight")
        with pytest.raises(InputError, match="a cluster of the scale"):
            data.subscale("Z", "week2")
