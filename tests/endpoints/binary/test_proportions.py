import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from equipoise.endpoints.binary.proportions import (
    newcombe_limits,
    odds_ratio,
    risk_difference,
    risk_ratio,
    wilson_interval,
    wilson_limits,
)
from equipoise.errors import InputError
from equipoise.estimate import Scale
from published_values import NEWCOMBE_1998_TABLE_2
from reference_values import reference_cases

CASES = [case for case in reference_cases("binary") if case["inputs"]["method"] == "two_by_two"]
TABLES = [pytest.param(case["inputs"], case["expected"], id=case["id"]) for case in CASES]
EXACT = {"rel": 1e-9, "abs": 1e-12}


@st.composite
def proportions(draw):
    total = draw(st.integers(1, 500))
    return draw(st.integers(0, total)), total


def counts(inputs):
    return inputs["events1"], inputs["n1"], inputs["events2"], inputs["n2"]


@pytest.mark.parametrize(("inputs", "expected"), TABLES)
def test_wilson_interval_of_each_group_agrees_with_r(inputs, expected):
    for group in ("1", "2"):
        interval = wilson_interval(inputs["events" + group], inputs["n" + group], inputs["confidence_level"])
        reference = expected["proportion" + group]["wilson"]
        assert interval.lower == pytest.approx(reference["lower"], **EXACT)
        assert interval.upper == pytest.approx(reference["upper"], **EXACT)


@pytest.mark.parametrize(("inputs", "expected"), TABLES)
def test_risk_difference_agrees_with_r(inputs, expected):
    difference = risk_difference(*counts(inputs), inputs["confidence_level"])
    reference = expected["risk_difference"]
    assert difference.effect == pytest.approx(reference["estimate"], **EXACT)
    assert difference.standard_error == pytest.approx(reference["wald_se"], **EXACT)
    assert difference.interval.lower == pytest.approx(reference["newcombe_hybrid_score"]["lower"], **EXACT)
    assert difference.interval.upper == pytest.approx(reference["newcombe_hybrid_score"]["upper"], **EXACT)
    wald = difference.estimate().interval(inputs["confidence_level"])
    assert wald.lower == pytest.approx(reference["wald"]["lower"], **EXACT)
    assert wald.upper == pytest.approx(reference["wald"]["upper"], **EXACT)


@pytest.mark.parametrize(
    ("measure", "name", "scale"),
    [(risk_ratio, "risk_ratio", Scale.LOG_RISK_RATIO), (odds_ratio, "odds_ratio", Scale.LOG_ODDS_RATIO)],
)
@pytest.mark.parametrize(("inputs", "expected"), [table for table in TABLES if table.values[1].get("odds_ratio")])
def test_ratios_agree_with_r(inputs, expected, measure, name, scale):
    estimate, reference = measure(*counts(inputs)), expected[name]
    assert estimate.scale == scale
    assert math.exp(estimate.effect) == pytest.approx(reference["estimate"], **EXACT)
    assert estimate.standard_error == pytest.approx(reference["log_se"], **EXACT)
    interval = estimate.interval(inputs["confidence_level"])
    assert math.exp(interval.lower) == pytest.approx(reference["wald_log"]["lower"], **EXACT)
    assert math.exp(interval.upper) == pytest.approx(reference["wald_log"]["upper"], **EXACT)


@pytest.mark.parametrize(
    ("table", "lower", "upper"),
    NEWCOMBE_1998_TABLE_2,
)
def test_the_eight_contrasts_printed_by_newcombe_1998_table_2(table, lower, upper):
    interval = risk_difference(*table).interval
    assert interval.lower == pytest.approx(lower, abs=5.001e-5)
    assert interval.upper == pytest.approx(upper, abs=5.001e-5)


@given(proportions(), st.floats(0.5, 0.999))
def test_wilson_limits_are_the_roots_of_the_score_equation(group, level):
    from scipy.special import ndtri

    events, total = group
    interval = wilson_interval(events, total, level)
    risk = events / total
    assert 0 <= interval.lower <= risk + 1e-15
    assert risk - 1e-15 <= interval.upper <= 1
    for limit in (interval.lower, interval.upper):
        if 0 < limit < 1:
            z = (risk - limit) / math.sqrt(limit * (1 - limit) / total)
            assert abs(z) == pytest.approx(-ndtri((1 - level) / 2), rel=1e-8)
    mirrored = wilson_interval(total - events, total, level)
    assert mirrored.lower == pytest.approx(1 - interval.upper, abs=1e-15)


def test_wilson_keeps_its_digits_for_a_rare_event():
    lower = wilson_interval(1, 10**12).lower
    z2 = 1.959963984540054**2
    assert lower * 1e12 == pytest.approx(2 / (2 + z2 + math.sqrt(z2 * (z2 + 4))), rel=1e-11)


