"""The hierarchical endpoint: pairs of patients compared component by component, from protocol and data."""

import math
from dataclasses import replace

import numpy as np
import pytest

import equipoise as eq
from equipoise import InputError, endpoints
from equipoise.endpoints.ranks.win_components import WinComponent
from equipoise.endpoints.ranks.win_statistics import win_statistics
from equipoise.patients import Draws, Truth
from equipoise.simulation import virtual_trial
from equipoise.trial_batch import TrialBatch
from equipoise.wording import counted
from protocols import edited

MEASURES = [
    {"name": "relapse", "kind": "time", "visit": "week2", "better": "higher"},
    {"name": "calls", "kind": "count", "visit": "week2", "better": "lower"},
    {"name": "severity", "kind": "ordinal", "visit": "week2", "better": "lower", "levels": ["none", "some", "much"]},
    {"name": "working", "kind": "binary", "visit": "week1", "better": "higher"},
    {"name": "sleep", "kind": "continuous", "visit": "week2", "better": "higher", "unit": "h"},
]
TRUTHS = (
    {
        "relapse": {"median_days": 25.0},
        "calls": {"rate": 30.0, "dispersion": 0.5},
        "severity": {"shares": [0.2, 0.5, 0.3]},
        "working": {"probability": 0.4},
        "sleep": {"mean": 6.0, "sd": 1.5},
    },
    {
        "relapse": {"median_days": 40.0, "shape": 1.3},
        "calls": {"rate": 22.0, "dispersion": 0.5},
        "severity": {"shares": [0.35, 0.45, 0.2]},
        "working": {"probability": 0.5},
        "sleep": {"mean": 6.6, "sd": 1.2},
    },
)
ALL = [
    {"measure": "relapse", "margin": 2},
    {"measure": "calls"},
    {"measure": "severity"},
    {"measure": "working"},
    {"measure": "sleep", "margin": 1.0},
]
ENDPOINT = {"name": "composite", "type": "hierarchical", "role": "primary", "components": ALL}


def protocol_of(truths=TRUTHS, sample_size=None, **options):
    changes = {
        f"scenarios__later-trials__arms__{arm}__measures": told
        for arm, told in zip(("midazolam", "ketamine"), truths, strict=True)
    }
    if sample_size is not None:
        changes |= {"sample_size": sample_size, "stopping": {"alpha": 0.05, "sided": 2, "fractions": [0.5, 1.0]}}
    return edited(measures=MEASURES, endpoints=[ENDPOINT | options], **changes)


def trial(protocol, number=0, patients=60):
    truth = Truth.of(protocol, "later-trials")
    return virtual_trial(protocol, truth, Draws.of(1, "later-trials", [number]), patients)


def by_hand(protocol, data, strata=None):
    """The columns of the components made once more, and the comparison of all pairs."""
    opens = protocol.visit("week2").day - math.floor(protocol.visit("week2").window[0])
    found = [data.measure(item.measure) for item in protocol.primary.components]
    values = np.column_stack([item.value for item in found])
    observed, followed = np.ones(values.shape, dtype=bool), np.full(values.shape, np.inf)
    observed[:, 0] = found[0].observed
    exposure = found[1].exposure
    followed[:, 1] = np.where(exposure >= opens, np.inf, exposure)
    components = [
        WinComponent(time=True, margin=2),
        WinComponent(better="lower"),
        WinComponent(better="lower"),
        WinComponent(),
        WinComponent(margin=1),
    ]
    return win_statistics(values, data.arm, components, observed=observed, followed=followed, strata=strata)


@pytest.mark.parametrize(
    ("statistic", "scale"),
    [
        ("win-odds", eq.Scale.LOG_WIN_ODDS),
        ("win-ratio", eq.Scale.LOG_WIN_RATIO),
        ("net-benefit", eq.Scale.NET_BENEFIT),
    ],
)
@pytest.mark.parametrize("strata", [(), ("sex",)])
def test_it_equals_the_comparison_of_all_pairs(statistic, scale, strata):
    protocol = protocol_of(statistic=statistic, strata=strata)
    data = trial(protocol)
    found = by_hand(protocol, data, data.covariates["sex"] if strata else None)
    estimate, notes = endpoints.primary(protocol.primary, protocol, data)
    expected = found.estimate(scale)
    assert (estimate.effect, estimate.standard_error) == pytest.approx(
        (expected.effect, expected.standard_error), rel=1e-13
    )
    assert (estimate.scale, estimate.better, notes) == (scale, "higher", ())
    result = endpoints.estimate(protocol.primary, protocol, data)
    level = protocol.confidence_level
    assert result.comparisons[0].estimate == estimate
    assert result.comparisons[0].interval == found.estimate(scale, "unconstrained").interval(level)
    assert result.patients == endpoints.analysed(protocol.primary, protocol, data).sum() == 60
    pairs, statistics = result.tables
    assert [row[0] for row in pairs.rows] == ["relapse", "calls", "severity", "working", "sleep", "All"]
    assert [row[1] for row in pairs.rows] == pytest.approx([*found.won_at, found.won])
    assert pairs.rows[-2][3] == pytest.approx(found.tied, abs=1e-12)
    assert [row[1] for row in statistics.rows] == pytest.approx([found.odds, found.ratio, found.net_benefit])
    assert statistics.rows[1][2].lower == pytest.approx(
        math.exp(found.estimate(eq.Scale.LOG_WIN_RATIO, "unconstrained").interval(level).lower)
    )
    assert statistics.rows[2][3] == pytest.approx(found.estimate(eq.Scale.NET_BENEFIT).p_value)


