"""Estimates of trials made of some of the patients of others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError, NotEstimable
from ..trial_batch import TrialBatch
from . import batch, estimate, needs_follow_up
from .batch import BatchEstimates
from .some_trials import one_trial_of, some_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..data import TrialData
    from ..protocol import Protocol

__all__ = ["batches_of", "estimates_of", "names_of", "refits"]

# Scores in the trials that are estimated together, whatever the number of trials.
_VALUES = 2**18

Columns = Callable[["NDArray[np.intp]"], "NDArray[np.intp]"]


def refits(
    protocol: Protocol,
    names: tuple[str, ...],
    trials: TrialBatch,
    later: TrialBatch,
    rows: NDArray[np.intp],
    which: NDArray[np.intp],
    columns: Columns,
) -> list[BatchEstimates]:
    """Estimates of the trials of these numbers made of some of their patients: those in the places that `columns` gives
    of `which`, shape (rows, places); so many at a time that memory does not grow with the rows.
    """
    size = max(1, _VALUES // max(1, trials.arm.shape[1] * max(1, trials.scores.shape[2])))
    parts: list[list[BatchEstimates]] = [[] for _ in names]
    for start in range(0, len(rows), size):
        some, places = rows[start : start + size], columns(which[start : start + size])
        known = some_of(trials, some, places)
        after = known if later is trials else some_of(later, some, places)
        for kept, found in zip(parts, estimates_of(protocol, names, known, after), strict=True):
            moved = {at + start: reason for at, reason in found.failures.items()}
            kept.append(replace(found, failures=moved))
    return [
        BatchEstimates(
            np.concatenate([part.effect for part in kept]),
            np.concatenate([part.standard_error for part in kept]),
            np.concatenate([part.degrees_of_freedom for part in kept]),
            {at: reason for part in kept for at, reason in part.failures.items()},
        )
        for kept in parts
    ]


def estimates_of(
    protocol: Protocol, names: tuple[str, ...], trials: TrialBatch, later: TrialBatch
) -> list[BatchEstimates]:
    """Of each name; the clusters of one endpoint are from one fit a trial."""
    found: dict[str, BatchEstimates] = {}
    for name in names:
        endpoint, cluster = protocol.hypothesis(name)
        of = later if needs_follow_up(endpoint) else trials
        if cluster and name not in found:
            found |= _parts(protocol, endpoint, [other for other in names if protocol.hypothesis(other)[1]], of)
        elif not cluster:
            found[name] = _whole(protocol, endpoint, of)
    return [found[name] for name in names]


def _whole(protocol: Protocol, endpoint: Any, trials: TrialBatch) -> BatchEstimates:
    try:
        return batch(endpoint, protocol, trials)
    except (InputError, NotEstimable) as error:
        missing = np.full(len(trials), np.nan)
        return BatchEstimates.of(missing, missing, np.nan, dict.fromkeys(range(len(trials)), str(error)))


def _parts(protocol: Protocol, endpoint: Any, names: list[str], trials: TrialBatch) -> dict[str, BatchEstimates]:
    """Estimates by hypothesis of one endpoint, the trials one by one."""
    own = [name for name in names if protocol.hypothesis(name)[0].name == endpoint.name]
    values = {name: np.full((3, len(trials)), np.nan) for name in own}
    failures: dict[int, str] = {}
    for at in range(len(trials)):
        try:
            each = estimate(endpoint, protocol, one_trial_of(trials, at)).hypotheses
        except (InputError, NotEstimable) as error:
            failures[at] = str(error)
            continue
        for name in own:
            values[name][:, at] = each[name].effect, each[name].standard_error, each[name].degrees_of_freedom
    return {name: BatchEstimates.of(part[0], part[1], part[2], failures) for name, part in values.items()}


def names_of(protocol: Protocol, names: Sequence[str] | None) -> tuple[str, ...]:
    chosen = tuple(item.name for item in protocol.endpoints) if names is None else tuple(names)
    if not chosen:
        raise InputError("names", names, "at least one endpoint")
    for name in chosen:
        protocol.hypothesis(name)
    return chosen


def batches_of(data: TrialData, followed: TrialData | None) -> tuple[TrialBatch, TrialBatch]:
    trials = TrialBatch.of([data])
    if followed is None or followed is data:
        return trials, trials
    if not np.array_equal(followed.patient, data.patient) or not np.array_equal(followed.arm, data.arm):
        raise InputError("followed", len(followed), f"the {len(data)} patients of the data in their order")
    return trials, TrialBatch.of([followed])
