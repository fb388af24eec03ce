"""The designs behind tests/reference/sample_size.json, and the numbers every endpoint's plan shares."""

from __future__ import annotations

import numpy as np
import pytest

import equipoise as eq
from sample_size_reference import ALL

SPENDING = {
    "spending_lan_demets_obrien_fleming": lambda entry: eq.OBrienFlemingSpending(),
    "spending_hwang_shih_decani": lambda entry: eq.HwangShihDeCaniSpending(entry["gamma"]),
    "pocock": lambda entry: eq.Pocock(),
    "fixed": lambda entry: eq.OBrienFlemingSpending(),
}
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


def check(found, case, skip=(), rel=1e-6):
    """All numbers of a case against a result, at rpact's own accuracy.

    Of two-sided designs rpact's sample sizes count the upper boundary only, its powers both; so do these checks.
    """
    either = case["inputs"]["design"]["sided"] == 2 and case["inputs"]["problem"] == "power"
    for name, wanted in case["expected"].items():
        if name in skip:
            continue
        if either and name == "power":
            assert found.power_either_direction == pytest.approx(wanted, rel=rel), name
        elif either and name == "rejection_probability_per_look":
            rejecting = found.efficacy_probabilities + found.harm_probabilities
            np.testing.assert_allclose(rejecting, wanted, rtol=rel, err_msg=name)
        elif name in PER_LOOK:
            np.testing.assert_allclose(PER_LOOK[name](found), wanted, rtol=rel, err_msg=name)
        elif name in WHOLE:
            assert WHOLE[name](found) == pytest.approx(wanted, rel=rel), name
        elif name in ("n_fixed_group1", "n_fixed_group2"):
            arm = int(name[-1]) - 1
            assert found.per_arm[arm] * WHOLE["n_fixed"](found) / found.patients == pytest.approx(wanted, rel=rel), name
        elif name == "power":
            assert found.power == pytest.approx(wanted, rel=rel), name
        elif name == "futility_probability_per_look":
            probabilities = found.futility_probabilities
            probabilities = np.zeros(len(wanted)) if probabilities is None else probabilities[: len(wanted)]
            np.testing.assert_allclose(probabilities, wanted, rtol=rel, atol=2e-9, err_msg=name)
        elif name == "early_stop_probability":
            parts = [found.efficacy_probabilities, found.futility_probabilities]
            parts += [found.harm_probabilities] if either else []
            stopped = sum(part[:-1].sum() for part in parts if part is not None)
            assert stopped == pytest.approx(wanted, rel=rel, abs=2e-9), name
        elif name == "futility_bounds_effect_scale":
            np.testing.assert_allclose(found.futility_effects[:-1], wanted, rtol=rel, atol=1e-8, err_msg=name)
        else:
            raise AssertionError(f"no check for {name}")
