"""Section of docs/validation.md: several hypotheses."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr, ndtri

from equipoise.multiplicity import Graph, SimesGraph, adjust_p_values, holm_graph
from equipoise.sequential import OBrienFlemingSpending, PocockSpending
from monitoring_reference import GSDESIGN, SPENDING
from published_graphs import CASES as PUBLISHED
from reference_values import reference_cases
from validation_table import COLUMNS, Section, Table, printed_row, row

__all__ = ["multiplicity"]

CASES = reference_cases("adaptive")


def adjusted_rows():
    for case in CASES:
        given, expected, source = case["inputs"], case["expected"], case["source"].split(",")[0]
        if given["problem"] == "p_value_adjustment":
            shown = ", ".join(f"{p:g}" for p in given["p_values"])
            for method, theirs in expected.items():
                name = method.replace("_", "-")
                yield row(f"p {shown}: {name}", "R 4.2.2", theirs, adjust_p_values(given["p_values"], name))
        elif given["problem"] == "graphical_multiple_test":
            graph = Graph(given["hypotheses_weights"], given["transitions"])
            for procedure, key in (
                (graph, "adjusted_p_values"),
                (SimesGraph(graph), "adjusted_p_values_simes_closure"),
            ):
                ours = procedure.adjusted(given["p_values"])
                tests = "Simes" if procedure is not graph else "Bonferroni"
                yield row(f"Graph, {given['note']}; {tests}: adjusted p", source, expected[key], ours)


def sequential_rows():
    for case in GSDESIGN:
        given, design = case["inputs"], case["inputs"]["design"]
        times = design["information_rates"][: len(given["z_path"])]
        spending = SPENDING[design["efficacy"]["type"]](design["efficacy"])
        tests = holm_graph(1).sequential(np.array(given["z_path"])[:, None], times, 0.025, spending)
        name = f"{design['n_looks']} looks, {spending.name}, seen {len(times)}: sequential p"
        theirs = [case["expected"]["sequential_p_value"]]
        yield row(name, "gsDesign 3.11.0.9003", theirs, tests.sequential_p_values[-1], floor=1e-5)
    for case in PUBLISHED:
        graph, pocock = Graph(*case["graph"]), case.get("pocock", ())
        spending = [
            PocockSpending() if number in pocock else OBrienFlemingSpending() for number in range(graph.hypotheses)
        ]
        z = -ndtri(np.array(case["p"]))
        tests = graph.sequential(z, case["information"], 0.025, spending, statistics=case["statistics"])
        decided = np.where(tests.rejected, tests.rejected_at, tests.looks) - 1
        adjusted = tests.adjusted_p_values[decided, np.arange(graph.hypotheses)]
        name = case["id"].replace("-", " ")
        yield row(f"{name}: adjusted p", "graphicalMCP 0.3.0", case["adjusted"], adjusted, digits=6, floor=1e-5)
        if "repeated" in case:
            theirs = [value for look in case["repeated"] for value in look]
            yield printed_row(
                f"{name}: repeated p, look by look", "graphicalMCP 0.3.0", theirs, tests.repeated_p_values.ravel(), 4
            )
        if "p_at_bound" in case:
            places = list(case["p_at_bound"])
            ours = [float(ndtr(-tests.bounds[look - 1, number - 1])) for look, number in places]
            yield printed_row(
                f"{name}: nominal p at the bounds", "graphicalMCP 0.3.0", list(case["p_at_bound"].values()), ours, 6
            )


def multiplicity() -> Section:
    text = """
Adjusted p-values of one look, and graphs of hypotheses at the looks of a trial (Maurer & Bretz 2013, whose example is
the first). graphicalMCP integrates by Monte Carlo: of one bound, at the third look of the oncology trial with the share
0.8, it has 0.015986 where exact integration, ours as R's mvtnorm 1.1-3 with TVPACK, has 0.015968, which stands here.
Adjusted p-values of a rejected hypothesis are those of the look that rejects it.
"""
    tables = (Table(COLUMNS, tuple(adjusted_rows())), Table(COLUMNS, tuple(sequential_rows())))
    return Section("Several hypotheses", text, tables)
