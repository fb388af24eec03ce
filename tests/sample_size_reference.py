"""The cases of tests/reference/sample_size.json, and protocols for those that a protocol of one visit can express."""

from __future__ import annotations

from protocols import one_visit
from reference_values import reference_cases

ALL = reference_cases("sample_size")
ONE_VISIT = ("mean2_f1_norm1", "mean2_f2_norm1", "mean2_g3_norm1", "mean2_g3b_norm1")
CASES = [case for case in ALL if case["id"] in ONE_VISIT]
FAMILIES = {
    "fixed": {"family": "obrien-fleming"},
    "spending_lan_demets_obrien_fleming": {"family": "obrien-fleming"},
    "spending_hwang_shih_decani": {"family": "hwang-shih-decani"},
}


def spending(entry):
    return FAMILIES[entry["type"]] | ({"gamma": float(entry["gamma"])} if "gamma" in entry else {})


def protocol_of(case):
    """A protocol of one visit that asks for the sample size of the case."""
    given, design = case["inputs"], case["inputs"]["design"]
    stopping = {
        "alpha": design["alpha"],
        "sided": design["sided"],
        "fractions": [float(fraction) for fraction in design.get("information_rates", [1])],
        "efficacy": spending(design["efficacy"]),
    }
    if design["futility"]["type"] != "none":
        futility = spending(design["futility"]) | {"binding": design["futility"]["binding"]}
        stopping |= {"beta": design["beta"], "futility": futility}
    return one_visit(
        10.0 * given["alternative"] / given["sd"],
        10.0,
        stopping=stopping,
        sample_size={"scenario": "assumed", "power": 1 - design["beta"]},
    )
