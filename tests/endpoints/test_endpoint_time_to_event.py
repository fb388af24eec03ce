"""The time-to-event endpoint of a protocol: direct computations, many trials, plan, and data without an answer."""

from dataclasses import replace

import numpy as np
import pytest

import equipoise as eq
from equipoise import InputError, endpoints
from equipoise.endpoints.survival.cox import cox_regression
from equipoise.endpoints.survival.kaplan_meier import kaplan_meier
from equipoise.endpoints.survival.log_rank import log_rank
from equipoise.endpoints.survival.planned import followed_days
from equipoise.endpoints.survival.restricted_means import restricted_mean_difference
from equipoise.errors import NotEstimable
from equipoise.estimate import Scale
from equipoise.patients import Draws, Truth
from equipoise.protocol import Protocol
from equipoise.simulation import virtual_trial
from equipoise.trial_batch import TrialBatch
from protocols import plain_table

SITE = [{"name": "site", "kind": "categorical", "levels": ["north", "south", "west"], "shares": [0.5, 0.3, 0.2]}]
AGE = [{"name": "age", "kind": "continuous", "mean": 40.0, "sd": 10.0}]
OPTIONS = [
    {"test": "cox"},
    {"test": "cox", "strata": ["site"]},
    {"test": "cox", "covariates": ["baseline", "age", "site"]},
    {"test": "cox", "strata": ["site"], "covariates": ["age"]},
    {"test": "log-rank"},
    {"test": "log-rank", "strata": ["site"]},
    {"test": "restricted-mean", "horizon": 10.0},
]
NAMES = ["cox", "cox strata", "cox adjusted", "cox strata adjusted", "log-rank", "log-rank strata", "restricted mean"]
options = pytest.mark.parametrize("given", OPTIONS, ids=NAMES)


RELAPSE = {"name": "relapse", "kind": "time", "visit": "week2"}
TRUTHS = {"midazolam": {"median_days": 10.0}, "ketamine": {"median_days": 20.0, "shape": 1.2}}


def protocol_of(given, better="higher", **changes):
    """The ketamine trial with the time to a relapse as its primary endpoint and nothing else; `changes` are tables."""
    table = plain_table()
    for scenario in table["scenarios"].values():
        for arm, truth in TRUTHS.items():
            scenario["arms"][arm]["measures"] = {"relapse": truth}
    endpoint = {"name": "relapse-free", "type": "time-to-event", "role": "primary", "measure": "relapse"} | given
    if given["test"] != "restricted-mean":
        del table["stopping"]["patients"]
        table["stopping"]["fractions"] = [0.6, 1.0]
    common = {"measures": [RELAPSE | {"better": better}], "endpoints": [endpoint], "covariates": SITE + AGE}
    return Protocol.model_validate(table | common | changes)


def trial(protocol, number=0, patients=80, scenario="later-trials"):
    return virtual_trial(protocol, Truth.of(protocol, scenario), Draws.of(1, scenario, [number]), patients)


def direct(protocol, data, at=1):
    """The endpoint by the single functions on hand-made arrays."""
    endpoint, found = protocol.primary, data.measure("relapse")
    members = (data.arm == 0) | (data.arm == at)
    time, event, arm = found.value[members], found.observed[members], (data.arm[members] == at).astype(int)
    strata = data.covariates["site"][members] if endpoint.strata else None
    if endpoint.test == "log-rank":
        return log_rank(time, event, arm, strata).estimate()
    if endpoint.test == "restricted-mean":
        curves = [kaplan_meier(time[arm == code], event[arm == code]) for code in (1, 0)]
        return restricted_mean_difference(*curves, endpoint.horizon)
    columns = {
        "baseline": [data.baseline],
        "age": [data.covariates["age"]],
        "site": [data.covariates["site"] == level for level in ("south", "west")],
    }
    chosen = [column[members] for name in endpoint.covariates for column in columns[name]]
    return cox_regression(time, event, arm, np.column_stack(chosen) if chosen else None, strata=strata).estimate


