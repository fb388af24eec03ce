"""Fisher's and Barnard's exact tests, the conditional odds ratio and its exact interval."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise.endpoints.binary.barnard import barnard_exact
from equipoise.endpoints.binary.fisher import fisher_exact, fisher_p_values
from equipoise.errors import InputError
from reference_values import reference_cases

CASES = [case for case in reference_cases("binary") if case["inputs"]["method"] == "two_by_two"]
TABLES = [pytest.param(case["inputs"], case["expected"], id=case["id"]) for case in CASES]
R_UNIROOT = 2.0**-13
"""Tolerance of R's uniroot, in which `fisher.test` seeks the odds ratio, or its reciprocal where that is above 1."""


def counts(inputs):
    return inputs["events1"], inputs["n1"], inputs["events2"], inputs["n2"]


@st.composite
def tables(draw, largest=40):
    found = []
    for _ in range(2):
        total = draw(st.integers(1, largest))
        found += [draw(st.sampled_from([0, total]) | st.integers(0, total)), total]
    return tuple(found)


@pytest.mark.parametrize(("inputs", "expected"), TABLES)
def test_fisher_agrees_with_r(inputs, expected):
    found, reference = fisher_exact(*counts(inputs), inputs["confidence_level"]), expected["fisher_exact"]
    assert found.p_value == pytest.approx(reference["p_two_sided"], rel=1e-12)
    assert found.p_greater == pytest.approx(reference["p_group1_greater"], rel=1e-12)
    assert found.p_less == pytest.approx(reference["p_group1_less"], rel=1e-12)
    if "odds_ratio" in expected:
        theirs = expected["odds_ratio"]
        limits = theirs["conditional_exact"]
        pairs = [(found.odds_ratio, theirs["conditional_mle"])]
        pairs += [(found.interval.lower, limits["lower"]), (found.interval.upper, limits["upper"])]
        for ours, given_ratio in pairs:
            for power in (1, -1) if given_ratio == 1 else (-1 if given_ratio > 1 else 1,):
                assert ours**power == pytest.approx(given_ratio**power, abs=R_UNIROOT, rel=0)


@pytest.mark.parametrize(("inputs", "expected"), [table for table in TABLES if "odds_ratio" in table.values[1]])
def test_the_conditional_odds_ratio_agrees_with_scipy_which_seeks_it_further(inputs, expected):
    from scipy.stats.contingency import odds_ratio

    events1, total1, events2, total2 = counts(inputs)
    found = fisher_exact(*counts(inputs), inputs["confidence_level"])
    theirs = odds_ratio([[events1, total1 - events1], [events2, total2 - events2]])
    limits = theirs.confidence_interval(inputs["confidence_level"])
    assert found.odds_ratio == pytest.approx(theirs.statistic, rel=1e-11)
    assert found.interval.lower == pytest.approx(limits.low, rel=1e-11)
    assert found.interval.upper == pytest.approx(limits.high, rel=1e-11)


@given(tables(), st.floats(0.5, 0.999))
def test_exact_limits_leave_half_of_the_error_in_each_tail(table, level):
    from scipy.stats import nchypergeom_fisher

    events1, total1, events2, total2 = table
    found = fisher_exact(*table, level)
    margin = total1 + total2, total1, events1 + events2
    if found.interval.lower > 0:
        tail = nchypergeom_fisher.sf(events1 - 1, *margin, found.interval.lower)
        assert tail == pytest.approx((1 - level) / 2, rel=1e-8)
    if found.interval.upper < math.inf:
        assert nchypergeom_fisher.cdf(events1, *margin, found.interval.upper) == pytest.approx(
            (1 - level) / 2, rel=1e-8
        )
    if not math.isnan(found.odds_ratio):
        assert found.interval.lower <= found.odds_ratio <= found.interval.upper


@given(tables())
def test_fisher_by_direct_summation(table):
    from scipy.stats import hypergeom

    events1, total1, events2, total2 = table
    law = hypergeom(total1 + total2, total1, events1 + events2)
    possible = np.arange(max(0, events1 + events2 - total2), min(total1, events1 + events2) + 1)
    chance, own = law.pmf(possible), law.pmf(events1)
    found = fisher_exact(*table)
    assert found.p_value == pytest.approx(min(chance[chance <= own * (1 + 1e-7)].sum(), 1), rel=1e-9)
    assert found.p_greater == pytest.approx(law.sf(events1 - 1), rel=1e-9)
    assert found.p_less == pytest.approx(law.cdf(events1), rel=1e-9)
    as_likely = chance[np.abs(chance - own) <= 1e-7 * own].sum()
    assert found.mid_p_value == pytest.approx(found.p_value - as_likely / 2, rel=1e-9)
    assert float(fisher_p_values(*table, "greater", mid=True)) == pytest.approx(found.p_greater - own / 2, rel=1e-9)


