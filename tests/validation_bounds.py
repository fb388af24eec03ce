"""Section of docs/validation.md: stopping bounds, and the designs they make."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from scipy.special import ndtr

import equipoise as eq
from boundaries_reference import BY_NAME, CASES, below, bounds, design_for
from equipoise.sequential.bounds import outer_region
from published_values import (
    OBRIEN_FLEMING,
    OBRIEN_FLEMING_INFLATION,
    POCOCK,
    POCOCK_INFLATION,
    WANG_TSIATIS,
)
from validation_table import COLUMNS, Section, Table, largest, row, upper_power

__all__ = ["RPACT", "family", "fractions", "misspends", "sides", "stopping_bounds"]

RPACT = "rpact 4.5.0.9315"
NAMES = {
    "obrien_fleming": "O'Brien-Fleming",
    "pocock": "Pocock",
    "wang_tsiatis": "Wang-Tsiatis",
    "haybittle_peto": "Haybittle-Peto",
    "spending_lan_demets_obrien_fleming": "O'Brien-Fleming type spending",
    "spending_lan_demets_pocock": "Pocock type spending",
    "spending_kim_demets_power": "power spending",
    "spending_hwang_shih_decani": "Hwang-Shih-DeCani spending",
    "spending_user": "user's own spending",
    "fixed_z_bounds": "fixed bounds",
    "no_early_efficacy": "no early efficacy",
}
HEADLINES = (
    *(f"eff_{family}_k3_s1_eq" for family in ("OF", "P", "WT0.1", "HP", "asOF", "asP", "asKD3", "asHSD-4")),
    "eff_user_k4_s2",
)
FUTILE = (
    "fut_asOF_bsOF_k3_nonbinding_eq",
    "fut_asOF_bsHSD-2_k3_nonbinding_eq",
    "fut_asOF_bsP_k3_binding_eq",
    "fut_asOF_bsKD2_k3_binding_eq",
    "fut_OF_fixed0_k3_binding",
    "fut2s_asOF_bsOF_k3_binding",
    "fut2s_asP_bsP_k4_nonbinding",
)
DRIFTS = np.array([0.0, 0.5, 1.0])


def family(given) -> str:
    """A rule of a reference in words."""
    signs = {"rho": "ρ", "gamma": "γ", "delta": "Δ", "constant_bound": "bound"}
    parameters = [f"{sign} = {given[name]:g}" for name, sign in signs.items() if name in given]
    return NAMES[given["type"]] + (f" ({parameters[0]})" if parameters else "").replace("-", "−")


def sides(sided: int) -> str:
    return "two-sided" if sided == 2 else "one-sided"


def fractions(times) -> str:
    return ", ".join(f"{time:.4g}" for time in times)


def bound_rows():
    for name in HEADLINES:
        inputs, expected = BY_NAME[name]["inputs"], BY_NAME[name]["expected"]
        what = f"{family(inputs['efficacy'])}, {sides(inputs['sided'])}"
        if inputs["n_looks"] != 3:
            what += f", looks at {fractions(inputs['information_rates'])}"
        yield row(what, RPACT, expected["critical_values"], design_for(name).efficacy_bounds, floor=1e-10)


def futility_rows():
    for name in FUTILE:
        inputs, expected, design = BY_NAME[name]["inputs"], BY_NAME[name]["expected"], design_for(name)
        kind = "binding" if inputs["futility"]["binding"] else "non-binding"
        what = f"{family(inputs['futility'])}, {kind}"
        if inputs["sided"] == 2:
            what = f"two-sided wedge: {what}, {inputs['n_looks']} looks"
        theirs = [*below(expected), expected["drift"], expected["inflation_factor"]]
        ours = [*design.futility_bounds[:-1], design.drift, design.inflation_factor]
        yield row(what, RPACT, theirs, ours, floor=1e-10)


def misspends(case) -> bool:
    """Whether rpact's design spends another beta than asked for by its own count; see the last section."""
    spent, beta = case["expected"]["cumulative_beta_spent"], case["inputs"].get("beta")
    return spent is not None and abs(spent[-1] - beta) > 2e-8


def group(case) -> str:
    inputs = case["inputs"]
    futility = inputs["futility"]
    if futility["type"] == "none":
        return family({"type": inputs["efficacy"]["type"]})
    if misspends(case):
        return "no early efficacy, futility by β spending (efficacy bounds only)"
    kind = "binding" if futility["binding"] else "non-binding"
    if inputs["sided"] == 2:
        return "two-sided with a futility wedge, binding or not"
    return f"futility by {'fixed bounds' if futility['type'] == 'fixed_z_bounds' else 'β spending'}, {kind}"


def bound_gap(case) -> float:
    """Largest difference of a bound from rpact's, of z up to 4."""
    design, expected = design_for(case["id"]), case["expected"]
    ours, theirs = design.efficacy_bounds, bounds(expected["critical_values"])
    near = theirs <= 4
    gap = largest(ours[near], theirs[near])
    if design.futility is not None and not misspends(case):
        gap = max(gap, largest(design.futility_bounds[:-1], below(expected)))
    return gap


