"""Virtual trials of every kind the page of operating characteristics must show."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from report_trials import HOSTILE, one_sided_futility, protocol_with, response_primary, table

import equipoise as eq
from equipoise.simulation import Comparison, grid, simulate_grid

DESIGNS = [
    "obf: efficacy=obrien-fleming; fractions=0.5,1",
    "pocock: efficacy=pocock; fractions=0.5,1",
    "one: fractions=1",
]


def _hostile() -> eq.Protocol:
    content = table()
    content["trial"]["title"] = HOSTILE
    content["arms"][1]["label"] = HOSTILE
    content["endpoints"][0]["label"] = HOSTILE
    content["scenarios"]["as-published"]["description"] = HOSTILE
    return eq.Protocol.model_validate(content)


def _none_analysed() -> eq.Protocol:
    content = table()
    content["stopping"]["patients"] = [2, 4]
    content["sample_size"]["patients"] = 4
    return eq.Protocol.model_validate(content)


def _unlike_sites(content: dict) -> None:
    response_primary(content)
    content["scenarios"]["as-published"]["sites"] = {"number": 4, "mean_sd": 4.0, "effect_sd": 0.0}


@cache
def results(kind: str) -> Comparison:
    """Virtual trials by name."""
    ketamine = eq.gallery("ptsd-ketamine")
    match kind:
        case "one":
            return simulate_grid(grid(ketamine, "half-effect"), 300, 1)
        case "null":
            return simulate_grid(grid(ketamine, "no-effect"), 200, 1, secondary=False)
        case "scenarios":
            return simulate_grid([*grid(ketamine, "no-effect"), *grid(ketamine, "half-effect")], 60, 1, secondary=False)
        case "effects":
            return simulate_grid(grid(ketamine, vary=["effect=0:1:0.1"]), 60, 1, secondary=False)
        case "two-way":
            points = grid(ketamine, vary=["effect=0,0.5,1", "dropout=0,0.2"], designs=DESIGNS[:2])
            return simulate_grid(points, 50, 1, secondary=False, corrected=False)
        case "designs":
            return simulate_grid(grid(ketamine, "half-effect", designs=DESIGNS), 100, 1, secondary=False)
        case "words":
            points = grid(ketamine, vary=["analysis.degrees_of_freedom=satterthwaite,kenward-roger,residual,normal"])
            return simulate_grid(points, 40, 1, secondary=False, corrected=False)
        case "futility":
            return simulate_grid(grid(protocol_with(one_sided_futility), "half-effect"), 300, 1)
        case "response":
            return simulate_grid(grid(protocol_with(response_primary)), 100, 1, secondary=False)
        case "ratio":
            points = grid(eq.gallery("relapse-after-treatment"), designs=["two: fractions=0.5,1"])
            return simulate_grid(points, 80, 1)
        case "three arms":
            return simulate_grid(grid(eq.gallery("xanomeline-alzheimer")), 20, 1, secondary=False)
        case "dropouts":
            points = grid(ketamine, vary=["effect=0,0.5,1", "scenarios.as-published.arms.ketamine.dropout=0,0.5"])
            return simulate_grid(points, 40, 1, secondary=False, corrected=False)
        case "lost":
            return simulate_grid(grid(ketamine, "no-effect", ["dropout=0.95"]), 40, 1, secondary=False)
        case "no truth":
            return simulate_grid(grid(protocol_with(_unlike_sites)), 40, 1, secondary=False)
        case "five":
            points = grid(ketamine, vary=["effect=0,1", "dropout=0,0.1,0.2,0.3,0.4"])
            return simulate_grid(points, 20, 1, secondary=False, corrected=False)
        case "hostile":
            return simulate_grid(
                grid(_hostile(), designs=[f"{HOSTILE.split('-->')[0].replace('=', '')}:", "b:"]), 40, 1
            )
        case "none analysed":
            return simulate_grid(grid(_none_analysed()), 20, 1, secondary=False)
        case "interrupted":
            whole = results("effects")
            return replace(whole, results=whole.results[:2], ends=whole.ends[:2])
        case "nothing done":
            return replace(results("effects"), results=(), ends=())
    raise KeyError(kind)


KINDS = (
    "one", "null", "scenarios", "effects", "two-way", "designs", "words", "futility", "response", "ratio", "three arms",
    "dropouts", "lost", "no truth", "five", "hostile", "none analysed", "interrupted", "nothing done",
)  # fmt: skip
