"""Last section of docs/validation.md: where references disagree on sample sizes and adaptive designs."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from adaptive_reference import cases_of, combination_test, fisher, stages_of
from delayed_cases import REFERENCE as DELAYED
from delayed_cases import SPENDING, as_rpact, three_looks
from equipoise import GroupSequential, HwangShihDeCaniSpending
from equipoise.endpoints import Accrual, Counts, Means, Survival, Weibull
from equipoise.endpoints.planning.plan_rates import Rates
from equipoise.sequential.weighted_product import first_passages
from planning_reference import cases, counts_of, rates_of
from planning_reference import design_of as planned_design
from survival_planning_reference import CASES as SURVIVAL
from survival_planning_reference import RPACT, design_of, gsdesign_assumptions, rpact_assumptions
from validation_adaptive import NOT_SPENDING_ALPHA
from validation_table import number, numbers

__all__ = ["ON_ADAPTIVE", "ON_PLANS"]


def weibull():
    case = SURVIVAL["surv_f1_weibull"]
    given, expected = case["inputs"], case["expected"]
    control, ratio = Weibull(given["control_hazard"], given["weibull_shape"]), given["hazard_ratio"]
    as_rpact_does = rpact_assumptions(given).sample_size(design_of(given["design"])).patients
    assumed = Survival(control, Accrual.uniform(12), ratio, follow_up=6)
    between = Survival(control, Accrual.uniform(12), experimental=rpact_assumptions(given).laws[0], follow_up=6)
    yield (
        f"Weibull survival, shape {number(given['weibull_shape'])}, hazard ratio {number(ratio)}: patients",
        f"rpact: {number(expected['max_n'], 7)}, the rate λ multiplied by the hazard ratio",
        f"ours with the event times of rpact: {number(as_rpact_does, 7)}; the hazard ratio between them is "
        f"{number(between.effect, 5)}",
        number(assumed.sample_size(design_of(given["design"])).patients, 7),
        "Ours: λ is to be multiplied by the hazard ratio to the power 1 / shape. rpact counts the events for the "
        "ratio given, and lets them come as if it were the other.",
    )


def stops_for_harm():
    gaps = []
    for name in RPACT:
        given, expected = SURVIVAL[name]["inputs"], SURVIVAL[name]["expected"]
        design = design_of(given["design"])
        if design.sided == 2 and given["problem"] == "sample_size" and design.looks > 1:
            found = rpact_assumptions(given).sample_size(design, patients=given.get("max_n"))
            gaps.append(1 - found.full_effect.duration / expected["study_duration_h1"])
    yield (
        "Expected duration and patients of two-sided survival designs under the effect",
        f"rpact's sample sizes: stops for harm left out, up to {number(max(gaps), 2)} longer, relatively",
        "rpact's expected events, and its power function: stops for harm counted",
        "counted",
        "Ours. The difference is of no consequence.",
    )


def event_formulas():
    names = ("nsurv_lachinfoulkes", "nsurv_schoenfeld")
    theirs = [SURVIVAL[name]["expected"]["events"] for name in names]
    ours = []
    for name in names:
        given = SURVIVAL[name]["inputs"]
        design = GroupSequential((1.0,), given["alpha"], given["sided"], beta=given["beta"])
        ours.append(gsdesign_assumptions(given).sample_size(design).maximum_events)
    yield (
        "Events for one and the same hazard ratio",
        f"gsDesign by default (Lachin-Foulkes): {number(theirs[0], 5)}",
        f"rpact by default, and gsDesign on request (Schoenfeld): {number(theirs[1], 5)}",
        f"Schoenfeld {number(ours[1], 5)}; Lachin-Foulkes on request {number(ours[0], 5)}",
        "A convention: approximations that differ little near a ratio of 1. With the same formula all agree.",
    )


def exact_test():
    case = next(case for case in cases("rate") if case["inputs"].get("normal_approximation") is False)
    inputs, expected = case["inputs"], case["expected"]
    design = planned_design(inputs["design"])
    size, null = expected["n_fixed"], inputs["null_value"]
    ours = rates_of(inputs).power(design, size).efficacy_effects
    normal = Rates(inputs["p1"], margin=null).power(design, size).efficacy_effects
    yield (
        f"Critical proportion of the exact test of one group of {number(size)} against {number(null)}",
        f"rpact: {numbers(expected['critical_values_effect_scale'], 6)}",
        f"our normal test: {numbers(normal, 6)}",
        f"{numbers(ours, 6)}",
        f"Ours: the binomial tail from {number(round(float(ours[0]) * size))} events on is below α, from one fewer it "
        "is not. rpact prints the normal test's. Sizes and power agree.",
    )


def power_at_the_size():
    design = GroupSequential((0.3, 0.65, 1.0), 0.025, 1, futility=HwangShihDeCaniSpending(-2), beta=0.1)
    means, rates = Means(1.0, 1.2), Rates(0.5, 0.1)
    t, score = (assumed.power(design, assumed.sample_size(design).patients).power for assumed in (means, rates))
    yield (
        "Power at the size found for power 0.9, three looks with futility, t test and score test",
        "sample size, rpact and ours: that of the fixed design times the inflation factor",
        "power, rpact and ours: at the drift that the fixed test has with as many patients",
        f"t test (effect 1, SD 1.2): {number(t, 5)}; rates 0.5 and 0.1: {number(score, 5)}",
        "Both approximate, and not quite the same; the sizes are on the safe side here. With a standard deviation "
        "taken as known the two are equal.",
    )


def counts_in_calendar_time():
    case = next(case for case in cases("count_negative_binomial") if case["id"] == "count_g3")
    wanted = case["expected"]["critical_values_effect_scale"]
    design = planned_design(case["inputs"]["design"])
    found = counts_of(case["inputs"]).power(design, case["expected"]["max_n"]).efficacy_effects
    arrivals = 24 - np.linspace(0, 12, 74)
    early = Counts(0.3, 0.45, 0.6, tuple(arrivals[:47]))
    size = np.array([47.0, 47.0])
    theirs = early.critical_effects(design.efficacy_bounds[:1], np.array([1 / 3]), size)
    yield (
        "Rate ratio on the bound at the looks of a trial that recruits as it goes",
        f"rpact: {numbers(wanted, 5)}",
        "with the exposures at the trial's end of those there by the first look, times the fraction of information: "
        f"{numbers(theirs, 5)} at the first",
        numbers(found, 5),
        "Ours: at the first look the exposures that there are then. At the last, entry times differ: rpact's evenly "
        "spaced from the first day to the last, ours uniform.",
    )


def fisher_with_unequal_looks():
    case = next(case for case in cases_of("fisher_design") if case["id"] == NOT_SPENDING_ALPHA)
    design, theirs = case["inputs"]["design"], np.array(case["expected"]["critical_values_product"])
    ours = fisher(design)
    spent = first_passages(ours.exponents, -np.log(theirs)).sum()
    yield (
        "Fisher's combination test, four looks of unequal size: last critical value",
        f"rpact: {number(theirs[-1], 8)}",
        f"which spends {number(spent, 7)} of {number(design['alpha'])}",
        f"{number(ours.critical_values[-1], 8)}, spending "
        f"{number(first_passages(ours.exponents, ours.thresholds).sum(), 7)}",
        "Ours: α is what is to be spent. rpact's size of a product with these exponents has lost digits; its other "
        "designs agree, as shown above.",
    )


def after_rejection():
    yield (
        "Conditional error of a combination test that has rejected",
        "rpact, Fisher: 1",
        "rpact, inverse normal: the probability of rejecting at a look to come",
        "the latter for both",
        "A convention.",
    )


def limits_of_combination_tests():
    gaps = {}
    for case in cases_of("two_arm_combination_test", "inverse_normal"):
        expected, inputs = case["expected"], case["inputs"]
        if "final_p_value" not in expected:
            continue
        conclusion = combination_test(inputs["design"]).conclude(stages_of(inputs)[: expected["final_stage"]])
        interval, endpoint = conclusion.interval, inputs["endpoint"]
        assert interval is not None
        scale = math.exp if endpoint == "hazard_ratio" else float
        gap = max(
            abs(scale(interval.lower) - expected["final_ci_lower"]),
            abs(scale(interval.upper) - expected["final_ci_upper"]),
        )
        gaps[endpoint] = max(gaps.get(endpoint, 0.0), gap)
    yield (
        "Final limits of an inverse normal test",
        "rpact: limits of the drift times one standard deviation pooled over the stages (means), or that of the pooled "
        "rate (rates)",
        f"ours: every stage against each hypothesised effect; up to {number(gaps['mean_difference'], 2)} apart for "
        f"means, {number(gaps['risk_difference'], 2)} for rates",
        "each stage's own t or score test",
        "Ours holds the stages' tests that gave the decision. Hazard ratios and p-values agree.",
    )


def delayed_without_binding_futility():
    case = next(case for case in DELAYED["rpact"] if not case["binding"])
    spending = SPENDING[case["spending"]]
    own = three_looks(False, tuple(case["pipeline"]), efficacy=spending, futility=spending)

    def worst(test) -> float:
        """Largest type I error over all ways to overrule futility."""
        region = test.region
        errors = []
        for followed in np.ndindex(2, 2):
            lower = np.where([*followed, 1], region.lower, -math.inf)
            errors.append(dataclasses.replace(region, lower=lower).outcomes(np.zeros(1)).rejected.sum())
        return max(errors)

    theirs, ours = as_rpact(case), own
    yield (
        "Delayed-response test with non-binding futility (Pocock type, α 0.05): critical values at the decision",
        f"rpact: {numbers([bound for bound in case['decision_bounds'] if bound is not None], 8)}",
        "DelayedGSD: earlier futility bounds left out, as ours",
        numbers(ours.decision_bounds, 8),
        "Ours, if futility may be overruled: only then is the error at most α whatever is overruled. In this design "
        f"it is so either way, at most {number(worst(theirs), 4)} with rpact's values, {number(worst(ours), 4)} with "
        "ours.",
    )


ON_PLANS = (weibull, stops_for_harm, event_formulas, exact_test, power_at_the_size, counts_in_calendar_time)
ON_ADAPTIVE = (
    fisher_with_unequal_looks,
    limits_of_combination_tests,
    after_rejection,
    delayed_without_binding_futility,
)
