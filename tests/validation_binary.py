"""Section of docs/validation.md: two by two tables, alone and in strata."""

from __future__ import annotations

import math

import numpy as np

from equipoise.endpoints.binary.barnard import barnard_exact
from equipoise.endpoints.binary.chi_square import chi_square_test
from equipoise.endpoints.binary.difference_limits import agresti_caffo_limits, wald_difference_limits
from equipoise.endpoints.binary.fisher import fisher_exact
from equipoise.endpoints.binary.homogeneity import odds_ratio_homogeneity
from equipoise.endpoints.binary.mantel_haenszel import cochran_mantel_haenszel, stratified_estimate
from equipoise.endpoints.binary.proportion_limits import agresti_coull_limits, clopper_pearson_limits
from equipoise.endpoints.binary.score import score_interval, score_z
from equipoise.endpoints.binary.stratified_exact import stratified_exact
from equipoise.endpoints.binary.stratified_score import stratified_score_interval
from reference_values import reference_cases
from validation_table import COLUMNS, Section, Table, row

CASES = reference_cases("binary")
ROOTS = "own root finding, ratesci 1.0.0 to 1e−10"
TIED = (9, 10, 3, 10)
MEASURES = {"risk_difference": "difference", "risk_ratio": "ratio", "odds_ratio": "odds ratio"}


def chosen(method: str):
    for case in CASES:
        if case["inputs"]["method"] == method:
            yield case["inputs"], case["expected"]


def counts(inputs):
    return inputs["events1"], inputs["n1"], inputs["events2"], inputs["n2"]


def ends(reference):
    return reference["lower"], reference["upper"]


def named(inputs) -> str:
    events1, total1, events2, total2 = counts(inputs)
    level = inputs.get("confidence_level", 0.95)
    return f"{events1}/{total1} v {events2}/{total2}" + ("" if level == 0.95 else f", {100 * level:g} %")


def single_tables():
    for inputs, expected in chosen("two_by_two"):
        table, level, name = counts(inputs), inputs["confidence_level"], named(inputs)
        for key, measure in MEASURES.items():
            if key in expected:
                found = score_interval(*table, level, measure)
                theirs = ends(expected[key]["miettinen_nurminen"])
                what = f"{name}: Miettinen-Nurminen limits of the {key.replace('_', ' ')}"
                yield row(what, ROOTS, theirs, (found.lower, found.upper))
        found = score_interval(*table, level, corrected=False)
        theirs = ends(expected["risk_difference"]["mee_score_without_correction"])
        yield row(f"{name}: Mee's limits of the difference", ROOTS, theirs, (found.lower, found.upper))
        theirs, ours = [], []
        for key, limits in (("wald", wald_difference_limits), ("agresti_caffo", agresti_caffo_limits)):
            theirs += ends(expected["risk_difference"][key])
            ours += [float(limit) for limit in limits(*table, level)]
        yield row(f"{name}: Wald and Agresti-Caffo limits", "closed formulas in R 4.2.2", theirs, ours)
        theirs, ours = [], []
        for key, limits in (("clopper_pearson", clopper_pearson_limits), ("agresti_coull", agresti_coull_limits)):
            theirs += ends(expected["proportion1"][key])
            ours += [float(limit) for limit in limits(*table[:2], level)]
        yield row(f"{name}: Clopper-Pearson and Agresti-Coull limits, group 1", "R 4.2.2, binom.test", theirs, ours)
        exact, reference = fisher_exact(*table, level), expected["fisher_exact"]
        theirs = [reference[key] for key in ("p_two_sided", "p_group1_greater", "p_group1_less")]
        ours = (exact.p_value, exact.p_greater, exact.p_less)
        yield row(f"{name}: Fisher's exact p, two-sided, greater, less", "R 4.2.2, fisher.test", theirs, ours)
        test, reference = chi_square_test(*table), expected["chi_square"]
        theirs = [reference[key] for key in ("statistic", "p", "statistic_yates", "p_yates")]
        ours = (test.statistic, test.p_value, test.corrected_statistic, test.corrected_p_value)
        yield row(f"{name}: chi-square and p, Yates's and p", "R 4.2.2, chisq.test", theirs, ours)


def searched_further():
    from scipy.stats import barnard_exact as scipys_barnard
    from scipy.stats.contingency import odds_ratio

    for inputs, expected in chosen("two_by_two"):
        events1, total1, events2, total2 = table = counts(inputs)
        if "odds_ratio" in expected:
            cells = [[events1, total1 - events1], [events2, total2 - events2]]
            theirs, exact = odds_ratio(cells), fisher_exact(*table, inputs["confidence_level"])
            limits = theirs.confidence_interval(inputs["confidence_level"])
            yield row(
                f"{named(inputs)}: conditional odds ratio and exact limits",
                "scipy.stats.contingency.odds_ratio",
                (theirs.statistic, limits.low, limits.high),
                (exact.odds_ratio, exact.interval.lower, exact.interval.upper),
                relative=True,
                floor=1e-11,
            )
        if (
            total1 <= 200
            and inputs["confidence_level"] == 0.95
            and events1 * total2 != events2 * total1
            and table != TIED
        ):
            columns = [[events1, events2], [total1 - events1, total2 - events2]]
            theirs, ours = scipys_barnard(columns, pooled=True, n=64), barnard_exact(*table)
            what = f"{named(inputs)}: Barnard's exact p"
            yield row(what, "scipy.stats.barnard_exact", (theirs.pvalue,), (ours.p_value,), relative=True, floor=1e-10)


