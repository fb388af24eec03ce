"""Many trials as arrays say what each says alone."""

from dataclasses import replace

import numpy as np
import pytest

from equipoise import InputError
from equipoise.data import ADVERSE_EVENT, LOSS_OF_RESPONSE, Measured
from equipoise.endpoints.some_trials import some_of
from equipoise.patients import Draws, Truth
from equipoise.simulation import virtual_trial
from equipoise.trial_batch import TrialBatch
from protocols import with_measures

PROTOCOL = with_measures([{"name": "clusters", "type": "clusters", "visit": "week2"}])
TRIALS = [
    virtual_trial(PROTOCOL, Truth.of(PROTOCOL, "as-published"), Draws.of(1, "as-published", [number]), size).known_at(
        day
    )
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


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"measures": {}}, "measures of trial 1 is 'none'; expected"),
        ({"covariates": {}}, "covariates of trial 1 is 'none'; expected"),
        ({"subscales": {}}, "clusters of trial 1 is 'none'; expected"),
        ({"arm_names": ("ketamine", "midazolam")}, "arms of trial 1 is 'ketamine, midazolam'; expected"),
        ({"measures": dict(TRIALS[1].measures) | {"relapse": Measured(np.zeros(40))}}, "relapse with events"),
    ],
)
def test_trials_that_do_not_hold_the_same_are_refused(change, told):
    other = replace(TRIALS[1], **change)
    with pytest.raises(InputError, match=told):
        TrialBatch.of([TRIALS[0], other])
    with pytest.raises(InputError, match="of trial 1"):
        TrialBatch.of([other, TRIALS[0]])


def test_some_of_them_know_of_events_as_they_did():
    silent, undated = replace(TRIALS[0], has_events=False), replace(TRIALS[0], randomised=np.full(12, np.nan))
    batch = TrialBatch.of([TRIALS[0], silent, undated])
    assert batch.has_events.tolist() == [True, False, True]
    assert batch.has_dates.tolist() == [True, True, False]
    chosen = some_of(batch, np.array([2, 1]))
    assert chosen.has_events.tolist() == [True, False]
    assert chosen.has_dates.tolist() == [False, True]


def test_refusals():
    with pytest.raises(InputError, match="at least one trial"):
        TrialBatch.of([])
    for data in (BATCH, TRIALS[0]):
        with pytest.raises(InputError, match="a measure in the data"):
            data.measure("weight")
        with pytest.raises(InputError, match="a cluster of the scale"):
            data.subscale("Z", "week2")
