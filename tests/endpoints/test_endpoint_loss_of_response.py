"""Durable response as an endpoint: what it reports, many trials as one, its plan, and what it refuses."""

import json
from dataclasses import replace

import numpy as np
import pytest

import equipoise as eq
from equipoise import InputError, endpoints, gallery
from equipoise.data import LOSS_OF_RESPONSE, Events
from equipoise.endpoints.durations.in_response import in_response
from equipoise.endpoints.durations.planned import observed_for, planned_time
from equipoise.endpoints.durations.principal_ignorability import principal_ignorability
from equipoise.endpoints.durations.principal_stratum import principal_stratum
from equipoise.endpoints.durations.time_in_response import time_in_response
from equipoise.endpoints.survival.kaplan_meier import kaplan_meier
from equipoise.errors import NotEstimable
from equipoise.estimate import Scale
from equipoise.patients import Draws, Truth
from equipoise.simulation import virtual_trial
from equipoise.trial_batch import TrialBatch
from protocols import edited, plain_table


def protocol_with(role="secondary", response=(), protocol=(), **loss):
    """The ketamine trial, its loss-of-response endpoint changed, and made the primary one if asked."""
    found = plain_table()["endpoints"]
    found[0]["role"] = "primary" if role == "secondary" else "secondary"
    found[1] |= dict(response)
    found[2] |= {"role": role, **loss}
    return edited(endpoints=found, **dict(protocol))


PROTOCOL = protocol_with(within=56.0, horizons=[0.5, 14.0, 56.0])
LOSS, RESPONSE = PROTOCOL.endpoints[2], PROTOCOL.endpoints[1]


def drawn(protocol, number, patients, scenario="as-published"):
    return virtual_trial(protocol, Truth.of(protocol, scenario), Draws.of(5, scenario, [number]), patients)


def arrays(data, protocol=PROTOCOL):
    """Arm, response, time and losses as anybody would take them from the tables, who lasts from assessment to event."""
    rule = protocol.endpoints[1]
    at = data.visit_names.index(rule.visit)
    responded = (data.baseline - data.scores[:, at]) >= rule.improvement * data.baseline - 1e-9
    time, lost = np.full(len(data), np.nan), np.zeros(len(data))
    for row in np.flatnonzero(responded):
        mine = data.events.day[(data.events.patient == row) & (data.events.kind == LOSS_OF_RESPONSE)]
        end = min([*mine.tolist(), np.inf])
        lost[row] = end <= data.last_contact[row]
        time[row] = min(end, data.last_contact[row]) - data.assessed[row, at]
    known = data.is_due(rule.visit)
    if rule.missing == "observed-only":
        known = known & ~np.isnan(data.scores[:, at])
    return data.arm, np.where(known, responded.astype(float), np.nan), time, lost


@pytest.mark.parametrize("missing", ["non-response", "observed-only"])
@pytest.mark.parametrize("number", range(3))
def test_it_is_the_arrays_estimates(number, missing):
    protocol = protocol_with(response={"missing": missing}, within=56.0, horizons=[14.0, 56.0])
    data = drawn(protocol, number, 80, "later-trials")
    given = arrays(data, protocol)
    found = endpoints.estimate(protocol.endpoints[2], protocol, data)
    time, stratum = time_in_response(*given, 56.0), principal_stratum(*given, 56.0)
    assert found.durations[0].time == time
    assert found.durations[0].stratum == stratum
    assert found.durations[0].in_response == tuple(in_response(*given, day) for day in (14.0, 56.0))
    assert found.estimate.effect == time.difference.effect
    assert found.estimate.standard_error == time.difference.standard_error
    assert found.estimate.scale == Scale.TIME_DIFFERENCE
    assert found.estimate == endpoints.primary_estimate(protocol.endpoints[2], protocol, data)
    assert found.comparisons[0].interval == time.interval
    assert found.patients == (~np.isnan(given[1])).sum()
    responder = given[1] == 1
    for at, arm in enumerate(found.arms):
        members = responder & (data.arm == at)
        curve = kaplan_meier(given[2][members], given[3][members], interval="log-log")
        assert (arm.responders.median, arm.responders.median_interval) == (curve.median, curve.median_interval)


def test_covariates_add_an_estimate():
    protocol = protocol_with(within=40.0, covariates=["baseline", "age"])
    data = drawn(protocol, 1, 300)
    found = endpoints.estimate(protocol.endpoints[2], protocol, data)
    columns = np.column_stack([data.baseline, data.covariates["age"]])
    direct = principal_ignorability(*arrays(data, protocol), columns, 40.0)
    assert found.durations[0].given_covariates.effect == pytest.approx(direct.effect, rel=1e-9)
    assert found.durations[0].given_covariates.standard_error == pytest.approx(direct.standard_error, rel=1e-9)
    effects = next(table for table in found.tables if table.title == "Effects on days in response")
    assert len(effects.rows) == 5
    assert len(found.estimands) == 5
    assert any("logistic regression" in part for part in [endpoints.describe(protocol.endpoints[2], protocol).method])