def margins():
    for inputs, expected in chosen("score_test_risk_difference"):
        z = [float(score_z(*counts(inputs), inputs["null_difference"], corrected=flag)) for flag in (True, False)]
        null = f"{inputs['null_difference']:g}".replace("-", "−")
        what = f"{named(inputs)}, null difference {null}: Miettinen-Nurminen z, Farrington-Manning z"
        theirs = (expected["z_miettinen_nurminen"], expected["z_farrington_manning"])
        yield row(what, "own root finding, gsDesign 3.11", theirs, z)


def strata():
    for at, (inputs, expected) in enumerate(chosen("stratified_two_by_two"), start=1):
        tables = tuple(np.array(part) for part in counts(inputs))
        name = f"tables {at}, {tables[0].size} strata"
        test = cochran_mantel_haenszel(*tables)
        theirs = [expected[key] for key in ("cmh_chi_square", "cmh_p", "cmh_chi_square_continuity", "cmh_p_continuity")]
        ours = (test.statistic, test.p_value, test.corrected_statistic, test.corrected_p_value)
        what = f"{name}: Cochran-Mantel-Haenszel chi-square and p, corrected and p"
        yield row(what, "R 4.2.2, mantelhaen.test", theirs, ours)
        exact = stratified_exact(*tables)
        yield row(
            f"{name}: exact conditional p",
            "R 4.2.2, mantelhaen.test",
            (expected["exact_conditional_p"],),
            (exact.p_value,),
        )
        for comparison, key, error in (
            ("wald", "mh_risk_difference", "se"),
            ("risk-ratio", "mh_risk_ratio", "log_se"),
            ("odds-ratio", "mh_odds_ratio", "log_se"),
        ):
            found, reference = stratified_estimate(*tables, comparison), expected[key]
            limits = found.interval()
            ours = [found.scale.natural(value) for value in (found.effect, limits.lower, limits.upper)]
            theirs = [reference[part] for part in ("estimate", "ci_lower", "ci_upper", error)]
            what = f"{name}: Mantel-Haenszel {key[3:].replace('_', ' ')}, limits, SE"
            yield row(what, "metafor 5.1.12, rma.mh", theirs, (*ours, found.standard_error))
        same = odds_ratio_homogeneity(*tables)
        pairs = (("breslow_day", "statistic"), ("tarone", "statistic"), ("heterogeneity_q_odds_ratio", "q"))
        theirs = [expected[key][part] for key, part in pairs]
        ours = (same.breslow_day, same.tarone, same.heterogeneity)
        yield row(f"{name}: Breslow-Day, Tarone, Q of the odds ratios", "metafor 5.1.12, rma.mh", theirs, ours)
        limits = stratified_score_interval(*tables)
        theirs = ends(expected["stratified_miettinen_nurminen_risk_difference"])
        what = f"{name}: Miettinen-Nurminen limits of the difference"
        yield row(what, "ratesci 1.0.0, scoreci", theirs, (limits.lower, limits.upper), floor=1e-10)


def r_is_coarse() -> str:
    """By how much R's conditional odds ratios and limits are off, at most."""
    worst = 0.0
    for inputs, expected in chosen("two_by_two"):
        if "odds_ratio" in expected:
            exact = fisher_exact(*counts(inputs), inputs["confidence_level"])
            reference = expected["odds_ratio"]
            pairs = [(exact.odds_ratio, reference["conditional_mle"])]
            pairs += zip(
                (exact.interval.lower, exact.interval.upper), ends(reference["conditional_exact"]), strict=True
            )
            worst = max(worst, *(abs(math.log(ours / theirs)) for ours, theirs in pairs))
    return f"{100 * worst:.1f} %"


def two_by_two_tables() -> Section:
    from scipy.stats import barnard_exact as scipys_barnard

    tied = scipys_barnard([[9, 3], [1, 7]], pooled=True, n=64).pvalue
    text = f"""
Limits of risk differences, risk ratios and odds ratios, tests of independence, and their like over strata. Differences
are absolute unless they are of odds ratios or p-values of Barnard's test; 1e−9 is promised of closed forms, 1e−7 of
roots. R's `fisher.test` and `mantelhaen.test` look for the conditional odds ratio and its exact limits with `uniroot`
at its default tolerance, 1.2e−4 on the odds ratio or its reciprocal; where limits are far from 1 they are off by up to
{r_is_coarse()} in these tables. SciPy looks further, and it is SciPy's that are shown; the tests also check the tail
probability at each limit. SciPy's Barnard test loses tables that tie with the observed one but for rounding: of 9/10
against 3/10 it gives {tied:.5f}, where the statistic in whole fractions gives {barnard_exact(*TIED).p_value:.5f}, which
the tests hold; other tables are shown.
"""
    tables = (single_tables, searched_further, margins, strata)
    return Section("Two by two tables", text, tuple(Table(COLUMNS, tuple(table())) for table in tables))
