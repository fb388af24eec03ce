"""Sections of docs/validation.md: adaptive designs and delayed responses."""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np
from scipy.special import ndtr

from adaptive_reference import (
    cases_of,
    combination_test,
    fisher,
    inverse_normal,
    rpact_conditional_means,
    rpact_final_stages,
    stages_of,
)
from delayed_cases import REFERENCE as DELAYED
from delayed_cases import as_rpact, delayedgsd_tail, delayedgsd_test
from equipoise.sequential import (
    FisherCombination,
    InverseNormal,
    reestimate,
)
from equipoise.sequential.decision import Decision
from validation_table import COLUMNS, Section, Table, largest, printed_row, row, upper_power

__all__ = ["adaptive", "delayed_response"]

PACKAGE, INDEPENDENT = "rpact 4.5.0.9315", "independent integration"
TESTS = {"inverse_normal": "inverse normal", "fisher": "Fisher"}
NOT_SPENDING_ALPHA = "fisher_k4_equal_unequal_info"  # see the last section


def natural(case):
    return math.exp if case["inputs"]["endpoint"] == "hazard_ratio" else float


def stage_by_stage(case):
    """What is said after every stage of a combination test: name, ours, theirs."""
    expected, test, stages = case["expected"], combination_test(case["inputs"]["design"]), stages_of(case["inputs"])
    scale, n = natural(case), len(stages)
    yield "stage p-values", ndtr(-test.scores(stages)), expected["stage_p_values"][:n]
    kind = "product" if isinstance(test, FisherCombination) else "z"
    yield "combined statistics", test.statistics(stages), expected[f"combined_test_statistics_{kind}"][:n]
    for look in range(1, n + 1):
        seen = stages[:look]
        interval = test.repeated_interval(seen)
        theirs = [expected["repeated_ci_lower"][look - 1], expected["repeated_ci_upper"][look - 1]]
        yield "repeated limits", [scale(interval.lower), scale(interval.upper)], theirs
        yield "repeated p", [test.repeated_p_value(seen)], [expected["repeated_p_values"][look - 1]]
        # of a test that has rejected rpact says 1 for Fisher's, ours speaks of the looks to come
        if look < test.looks and (kind == "z" or test.decide(seen) is Decision.CONTINUE):
            ours = test.conditional_rejection_probability(seen)
            yield "conditional error", [ours], [expected["conditional_rejection_probabilities"][look - 1]]


def at_the_end(case):
    """What is said of a combination test that has ended, or of its stages to come: name, ours, theirs."""
    inputs, expected = case["inputs"], case["expected"]
    test, stages = combination_test(inputs["design"]), stages_of(inputs)
    if "final_p_value" in expected:
        ended = stages[: expected["final_stage"]]
        yield "final p", [test.conclude(ended).p_value], [expected["final_p_value"]]
        if isinstance(test, InverseNormal):
            conclusion, scale = test.conclude(rpact_final_stages(test, inputs, expected["final_stage"])), natural(case)
            assert conclusion.interval is not None
            ours = [conclusion.median_unbiased, conclusion.interval.lower, conclusion.interval.upper]
            names = ("median_unbiased_estimate", "final_ci_lower", "final_ci_upper")
            yield "median unbiased, limits", [scale(value) for value in ours], [expected[name] for name in names]
    if "conditional_power" in expected:
        means = rpact_conditional_means(test, inputs, stages)
        theirs = expected["conditional_power"][len(stages) :]
        yield "conditional power", test.conditional_power(stages, means), theirs


def designs():
    for case in cases_of("fisher_design"):
        if case["id"] == NOT_SPENDING_ALPHA:
            continue
        test, expected = fisher(case["inputs"]["design"]), case["expected"]
        yield "critical values", test.critical_values, expected["critical_values_product"]
        yield "alpha spent", test.alpha_spent, expected["cumulative_alpha_spent"]


def reestimated():
    for case in cases_of("sample_size_reestimation"):
        inputs, expected = case["inputs"], case["expected"]
        unit = 4 * inputs["assumed_sd"] ** 2  # patients per unit of information, half in each arm
        found = reestimate(
            inverse_normal(inputs["design"]),
            stages_of(inputs),
            inputs["assumed_effect"],
            target=inputs["target_conditional_power"],
            minimum=inputs["min_n_stage2_total"] / unit,
            maximum=inputs["max_n_stage2_total"] / unit,
        )
        yield "patients of stage 2", [found.information * unit], [expected["n_stage2_total_unrounded"]]
        theirs = [expected["conditional_power_at_min"], expected["conditional_power_at_max"]]
        yield "conditional power at the limits", [found.at_minimum, found.at_maximum], theirs


PROMISED = {
    ("inverse normal", "stage p-values"): "1e−14",
    ("inverse normal", "combined statistics"): "1e−13",
    ("inverse normal", "repeated limits"): "1e−8",
    ("inverse normal", "repeated p"): "1e−9",
    ("inverse normal", "conditional error"): "1e−7",
    ("inverse normal", "final p"): "1e−9",
    ("inverse normal", "median unbiased, limits"): "2e−8",
    ("inverse normal", "conditional power"): "1e−8",
    ("Fisher", "stage p-values"): "1e−14",
    ("Fisher", "combined statistics"): "1e−15",
    ("Fisher", "repeated limits"): "1e−9",
    ("Fisher", "repeated p"): "1e−9",
    ("Fisher", "conditional error"): "1e−13",
    ("Fisher", "final p"): "1e−13",
    ("Fisher", "conditional power"): "1e−12",
    ("Fisher", "critical values"): "2e−13",
    ("Fisher", "alpha spent"): "2e−13",
    ("re-estimation", "patients of stage 2"): "1e−8 relative",
    ("re-estimation", "conditional power at the limits"): "1e−8",
}