def test_three_estimands_stand_side_by_side():
    found = endpoints.estimate(LOSS, PROTOCOL, drawn(PROTOCOL, 2, 120))
    titles = [table.title for table in found.tables]
    assert titles == [
        "In response over time, among all randomised",
        "Mean days in response, among all randomised",
        "Effects on days in response",
        "What is estimated of durable response",
    ]
    for table in found.tables:
        names = [column.name for column in table.columns]
        assert len(set(names)) == len(names)
        assert all(len(row) == len(names) for row in table.rows)
    descriptive, *effects = found.estimands
    assert not descriptive.is_effect
    assert "no effect of treatment" in descriptive.summary
    assert len(effects) == 3
    words = [item.words for item in found.estimands]
    for part in ("Population:", "Variable:", "Intercurrent events:", "Summary:", "Assumed:"):
        assert all(part in text for text in words)
    stratum = found.durations[0].stratum
    rows = {row[0]: row[1:] for row in found.tables[2].rows}
    assert rows["Would respond to ketamine, nobody to midazolam only"][0] == stratum.effect.effect
    assert rows["Would respond to ketamine, whoever responds to midazolam"][1].upper == stratum.upper
    json.dumps(found.to_dict(), allow_nan=False)


def thinned(data, generator):
    """A trial with few patients, few responders or none, scores missing, and follow-up cut short."""
    keep = generator.random(len(data)) < generator.choice([0.15, 0.5, 1.0])
    keep[generator.integers(len(data))] = True
    small = data.only(keep)
    scores = small.scores.copy()
    scores[generator.random(scores.shape) < 0.1] = np.nan
    worse = generator.random() < 0.3
    scores[:, 3] = np.where(small.arm == generator.integers(0, 2), 80.0 if worse else scores[:, 3], scores[:, 3])
    contact = np.minimum(small.last_contact, np.fmax(small.assessed[:, 3], 0) + generator.choice([0.0, 20.0, 90.0]))
    return replace(small, scores=scores, last_contact=np.where(np.isnan(contact), small.last_contact, contact))


@pytest.mark.parametrize("within", [None, 30.0, 89.0])
@pytest.mark.parametrize("missing", ["non-response", "observed-only"])
def test_many_trials_are_each_as_one(within, missing):
    protocol = protocol_with(
        response={"missing": missing},
        **({"within": within} if within else {}),
        protocol={"accrual": {"start": PROTOCOL.accrual.start, "patients_per_month": 20.0}},
    )
    endpoint = protocol.endpoints[2]
    generator = np.random.default_rng(4)
    trials = []
    for number in range(150):
        data = thinned(drawn(protocol, number, 30, "later-trials"), generator)
        trials.append(data.known_at(float(data.randomised.min() + 40)) if number % 5 == 0 else data)
    found = endpoints.batch(endpoint, protocol, TrialBatch.of(trials))
    assert 5 < len(found.failures) < 145
    for at, data in enumerate(trials):
        reason = None
        try:
            one = endpoints.primary_estimate(endpoint, protocol, data)
        except NotEstimable as error:
            reason = str(error)
        else:
            assert found.effect[at] == pytest.approx(one.effect, rel=1e-10, abs=1e-10)
            assert found.standard_error[at] == pytest.approx(one.standard_error, rel=1e-10)
        assert found.failures.get(at) == reason
        assert np.isnan(found.effect[at]) == (reason is not None)


@pytest.mark.parametrize(
    ("scenario", "visit", "within", "missing"),
    [
        ("as-published", "week2", 56.0, "non-response"),
        ("later-trials", "week2", 30.5, "observed-only"),
        ("as-published", "week1", 85.0, "non-response"),
    ],
)
def test_the_plan_is_what_simulated_trials_show(scenario, visit, within, missing):
    response = {"missing": missing, "visit": visit}
    protocol = protocol_with("primary", response, {"population__dropout_odds_ratio_per_point": 1.0}, within=within)
    endpoint = protocol.primary
    planned = endpoints.plan(endpoint, protocol, Truth.of(protocol, scenario))
    trials = TrialBatch.of([drawn(protocol, number, 200, scenario) for number in range(600)])
    found = endpoints.batch(endpoint, protocol, trials)
    assert not found.failures
    spread = found.effect.std()
    assert planned.effect == pytest.approx(found.effect.mean(), abs=4 * spread / np.sqrt(600))
    expected = planned.information(200, (0.5, 0.5)) ** -0.5
    assert expected == pytest.approx(spread, rel=4 / np.sqrt(1200))
    assert expected == pytest.approx(np.sqrt(np.mean(found.standard_error**2)), rel=0.02)
    assert planned.better == "higher"


