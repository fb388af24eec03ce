"""Virtual trials of a protocol for tests of its endpoints, and whether many at once equal each."""

import numpy as np
import pytest

from equipoise import endpoints
from equipoise.errors import InputError, NotEstimable
from equipoise.patients import Draws, Truth
from equipoise.simulation import virtual_trial
from equipoise.trial_batch import TrialBatch


def drawn_trials(protocol, number, patients, scenario="later-trials", seed=1):
    law = Truth.of(protocol, scenario)
    return [virtual_trial(protocol, law, Draws.of(seed, scenario, [at]), patients) for at in range(number)]


def cut(trials, visit, reached):
    """Each trial as known when so many patients have reached a visit (by its column)."""
    return [trial.known_at(float(np.sort(trial.reached[:, visit])[reached - 1])) for trial in trials]


def assert_batch_is_each(protocol, trials, tolerance=1e-10):
    """Effects and errors to `tolerance` of the error, degrees of freedom ten times as far; the same failures."""
    endpoint = protocol.primary
    many = endpoints.batch(endpoint, protocol, TrialBatch.of(trials))
    for at, data in enumerate(trials):
        try:
            found = endpoints.primary_estimate(endpoint, protocol, data)
        except (InputError, NotEstimable) as error:
            found = str(error)
        if isinstance(found, str):
            assert many.failures.get(at) == found
            assert np.isnan([many.effect[at], many.standard_error[at], many.degrees_of_freedom[at]]).all()
        else:
            assert at not in many.failures
            close = tolerance * found.standard_error
            assert many.effect[at] == pytest.approx(found.effect, rel=1e-14, abs=close)
            assert many.standard_error[at] == pytest.approx(found.standard_error, rel=tolerance)
            assert many.degrees_of_freedom[at] == pytest.approx(found.degrees_of_freedom, rel=10 * tolerance)
    return many


def assert_plan_is_what_trials_show(protocol, number=300, patients=300, scenario="later-trials", bias=0.0):
    """Mean standard error and effect of virtual trials against the plan's, within Monte-Carlo error (and a `bias`)."""
    planned = endpoints.plan(protocol.primary, protocol, Truth.of(protocol, scenario))
    found = endpoints.batch(
        protocol.primary, protocol, TrialBatch.of(drawn_trials(protocol, number, patients, scenario))
    )
    assert not found.failures
    expected = planned.information(patients, protocol.shares()) ** -0.5
    spread = found.effect.std(ddof=1)
    assert found.standard_error.mean() == pytest.approx(expected, rel=0.03)
    assert spread == pytest.approx(expected, rel=4 / np.sqrt(2 * number))
    assert found.effect.mean() == pytest.approx(planned.effect, abs=4 * spread / np.sqrt(number) + bias)
    return planned
