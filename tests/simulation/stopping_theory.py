"""What theory says of virtual trials' looks, at what these looks counted, against what the trials did.

The look's counts are known before its data, so given them and that the trial came so far, the probability of stopping
is a number; summed over all trials at the look it is what is expected. Differences are in Monte-Carlo standard errors.

    python tests/simulation/stopping_theory.py 1000000

prints a table of all cases.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass

import numpy as np
from normal_trials import CASES
from sequential_t import SequentialT

from equipoise import simulate
from equipoise.patients import Truth
from equipoise.sequential import Decision
from equipoise.simulation.chunk import Task, simulate_chunk
from equipoise.simulation.context import Context
from equipoise.trial import plan

REASONS = (Decision.EFFICACY, Decision.HARM, Decision.FUTILITY)


@dataclass(frozen=True)
class Stops:
    """How many of many trials stopped at each look, by reason, and how many were expected to.

    Attributes
    ----------
    seen, expected, error
        Shape (reasons, looks); the error is the standard deviation of what is seen about what is expected.
    """

    trials: int
    seen: np.ndarray
    expected: np.ndarray
    error: np.ndarray

    @property
    def distance(self):
        """Furthest from expectation at any look for any reason, in standard errors."""
        apart = self.seen - self.expected
        return float(np.max(np.abs(apart) / np.maximum(self.error, 1.0)))

    @property
    def rejections(self):
        """Trials that rejected, in either direction."""
        return int(self.seen[:2].sum())

    def level_distance(self, alpha):
        """Rejections from a share of `alpha`, in standard errors."""
        return (self.rejections / self.trials - alpha) / math.sqrt(alpha * (1 - alpha) / self.trials)


def stops(protocol, scenario, trials, seed=1, *, law="normal", drift=None):
    """Looks of virtual trials against theory.

    Parameters
    ----------
    law
        "normal": z of independent increments, integrated by `equipoise.sequential`, with `drift` at the planned
        maximum; "t": the exact law of t tests, by `SequentialT`.
    """
    planned, truth = plan(protocol), Truth.of(protocol, scenario)
    task = Task.of(planned, truth, Context.of(planned, truth, scenario), seed, scenario, (), False)
    most = planned.design.looks
    # so many at each path of counts, and what became of them
    taken = {}
    for first in range(0, trials, task.chunk):
        rows = simulate_chunk(task, first, min(first + task.chunk, trials)).looks
        due = np.zeros((task.chunk, most), dtype=np.intp)
        due[rows["trial"] - first, rows["look"] - 1] = rows["due"]
        for look in range(1, most + 1):
            at = rows["look"] == look
            states = np.column_stack([due[rows["trial"][at] - first, :look], rows["decision"][at]])
            for state, count in zip(*np.unique(states, axis=0, return_counts=True), strict=True):
                counts = taken.setdefault(tuple(state[:-1].tolist()), np.zeros(len(Decision), dtype=np.intp))
                counts[state[-1]] += count
    control, new = (arm.measures["value"].mean or 0.0 for arm in truth.arms)
    effect = new - control
    theory = _normal if law == "normal" else _student
    found, expected, variance = np.zeros((3, len(REASONS), most))
    for path, counts in taken.items():
        exits = theory(planned, path, drift if law == "normal" else effect)
        chance = exits[:, -1] / (1 - exits[:, :-1].sum())
        look, all_of = len(path) - 1, counts.sum()
        found[:, look] += [counts[list(Decision).index(reason)] for reason in REASONS]
        expected[:, look] += all_of * chance
        variance[:, look] += all_of * chance * (1 - chance)
    return Stops(trials, found, expected, np.sqrt(variance))


def _bounds(planned, path):
    """Bounds at the fractions of a path, and whether the last of its looks ends the trial."""
    last = len(path) == planned.design.looks or path[-1] >= planned.total_units
    return planned.design.bounds_at([count / planned.total_units for count in path], last), last


def _normal(planned, path, drift):
    """First exits above, below and for futility at each look, shape (3, looks)."""
    design = planned.design
    bounds, last = _bounds(planned, path)
    exits = bounds.region(design.sided, True).exit_probabilities(np.array([drift or 0.0]))
    futile = exits.inner[0] if design.sided == 2 else exits.lower[0].copy()
    if last and design.sided == 1:
        futile[-1] = 0.0
    return np.stack([exits.upper[0], exits.lower[0] if design.sided == 2 else np.zeros(len(path)), futile])


def _student(planned, path, effect):
    design = planned.design
    bounds, last = _bounds(planned, path)
    region = bounds.region(design.sided, True)
    upper, lower = SequentialT(path, tuple(region.lower), tuple(region.upper), effect).exits()
    if design.sided == 2:
        return np.stack([upper, lower, np.zeros(len(path))])
    if last:
        lower[-1] = 0.0
    return np.stack([upper, np.zeros(len(path)), lower])


def rejections(protocol, scenario, trials, seed=1):
    """Trials that reject in favour and against, and all."""
    found = simulate(protocol, scenario, trials, seed, "serial", secondary=False, corrected=False)
    upward = found.tally.count(None, (Decision.EFFICACY,))
    return upward, found.tally.count(None, (Decision.HARM,)), found.trials


def main():
    """A line a look and reason, in per cent of all trials."""
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    print("| Trials of | Theory | Look | Stops for | Simulated | Expected | Error | Difference in errors |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |", flush=True)
    for name, (protocol, scenario, law) in CASES.items():
        found = stops(protocol, scenario, trials, law=law)
        percent = 100 / trials
        for look in range(found.seen.shape[1]):
            for reason, seen, expected, error in zip(
                REASONS, found.seen[:, look], found.expected[:, look], found.error[:, look], strict=True
            ):
                if expected >= 10:
                    numbers = f"{percent * seen:.4f} | {percent * expected:.4f} | {percent * error:.4f}"
                    apart = (seen - expected) / error
                    print(f"| {name} | {law} | {look + 1} | {reason.value} | {numbers} | {apart:+.1f} |", flush=True)


if __name__ == "__main__":
    main()