@pytest.mark.parametrize("shape", [1.0, 0.6, 2.5])
def test_planned_time_without_censoring_is_that_of_whole_days(shape):
    generator = np.random.default_rng(6)
    drawn_days = np.ceil(27.5 * (generator.exponential(1 / np.log(2), 2_000_000)) ** (1 / shape))
    inside = np.where(generator.random(2_000_000) < 0.4, np.minimum(drawn_days, 30.5), 0.0)
    mean, variance = planned_time(0.4, 27.5, 30.5, np.ones(30), shape)
    assert mean == pytest.approx(inside.mean(), rel=4 * inside.std() / inside.mean() / np.sqrt(2e6))
    assert variance == pytest.approx(inside.var(), rel=0.005)
    assert planned_time(0.4, None, 30.0, np.ones(29)) == (pytest.approx(12.0), pytest.approx(900 * 0.24))


def test_responses_that_are_all_lost_at_once_last_a_day():
    assert planned_time(0.4, 0.01, 30.5, np.ones(30), 3.0) == (pytest.approx(0.4), pytest.approx(0.24))


def test_observation_ends_evenly_between_visits_and_with_follow_up():
    found = observed_for(np.array([0.0, 7.0, 17.0]), np.array([1.0, 0.9, 0.45]), 1, 5.0, 17.0)
    np.testing.assert_allclose(found[:10], 0.5 + 0.5 * (1 - np.arange(1, 11) / 10))
    np.testing.assert_allclose(found[10:15], 0.5)
    assert found[15] == 0
    with pytest.raises(InputError, match="within the follow-up, which ends 15 days after the visit"):
        planned_time(0.5, 20.0, 17.0, found)


def test_as_the_primary_endpoint_it_is_planned_run_and_concluded():
    protocol = protocol_with("primary", within=56.0)
    planned = eq.plan(protocol)
    assert planned.effect > 0
    assert planned.units_per_look == (30, 40)
    result = eq.run(protocol, "as-published", seed=4)
    assert result.conclusion is not None
    first = result.looks[0]
    visit = result.data.visit_names.index("week2")
    over = result.data.reached[:, visit] + 56
    assert (over <= result.last_look.day).sum() >= result.last_look.due
    assert first.due == 30
    assert result.primary.estimate.effect == pytest.approx(result.last_look.estimate.effect)
    json.loads(result.to_json())


def test_a_primary_endpoint_has_to_say_within_how_many_days():
    protocol = protocol_with("primary")
    with pytest.raises(InputError, match="within is None"):
        eq.plan(protocol)
    longer = protocol_with("primary", within=120.0)
    with pytest.raises(InputError, match="which ends 90 days after the visit"):
        eq.plan(longer)


def test_nobody_responds():
    data = drawn(PROTOCOL, 3, 40)
    scores = data.scores.copy()
    scores[:, 3] = 80.0
    found = endpoints.estimate(LOSS, PROTOCOL, replace(data, scores=scores))
    assert found.estimate is None
    assert any("does not vary" in note for note in found.notes)
    assert [arm.response_count for arm in found.arms] == [0, 0]
    json.dumps(found.to_dict(), allow_nan=False)


def test_nobody_responds_to_ketamine():
    data = drawn(PROTOCOL, 3, 60)
    scores = data.scores.copy()
    scores[data.arm == 1, 3] = 80.0
    found = endpoints.estimate(LOSS, PROTOCOL, replace(data, scores=scores))
    assert found.estimate.effect < 0
    assert found.durations[0].stratum is None
    assert any("no stratum" in note for note in found.notes)
    json.dumps(found.to_dict(), allow_nan=False)


def test_everybody_responds_and_nobody_relapses():
    data = drawn(PROTOCOL, 3, 40)
    scores = np.where(np.isnan(data.scores), 0.0, data.scores)
    scores[:, 3] = 0.0
    whole = replace(
        data,
        scores=scores,
        assessed=np.where(np.isnan(data.assessed), data.due, data.assessed),
        events=Events(),
        last_contact=data.due[:, 3] + 90,
    )
    found = endpoints.estimate(LOSS, PROTOCOL, whole)
    assert found.estimate is None
    assert any("does not vary" in note for note in found.notes)
    assert [item.difference for item in found.durations[0].in_response] == [0.0, 0.0, 0.0]


