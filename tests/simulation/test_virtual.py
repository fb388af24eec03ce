import numpy as np
import pytest

from equipoise import gallery
from equipoise.data import LOSS_OF_RESPONSE
from equipoise.patients import Truth
from equipoise.simulation import generator_for, virtual_trial

PROTOCOL = gallery("ptsd-ketamine")
DATA = virtual_trial(PROTOCOL, Truth.of(PROTOCOL, "as-published"), generator_for(7, "as-published", 0), 20_000)
RESPONDED = PROTOCOL.responded(PROTOCOL.response_rule("response"), DATA.baseline, DATA.at("week2"))


def test_response_is_the_published_one():
    for at, published in ((0, 0.20), (1, 0.67)):
        assert RESPONDED[DATA.arm == at].mean() == pytest.approx(published, abs=0.016)


def test_median_time_to_loss_among_responders_is_the_scenarios():
    lost = DATA.events.patient[DATA.events.kind == LOSS_OF_RESPONSE]
    assert RESPONDED[lost].all()
    assert len(set(lost)) == len(lost)
    day = np.full(len(DATA), np.inf)
    day[lost] = DATA.events.day[DATA.events.kind == LOSS_OF_RESPONSE] - DATA.assessed[lost, 3]
    ketamine = RESPONDED & (DATA.arm == 1)
    assert np.median(day[ketamine]) == pytest.approx(28, abs=1)


def test_everything_happens_in_its_order():
    assert (np.diff(DATA.assessed, axis=1)[~np.isnan(np.diff(DATA.assessed, axis=1))] > 0).all()
    np.testing.assert_array_equal(DATA.assessed[:, 0], DATA.randomised)
    assert (np.isnan(DATA.scores) == np.isnan(DATA.assessed)).all()
    assert not (DATA.assessed > DATA.due).any()
    gone = ~np.isnan(DATA.withdrawn)
    assert (gone == np.isnan(DATA.at("week2"))).all()
    assert (DATA.withdrawn[gone] >= np.nanmax(DATA.assessed[gone], axis=1)).all()
    assert (DATA.events.day <= DATA.last_contact[DATA.events.patient]).all()
    assert (DATA.events.day >= DATA.randomised[DATA.events.patient]).all()


def test_adverse_events_have_their_probabilities():
    events = DATA.events
    for at, expected in ((0, 0.10), (1, 0.60)):
        patients = events.patient[events.term == "dissociation"]
        assert (DATA.arm[patients] == at).sum() / (DATA.arm == at).sum() == pytest.approx(expected, abs=0.015)


def test_blocks_keep_the_arms_together():
    excess = np.cumsum(np.where(DATA.arm == 1, 1, -1))
    assert np.abs(excess).max() <= 2


def test_every_trial_has_its_own_draws():
    first, second = generator_for(1, "a", 0).random(4), generator_for(1, "a", 1).random(4)
    other = generator_for(1, "b", 0).random(4)
    assert not np.isclose(first, second).any()
    assert not np.isclose(first, other).any()
    np.testing.assert_array_equal(first, generator_for(1, "a", 0).random(4))