def summaries():
    gaps, counts = defaultdict(float), defaultdict(int)

    def add(key, values):
        for what, ours, theirs in values:
            relative = what == "patients of stage 2"
            gaps[key, what] = max(gaps[key, what], largest(ours, theirs, relative))
            counts[key, what] += np.size(theirs)

    for combination, name in TESTS.items():
        for case in cases_of("two_arm_combination_test", combination):
            add(name, stage_by_stage(case))
            add(name, at_the_end(case))
    add("Fisher", designs())
    add("re-estimation", reestimated())
    for key, gap in gaps.items():
        yield *key, PACKAGE, str(counts[key]), upper_power(gap), PROMISED[key]
    errors = cases_of("inverse_normal_conditional_error")
    found = [
        inverse_normal(case["inputs"]["design"], with_their_bounds=True).conditional_rejection_probability(
            case["inputs"]["stage_p_values"]
        )
        for case in errors
    ]
    gap = largest(found, [case["expected"]["conditional_rejection_probability"] for case in errors])
    yield "inverse normal", "conditional error", INDEPENDENT, str(len(errors)), upper_power(gap), "1e−12"


def printed_constants():
    full = FisherCombination((0.5, 1.0), 0.025, "full alpha")
    futile = FisherCombination((0.5, 1.0), 0.025, "no interaction", 0.5, True)
    source = "Bauer & Köhne 1994"
    yield printed_row("product of two p-values, α 0.025: c", source, [0.0038], full.critical_values[1:], 4)
    what = "with futility at p ≥ 0.5: α1, c"
    yield printed_row(what, source, [0.0102, 0.0038], futile.critical_values, 4)


def adaptive() -> Section:
    text = """
Combination tests on means, rates and hazard ratios of two arms, stage by stage and after they ended; Fisher's critical
values by four methods; the second stage of a trial sized again. rpact gives no median-unbiased estimate after Fisher's
test. Its limits after an inverse normal test suppose one standard deviation for all stages, and are compared under that
convention. Differences are absolute unless it says otherwise.
"""
    columns = ("Test", "Quantity", "Source", "Values", "Largest difference", "Promised")
    return Section(
        "Adaptive designs",
        text,
        (Table(columns, tuple(summaries())), Table(COLUMNS, tuple(printed_constants()))),
    )


def delayed_response() -> Section:
    text = """
Delayed-response tests (Hampson & Jennison 2013) against the unit tests of rpact, printed to eight digits, and of
DelayedGSD, whose root finding stops at 1.2e−4. rpact's non-binding designs keep earlier futility bounds when critical
values are found, ours and DelayedGSD's do not; here they are compared by its way, what follows from it is told in the
last section. Differences are relative.
"""
    gaps, counts = defaultdict(float), defaultdict(int)

    def add(what, ours, theirs):
        pairs = [(one, other) for one, other in zip(ours, theirs, strict=True) if other is not None]
        first, second = zip(*pairs, strict=True)
        gaps[what] = max(gaps[what], largest(first, second, relative=True))
        counts[what] += len(pairs)

    for case in DELAYED["rpact"]:
        test = as_rpact(case)
        lower, upper = test.continuation
        add("futility and efficacy bounds", lower[:-1], case["futility_bounds"])
        add("futility and efficacy bounds", upper, case["efficacy_bounds"])
        add("critical values at the decision", test.decision_bounds, case["decision_bounds"])
        add(
            "inflation factor and shift",
            [test.inflation_factor, test.drift**2],
            [case["inflation_factor"], case["shift"]],
        )
        powers = test.outcome_probabilities(test.drift).rejected
        add("probability of rejecting by look", powers, case["rejection_probabilities"])
        means = [test.expected_information(share * test.drift) * test.inflation_factor for share in (1.0, 0.5, 0.0)]
        theirs = [case[f"expected_information_{name}"] for name in ("1", "01", "0")]
        add("expected information", means, theirs)
    rows = [(what, PACKAGE, str(counts[what]), upper_power(gap, 1e-10), "1e−7") for what, gap in gaps.items()]
    case, test = DELAYED["delayedgsd"]["boundaries"], delayedgsd_test()
    lower, upper = test.continuation
    theirs = [*case["futility_bounds"], *case["efficacy_bounds"]]
    gap = largest([*lower[:-1], *upper[:-1]], theirs)
    rows.append(("futility and efficacy bounds (absolute)", "DelayedGSD", "4", upper_power(gap), "3e−6, 3e−8"))
    gap = largest(test.decision_bounds, case["decision_bounds"])
    rows.append(("critical values at the decision (absolute)", "DelayedGSD", "3", upper_power(gap), "1.2e−4"))
    tails = [delayedgsd_tail(case) for case in DELAYED["delayedgsd"]["p_values"]]
    gap = max(largest([ours], [theirs], relative=True) for ours, theirs in tails)
    rows.append(("p-value at the bound", "DelayedGSD", "2", upper_power(gap), "1e−5"))
    columns = ("Quantity", "Source", "Values", "Largest difference", "Promised")
    shown = row(
        "critical values, 0.1 and 0.2 in the pipeline of three looks",
        PACKAGE,
        DELAYED["rpact"][0]["decision_bounds"],
        as_rpact(DELAYED["rpact"][0]).decision_bounds,
        relative=True,
        floor=1e-10,
    )
    return Section("Delayed responses", text, (Table(COLUMNS, (shown,)), Table(columns, tuple(rows))))


if __name__ == "__main__":
    print(adaptive())
    print(delayed_response())
