"""Many virtual trials and what they say of a design."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import __version__, endpoints
from ..errors import InputError
from ..patients import Truth
from ..plain import plain
from ..sequential import Decision
from ..trial import Plan, plan, walk
from .virtual import generator_for, virtual_trial

if TYPE_CHECKING:
    import polars
    from numpy.typing import NDArray

    from ..protocol import Protocol

__all__ = ["OperatingCharacteristics", "Rate", "simulate"]

CHUNK = 100
COLUMNS = (
    "trial",
    "look",
    "decision",
    "effect",
    "standard_error",
    "degrees_of_freedom",
    "z",
    "randomised",
    "due",
    "day",
    "failures",
)
DECISIONS = tuple(Decision)


@dataclass(frozen=True, slots=True)
class Rate:
    """A proportion of the trials with its Monte-Carlo standard error."""

    value: float
    standard_error: float

    @classmethod
    def of(cls, hits: NDArray[np.bool_]) -> Rate:
        """The share of True."""
        value = float(hits.mean())
        return cls(value, math.sqrt(value * (1 - value) / len(hits)))

    def __str__(self) -> str:
        return f"{100 * self.value:.2f}% ({100 * self.standard_error:.2f})"


@dataclass(frozen=True, repr=False)
class OperatingCharacteristics:
    """What many virtual trials of one scenario show.

    Attributes
    ----------
    rows
        One row a trial, columns as in `COLUMNS`, NaN where a trial gave no estimate, shape (trials, columns).
    true_effect
        Difference of the scenario's means (or risks) that the primary endpoint aims at.
    """

    protocol: str
    protocol_hash: str
    version: str
    scenario: str
    seed: int
    looks: int
    true_effect: float
    rows: NDArray[np.float64] = field(repr=False)

    def column(self, name: str) -> NDArray[np.float64]:
        """One column of `rows`, shape (trials,)."""
        return self.rows[:, COLUMNS.index(name)]

    def _decided(self, *decisions: Decision) -> NDArray[np.bool_]:
        return np.isin(self.column("decision"), [DECISIONS.index(item) for item in decisions])

    @property
    def trials(self) -> int:
        """Number of virtual trials."""
        return len(self.rows)

    @cached_property
    def power(self) -> Rate:
        """Share that rejects in favour of the experimental arm."""
        return Rate.of(self._decided(Decision.EFFICACY))

    @cached_property
    def rejection(self) -> Rate:
        """Share that rejects in either direction: the type I error where the scenario has no effect."""
        return Rate.of(self._decided(Decision.EFFICACY, Decision.HARM))

    @cached_property
    def stopping(self) -> tuple[Rate, ...]:
        """Share that ends at each look, for whatever reason."""
        return tuple(Rate.of(self.column("look") == look) for look in range(1, self.looks + 1))

    @cached_property
    def expected_patients(self) -> float:
        """Mean number randomised when the trial ends."""
        return float(self.column("randomised").mean())

    @cached_property
    def failures(self) -> int:
        """Looks that could not be analysed, over all trials."""
        return int(self.column("failures").sum())

    @cached_property
    def mean_effect(self) -> float:
        """Mean observed effect at the end, over the trials that could be analysed; NaN where none could."""
        known = self.column("effect")[~np.isnan(self.column("effect"))]
        return float(known.mean()) if len(known) else math.nan

    def mean_effect_at(self, look: int) -> float:
        """Mean observed effect of the trials that reject in favour of the experimental arm at a look; NaN where
        none does.
        """
        chosen = (self.column("look") == look) & self._decided(Decision.EFFICACY)
        return float(self.column("effect")[chosen].mean()) if chosen.any() else math.nan

    def to_frame(self) -> polars.DataFrame:
        """One row a trial."""
        import polars as pl

        frame = pl.DataFrame(self.rows, schema=list(COLUMNS), orient="row")
        whole = ("trial", "look", "randomised", "due", "failures")
        names = pl.Series("decision", [DECISIONS[int(code)].value for code in self.column("decision")])
        return frame.with_columns(names, *(pl.col(name).cast(pl.Int64) for name in whole))

    def to_dict(self) -> dict[str, Any]:
        """The summary for a JSON file."""

        def rate(found: Rate) -> dict[str, float]:
            return {"value": found.value, "monte_carlo_standard_error": found.standard_error}

        effects = [self.mean_effect_at(look) for look in range(1, self.looks + 1)]
        return plain(
            {
                "protocol": self.protocol,
                "protocol_hash": self.protocol_hash,
                "version": self.version,
                "scenario": self.scenario,
                "seed": self.seed,
                "trials": self.trials,
                "true_effect": self.true_effect,
                "power": rate(self.power),
                "rejection_either_direction": rate(self.rejection),
                "ends_at_look": [rate(found) for found in self.stopping],
                "expected_patients": self.expected_patients,
                "mean_observed_effect": self.mean_effect,
                "mean_observed_effect_given_efficacy_at_look": effects,
                "looks_not_analysed": self.failures,
            }
        )

    def __str__(self) -> str:
        lines = [
            f"{self.protocol}, scenario {self.scenario}: {self.trials:,} virtual trials, seed {self.seed} "
            "(Monte-Carlo standard error)",
            f"  rejects in favour of the experimental arm  {self.power}",
            f"  rejects in either direction                {self.rejection}",
        ]
        for look, found in enumerate(self.stopping, start=1):
            lines.append(f"  ends at look {look}                             {found}")
        lines.append(f"  patients randomised at the end, mean       {self.expected_patients:.1f}")
        lines.append(
            f"  observed effect, mean (truth)              {_shown(self.mean_effect)} ({self.true_effect:.3f})"
        )
        for look in range(1, self.looks + 1):
            if not math.isnan(self.mean_effect_at(look)):
                lines.append(f"    given efficacy at look {look}                 {self.mean_effect_at(look):.3f}")
        lines.append(f"  looks that could not be analysed           {self.failures}")
        return "\n".join(lines)

    __repr__ = __str__


def simulate(
    protocol: Protocol,
    scenario: str | None = None,
    trials: int = 1000,
    seed: int = 1,
    workers: int = 1,
    on_progress: Callable[[int], None] | None = None,
) -> OperatingCharacteristics:
    """Draw many virtual trials from a scenario and take each through its looks by the protocol's own analysis.

    Trial k is the one that `run(protocol, scenario, seed, trial=k)` draws, whatever the number of workers.

    Parameters
    ----------
    trials
        How many.
    workers
        Processes to share the work between; above 1 a script needs the usual `if __name__ == "__main__":` around it.
    on_progress
        Called with the number of trials done so far.

    Raises
    ------
    InputError
        For an unknown scenario, or numbers below 1.
    """
    if trials < 1 or workers < 1:
        raise InputError("trials" if trials < 1 else "workers", min(trials, workers), "a whole number from 1 on")
    scenario = scenario or protocol.sample_size.scenario
    planned, truth = plan(protocol), Truth.of(protocol, scenario)
    true_effect = endpoints.plan(protocol.primary, protocol, truth).effect
    starts = range(0, trials, CHUNK)
    chunk = partial(_chunk, planned, truth, scenario, seed, trials)
    rows: list[NDArray[np.float64]] = []
    with _pool(workers) as run_all:
        for start, part in zip(starts, run_all(chunk, starts), strict=True):
            rows.append(part)
            if on_progress:
                on_progress(start + len(part))
    return OperatingCharacteristics(
        protocol.trial.name,
        protocol.hash,
        __version__,
        scenario,
        seed,
        planned.design.looks,
        true_effect,
        np.concatenate(rows),
    )


def _shown(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}"


@contextmanager
def _pool(workers: int) -> Iterator[Callable[..., Iterator[Any]]]:
    """`map` over this process or over fresh ones, each with one linear-algebra thread, as the fits are small."""
    if workers == 1:
        yield map
        return
    single: dict[str, str] = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    before = {name: os.environ.get(name) for name in single}
    os.environ.update(single)
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"))
    try:
        yield pool.map
    finally:
        pool.shutdown(cancel_futures=True)
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _chunk(planned: Plan, truth: Truth, scenario: str, seed: int, trials: int, start: int) -> NDArray[np.float64]:
    stop = min(start + CHUNK, trials)
    rows = np.full((stop - start, len(COLUMNS)), math.nan)
    for row, trial in zip(rows, range(start, stop), strict=True):
        data = virtual_trial(planned.protocol, truth, generator_for(seed, scenario, trial), planned.patients)
        looks = list(walk(planned, data))
        last = looks[-1]
        estimate = last.estimate
        measured = (
            (math.nan,) * 4
            if estimate is None
            else (estimate.effect, estimate.standard_error, estimate.degrees_of_freedom, last.z)
        )
        failures = sum(look.estimate is None for look in looks)
        row[:] = (
            trial, last.number, DECISIONS.index(last.decision), *measured,
            last.randomised, last.due, last.day, failures,
        )  # fmt: skip
    return rows
