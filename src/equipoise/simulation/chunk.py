"""Some virtual trials from their first patients to their ends, together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from .. import endpoints
from ..errors import InputError, NotEstimable
from ..estimate_arrays import interval_of
from ..patients import Draws
from ..sequential.many import Conclusions
from ..some_rows import are_all_rows
from ..trial import Bounds, ManyLooks, walk_many
from .rows import END_COLUMNS, LOOK_COLUMNS, SECONDARY_COLUMNS, ChunkRows, secondary_reason
from .virtual import draw_cohort

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..cohort import Cohort
    from ..estimate import Scale
    from ..patients import Truth
    from ..trial import Plan
    from .context import Context

__all__ = ["Task", "simulate_chunk"]

Figures: TypeAlias = "tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]"

# Scores, or patients without, in a chunk: so many that what is done once a chunk hardly counts, so few that an array of
# them fits in the caches.
_VALUES = 2**18
_FEWEST, _MOST = 16, 960


@dataclass(frozen=True, eq=False)
class Task:
    """What every chunk of a run needs; the same for all of them.

    Attributes
    ----------
    stream
        Of the random numbers; the scenario's name, unless several scenarios or designs share their patients.
    secondaries
        Names of the endpoints to estimate besides the primary when a trial ends.
    corrected
        Whether to correct the primary estimate for the stopping.
    """

    plan: Plan
    truth: Truth
    context: Context
    seed: int
    stream: str
    secondaries: tuple[str, ...]
    corrected: bool
    bounds: Bounds = field(repr=False)
    conclusions: Conclusions = field(repr=False)

    @classmethod
    def of(
        cls,
        plan: Plan,
        truth: Truth,
        context: Context,
        seed: int,
        stream: str,
        secondaries: Sequence[str],
        corrected: bool,
    ) -> Task:
        """With nothing found yet."""
        names = tuple(secondaries)
        return cls(plan, truth, context, seed, stream, names, corrected, Bounds(plan), Conclusions(plan.design))

    @property
    def chunk(self) -> int:
        """Trials taken together: a matter of the protocol and of what is estimated, so that results do not hang on who
        does the work.
        """
        protocol = self.plan.protocol
        values = self.plan.patients * (1 if protocol.outcome is None else len(protocol.visits))
        values *= 1 + len(self.secondaries)
        return int(np.clip(_VALUES // values, _FEWEST, _MOST))


def simulate_chunk(task: Task, first: int, stop: int) -> ChunkRows:
    """Trials `first` to before `stop`: drawn, taken through their looks, each endpoint estimated where they end.

    Returns
    -------
    Rows of every look taken and of every trial's end; NaN, with the reason counted, for what could not be estimated.
    """
    plan, protocol = task.plan, task.plan.protocol
    secondaries = [protocol.endpoint(name) for name in task.secondaries]
    draws = Draws.of(task.seed, task.stream, np.arange(first, stop))
    cohort = draw_cohort(protocol, task.truth, draws, plan.patients, [protocol.primary, *secondaries])
    ends = _empty_ends(task, draws.trials)
    looks: list[dict[str, NDArray[Any]]] = []
    failures: Counter[str] = Counter()
    for look in walk_many(plan, cohort, task.bounds):
        failures.update(look.failures)
        looks.append(_look_columns(look, draws.trials))
        failures.update(_write_ends(task, ends, look, cohort, secondaries))
    columns = {name: np.concatenate([part[name] for part in looks]) for name in looks[0]}
    order = np.lexsort((columns["look"], columns["trial"]))
    return ChunkRows.of({name: values[order] for name, values in columns.items()}, ends, dict(failures))


def _look_columns(look: ManyLooks, trials: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
    """`LOOK_COLUMNS` of one look of the trials of these numbers that take it."""
    columns: dict[str, NDArray[Any]] = {
        "trial": trials[look.rows],
        "look": np.full(len(look.rows), look.number),
        "information": look.standard_error**-2.0,
    }
    return columns | {name: getattr(look, name) for name in LOOK_COLUMNS if name not in columns}


def _empty_ends(task: Task, trials: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
    """`END_COLUMNS` and those of the secondary endpoints, of trials that nothing is known of: 0 and NaN."""
    kinds = END_COLUMNS | {f"{name}.{part}": "f8" for name in task.secondaries for part in SECONDARY_COLUMNS}
    ends = {
        name: np.full(len(trials), np.nan, kind) if kind == "f8" else np.zeros(len(trials), kind)
        for name, kind in kinds.items()
    }
    return ends | {"trial": trials}


def _write_ends(
    task: Task, ends: dict[str, NDArray[Any]], look: ManyLooks, cohort: Cohort, secondaries: Sequence[Any]
) -> Counter[str]:
    """Write down the look as the latest of its trials, and the estimates of those that end at it.

    Parameters
    ----------
    ends
        Columns of all trials of the chunk, brought up to date.

    Returns
    -------
    Why secondary endpoints could not be estimated, as `ChunkRows.failures` counts it.
    """
    from ..endpoints.some_trials import some_of

    failures: Counter[str] = Counter()
    protocol, primary = task.plan.protocol, task.context.primary
    ends["failures"][look.rows] += np.isnan(look.effect)
    ends["look"][look.rows] = look.number
    for name in ("decision", "day", "randomised", "due", "observed"):
        ends[name][look.rows] = getattr(look, name)
    for name in ("effect", "standard_error", "degrees_of_freedom", "z"):
        ends[name][look.rows] = getattr(look, name)
    chosen = np.flatnonzero(look.ends)
    if not len(chosen):
        return failures
    rows = look.rows[chosen]
    level = protocol.confidence_level

    def limits(name: str, figures: Figures, scale: Scale) -> None:
        ends[f"{name}lower"][rows], ends[f"{name}upper"][rows] = interval_of(*figures, level, scale)

    figures: Figures = look.effect[chosen], look.standard_error[chosen], look.degrees_of_freedom[chosen]
    limits("", figures, primary.scale)
    if task.corrected:
        found = task.conclusions.of(
            np.where(look.path[chosen] > 0, look.path[chosen] / task.plan.total_units, np.nan),
            np.maximum((look.path[chosen] > 0).sum(axis=1), 1),
            look.z[chosen],
            look.last[chosen],
            *figures,
            primary.better,
            primary.scale,
        )
        ends["median_unbiased"][rows] = found.median_unbiased
        ends["median_unbiased_lower"][rows], ends["median_unbiased_upper"][rows] = found.lower, found.upper
        ends["bias_adjusted"][rows] = found.bias_adjusted
    if not secondaries:
        return failures
    known = look.batch if are_all_rows(chosen, len(look.rows)) else some_of(look.batch, chosen)
    followed = None
    for endpoint in secondaries:
        batch = known
        if endpoints.needs_follow_up(endpoint):
            if followed is None:
                followed = cohort.known_at(rows, look.day[chosen], followed=True)
            batch = followed
        try:
            estimates = endpoints.batch(endpoint, protocol, batch)
        except (InputError, NotEstimable) as error:
            failures[secondary_reason(endpoint.name, str(error))] += len(chosen)
            continue
        failures.update(secondary_reason(endpoint.name, reason) for reason in estimates.failures.values())
        figures = estimates.effect, estimates.standard_error, estimates.degrees_of_freedom
        name = f"{endpoint.name}."
        for part, values in zip(("effect", "standard_error", "degrees_of_freedom"), figures, strict=True):
            ends[name + part][rows] = values
        limits(name, figures, task.context.aim(endpoint.name).scale)
    return failures