def test_the_scale_counts_as_it_is_analysed():
    components = [{"measure": "working"}, {"visit": "week2", "margin": 10}]
    for outcome in ("score", "change"):
        protocol = edited(
            measures=MEASURES,
            endpoints=[ENDPOINT | {"components": components}],
            analysis={"outcome": outcome},
            **{
                f"scenarios__later-trials__arms__{arm}__measures": told
                for arm, told in zip(("midazolam", "ketamine"), TRUTHS, strict=True)
            },
        )
        data = trial(protocol)
        score = data.at("week2") - (data.baseline if outcome == "change" else 0)
        values = np.column_stack([data.measure("working").value, score])
        arm = np.where(np.isnan(values).all(axis=1), -1, data.arm)
        found = win_statistics(values, arm, [WinComponent(), WinComponent(margin=10, better="lower")])
        estimate, _ = endpoints.primary(protocol.primary, protocol, data)
        assert estimate.effect == pytest.approx(found.estimate(eq.Scale.LOG_WIN_ODDS).effect, rel=1e-13)
        result = endpoints.estimate(protocol.primary, protocol, data)
        assert result.patients == (arm >= 0).sum() < 60
        assert result.notes == (f"{60 - result.patients} patients left out: no component recorded",)
        assert ("change" in endpoints.describe(protocol.primary, protocol).method) == (outcome == "change")


def test_at_a_look_patients_not_yet_due_are_left_out():
    protocol = protocol_of()
    data = trial(protocol)
    early = data.known_at(float(np.sort(data.randomised)[30]))
    due = early.is_due("week2")
    assert 10 < due.sum() < len(early)
    kept = early.only(due)
    estimate, _ = endpoints.primary(protocol.primary, protocol, early)
    assert estimate.effect == pytest.approx(by_hand(protocol, kept).estimate(eq.Scale.LOG_WIN_ODDS).effect, rel=1e-13)
    (note,) = endpoints.estimate(protocol.primary, protocol, early).notes
    assert note == f"{counted(int((~due).sum()), 'patient')} not yet due at week 2: left out"


def small_trials(protocol, count=120):
    """Trials of 2 to 16 patients with values missing, some tied throughout, all won, or with what they cannot hold."""
    rng = np.random.default_rng(4)
    trials = []
    for number in range(count):
        data = trial(protocol, number, int(rng.integers(2, 17)))
        measures = dict(data.measures)
        for name, item in data.measures.items():
            measures[name] = replace(item, value=np.where(rng.random(len(data)) < 0.15, np.nan, item.value))
        sex = data.covariates["sex"].copy()
        case = number % 12
        if case == 3:
            measures = {name: replace(item, value=np.zeros(len(data))) for name, item in measures.items()}
        elif case == 5:
            never = np.zeros(len(data), dtype=bool)
            measures["relapse"] = replace(measures["relapse"], observed=never)
        elif case == 7:
            value = np.where(data.arm == 1, 20.0, 1.0)
            measures["relapse"] = replace(measures["relapse"], value=value, observed=np.ones(len(data), dtype=bool))
        elif case == 9:
            measures["relapse"] = replace(measures["relapse"], value=measures["relapse"].value - 30)
        elif case == 10:
            sex[0] = "x"
        elif case == 11:
            sex[-1] = ""
        trials.append(replace(data, measures=measures, covariates=data.covariates | {"sex": sex}))
    return trials


@pytest.mark.parametrize(
    "options", [{}, {"statistic": "win-ratio"}, {"statistic": "net-benefit", "strata": ["sex"]}, {"strata": ["sex"]}]
)
def test_many_trials_are_what_each_is_alone(options):
    protocol = protocol_of(**options)
    trials = small_trials(protocol)
    found = endpoints.batch(protocol.primary, protocol, TrialBatch.of(trials))
    for at, data in enumerate(trials):
        try:
            alone, why = endpoints.primary(protocol.primary, protocol, data)[0], None
        except InputError as error:
            alone, why = None, str(error)
        assert found.failures.get(at) == why
        if alone is not None:
            assert found.effect[at] == pytest.approx(alone.effect, rel=1e-10, abs=1e-12)
            assert found.standard_error[at] == pytest.approx(alone.standard_error, rel=1e-10)
    reasons = " ".join(found.failures.values())
    for part in ("does better", "times not below 0"):
        assert part in reasons
    assert ("covariate sex is" in reasons) == ("strata" in options)
    assert ("for a win ratio" in reasons) == (options.get("statistic") == "win-ratio")
    assert 10 < len(found.failures) < 100


