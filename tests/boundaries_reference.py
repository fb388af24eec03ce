"""The designs behind tests/reference/boundaries.json."""

from __future__ import annotations

from functools import cache

import numpy as np

from equipoise.sequential import GroupSequential, stopping_rule
from reference_values import reference_cases

CASES = reference_cases("boundaries")
BY_NAME = {case["id"]: case for case in CASES}
FAMILIES = {
    "spending_lan_demets_obrien_fleming": "obrien-fleming",
    "spending_lan_demets_pocock": "pocock",
    "spending_kim_demets_power": "power",
    "spending_hwang_shih_decani": "hwang-shih-decani",
    "obrien_fleming": "classical-obrien-fleming",
    "pocock": "classical-pocock",
    "wang_tsiatis": "wang-tsiatis",
    "haybittle_peto": "haybittle-peto",
    "fixed_z_bounds": "fixed",
    "no_early_efficacy": "none",
}
PARAMETERS = {"rho": "rho", "gamma": "gamma", "delta": "delta", "constant_bound": "bound", "z_bounds": "values"}


def rule(given, total):
    """The rule of a reference for efficacy or futility."""
    if given["type"] == "none":
        return None
    if given["type"] == "spending_user":
        shares = np.array(given.get("cumulative_alpha") or given["cumulative_beta"]) / total
        return stopping_rule("user", cumulative=(*shares[:-1], 1.0))
    parameters = {ours: given[theirs] for theirs, ours in PARAMETERS.items() if theirs in given}
    return stopping_rule(FAMILIES[given["type"]], **parameters)


def design_of(inputs):
    return GroupSequential(
        inputs["information_rates"],
        inputs["alpha"],
        inputs["sided"],
        rule(inputs["efficacy"], inputs["alpha"]),
        rule(inputs["futility"], inputs.get("beta")),
        inputs.get("beta"),
        inputs["futility"].get("binding") or False,
    )


@cache
def design_for(identifier):
    return design_of(BY_NAME[identifier]["inputs"])


def bounds(values):
    """Efficacy bounds as numbers; where the reference has none, infinity."""
    return np.array([np.inf if value is None else value for value in values])


def below(expected):
    """Futility bounds of a reference as numbers; where it has none, minus infinity."""
    return np.array([-np.inf if value is None else value for value in expected["futility_bounds"]])
