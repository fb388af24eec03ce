"""Where the time of simulated trials goes: parts of the engine timed from outside, and its random numbers alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np

import equipoise as eq
from equipoise import endpoints
from equipoise.cohort import Cohort
from equipoise.patients import Draws, Truth
from equipoise.protocol import Protocol, gallery, load
from equipoise.simulation import chunk
from equipoise.simulation.chunk import Task, simulate_chunk
from equipoise.simulation.context import Context
from equipoise.trial import plan

__all__ = ["Split", "floor", "microseconds", "protocol_named", "split", "task_of"]

PROTOCOLS = Path(__file__).parent / "protocols"
PARTS = {
    "drawing": (chunk, "draw_cohort"),
    "maturing": (Cohort, "known_at"),
    "fitting": (endpoints, "batch"),
}


@dataclass
class Split:
    """Microseconds a trial on one core, in all, of processor time, and by part.

    What is left of all is deciding: bounds, z, the corrected estimates, rows and sums.
    """

    total: float = np.inf
    processor: float = np.inf
    parts: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.parts = dict.fromkeys(PARTS, 0.0) | self.parts

    @property
    def deciding(self) -> float:
        return self.total - sum(self.parts.values())


def protocol_named(name: str) -> Protocol:
    """Of this folder, or else of the gallery."""
    path = PROTOCOLS / f"{name}.toml"
    return load(path) if path.exists() else gallery(name)


def task_of(protocol: Protocol, secondary: bool = False, corrected: bool = False) -> Task:
    """What `simulate` hands to the engine."""
    planned, scenario = plan(protocol), protocol.sample_size.scenario
    names = tuple(item.name for item in protocol.endpoints if secondary and item.role != "primary")
    truth = Truth.of(protocol, scenario)
    context = Context.of(planned, truth, scenario, names)
    return Task.of(planned, truth, context, 1, scenario, names, corrected)


def microseconds(protocol: Protocol, trials: int, repeats: int, engine: str = "serial", **options: Any) -> float:
    """A trial, the best of several runs on other trials' numbers."""
    best = np.inf
    for seed in range(1, repeats + 1):
        before = perf_counter()
        eq.simulate(protocol, trials=trials, seed=seed, engine=engine, **options)
        best = min(best, perf_counter() - before)
    return 1e6 * best / trials


@contextmanager
def _timed(spent: dict[str, float]) -> Iterator[None]:
    """Inside, each part adds its seconds to `spent`."""
    kept = {name: getattr(place, attribute) for name, (place, attribute) in PARTS.items()}

    def timed(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            before = perf_counter()
            try:
                return function(*arguments, **options)
            finally:
                spent[name] += perf_counter() - before

        return call

    try:
        for name, (place, attribute) in PARTS.items():
            setattr(place, attribute, timed(name, kept[name]))
        yield
    finally:
        for name, (place, attribute) in PARTS.items():
            setattr(place, attribute, kept[name])


def split(protocol: Protocol, trials: int, repeats: int, **options: Any) -> Split:
    """The fastest of several runs on one core, by part."""
    best = Split()
    for _ in range(repeats):
        spent = dict.fromkeys(PARTS, 0.0)
        before = process_time()
        with _timed(spent):
            total = microseconds(protocol, trials, 1, **options)
        processor = min(1e6 * (process_time() - before) / trials, best.processor)
        best.processor = processor
        if total < best.total:
            best = Split(total, processor, {name: 1e6 * seconds / trials for name, seconds in spent.items()})
    return best


def floor(protocol: Protocol, repeats: int, secondary: bool = False) -> float:
    """Microseconds a trial of the random numbers alone: those of one chunk drawn again, purpose by purpose."""
    task, asked = task_of(protocol, secondary), []
    filled = Draws._filled

    def noted(self: Draws, fill: Any, purpose: str, shape: tuple[int, ...]) -> Any:
        asked.append((fill, purpose, shape))
        return filled(self, fill, purpose, shape)

    try:
        Draws._filled = noted  # type: ignore[method-assign]
        simulate_chunk(task, 0, task.chunk)
    finally:
        Draws._filled = filled  # type: ignore[method-assign]
    best = np.inf
    for repeat in range(4 * repeats):
        draws = Draws.of(1, task.stream, np.arange(repeat * task.chunk, (repeat + 1) * task.chunk))
        before = perf_counter()
        for fill, purpose, shape in asked:
            filled(draws, fill, purpose, shape)
        best = min(best, perf_counter() - before)
    return 1e6 * best / task.chunk