@options
def test_equals_the_direct_computation(given):
    protocol = protocol_of(given)
    data, endpoint = trial(protocol), protocol.primary
    theirs, (ours, notes) = direct(protocol, data), endpoints.primary(endpoint, protocol, data)
    assert notes == ()
    assert ours.effect == pytest.approx(theirs.effect, rel=1e-10)
    assert ours.standard_error == pytest.approx(theirs.standard_error, rel=1e-10)
    by_means = given["test"] == "restricted-mean"
    assert ours.scale == (Scale.TIME_DIFFERENCE if by_means else Scale.LOG_HAZARD_RATIO)
    assert ours.better == ("higher" if by_means else "lower")
    result = endpoints.estimate(endpoint, protocol, data)
    assert result.estimate == ours
    assert result.patients == endpoints.analysed(endpoint, protocol, data).sum() == len(data)
    found = data.measure("relapse")
    for at, arm in enumerate(result.arms):
        curve = kaplan_meier(found.value[data.arm == at], found.observed[data.arm == at], interval="log-log")
        np.testing.assert_array_equal(arm.curve.survival, curve.survival)
        assert (arm.patients, arm.events) == (curve.patients, curve.events.sum())


def random_trials(protocol, count=80):
    """Trials of 3 to 40 patients, some cut early, some without events or one arm, with times and strata missing."""
    rng, trials = np.random.default_rng(4), []
    for number in range(count):
        data = trial(protocol, number, int(rng.integers(3, 41)), ("later-trials", "no-effect")[number % 2])
        if number % 5 == 0:
            data = data.known_at(float(rng.integers(1, 60)))
        if number % 7 == 0:
            data = replace(data, arm=np.where(rng.random(len(data)) < 0.8, 0, data.arm))
        relapse = data.measure("relapse")
        if number % 11 == 0:
            relapse = replace(relapse, observed=np.zeros(len(data), dtype=bool))
        holes = rng.random(len(data)) < 0.1
        relapse = replace(relapse, value=np.where(holes, np.nan, relapse.value))
        site = np.where(rng.random(len(data)) < 0.1, "", data.covariates["site"])
        if number == 13:
            site[0] = "east"
        if number == 17:
            relapse.value[1] = -3.0
        data = replace(data, measures={**data.measures, "relapse": relapse})
        trials.append(replace(data, covariates={**data.covariates, "site": site}))
    return trials


@options
def test_many_trials_equal_each_of_them(given):
    protocol = protocol_of(given)
    endpoint, trials = protocol.primary, random_trials(protocol)
    found = endpoints.batch(endpoint, protocol, TrialBatch.of(trials))
    assert len(found) == len(trials)
    reasons = {}
    for at, data in enumerate(trials):
        try:
            one = endpoints.primary_estimate(endpoint, protocol, data)
        except (InputError, NotEstimable) as error:
            reasons[at] = str(error)
            continue
        np.testing.assert_allclose(
            [found.effect[at], found.standard_error[at]], [one.effect, one.standard_error], rtol=1e-10, atol=1e-12
        )
    assert found.failures == reasons
    assert 2 < len(reasons) < 60
    assert "not below 0" in reasons[17]
    assert np.isnan(found.effect[list(reasons)]).all()


def with_relapse(law, *changes):
    """A truth with something else true of the arms' relapses."""
    arms = zip(law.arms, changes, strict=True)
    return replace(
        law,
        arms=tuple(
            replace(arm, measures={**arm.measures, "relapse": arm.measures["relapse"].model_copy(update=changed)})
            for arm, changed in arms
        ),
    )


@options
def test_plan_is_what_large_trials_show(given):
    """500 virtual trials of 300 patients, 2 : 1, with dropout: mean effect, its standard error and spread, events."""
    protocol = protocol_of(given, allocation={"method": "simple", "ratio": {"ketamine": 2.0, "midazolam": 1.0}})
    endpoint, patients, count = protocol.primary, 300, 500
    truth = Truth.of(protocol, "later-trials")
    truth = with_relapse(truth, {"median_days": 10.0, "shape": 0.9}, {"median_days": 13.0, "shape": 1.1})
    planned = endpoints.plan(endpoint, protocol, truth)
    trials = [virtual_trial(protocol, truth, Draws.of(1, "planned", [at]), patients) for at in range(count)]
    found = endpoints.batch(endpoint, protocol, TrialBatch.of(trials))
    assert not found.failures
    error = planned.information(patients, protocol.shares()) ** -0.5
    assert np.mean(found.effect) == pytest.approx(planned.effect, abs=4.5 * error / np.sqrt(count))
    assert np.mean(found.standard_error) == pytest.approx(error, rel=0.03)
    assert np.std(found.effect) == pytest.approx(error, rel=0.13)
    accrued = [endpoints.accrued(endpoint, protocol, data) for data in trials]
    if given["test"] == "restricted-mean":
        assert (planned.unit, planned.units_per_patient) == ("patients", 1.0)
        assert set(accrued) == {patients}
    else:
        assert planned.unit == "events"
        spread = np.std(accrued) / np.sqrt(count)
        assert np.mean(accrued) == pytest.approx(patients * planned.units_per_patient, abs=4.5 * spread)