@given(tables())
def test_swapping_groups_or_outcome_mirrors_fisher(table):
    events1, total1, events2, total2 = table
    found = fisher_exact(*table)
    others = (events2, total2, events1, total1), (total1 - events1, total1, total2 - events2, total2)
    for other in (fisher_exact(*one) for one in others):
        assert other.p_value == pytest.approx(found.p_value, rel=1e-9)
        assert other.p_greater == pytest.approx(found.p_less, rel=1e-9)
        assert other.p_less == pytest.approx(found.p_greater, rel=1e-9)


def test_arrays_give_what_single_tables_give():
    events1, events2 = np.meshgrid(np.arange(9), np.arange(13), indexing="ij")
    for alternative, name in (("two-sided", "p_value"), ("greater", "p_greater"), ("less", "p_less")):
        found = fisher_p_values(events1, 8, events2, 12, alternative)
        assert found.shape == (9, 13)
        for one in range(9):
            for two in range(13):
                assert found[one, two] == getattr(fisher_exact(one, 8, two, 12), name)
    assert fisher_p_values([], [], [], []).shape == (0,)


def test_odds_ratios_without_a_value():
    assert math.isnan(fisher_exact(0, 5, 0, 7).odds_ratio)
    assert (fisher_exact(0, 5, 0, 7).interval.lower, fisher_exact(0, 5, 0, 7).interval.upper) == (0, math.inf)
    assert fisher_exact(0, 5, 0, 7).p_value == 1
    assert fisher_exact(0, 5, 3, 7).odds_ratio == 0
    assert fisher_exact(5, 5, 3, 7).odds_ratio == math.inf


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
@pytest.mark.parametrize(
    "table",
    [(10, 15, 3, 15), (7, 12, 8, 9), (5, 56, 0, 29), (1, 30, 4, 28), (20, 20, 15, 20), (0, 5, 0, 7), (3, 3, 0, 3)],
)
def test_barnard_finds_no_less_than_scipy(table, alternative):
    from scipy.stats import barnard_exact as theirs

    events1, total1, events2, total2 = table
    found = barnard_exact(*table, alternative)
    other = theirs(
        [[events1, events2], [total1 - events1, total2 - events2]], alternative=alternative, pooled=True, n=64
    )
    if not math.isnan(other.statistic):
        assert found.statistic == pytest.approx(other.statistic, rel=1e-12)
    assert found.p_value >= other.pvalue - 1e-13
    assert found.p_value == pytest.approx(other.pvalue, rel=1e-9)


@settings(max_examples=40, deadline=None)
@given(tables(15), st.sampled_from(["two-sided", "greater", "less"]))
def test_barnard_by_direct_summation_over_a_grid(table, alternative):
    from scipy.stats import binom

    events1, total1, events2, total2 = table
    found = barnard_exact(*table, alternative)
    one, two = np.meshgrid(np.arange(total1 + 1), np.arange(total2 + 1), indexing="ij")
    pooled = (one + two) / (total1 + total2)
    spread = np.sqrt(pooled * (1 - pooled) * (1 / total1 + 1 / total2))
    z = np.divide(one / total1 - two / total2, spread, out=np.zeros(one.shape), where=spread > 0)
    own = z[events1, events2]
    extreme = {"two-sided": np.abs(z) >= abs(own) - 1e-9, "greater": z >= own - 1e-9, "less": z <= own + 1e-9}[
        alternative
    ]

    def tail(risk):
        return binom.pmf(np.arange(total1 + 1), total1, risk) @ extreme @ binom.pmf(np.arange(total2 + 1), total2, risk)

    assert found.statistic == pytest.approx(own, abs=1e-12)
    grid = np.array([tail(risk) for risk in np.linspace(0, 1, 400)])
    assert grid.max() <= found.p_value * (1 + 1e-11)
    assert tail(found.nuisance) == pytest.approx(found.p_value, rel=1e-9)


