"""The count endpoint: negative binomial and Poisson regression from protocol and data."""

from dataclasses import replace

import numpy as np
import pytest

import equipoise as eq
from equipoise import InputError, endpoints
from equipoise.data import Measured
from equipoise.endpoints.regression.negative_binomial import NO_OVERDISPERSION, negative_binomial_regression
from equipoise.endpoints.regression.poisson import poisson_regression
from equipoise.patients import Draws, Truth
from equipoise.simulation import virtual_trial
from equipoise.trial_batch import TrialBatch
from protocols import edited

RELAPSES = {"name": "relapses", "kind": "count", "visit": "week2", "better": "lower"}
ENDPOINT = {"name": "relapse-rate", "type": "count", "role": "primary", "measure": "relapses"}


def protocol_of(rates=(40.0, 20.0), dispersion=0.5, dropout=None, sample_size=None, **options):
    changes = {
        f"scenarios__later-trials__arms__{arm}__measures": {"relapses": {"rate": rate, "dispersion": dispersion}}
        for arm, rate in zip(("midazolam", "ketamine"), rates, strict=True)
    }
    if dropout is not None:
        for arm, share in zip(("midazolam", "ketamine"), dropout, strict=True):
            changes[f"scenarios__later-trials__arms__{arm}__dropout"] = share
    if sample_size is not None:
        changes |= {"sample_size": sample_size, "stopping": {"alpha": 0.05, "sided": 2, "fractions": [0.5, 1.0]}}
    return edited(measures=[RELAPSES], endpoints=[ENDPOINT | options], **changes)


def trial(protocol, number=0, patients=60):
    truth = Truth.of(protocol, "later-trials")
    return virtual_trial(protocol, truth, Draws.of(1, "later-trials", [number]), patients)


def columns(data):
    """Age and indicators of the levels of sex that are there, after the first."""
    sexes = [sex for sex in ("female", "male", "other") if (data.covariates["sex"] == sex).any()]
    return np.column_stack([data.covariates["age"], *(data.covariates["sex"] == sex for sex in sexes[1:])])


@pytest.mark.parametrize("model", ["negative-binomial", "poisson"])
def test_it_equals_the_regression(model):
    protocol = protocol_of(model=model, covariates=["age", "sex"])
    data = trial(protocol)
    found = data.measure("relapses")
    regression = negative_binomial_regression if model == "negative-binomial" else poisson_regression
    years = found.exposure / 365.25
    fit = regression(found.value, data.arm, columns(data), exposure=years)
    estimate, notes = endpoints.primary(protocol.primary, protocol, data)
    assert (estimate.effect, estimate.standard_error) == (fit.estimate.effect, fit.estimate.standard_error)
    assert (estimate.scale, estimate.better) == (eq.Scale.LOG_RATE_RATIO, "lower")
    assert notes == fit.notes
    result = endpoints.estimate(protocol.primary, protocol, data)
    assert result.comparisons[0].estimate == estimate
    assert result.comparisons[0].interval == estimate.interval(protocol.confidence_level)
    observed = found.exposure > 0
    assert result.patients == endpoints.analysed(protocol.primary, protocol, data).sum() == observed.sum() < 60
    (table,) = result.tables
    for at, row in enumerate(table.rows):
        mine = observed & (data.arm == at)
        events = found.value[mine]
        assert row[1:4] == (mine.sum(), (events > 0).sum(), events.sum())
        assert row[4] == pytest.approx(years[mine].sum())
        assert row[5] == pytest.approx(fit.rates[at])
        assert row[6] == fit.rate_interval(at, protocol.confidence_level)
    assert ("Dispersion" in table.note) == (fit.dispersion > 0)


def test_no_overdispersion_is_said():
    protocol = protocol_of(dispersion=0.0)
    notes = [endpoints.primary(protocol.primary, protocol, trial(protocol, number))[1] for number in range(8)]
    assert {(), (NO_OVERDISPERSION,)} == set(notes)
    data = trial(protocol, notes.index((NO_OVERDISPERSION,)))
    assert NO_OVERDISPERSION in endpoints.estimate(protocol.primary, protocol, data).notes


