"""Last section of docs/validation.md: where references disagree on stopping bounds."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import log_ndtr, ndtri, ndtri_exp

from boundaries_reference import BY_NAME, CASES, below, bounds, design_for
from region_exits import exit_probabilities
from validation_bounds import family
from validation_table import largest, number, numbers, upper_power

__all__ = ["ON_BOUNDS"]


def first_bound_from_logarithms(time: float, side_alpha: float) -> float:
    """First bound of one-sided O'Brien-Fleming type spending, 2 - 2 Phi(z / sqrt(t)), by logarithms of tails."""
    spent = math.log(2) + float(log_ndtr(float(ndtri(side_alpha / 2)) / math.sqrt(time)))
    return -float(ndtri_exp(spent))


def far_tail():
    name = "eff_asOF_k10_s1_eq"
    inputs, expected = BY_NAME[name]["inputs"], BY_NAME[name]["expected"]
    exact = first_bound_from_logarithms(inputs["information_rates"][0], inputs["alpha"])
    independent = expected["verification"]["independent_critical_values"][0]
    yield (
        "First of ten bounds, O'Brien-Fleming type spending (tail near 1e−12)",
        f"independent integration and gsDesign: {number(independent)}",
        f"rpact: {number(expected['critical_values'][0])}",
        number(design_for(name).efficacy_bounds[0]),
        f"rpact and ours. The tail's logarithm gives {number(exact)} without any integration; the others, "
        f"{number(abs(exact - independent), 2)} off, take 1 − p, which keeps four digits of such a tail.",
    )
    name = "eff_asOF_k10_s1_uneq"
    expected, ours = BY_NAME[name]["expected"], design_for(name).efficacy_bounds
    time = BY_NAME[name]["inputs"]["information_rates"][0]
    gsdesign = expected["verification"]["gsdesign"]["critical_values"]
    independent = expected["verification"]["independent_critical_values"][1]
    yield (
        f"The same with unequal looks, the first at {number(time)} of the information (tail near 1e−23)",
        "rpact: no bound",
        f"gsDesign: {number(gsdesign[0])}",
        number(ours[0]),
        f"Ours: the tail's logarithm gives {number(first_bound_from_logarithms(time, 0.025))}. rpact drops tails "
        "below 1e−15, gsDesign stops at 20. No trial would notice.",
    )
    two_sided = BY_NAME["eff_asOF_k10_s2_uneq"]["expected"]["critical_values"]
    binding = BY_NAME["fut_asOF_bsHSD-2_k10_binding_uneq"]["expected"]["critical_values"][1]
    yield (
        "Its second bound (tail near 1e−10)",
        f"independent integration: {number(independent)}",
        f"rpact: {number(expected['critical_values'][1])}; with a binding futility bound {number(binding)}; "
        f"two-sided none, and {number(two_sided[2])} for the third bound",
        f"{number(ours[1])}; third {number(ours[2])}",
        f"Ours; the independent value is {number(abs(ours[1] - independent), 2)} off, again from 1 − p. rpact's "
        "bounds of one and the same tail depend on the rest of the design. Tail probabilities agree to 1e−9.",
    )


def bounds_of_spending_designs():
    gsdesign, rpact_few, rpact_many = [], [], []
    for case in CASES:
        if not case["inputs"]["efficacy"]["type"].startswith("spending"):
            continue
        design, expected = design_for(case["id"]), case["expected"]
        theirs, other = bounds(expected["critical_values"]), (expected["verification"] or {}).get("gsdesign")
        near = (theirs <= 4) & (design.efficacy_bounds <= 4)
        if design.futility is not None:
            continue
        (rpact_few if design.looks <= 5 else rpact_many).append(largest(design.efficacy_bounds[near], theirs[near]))
        if other and other["tol"] == 1e-10:
            gsdesign.append(largest(design.efficacy_bounds[near], bounds(other["critical_values"])[near]))
    yield (
        "Bounds of spending designs, z up to 4",
        f"rpact: {upper_power(max(rpact_few))} from ours up to 5 looks, {upper_power(max(rpact_many))} at 10",
        f"gsDesign (r = 80, designs solved to 1e−10): {upper_power(max(gsdesign))} from ours",
        "independent integration: < 1e−10 from ours",
        "gsDesign, the independent integration and ours. rpact's grid has fewer points, and it spends α − 1e−8.",
    )


