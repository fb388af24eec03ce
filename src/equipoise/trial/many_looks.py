"""The looks of many trials at once: when each falls, what was known then, what the rule says."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import endpoints
from ..endpoints import BatchEstimates
from ..errors import InputError, NotEstimable
from ..estimate_arrays import favourable_z_of
from ..sequential import Decision
from ..some_rows import index_of_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..cohort import Cohort
    from ..trial_batch import TrialBatch
    from .plan import Plan

__all__ = ["DECISIONS", "Bounds", "ManyLooks", "walk_many"]

DECISIONS = tuple(Decision)
_CODE = {decision: code for code, decision in enumerate(DECISIONS)}
_LARGEST = 2**62
_MOST_KEPT = 4096
_STOPS = np.array([decision.stops for decision in DECISIONS])


class Bounds:
    """Bounds of a design at observed looks, each found once and the last few thousand kept.

    Looks are told by what they counted, patients or events, so that the fractions are those of single trials to the
    last bit. It may be used by several threads, and be pickled, which forgets what was kept.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._found: dict[tuple[tuple[int, ...], bool], tuple[float, float, str]] = {}
        self._finding = Lock()

    def __reduce__(self) -> Any:
        return Bounds, (self.plan,)

    def at(self, counts: tuple[int, ...], last: bool) -> tuple[float, float, str]:
        """Efficacy and futility bound at the latest of the looks with these counts, NaN where there is no futility
        bound, and why there are none at all, else "".
        """
        key = (counts, last)
        with self._finding:
            if key not in self._found:
                while len(self._found) >= _MOST_KEPT:
                    self._found.pop(next(iter(self._found)))
                self._found[key] = self._made(counts, last)
            return self._found[key]

    def _made(self, counts: tuple[int, ...], last: bool) -> tuple[float, float, str]:
        try:
            bounds = self.plan.design.bounds_at([count / self.plan.total_units for count in counts], last)
        except InputError as error:
            return math.inf, math.nan, str(error)
        futility = math.nan if bounds.futility is None else float(bounds.futility[-1])
        return float(bounds.efficacy[-1]), futility, ""


@dataclass(frozen=True, eq=False)
class ManyLooks:
    """One look of the trials that had not ended before it; arrays of shape (trials of the look,).

    Attributes
    ----------
    number
        From 1, as planned.
    rows
        Which trials of the cohort.
    day, randomised, due, observed, fraction, last
        As of `Look`.
    effect, standard_error, degrees_of_freedom, z
        NaN where the look could not be analysed.
    efficacy_bound, futility_bound
        NaN where there is none.
    decision
        Index into `DECISIONS`.
    path
        Counts at the looks that spent alpha, this one included where it was analysed, in their order and then 0, shape
        (trials, looks).
    failures
        Why looks could not be analysed, and how many.
    batch
        What was known.
    """

    number: int
    rows: NDArray[np.intp]
    day: NDArray[np.float64]
    randomised: NDArray[np.intp]
    due: NDArray[np.intp]
    observed: NDArray[np.intp]
    fraction: NDArray[np.float64]
    last: NDArray[np.bool_]
    effect: NDArray[np.float64]
    standard_error: NDArray[np.float64]
    degrees_of_freedom: NDArray[np.float64]
    z: NDArray[np.float64]
    efficacy_bound: NDArray[np.float64]
    futility_bound: NDArray[np.float64]
    decision: NDArray[np.int8]
    path: NDArray[np.intp]
    failures: Counter[str] = field(repr=False)
    batch: TrialBatch = field(repr=False)

    @property
    def ends(self) -> NDArray[np.bool_]:
        """Which trials end here."""
        return self.last | _STOPS[self.decision]


def walk_many(plan: Plan, cohort: Cohort, bounds: Bounds) -> Iterator[ManyLooks]:
    """Look after look of all trials, as `walk` takes them singly; trials that have ended are in no later look."""
    protocol, design = plan.protocol, plan.design
    reached = endpoints.reached(protocol.primary, protocol, cohort)
    ordered = np.sort(reached, axis=1)
    rows = np.arange(len(cohort))
    path = np.zeros((len(cohort), design.looks), dtype=np.intp)
    for number in range(1, design.looks + 1):
        day = _look_days(plan, cohort, reached, ordered, number)[rows]
        falls = np.isfinite(day)
        waiting = rows[~falls] if plan.unit == "events" else rows[:0]
        rows, day = rows[falls], day[falls]
        if len(rows):
            look = _look(plan, cohort, reached, number, rows, day, path, bounds)
            yield look
            rows = rows[~look.ends]
        rows = np.sort(np.concatenate([rows, waiting])) if len(waiting) else rows
        if not len(rows):
            return


def _look_days(
    plan: Plan, cohort: Cohort, reached: NDArray[np.float64], ordered: NDArray[np.float64], number: int
) -> NDArray[np.float64]:
    """Day of a look in every trial, infinite where it never falls; the rule of `look_day`."""
    patients = reached.shape[1]
    wanted, last = plan.units_per_look[number - 1], number == plan.design.looks
    if plan.unit == "patients":
        if last and wanted <= patients:
            wanted = patients
        return ordered[:, wanted - 1] if wanted <= patients else np.full(len(cohort), np.inf)
    day = ordered[:, wanted - 1] if wanted <= patients else np.full(len(cohort), np.inf)
    if last and patients >= plan.patients and np.isinf(day).any():
        visit = cohort.visit_names.index(plan.protocol.primary_visit)
        ended = np.fmin(np.fmin(cohort.reached[:, :, visit], cohort.withdrawn), reached)
        day = np.where(np.isinf(day), ended.max(axis=1), day)
    return day