@pytest.mark.parametrize("statistic", ["win-odds", "win-ratio", "net-benefit"])
def test_the_plan_promises_what_virtual_trials_have(statistic):
    """600 trials of 150 patients, some of whom leave: mean effect and standard error against the plan's."""
    protocol = protocol_of(statistic=statistic)
    promised = endpoints.plan(protocol.primary, protocol, Truth.of(protocol, "later-trials"))
    trials = [trial(protocol, number, 150) for number in range(600)]
    found = endpoints.batch(protocol.primary, protocol, TrialBatch.of(trials))
    error = promised.information(150, protocol.shares()) ** -0.5
    assert not found.failures
    assert promised.favourable > 0
    assert found.effect.mean() == pytest.approx(promised.effect, abs=4 * error / math.sqrt(600))
    assert np.sqrt((found.standard_error**2).mean()) == pytest.approx(error, rel=0.02)
    assert found.effect.std() == pytest.approx(error, rel=0.1)


@pytest.mark.parametrize("outcome", ["score", "change"])
def test_the_plan_of_the_rating_scale(outcome):
    protocol = edited(
        endpoints=[ENDPOINT | {"components": [{"visit": "week2", "margin": 5}]}], analysis={"outcome": outcome}
    )
    promised = endpoints.plan(protocol.primary, protocol, Truth.of(protocol, "later-trials"))
    trials = [trial(protocol, number, 120) for number in range(300)]
    found = endpoints.batch(protocol.primary, protocol, TrialBatch.of(trials))
    error = promised.information(120, protocol.shares()) ** -0.5
    assert found.effect.mean() == pytest.approx(promised.effect, abs=4 * error / math.sqrt(300))
    assert np.sqrt((found.standard_error**2).mean()) == pytest.approx(error, rel=0.03)


def test_as_primary_it_is_planned_run_and_concluded():
    protocol = protocol_of(sample_size={"scenario": "later-trials", "power": 0.8})
    plan = eq.plan(protocol)
    assert 50 < plan.patients < 600
    run = eq.run(protocol, scenario="later-trials", seed=1)
    assert run.conclusion.decision
    described = endpoints.describe(protocol.primary, protocol)
    assert "time to relapse (later by at least 2 wins)" in described.method
    assert described.measured == "the composite of relapse, calls, severity, working and sleep"
    assert "–" not in str(endpoints.estimate(protocol.primary, protocol, trial(protocol)))


def test_what_cannot_be_planned_is_said():
    lacking = edited(measures=MEASURES, endpoints=[ENDPOINT])
    with pytest.raises(InputError, match=r"measures\.relapse\.median_days"):
        endpoints.plan(lacking.primary, lacking, Truth.of(lacking, "later-trials"))
    components = [{"measure": "working"}]
    sure = [told | {"working": {"probability": 1.0}} for told in TRUTHS]
    protocol = protocol_of(sure, components=components)
    with pytest.raises(InputError, match="decide between some patients"):
        endpoints.plan(protocol.primary, protocol, Truth.of(protocol, "later-trials"))
    apart = [TRUTHS[0] | {"working": {"probability": 0.0}}, TRUTHS[1] | {"working": {"probability": 1.0}}]
    protocol = protocol_of(apart, components=components, statistic="win-ratio")
    with pytest.raises(InputError, match="pairs won and lost under the scenario"):
        endpoints.plan(protocol.primary, protocol, Truth.of(protocol, "later-trials"))


def test_what_cannot_be_analysed_is_said():
    protocol = protocol_of()
    data = trial(protocol, patients=20)
    without = replace(data, measures={name: item for name, item in data.measures.items() if name != "relapse"})
    with pytest.raises(InputError, match="a measure in the data"):
        endpoints.primary(protocol.primary, protocol, without)
    unsaid = replace(data.measure("relapse"), observed=None)
    with pytest.raises(InputError, match="whether the event happened"):
        endpoints.primary(protocol.primary, protocol, replace(data, measures=data.measures | {"relapse": unsaid}))
    with pytest.raises(InputError, match="each arm"):
        endpoints.primary(protocol.primary, protocol, data.only(data.arm == 1))
    same = {name: replace(item, value=np.zeros(20)) for name, item in data.measures.items()}
    result = endpoints.estimate(protocol.primary, protocol, replace(data, measures=same))
    assert result.estimate is None
    assert "does better" in result.notes[0]


def test_the_plan_has_the_power_that_trials_have_where_the_effect_is_large():
    """A look's z is the net benefit's: so is the planned effect over its error, whatever the statistic."""
    components = [{"measure": "sleep"}]
    truths = [told | {"sleep": {"mean": mean, "sd": 1.0}} for told, mean in zip(TRUTHS, (6.0, 6.9), strict=True)]
    noncentrality = []
    for statistic in ("win-odds", "win-ratio", "net-benefit"):
        protocol = protocol_of(truths, components=components, statistic=statistic)
        promised = endpoints.plan(protocol.primary, protocol, Truth.of(protocol, "later-trials"))
        noncentrality.append(promised.effect * promised.information(40, protocol.shares()) ** 0.5)
    assert noncentrality == pytest.approx([noncentrality[2]] * 3, rel=1e-12)
    assert promised.effect > 0.4
