"""Limits of one proportion other than Wilson's, simple limits of a difference, and the chi-square test."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from equipoise.endpoints.binary.chi_square import chi_square_test
from equipoise.endpoints.binary.difference_limits import agresti_caffo_limits, wald_difference_limits
from equipoise.endpoints.binary.proportion_limits import agresti_coull_limits, clopper_pearson_limits, wald_limits
from equipoise.endpoints.binary.score import score_z
from equipoise.errors import InputError
from reference_values import reference_cases

CASES = [case for case in reference_cases("binary") if case["inputs"]["method"] == "two_by_two"]
TABLES = [pytest.param(case["inputs"], case["expected"], id=case["id"]) for case in CASES]
EXACT = {"rel": 1e-12, "abs": 1e-14}
OF_ONE = {"wald": wald_limits, "clopper_pearson": clopper_pearson_limits, "agresti_coull": agresti_coull_limits}
OF_TWO = {"wald": wald_difference_limits, "agresti_caffo": agresti_caffo_limits}


def counts(inputs):
    return inputs["events1"], inputs["n1"], inputs["events2"], inputs["n2"]


@st.composite
def proportions(draw):
    total = draw(st.integers(1, 500))
    return draw(st.integers(0, total)), total


@pytest.mark.parametrize("name", OF_ONE)
@pytest.mark.parametrize(("inputs", "expected"), TABLES)
def test_limits_of_each_group_agree_with_r(inputs, expected, name):
    for group in ("1", "2"):
        lower, upper = OF_ONE[name](inputs["events" + group], inputs["n" + group], inputs["confidence_level"])
        reference = expected["proportion" + group]
        assert inputs["events" + group] / inputs["n" + group] == pytest.approx(reference["estimate"], **EXACT)
        assert float(lower) == pytest.approx(reference[name]["lower"], **EXACT)
        assert float(upper) == pytest.approx(reference[name]["upper"], **EXACT)


@pytest.mark.parametrize("name", OF_TWO)
@pytest.mark.parametrize(("inputs", "expected"), TABLES)
def test_limits_of_the_difference_agree_with_r(inputs, expected, name):
    lower, upper = OF_TWO[name](*counts(inputs), inputs["confidence_level"])
    reference = expected["risk_difference"][name]
    assert float(lower) == pytest.approx(reference["lower"], **EXACT)
    assert float(upper) == pytest.approx(reference["upper"], **EXACT)


@pytest.mark.parametrize(("inputs", "expected"), TABLES)
def test_chi_square_agrees_with_r(inputs, expected):
    from scipy.special import ndtr

    found, reference = chi_square_test(*counts(inputs)), expected["chi_square"]
    assert found.statistic == pytest.approx(reference["statistic"], **EXACT)
    assert found.p_value == pytest.approx(reference["p"], **EXACT)
    assert found.corrected_statistic == pytest.approx(reference["statistic_yates"], **EXACT)
    assert found.corrected_p_value == pytest.approx(reference["p_yates"], **EXACT)
    z = float(score_z(*counts(inputs), corrected=False))
    assert 2 * ndtr(-abs(z)) == pytest.approx(expected["z_test_pooled"]["p_two_sided"], **EXACT)


@given(proportions(), st.floats(0.5, 0.999))
def test_exact_limits_leave_half_of_the_error_in_each_tail(group, level):
    from scipy.stats import binom

    events, total = group
    lower, upper = (float(limit) for limit in clopper_pearson_limits(events, total, level))
    if events:
        assert binom.sf(events - 1, total, lower) == pytest.approx((1 - level) / 2, rel=1e-8)
    if events < total:
        assert binom.cdf(events, total, upper) == pytest.approx((1 - level) / 2, rel=1e-8)
    assert (lower == 0) == (events == 0)
    assert (upper == 1) == (events == total)


@given(proportions(), proportions(), st.floats(0.5, 0.999))
def test_swapping_outcome_or_groups_mirrors_limits(first, second, level):
    (events, total), (others, size) = first, second
    for limits in OF_ONE.values():
        lower, upper = map(float, limits(events, total, level))
        mirrored = [float(limit) for limit in limits(total - events, total, level)]
        assert (1 - mirrored[1], 1 - mirrored[0]) == pytest.approx((lower, upper), abs=1e-12)
    for limits in OF_TWO.values():
        lower, upper = map(float, limits(events, total, others, size, level))
        mirrored = [float(limit) for limit in limits(others, size, events, total, level)]
        assert (-mirrored[1], -mirrored[0]) == pytest.approx((lower, upper), abs=1e-14)


def test_exact_coverage_of_exact_limits_is_never_below_the_level():
    from scipy.stats import binom

    total, events = 25, np.arange(26)
    lower, upper = clopper_pearson_limits(events, total, 0.9)
    risks = np.linspace(0.002, 0.998, 400)
    covered = (lower[:, None] <= risks) & (risks <= upper[:, None])
    assert (binom.pmf(events[:, None], total, risks) * covered).sum(axis=0).min() >= 0.9


@pytest.mark.parametrize("table", [(0, 5, 0, 8), (5, 5, 8, 8)])
def test_no_variation_has_no_chi_square(table):
    found = chi_square_test(*table)
    assert (found.statistic, found.corrected_statistic) == (0, 0)
    assert (found.p_value, found.corrected_p_value) == (1, 1)


def test_what_cannot_be():
    for limits in OF_ONE.values():
        with pytest.raises(InputError, match="total"):
            limits(3, 0)
        with pytest.raises(InputError, match="confidence level"):
            limits(1, 3, 1.0)
    for limits in OF_TWO.values():
        with pytest.raises(InputError, match="events2"):
            limits(1, 3, 5, 4)
    with pytest.raises(InputError, match="one count"):
        chi_square_test([1, 2], 3, 1, 4)  # type: ignore[arg-type]