@pytest.mark.parametrize("table", [(9, 10, 3, 10), (7, 12, 8, 9), (5, 6, 1, 7)])
def test_barnard_keeps_tables_that_tie_with_the_observed_one(table):
    """In whole fractions; scipy loses the ties of 9/10 against 3/10 to rounding and gives 0.00693 for 0.00796."""
    size1, size2 = table[1], table[3]

    def squared(one, two):
        pooled = Fraction(one + two, size1 + size2)
        if pooled in (0, 1):
            return Fraction(0)
        return (Fraction(one, size1) - Fraction(two, size2)) ** 2 / (pooled * (1 - pooled))

    own = squared(table[0], table[2])
    extreme = [(one, two) for one in range(size1 + 1) for two in range(size2 + 1) if squared(one, two) >= own]

    def tail(risk):
        return sum(
            math.comb(size1, one)
            * math.comb(size2, two)
            * risk ** (one + two)
            * (1 - risk) ** (size1 + size2 - one - two)
            for one, two in extreme
        )

    found = barnard_exact(*table)
    assert tail(found.nuisance) == pytest.approx(found.p_value, rel=1e-12)
    assert max(tail(at / 2000) for at in range(2001)) <= found.p_value * (1 + 1e-12)


@settings(max_examples=40, deadline=None)
@given(tables())
def test_swapping_groups_or_outcome_mirrors_barnard(table):
    events1, total1, events2, total2 = table
    swapped, failures = (events2, total2, events1, total1), (total1 - events1, total1, total2 - events2, total2)
    for alternative, mirrored in (("two-sided", "two-sided"), ("greater", "less")):
        found = barnard_exact(*table, alternative).p_value
        assert barnard_exact(*swapped, mirrored).p_value == pytest.approx(found, rel=1e-10)
        assert barnard_exact(*failures, mirrored).p_value == pytest.approx(found, rel=1e-10)


@pytest.mark.parametrize(("size1", "size2"), [(8, 8), (7, 12)])
def test_exact_level_is_never_above_alpha_whatever_the_risk(size1, size2):
    """By enumeration of all tables, at many common risks."""
    from scipy.stats import binom

    one, two = np.meshgrid(np.arange(size1 + 1), np.arange(size2 + 1), indexing="ij")
    risks = np.linspace(0.002, 0.998, 250)
    law1 = binom.pmf(np.arange(size1 + 1)[:, None], size1, risks)
    law2 = binom.pmf(np.arange(size2 + 1)[:, None], size2, risks)

    def level(p_values, alpha):
        return np.einsum("ar,ab,br->r", law1, (p_values <= alpha).astype(float), law2).max()

    for alternative in ("two-sided", "greater", "less"):
        fisher = fisher_p_values(one, size1, two, size2, alternative)
        barnard = np.vectorize(lambda a, b, how=alternative: barnard_exact(a, size1, b, size2, how).p_value)(one, two)
        for alpha in (0.01, 0.025, 0.05, 0.1):
            assert level(fisher, alpha) <= alpha
            assert level(barnard, alpha) <= alpha
            assert level(barnard, alpha) >= level(fisher, alpha) - 1e-12


@given(tables())
def test_one_sided_mid_p_values_average_a_half_under_no_effect(table):
    from scipy.stats import hypergeom

    events1, total1, events2, total2 = table
    events = events1 + events2
    possible = np.arange(max(0, events - total2), min(total1, events) + 1)
    chance = hypergeom(total1 + total2, total1, events).pmf(possible)
    for alternative in ("greater", "less"):
        found = fisher_p_values(possible, total1, events - possible, total2, alternative, mid=True)
        assert chance @ found == pytest.approx(0.5, rel=1e-9)


def test_three_hundred_a_side_are_no_matter():
    import time

    start = time.perf_counter()
    found = barnard_exact(110, 300, 80, 300)
    assert time.perf_counter() - start < 2
    assert 0.005 < found.p_value < 0.02


def test_what_cannot_be():
    for test in (fisher_exact, barnard_exact):
        with pytest.raises(InputError, match="events1"):
            test(5, 4, 1, 3)
    with pytest.raises(InputError, match="two-sided"):
        barnard_exact(1, 4, 1, 3, "both")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="two-sided"):
        fisher_p_values(1, 4, 1, 3, "both")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="True or False"):
        fisher_p_values(1, 4, 1, 3, mid=1)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="confidence level"):
        fisher_exact(1, 4, 1, 3, 2.0)
