import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from equipoise.endpoints.binary.number_needed_to_treat import number_needed_to_treat
from equipoise.endpoints.binary.proportions import risk_difference
from equipoise.endpoints.binary.score import score_interval
from equipoise.errors import InputError
from equipoise.estimate import Interval
from reference_values import reference_cases

CASES = [case for case in reference_cases("binary") if case["inputs"]["method"] == "two_by_two"]
TABLES = [pytest.param(case["inputs"], case["expected"]["nnt"], id=case["id"]) for case in CASES]


@pytest.mark.parametrize("method", ["from_newcombe", "from_wald", "from_miettinen_nurminen"])
@pytest.mark.parametrize(("inputs", "expected"), TABLES)
def test_agrees_with_r(inputs, expected, method):
    level, reference = inputs["confidence_level"], expected[method]
    table = inputs["events1"], inputs["n1"], inputs["events2"], inputs["n2"]
    difference = risk_difference(*table, level)
    interval = {
        "from_newcombe": lambda: difference.interval,
        "from_wald": lambda: difference.estimate().interval(level),
        "from_miettinen_nurminen": lambda: score_interval(*table, level),
    }[method]()
    number = number_needed_to_treat(difference.effect, interval)
    assert number.level == level
    assert number.contains_infinity == reference["interval_contains_infinity"]
    if reference["nnt"] is None:
        assert number.direction == "none"
        assert math.isinf(number.nnt)
    else:
        assert number.nnt == pytest.approx(reference["nnt"], rel=1e-9)
        assert number.direction == {"group1_higher": "benefit", "group1_lower": "harm"}[reference["direction"]]
    keys = ("bound_group1_higher", "bound_group1_lower") if number.contains_infinity else ("ci_lower", "ci_upper")
    assert number.lower == pytest.approx(reference[keys[0]], rel=1e-9)
    assert number.upper == pytest.approx(reference[keys[1]], rel=1e-9)


@st.composite
def differences(draw):
    low, middle, high = sorted(draw(st.tuples(*[st.floats(-1, 1, allow_subnormal=False)] * 3)))
    return middle, Interval(low, high)


@given(differences())
def test_reciprocal_of_the_difference_and_mirrored_by_the_direction_that_is_better(given_difference):
    difference, interval = given_difference
    number = number_needed_to_treat(difference, interval)
    assert number.nnt >= 1
    assert number.lower >= 1
    assert number.upper >= 1
    if difference:
        assert (1 if number.direction == "benefit" else -1) / number.nnt == pytest.approx(difference, rel=1e-12)
    if number.contains_infinity:
        assert 1 / number.lower == pytest.approx(interval.upper, rel=1e-12)
        assert -1 / number.upper == pytest.approx(interval.lower, rel=1e-12)
    else:
        assert number.lower <= number.nnt * (1 + 1e-12)
        assert number.nnt <= number.upper * (1 + 1e-12)
    mirrored = number_needed_to_treat(-difference, Interval(-interval.upper, -interval.lower), better="lower")
    assert mirrored == number
    json.dumps(number.to_dict(), allow_nan=False)
    assert "nan" not in str(number)
    assert "inf" not in str(number)


@pytest.mark.parametrize(
    ("difference", "limits", "better", "text"),
    [
        (0.2, (0.05, 0.4), "higher", "NNTB 5.0 (2.5 to 20.0)"),
        (0.2, (0.05, 0.4), "lower", "NNTH 5.0 (2.5 to 20.0)"),
        (1 / 4.1, (-1 / 12.3, 1 / 1.9), "higher", "NNTB 4.1 (NNTB 1.9 to ∞ to NNTH 12.3)"),
        (1 / 4.1, (-1 / 12.3, 1 / 1.9), "lower", "NNTH 4.1 (NNTB 12.3 to ∞ to NNTH 1.9)"),
        (0.0, (-0.1, 0.1), "higher", "NNT ∞ (NNTB 10.0 to ∞ to NNTH 10.0)"),
        (0.1, (0.0, 0.25), "higher", "NNTB 10.0 (NNTB 4.0 to ∞)"),
        (-0.1, (-0.25, 0.0), "higher", "NNTH 10.0 (∞ to NNTH 4.0)"),
        (0.9, (0.7, 1.2), "higher", "NNTB 1.1 (1.0 to 1.4)"),
    ],
)
def test_it_prints_as_altman_and_bender_write_it(difference, limits, better, text):
    assert str(number_needed_to_treat(difference, Interval(*limits), better)) == text


def test_infinite_numbers_are_null_in_json():
    record = number_needed_to_treat(0.0, Interval(0.0, 0.5)).to_dict()
    assert record == {
        "nnt": None,
        "direction": "none",
        "lower": 2.0,
        "upper": None,
        "contains_infinity": True,
        "level": 0.95,
        "text": "NNT ∞ (NNTB 2.0 to ∞)",
    }


@pytest.mark.parametrize(
    ("difference", "limits", "better", "field"),
    [
        (1.5, (0, 2), "higher", "risk_difference"),
        (math.nan, (0, 1), "higher", "risk_difference"),
        (0.3, (0.4, 0.5), "higher", "interval"),
        (0.3, (0.1, 0.5), "more", "better"),
    ],
)
def test_what_cannot_be_used(difference, limits, better, field):
    with pytest.raises(InputError) as caught:
        number_needed_to_treat(difference, Interval(*limits), better)
    assert caught.value.field == field