def changed(data, **parts):
    return replace(data, measures={"relapses": replace(data.measure("relapses"), **parts)})


def small_trials(protocol, count=90):
    """Trials of 4 to 22 patients, some without events, some with missing counts, ages and time under observation."""
    rng = np.random.default_rng(3)
    trials = []
    for number in range(count):
        data = trial(protocol, number, int(rng.integers(4, 23)))
        value, exposure = data.measure("relapses").value.copy(), data.measure("relapses").exposure.copy()
        value[rng.random(len(data)) < 0.1] = np.nan
        unseen = rng.random(len(data)) < 0.05
        exposure[unseen], value[unseen] = 0.0, 0.0
        age, sex = data.covariates["age"].copy(), data.covariates["sex"].copy()
        age[rng.random(len(data)) < 0.05] = np.nan
        if number % 10 == 3:
            value[data.arm == 1] = 0.0
        if number % 10 == 6:
            sex[0] = "x"
        if number % 30 == 9:
            exposure[0], value[0] = 0.0, 2.0
        trials.append(changed(replace(data, covariates={"age": age, "sex": sex}), value=value, exposure=exposure))
    return trials


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"covariates": ["age", "sex"]},
        {"model": "poisson", "covariates": ["sex"]},
        {"model": "poisson", "variance": "robust"},
    ],
)
def test_many_trials_are_what_each_is_alone(options):
    protocol = protocol_of(rates=(60.0, 30.0), dropout=(0.3, 0.3), **options)
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
    assert "at least one event in every arm" in reasons
    assert "a time above 0 for every patient who had events" in reasons
    assert ("covariate sex is" in reasons) == ("sex" in options.get("covariates", ()))
    assert 10 < len(found.failures) < 85


@pytest.mark.parametrize(
    ("options", "dispersion"),
    [({}, 0.7), ({"model": "poisson"}, 0.0), ({"model": "poisson", "variance": "robust"}, 0.7)],
)
def test_the_plan_promises_what_virtual_trials_have(options, dispersion):
    """400 trials of 200 patients with dropout: mean effect, its spread and the mean information against the plan's."""
    protocol = protocol_of(rates=(52.0, 36.0), dispersion=dispersion, dropout=(0.4, 0.2), **options)
    promised = endpoints.plan(protocol.primary, protocol, Truth.of(protocol, "later-trials"))
    trials = [trial(protocol, number, 200) for number in range(400)]
    found = endpoints.batch(protocol.primary, protocol, TrialBatch.of(trials))
    assert not found.failures
    error = promised.information(200, protocol.shares()) ** -0.5
    assert promised.effect == pytest.approx(np.log(36 / 52))
    assert promised.better == "lower"
    assert found.effect.mean() == pytest.approx(promised.effect, abs=4 * error / 20)
    assert found.effect.std() == pytest.approx(error, rel=0.12)
    assert np.sqrt((found.standard_error**2).mean()) == pytest.approx(error, rel=0.03)


def test_as_primary_it_is_planned_run_and_concluded():
    protocol = protocol_of(rates=(60.0, 25.0), sample_size={"scenario": "later-trials", "power": 0.8})
    plan = eq.plan(protocol)
    assert 20 < plan.patients < 400
    assert plan.effect == pytest.approx(np.log(25 / 60))
    run = eq.run(protocol, scenario="later-trials", seed=1)
    assert run.conclusion.decision
    described = endpoints.describe(protocol.primary, protocol)
    assert "negative binomial" in described.kind
    assert "covariates none" in described.method


