"""The ordinal endpoint: proportional odds and the win probability from protocol and data."""

from dataclasses import replace

import numpy as np
import pytest

import equipoise as eq
from equipoise import InputError, endpoints
from equipoise.endpoints.ranks.win_probability import win_probability
from equipoise.endpoints.regression.proportional_odds import proportional_odds_regression
from equipoise.endpoints.regression.proportionality import proportionality_test
from equipoise.patients import Draws, Truth
from equipoise.simulation import virtual_trial
from equipoise.trial_batch import TrialBatch
from protocols import edited

LEVELS = ["none", "mild", "moderate", "severe"]
SEVERITY = {"name": "severity", "kind": "ordinal", "visit": "week2", "better": "lower", "levels": LEVELS}
ENDPOINT = {"name": "severity-week2", "type": "ordinal", "role": "primary", "measure": "severity"}
SHARES = ((0.1, 0.2, 0.4, 0.3), (0.2, 0.3, 0.35, 0.15))


def protocol_of(shares=SHARES, sample_size=None, endpoint=ENDPOINT, **options):
    changes = {
        f"scenarios__later-trials__arms__{arm}__measures": {"severity": {"shares": list(given)}}
        for arm, given in zip(("midazolam", "ketamine"), shares, strict=True)
    }
    if sample_size is not None:
        changes |= {"sample_size": sample_size, "stopping": {"alpha": 0.05, "sided": 2, "fractions": [0.5, 1.0]}}
    return edited(measures=[SEVERITY], endpoints=[endpoint | options], **changes)


def score_protocol(**options):
    return edited(endpoints=[{"name": "caps5", "type": "ordinal", "role": "primary", "visit": "week2"} | options])


def trial(protocol, number=0, patients=60):
    truth = Truth.of(protocol, "later-trials")
    return virtual_trial(protocol, truth, Draws.of(1, "later-trials", [number]), patients)


def test_it_equals_proportional_odds_regression():
    protocol = protocol_of(covariates=["age", "baseline"])
    data = trial(protocol)
    level = data.measure("severity").value
    covariates = np.column_stack([data.covariates["age"], data.baseline])
    fit = proportional_odds_regression(level, data.arm, covariates)
    estimate, notes = endpoints.primary(protocol.primary, protocol, data)
    assert (estimate.effect, estimate.standard_error) == (fit.estimate.effect, fit.estimate.standard_error)
    assert (estimate.scale, estimate.better, notes) == (eq.Scale.LOG_ODDS_RATIO, "lower", ())
    result = endpoints.estimate(protocol.primary, protocol, data)
    assert result.comparisons[0].estimate == estimate
    assert result.comparisons[0].interval == estimate.interval(protocol.confidence_level)
    seen = ~np.isnan(level)
    assert result.patients == endpoints.analysed(protocol.primary, protocol, data).sum() == seen.sum() < 60
    assert result.notes == (f"{60 - seen.sum()} of 60 patients left out: not recorded, or a covariate missing",)
    (table,) = result.tables
    for at, row in enumerate(table.rows):
        counts = [int((level[data.arm == arm] == at).sum()) for arm in (0, 1)]
        assert (row[0], row[1], row[3]) == (LEVELS[at], *counts)
        assert row[2] == pytest.approx(counts[0] / (seen & (data.arm == 0)).sum())
    test = proportionality_test(level, data.arm, covariates)
    assert f"chi-square {test.statistic:.2f} on 2 degrees of freedom" in table.note


def test_it_equals_the_win_probability():
    protocol = protocol_of(method="win-probability")
    data = trial(protocol)
    found = win_probability(data.measure("severity").value, data.arm, better="lower")
    estimate, _ = endpoints.primary(protocol.primary, protocol, data)
    assert (estimate.effect, estimate.standard_error) == (found.probability, found.null_standard_error)
    assert (estimate.better, estimate.null_value) == ("higher", 0.5)
    result = endpoints.estimate(protocol.primary, protocol, data)
    assert result.comparisons[0].interval == found.interval(protocol.confidence_level)
    assert result.interval_name == "logit"
    assert result.tables[0].note == ""


