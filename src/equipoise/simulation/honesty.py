"""How honest corrected estimates are: whole virtual trials stopped by their rule, every endpoint corrected as for one.

Each trial is corrected by what is known in it, the correlation of its endpoints from its own patients included, so that
small samples have their say. Of every estimate: how often it lies above the truth (a half, where median-unbiased), its
mean distance from the truth in standard errors, and how often its interval covers; over all trials, and among those
that end at each look.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from .. import endpoints
from ..checks import choice, whole
from ..endpoints.binary.proportions import newcombe_at
from ..endpoints.influence import correlations_of_many
from ..endpoints.response_counts import response_counts
from ..endpoints.some_trials import some_of
from ..errors import InputError
from ..estimate import Scale
from ..patients import Draws, Truth
from ..protocol import loaded
from ..sequential.secondary_many import SecondaryConclusions
from ..trial import Bounds, plan, walk_many
from .context import Context
from .engines import Engine, engine_named
from .rates import Mean, Rate
from .virtual import draw_cohort

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..protocol import Protocol
    from ..trial import Plan
    from ..trial_batch import TrialBatch

__all__ = ["ESTIMATES", "HonestyLine", "HonestyStudy", "honesty_study"]

Tables: TypeAlias = "tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]"

ESTIMATES = ("observed", "bias-adjusted", "median-unbiased", "conditional")
_COLUMNS = {
    "observed": ("effect", "naive_lower", "naive_upper"),
    "bias-adjusted": ("bias_adjusted", "", ""),
    "median-unbiased": ("median_unbiased", "lower", "upper"),
    "conditional": ("conditional", "conditional_lower", "conditional_upper"),
}
_CHUNK = 400


@dataclass(frozen=True, eq=False)
class _Task:
    plan: Plan
    truth: Truth
    context: Context
    names: tuple[str, ...]
    seed: int
    stream: str
    bounds: Bounds = field(repr=False)
    conclusions: SecondaryConclusions = field(repr=False)


@dataclass(frozen=True)
class HonestyLine:
    """How one estimate of one endpoint did among some of the trials.

    Attributes
    ----------
    endpoint, estimate
        Which; an estimate is one of `ESTIMATES`.
    look
        Among trials that end there, from 1; 0 for all trials.
    above
        Share of trials whose estimate favours the experimental arm more than the truth does.
    bias
        Mean of estimate less truth, positive in favour of the experimental arm, in standard errors of the observed
        estimate; of the finite ones.
    coverage
        Share of intervals that hold the truth; None where the estimate has none.
    trials
        That were estimated, with those of infinite estimates.
    """

    endpoint: str
    estimate: str
    look: int
    above: Rate
    bias: Mean
    coverage: Rate | None
    trials: int


@dataclass(frozen=True, eq=False)
class HonestyStudy:
    """How corrected estimates did in many virtual trials of one truth.

    Attributes
    ----------
    truths
        True effects by endpoint, on its scale (ratios as natural logarithms).
    level
        Of the intervals.
    ended
        Share of the trials that end at each look.
    correlations
        By secondary endpoint: mean over the trials of the correlation found in each.
    lines
        By endpoint, estimate and look; look 0 is all trials.
    """

    protocol: Protocol = field(repr=False)
    scenario: str
    trials: int
    seed: int
    truths: dict[str, float]
    level: float
    ended: tuple[Rate, ...]
    correlations: dict[str, Mean]
    lines: tuple[HonestyLine, ...]

    def line(self, endpoint: str, estimate: str, look: int = 0) -> HonestyLine:
        """One of the lines; raises `InputError` where there is none."""
        for found in self.lines:
            if (found.endpoint, found.estimate, found.look) == (endpoint, estimate, look):
                return found
        raise InputError("line", (endpoint, estimate, look), "an endpoint, an estimate and a look of the study")


def honesty_study(
    protocol: Protocol,
    scenario: str | None = None,
    trials: int = 10_000,
    seed: int = 1,
    *,
    secondary: Sequence[str] = (),
    engine: str | Engine = "processes",
    workers: int | None = None,
    stream: str | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> HonestyStudy:
    """Take virtual trials through their looks and correct every endpoint of each for its stop.

    Parameters
    ----------
    secondary
        Endpoints besides the primary whose truth the scenario tells.
    engine, workers, stream
        As for `simulate`.

    Raises
    ------
    InputError
        For what `simulate` refuses, or an endpoint whose true effect is not known.
    """
    scenario = scenario or loaded(protocol).sample_size.scenario
    trials, seed = whole("trials", trials), whole("seed", seed)
    planned, truth = plan(protocol), Truth.of(protocol, scenario)
    names = tuple(secondary)
    known = [item.name for item in protocol.endpoints if item.role != "primary"]
    for name in names:
        choice("secondary", name, known)
    context = Context.of(planned, truth, scenario, names)
    for aim in context.aims:
        if math.isnan(aim.truth):
            raise InputError("secondary", aim.name, "an endpoint whose true effect the scenario tells")
    stream = stream or scenario
    task = _Task(
        planned,
        truth,
        context,
        names,
        seed,
        stream,
        Bounds(planned),
        SecondaryConclusions(planned.design, always_tables=True),
    )
    chunks = [(first, min(first + _CHUNK, trials)) for first in range(0, trials, _CHUNK)]
    own = isinstance(engine, str)
    running = engine_named(engine, workers) if isinstance(engine, str) else engine
    parts: list[dict[str, NDArray[Any]]] = []
    try:
        with closing(running.map(_chunk, task, chunks)) as found:
            for part in found:
                parts.append(part)
                if on_progress is not None:
                    on_progress(sum(len(one["look"]) for one in parts))
    finally:
        if own:
            running.close()
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return _study(task, columns, protocol, scenario, trials)


def _chunk(task: _Task, first: int, stop: int) -> dict[str, NDArray[Any]]:
    """Every trial's end and its estimates: "look", "decision", and "NAME.column" of each endpoint, (trials,) each."""
    protocol, planned = task.plan.protocol, task.plan
    items = [protocol.primary, *(protocol.endpoint(name) for name in task.names)]
    draws = Draws.of(task.seed, task.stream, np.arange(first, stop))
    cohort = draw_cohort(protocol, task.truth, draws, planned.patients, items)
    kept = ("effect", "standard_error", "correlation", *dict.fromkeys(sum(_COLUMNS.values(), ())))
    found: dict[str, NDArray[Any]] = {
        f"{item.name}.{column}": np.full(stop - first, np.nan) for item in items for column in kept if column
    }
    found |= {"look": np.zeros(stop - first, np.int16), "decision": np.zeros(stop - first, np.int8)}
    every = tuple(item.name for item in items)
    for look in walk_many(planned, cohort, task.bounds):
        chosen = np.flatnonzero(look.ends)
        if not len(chosen):
            continue
        rows = look.rows[chosen]
        found["look"][rows], found["decision"][rows] = look.number, look.decision[chosen]
        batch = some_of(look.batch, chosen)
        later = batch
        if any(endpoints.needs_follow_up(item) for item in items):
            later = cohort.known_at(rows, look.day[chosen], followed=True)
        correlations = correlations_of_many(protocol, batch, later, every)
        path = look.path[chosen]
        stopped = (
            np.where(path > 0, path / planned.total_units, np.nan),
            np.maximum((path > 0).sum(axis=1), 1),
            look.z[chosen],
            look.last[chosen],
        )
        for at, item in enumerate(items):
            aim = task.context.aims[at]
            if at == 0:
                figures = look.effect[chosen], look.standard_error[chosen], look.degrees_of_freedom[chosen]
                correlation = np.ones(len(chosen))
            else:
                one = endpoints.batch(item, protocol, later if endpoints.needs_follow_up(item) else batch)
                figures = one.effect, one.standard_error, one.degrees_of_freedom
                correlation = correlations.matrix[:, 0, at]
            known = np.where(np.isnan(correlation), 0.0, correlation)
            counts = _counts(item, protocol, batch) if at else None
            if counts is None:
                read, scale, null_value = figures, aim.scale, aim.null_value
            else:
                none = np.zeros(len(chosen))
                read, scale, null_value = (none, none + 1.0, none + np.inf), Scale.MEAN_DIFFERENCE, 0.0
            better = task.context.primary.better
            corrected = task.conclusions.of(*stopped, *read, known, aim.better, scale, null_value, better)
            found[f"{item.name}.effect"][rows], found[f"{item.name}.standard_error"][rows] = figures[:2]
            found[f"{item.name}.correlation"][rows] = correlation
            for column in kept[3:]:
                if column and column != "effect":
                    values = getattr(corrected, column)
                    values = values if counts is None else newcombe_at(*counts, values)
                    found[f"{item.name}.{column}"][rows] = np.where(np.isnan(correlation), np.nan, values)
    return found