def exit_gap(case) -> float:
    """Largest difference of power by look and expected information when both use rpact's bounds and drift."""
    inputs, expected, times = case["inputs"], case["expected"], np.array(case["inputs"]["information_rates"])
    upper = bounds(expected["critical_values"])
    futility = None if expected["futility_bounds"] is None else np.array([*below(expected), upper[-1]])
    exits = outer_region(times, upper, futility, inputs["sided"]).exit_probabilities(DRIFTS * expected["drift"])
    gap = largest(np.cumsum(exits.upper[2]), expected["cumulative_power"])
    stopped = (exits.upper + exits.lower + exits.inner)[:, :-1]
    ratios = (1 - stopped @ (1 - times[:-1])) * expected["inflation_factor"]
    theirs = [expected[name] or 1.0 for name in ("asn_ratio_h0", "asn_ratio_h01", "asn_ratio_h1")]
    return max(gap, largest(ratios, theirs))


def type_one_gap(design) -> float:
    """Distance of the type I error, integrated forward, from the level promised."""
    exits = design.region(design.binding).exit_probabilities(np.zeros(1))
    return abs(design.sided * float(exits.upper.sum()) - design.alpha)


def bound_summaries():
    groups = defaultdict(list)
    for case in CASES:
        groups[group(case)].append(case)
    for what, cases in groups.items():
        columns = {name: [] for name in ("few", "many", "tail", "independent", "exits", "level")}
        for case in cases:
            design, expected = design_for(case["id"]), case["expected"]
            columns["few" if design.looks <= 5 else "many"].append(bound_gap(case))
            if design.looks <= 5:
                tails = ndtr(-design.efficacy_bounds), ndtr(-bounds(expected["critical_values"]))
                columns["tail"].append(largest(*tails))
                if not misspends(case):
                    columns["exits"].append(exit_gap(case))
            columns["level"].append(type_one_gap(design))
            other = (expected["verification"] or {}).get("independent_critical_values")
            if other is not None:
                known = bounds(other) < 5
                columns["independent"].append(largest(design.efficacy_bounds[known], bounds(other)[known]))
        cells = [upper_power(max(gaps), 1e-10) if gaps else "–" for gaps in columns.values()]
        yield what, str(len(cases)), *cells


def printed_tables():
    """Jennison & Turnbull's tables: how many constants, and whether ours round to them."""

    def even(looks: int):
        return tuple(np.arange(1, looks + 1) / looks)

    def bound(looks: int, alpha: float, rule) -> float:
        return float(eq.GroupSequential(even(looks), alpha, 2, rule).efficacy_bounds[-1])

    def inflation(looks: int, power: float, rule) -> float:
        return eq.GroupSequential(even(looks), 0.05, 2, rule, beta=1 - power).inflation_factor

    tables = (
        ("2.1: Pocock, constants at α 0.01, 0.05, 0.1", POCOCK, lambda looks, alpha: bound(looks, alpha, eq.Pocock())),
        ("2.2: Pocock, inflation at power 0.8, 0.9", POCOCK_INFLATION, lambda k, p: inflation(k, p, eq.Pocock())),
        (
            "2.3: O'Brien-Fleming, constants at α 0.01, 0.05, 0.1",
            OBRIEN_FLEMING,
            lambda looks, alpha: bound(looks, alpha, eq.OBrienFleming()),
        ),
        (
            "2.4: O'Brien-Fleming, inflation at power 0.8, 0.9",
            OBRIEN_FLEMING_INFLATION,
            lambda looks, power: inflation(looks, power, eq.OBrienFleming()),
        ),
        (
            "2.9: Wang-Tsiatis, constants at Δ 0.1, 0.25",
            WANG_TSIATIS,
            lambda looks, delta: bound(looks, 0.05, eq.WangTsiatis(delta)),
        ),
    )
    for what, table, ours in tables:
        cells = [(printed, ours(looks, first)) for first, line in table.items() for looks, printed in line.items()]
        agree = sum(abs(printed - value) <= 5.0001e-4 for printed, value in cells)
        yield what, str(len(cells)), f"{agree} of {len(cells)}"


def stopping_bounds() -> Section:
    text = """
Bounds on z (α 0.025 on each side; β 0.2), three evenly spaced looks unless it says otherwise. First one design of each
family. Then futility bounds (of a two-sided design the upper edge of the wedge in which it stops), followed by the
drift that has the power and the inflation factor. The third table summarises all 246 reference designs by the largest
difference, and names what the tests promise in its headings. Beyond z = 4 tail probabilities are compared instead of z,
which there magnifies the rounding of a reference; "independent" is a second recursive Gauss-Legendre integration,
written apart from this package, with an error near 1e−13. Power by look and expected information are compared at
rpact's own bounds and drift, so that the differences of the bounds do not count twice. The last column is ours alone:
the distance of the type I error, integrated forward, from α. The fourth table counts the constants printed to three
decimals in Jennison & Turnbull (2000, Group Sequential Methods) that ours round to; two-sided, 2 to 10 looks.
Differences are absolute.
"""
    summary = (
        "Family, one- and two-sided",
        "Designs",
        "bounds, rpact, up to 5 looks (1e−7)",
        "bounds, rpact, 10 looks (1e−5)",
        "tails, rpact, up to 5 looks (2e−8)",
        "bounds, independent, z < 5 (1e−9)",
        "power and information, rpact, up to 5 looks (1e−8)",
        "type I error (1e−10)",
    )
    return Section(
        "Stopping bounds",
        text,
        (
            Table(COLUMNS, tuple(bound_rows())),
            Table(COLUMNS, tuple(futility_rows())),
            Table(summary, tuple(bound_summaries())),
            Table(("Jennison & Turnbull 2000, table", "Constants", "Reproduced"), tuple(printed_tables())),
        ),
    )


if __name__ == "__main__":
    print(stopping_bounds())
