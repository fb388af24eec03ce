"""Measures of virtual patients follow the law that the scenario tells."""

import math

import numpy as np
import pytest

import equipoise as eq
from equipoise.patients import Draws, Truth, draw_measure
from equipoise.simulation import virtual_trial
from protocols import TRUTHS, edited, with_measures

PROTOCOL = with_measures([{"name": "clusters", "type": "clusters", "visit": "week2"}])
PATIENTS = 20_000
DATA = virtual_trial(PROTOCOL, Truth.of(PROTOCOL, "no-effect"), Draws.of(3, "no-effect", [0]), PATIENTS)
SEEN = ~np.isnan(DATA.at("week2"))


def within(values, truth, sd):
    """The mean is the truth's to four standard errors."""
    return abs(values.mean() - truth) < 4 * sd / math.sqrt(len(values))


@pytest.mark.parametrize(("at", "arm"), list(enumerate(DATA.arm_names)))
def test_each_kind_follows_its_law(at, arm):
    truth, members = TRUTHS[arm], (DATA.arm == at) & SEEN
    risk = truth["remission"]["probability"]
    assert within(DATA.measure("remission").value[members], risk, math.sqrt(risk * (1 - risk)))
    levels = DATA.measure("cgi").value[members]
    for level, share in enumerate(truth["cgi"]["shares"]):
        assert within(levels == level, share, math.sqrt(share * (1 - share)))
    pressure = DATA.measure("pressure").value[DATA.arm == at]
    pressure = pressure[~np.isnan(pressure)]
    assert within(pressure, truth["pressure"]["mean"], 12)
    assert pressure.std() == pytest.approx(12, rel=0.03)
    guesses = DATA.measure("own-guess").value[members]
    for value, share in ((1, truth["own-guess"]["guesses_experimental"]), (-1, 0.2)):
        assert within(guesses == value, share, math.sqrt(share * (1 - share)))


@pytest.mark.parametrize(("at", "arm"), list(enumerate(DATA.arm_names)))
def test_counts_have_their_rate_and_spread(at, arm):
    panic = DATA.measure("panic")
    members = DATA.arm == at
    count, exposure = panic.value[members], panic.exposure[members]
    mean = TRUTHS[arm]["panic"]["rate"] * exposure / 365.25
    variance = mean + 0.5 * mean**2
    assert abs((count - mean).sum()) < 4 * math.sqrt(variance.sum())
    assert ((count - mean) ** 2).sum() == pytest.approx(variance.sum(), rel=0.06)


@pytest.mark.parametrize(("at", "arm"), list(enumerate(DATA.arm_names)))
def test_times_have_their_median_and_are_censored_at_the_visit(at, arm):
    relapse = DATA.measure("relapse")
    truth = TRUTHS[arm]["relapse"]
    members = (DATA.arm == at) & (DATA.since_randomisation("week2") >= truth["median_days"])
    by_median = relapse.observed[members] & (relapse.value[members] <= truth["median_days"])
    if arm == "midazolam":
        assert within(by_median, 0.5, 0.5)
    seen = (DATA.arm == at) & SEEN
    assert (relapse.value[seen] <= DATA.since_randomisation("week2")[seen]).all()
    assert (relapse.value >= 0).all()


def test_a_patient_not_seen_has_no_value():
    assert np.isnan(DATA.measure("remission").value[~SEEN]).all()
    assert not np.isnan(DATA.measure("panic").value).any()


def test_a_scenario_must_tell_every_measure():
    protocol = edited(measures=[{"name": "remission", "kind": "binary", "visit": "week2"}])
    with pytest.raises(eq.InputError, match=r"measures\.remission\.probability"):
        virtual_trial(protocol, Truth.of(protocol, "no-effect"), Draws.of(1, "x", [0]), 10)


def test_measures_change_no_earlier_draw():
    plain = eq.gallery("ptsd-ketamine")
    one = virtual_trial(plain, Truth.of(plain, "no-effect"), Draws.of(3, "x", [0]), 30)
    two = virtual_trial(PROTOCOL, Truth.of(PROTOCOL, "no-effect"), Draws.of(3, "x", [0]), 30)
    np.testing.assert_array_equal(one.scores, two.scores)
    np.testing.assert_array_equal(one.events.day, two.events.day)


def test_what_was_known_of_measures_on_a_day():
    day = 400.0
    known = DATA.known_at(day)
    relapse, under = known.measure("relapse"), day - known.randomised
    assert (relapse.value <= under).all()
    whole = DATA.only(DATA.randomised <= day).measure("relapse")
    np.testing.assert_array_equal(relapse.observed, whole.observed & (whole.value <= under))
    remission = known.measure("remission")
    later = known.randomised + 14 > day + 2
    assert np.isnan(remission.value[later]).all()
    assert np.isnan(known.subscale("B", "week2")[later]).all()
    assert (known.measure("panic").known[~np.isnan(known.measure("panic").value)] <= day).all()


