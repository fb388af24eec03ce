"""Sections of docs/validation.md: inference after stopping, the trial that ships."""

from __future__ import annotations

import math
from collections import defaultdict

from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from after_stopping_reference import (
    CANONICAL,
    ENDED,
    SPENDING,
    as_rpact_scales_limits,
    design_with_bounds,
    estimate_at,
    spending_design,
)
from equipoise import Estimate, gallery, plan
from validation_bounds import RPACT
from validation_table import COLUMNS, Section, Table, printed_row, row, upper_power

QUANTITIES = ("p", "median unbiased", "lower limit", "upper limit")
SHOWN = {
    "canon_asOF3_look2": "z = 2.74 at the second of three looks",
    "canon_P2_look1": "z at the first of two looks, classical Pocock bounds",
    "canon_WT5_look5": "z at the last of five looks, Wang-Tsiatis bounds",
    "surv_asOF3_stage3": "hazard ratio, last of three looks",
    "surv_OF4_stage3": "hazard ratio, third of four looks, classical O'Brien-Fleming bounds",
    "surv_asOF3s2_stage3": "hazard ratio, last of three looks, two-sided",
    "rate2_asOF3_stage3": "risk difference, last of three looks",
    "mean2_normal_stage2": "mean difference, normal, second look",
    "mean2_OF4_strong_stage1": "mean difference, t test, stopped at the first look",
}


def after_canonical(case):
    """p, median-unbiased estimate and limits: theirs and ours."""
    inputs, expected = case["inputs"], case["expected"]
    error = inputs["information"][-1] ** -0.5
    design = design_with_bounds(inputs["design"])
    conclusion = design.conclude(Estimate(inputs["z"] * error, error), look=inputs["stopped_at_look"])
    limits = [mean * error for mean in conclusion.trial.means(inputs["z"], (0.025, 0.975))]
    names = ("final_p_value_one_sided", "median_unbiased_estimate", "final_ci_lower", "final_ci_upper")
    return [expected[name] for name in names], [conclusion.p_value, conclusion.median_unbiased, *limits]


def after_rpact(case, as_rpact: bool = True):
    """The same for a case of rpact, on the natural scale; with `as_rpact` by its way to scale limits."""
    inputs, expected = case["inputs"], case["expected"]
    look = expected["final_stage"]
    estimate, design = estimate_at(inputs, expected, look - 1), design_with_bounds(inputs["design"])
    conclusion = design.conclude(estimate, look=look)
    p_value = conclusion.p_value
    if look > 1 and as_rpact:
        conclusion = design.conclude(as_rpact_scales_limits(inputs, estimate, look - 1), look=look)
    effects = (conclusion.median_unbiased, conclusion.interval.lower, conclusion.interval.upper)
    names = ("final_p_value", "median_unbiased_estimate", "final_ci_lower", "final_ci_upper")
    return [expected[name] for name in names], [p_value, *(estimate.scale.natural(effect) for effect in effects)]


def known(theirs, ours):
    pairs = [(first, second) for first, second in zip(theirs, ours, strict=True) if first is not None]
    return [first for first, _ in pairs], [second for _, second in pairs]


def repeated_gaps():
    """Largest differences of repeated p-values and of repeated limits from rpact's, and how many of each."""
    p_values, limits = [], []
    for case in SPENDING:
        inputs, expected = case["inputs"], case["expected"]
        design = spending_design(inputs["design"])
        for look in range(inputs["analysis_stage"]):
            estimate = estimate_at(inputs, expected, look)
            conclusion, theirs = design.conclude(estimate, look=look + 1), expected["repeated_p_values"][look]
            if theirs < 0.4999:
                p_values.append(abs(conclusion.repeated_p_value - theirs))
            if inputs["endpoint"] != "risk_difference":
                interval = conclusion.repeated_interval
                for value, name in ((interval.lower, "repeated_ci_lower"), (interval.upper, "repeated_ci_upper")):
                    limits.append(abs(estimate.scale.natural(value) - expected[name][look]))
    return p_values, limits