def _look(
    plan: Plan,
    cohort: Cohort,
    reached: NDArray[np.float64],
    number: int,
    rows: NDArray[np.intp],
    day: NDArray[np.float64],
    path: NDArray[np.intp],
    bounds: Bounds,
) -> ManyLooks:
    """The rule of `look_at`; `path` of the trials of the cohort is brought up to date where alpha is spent."""
    primary, protocol, design = plan.protocol.primary, plan.protocol, plan.design
    batch = cohort.known_at(rows, day)
    due = np.count_nonzero(reached[index_of_rows(rows, len(reached))] <= day[:, None], axis=1)
    fraction = due / plan.total_units
    last = (fraction >= 1) | (number == design.looks)
    efficacy, futility, spent, failures = _bounds(plan, bounds, due, last, path[rows])
    try:
        estimates = endpoints.batch(primary, protocol, batch)
    except (InputError, NotEstimable) as error:
        nothing = np.full(len(rows), np.nan)
        estimates = BatchEstimates.of(nothing, nothing, failures=dict.fromkeys(range(len(rows)), str(error)))
    for at, reason in estimates.failures.items():
        failures.setdefault(at, reason)
    failed = np.zeros(len(rows), dtype=bool)
    failed[list(failures)] = True
    effect, error, freedom = (
        np.where(failed, np.nan, values)
        for values in (estimates.effect, estimates.standard_error, estimates.degrees_of_freedom)
    )
    z = favourable_z_of(effect, error, freedom, plan.null_value, plan.better)
    decision = _decisions(design.sided, z, efficacy, futility, last)
    path[rows] = np.where(failed[:, None], path[rows], spent)
    return ManyLooks(
        number=number,
        rows=rows,
        day=day,
        randomised=np.count_nonzero(batch.arm >= 0, axis=1),
        due=due,
        observed=np.count_nonzero(endpoints.seen(primary, protocol, batch), axis=1),
        fraction=fraction,
        last=last,
        effect=effect,
        standard_error=error,
        degrees_of_freedom=freedom,
        z=z,
        efficacy_bound=np.where(np.isinf(efficacy), np.nan, efficacy),
        futility_bound=futility,
        decision=decision,
        path=path[rows],
        failures=Counter(failures.values()),
        batch=batch,
    )


def _bounds(
    plan: Plan, bounds: Bounds, due: NDArray[np.intp], last: NDArray[np.bool_], before: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.intp], dict[int, str]]:
    """Bounds of a look in each trial, the counts that have spent alpha with it, and why a trial has none."""
    trials = len(due)
    efficacy, futility = np.full(trials, np.inf), np.full(trials, np.nan)
    spent = before.copy()
    failures: dict[int, str] = {}
    states, group = _distinct([last, due, *before[:, before.any(axis=0)].T])
    order = np.argsort(group, kind="stable")
    for state, members in zip(states, np.split(order, np.cumsum(np.bincount(group))[:-1]), strict=True):
        final, count = bool(last[state]), int(due[state])
        earlier = [int(part) for part in before[state] if part]
        if final and earlier and count <= earlier[-1]:
            earlier = earlier[:-1]
        if count <= (earlier[-1] if earlier else 0):
            failures |= dict.fromkeys(
                members.tolist(),
                str(InputError(plan.unit, count, "more than at the look before, or any at a first one")),
            )
            continue
        counts = (*earlier, count)
        efficacy[members], futility[members], reason = bounds.at(counts, final)
        if reason:
            failures |= dict.fromkeys(members.tolist(), reason)
        spent[members] = 0
        spent[members, : len(counts)] = counts
    return efficacy, futility, spent, failures


def _distinct(columns: Sequence[NDArray[Any]]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """A row of each kind, and the kind of each row; columns of whole numbers from 0 on, each shape (rows,)."""
    code, kinds = np.zeros(len(columns[0]), dtype=np.int64), 1
    for column in columns:
        width = int(column.max()) + 1
        if kinds * width > _LARGEST:
            found, code = np.unique(code, return_inverse=True)
            kinds = len(found)
        code, kinds = code * width + column, kinds * width
    _, first, group = np.unique(code, return_index=True, return_inverse=True)
    return first, group


def _decisions(
    sided: int,
    z: NDArray[np.float64],
    efficacy: NDArray[np.float64],
    futility: NDArray[np.float64],
    last: NDArray[np.bool_],
) -> NDArray[np.int8]:
    """The rule of `decide`; a look without z goes on unless it is the last."""
    with np.errstate(invalid="ignore"):
        futile = (z if sided == 1 else np.abs(z)) <= futility
        chosen = [z >= efficacy, (z <= -efficacy) & (sided == 2), last, futile]
    codes = [_CODE[part] for part in (Decision.EFFICACY, Decision.HARM, Decision.NOT_REJECTED, Decision.FUTILITY)]
    return np.select(chosen, codes, _CODE[Decision.CONTINUE]).astype(np.int8)