def test_what_cannot_be_analysed_is_said():
    protocol = protocol_of()
    data = trial(protocol)
    endpoint = protocol.primary
    zero = np.where(data.arm == 1, 0.0, data.measure("relapses").value)
    with pytest.raises(InputError, match="at least one event in every arm"):
        endpoints.primary(endpoint, protocol, changed(data, value=zero))
    with pytest.raises(InputError, match="at least one patient with complete data in every arm"):
        endpoints.primary(endpoint, protocol, changed(data, value=np.where(data.arm == 1, np.nan, zero)))
    with pytest.raises(InputError, match="days under observation"):
        endpoints.primary(endpoint, protocol, replace(data, measures={"relapses": Measured(zero)}))
    with pytest.raises(InputError, match="a measure in the data"):
        endpoints.estimate(endpoint, protocol, replace(data, measures={}))
    lacking = edited(measures=[RELAPSES], endpoints=[ENDPOINT])
    with pytest.raises(InputError, match="a rate in each arm of the scenario"):
        endpoints.plan(lacking.primary, lacking, Truth.of(lacking, "later-trials"))
    nobody = protocol_of(rates=(60.0, 0.0))
    with pytest.raises(InputError, match="a rate above 0"):
        endpoints.plan(nobody.primary, nobody, Truth.of(nobody, "later-trials"))


def test_those_left_out_are_counted():
    protocol = protocol_of(covariates=["age"])
    data = trial(protocol)
    value, age = data.measure("relapses").value.copy(), data.covariates["age"].copy()
    exposure = np.maximum(data.measure("relapses").exposure, 1.0)
    value[:3], age[2:5] = np.nan, np.nan
    data = changed(replace(data, covariates=data.covariates | {"age": age}), value=value, exposure=exposure)
    result = endpoints.estimate(protocol.primary, protocol, data)
    assert result.patients == 55
    assert "5 of 60 patients left out: no count, or not under observation, or a covariate missing" in result.notes


def test_three_arms_are_one_model():
    protocol = protocol_of()
    data = trial(protocol, 1, 90)
    arm = np.where(np.arange(90) % 3 == 2, 2, data.arm)
    data = replace(data, arm_names=(*data.arm_names, "esketamine"), arm=arm)
    found = data.measure("relapses")
    fit = negative_binomial_regression(found.value, arm, exposure=found.exposure / 365.25)
    result = endpoints.estimate(protocol.primary, protocol, data)
    assert [line.arm for line in result.comparisons] == ["ketamine", "esketamine"]
    assert [line.estimate.effect for line in result.comparisons] == [one.effect for one in fit.estimates]
    assert endpoints.primary(protocol.primary, protocol, data)[0] == result.estimate
    many = endpoints.batch(protocol.primary, protocol, TrialBatch.of([data]))
    assert many.effect[0] == pytest.approx(result.estimate.effect, rel=1e-12)


@pytest.mark.parametrize("model", ["negative-binomial", "poisson"])
def test_a_third_arm_without_patients_is_left_out(model):
    protocol = protocol_of(model=model, covariates=["age"])
    trials = []
    for number in range(6):
        data = trial(protocol, number)
        arm = np.where(np.arange(60) % 4 == 3, 2, data.arm)
        value = np.where(arm == 2, np.nan, data.measure("relapses").value)
        data = changed(replace(data, arm_names=(*data.arm_names, "third"), arm=arm), value=value)
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
        assert "third: not compared; no patient of this arm can be analysed" in result.notes
        assert result.tables[0].rows[2][1:] == (0, 0, 0, 0.0, None, None)
    with pytest.raises(InputError, match="at least one patient"):
        endpoints.estimate(protocol.primary, protocol, trials[1].only(trials[1].arm != 1))


def test_an_arm_of_one_patient_has_no_robust_variance():
    protocol = protocol_of(rates=(90.0, 90.0), model="poisson", variance="robust", covariates=["age"])
    trials = []
    for number in range(20):
        data = trial(protocol, number)
        observed = (data.measure("relapses").value > 0) & (data.arm == number % 2)
        keep = data.arm != number % 2
        keep[np.flatnonzero(observed)[0]] = True
        trials.append(data.only(keep))
    many = endpoints.batch(protocol.primary, protocol, TrialBatch.of(trials))
    for at, data in enumerate(trials):
        with pytest.raises(InputError, match="one patient alone") as caught:
            endpoints.estimate(protocol.primary, protocol, data)
        assert many.failures[at] == str(caught.value)
        assert np.isnan(many.effect[at])
