"""Estimates a second of every endpoint: many trials at once against one by one.

Run: python benchmarks/endpoints.py [patients [trials]]

Virtual trials of the ketamine protocol with a measure of every kind; every estimate is the one a look tests, from data
as they stand. One process; compiled kernels may use all cores.
"""

from __future__ import annotations

import sys
import tomllib
from time import perf_counter
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from equipoise import endpoints
from equipoise.errors import InputError, NotEstimable
from equipoise.patients import Draws, Truth
from equipoise.protocol import Protocol, gallery_text
from equipoise.simulation import virtual_trial
from equipoise.trial_batch import TrialBatch

SCENARIO = "later-trials"
MEASURES: list[dict[str, Any]] = [
    {"name": "remission", "kind": "binary", "visit": "week2"},
    {"name": "cgi", "kind": "ordinal", "visit": "week2", "levels": ["worse", "same", "better", "well"]},
    {"name": "panic", "kind": "count", "visit": "week2", "better": "lower"},
    {"name": "relapse", "kind": "time", "visit": "week2"},
    {"name": "guess", "kind": "guess", "visit": "week2"},
]
TRUTH = {
    "remission": {"probability": 0.4},
    "cgi": {"shares": [0.2, 0.3, 0.3, 0.2]},
    "panic": {"rate": 60.0, "dispersion": 0.5},
    "relapse": {"median_days": 12.0},
    "guess": {"guesses_experimental": 0.5, "does_not_know": 0.1},
}
ENDPOINTS: list[dict[str, Any]] = [
    {"type": "longitudinal", "visit": "week2"},
    {"type": "longitudinal", "visit": "week2", "summary": "area"},
    {"type": "mean", "visit": "week2"},
    {"type": "mean", "visit": "week2", "method": "welch"},
    {"type": "mean", "visit": "week2", "method": "wilcoxon"},
    {"type": "response", "visit": "week2", "improvement": 0.3},
    {"type": "response", "measure": "remission", "covariates": ["baseline"]},
    {"type": "ordinal", "measure": "cgi"},
    {"type": "ordinal", "measure": "cgi", "method": "win-probability"},
    {"type": "time-to-event", "measure": "relapse", "test": "log-rank"},
    {"type": "time-to-event", "measure": "relapse"},
    {"type": "time-to-event", "measure": "relapse", "test": "restricted-mean", "horizon": 12.0},
    {"type": "count", "measure": "panic", "model": "poisson"},
    {"type": "count", "measure": "panic"},
    {"type": "hierarchical", "components": [{"measure": "relapse"}, {"visit": "week2", "margin": 5.0}]},
    {"type": "clusters", "visit": "week2"},
    {"type": "loss-of-response", "response": "response"},
    {"type": "adverse-events"},
    {"type": "blinding", "guesses": ["guess"]},
]


def protocol() -> Protocol:
    """The ketamine trial with the endpoints above as secondaries."""
    table = tomllib.loads(gallery_text("ptsd-ketamine"))
    table["scenarios"] = {SCENARIO: table["scenarios"][SCENARIO]}
    for scenario in table["scenarios"].values():
        for arm in scenario["arms"].values():
            arm["measures"] = TRUTH
    table["sample_size"]["scenario"] = SCENARIO
    del table["testing"]
    table["measures"] = MEASURES
    table["endpoints"] = table["endpoints"][:3] + [
        {"name": f"e{number}"} | item for number, item in enumerate(ENDPOINTS)
    ]
    return Protocol.model_validate(table)


def what(item: dict[str, Any]) -> str:
    """An endpoint's type and the options that change how it is computed."""
    shown = [str(item[key]) for key in ("summary", "method", "test", "model") if key in item]
    return ", ".join([item["type"], *shown, *(["g-computation"] if "covariates" in item else [])])


def seconds(run: Any, at_least: float = 0.3) -> float:
    """Seconds of one call, the best of as many as fill the time."""
    run()
    best, spent = np.inf, 0.0
    while spent < at_least:
        before = perf_counter()
        run()
        taken = perf_counter() - before
        best, spent = min(best, taken), spent + taken
    return best


def main(patients: int, trials: int) -> None:
    spec = protocol()
    truth = Truth.of(spec, SCENARIO)
    drawn = [virtual_trial(spec, truth, Draws.of(1, SCENARIO, [number]), patients) for number in range(trials)]
    batch = TrialBatch.of(drawn)
    few = drawn[:20]
    table = Table(title=f"{trials} trials of {patients} patients: estimates a second", title_justify="left")
    for name in ("endpoint", "one by one", "at once", "times faster"):
        table.add_column(name, justify="left" if name == "endpoint" else "right")
    for item, endpoint in zip(ENDPOINTS, spec.endpoints[3:], strict=True):

        def singly(endpoint: Any = endpoint) -> None:
            for data in few:
                try:
                    endpoints.primary(endpoint, spec, data)
                except (InputError, NotEstimable):
                    continue

        def together(endpoint: Any = endpoint) -> None:
            endpoints.batch(endpoint, spec, batch)

        one, many = len(few) / seconds(singly), trials / seconds(together)
        table.add_row(what(item), f"{one:,.0f}", f"{many:,.0f}", f"{many / one:,.1f}")
    Console().print(table)


if __name__ == "__main__":
    given = [int(text) for text in sys.argv[1:]]
    main(*(given or [200]), *([] if len(given) > 1 else [500]))
