import dataclasses
import json
import math
import re

import numpy as np
import pytest

from equipoise import InputError
from equipoise.estimate import Scale
from equipoise.sequential import Decision
from equipoise.simulation.characteristics import OperatingCharacteristics
from equipoise.simulation.context import Context
from equipoise.simulation.rates import Rate
from equipoise.simulation.rows import ChunkRows
from equipoise.simulation.tally import Tally
from made_up_trials import chunk, context

CONTEXT = context()
ROWS = ChunkRows.concatenated([chunk(first, 100, CONTEXT) for first in range(0, 500, 100)])
ENDS = ROWS.ends


def _of(rows=ROWS, of=CONTEXT, planned=500, **more):
    return OperatingCharacteristics(of, Tally(of).add(rows), 3, of.scenario, planned, **more)


FOUND = _of(rows=ROWS)


def _is(*decisions):
    return np.isin(ENDS["decision"], [list(Decision).index(item) for item in decisions])


def test_shares_are_those_of_the_rows():
    assert FOUND.power == Rate.of(_is(Decision.EFFICACY))
    assert FOUND.rejection == Rate.of(_is(Decision.EFFICACY, Decision.HARM))
    assert FOUND.stopping == tuple(Rate.of(ENDS["look"] == look) for look in (1, 2))
    reasons = FOUND.stopping_by_reason
    assert reasons["futility"] == tuple(Rate.of((ENDS["look"] == look) & _is(Decision.FUTILITY)) for look in (1, 2))
    assert sum(rate.hits for rates in reasons.values() for rate in rates) == FOUND.trials == 500
    assert FOUND.type_one_error is None


def test_means_are_those_of_the_rows():
    known = ENDS["effect"][~np.isnan(ENDS["effect"])]
    assert FOUND.mean_effect == pytest.approx(known.mean(), rel=1e-12)
    at = ENDS["effect"][_is(Decision.EFFICACY) & (ENDS["look"] == 1)]
    assert FOUND.mean_effect_at(1) == pytest.approx(at[~np.isnan(at)].mean(), rel=1e-12)
    assert FOUND.expected_patients == pytest.approx(ENDS["randomised"].mean(), rel=1e-14)
    assert FOUND.missing.value == pytest.approx((1 - ENDS["observed"] / ENDS["due"]).mean(), rel=1e-12)
    days = ROWS.looks["day"][ROWS.looks["look"] == 1]
    assert FOUND.look_day(1).mean.value == pytest.approx(days.mean(), rel=1e-14)
    assert FOUND.failures == ENDS["failures"].sum()
    assert list(FOUND.failure_reasons.values()) == sorted(ROWS.failures.values(), reverse=True)
    assert FOUND.corrected


def test_number_needed_to_treat():
    efficacy = _is(Decision.EFFICACY)
    difference = ENDS["response.effect"][efficacy]
    difference = difference[~np.isnan(difference)]
    for value in (1, 1.5, 2, 2.4, 3, 7, 1000):
        with np.errstate(divide="ignore"):
            wanted = (difference > 0) & (1 / difference <= value)
        assert FOUND.probability_nnt_at_most(value) == Rate(int(wanted.sum()), len(difference))
    first = FOUND.probability_nnt_at_most(3, "response", look=1)
    second = FOUND.probability_nnt_at_most(3, "response", look=2)
    assert first.trials + second.trials == len(difference)
    for bad in (0.5, 1001, math.nan):
        with pytest.raises(InputError, match="between 1 and 1,000"):
            FOUND.probability_nnt_at_most(bad)
    with pytest.raises(InputError, match="difference in risk: response"):
        FOUND.probability_nnt_at_most(3, "adverse-events")


def test_number_needed_to_treat_of_fractions_that_floats_only_near():
    ends = {name: values[:2] for name, values in ENDS.items()}
    looks = {name: values[ROWS.looks["trial"] < 2] for name, values in ROWS.looks.items()}
    won = np.zeros(2, dtype=np.int8)
    ends |= {"decision": won, "response.effect": np.array([8 / 15 - 1 / 3, 0.7 - 0.6])}
    found = _of(ChunkRows.of(looks, ends))
    assert found.probability_nnt_at_most(5).hits == 1
    assert found.probability_nnt_at_most(4.9).hits == 0
    assert found.probability_nnt_at_most(10).hits == 2
    assert found.probability_nnt_at_most(9.9).hits == 1


