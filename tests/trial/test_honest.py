"""Every endpoint of a trial as observed and as corrected for its stop."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

import equipoise as eq
from equipoise import Scale
from equipoise.endpoints.binary.number_needed_to_treat import number_needed_to_treat
from equipoise.endpoints.influence import endpoint_correlations
from equipoise.sequential import secondary_estimates
from equipoise.trial.honest import honest_table
from protocols import edited

KETAMINE = eq.gallery("ptsd-ketamine")
STOPPED = eq.run(KETAMINE, seed=20)  # z 2.77 at look 1 of 2
WENT_ON = eq.run(KETAMINE, seed=10)  # efficacy at look 2


def table_of(result):
    found = result.honest
    assert found is not None
    return found


@pytest.mark.parametrize("result", [STOPPED, WENT_ON])
def test_the_primary_is_what_the_conclusion_says(result):
    primary, conclusion = table_of(result).primary, result.conclusion
    assert primary.observed is conclusion.observed
    assert primary.value("bias-adjusted") == pytest.approx(conclusion.bias_adjusted, abs=1e-9)
    assert primary.value("median-unbiased") == pytest.approx(conclusion.median_unbiased, abs=1e-9)
    interval = primary.interval("median-unbiased")
    assert (interval.lower, interval.upper) == pytest.approx(
        (conclusion.interval.lower, conclusion.interval.upper), abs=1e-9
    )
    given = {row.estimator: row for row in conclusion.estimates().rows}["conditional median-unbiased, given look"]
    assert primary.value("given the stop") == pytest.approx(given.effect, rel=1e-7)


def test_other_endpoints_go_with_the_primary_as_far_as_their_patients_do():
    table = table_of(STOPPED)
    correlations = endpoint_correlations(KETAMINE, STOPPED.data, STOPPED.followed, [row.name for row in table.rows])
    for row in table.rows[1:]:
        assert row.correlation == correlations.of("caps5-week2", row.name)
        if row.endpoint == "response":
            continue
        alone = secondary_estimates(STOPPED.conclusion, row.observed, row.correlation)
        assert row.value("given the stop") == float(alone.given_look.estimate)
        assert row.value("bias-adjusted") == float(alone.bias_adjusted)
    assert {row.name for row in table.rows} == {
        "caps5-week2", "response", "loss-of-response", "blinding", "clusters",
        "clusters: B", "clusters: C", "clusters: D", "clusters: E",
    }  # fmt: skip


def test_a_stop_flatters_what_goes_with_the_primary_and_a_late_end_does_not():
    for row in table_of(STOPPED).rows:
        shift = row.value("given the stop") - row.observed.effect
        worse = shift if row.observed.better == "lower" else -shift
        along = row.correlation if row.observed.better == "lower" else -row.correlation
        assert np.sign(worse) == np.sign(along), row.name
        assert np.sign(row.inflation) == np.sign(along), row.name


def test_responders_are_read_by_newcombe_and_their_number_needed_to_treat_follows():
    row = table_of(STOPPED).row("response")
    found = next(item for item in STOPPED.secondary if item.name == "response")
    observed = row.interval("as observed")
    assert (observed.lower, observed.upper) == pytest.approx(
        (found.comparisons[0].interval.lower, found.comparisons[0].interval.upper), abs=1e-12
    )
    assert row.number_needed_to_treat("as observed").nnt == pytest.approx(found.number_needed_to_treat.nnt, rel=1e-9)
    for which in ("bias-adjusted", "given the stop"):
        needed = row.number_needed_to_treat(which)
        assert needed.nnt == pytest.approx(1 / row.value(which), rel=1e-12)
    given = row.interval("given the stop")
    assert str(row.number_needed_to_treat("given the stop")) == str(
        number_needed_to_treat(row.value("given the stop"), given)
    )
    assert -1 <= given.lower < observed.lower
    assert table_of(STOPPED).row("blinding").number_needed_to_treat("as observed") is None


def test_where_there_is_nothing_to_correct():
    once = edited(stopping__patients=[40])
    assert eq.run(once, seed=2).honest is None
    data = eq.run(KETAMINE, seed=10).data
    on = eq.analyse(KETAMINE, data.only(np.arange(len(data)) < 34), look=1)
    if on.conclusion is not None and not on.conclusion.decision.stops:
        assert on.honest is None
        assert honest_table(on) is None


def test_an_endpoint_without_a_correlation_is_left_as_observed_and_says_why():
    few = edited(stopping__patients=[5, 8], sample_size={"patients": 8, "scenario": "as-published"})
    found = table_of(eq.run(few, seed=5)).row("response")
    assert found is not None
    assert found.estimates is None
    assert math.isnan(found.correlation)
    assert math.isnan(found.inflation)
    assert found.interval("given the stop") is None
    assert found.number_needed_to_treat("given the stop") is None
    assert found.to_dict()["reason_not_corrected"] == found.reason == "no patient moves the estimate"


def test_the_table_is_in_the_result_and_is_json():
    held = json.loads(STOPPED.to_json())["honest"]
    assert [entry["name"] for entry in held] == [row.name for row in table_of(STOPPED).rows]
    assert held[0]["given_the_stop"]["effect"] == pytest.approx(-6.2, abs=0.05)
    assert held[1]["given_the_stop"]["number_needed_to_treat"]["contains_infinity"] is True
    assert json.loads(eq.run(KETAMINE, seed=20).to_json())["honest"] == held


def test_effects_of_every_scale_are_corrected():
    result = eq.run(eq.gallery("relapse-after-treatment"), seed=3)
    if result.honest is not None:
        assert result.honest.primary.observed.scale in tuple(Scale)


def test_a_look_that_failed_is_one_that_was_not_taken():
    few = edited(stopping__patients=[6, 12], sample_size={"patients": 12, "scenario": "as-published"})
    result = eq.run(few, seed=10)
    assert result.looks[0].estimate is None
    assert result.conclusion.look == 2
    assert table_of(result).primary.value("bias-adjusted") == pytest.approx(result.conclusion.bias_adjusted, rel=1e-9)