def test_plan_near_no_effect_is_schoenfelds():
    for test in ("cox", "log-rank"):
        protocol = protocol_of({"test": test})
        law = with_relapse(
            Truth.of(protocol, "later-trials"), {"median_days": 100.0}, {"median_days": 101.0, "shape": 1.0}
        )
        planned = endpoints.plan(protocol.primary, protocol, law)
        assert planned.effect == pytest.approx(np.log(100 / 101), rel=0.01)
        events = 1000 * planned.units_per_patient
        assert planned.information(1000, (0.5, 0.5)) == pytest.approx(events / 4, rel=0.01)


@options
def test_as_primary_it_is_planned_and_run_to_a_conclusion(given):
    protocol = protocol_of(given)
    planned = eq.plan(protocol)
    assert planned.unit == ("patients" if given["test"] == "restricted-mean" else "events")
    result = eq.run(protocol, seed=3)
    assert result.conclusion is not None
    assert result.last_look.z == pytest.approx(result.last_look.estimate.favourable_z)
    if planned.unit == "events":
        for look, wanted in zip(result.looks, planned.units_per_look, strict=False):
            assert look.due >= wanted or look.last
    assert "relapse" in result.to_json()
    assert result.primary.to_dict()["arms"][0]["events"] > 0


def test_the_log_rank_z_decides_a_look():
    protocol = protocol_of({"test": "log-rank"})
    result = eq.run(protocol, seed=5)
    data = result.data
    found = data.measure("relapse")
    assert result.last_look.z == pytest.approx(-log_rank(found.value, found.observed, data.arm).z, rel=1e-12)


def test_power_of_the_plan_is_that_of_simulated_trials():
    """400 trials by the log-rank test at the planned size: the power within four Monte-Carlo errors (0.08)."""
    protocol = protocol_of({"test": "log-rank"}, sample_size={"scenario": "later-trials", "power": 0.8})
    planned = eq.plan(protocol)
    found = eq.simulate(protocol, trials=400, seed=2)
    assert planned.under_effect.power == pytest.approx(0.8, abs=0.02)
    assert found.power.value == pytest.approx(planned.under_effect.power, abs=0.08)


def test_an_event_that_is_good_turns_the_direction():
    for given, better in (({"test": "cox"}, "higher"), ({"test": "restricted-mean", "horizon": 7.0}, "lower")):
        protocol = protocol_of(given, better="lower")
        assert endpoints.primary_estimate(protocol.primary, protocol, trial(protocol)).better == better
        assert endpoints.plan(protocol.primary, protocol, Truth.of(protocol, "later-trials")).better == better


def test_tables_and_text():
    protocol = protocol_of({"test": "cox", "strata": ["site"], "show": [5.0, 12.0, 90.0], "horizon": 10.0})
    data = trial(protocol)
    result = endpoints.estimate(protocol.primary, protocol, data)
    arms, over_time, analyses = result.tables
    assert [row[1] for row in arms.rows] == [int((data.arm == at).sum()) for at in (0, 1)]
    assert over_time.rows[0][3] == pytest.approx(float(result.arms[0].curve.survival_at(5.0)))
    assert over_time.rows[-1][2:] == (0, None, None)
    named = {row[1]: row for row in analyses.rows}
    cox = named["Cox regression, stratified: hazard ratio"]
    assert cox[2] == pytest.approx(np.exp(result.estimate.effect), rel=1e-10)
    assert cox[4] == pytest.approx(result.estimate.p_value, rel=1e-9)
    assert named["Log-rank test, stratified: one-step hazard ratio"][4] < 1
    assert "Restricted means to day 10: ratio" in named
    assert result.to_dict()["arms"][0]["free_of_event"].keys() == {"5", "12"}
    assert "relapse-free (time-to-event, 80 patients)" in str(result)
    for given in OPTIONS:
        described = endpoints.describe(protocol_of(given).primary, protocol_of(given))
        assert described.method.endswith(".")
        assert all(text.endswith(".") for text in (*described.assumptions, *described.references))


