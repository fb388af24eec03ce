"""Section of docs/validation.md: sample size and power of every endpoint."""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np

import equipoise as eq
from equipoise.endpoints.planning.plan_means import Means
from equipoise.endpoints.planning.plan_repeated import RepeatedMeasures
from planning_reference import (
    GSDESIGN_RATES,
    T_TESTS,
    cases,
    compared,
    counts_of,
    design_of,
    gsdesign_rates_of,
    means_of,
    planned,
    rates_of,
)
from published_values import LU_LUO_CHEN_CORRELATIONS, LU_LUO_CHEN_TABLE_1, LU_LUO_CHEN_TABLE_2
from sample_size_reference import CASES as ONE_VISIT
from sample_size_reference import protocol_of
from survival_planning_reference import CASES as SURVIVAL
from survival_planning_reference import (
    GSSURV,
    NSURV,
    RPACT,
    gssurv_numbers,
    nsurv_numbers,
    rpact_assumptions,
    rpact_numbers,
)
from validation_table import COLUMNS, Section, Table, row, upper_power

__all__ = ["sample_size"]

PACKAGE, GS = "rpact 4.5.0.9315", "gsDesign 3.11.0.9003"
# a number near 0 agrees to this, all others relatively
FLOORS = {"futility_bounds_effect_scale": 1e-7, "futility_probability_per_look": 1e-8}
SHOWN = (
    ("mean2_f1_norm0", "mean difference, t test"),
    ("mean2_g3_noninferiority", "mean difference, non-inferiority, three looks"),
    ("rate2_diff_f1", "risk difference"),
    ("rate2_g3_rr_noninferiority", "risk ratio, non-inferiority, three looks"),
    ("surv_f1_schoenfeld_ratio2", "hazard ratio, allocation 2:1"),
    ("surv_g3_piecewise_hazard", "hazard ratio, piecewise hazards, three looks"),
)


def differences(ours, theirs, floor: float = 0.0) -> np.ndarray:
    """Relative differences, of what exceeds the floor."""
    first, second = np.asarray(ours, dtype=float).ravel(), np.asarray(theirs, dtype=float).ravel()
    gaps = np.clip(np.abs(first - second) - floor, 0.0, None)
    return gaps / np.where(second == 0, 1.0, np.abs(second))


def rpact_plans():
    for case in cases("mean"):
        for _, ours, theirs, floor in compared(planned(means_of(case["inputs"]), case), case):
            yield "means", case["id"], PACKAGE, ours, theirs, floor
    for case in cases("rate"):
        rates = rates_of(case["inputs"])
        skip = ("critical_values_effect_scale",) if rates.test == "exact" else ()
        for _, ours, theirs, floor in compared(planned(rates, case), case, skip):
            yield "rates", case["id"], PACKAGE, ours, theirs, floor
    for name in RPACT:
        ours = rpact_numbers(name)
        for key, theirs in SURVIVAL[name]["expected"].items():
            yield "survival", name, PACKAGE, ours[key], theirs, FLOORS.get(key, 0.0)
    for case in cases("count_negative_binomial"):
        expected, counts = case["expected"], counts_of(case["inputs"])
        found = counts.sample_size(design_of(case["inputs"]["design"]))
        what, name = "counts, information and whole patients", case["id"]
        yield what, name, PACKAGE, counts.information(found.per_arm), expected["max_information"], 0.0
        whole = [math.ceil(count) for count in found.per_arm]
        yield what, name, PACKAGE, whole, [expected["max_n_group1"], expected["max_n_group2"]], 0.0


def other_plans():
    for case in GSDESIGN_RATES:
        inputs, expected = case["inputs"], case["expected"]
        design = eq.GroupSequential((1.0,), inputs["alpha"], inputs["sided"], beta=inputs["beta"])
        found = gsdesign_rates_of(inputs).sample_size(design)
        theirs = [expected["n_total"], expected["n_group1"], expected["n_group2"]]
        yield "rates (Farrington-Manning)", case["id"], GS, [found.fixed_patients, *found.per_arm], theirs, 0.0
    for names, numbers, source in (
        (NSURV, nsurv_numbers, f"{GS}, nSurv"),
        (GSSURV, gssurv_numbers, f"{GS}, gsSurv"),
    ):
        for name in names:
            ours = numbers(name)
            for key, theirs in SURVIVAL[name]["expected"].items():
                yield "survival", name, source, ours[key], theirs, 0.0
    for case in T_TESTS:
        inputs, wanted = case["inputs"], case["expected"]
        means = Means(inputs["delta"], inputs["sd"], groups=inputs["groups"])
        sided = 2 if inputs["alternative"] == "two.sided" else 1
        design = eq.GroupSequential((1.0,), inputs["alpha"], sided, beta=0.5)
        found = means.power(design, inputs["groups"] * wanted["n_per_group"])
        power = found.power_either_direction if inputs["strict_both_tails"] else found.power
        yield "means", case["id"], "R 4.2.2, power.t.test", power, wanted["power"], 0.0