def test_of_the_rating_scale_quartiles_are_shown():
    protocol = score_protocol(covariates=["baseline"])
    data = trial(protocol)
    fit = proportional_odds_regression(data.at("week2"), data.arm, data.baseline)
    result = endpoints.estimate(protocol.primary, protocol, data)
    assert result.estimate.effect == fit.estimate.effect
    assert result.estimate.better == "lower"
    (table,) = result.tables
    own = data.at("week2")[data.arm == 1]
    assert table.rows[1][2:] == tuple(np.quantile(own[~np.isnan(own)], (0.25, 0.5, 0.75)))


def small_trials(protocol, count=100):
    """Trials of 3 to 18 patients with missing levels, some with one level only or arms that share none."""
    rng = np.random.default_rng(3)
    trials = []
    for number in range(count):
        data = trial(protocol, number, int(rng.integers(3, 19)))
        value, sex = data.measure("severity").value.copy(), data.covariates["sex"].copy()
        value[rng.random(len(data)) < 0.1] = np.nan
        value = {2: np.full(len(data), 1.0), 5: 2.0 * data.arm, 8: np.where(data.arm == 1, np.nan, value)}.get(
            number % 10, value
        )
        if number % 10 == 6:
            sex[0] = "x"
        measures = {"severity": replace(data.measure("severity"), value=value)}
        trials.append(replace(data, measures=measures, covariates=data.covariates | {"sex": sex}))
    return trials


@pytest.mark.parametrize(
    "options", [{}, {"covariates": ["age"]}, {"covariates": ["sex", "baseline"]}, {"method": "win-probability"}]
)
def test_many_trials_are_what_each_is_alone(options):
    protocol = protocol_of(**options)
    trials = small_trials(protocol)
    found = endpoints.batch(protocol.primary, protocol, TrialBatch.of(trials))
    for at, data in enumerate(trials):
        try:
            alone, reason = endpoints.primary(protocol.primary, protocol, data)[0], None
        except InputError as error:
            alone, reason = None, str(error)
        assert found.failures.get(at) == reason
        if alone is not None:
            assert found.effect[at] == pytest.approx(alone.effect, rel=1e-10, abs=1e-10)
            assert found.standard_error[at] == pytest.approx(alone.standard_error, rel=1e-10)
    reasons = " ".join(found.failures.values())
    if "method" not in options:
        for part in ("two or more levels", "do not separate levels", "complete data in every arm"):
            assert part in reasons
        assert ("covariate sex is" in reasons) == ("sex" in options.get("covariates", ()))
    assert 20 < len(found.failures) < 97


@pytest.mark.parametrize("options", [{}, {"method": "win-probability"}])
def test_the_plan_promises_what_virtual_trials_have(options):
    """400 trials of 150 patients, a fifth of whom leave: mean effect and standard error against the plan's."""
    protocol = protocol_of(**options)
    promised = endpoints.plan(protocol.primary, protocol, Truth.of(protocol, "later-trials"))
    trials = [trial(protocol, number, 150) for number in range(400)]
    found = endpoints.batch(protocol.primary, protocol, TrialBatch.of(trials))
    error = promised.information(150, protocol.shares()) ** -0.5
    assert not found.failures
    assert promised.favourable > 0
    assert found.effect.mean() == pytest.approx(promised.effect, abs=4 * error / 20)
    assert np.sqrt((found.standard_error**2).mean()) == pytest.approx(error, rel=0.03)
    assert found.effect.std() == pytest.approx(error, rel=0.12)


@pytest.mark.parametrize("method", ["proportional-odds", "win-probability"])
def test_the_plan_of_the_rating_scale(method):
    protocol = score_protocol(method=method)
    promised = endpoints.plan(protocol.primary, protocol, Truth.of(protocol, "later-trials"))
    trials = [trial(protocol, number, 120) for number in range(200)]
    found = endpoints.batch(protocol.primary, protocol, TrialBatch.of(trials))
    error = promised.information(120, protocol.shares()) ** -0.5
    assert found.effect.mean() == pytest.approx(promised.effect, abs=4 * error / 14)
    assert np.sqrt((found.standard_error**2).mean()) == pytest.approx(error, rel=0.05)