def after_stopping() -> Section:
    text = """
Stage-wise ordering: p-value, median-unbiased estimate, lower and upper confidence limit, in this order. rpact finds
limits by a root search that stops near 1e−7. Of t statistics and risk differences after the first look, limits are
compared by rpact's own way of scaling them; how far that lies from ours, and why ours differ, is told in the last
section. For the other orderings and estimators (sample mean, likelihood ratio, bias-adjusted, unbiased, conditional) no
other package's numbers are known to us; the tests hold them to closed forms, quadrature and simulation. Differences are
absolute, on the natural scale (hazard ratios, not their logarithms).
"""
    independent = "independent integration"
    shown, gaps, counts = [], defaultdict(float), defaultdict(int)
    for cases, source, compared in ((CANONICAL, independent, after_canonical), (ENDED, RPACT, after_rpact)):
        for case in cases:
            theirs, ours = compared(case)
            if case["id"] in SHOWN:
                shown.append(row(SHOWN[case["id"]], source, *known(theirs, ours), floor=1e-10))
            for name, first, second in zip(QUANTITIES, theirs, ours, strict=True):
                if first is not None:
                    key = (name, source)
                    gaps[key], counts[key] = max(gaps[key], abs(first - second)), counts[key] + 1
    summary = [
        (name, source, str(counts[name, source]), upper_power(gap, 1e-10), "1e−9" if source == independent else "1e−6")
        for (name, source), gap in gaps.items()
    ]
    p_values, limits = repeated_gaps()
    for name, values in (("repeated p", p_values), ("repeated limits", limits)):
        summary.append((name, RPACT, str(len(values)), upper_power(max(values), 1e-10), "1e−6"))
    columns = ("Quantity", "Source", "Values", "Largest difference", "Promised")
    return Section("Inference after stopping", text, (Table(COLUMNS, tuple(shown)), Table(columns, tuple(summary))))


def two_look_bounds(times: tuple[float, float], alpha: float) -> tuple[float, float]:
    """O'Brien-Fleming type spending at two looks, alpha on both sides, by adaptive quadrature and nothing of ours."""
    spent = 2 * ndtr(ndtri(alpha / 4) / math.sqrt(times[0]))
    first = -float(ndtri(spent))
    root, rest = math.sqrt(times[0] / times[1]), math.sqrt(1 - times[0] / times[1])

    def missing(second: float) -> float:
        def crossing(z: float) -> float:
            return math.exp(-z * z / 2) / math.sqrt(2 * math.pi) * float(ndtr((root * z - second) / rest))

        return quad(crossing, -first, first, epsabs=1e-14, epsrel=1e-13)[0] - (alpha / 2 - spent)

    return first, float(brentq(missing, 1.0, 4.0, xtol=1e-13))


def flagship() -> Section:
    text = """
The trial that ships as `ptsd-ketamine`: stopped at 30 of 40 patients, bounds of O'Brien-Fleming type assumed,
two-sided 0.05. The expected bounds were fixed before the package was written, to the three decimals shown first; then
by adaptive quadrature to more. The published effect is 11.88 points; its standard error of 3.96 is recalled from the
abstract.
"""
    planned = plan(gallery("ptsd-ketamine"))
    ours = planned.design.efficacy_bounds
    quadrature = "scipy.integrate.quad, one dimension"
    conclusion = planned.design.conclude(Estimate(-11.88, 3.96, better="lower"), look=1)
    interval = conclusion.observed_interval
    half = -float(ndtri(0.025)) * 3.96
    rows = (
        printed_row("bounds on z at 0.75 and 1", "fixed beforehand", (2.340, 2.012), ours, 3),
        row("bounds on z at 0.75 and 1", quadrature, two_look_bounds((0.75, 1.0), 0.05), ours, floor=1e-10),
        row("z of 11.88 (3.96)", "11.88 / 3.96", [3.0], [conclusion.z]),
        row(
            "95 % interval as if there had been one look",
            "−11.88 ± 1.959964 × 3.96",
            [-11.88 - half, -11.88 + half],
            [interval.lower, interval.upper],
        ),
    )
    return Section("The trial that ships", text, (Table(COLUMNS, rows),))
