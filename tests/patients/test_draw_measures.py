"""Measures and clusters of virtual patients follow the law that the scenario tells."""

import math

import numpy as np
import pytest

import equipoise as eq
from equipoise.patients import Truth, draw_clusters
from equipoise.protocol import scales
from equipoise.simulation import generator_for, virtual_trial
from protocols import TRUTHS, edited, with_measures

PROTOCOL = with_measures([{"name": "clusters", "type": "clusters", "visit": "week2"}])
PATIENTS = 20_000
DATA = virtual_trial(PROTOCOL, Truth.of(PROTOCOL, "no-effect"), generator_for(3, "no-effect", 0), PATIENTS)
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


def test_clusters_share_the_total():
    scale = scales()["CAPS-5"]
    total = sum(DATA.subscales.values())
    np.testing.assert_array_equal(total, DATA.scores)
    for name, values in DATA.subscales.items():
        low, high = scale.subscale_range(name)
        seen = values[~np.isnan(values)]
        assert seen.min() >= low
        assert seen.max() <= high
        share = len(scale.subscales[name].items) / scale.items
        assert np.nanmean(values) == pytest.approx(share * np.nanmean(DATA.scores), rel=0.01)


def test_clusters_need_a_scale_made_of_them():
    with pytest.raises(eq.InputError, match="clusters hold each item once"):
        draw_clusters(np.random.default_rng(1), scales()["MADRS"], np.zeros((2, 2)))


def test_a_scenario_must_tell_every_measure():
    protocol = edited(measures=[{"name": "remission", "kind": "binary", "visit": "week2"}])
    with pytest.raises(eq.InputError, match=r"measures\.remission\.probability"):
        virtual_trial(protocol, Truth.of(protocol, "no-effect"), generator_for(1, "x", 0), 10)


def test_measures_change_no_earlier_draw():
    plain = eq.gallery("ptsd-ketamine")
    one = virtual_trial(plain, Truth.of(plain, "no-effect"), generator_for(3, "x", 0), 30)
    two = virtual_trial(PROTOCOL, Truth.of(PROTOCOL, "no-effect"), generator_for(3, "x", 0), 30)
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