def test_more_responders_to_control_put_monotonicity_in_doubt():
    data = drawn(PROTOCOL, 3, 120)
    found = endpoints.estimate(LOSS, PROTOCOL, replace(data, arm=1 - data.arm))
    assert found.durations[0].stratum.more_under_control
    assert any("in doubt" in note for note in found.notes)


def test_all_censored_at_once():
    data = drawn(PROTOCOL, 3, 40)
    now = replace(data, last_contact=np.fmin(data.last_contact, data.assessed[:, 3]), events=Events())
    found = endpoints.estimate(LOSS, PROTOCOL, now)
    assert found.estimate is None
    assert any("have been followed for 0 at most" in note for note in found.notes)
    assert found.durations[0].in_response == ()
    longest = endpoints.estimate(protocol_with().endpoints[2], PROTOCOL, now)
    assert any("nobody has been followed" in note for note in longest.notes)


def test_without_dates_or_events_it_cannot_be_told():
    data = drawn(PROTOCOL, 3, 40)
    undated = replace(data, randomised=np.full(40, np.nan))
    for call in (endpoints.estimate, endpoints.primary):
        with pytest.raises(InputError, match="data without dates"):
            call(LOSS, PROTOCOL, undated)
        with pytest.raises(InputError, match="data without events"):
            call(LOSS, PROTOCOL, replace(data, has_events=False))


def test_trials_of_which_it_cannot_be_told_fail_alone():
    data = drawn(PROTOCOL, 3, 40)
    unheard = data.last_contact.copy()
    unheard[7] = np.nan
    no_events, nan = replace(data, has_events=False), np.full(40, np.nan)
    unknown_day = replace(data, assessed=np.where(np.arange(40)[:, None] >= 0, np.nan, data.assessed))
    trials = [
        data,
        replace(data, randomised=nan),
        no_events,
        replace(data, last_contact=unheard),
        replace(no_events, last_contact=unheard),
        replace(no_events, randomised=nan),
        unknown_day,
        drawn(PROTOCOL, 4, 30),
    ]
    found = endpoints.batch(LOSS, PROTOCOL, TrialBatch.of(trials))
    assert sorted(found.failures) == [1, 2, 3, 4, 5, 6]
    for at, reason in found.failures.items():
        with pytest.raises(InputError) as raised:
            endpoints.primary(LOSS, PROTOCOL, trials[at])
        assert str(raised.value) == reason
        assert np.isnan(found.effect[at])
    for at in (0, 7):
        assert found.effect[at] == pytest.approx(endpoints.primary_estimate(LOSS, PROTOCOL, trials[at]).effect)


def test_each_of_several_arms_stands_against_control():
    data = drawn(PROTOCOL, 3, 180)
    third = replace(data, arm=np.arange(180) % 3, arm_names=("midazolam", "ketamine", "low dose"))
    found = endpoints.estimate(LOSS, PROTOCOL, third)
    assert [item.arm for item in found.comparisons] == ["ketamine", "low dose"]
    arm, *given = arrays(third)
    for at, item in enumerate(found.durations, start=1):
        alone = np.where(arm == at, 1, np.where(arm == 0, 0, -1))
        assert item.time == time_in_response(alone, *given, 56.0)
    assert len(found.tables[1].rows) == 3
    single = endpoints.batch(LOSS, PROTOCOL, TrialBatch.of([third]))
    assert single.effect[0] == pytest.approx(found.estimate.effect, rel=1e-13)


def test_who_is_not_yet_due_is_not_counted():
    protocol = protocol_with(
        within=20.0, protocol={"accrual": {"start": PROTOCOL.accrual.start, "patients_per_month": 15.0}}
    )
    endpoint, data = protocol.endpoints[2], drawn(protocol, 3, 60)
    day = float(np.sort(data.reached[:, 3])[39]) + 20
    cut = data.known_at(day)
    waiting = (~cut.is_due("week2")).sum()
    found = endpoints.estimate(endpoint, protocol, cut)
    assert found.patients == len(cut) - waiting
    assert waiting > 0
    assert any(note.startswith(f"{waiting} patient") and "not yet due at week 2" in note for note in found.notes)
    assert endpoints.accrued(endpoint, protocol, cut) >= 40
    assert endpoints.analysed(endpoint, protocol, cut).sum() == found.patients


def test_its_words():
    described = endpoints.describe(LOSS, PROTOCOL)
    assert "within 56 days of week 2" in described.method
    assert "nobody would respond to midazolam" in " ".join(described.assumptions)
    assert described.measured == "time in response within 56 days of week 2"
    open_ended = endpoints.describe(gallery("ptsd-ketamine").endpoints[2], gallery("ptsd-ketamine"))
    assert "while both arms are followed" in open_ended.method