@pytest.mark.parametrize("method", ["proportional-odds", "win-probability"])
def test_as_primary_it_is_planned_run_and_concluded(method):
    protocol = protocol_of(sample_size={"scenario": "later-trials", "power": 0.8}, method=method)
    plan = eq.plan(protocol)
    assert 50 < plan.patients < 600
    run = eq.run(protocol, scenario="later-trials", seed=1)
    assert run.conclusion.decision
    described = endpoints.describe(protocol.primary, protocol)
    assert "severity at week 2" in described.method
    assert described.references


def test_what_cannot_be_planned_is_said():
    lacking = edited(measures=[SEVERITY], endpoints=[ENDPOINT])
    with pytest.raises(InputError, match="shares of the levels in each arm of the scenario"):
        endpoints.plan(lacking.primary, lacking, Truth.of(lacking, "later-trials"))
    sure = protocol_of(((1.0, 0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0)))
    with pytest.raises(InputError, match="two or more levels"):
        endpoints.plan(sure.primary, sure, Truth.of(sure, "later-trials"))
    apart = protocol_of(((1.0, 0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 1.0)))
    with pytest.raises(InputError, match="do not separate levels"):
        endpoints.plan(apart.primary, apart, Truth.of(apart, "later-trials"))


@pytest.mark.parametrize("method", ["proportional-odds", "win-probability"])
def test_three_arms(method):
    protocol = protocol_of(method=method)
    data = trial(protocol, 1, 90)
    arm = np.where(np.arange(90) % 3 == 2, 2, data.arm)
    data = replace(data, arm_names=(*data.arm_names, "esketamine"), arm=arm)
    level = data.measure("severity").value
    result = endpoints.estimate(protocol.primary, protocol, data)
    if method == "proportional-odds":
        theirs = [one.effect for one in proportional_odds_regression(level, arm).estimates]
    else:
        theirs = [
            win_probability(level, np.where(arm == at, 1, np.where(arm == 0, 0, -1)), better="lower").probability
            for at in (1, 2)
        ]
    assert [line.estimate.effect for line in result.comparisons] == theirs
    assert endpoints.primary(protocol.primary, protocol, data)[0] == result.estimate
    many = endpoints.batch(protocol.primary, protocol, TrialBatch.of([data]))
    assert many.effect[0] == pytest.approx(result.estimate.effect, rel=1e-12)
    assert len(result.tables[0].columns) == 7


@pytest.mark.parametrize("options", [{"covariates": ["age"]}, {"method": "win-probability"}])
def test_a_third_arm_without_patients_is_left_out(options):
    protocol = protocol_of(**options)
    trials = []
    for number in range(6):
        data = trial(protocol, number)
        arm = np.where(np.arange(60) % 4 == 3, 2, data.arm)
        measured = replace(data.measure("severity"), value=np.where(arm == 2, np.nan, data.measure("severity").value))
        data = replace(data, arm_names=(*data.arm_names, "third"), arm=arm, measures={"severity": measured})
        trials.append(data if number % 2 else data.only(arm < 2))
    many = endpoints.batch(protocol.primary, protocol, TrialBatch.of(trials))
    assert not many.failures
    for at, data in enumerate(trials):
        found, _ = endpoints.primary(protocol.primary, protocol, data)
        pair = data.only(data.arm < 2)
        alone, _ = endpoints.primary(protocol.primary, protocol, replace(pair, arm_names=pair.arm_names[:2]))
        assert (found.effect, found.standard_error) == pytest.approx((alone.effect, alone.standard_error), rel=1e-12)
        assert many.effect[at] == pytest.approx(found.effect, rel=1e-10)
        assert many.standard_error[at] == pytest.approx(found.standard_error, rel=1e-10)
        result = endpoints.estimate(protocol.primary, protocol, data)
        assert [line.arm for line in result.comparisons] == ["ketamine"]
        assert result.estimate == found
        assert sum(note.startswith("third: not compared; ") for note in result.notes) == 1
        assert [row[5:] for row in result.tables[0].rows] == [(0, None)] * 4
    with pytest.raises(InputError):
        endpoints.estimate(protocol.primary, protocol, trials[1].only(trials[1].arm != 1))