@given(proportions(), proportions(), st.floats(0.5, 0.999))
def test_newcombe_stays_within_one_and_swapping_groups_mirrors_it(first, second, level):
    forward, backward = risk_difference(*first, *second, level), risk_difference(*second, *first, level)
    assert -1 <= forward.interval.lower <= forward.effect <= forward.interval.upper <= 1
    assert backward.effect == -forward.effect
    assert backward.interval.lower == pytest.approx(-forward.interval.upper, abs=1e-15)
    assert backward.interval.upper == pytest.approx(-forward.interval.lower, abs=1e-15)
    assert backward.standard_error == pytest.approx(forward.standard_error, rel=1e-14)


@given(proportions(), proportions())
def test_swapping_groups_or_outcome_mirrors_the_ratios(first, second):
    (events1, total1), (events2, total2) = first, second
    if 0 in (events1, events2, total1 - events1, total2 - events2):
        return
    for measure in (risk_ratio, odds_ratio):
        assert measure(*second, *first).effect == pytest.approx(-measure(*first, *second).effect, abs=1e-12)
    failures = odds_ratio(total1 - events1, total1, total2 - events2, total2)
    assert failures.effect == pytest.approx(-odds_ratio(*first, *second).effect, abs=1e-12)


def test_arrays_give_what_single_tables_give():
    tables = np.array([counts(case["inputs"]) for case in CASES])
    lower, upper = newcombe_limits(*tables.T, level=0.9)
    singly = [risk_difference(*table, 0.9).interval for table in tables.tolist()]
    np.testing.assert_array_equal(lower, [interval.lower for interval in singly])
    np.testing.assert_array_equal(upper, [interval.upper for interval in singly])


def test_exact_coverage_of_wilson_and_newcombe_is_near_its_level():
    """Coverage by enumeration of all tables, averaged over 400 pairs of risks."""
    from scipy.stats import binom

    size1, size2 = 30, 40
    events1, events2 = np.arange(size1 + 1), np.arange(size2 + 1)
    low, high = newcombe_limits(events1[:, None], size1, events2[None, :], size2)
    wilson_low, wilson_high = wilson_limits(events1, size1)
    risks = (np.arange(20) + 0.5) / 20 + 0.003
    one = binom.pmf(events1[:, None], size1, risks)
    two = binom.pmf(events2[:, None], size2, risks)
    wilson = [one[(wilson_low <= risk) & (risk <= wilson_high), index].sum() for index, risk in enumerate(risks)]
    newcombe = [
        one[:, i] @ ((low <= p - q) & (p - q <= high)) @ two[:, j]
        for i, p in enumerate(risks)
        for j, q in enumerate(risks)
    ]
    assert np.mean(wilson) == pytest.approx(0.95, abs=0.005)
    assert np.mean(newcombe) == pytest.approx(0.95, abs=0.005)
    assert min(newcombe) > 0.90


def test_no_variation_leaves_the_interval_but_no_estimate():
    difference = risk_difference(0, 20, 0, 25)
    assert difference.effect == 0
    assert difference.standard_error == 0
    assert difference.interval.lower < 0 < difference.interval.upper
    with pytest.raises(InputError, match="some but not all"):
        difference.estimate()
    with pytest.raises(InputError, match="at least one event in each group"):
        risk_ratio(0, 20, 3, 25)
    with pytest.raises(InputError, match="without the event"):
        risk_ratio(20, 20, 25, 25)
    with pytest.raises(InputError, match="with and without"):
        odds_ratio(20, 20, 15, 20)


@pytest.mark.parametrize(
    ("table", "field"),
    [
        ((5, 4, 1, 10), "events1"),
        ((-1, 4, 1, 10), "events1"),
        ((1, 4, 1.5, 10), "events2"),
        ((1, 4, 0, 0), "total2"),
        ((1, 4, 0, math.nan), "total2"),
        ((math.nan, 4, 0, 3), "events1"),
        (("one", 4, 0, 3), "events1"),
        (([1, 2], 4, 0, 3), "events1"),
    ],
)
def test_counts_that_cannot_be(table, field):
    for measure in (risk_difference, risk_ratio, odds_ratio):
        with pytest.raises(InputError) as caught:
            measure(*table)
        assert caught.value.field.startswith(field)


@pytest.mark.parametrize("level", [0, 1, 95, math.nan])
def test_levels_outside_zero_to_one(level):
    with pytest.raises(InputError, match="confidence level"):
        risk_difference(1, 4, 2, 5, level)
    with pytest.raises(InputError, match="confidence level"):
        wilson_interval(1, 4, level)


def test_it_prints_as_a_sentence():
    assert str(risk_difference(56, 70, 48, 80)) == (
        "risk difference 0.2 (95% interval 0.05243 to 0.3339): 56/70 (80.0%) against 48/80 (60.0%)"
    )
    assert risk_difference(1, 4, 2, 5).estimate(better="lower", label="relapse").favourable_z > 0
