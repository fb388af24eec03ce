"""How often trials without an effect reject, by degrees of freedom of the mixed model, and where it comes from.

    nice -n 19 python benchmarks/type_one_error.py [--trials 1000000] [--only ketamine,phase-three]
        [--methods satterthwaite,kenward-roger,residual,normal] [--workers 2] [--out FILE.jsonl]

Rows are protocols by method: as they are, as one look at the end ("one look"), and, of the ketamine trial, with single
features of its patients taken away. Rejections count in either direction. "Nominal" is what the stopping rule may spend
at the fractions that the looks really fell at (by numerical integration, averaged over them); "excess" is the difference
in Monte-Carlo standard errors. Each row is printed when it is done and appended to the file.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import equipoise as eq
from equipoise.patients import Truth
from equipoise.protocol import Protocol
from equipoise.sequential import Decision
from equipoise.simulation import virtual
from equipoise.simulation.chunk import Task, simulate_chunk
from equipoise.simulation.context import Context
from equipoise.simulation.engines import engine_named
from equipoise.trial import plan

METHODS = ("satterthwaite", "kenward-roger", "residual", "normal")
PHASE_THREE = Path(__file__).parent / "protocols" / "phase-three.toml"
_REJECTS = np.array([decision in (Decision.EFFICACY, Decision.HARM) for decision in Decision])
_UPWARD = np.array([decision is Decision.EFFICACY for decision in Decision])


@dataclass
class Found:
    """Rejections of many trials without effect.

    Attributes
    ----------
    rejected, upward
        Trials that first reject at each look, in either direction and in favour of the experimental arm.
    paths
        Trials by what their looks so far counted.
    """

    planned: Any
    trials: int = 0
    failures: int = 0
    rejected: np.ndarray = field(default_factory=lambda: np.zeros(0))
    upward: np.ndarray = field(default_factory=lambda: np.zeros(0))
    paths: Counter = field(default_factory=Counter)

    def add(self, rows: Any) -> None:
        looks, ends = rows.looks, rows.ends
        size = self.planned.design.looks
        if not len(self.rejected):
            self.rejected, self.upward = np.zeros(size), np.zeros(size)
        first = int(ends["trial"][0])
        due = np.zeros((len(ends["trial"]), size), dtype=np.intp)
        due[looks["trial"] - first, looks["look"] - 1] = looks["due"]
        for look in range(1, size + 1):
            taken = due[due[:, look - 1] > 0, :look]
            states, counts = np.unique(taken, axis=0, return_counts=True)
            self.paths.update({tuple(state): int(count) for state, count in zip(states.tolist(), counts, strict=True)})
        at = ends["look"] - 1
        self.rejected += np.bincount(at, _REJECTS[ends["decision"]], size)
        self.upward += np.bincount(at, _UPWARD[ends["decision"]], size)
        self.trials += len(at)
        self.failures += int(ends["failures"].sum())

    def nominal(self) -> np.ndarray:
        """Share of all trials that the rule may let reject first at each look, shape (looks,)."""
        expected = np.zeros(len(self.rejected))
        design = self.planned.design
        for counts, trials in self.paths.items():
            final = len(counts) == design.looks or counts[-1] >= self.planned.total_units
            bounds = design.bounds_at([count / self.planned.total_units for count in counts], final)
            exits = bounds.region(design.sided, True).exit_probabilities(np.zeros(1))
            leaving = (exits.upper + exits.lower + exits.inner)[0]
            rejecting = (exits.upper + (exits.lower if design.sided == 2 else 0.0))[0]
            expected[len(counts) - 1] += trials * rejecting[-1] / (1 - leaving[:-1].sum())
        return expected / self.trials


def simulated(protocol: Protocol, trials: int, workers: int | None, scenario: str = "no-effect") -> Found:
    """Looks of many trials, nothing corrected and no secondary endpoint."""
    planned, truth = plan(protocol), Truth.of(protocol, scenario)
    task = Task.of(planned, truth, Context.of(planned, truth, scenario), 1, scenario, (), False)
    found = Found(planned)
    chunks = [(first, min(first + task.chunk, trials)) for first in range(0, trials, task.chunk)]
    with engine_named("cores", workers) as engine:
        for rows in engine.map(simulate_chunk, task, chunks):
            found.add(rows)
    return found


def changed(protocol: Protocol, **parts: Any) -> Protocol:
    """The protocol with keys of its tables replaced: `analysis={"degrees_of_freedom": "normal"}`."""
    table = protocol.model_dump(exclude_unset=True)
    for name, values in parts.items():
        table[name] = values(table[name]) if callable(values) else {**table[name], **values}
    return Protocol.model_validate(table)


def one_look(protocol: Protocol) -> Protocol:
    """Analysed once, when all patients are in."""
    return changed(protocol, stopping=lambda old: {"alpha": old["alpha"], "sided": old["sided"], "fractions": (1.0,)})


def without_dropout(protocol: Protocol) -> Protocol:
    """Everybody stays."""

    def stay(scenarios: dict[str, Any]) -> dict[str, Any]:
        for scenario in scenarios.values():
            for arm in scenario["arms"].values():
                arm["dropout"] = 0.0
        return scenarios

    return changed(protocol, scenarios=stay)


def with_dropout(protocol: Protocol, share: float) -> Protocol:
    """That share of both arms leaves."""

    def leave(scenarios: dict[str, Any]) -> dict[str, Any]:
        for arm in scenarios["no-effect"]["arms"].values():
            arm["dropout"] = share
        return scenarios

    return changed(protocol, scenarios=leave)


def with_patients(protocol: Protocol, patients: int, looks: tuple[int, ...]) -> Protocol:
    """Of another size."""
    planned = changed(protocol, sample_size={"patients": patients, "scenario": protocol.sample_size.scenario})
    return changed(planned, stopping={"patients": looks})


@contextmanager
def normal_scores():
    """Scores drawn from the multivariate normal law itself: no ends of a scale, no rounding to points."""
    usual = virtual.draw_scores

    def draw(draws: Any, law: Any, laws: Any, shift: Any = None) -> Any:
        visits = laws.thresholds.shape[1]
        latent = draws.normal("scores", law.shape[1], visits)
        return np.ascontiguousarray(40.0 + 10.0 * latent @ laws.cholesky.T)

    virtual.draw_scores = draw
    try:
        yield
    finally:
        virtual.draw_scores = usual


def row(name: str, method: str, found: Found, seconds: float) -> dict[str, Any]:
    nominal, share = found.nominal(), found.rejected / found.trials
    error = np.sqrt(share * (1 - share) / found.trials)
    total = float(share.sum())
    return {
        "trials of": name,
        "degrees of freedom": method,
        "trials": found.trials,
        "looks": share.tolist(),
        "looks_error": error.tolist(),
        "looks_nominal": nominal.tolist(),
        "total": total,
        "error": float(np.sqrt(total * (1 - total) / found.trials)),
        "nominal": float(nominal.sum()),
        "upward": float(found.upward.sum() / found.trials),
        "failures": found.failures,
        "seconds": round(seconds, 1),
    }


def line(found: dict[str, Any]) -> str:
    def share(value: float, error: float, nominal: float) -> str:
        excess = (value - nominal) / error if error else 0.0
        return f"{100 * value:.3f} ({100 * error:.3f}) [{100 * nominal:.3f}; {excess:+.1f}]"

    looks = [
        share(*each) for each in zip(found["looks"], found["looks_error"], found["looks_nominal"], strict=True)
    ]
    total = share(found["total"], found["error"], found["nominal"])
    return (
        f"| {found['trials of']} | {found['degrees of freedom']} | {found['trials']:,} | {' / '.join(looks)} | {total} |"
        f" {100 * found['upward']:.3f} | {found['failures']} | {found['seconds']} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=100_000)
    parser.add_argument("--only", default="", help="names of rows to do, by their beginnings, with commas between")
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--workers", type=int)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    methods = given.methods.split(",")

    ketamine = changed(eq.gallery("ptsd-ketamine"))
    cases: dict[str, tuple[Protocol, bool]] = {
        "ketamine": (ketamine, False),
        "ketamine, one look": (one_look(ketamine), False),
        "ketamine, no dropout": (without_dropout(ketamine), False),
        "ketamine, no dropout, one look": (one_look(without_dropout(ketamine)), False),
        "ketamine, normal scores": (ketamine, True),
        "ketamine, normal scores, no dropout": (without_dropout(ketamine), True),
        "ketamine, normal scores, no dropout, one look": (one_look(without_dropout(ketamine)), True),
        "ketamine, 20% dropout": (with_dropout(ketamine, 0.2), False),
        "ketamine, 20% dropout, one look": (one_look(with_dropout(ketamine, 0.2)), False),
        "ketamine of 160 patients": (with_patients(ketamine, 160, (120, 160)), False),
    }
    if PHASE_THREE.exists():
        phase_three = eq.load(PHASE_THREE)
        cases |= {
            "phase-three": (phase_three, False),
            "phase-three, one look": (one_look(phase_three), False),
        }
    wanted = [name.strip() for name in given.only.split(";")] if given.only else list(cases)

    print("Rejection in per cent (Monte-Carlo standard error) [nominal; excess in standard errors]")
    print("| trials of | degrees of freedom | trials | at each look | in all | upward | failures | seconds |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |", flush=True)
    for name in wanted:
        protocol, normal = cases[name]
        for method in methods:
            start = time.perf_counter()
            this = changed(protocol, analysis={"degrees_of_freedom": method})
            if normal:
                with normal_scores():
                    found = simulated(this, given.trials, given.workers)
            else:
                found = simulated(this, given.trials, given.workers)
            done = row(name, method, found, time.perf_counter() - start)
            print(line(done), flush=True)
            if given.out:
                with given.out.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(done) + "\n")


if __name__ == "__main__":
    main()
