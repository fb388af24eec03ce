import numpy as np
import pytest

from equipoise import gallery
from equipoise.data import LOSS_OF_RESPONSE, Origin
from equipoise.endpoints.some_trials import some_of
from equipoise.patients import Draws, Truth
from equipoise.simulation import draw_cohort, virtual_trial
from equipoise.trial_batch import TrialBatch

PROTOCOL = gallery("ptsd-ketamine")
DATA = virtual_trial(PROTOCOL, Truth.of(PROTOCOL, "as-published"), Draws.of(7, "as-published", [0]), 20_000)
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


def test_every_trial_has_its_own_patients():
    truth = Truth.of(PROTOCOL, "as-published")
    first, second, again = (virtual_trial(PROTOCOL, truth, Draws.of(1, "a", [trial]), 40) for trial in (0, 1, 0))
    assert first.fingerprint != second.fingerprint
    assert first.fingerprint == again.fingerprint


def test_what_is_drawn_does_not_hang_on_what_is_asked_for():
    truth, draws = Truth.of(PROTOCOL, "later-trials"), Draws.of(4, "later-trials", np.arange(6))
    whole, part = draw_cohort(PROTOCOL, truth, draws, 40), draw_cohort(PROTOCOL, truth, draws, 40, [PROTOCOL.primary])
    assert not part.event_days
    assert not part.measures
    for name in ("arm", "randomised", "scores", "assessed", "due", "withdrawn", "last_contact"):
        np.testing.assert_array_equal(getattr(part, name), getattr(whole, name))


def test_a_larger_trial_begins_with_the_patients_of_a_smaller_one():
    truth, draws = Truth.of(PROTOCOL, "later-trials"), Draws.of(4, "later-trials", [3])
    small, large = (draw_cohort(PROTOCOL, truth, draws, patients) for patients in (30, 40))
    for name in ("arm", "randomised", "scores", "assessed", "last_contact"):
        np.testing.assert_array_equal(getattr(large, name)[:, :30], getattr(small, name))


@pytest.mark.parametrize("days", [60.0, 400.0, np.inf])
def test_what_is_known_of_many_trials_is_what_is_known_of_each(days):
    truth, draws = Truth.of(PROTOCOL, "later-trials"), Draws.of(9, "later-trials", np.arange(5))
    cohort = draw_cohort(PROTOCOL, truth, draws, 25)
    origin = Origin("virtual")
    alone = [cohort.trial(at, origin).known_at(days) for at in range(5)]
    expected, found = TrialBatch.of(alone), cohort.known_at(np.arange(5), np.full(5, days))
    size = expected.arm.shape[1]
    np.testing.assert_array_equal(found.arm[:, :size], expected.arm)
    assert (found.arm[:, size:] == -1).all()
    for name in ("scores", "assessed", "due", "followed"):
        np.testing.assert_array_equal(getattr(found, name)[:, :size], getattr(expected, name))
    for name, values in expected.subscales.items():
        np.testing.assert_array_equal(found.subscales[name][:, :size], values)
    for name, item in expected.measures.items():
        np.testing.assert_array_equal(found.measure(name).value[:, :size], item.value)
    for kind, term in expected.first_events:
        np.testing.assert_array_equal(found.first_event(kind, term)[:, :size], expected.first_event(kind, term))


@pytest.mark.parametrize("rows", [[4, 3, 2, 1, 0], [2, 0, 1, 4, 3], [1, 1, 1, 1, 1], [3, 0]])
@pytest.mark.parametrize("followed", [False, True])
def test_what_is_known_is_in_the_order_asked_for(rows, followed):
    """Whatever the order, and where it names as many trials as there are."""
    truth, draws = Truth.of(PROTOCOL, "later-trials"), Draws.of(9, "later-trials", np.arange(5))
    cohort, days = draw_cohort(PROTOCOL, truth, draws, 25), np.array([90.0, 200.0, 300.0, 400.0, 500.0])
    found = cohort.known_at(np.array(rows), days[rows], followed=followed)
    ordered = cohort.known_at(np.arange(5), days, followed=followed)
    expected = some_of(ordered, np.array(rows))
    assert found.covariates.keys() == expected.covariates.keys() != set()
    assert found.first_events.keys() == expected.first_events.keys() != set()
    for name in ("arm", "scores", "assessed", "due", "followed"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    for name in ("covariates", "subscales", "first_events"):
        for key, values in getattr(expected, name).items():
            np.testing.assert_array_equal(getattr(found, name)[key], values)
    for name, item in expected.measures.items():
        np.testing.assert_array_equal(found.measures[name].value, item.value)
    # Each is what it is alone: the first test of its kind has them in order.
    for at, row in enumerate(rows):
        one = cohort.known_at(np.array([row]), days[[row]], followed=followed)
        for key, values in one.first_events.items():
            np.testing.assert_array_equal(found.first_events[key][at], values[0])


def test_patients_followed_to_the_end_are_those_who_had_entered():
    truth, draws = Truth.of(PROTOCOL, "later-trials"), Draws.of(9, "later-trials", np.arange(4))
    cohort = draw_cohort(PROTOCOL, truth, draws, 25)
    rows = np.array([1, 3])
    found = cohort.known_at(rows, np.array([300.0, 700.0]), followed=True)
    for at, (row, day) in enumerate(((1, 300.0), (3, 700.0))):
        whole = cohort.trial(row, Origin("virtual"))
        expected = TrialBatch.of([whole.only(whole.randomised <= day)])
        size = expected.arm.shape[1]
        np.testing.assert_array_equal(found.scores[at, :size], expected.scores[0])
        np.testing.assert_array_equal(found.followed[at, :size], expected.followed[0])
        loss = found.first_event(LOSS_OF_RESPONSE)[at, :size]
        np.testing.assert_array_equal(loss, expected.first_event(LOSS_OF_RESPONSE)[0])
