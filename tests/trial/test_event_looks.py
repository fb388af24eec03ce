"""Looks that count events: when they fall, what they know, and what happens when the events do not come."""

from dataclasses import replace

import numpy as np
import pytest

import equipoise as eq
from equipoise import endpoints
from equipoise.patients import Draws, Truth
from equipoise.simulation import virtual_trial
from equipoise.trial import plan
from equipoise.trial.looks import look_day, walk
from protocols import with_measures

RELAPSE = {"name": "relapse", "type": "time-to-event", "role": "primary", "measure": "relapse"}


def protocol_with(events, patients=40):
    return with_measures(
        [RELAPSE],
        stopping={"alpha": 0.05, "events": events},
        sample_size={"patients": patients, "scenario": "no-effect"},
    )


def drawn(protocol, number=0, scenario="no-effect", patients=40):
    return virtual_trial(protocol, Truth.of(protocol, scenario), Draws.of(8, scenario, [number]), patients)


@pytest.mark.parametrize("number", range(4))
def test_a_look_falls_on_the_day_of_its_event(number):
    protocol = protocol_with([8, 16])
    planned, data = plan(protocol), drawn(protocol, number)
    relapse = data.measure("relapse")
    days = np.sort((data.randomised + relapse.value)[relapse.observed])
    for look, wanted in ((1, 8), (2, 16)):
        assert look_day(planned, data, look) == days[wanted - 1]
    first = next(walk(planned, data))
    assert (first.unit, first.due) == ("events", int((days <= first.day).sum()))
    assert first.fraction == first.due / 16
    assert endpoints.accrued(protocol.primary, protocol, first.data) == first.due


def test_events_that_never_come():
    protocol = protocol_with([39, 40])
    with pytest.raises(eq.InputError, match="40 events at most"):
        plan(protocol_with([20, 60]))
    data = drawn(protocol)
    happened = int(data.measure("relapse").observed.sum())
    assert happened < 39
    looks = list(walk(plan(protocol), data))
    assert [look.number for look in looks] == [2]
    assert looks[0].last
    assert looks[0].due == happened
    result = eq.run(protocol, seed=5)
    assert result.conclusion is not None
    assert eq.simulate(protocol, "no-effect", trials=20).trials == 20


def test_a_trial_under_way_waits():
    protocol = protocol_with([8, 40])
    data = drawn(protocol)
    middle = data.known_at(float(np.sort(data.randomised)[-1] + 2))
    assert np.isinf(look_day(plan(protocol), middle, 2))
    monitored = eq.monitor(protocol, middle)
    assert [look.number for look in monitored.looks] == [1]


def test_looks_of_another_kind_are_refused():
    with pytest.raises(ValueError, match="expected 'events' or 'fractions'"):
        with_measures([RELAPSE])
    means = [RELAPSE | {"test": "restricted-mean", "horizon": 12.0}]
    assert plan(with_measures(means)).unit == "patients"


def test_the_plan_counts_events():
    protocol = with_measures(
        [RELAPSE],
        stopping={"alpha": 0.05, "fractions": [0.5, 1.0]},
        sample_size={"power": 0.8, "scenario": "as-published"},
    )
    planned = plan(protocol)
    assert planned.unit == "events"
    assert planned.under_effect.power == pytest.approx(0.8, abs=0.03)
    assert planned.units_per_look[-1] < planned.patients
    assert "events expected" in str(planned)
    assert planned.to_dict()["events_per_look"] == list(planned.units_per_look)


def test_a_last_look_that_sees_nothing_new_takes_the_place_of_the_one_before():
    data = drawn(protocol_with([8, 40]), 1)
    happened = int(data.measure("relapse").observed.sum())
    protocol = protocol_with([happened, 40])
    result = eq.analyse(protocol, data)
    assert [look.number for look in result.looks] == [1, 2]
    assert result.looks[0].fraction == result.looks[1].fraction
    assert not result.looks[0].decision.stops
    assert result.last_look.z == result.looks[0].z
    assert result.last_look.efficacy_bound < result.looks[0].efficacy_bound
    assert len(result.conclusion.information) == 1


def test_no_event_at_all(tmp_path):
    protocol = protocol_with([8, 16])
    data = drawn(protocol)
    relapse = data.measure("relapse")
    nobody = replace(data, measures=data.measures | {"relapse": replace(relapse, observed=relapse.observed & False)})
    result = eq.analyse(protocol, nobody)
    assert [look.due for look in result.looks] == [0]
    assert result.last_look.observed == 40
    assert result.conclusion is None
    assert "events is 0" in result.last_look.failure
    eq.write_report(result, tmp_path / "report.html")
    assert result.to_json()