def repeated_measures():
    source = "Lu, Luo & Chen 2008, tables 1 and 2"
    design = eq.GroupSequential((1.0,), 0.05, 2, beta=0.1)
    for phi, allocation, patients in LU_LUO_CHEN_TABLE_1:
        plan = RepeatedMeasures(0.5, [[1.0]], [[1 / value] for value in phi], allocation=allocation)
        yield "repeated measures (MMRM)", phi, source, plan.sample_size(design).patients, patients, 0.0
    for (visits, lost), line in LU_LUO_CHEN_TABLE_2.items():
        steps = np.abs(np.subtract.outer(np.arange(visits), np.arange(visits))) / (visits - 1)
        for correlation, phi in zip(LU_LUO_CHEN_CORRELATIONS, line, strict=True):
            matrix = np.where(steps == 0, 1.0, correlation**steps)
            plan = RepeatedMeasures(1.0, matrix, np.linspace(1, 1 - lost, visits))
            yield "repeated measures (MMRM)", (visits, lost), source, plan.variance_inflation[0], phi, 0.0


PROMISED = {f"{GS}": "1e−12", f"{GS}, nSurv": "1e−10", "Lu, Luo & Chen 2008, tables 1 and 2": "6e−12"}


def summaries():
    gaps, counts, members = defaultdict(float), defaultdict(int), defaultdict(set)
    for plans in (rpact_plans, other_plans, repeated_measures):
        for what, name, source, ours, theirs, floor in plans():
            found = differences(ours, theirs, floor)
            key = what, source
            gaps[key] = max(gaps[key], float(found.max(initial=0.0)))
            counts[key] += found.size
            members[key].add(name)
    for (what, source), gap in gaps.items():
        amounts = str(len(members[what, source])), str(counts[what, source])
        yield what, source, *amounts, upper_power(gap, 1e-11), PROMISED.get(source, "1e−6")
    found = [eq.plan(protocol_of(case)).unrounded_patients for case in ONE_VISIT]
    theirs = [case["expected"]["max_n"] for case in ONE_VISIT]
    gap = float(differences(found, theirs).max())
    whole = "means, from the protocol file to the plan"
    yield whole, PACKAGE, str(len(found)), str(len(found)), upper_power(gap, 1e-11), "1e−6"


def shown_sizes():
    by_name = {case["id"]: case for case in (*cases("mean"), *cases("rate"))}
    for name, what in SHOWN:
        case = by_name.get(name) or SURVIVAL[name]
        inputs, design = case["inputs"], design_of(case["inputs"]["design"])
        if inputs["endpoint"] == "survival":
            found = rpact_assumptions(inputs).sample_size(design)
        else:
            found = (means_of if inputs["endpoint"] == "mean" else rates_of)(inputs).sample_size(design)
        yield row(what, PACKAGE, [case["expected"]["max_n"]], [found.patients], relative=True, floor=1e-9)


def sample_size() -> Section:
    text = """
Patients in both arms before rounding up to whole ones, events, power, expected sizes and durations, bounds on the scale
of the effect, calendar times of looks; fixed and group-sequential, one- and two-sided, with and without futility. First
a few sizes, then all cases by the largest relative difference. rpact finds sizes by a root search, accurate to 1e−6;
its sizes for counts are whole, so that the information behind them is compared. Lu, Luo & Chen's tables are taken in
the digits that R's package longpower gives for them. Probabilities of futility agree to 1e−8, futility bounds on the
effect to 1e−7 absolutely where that is more.
"""
    columns = ("Endpoint", "Source", "Cases", "Numbers", "Largest difference", "Promised")
    return Section("Sample size", text, (Table(COLUMNS, tuple(shown_sizes())), Table(columns, tuple(summaries()))))


if __name__ == "__main__":
    print(sample_size())
