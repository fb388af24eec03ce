"""Score tests and limits of a difference, a ratio and an odds ratio."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise.endpoints.binary.score import score_interval, score_limits, score_z
from equipoise.errors import InputError
from reference_values import reference_cases

CASES = [case for case in reference_cases("binary") if case["inputs"]["method"] == "two_by_two"]
TABLES = [pytest.param(case["inputs"], case["expected"], id=case["id"]) for case in CASES]
AT_MARGINS = [case for case in reference_cases("binary") if case["inputs"]["method"] == "score_test_risk_difference"]
KEYS = {"difference": "risk_difference", "ratio": "risk_ratio", "odds ratio": "odds_ratio"}
MEASURES = tuple(KEYS)
EXACT = {"rel": 1e-12, "abs": 1e-13}


@st.composite
def tables(draw, largest=200):
    found = []
    for _ in range(2):
        total = draw(st.integers(1, largest))
        found += [draw(st.sampled_from([0, total]) | st.integers(0, total)), total]
    return tuple(found)


def counts(inputs):
    return inputs["events1"], inputs["n1"], inputs["events2"], inputs["n2"]


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize(("inputs", "expected"), TABLES)
def test_limits_agree_with_the_reference(inputs, expected, measure):
    reference = expected.get(KEYS[measure], {})
    for corrected, key in ((True, "miettinen_nurminen"), (False, "mee_score_without_correction")):
        if key not in reference:
            continue
        interval = score_interval(*counts(inputs), inputs["confidence_level"], measure, corrected)
        assert interval.lower == pytest.approx(reference[key]["lower"], **EXACT)
        assert interval.upper == pytest.approx(reference[key]["upper"], **EXACT)


@pytest.mark.parametrize(("inputs", "expected"), TABLES)
def test_limits_agree_with_other_programs_as_far_as_these_go(inputs, expected):
    interval = score_interval(*counts(inputs), inputs["confidence_level"])
    found, check = [interval.lower, interval.upper], expected["verification"]
    assert found == pytest.approx(check["ratesci_miettinen_nurminen"], abs=2e-10)
    assert found == pytest.approx(check["gsdesign_miettinen_nurminen"], abs=5e-5)


@pytest.mark.parametrize(("inputs", "expected"), TABLES)
def test_z_at_no_effect_agrees_with_the_reference(inputs, expected):
    assert float(score_z(*counts(inputs))) == pytest.approx(expected["score_test_z_miettinen_nurminen"], **EXACT)
    assert float(score_z(*counts(inputs), corrected=False)) == pytest.approx(expected["z_test_pooled"]["z"], **EXACT)


@pytest.mark.parametrize("case", AT_MARGINS, ids=[case["id"] for case in AT_MARGINS])
def test_z_at_a_margin_agrees_with_the_reference(case):
    from scipy.special import ndtr

    inputs, expected = case["inputs"], case["expected"]
    for corrected, name, p in (
        (True, "z_miettinen_nurminen", "p_one_sided_greater"),
        (False, "z_farrington_manning", "p_one_sided_greater_farrington_manning"),
    ):
        z = float(score_z(*counts(inputs), inputs["null_difference"], corrected=corrected))
        assert z == pytest.approx(expected[name], **EXACT)
        assert ndtr(-z) == pytest.approx(expected[p], **EXACT)
    assert expected["z_miettinen_nurminen"] == pytest.approx(expected["verification"]["gsdesign_z_adj1"], abs=1e-11)


@given(tables(), st.floats(0.5, 0.999), st.sampled_from(MEASURES), st.booleans())
def test_limits_are_the_values_that_the_test_just_rejects(table, level, measure, corrected):
    from scipy.special import ndtri

    interval = score_interval(*table, level, measure, corrected)
    z = -ndtri((1 - level) / 2)
    ends = (-1, 1) if measure == "difference" else (0, math.inf)
    for limit, end, sign in ((interval.lower, ends[0], 1), (interval.upper, ends[1], -1)):
        if limit != end:
            assert float(score_z(*table, limit, measure, corrected)) == pytest.approx(sign * z, rel=1e-7)


@settings(max_examples=50)
@given(tables(), st.floats(0.5, 0.999))
def test_swapping_groups_or_outcome_mirrors_them(table, level):
    events1, total1, events2, total2 = table
    swapped = events2, total2, events1, total1
    failures = total1 - events1, total1, total2 - events2, total2
    difference = score_interval(*table, level)
    for other in (score_interval(*swapped, level), score_interval(*failures, level)):
        assert (-other.upper, -other.lower) == pytest.approx((difference.lower, difference.upper), abs=1e-11)
    for measure in MEASURES[1:]:
        found = score_interval(*table, level, measure)
        others = [score_interval(*swapped, level, measure)]
        others += [score_interval(*failures, level, measure)] if measure == "odds ratio" else []
        for other in others:
            lower = 1 / other.upper if other.upper else math.inf
            upper = 1 / other.lower if other.lower else math.inf
            assert lower == pytest.approx(found.lower, rel=1e-9)
            assert upper == pytest.approx(found.upper, rel=1e-9)


@given(tables(), st.sampled_from(MEASURES))
def test_limits_hold_the_estimate_and_widen_with_the_level(table, measure):
    events1, total1, events2, total2 = table
    narrow, wide = score_interval(*table, 0.8, measure), score_interval(*table, 0.99, measure)
    assert wide.lower <= narrow.lower + 1e-12
    assert narrow.upper <= wide.upper + 1e-12
    if measure == "difference":
        estimate = events1 / total1 - events2 / total2
    elif measure == "ratio":
        estimate = events1 * total2 / (events2 * total1) if events2 else math.inf if events1 else None
    else:
        below = events2 * (total1 - events1)
        above = events1 * (total2 - events2)
        estimate = above / below if below else math.inf if above else None
    if estimate is not None:
        slack = 1e-9 * (1 + abs(estimate)) if math.isfinite(estimate) else 0.0
        assert narrow.lower - slack <= estimate <= narrow.upper + slack


def test_limits_of_tables_with_empty_cells():
    tables = np.array(
        [[0, 20, 0, 25], [20, 20, 25, 25], [0, 20, 4, 21], [5, 20, 0, 21], [20, 20, 15, 20], [0, 9, 9, 9]]
    )
    lower, upper = score_limits(*tables.T)
    assert (lower >= -1).all()
    assert (upper <= 1).all()
    assert lower[5] == -1
    assert upper[5] < 0
    assert lower[0] < 0 < upper[0]
    lower, upper = score_limits(*tables.T, measure="ratio")
    assert lower[[0, 2, 5]].tolist() == [0, 0, 0]
    assert upper[[0, 3]].tolist() == [math.inf, math.inf]
    assert np.isfinite(upper[[1, 2, 4, 5]]).all()
    assert lower[1] < 1 < upper[1]
    assert lower[3] > 0
    lower, upper = score_limits(*tables.T, measure="odds ratio")
    assert lower[[0, 1, 2, 5]].tolist() == [0, 0, 0, 0]
    assert upper[[0, 1, 3, 4]].tolist() == [math.inf] * 4
    assert 0 < upper[5] < upper[2] < math.inf


@pytest.mark.parametrize("measure", MEASURES)
def test_arrays_give_what_single_tables_give(measure):
    generator = np.random.default_rng(2)
    totals = generator.integers(1, 60, (2, 80))
    events = generator.integers(0, totals + 1)
    tables = np.stack([events[0], totals[0], events[1], totals[1]])
    lower, upper = score_limits(*tables, level=0.9, measure=measure)
    z = score_z(*tables, 0.1 if measure == "difference" else 1.5, measure)
    for at, table in enumerate(tables.T.tolist()):
        interval = score_interval(*table, 0.9, measure)
        assert (lower[at], upper[at]) == pytest.approx((interval.lower, interval.upper), rel=1e-12, abs=1e-13)
        assert z[at] == pytest.approx(
            float(score_z(*table, 0.1 if measure == "difference" else 1.5, measure)), rel=1e-12
        )
    square = tables.reshape(4, 8, 10)
    np.testing.assert_allclose(score_limits(*square, level=0.9, measure=measure)[0], lower.reshape(8, 10), rtol=1e-12)


@pytest.mark.parametrize("measure", MEASURES)
def test_exact_coverage_is_near_the_level(measure):
    """Coverage by enumeration of all tables, averaged over pairs of risks."""
    from scipy.stats import binom

    size1, size2 = 30, 40
    events1, events2 = np.arange(size1 + 1), np.arange(size2 + 1)
    low, high = score_limits(events1[:, None], size1, events2[None, :], size2, measure=measure)
    risks = (np.arange(20) + 0.5) / 20 + 0.003
    one, two = binom.pmf(events1[:, None], size1, risks), binom.pmf(events2[:, None], size2, risks)
    found = []
    for i, p in enumerate(risks):
        for j, q in enumerate(risks):
            truth = {"difference": p - q, "ratio": p / q, "odds ratio": p / (1 - p) / (q / (1 - q))}[measure]
            found.append(one[:, i] @ ((low <= truth) & (truth <= high)) @ two[:, j])
    assert np.mean(found) == pytest.approx(0.95, abs=0.006)
    assert min(found) > 0.91


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"null": 1.0}, "null"),
        ({"null": 0.0, "measure": "ratio"}, "null"),
        ({"null": "a"}, "null"),
        ({"measure": "slope"}, "measure"),
        ({"corrected": 1}, "corrected"),
    ],
)
def test_what_cannot_be_tested(options, field):
    with pytest.raises(InputError) as caught:
        score_z(1, 4, 2, 5, **options)
    assert caught.value.field == field


@pytest.mark.parametrize("table", [(5, 4, 1, 10), (1, 4, 1.5, 10), (1, 4, 0, 0), ([1, 2], 4, 0, 3)])
def test_counts_that_cannot_be(table):
    with pytest.raises(InputError):
        score_interval(*table)
    with pytest.raises(InputError, match="shape"):
        score_limits([1, 2], [4, 4], [1, 2, 3], [5, 5, 5])
