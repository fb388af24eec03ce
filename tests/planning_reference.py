"""The designs behind tests/reference/sample_size.json, and the numbers every endpoint's plan shares."""

from __future__ import annotations

import math

import numpy as np

import equipoise as eq
from equipoise.endpoints.planning.plan_counts import Counts
from equipoise.endpoints.planning.plan_means import Means
from equipoise.endpoints.planning.plan_rates import Rates
from sample_size_reference import ALL

SPENDING = {
    "spending_lan_demets_obrien_fleming": lambda entry: eq.OBrienFlemingSpending(),
    "spending_hwang_shih_decani": lambda entry: eq.HwangShihDeCaniSpending(entry["gamma"]),
    "pocock": lambda entry: eq.Pocock(),
    "fixed": lambda entry: eq.OBrienFlemingSpending(),
}
MEASURES = {"risk_difference": "difference", "risk_ratio": "ratio", "rate": "difference"}
SCALES = {"difference": "difference", "rr": "ratio", "or": "odds ratio"}
PER_LOOK = {
    "rejection_probability_per_look": lambda found: found.efficacy_probabilities,
    "critical_values_effect_scale": lambda found: found.efficacy_effects,
    "critical_values_effect_scale_upper": lambda found: found.efficacy_effects,
    "critical_values_effect_scale_lower": lambda found: found.harm_effects,
    "cumulative_n_per_look": lambda found: found.cumulative_patients,
}
WHOLE = {
    "n_fixed": lambda found: found.patients if found.fixed_patients is None else found.fixed_patients,
    "n_total": lambda found: found.fixed_patients,
    "max_n": lambda found: found.patients,
    "max_n_group1": lambda found: found.per_arm[0],
    "max_n_group2": lambda found: found.per_arm[1],
    "expected_n": lambda found: found.expected_patients[2],
    "expected_n_h0": lambda found: found.expected_patients[0],
    "expected_n_h01": lambda found: found.expected_patients[1],
    "expected_n_h1": lambda found: found.expected_patients[2],
}


def cases(endpoint):
    """The cases of an endpoint from rpact: those that come with a design."""
    return [case for case in ALL if case["inputs"]["endpoint"] == endpoint and "design" in case["inputs"]]


GSDESIGN_RATES = [case for case in ALL if case["id"].startswith("nbinomial")]
T_TESTS = [case for case in ALL if case["id"].startswith("ttest")]


def design_of(given):
    """The stopping rule of a case."""
    futility, rule = None, given["futility"]
    if rule["type"] == "fixed_z_bounds":
        futility = eq.FixedBounds(tuple(rule["z_bounds"]))
    elif rule["type"] != "none":
        futility = SPENDING[rule["type"]](rule)
    return eq.GroupSequential(
        tuple(given.get("information_rates", [1.0])),
        given["alpha"],
        given["sided"],
        SPENDING[given["efficacy"]["type"]](given["efficacy"]),
        futility,
        given["beta"],
        rule.get("binding", False),
    )


def means_of(inputs):
    """The assumptions of a case of means."""
    return Means(
        inputs["alternative"],
        inputs["sd"],
        allocation=inputs.get("allocation_ratio_group1_to_group2", 1.0),
        margin=inputs["null_value"],
        groups=inputs["groups"],
        measure="ratio" if inputs["effect_measure"] == "mean_ratio" else "difference",
        test="normal" if inputs["normal_approximation"] else "t",
    )


def rates_of(inputs):
    """The assumptions of a case of rates from rpact."""
    exact = not inputs.get("normal_approximation", True)
    return Rates(
        inputs["p1"],
        inputs.get("p2"),
        MEASURES[inputs["effect_measure"]],
        inputs.get("allocation_ratio_group1_to_group2", 1.0),
        inputs["null_value"],
        test="exact" if exact else "score",
        conservative=inputs.get("conservative_exact", True),
    )


def gsdesign_rates_of(inputs):
    """The assumptions of a case of rates from gsDesign."""
    measure, null = SCALES[inputs["scale"]], inputs["null_value_on_scale"]
    return Rates(
        inputs["p1"],
        inputs["p2"],
        measure,
        1 / inputs["ratio_group2_to_group1"],
        null if measure == "difference" else math.exp(null),
    )


def counts_of(inputs):
    """The assumptions of a case of counts."""
    return Counts(
        inputs["rate1"],
        inputs["rate2"],
        inputs["overdispersion"],
        inputs.get("fixed_exposure_time"),
        inputs.get("accrual_time"),
        inputs.get("follow_up_time"),
        inputs["allocation_ratio_group1_to_group2"],
        inputs["null_rate_ratio"],
    )


def planned(assumed, case):
    """What a case asks for: the size, or the power at its size."""
    inputs, design = case["inputs"], design_of(case["inputs"]["design"])
    return assumed.power(design, inputs["max_n"]) if inputs["problem"] == "power" else assumed.sample_size(design)


def compared(found, case, skip=()):
    """Every number of a case as (name, ours, theirs, how far theirs may be from 0 when it is 0).

    Of two-sided designs rpact's sample sizes count the upper boundary only, its powers both; so does this.
    """
    either = case["inputs"]["design"]["sided"] == 2 and case["inputs"]["problem"] == "power"
    for name, wanted in case["expected"].items():
        if name in skip:
            continue
        floor = 0.0
        if either and name == "power":
            ours = found.power_either_direction
        elif either and name == "rejection_probability_per_look":
            ours = found.efficacy_probabilities + found.harm_probabilities
        elif name in PER_LOOK:
            ours = PER_LOOK[name](found)
        elif name in WHOLE:
            ours = WHOLE[name](found)
        elif name in ("n_fixed_group1", "n_fixed_group2"):
            ours = found.per_arm[int(name[-1]) - 1] * WHOLE["n_fixed"](found) / found.patients
        elif name == "power":
            ours = found.power
        elif name == "futility_probability_per_look":
            probabilities, floor = found.futility_probabilities, 2e-9
            ours = np.zeros(len(wanted)) if probabilities is None else probabilities[: len(wanted)]
        elif name == "early_stop_probability":
            parts = [found.efficacy_probabilities, found.futility_probabilities]
            parts += [found.harm_probabilities] if either else []
            ours, floor = sum(part[:-1].sum() for part in parts if part is not None), 2e-9
        elif name == "futility_bounds_effect_scale":
            ours, floor = found.futility_effects[:-1], 1e-8
        else:
            raise AssertionError(f"no comparison for {name}")
        yield name, ours, wanted, floor


def check(found, case, skip=(), rel=1e-6):
    """All numbers of a case against a result, at rpact's own accuracy."""
    for name, ours, wanted, floor in compared(found, case, skip):
        np.testing.assert_allclose(ours, wanted, rtol=rel, atol=floor, err_msg=name)