TRUTH = Truth.of(PROTOCOL, "no-effect")


def drawn(name, trials, patients, until=14.0, truth=TRUTH, **given):
    """A measure of trials in which everybody enters on day 0 and is followed for so long, and the arms."""
    arm = np.tile(np.arange(patients) % 2, (len(trials), 1))
    day = np.zeros(arm.shape)
    draws = Draws.of(2, "measures", trials)
    return draw_measure(draws, PROTOCOL.measure(name), truth, arm, day, day + 14, day + until, **given), arm


def told(name, field, arm):
    return np.array([TRUTHS[of][name].get(field, 1.0) for of in PROTOCOL.arm_names])[arm]


@pytest.mark.parametrize("dispersion", [0.0, 1e-14, 0.2, 0.9, 1.0, 3.0])
@pytest.mark.parametrize("mean", [0.0, 1e-3, 0.4, 3.0, 60.0, 590.0, 610.0, 5000.0, 200_000.0])
def test_counts_are_quantiles_of_their_distribution(mean, dispersion):
    from scipy.stats import nbinom, poisson

    from equipoise.patients.count_kernel import counts_of

    uniform = np.concatenate([np.linspace(1e-9, 1 - 1e-9, 500), [1e-300, 2.0**-53, 1 - 2.0**-53]])[None]
    counts = uniform.copy()
    counts_of(counts, np.full(uniform.shape, mean), np.full(uniform.shape, dispersion))
    law = nbinom(1 / dispersion, 1 / (1 + dispersion * mean)) if dispersion > 1e-6 else poisson(mean)
    assert (np.diff(counts[0, :500]) >= 0).all()
    assert (law.cdf(counts) >= uniform - 1e-9).all()
    assert (law.cdf(counts - 1) <= uniform + 1e-9).all()


def test_a_count_is_never_endless():
    table = {name: law | {"panic": {"rate": 1e9}} for name, law in TRUTHS.items()}
    protocol = with_measures()
    scenarios = protocol.model_dump()["scenarios"]
    for scenario in scenarios.values():
        for arm in scenario["arms"]:
            scenario["arms"][arm]["measures"] = table[arm]
    truth = Truth.of(with_measures(scenarios=scenarios), "no-effect")
    with pytest.raises(
        eq.InputError, match=r"measures\.panic\.rate is 1000000000\.0; expected at most a million events"
    ):
        drawn("panic", [0], 4, truth=truth)


def test_every_value_is_the_quantile_of_the_patients_number():
    from scipy.stats import norm, weibull_min

    trials, patients = np.array([3, 8]), 500
    draws = Draws.of(2, "measures", trials)

    def uniform(name):
        return draws.uniform(f"measure: {name}", patients)

    relapse, arm = drawn("relapse", trials, patients)
    shape = told("relapse", "shape", arm)
    scale = told("relapse", "median_days", arm) / math.log(2) ** (1 / shape)
    time = np.ceil(weibull_min.ppf(uniform("relapse"), shape, scale=scale))
    np.testing.assert_array_equal(relapse.value, np.minimum(time, 14))
    np.testing.assert_array_equal(relapse.observed, time <= 14)
    pressure, _ = drawn("pressure", trials, patients)
    exact = norm.ppf(uniform("pressure"), told("pressure", "mean", arm), told("pressure", "sd", arm))
    np.testing.assert_allclose(pressure.value, exact, rtol=1e-13)
    remission, _ = drawn("remission", trials, patients)
    np.testing.assert_array_equal(remission.value, uniform("remission") < told("remission", "probability", arm))
    cgi, _ = drawn("cgi", trials, patients)
    edges = np.cumsum([TRUTHS[name]["cgi"]["shares"] for name in PROTOCOL.arm_names], axis=1)[arm]
    np.testing.assert_array_equal(cgi.value, (uniform("cgi")[:, :, None] >= edges[:, :, :-1]).sum(axis=2))


@pytest.mark.parametrize("name", ["remission", "cgi", "panic", "pressure", "relapse", "own-guess"])
def test_a_value_depends_on_trial_and_patient_only(name):
    many, _ = drawn(name, np.arange(5), 30)
    alone, _ = drawn(name, [3], 20)
    np.testing.assert_array_equal(alone.value[0], many.value[3, :20])


def test_values_drawn_elsewhere_are_taken():
    belief = np.array([[1.0, 0.0, -1.0]])
    seen = np.array([[14.0, np.nan, 14.0]])
    draws, day = Draws.of(1, "x", [0]), np.zeros((1, 3))
    truth = Truth.of(edited(), "no-effect")
    arm = np.array([[0, 1, 0]])
    found = draw_measure(draws, PROTOCOL.measure("own-guess"), truth, arm, day, seen, day + 14, value=belief)
    np.testing.assert_array_equal(found.value, [[1.0, np.nan, -1.0]])
    np.testing.assert_array_equal(found.known, seen)