def information():
    designs, gaps, at_theirs = set(), [], []
    for case in CASES:
        design, expected = design_for(case["id"]), case["expected"]
        if design.looks > 5 or design.futility is not None or expected.get("drift") is None:
            continue
        drifts = np.array([0.0, 0.5, 1.0])
        ours = [design.expected_information(drift * design.drift) * design.inflation_factor for drift in drifts]
        names = ("asn_ratio_h0", "asn_ratio_h01", "asn_ratio_h1")
        theirs = [expected["inflation_factor"], *(expected[name] or 1.0 for name in names)]
        gap = largest([design.inflation_factor, *ours], theirs)
        if gap > 2e-8:
            designs.add(case["id"])
            gaps.append(gap)
            times, upper = np.array(case["inputs"]["information_rates"]), bounds(expected["critical_values"])
            lower = -upper if design.sided == 2 else np.full(upper.shape, -np.inf)
            above, under = exit_probabilities(times, lower, upper, drifts * expected["drift"])
            ratios = (1 - (above + under)[:, :-1] @ (1 - times[:-1])) * expected["inflation_factor"]
            at_theirs.append(largest(ratios, theirs[1:]))
    yield (
        "Inflation factor and expected information up to five looks",
        f"rpact: beyond 2e−8 from ours in {len(designs)} designs, all one-sided with five looks, by at most "
        f"{number(max(gaps), 2)}",
        f"rpact's own bounds put through our integration: {upper_power(max(at_theirs), 1e-10)} from rpact",
        "as by exact bounds",
        "Ours. The difference is that of rpact's bounds, carried on.",
    )


def binding_futility():
    gaps = {"gsDesign": 0.0, "rpact": 0.0, "gsDesign inflation": 0.0, "rpact inflation": 0.0}
    for case in CASES:
        design, expected = design_for(case["id"]), case["expected"]
        other = (expected["verification"] or {}).get("gsdesign")
        if design.futility is None or not design.binding or design.looks < 10 or not other:
            continue
        for name, values, inflation in (
            ("gsDesign", other, other["inflation_factor"]),
            ("rpact", expected, expected["inflation_factor"]),
        ):
            theirs = bounds(values["critical_values"])
            near = (theirs <= 4) & (design.efficacy_bounds <= 4)
            gap = largest(design.efficacy_bounds[near], theirs[near])
            futile = below(values)[: design.looks - 1]
            gap = max(gap, largest(design.futility_bounds[: futile.size], futile))
            gaps[name] = max(gaps[name], gap)
            gaps[f"{name} inflation"] = max(gaps[f"{name} inflation"], abs(design.inflation_factor - inflation))
    yield (
        "Ten looks with binding futility bounds",
        f"gsDesign: bounds up to {number(gaps['gsDesign'], 2)}, inflation {number(gaps['gsDesign inflation'], 2)} "
        "from ours",
        f"rpact: {upper_power(gaps['rpact'])} and {upper_power(gaps['rpact inflation'])}",
        "as rpact",
        "rpact and ours, found by different code. gsDesign solves for both bounds to the tolerance asked, 1e−6 "
        "here, and at much finer ones often fails.",
    )


def two_sided_power():
    name, gap = "", 0.0
    for case in CASES:
        values = case["expected"]["verification"] or {}
        if "independent_power_both_tails" in values:
            both = values["independent_power_both_tails"] - values["independent_power_upper_only"]
            name, gap = max((name, gap), (case["id"], both), key=lambda pair: pair[1])
    inputs = BY_NAME[name]["inputs"]
    yield (
        "Power of two-sided designs",
        "rpact's and gsDesign's designs and sample sizes: the upper boundary only",
        f"rpact's getPower functions: both, up to {number(gap, 2)} more in a design of the reference "
        f"({family(inputs['efficacy'])}, {inputs['n_looks']} looks)",
        "the upper boundary only; `power_either_direction` both",
        "A convention: to reject in the wrong direction is no success.",
    )


def no_early_efficacy():
    name = "eff_no_early_efficacy_k3_s1"
    expected, design = BY_NAME[name]["expected"], design_for(name)
    beta, stops = BY_NAME[name]["inputs"]["beta"], np.cumsum(expected["futility_probability_per_look_h1"])
    spent, ours = expected["cumulative_beta_spent"], design.beta_spent
    assert ours is not None
    bound, own = expected["futility_bounds"][-1], design.futility_bounds
    assert own is not None
    yield (
        f"Futility by β spending (β {number(beta)}, O'Brien-Fleming type) without early efficacy",
        f"rpact by its own count: {numbers(spent, 8)} spent; second bound {number(bound)}",
        f"rpact's probabilities of futility, added up to the second look: {number(stops[-1], 8)}",
        f"{numbers(ours, 8)} spent; second bound {number(own[-2])}",
        f"Ours: β is {number(beta)}, and what has been spent by a look is the sum of the stops there.",
    )


ON_BOUNDS = (
    bounds_of_spending_designs,
    far_tail,
    information,
    binding_futility,
    no_early_efficacy,
    two_sided_power,
)
