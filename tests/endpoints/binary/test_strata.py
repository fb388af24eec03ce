"""Stratified tables: Mantel and Haenszel's comparisons, tests over strata, score limits, homogeneity."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise.endpoints.binary.conditional import ConditionalLaw
from equipoise.endpoints.binary.fisher import fisher_exact
from equipoise.endpoints.binary.homogeneity import odds_ratio_homogeneity
from equipoise.endpoints.binary.mantel_haenszel import cochran_mantel_haenszel, compare_strata, stratified_estimate
from equipoise.endpoints.binary.proportions import odds_ratio, risk_difference, risk_ratio
from equipoise.endpoints.binary.score import score_interval, score_z
from equipoise.endpoints.binary.strata import strata_of
from equipoise.endpoints.binary.stratified_exact import stratified_exact
from equipoise.endpoints.binary.stratified_score import stratified_score_interval, stratified_score_limits
from equipoise.errors import InputError
from reference_values import reference_cases

CASES = [case for case in reference_cases("binary") if case["inputs"]["method"] == "stratified_two_by_two"]
TABLES = [pytest.param(case["inputs"], case["expected"], id=case["id"]) for case in CASES]
COMPARISONS = ("score", "wald", "risk-ratio", "odds-ratio")
EXACT = {"rel": 1e-12, "abs": 1e-14}


def counts(inputs):
    return tuple(np.array(inputs[name]) for name in ("events1", "n1", "events2", "n2"))


@st.composite
def strata(draw, largest=25, empty=True):
    found = []
    for _ in range(draw(st.integers(1, 5))):
        totals = [draw(st.integers(0 if empty else 1, largest)) for _ in range(2)]
        found.append([value for total in totals for value in (draw(st.integers(0, total)), total)])
    return tuple(np.array(part) for part in zip(*found, strict=True))


@pytest.mark.parametrize(("inputs", "expected"), TABLES)
def test_cochran_mantel_haenszel_agrees_with_r(inputs, expected):
    found = cochran_mantel_haenszel(*counts(inputs))
    assert found.statistic == pytest.approx(expected["cmh_chi_square"], **EXACT)
    assert found.p_value == pytest.approx(expected["cmh_p"], **EXACT)
    assert found.corrected_statistic == pytest.approx(expected["cmh_chi_square_continuity"], **EXACT)
    assert found.corrected_p_value == pytest.approx(expected["cmh_p_continuity"], **EXACT)
    estimate = stratified_estimate(*counts(inputs))
    assert estimate.z == pytest.approx(found.z, rel=1e-13)
    assert estimate.effect == pytest.approx(expected["mh_risk_difference"]["estimate"], **EXACT)


@pytest.mark.parametrize(("inputs", "expected"), TABLES)
@pytest.mark.parametrize(
    ("comparison", "name", "error"),
    [
        ("wald", "mh_risk_difference", "se"),
        ("risk-ratio", "mh_risk_ratio", "log_se"),
        ("odds-ratio", "mh_odds_ratio", "log_se"),
    ],
)
def test_mantel_haenszel_estimates_agree_with_metafor(inputs, expected, comparison, name, error):
    found, reference = stratified_estimate(*counts(inputs), comparison), expected[name]
    interval = found.interval(inputs["confidence_level"])
    assert found.scale.natural(found.effect) == pytest.approx(reference["estimate"], **EXACT)
    assert found.standard_error == pytest.approx(reference[error], **EXACT)
    assert found.scale.natural(interval.lower) == pytest.approx(reference["ci_lower"], **EXACT)
    assert found.scale.natural(interval.upper) == pytest.approx(reference["ci_upper"], **EXACT)


@pytest.mark.parametrize(("inputs", "expected"), TABLES)
def test_homogeneity_agrees_with_metafor(inputs, expected):
    found = odds_ratio_homogeneity(*counts(inputs))
    assert found.breslow_day == pytest.approx(expected["breslow_day"]["statistic"], **EXACT)
    assert found.breslow_day_p_value == pytest.approx(expected["breslow_day"]["p"], **EXACT)
    assert found.tarone == pytest.approx(expected["tarone"]["statistic"], **EXACT)
    assert found.tarone_p_value == pytest.approx(expected["tarone"]["p"], **EXACT)
    assert found.heterogeneity == pytest.approx(expected["heterogeneity_q_odds_ratio"]["q"], **EXACT)
    assert found.heterogeneity_p_value == pytest.approx(expected["heterogeneity_q_odds_ratio"]["p"], **EXACT)


@pytest.mark.parametrize(("inputs", "expected"), TABLES)
def test_score_limits_agree_with_ratesci_as_far_as_it_goes(inputs, expected):
    interval = stratified_score_interval(*counts(inputs), inputs["confidence_level"])
    reference = expected["stratified_miettinen_nurminen_risk_difference"]
    assert interval.lower == pytest.approx(reference["lower"], abs=1e-11)
    assert interval.upper == pytest.approx(reference["upper"], abs=1e-11)


@pytest.mark.parametrize(("inputs", "expected"), TABLES)
def test_exact_test_agrees_with_r(inputs, expected):
    found = stratified_exact(*counts(inputs))
    assert found.p_value == pytest.approx(expected["exact_conditional_p"], rel=1e-12)
    assert 1 / found.odds_ratio == pytest.approx(1 / expected["exact_conditional_or"], abs=2.0**-13)


def test_admissions_to_berkeley_agree_with_r():
    """UCBAdmissions of R 4.2.2: mantelhaen.test with correct = FALSE, TRUE and exact = TRUE; men against women."""
    men, women = np.array([512, 353, 120, 138, 53, 22]), np.array([89, 17, 202, 131, 94, 24])
    refused = np.array([[313, 207, 205, 279, 138, 351], [19, 8, 391, 244, 299, 317]])
    tables = men, men + refused[0], women, women + refused[1]
    test, ratio = cochran_mantel_haenszel(*tables), stratified_estimate(*tables, "odds-ratio")
    assert test.statistic == pytest.approx(1.5246066604434356, rel=1e-12)
    assert test.p_value == pytest.approx(0.21692369705551837, rel=1e-12)
    assert test.corrected_statistic == pytest.approx(1.4269462285866883, rel=1e-12)
    limits = ratio.interval()
    found = [math.exp(value) for value in (ratio.effect, limits.lower, limits.upper)]
    assert found == pytest.approx([0.90469682825862308, 0.77190736175935049, 1.06032976443665561], rel=1e-12)
    exact = stratified_exact(*tables)
    assert exact.p_value == pytest.approx(0.22776252679820611, rel=1e-10)
    theirs = [0.90507619363782321, 0.76971404058082626, 1.06341699278002144]
    assert [exact.odds_ratio, exact.interval.lower, exact.interval.upper] == pytest.approx(theirs, abs=2.0**-13)


@given(strata(12))
def test_the_exact_law_by_enumeration_of_the_strata(tables):
    from scipy.stats import hypergeom

    held = (tables[1] > 0) & (tables[3] > 0)
    if not held.any():
        return
    rows = [[int(value) for value in row] for row in np.stack(tables, axis=1)[held]]
    chance = {0: 1.0}
    for events1, total1, events2, total2 in rows:
        law, margin = hypergeom(total1 + total2, total1, events1 + events2), events1 + events2
        longer = {}
        for count in range(max(0, margin - total2), min(total1, margin) + 1):
            for before, share in chance.items():
                longer[before + count] = longer.get(before + count, 0.0) + share * law.pmf(count)
        chance = longer
    law = ConditionalLaw(tuple(map(tuple, rows)))
    np.testing.assert_allclose(law.density(), [chance[count] for count in sorted(chance)], rtol=1e-9)
    observed = sum(row[0] for row in rows)
    found = stratified_exact(*tables)
    assert found.p_greater == pytest.approx(sum(p for count, p in chance.items() if count >= observed), rel=1e-9)
    assert found.p_less == pytest.approx(sum(p for count, p in chance.items() if count <= observed), rel=1e-9)
    if 0 < found.odds_ratio < math.inf:
        assert law.mean(math.log(found.odds_ratio)) == pytest.approx(law.observed, rel=1e-9)
        assert found.interval.lower < found.odds_ratio < found.interval.upper


@given(st.tuples(st.integers(1, 60), st.integers(1, 60)), st.data())
def test_one_stratum_is_the_table_itself(totals, data):
    table = tuple(value for total in totals for value in (data.draw(st.integers(0, total)), total))
    alone = tuple(np.array([count]) for count in table)
    assert stratified_exact(*alone) == fisher_exact(*table) or math.isnan(fisher_exact(*table).odds_ratio)
    interval, single = stratified_score_interval(*alone), score_interval(*table)
    assert (interval.lower, interval.upper) == pytest.approx((single.lower, single.upper), abs=1e-12)
    singles = {
        "wald": lambda: risk_difference(*table).estimate(),
        "risk-ratio": lambda: risk_ratio(*table),
        "odds-ratio": lambda: odds_ratio(*table),
    }
    for comparison, single in singles.items():
        try:
            expected = single()
        except InputError:
            with pytest.raises(InputError):
                stratified_estimate(*alone, comparison)
            continue
        found = stratified_estimate(*alone, comparison)
        assert found.effect == pytest.approx(expected.effect, abs=1e-12)
        assert found.standard_error == pytest.approx(expected.standard_error, rel=1e-9)
    if 0 < table[0] + table[2] < table[1] + table[3]:
        assert stratified_estimate(*alone).z == pytest.approx(float(score_z(*table)), abs=1e-12)


@settings(max_examples=60)
@given(strata())
def test_swapping_groups_mirrors_them(tables):
    swapped = tables[2], tables[3], tables[0], tables[1]
    for comparison in COMPARISONS:
        try:
            found = stratified_estimate(*tables, comparison)
        except InputError as error:
            with pytest.raises(InputError, match=str(error.expected)[:20]):
                stratified_estimate(*swapped, comparison)
            continue
        other = stratified_estimate(*swapped, comparison)
        assert other.effect == pytest.approx(-found.effect, abs=1e-12)
        assert other.standard_error == pytest.approx(found.standard_error, rel=1e-9)
    if strata_of(*tables).patients.any():
        interval, other = stratified_score_interval(*tables), stratified_score_interval(*swapped)
        assert (-other.upper, -other.lower) == pytest.approx((interval.lower, interval.upper), abs=1e-9)


@settings(max_examples=60)
@given(strata())
def test_limits_are_roots_and_strata_that_compare_nothing_change_nothing(tables):
    if not strata_of(*tables).patients.any():
        return
    interval = stratified_score_interval(*tables, 0.9)
    more = tuple(np.append(part, extra) for part, extra in zip(tables, ([3, 0], [7, 0], [0, 2], [0, 9]), strict=True))
    assert stratified_score_interval(*more, 0.9) == interval
    for limit in (interval.lower, interval.upper):
        if abs(limit) < 1:
            assert abs(z_at(tables, limit)) == pytest.approx(1.6448536269514722, rel=1e-7)
    for comparison in COMPARISONS:
        try:
            found = stratified_estimate(*tables, comparison)
        except InputError:
            continue
        assert stratified_estimate(*more, comparison) == found
    assert strata_of(*more).one_sided[-2:].all()


def z_at(tables, null):
    """The stratified score statistic, from those of the strata."""
    total = spread = 0.0
    for events1, total1, events2, total2 in np.stack(tables, axis=1).tolist():
        if total1 and total2:
            weight = total1 * total2 / (total1 + total2)
            distance = events1 / total1 - events2 / total2 - null
            z = float(score_z(events1, total1, events2, total2, null))
            total += weight * distance
            spread += (weight * distance / z) ** 2 if z else variance_at(events1, total1, events2, total2, null, weight)
    return total / math.sqrt(spread)


def variance_at(events1, total1, events2, total2, null, weight):
    """Of a stratum whose difference is the null one, so that its own proportions are the likeliest."""
    patients, p, q = total1 + total2, events1 / total1, events2 / total2
    return weight**2 * (p * (1 - p) / total1 + q * (1 - q) / total2) * patients / (patients - 1)


@pytest.mark.parametrize("comparison", COMPARISONS)
def test_many_trials_are_each_as_one_and_fail_for_the_same_reasons(comparison):
    generator = np.random.default_rng(6)
    totals = generator.integers(0, 5, (2, 150, 3))
    totals[:, :20] = generator.integers(0, 2, (2, 20, 3))
    events = generator.binomial(totals, generator.choice([0.0, 0.2, 0.6, 1.0], (150, 1)))
    tables = events[0], totals[0], events[1], totals[1]
    found = compare_strata(*tables, comparison)
    limits = stratified_score_limits(*tables)
    for at in range(150):
        own, reason = tuple(part[at] for part in tables), None
        try:
            one = stratified_estimate(*own, comparison)
        except InputError as error:
            reason = str(error)
        else:
            assert found.effect[at] == pytest.approx(one.effect, abs=1e-14)
            assert found.standard_error[at] == pytest.approx(one.standard_error, rel=1e-13)
        assert found.failures.get(at) == reason
        if np.isnan(limits[0][at]):
            assert not strata_of(*own).patients.any()
        else:
            interval = stratified_score_interval(*own)
            assert (limits[0][at], limits[1][at]) == pytest.approx((interval.lower, interval.upper), abs=1e-12)
    assert 5 < len(found.failures) < 140


def test_strata_without_variation_are_no_difference_but_no_news_to_the_test():
    tables = np.array([[5, 20, 2, 22], [0, 10, 0, 12], [9, 9, 8, 8]]).T
    telling = tuple(part[:1] for part in tables)
    assert cochran_mantel_haenszel(*tables) == cochran_mantel_haenszel(*telling)
    assert stratified_estimate(*tables).z == pytest.approx(stratified_estimate(*telling).z, rel=1e-13)
    assert stratified_estimate(*tables, "odds-ratio").effect == stratified_estimate(*telling, "odds-ratio").effect
    assert 0 < stratified_estimate(*tables).effect < stratified_estimate(*telling).effect
    assert strata_of(*tables).notes() == ("2 strata in which all or none had the event: counted as no difference",)
    more = np.column_stack([tables, [3, 5, 0, 0]])
    assert strata_of(*more).notes()[0] == "1 stratum with patients of one arm only: left out of the comparison"


def test_level_of_the_test_and_coverage_of_the_limits_with_few_and_with_many_strata():
    """8000 trials of two kinds; within four standard errors of simulation, and of what small strata cost."""
    generator = np.random.default_rng(8)
    for sizes, count in (((30, 25), 3), ((3, 2), 25)):
        base = generator.uniform(0.15, 0.6, count)
        for difference in (0.0, 0.2):
            events1 = generator.binomial(sizes[0], base + difference, (8000, count))
            events2 = generator.binomial(sizes[1], base, (8000, count))
            tables = events1, np.full(count, sizes[0]), events2, np.full(count, sizes[1])
            lower, upper = stratified_score_limits(*(np.broadcast_to(part, (8000, count)) for part in tables))
            covered = (lower <= difference) & (difference <= upper)
            assert covered.mean() == pytest.approx(0.95, abs=0.012)
            wald = compare_strata(*tables, "wald")
            held = np.abs(wald.effect - difference) <= 1.959964 * wald.standard_error
            assert held.mean() == pytest.approx(0.95, abs=0.02)
            assert wald.effect.mean() == pytest.approx(difference, abs=4 * wald.effect.std() / math.sqrt(8000))
            if difference == 0:
                score = compare_strata(*tables)
                rejects = np.abs(score.effect / score.standard_error) > 1.959964
                assert rejects.mean() == pytest.approx(0.05, abs=0.012)


def test_common_ratios_are_found_over_strata_of_different_risk():
    generator = np.random.default_rng(9)
    base = np.array([0.1, 0.25, 0.4])
    odds = 2 * base / (1 - base)
    for comparison, risks, truth in (
        ("risk-ratio", 1.8 * base, math.log(1.8)),
        ("odds-ratio", odds / (1 + odds), math.log(2)),
    ):
        tables = generator.binomial(400, risks, (3000, 3)), 400, generator.binomial(300, base, (3000, 3)), 300
        found = compare_strata(*tables, comparison)
        assert found.effect.mean() == pytest.approx(truth, abs=0.01)
        covered = np.abs(found.effect - truth) <= 1.959964 * found.standard_error
        assert covered.mean() == pytest.approx(0.95, abs=0.016)


@pytest.mark.parametrize("comparison", COMPARISONS)
def test_nothing_to_compare(comparison):
    with pytest.raises(InputError, match="patients of both groups"):
        stratified_estimate([1, 0], [4, 0], [0, 2], [0, 5], comparison)
    with pytest.raises(InputError, match="counts"):
        stratified_estimate([0, 3], [4, 3], [0, 2], [5, 2], comparison)


def test_what_cannot_be():
    with pytest.raises(InputError, match="patients of both groups"):
        stratified_exact([1], [4], [0], [0])
    with pytest.raises(InputError, match="patients of both groups"):
        stratified_score_interval([1], [4], [0], [0])
    with pytest.raises(InputError, match="in which some but not all"):
        cochran_mantel_haenszel([0, 4], [4, 4], [0, 3], [5, 3])
    with pytest.raises(InputError, match="at least two strata"):
        odds_ratio_homogeneity([1, 0], [4, 4], [2, 0], [5, 4])
    with pytest.raises(InputError, match="a count for each stratum"):
        cochran_mantel_haenszel(1, 4, 2, 5)
    with pytest.raises(InputError, match="one a stratum"):
        stratified_estimate([[1]], [[4]], [[2]], [[5]])
    with pytest.raises(InputError, match="two dimensions"):
        compare_strata([1], [4], [2], [5])
    with pytest.raises(InputError, match="two dimensions"):
        stratified_score_limits([1], [4], [2], [5])
    with pytest.raises(InputError, match="events1"):
        strata_of([5], [4], [1], [5])
