"""Sections of docs/validation.md: stopping bounds, inference after stopping, sample size, the trial that ships."""

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
from boundaries_reference import BY_NAME, CASES, below, bounds, design_for
from equipoise import Estimate, gallery, plan
from sample_size_reference import CASES as SIZES
from sample_size_reference import protocol_of
from validation_table import COLUMNS, Section, Table, largest, printed_row, row, upper_power

RPACT = "rpact 4.5.0.9315"
NAMES = {
    "spending_lan_demets_obrien_fleming": "O'Brien-Fleming type",
    "spending_lan_demets_pocock": "Pocock type",
    "spending_kim_demets_power": "power",
    "spending_hwang_shih_decani": "Hwang-Shih-DeCani",
    "spending_user": "user's own",
}
HEADLINES = [
    f"eff_{family}_k3_s{sided}_eq"
    for family in ("asOF", "asP", "asKD1", "asKD3", "asHSD-4", "asHSD1")
    for sided in (1, 2)
] + ["eff_user_k3_s1", "eff_user_k4_s2"]
FUTILE = [
    f"fut_asOF_bs{family}_k3_{kind}_eq" for kind in ("binding", "nonbinding") for family in ("OF", "P", "KD2", "HSD-2")
]


def family(given) -> str:
    parameters = [f"{sign} = {given[name]}" for name, sign in (("rho", "ρ"), ("gamma", "γ")) if name in given]
    return NAMES[given["type"]] + (f" ({parameters[0]})" if parameters else "").replace("-", "−")


def sides(sided: int) -> str:
    return "two-sided" if sided == 2 else "one-sided"


def fractions(times) -> str:
    return ", ".join(f"{time:.4g}" for time in times)


def bound_rows():
    for name in HEADLINES:
        inputs, expected = BY_NAME[name]["inputs"], BY_NAME[name]["expected"]
        what = (
            f"{family(inputs['efficacy'])}, {sides(inputs['sided'])}, looks at {fractions(inputs['information_rates'])}"
        )
        yield row(what, RPACT, expected["critical_values"], design_for(name).efficacy_bounds)


def futility_rows():
    for name in FUTILE:
        case = BY_NAME.get(name)
        if case is None:
            continue
        inputs, expected, design = case["inputs"], case["expected"], design_for(name)
        kind = "binding" if inputs["futility"]["binding"] else "non-binding"
        what = f"{family(inputs['futility'])} β spending, {kind}, looks at {fractions(inputs['information_rates'])}"
        theirs = [*expected["futility_bounds"], expected["inflation_factor"]]
        yield row(what, RPACT, theirs, [*design.futility_bounds[:-1], design.inflation_factor])


def bound_summaries():
    groups = defaultdict(list)
    for case in CASES:
        inputs = case["inputs"]
        what = f"{NAMES[inputs['efficacy']['type']]}, {sides(inputs['sided'])}"
        if inputs["futility"]["type"] != "none":
            what += ", futility bound " + ("binding" if inputs["futility"]["binding"] else "non-binding")
        groups[what].append(case)
    for what, cases in groups.items():
        few, many, independent, spent = [], [], [], []
        for case in cases:
            design, expected = design_for(case["id"]), case["expected"]
            ours, theirs = design.efficacy_bounds, bounds(expected["critical_values"])
            near = theirs <= 4
            gap = largest(ours[near], theirs[near])
            if design.futility is not None:
                gap = max(gap, largest(design.futility_bounds[:-1], below(expected)))
            (few if design.looks <= 5 else many).append(gap)
            spent.append(largest(ndtr(-ours), ndtr(-theirs)))
            other = expected["verification"].get("independent_critical_values")
            if other is not None:
                known = bounds(other) < 5
                independent.append(largest(ours[known], bounds(other)[known]))
        cells = [upper_power(max(gaps), 1e-10) if gaps else "–" for gaps in (few, many, independent, spent)]
        yield what, str(len(cases)), *cells


def stopping_bounds() -> Section:
    text = """
Bounds on z (α 0.025 on each side; β 0.2) from recursive integration. The first table shows one design of each
spending family, the second futility bounds followed by the inflation factor, both with three looks or as stated; the
third summarises all reference designs by the largest difference of any bound, and names what the tests promise in its
headings. Beyond z = 4 tail probabilities are compared instead of z, which there magnifies the rounding of a
reference; "independent" is a second recursive Gauss-Legendre integration, written apart from this package, with an
error near 1e−13. Differences are absolute.
"""
    return Section(
        "Stopping bounds",
        text,
        (
            Table(COLUMNS, tuple(bound_rows())),
            Table(COLUMNS, tuple(futility_rows())),
            Table(
                (
                    "Spending family",
                    "Designs",
                    "rpact, up to 5 looks (1e−7)",
                    "rpact, 10 looks (1e−5)",
                    "independent, z < 5 (1e−9)",
                    "rpact, tail probability (2e−8 up to 5 looks, 3e−6)",
                ),
                tuple(bound_summaries()),
            ),
        ),
    )


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
    limits = [
        conclusion.trial.standardised_effect(tail, lambda mean: inputs["z"] - mean) * error for tail in (0.025, 0.975)
    ]
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
section. Differences are absolute, on the natural scale (hazard ratios, not their logarithms).
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


def sample_size() -> Section:
    text = """
Two-sample comparison of means by the normal approximation: patients in both arms, before rounding up to whole
patients, through the whole path from protocol to plan. Differences are relative; 1e−6 is promised, for rpact finds
sizes by a root search.
"""
    rows = []
    for case in SIZES:
        given, design = case["inputs"], case["inputs"]["design"]
        what = f"effect {given['alternative']:g}, SD {given['sd']:g}, {sides(design['sided'])} α {design['alpha']:g}"
        what += f", power {1 - design['beta']:g}"
        if design["n_looks"] > 1:
            what += f", looks at {fractions(design['information_rates'])}"
        if design["futility"]["type"] != "none":
            what += f", futility {family(design['futility'])}"
        planned = plan(protocol_of(case))
        rows.append(
            row(
                what,
                f"{RPACT}, getSampleSizeMeans",
                [case["expected"]["max_n"]],
                [planned.unrounded_patients],
                relative=True,
                floor=1e-10,
            )
        )
    return Section("Sample size", text, (Table(COLUMNS, tuple(rows)),))


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
