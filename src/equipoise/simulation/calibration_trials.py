"""Virtual trials under multiples of a scenario's effect, held against one observed estimate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError, NotEstimable
from ..patients import Truth
from ..trial import plan
from .context import Context
from .designs import Design
from .rows import DECISIONS
from .simulate import simulate
from .vary import GridPoint, grid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..protocol import Protocol
    from ..sequential import Decision
    from .engines import Engine

__all__ = ["BLOCKS", "FEWEST", "Sample", "Sampler"]

BLOCKS = 200
"""Of trial numbers, left out in turn to find Monte-Carlo errors."""
FEWEST = 100
"""Trials without which a truth says nothing."""
_SAME = 1e-9


@dataclass(frozen=True, eq=False)
class Sample:
    """The virtual trials of one truth.

    Attributes
    ----------
    multiple, truth
        Of the scenario's effect, and what the endpoint's effect is there.
    trials, above, tied
        Trials to compare with, those above the observed estimate and those with the same, by block; shape (blocks,).
    truth_without
        The truth with each block left out; shape (blocks,).
    missing
        Trials to compare with that have no estimate.
    """

    multiple: float
    truth: float
    trials: NDArray[np.int64] = field(repr=False)
    above: NDArray[np.int64] = field(repr=False)
    tied: NDArray[np.int64] = field(repr=False)
    truth_without: NDArray[np.float64] = field(repr=False)
    missing: int = 0

    @property
    def count(self) -> int:
        """Trials over all blocks."""
        return int(self.trials.sum())

    @property
    def higher(self) -> int:
        """Those above the observed estimate."""
        return int(self.above.sum())

    @property
    def same(self) -> int:
        """Those with the observed estimate."""
        return int(self.tied.sum())


@dataclass(eq=False)
class Sampler:
    """Draws trials of a protocol under a multiple of a scenario's effect.

    Attributes
    ----------
    endpoint, observed
        Whose estimates are held against what.
    standard_error
        Of the observed estimate, where estimates are compared by their distance from the truth in their own standard
        errors; None where they are compared as they are.
    look, decision
        Where trials must have ended, and how; None for anywhere and anyhow.
    trials, seed, engine, on_progress
        As for `simulate`, at every truth.
    """

    protocol: Protocol
    scenario: str
    endpoint: str
    observed: float
    standard_error: float | None
    look: int | None
    decision: Decision | None
    trials: int
    seed: int
    engine: Engine
    on_progress: Callable[[int], None] | None = None
    refusal: str = ""
    _points: dict[float, GridPoint] = field(default_factory=dict, repr=False)
    _means: dict[float, tuple[float, NDArray[np.float64]]] = field(default_factory=dict, repr=False)
    _done: int = 0

    @cached_property
    def simulates_truths(self) -> bool:
        """Whether the scenario does not tell the effect, so that truths are means of estimates."""
        return bool(np.isnan([self._told(multiple) for multiple in (0.0, 1.0)]).any())

    @property
    def _secondaries(self) -> list[str]:
        return [] if self.endpoint == self.protocol.primary.name else [self.endpoint]

    def bears(self, multiple: float) -> bool:
        """Whether the scenario can have that multiple of its effect; `refusal` says why not."""
        try:
            told = self._told(multiple)
        except InputError as error:
            fault = error.expected.removeprefix("what a protocol can have; ")
            self.refusal = f"the scenario does not bear {multiple:g} times its effect: {fault}"
            return False
        if not self.simulates_truths and np.isnan(told):
            self.refusal = f"the scenario does not tell what {multiple:g} times its effect is"
            return False
        return True

    def truth(self, multiple: float) -> float:
        """Of the endpoint at a multiple of the scenario's effect."""
        return self._mean(multiple)[0] if self.simulates_truths else self._told(multiple)

    def sample(self, multiple: float) -> Sample:
        """The trials under a multiple; raises `InputError` where the scenario does not bear it."""
        if not self.bears(multiple):
            raise InputError("multiples", multiple, f"multiples that the scenario bears; {self.refusal}")
        truth, without = self._mean(multiple) if self.simulates_truths else (self._told(multiple), None)
        ends = self._ends(self._point(multiple))
        chosen = np.ones(self.trials, dtype=bool)
        if self.look is not None:
            chosen &= ends["look"] == self.look
        if self.decision is not None:
            chosen &= ends["decision"] == DECISIONS.index(self.decision)
        found, observed = self._compared(ends, truth)
        known = chosen & ~np.isnan(found)
        tied = known & (np.abs(found - observed) <= _SAME * (1.0 + abs(observed)))
        above = known & ~tied & (found > observed)
        if without is None:
            without = np.full(BLOCKS, truth)
        trials, higher, same = (self._by_block(part) for part in (known, above, tied))
        return Sample(multiple, truth, trials, higher, same, without, int((chosen & ~known).sum()))

    def _by_block(self, chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
        block = np.arange(self.trials) * BLOCKS // self.trials
        return np.bincount(block[chosen], minlength=BLOCKS)

    def _compared(self, ends: dict[str, NDArray[Any]], truth: float) -> tuple[NDArray[np.float64], float]:
        """What trials are ordered by, NaN where they have no estimate, and what it is of the observed one."""
        effect = self._column(ends, "effect")
        if self.standard_error is None:
            return effect, self.observed
        with np.errstate(divide="ignore", invalid="ignore"):
            found = (effect - truth) / self._column(ends, "standard_error")
        return found, (self.observed - truth) / self.standard_error

    def _column(self, ends: dict[str, NDArray[Any]], part: str) -> NDArray[np.float64]:
        return ends[f"{self.endpoint}.{part}" if self._secondaries else part]

    def _point(self, multiple: float, design: Design | None = None) -> GridPoint:
        rules = () if design is None else (design,)
        if design is None and multiple in self._points:
            return self._points[multiple]
        (point,) = grid(self.protocol, self.scenario, {"effect": [multiple]}, rules)
        if design is None:
            self._points[multiple] = point
        return point

    def _told(self, multiple: float) -> float:
        point = self._point(multiple)
        truth = Truth.of(point.protocol, point.scenario)
        context = Context.of(plan(point.protocol), truth, point.scenario, self._secondaries)
        return context.aim(self.endpoint).truth

    def _mean(self, multiple: float) -> tuple[float, NDArray[np.float64]]:
        """Mean estimate of trials with one look, at the planned end, and with each block of trials left out."""
        if multiple not in self._means:
            effect = self._column(self._ends(self._point(multiple, _one_look(self.protocol))), "effect")
            known = ~np.isnan(effect)
            block = np.arange(self.trials) * BLOCKS // self.trials
            if known.sum() < FEWEST:
                raise NotEstimable(f"{self.endpoint} has no estimate in virtual trials, of which truths could be means")
            counts = self._by_block(known)
            sums = np.bincount(block[known], weights=effect[known], minlength=BLOCKS)
            self._means[multiple] = (
                float(sums.sum() / counts.sum()),
                (sums.sum() - sums) / (counts.sum() - counts),
            )
        return self._means[multiple]

    def _ends(self, point: GridPoint) -> dict[str, NDArray[Any]]:
        before = self._done
        found = simulate(
            point.protocol,
            point.scenario,
            self.trials,
            self.seed,
            self.engine,
            secondary=self._secondaries,
            corrected=False,
            stream=f"{self.scenario}, calibrated",
            on_progress=None if self.on_progress is None else lambda done: self._report(before + done),
        )
        if not found.complete or found.rows is None:
            raise KeyboardInterrupt
        self._done = before + self.trials
        return found.rows.ends

    def _report(self, done: int) -> None:
        if self.on_progress is not None:
            self.on_progress(done)


def _one_look(protocol: Protocol) -> Design:
    """The protocol's trial without interim looks."""
    stopping = protocol.stopping.model_dump(exclude_unset=True)
    looks = next((name for name in ("patients", "events") if stopping.get(name)), None)
    when = {"fractions": [1.0]} if looks is None else {looks: [stopping[looks][-1]]}
    return Design("one look", {"efficacy": {"family": "obrien-fleming"}, "futility": None, **when}, "one look")