def test_without_an_effect_rejections_are_errors_and_nothing_is_exaggerated():
    of = context("no-effect")
    found = _of(chunk(0, 100, of), of, 100)
    assert of.no_effect
    assert found.type_one_error == found.rejection
    assert math.isnan(found.given_efficacy.exaggeration.value)
    assert found.estimates().wrong_sign.trials == 0
    assert "type I error" in str(found)
    assert "type I error" not in str(FOUND)


def test_it_says_how_far_it_came():
    partial = _of(planned=2000)
    assert not partial.complete
    assert FOUND.complete
    assert "500 of 2,000 virtual trials" in str(partial)
    assert partial.to_dict()["complete"] is False
    assert (partial.to_dict()["trials"], partial.to_dict()["planned_trials"]) == (500, 2000)
    nothing = OperatingCharacteristics(CONTEXT, Tally(CONTEXT), 3, "as-published", 10)
    assert "0 of 10" in str(nothing)


def test_json_holds_it_and_names_what_it_is_of():
    held = json.loads(json.dumps(FOUND.to_dict(), allow_nan=False))
    assert held["protocol_hash"] == CONTEXT.plan.protocol.hash
    assert (held["seed"], held["stream"], held["scenario"]) == (3, "as-published", "as-published")
    assert held["power"]["monte_carlo_standard_error"] == pytest.approx(FOUND.power.standard_error)
    assert held["estimates"]["observed"]["given_efficacy_at_look"][0]["mean"]["value"] == FOUND.mean_effect_at(1)
    assert held["secondary_endpoints"]["response"]["scale"] == "risk difference"
    assert "coverage" not in held["estimates"]["bias_adjusted"]["all_trials"]
    assert len(held["z_quantiles_by_look"]["50"]) == 2


def test_printed_numbers_are_on_the_scale_people_read():
    text = str(FOUND)
    assert "truth −11.88" in text
    assert re.search(r"^response +risk difference, %", text, re.MULTILINE)
    ratio = dataclasses.replace(CONTEXT.primary, truth=math.log(0.5), scale=Scale.LOG_HAZARD_RATIO)
    of = Context(CONTEXT.plan, CONTEXT.scenario, ratio)
    ends = ENDS | {"effect": np.full(500, math.log(0.6))}
    text = str(_of(ChunkRows(ROWS.looks, ends), of))
    assert "hazard ratio; truth 0.50" in text
    assert "0.60" in text
    assert "×1.20" in text
    assert all(len(line) <= 170 for line in text.splitlines())


def test_trials_without_any_estimate_print_and_go_to_json():
    ends = {name: np.full(500, np.nan) if values.dtype.kind == "f" else values for name, values in ENDS.items()}
    looks = ROWS.looks | {"z": np.full(len(ROWS.looks["z"]), np.nan)}
    found = _of(ChunkRows(looks, ends))
    assert np.isnan(found.mean_effect)
    assert not found.corrected
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["mean_observed_effect"] is None
    assert "–" in str(found)
    assert np.isnan(found.z_quantiles()).all()


def test_rows_are_given_where_they_were_kept():
    kept = _of(rows=ROWS)
    with pytest.raises(InputError, match="a folder"):
        kept.to_frame()
    frame = dataclasses.replace(kept, rows=ROWS).to_frame()
    assert frame["trial"].to_list() == list(range(500))
    assert frame["decision"][0] == list(Decision)[ENDS["decision"][0]].value


def test_histogram_of_the_estimates_by_stopping_look():
    edges, all_counts = FOUND.effect_histogram()
    counts = [FOUND.effect_histogram(look=look)[1] for look in (1, 2)]
    np.testing.assert_array_equal(counts[0] + counts[1], all_counts)
    known = ENDS["effect"][~np.isnan(ENDS["effect"])]
    assert all_counts.sum() == ((known >= edges[0]) & (known < edges[-1])).sum()
    middle = (edges[:-1] + edges[1:]) / 2
    assert middle @ all_counts / all_counts.sum() == pytest.approx(known.mean(), abs=edges[1] - edges[0])
    with pytest.raises(InputError, match="median_unbiased"):
        FOUND.effect_histogram("best")
