"""Losses of response and adverse events follow the law that the scenario tells, as far as patients are followed."""

import math

import numpy as np
import pytest

from equipoise.data import ADVERSE_EVENT, LOSS_OF_RESPONSE
from equipoise.patients import Draws, Truth, draw_events
from protocols import edited, plain_table

PATIENTS = 40_000
RESPONDS, FAILS = [50.0, 50.0, 50.0, 20.0], [50.0, 50.0, 50.0, 45.0]


def protocol_of(**of_arms):
    """The ketamine trial; `of_arms` adds settings to every arm of the scenario."""
    table = plain_table()
    for scenario in table["scenarios"].values():
        for arm in scenario["arms"].values():
            arm |= of_arms
    return edited(scenarios=table["scenarios"])


PROTOCOL = protocol_of(adverse_events={"nausea": 0.2, "headache": 0.0})


def drawn(protocol, trials=(0,), patients=PATIENTS, scores=RESPONDS, contact=1e9, here=True):
    arm = np.tile(np.arange(patients) % 2, (len(trials), 1))
    randomised = np.tile(np.arange(patients) // 10.0, (len(trials), 1))
    assessed = randomised[:, :, None] + np.array([0.0, 1.0, 7.0, 14.0])
    found = draw_events(
        Draws.of(4, "events", np.array(trials)),
        protocol,
        Truth.of(protocol, "no-effect"),
        arm,
        randomised,
        np.broadcast_to(scores, assessed.shape),
        assessed,
        np.full(assessed.shape, here),
        randomised + contact,
    )
    return found, arm, randomised


@pytest.mark.parametrize("shape", [1.0, 0.7, 2.0])
def test_losses_are_weibull_with_the_median_of_the_arm(shape):
    protocol = protocol_of(shape_of_loss_of_response=shape)
    law = protocol.scenario("no-effect").arms
    found, arm, randomised = drawn(protocol)
    day = found[LOSS_OF_RESPONSE, ""]
    exponential = Draws.of(4, "events", [0]).exponential("loss of response", PATIENTS)
    for at, name in enumerate(protocol.arm_names):
        median = law[name].median_days_to_loss_of_response
        time = median * (exponential / math.log(2)) ** (1 / shape)
        np.testing.assert_array_equal(day[arm == at], np.ceil(randomised + 14 + time)[arm == at])
        lost = (day - randomised - 14)[arm == at] <= 2 * math.floor(median)
        share = 1 - 0.5 ** ((2 * math.floor(median) / median) ** shape)
        assert abs(lost.mean() - share) < 4 * math.sqrt(share * (1 - share) / lost.size)


def test_only_losses_under_follow_up_are_seen():
    found, _, randomised = drawn(PROTOCOL, contact=20.0)
    day = found[LOSS_OF_RESPONSE, ""]
    seen = np.isfinite(day)
    assert seen.any()
    assert (~seen).any()
    assert (day[seen] <= (randomised + 20)[seen]).all()
    everything = drawn(PROTOCOL)[0][LOSS_OF_RESPONSE, ""]
    np.testing.assert_array_equal(seen, everything <= randomised + 20)
    np.testing.assert_array_equal(day[seen], everything[seen])


@pytest.mark.parametrize("given", [{"scores": FAILS}, {"here": False}, {"scores": [50.0, 50.0, 50.0, np.nan]}])
def test_who_is_not_seen_to_respond_loses_nothing(given):
    found, _, _ = drawn(PROTOCOL, patients=100, **given)
    assert np.isinf(found[LOSS_OF_RESPONSE, ""]).all()


def test_a_response_that_lasts_is_never_lost():
    table = plain_table()
    for scenario in table["scenarios"].values():
        scenario["arms"]["ketamine"].pop("median_days_to_loss_of_response", None)
    found, arm, _ = drawn(edited(scenarios=table["scenarios"]))
    assert np.isinf(found[LOSS_OF_RESPONSE, ""][arm == 1]).all()
    assert np.isfinite(found[LOSS_OF_RESPONSE, ""][arm == 0]).all()


def test_a_trial_that_does_not_follow_response_has_no_losses():
    endpoints = [item for item in plain_table()["endpoints"] if item["type"] != "loss-of-response"]
    assert (LOSS_OF_RESPONSE, "") not in drawn(edited(endpoints=endpoints), patients=10)[0]


def test_adverse_events_have_their_probability_and_fall_in_the_first_two_weeks():
    found, _, randomised = drawn(PROTOCOL)
    day = found[ADVERSE_EVENT, "nausea"]
    had = np.isfinite(day)
    assert abs(had.mean() - 0.2) < 4 * math.sqrt(0.16 / PATIENTS)
    after = (day - randomised)[had]
    assert set(np.unique(after)) == set(range(14))
    assert abs(after.mean() - 6.5) < 4 * math.sqrt((14**2 - 1) / 12 / after.size)
    assert np.isinf(found[ADVERSE_EVENT, "headache"]).all()


def test_adverse_events_come_before_the_last_contact():
    found, _, randomised = drawn(PROTOCOL, contact=3.0)
    after = (found[ADVERSE_EVENT, "nausea"] - randomised)[np.isfinite(found[ADVERSE_EVENT, "nausea"])]
    assert set(np.unique(after)) == {0, 1, 2}


def test_an_event_depends_on_trial_and_patient_only():
    many, _, _ = drawn(PROTOCOL, trials=(0, 1, 2), patients=50)
    alone, _, _ = drawn(PROTOCOL, trials=(2,), patients=20)
    assert many.keys() == alone.keys()
    for key, days in alone.items():
        np.testing.assert_array_equal(days[0], many[key][2, :20])
