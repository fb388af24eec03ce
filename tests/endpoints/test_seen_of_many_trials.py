"""What looks count, of many trials at once: as of each by itself."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from equipoise import endpoints
from equipoise.data import LOSS_OF_RESPONSE, Measured
from equipoise.errors import InputError
from equipoise.patients import Draws, Truth
from equipoise.simulation import virtual_trial
from equipoise.trial_batch import TrialBatch
from protocols import with_measures

SIZES = (40, 55, 70, 31)
ITEMS = [
    {"type": "longitudinal", "visit": "week2"},
    {"type": "mean", "visit": "week1"},
    {"type": "mean", "measure": "pressure"},
    {"type": "response", "visit": "week2", "improvement": 0.3},
    {"type": "response", "measure": "remission"},
    {"type": "ordinal", "measure": "cgi"},
    {"type": "time-to-event", "measure": "relapse"},
    {"type": "time-to-event", "measure": "relapse", "test": "restricted-mean", "horizon": 12.0},
    {"type": "count", "measure": "panic"},
    {"type": "hierarchical", "components": [{"measure": "relapse"}, {"visit": "week2", "margin": 5.0}]},
    {"type": "clusters", "visit": "week2"},
    {"type": "loss-of-response", "response": "response"},
    {"type": "loss-of-response", "response": "response", "within": 14.0},
    {"type": "adverse-events"},
    {"type": "blinding", "guesses": ["own-guess"]},
]
NAMES = [f"e{at}" for at in range(len(ITEMS))]


@pytest.fixture(scope="module")
def drawn():
    protocol = with_measures([{"name": name} | item for name, item in zip(NAMES, ITEMS, strict=True)])
    law = Truth.of(protocol, "later-trials")
    whole = [virtual_trial(protocol, law, Draws.of(5, "later-trials", [at]), size) for at, size in enumerate(SIZES)]
    return protocol, whole, [trial.known_at(float(day)) for trial, day in zip(whole, days_of(whole), strict=True)]


def days_of(trials):
    """Days on which some patients have entered and some of them have reached all visits."""
    return np.array([np.sort(trial.randomised)[int(0.7 * len(trial))] + 9.0 for trial in trials])


def padded(values, empty=np.nan):
    whole = np.full((len(values), max(SIZES), *values[0].shape[1:]), empty, dtype=values[0].dtype)
    for row, part in zip(whole, values, strict=True):
        row[: len(part)] = part
    return whole


def everything(trials):
    """All that would happen in trials, with places without a patient holding what must not be counted."""

    def measure(name):
        parts = [trial.measure(name) for trial in trials]
        observed = None if parts[0].observed is None else padded([part.observed for part in parts], True)
        return Measured(padded([part.value for part in parts], 1.0), observed)

    return SimpleNamespace(
        arm=padded([trial.arm for trial in trials], -1),
        visit_names=trials[0].visit_names,
        randomised=padded([trial.randomised for trial in trials], 0.0),
        reached=padded([trial.reached for trial in trials], 0.0),
        measure=measure,
    )


@pytest.mark.parametrize("name", NAMES)
def test_days_are_those_of_each_trial(drawn, name):
    protocol, whole, _ = drawn
    endpoint = protocol.endpoint(name)
    found = endpoints.reached(endpoint, protocol, everything(whole))
    assert found.shape == (len(whole), max(SIZES))
    for row, trial in zip(found, whole, strict=True):
        np.testing.assert_array_equal(row[: len(trial)], endpoints.reached(endpoint, protocol, trial))
        assert np.isposinf(row[len(trial) :]).all()


@pytest.mark.parametrize("name", NAMES)
def test_patients_seen_and_accrued_are_those_of_each_trial(drawn, name):
    protocol, whole, known = drawn
    endpoint = protocol.endpoint(name)
    batch = TrialBatch.of(known)
    # What a place without a patient holds is of no account.
    empty = batch.arm < 0
    batch = dataclasses.replace(batch, due=batch.due | empty[:, :, None])
    found = endpoints.seen(endpoint, protocol, batch)
    assert found.dtype == bool
    for row, trial in zip(found, known, strict=True):
        np.testing.assert_array_equal(row[: len(trial)], endpoints.seen(endpoint, protocol, trial))
        assert not row[len(trial) :].any()
    counts = [endpoints.accrued(endpoint, protocol, trial) for trial in known]
    assert all(type(count) is int for count in counts)
    np.testing.assert_array_equal(endpoints.accrued_by(endpoint, protocol, everything(whole), days_of(whole)), counts)
    if getattr(endpoint, "within", None):
        with pytest.raises(InputError, match="accrued_by"):
            endpoints.accrued(endpoint, protocol, batch)
        return
    np.testing.assert_array_equal(endpoints.accrued(endpoint, protocol, batch), counts)


def test_they_are_neither_nobody_nor_everybody(drawn):
    protocol, whole, known = drawn
    relapse = protocol.endpoint("e6")
    counts = endpoints.accrued(relapse, protocol, TrialBatch.of(known))
    assert (counts > 0).all()
    assert (counts < SIZES).all()
    assert any(np.isfinite(trial.first_event(LOSS_OF_RESPONSE)).any() for trial in whole)
