"""Several experimental arms against control: a result speaks of the primary pair or of none."""

from dataclasses import replace

import numpy as np
import pytest

from equipoise import InputError, endpoints
from equipoise.data import ADVERSE_EVENT, Measured
from equipoise.endpoints.against_control import against_control
from equipoise.errors import NotEstimable
from equipoise.patients import Draws, Truth
from equipoise.simulation import virtual_trial
from equipoise.wording import arm_label
from protocols import with_measures

TWO_ARMS = with_measures(
    [
        {"name": "harms", "type": "adverse-events", "term": "nausea"},
        {"name": "guesses", "type": "blinding", "guesses": ["own-guess"]},
        {"name": "wins", "type": "hierarchical", "components": [{"measure": "relapse"}, {"measure": "cgi"}]},
        {"name": "cox", "type": "time-to-event", "measure": "relapse"},
        {"name": "means", "type": "time-to-event", "measure": "relapse", "test": "restricted-mean", "horizon": 10.0},
    ]
)
LOW = TWO_ARMS.experimental.model_copy(update={"name": "low dose", "label": "Low dose"})
PROTOCOL = TWO_ARMS.model_copy(update={"arms": (*TWO_ARMS.arms, LOW)})
LABEL = arm_label(PROTOCOL, "ketamine")
NAMES = ["loss-of-response", "harms", "guesses", "wins", "cox", "means"]
DRAWN = virtual_trial(TWO_ARMS, Truth.of(TWO_ARMS, "as-published"), Draws.of(2, "as-published", [0]), 240)
ARMS = np.arange(240) % 3
GUESSED = dict(DRAWN.measures) | {"own-guess": Measured(np.random.default_rng(2).integers(0, 3, 240).astype(float))}
WHOLE = replace(DRAWN, arm=ARMS, arm_names=PROTOCOL.arm_names, measures=GUESSED)


def without(at):
    """The trial without the patients of an arm."""
    return WHOLE.only(at != WHOLE.arm)


def constant(at):
    """The trial in which nothing sets an arm off from control: no events, no responses, guesses and times alike."""
    both = (WHOLE.arm == at) | (WHOLE.arm == 0)
    scores, measures = WHOLE.scores.copy(), dict(WHOLE.measures)
    scores[both, 1:] = 80.0
    for name in ("own-guess", "cgi", "relapse"):
        item = measures[name]
        alike = np.where(both, 1.0, item.value)
        seen = None if item.observed is None else item.observed & ~both
        measures[name] = replace(item, value=alike, observed=seen)
    kept = ~both[WHOLE.events.patient] | (WHOLE.events.kind != ADVERSE_EVENT)
    return replace(WHOLE, scores=scores, measures=measures, events=WHOLE.events.select(kept))


def cannot(endpoint, data):
    try:
        endpoints.primary(endpoint, PROTOCOL, data)
    except (InputError, NotEstimable):
        return True
    return False


@pytest.mark.parametrize("name", NAMES)
def test_all_arms_are_compared_the_primary_one_first(name):
    endpoint = PROTOCOL.endpoint(name)
    found = endpoints.estimate(endpoint, PROTOCOL, WHOLE)
    assert [item.arm for item in found.comparisons] == ["ketamine", "low dose"]
    assert found.estimate == endpoints.primary_estimate(endpoint, PROTOCOL, WHOLE)


@pytest.mark.parametrize("data", [without(1), constant(1)], ids=["empty", "constant"])
@pytest.mark.parametrize("name", NAMES)
def test_no_other_arm_takes_the_place_of_the_primary_one(name, data):
    endpoint = PROTOCOL.endpoint(name)
    assert cannot(endpoint, data)
    found = endpoints.estimate(endpoint, PROTOCOL, data)
    assert found.estimate is None
    assert found.hypotheses == {}
    assert found.comparisons == ()
    told = [note for note in found.notes if "not compared; " in note]
    assert {note.split(":")[0] for note in told} == {LABEL, "Low dose"}


@pytest.mark.parametrize("name", NAMES)
def test_another_arm_that_cannot_be_compared_takes_nothing_from_the_primary_one(name):
    endpoint, data = PROTOCOL.endpoint(name), without(2)
    found = endpoints.estimate(endpoint, PROTOCOL, data)
    assert [item.arm for item in found.comparisons] == ["ketamine"]
    assert found.estimate == endpoints.primary_estimate(endpoint, PROTOCOL, data)
    assert sum(note.startswith("Low dose: not compared; ") for note in found.notes) == 1


def test_codes_of_a_pair():
    arm = np.array([[0, 1, 2, -1], [2, 2, 0, 1]])
    assert against_control(arm).tolist() == [[0, 1, -1, -1], [-1, -1, 0, 1]]
    assert against_control(arm, 2).tolist() == [[0, -1, 1, -1], [1, 1, 0, -1]]
    assert against_control(arm, 2, arm != 0).tolist() == [[-1, -1, 1, -1], [1, 1, -1, -1]]