def edited_measure(data, **changes):
    return replace(data, measures={**data.measures, "relapse": replace(data.measure("relapse"), **changes)})


def test_data_without_an_answer():
    protocol = protocol_of({"test": "cox"})
    endpoint, data = protocol.primary, trial(protocol)
    found = data.measure("relapse")
    everyone = np.ones(len(data), dtype=bool)
    for changed, match in (
        (edited_measure(data, observed=~everyone), "all times are censored"),
        (edited_measure(data, observed=found.observed & (data.arm == 0)), "events in both arms"),
        (edited_measure(data, value=np.where(data.arm == 1, np.nan, found.value)), "at least one patient in both arms"),
    ):
        with pytest.raises(NotEstimable, match=match):
            endpoints.primary(endpoint, protocol, changed)
        result = endpoints.estimate(endpoint, protocol, changed)
        assert result.comparisons == ()
        assert result.estimate is None
        assert any(match in note for note in result.notes)
        assert result.tables[-1].rows[0][2:] == (None, None, None) or "both arms" in match
    with pytest.raises(InputError, match="not below 0"):
        endpoints.primary(endpoint, protocol, edited_measure(data, value=found.value - 50))
    with pytest.raises(InputError, match="whether the event happened"):
        endpoints.primary(endpoint, protocol, edited_measure(data, observed=None))
    with pytest.raises(InputError, match="a measure in the data"):
        endpoints.primary(endpoint, protocol, replace(data, measures={}))
    nobody = edited_measure(data, value=np.full(len(data), np.nan))
    with pytest.raises(NotEstimable, match="both arms"):
        endpoints.primary(endpoint, protocol, nobody)
    assert endpoints.estimate(endpoint, protocol, nobody).arms[0].curve is None
    assert endpoints.accrued(endpoint, protocol, nobody) == 0
    assert np.isinf(endpoints.reached(endpoint, protocol, nobody)).all()


def test_strata_and_horizons_without_an_answer():
    protocol = protocol_of({"test": "log-rank", "strata": ["site"]})
    endpoint, data = protocol.primary, trial(protocol)
    with pytest.raises(InputError, match="a covariate in the data"):
        endpoints.primary(endpoint, protocol, replace(data, covariates={}))
    sites = np.where(np.arange(len(data)) == 3, "moon", data.covariates["site"])
    with pytest.raises(InputError, match="one of north, south, west"):
        endpoints.primary(endpoint, protocol, replace(data, covariates={**data.covariates, "site": sites}))
    apart = np.where(data.arm == 0, "north", "south")
    with pytest.raises(NotEstimable, match="while both groups are at risk"):
        endpoints.primary(endpoint, protocol, replace(data, covariates={**data.covariates, "site": apart}))
    unknown = np.where(np.arange(len(data)) < 10, "", data.covariates["site"])
    result = endpoints.estimate(endpoint, protocol, replace(data, covariates={**data.covariates, "site": unknown}))
    assert (result.patients, result.arms[0].patients + result.arms[1].patients) == (70, 70)
    assert result.notes == ("10 of 80 patients left out: no time, or a stratum not known",)

    protocol = protocol_of({"test": "restricted-mean", "horizon": 40.0})
    with pytest.raises(NotEstimable, match="a time within follow-up, which ends at"):
        endpoints.primary(protocol.primary, protocol, trial(protocol))
    with pytest.raises(InputError, match="within the follow-up"):
        endpoints.plan(protocol.primary, protocol, Truth.of(protocol, "later-trials"))
    long = protocol_of({"test": "cox"})
    law = Truth.of(long, "later-trials")
    never = [replace(arm, measures={}) for arm in law.arms]
    with pytest.raises(InputError, match="a median in each arm"):
        endpoints.plan(long.primary, long, replace(law, arms=tuple(never)))
    late = {"relapse": law.arms[0].measures["relapse"].model_copy(update={"median_days": 1e12})}
    with pytest.raises(InputError, match="events in both arms"):
        endpoints.plan(long.primary, long, replace(law, arms=tuple(replace(arm, measures=late) for arm in law.arms)))