def _counts(item: Any, protocol: Protocol, trials: TrialBatch) -> Tables | None:
    """Responders and patients of the two arms where the endpoint is the plain difference of them; else None."""
    if item.type != "response" or item.effect != "risk-difference" or item.covariates or item.strata:
        return None
    return None if item.missing == "multiple-imputation" else response_counts(item, protocol, trials)


def _study(
    task: _Task, columns: dict[str, NDArray[Any]], protocol: Protocol, scenario: str, trials: int
) -> HonestyStudy:
    looks, lines = task.plan.design.looks, []
    for aim in task.context.aims:
        sign = 1.0 if aim.better == "higher" else -1.0
        error = columns[f"{aim.name}.standard_error"]
        for look in range(looks + 1 if looks > 1 else 1):
            here = np.ones(trials, dtype=bool) if look == 0 else columns["look"] == look
            for estimate in ESTIMATES:
                centre, lower, upper = (
                    columns[f"{aim.name}.{column}"][here] if column else None for column in _COLUMNS[estimate]
                )
                assert centre is not None
                seen = ~np.isnan(centre)
                distance = sign * (centre[seen] - aim.truth)
                covered = None
                if lower is not None and upper is not None:
                    covered = Rate.of(((lower <= aim.truth) & (aim.truth <= upper))[seen])
                finite = np.isfinite(distance)
                scaled = distance[finite] / error[here][seen][finite]
                above = Rate(int((distance > 0).sum()) + 0.5 * int((distance == 0).sum()), len(distance))
                lines.append(HonestyLine(aim.name, estimate, look, above, _mean(scaled), covered, int(seen.sum())))
    return HonestyStudy(
        protocol,
        scenario,
        trials,
        task.seed,
        {aim.name: aim.truth for aim in task.context.aims},
        protocol.confidence_level,
        tuple(Rate.of(columns["look"] == look) for look in range(1, looks + 1)),
        {name: _mean(columns[f"{name}.correlation"]) for name in task.names},
        tuple(lines),
    )


def _mean(values: NDArray[np.float64]) -> Mean:
    known = values[~np.isnan(values)]
    return Mean.of_sums(len(known), float(known.sum()), float((known**2).sum()))