def three_arms(given):
    """A third arm, as good as the second, allocated half as often."""
    protocol = protocol_of(given)
    table = protocol.model_dump(mode="python", exclude_unset=True)
    table["arms"] = [*table["arms"], {"name": "high-dose", "role": "experimental"}]
    table["allocation"] = {"method": "simple", "ratio": {"ketamine": 2.0, "midazolam": 2.0, "high-dose": 1.0}}
    table["analysis"] = table["analysis"] | {"experimental": "ketamine"}
    for scenario in table["scenarios"].values():
        scenario["arms"]["high-dose"] = scenario["arms"]["ketamine"]
    return Protocol.model_validate(table)


@options
def test_a_third_arm_is_compared_with_control_alone(given):
    protocol = three_arms(given)
    data = trial(protocol, patients=100)
    result = endpoints.estimate(protocol.primary, protocol, data)
    assert [found.arm for found in result.comparisons] == ["ketamine", "high-dose"]
    for at, found in enumerate(result.comparisons, start=1):
        theirs = direct(protocol, data, at)
        assert found.estimate.effect == pytest.approx(theirs.effect, rel=1e-10)
        assert found.estimate.standard_error == pytest.approx(theirs.standard_error, rel=1e-10)
    relapse = data.measure("relapse")
    if given["test"] != "restricted-mean":
        counted = int(relapse.observed[data.arm <= 1].sum())
        assert endpoints.accrued(protocol.primary, protocol, data) == counted
        assert np.isfinite(endpoints.reached(protocol.primary, protocol, data)).sum() == counted
        planned = endpoints.plan(protocol.primary, protocol, Truth.of(protocol, "later-trials"))
        assert 0 < planned.units_per_patient < 0.8
    batch = endpoints.batch(protocol.primary, protocol, TrialBatch.of([data, data.only(data.arm <= 1)]))
    np.testing.assert_allclose(batch.effect, result.estimate.effect, rtol=1e-10)
    censored = replace(relapse, observed=relapse.observed & (data.arm != 2))
    changed = replace(data, measures={"relapse": censored})
    if given["test"] == "cox":
        result = endpoints.estimate(protocol.primary, protocol, changed)
        assert [found.arm for found in result.comparisons] == ["ketamine"]
        assert any(note.startswith("high-dose: not compared; ") for note in result.notes)


def test_days_followed_take_every_visit_in_its_window():
    """Who leaves does so between the days on which visits were, not were planned: as it is drawn."""
    protocol = eq.gallery("xanomeline-alzheimer")
    truth = Truth.of(protocol, "as-observed")
    data = virtual_trial(protocol, truth, Draws.of(2, "days", np.array([0])), 60_000)
    end = data.assessed[:, -1] - data.randomised
    until = np.where(np.isnan(data.withdrawn), end, data.withdrawn - data.randomised)
    days, windows = zip(*((float(visit.day), visit.window) for visit in protocol.visits), strict=True)
    for arm in (0, 1):
        followed = followed_days(days, windows, truth.arms[arm].staying)
        here = until[data.arm == arm]
        seen = (here >= np.arange(1, followed.size + 1)[:, None]).mean(axis=1)
        np.testing.assert_allclose(followed, seen, atol=4.5 * np.sqrt(0.25 / here.size))


def test_a_log_rank_ratio_far_from_1_is_that_of_the_patients_drawn():
    protocol = eq.gallery("xanomeline-alzheimer")
    truth = Truth.of(protocol, "as-observed")
    endpoint = protocol.endpoint("dermatologic")
    found = [
        endpoints.primary_estimate(
            endpoint, protocol, virtual_trial(protocol, truth, Draws.of(seed, "rank", np.array([0])), 20_000)
        )
        for seed in range(6)
    ]
    planned = endpoints.plan(endpoint, protocol, truth).effect
    error = np.std([one.effect for one in found], ddof=1) / np.sqrt(len(found))
    assert np.mean([one.effect for one in found]) == pytest.approx(planned, abs=3.5 * error)
