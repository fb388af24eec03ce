"""Many trials as arrays, read by endpoints as one trial's tables are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from .data import ADVERSE_EVENT, LOSS_OF_RESPONSE, Measured
from .errors import InputError
from .recorded import Recorded

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .data import TrialData

__all__ = ["TrialBatch"]


@dataclass(frozen=True, eq=False)
class TrialBatch(Recorded):
    """What was known of many trials at one look, a patient a column; places without a patient have arm -1.

    Its methods are those of `TrialData`, with an axis of trials before that of the patients.

    Attributes
    ----------
    arm_names, visit_names
        As of one trial.
    arm
        Index into `arm_names`, -1 where there is no patient, shape (trials, patients).
    scores
        NaN where not observed, shape (trials, patients, visits).
    due
        Whether each visit had been reached, seen or not, shape (trials, patients, visits).
    assessed
        Days from randomisation to each assessment, NaN where there was none, shape (trials, patients, visits).
    followed
        Days from randomisation to the last contact, NaN without a patient, shape (trials, patients).
    has_dates, has_events
        As of one trial, shape (trials,).
    covariates
        By name, shape (trials, patients): float (NaN missing) or str ("" missing).
    measures, subscales
        As of one trial, shapes (trials, patients) and (trials, patients, visits).
    first_events
        By (kind, term), and by (kind, "") for any term: days from randomisation to the first event, infinite where
        there was none, shape (trials, patients).
    """

    arm_names: tuple[str, ...]
    visit_names: tuple[str, ...]
    arm: NDArray[np.intp]
    scores: NDArray[np.float64]
    due: NDArray[np.bool_]
    assessed: NDArray[np.float64]
    followed: NDArray[np.float64]
    has_dates: NDArray[np.bool_]
    has_events: NDArray[np.bool_]
    covariates: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    measures: Mapping[str, Measured] = field(default_factory=dict)
    subscales: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    first_events: Mapping[tuple[str, str], NDArray[np.float64]] = field(default_factory=dict)

    @classmethod
    def of(cls, trials: Sequence[TrialData]) -> TrialBatch:
        """Trials of one protocol side by side, each padded to the largest.

        Raises
        ------
        InputError
            For no trials, or trials that do not hold the same.
        """
        if not trials:
            raise InputError("trials", 0, "at least one trial")
        _check_alike(trials)
        first, size = trials[0], max(len(trial) for trial in trials)

        def stacked(values: Sequence[NDArray[Any]], empty: Any) -> NDArray[Any]:
            kind = np.result_type(*(part.dtype for part in values))
            whole = np.full((len(values), size, *values[0].shape[1:]), empty, dtype=kind)
            for row, part in zip(whole, values, strict=True):
                row[: len(part)] = part
            return whole

        def stacked_measure(name: str) -> Measured:
            found = [trial.measures[name] for trial in trials]
            parts: list[Any] = [stacked([item.value for item in found], np.nan)]
            for attribute, empty in (("observed", False), ("exposure", np.nan), ("known", np.nan)):
                values = [getattr(item, attribute) for item in found]
                parts.append(None if any(part is None for part in values) else stacked(values, empty))
            return Measured(*parts)

        terms = sorted({str(term) for trial in trials for term in np.unique(trial.events.term)} - {""})
        keys = [(LOSS_OF_RESPONSE, ""), (ADVERSE_EVENT, ""), *((ADVERSE_EVENT, term) for term in terms)]
        return cls(
            first.arm_names,
            first.visit_names,
            stacked([trial.arm for trial in trials], -1),
            stacked([trial.scores for trial in trials], np.nan),
            stacked([np.stack([trial.is_due(name) for name in first.visit_names], axis=1) for trial in trials], False),
            stacked([trial.assessed - trial.randomised[:, None] for trial in trials], np.nan),
            stacked([trial.followed for trial in trials], np.nan),
            np.array([trial.has_dates for trial in trials]),
            np.array([trial.has_events for trial in trials]),
            {
                name: stacked([trial.covariates[name] for trial in trials], "" if values.dtype.kind == "U" else np.nan)
                for name, values in first.covariates.items()
            },
            {name: stacked_measure(name) for name in first.measures},
            {name: stacked([trial.subscales[name] for trial in trials], np.nan) for name in first.subscales},
            {key: stacked([trial.first_event(*key) for trial in trials], np.inf) for key in keys},
        )

    def __len__(self) -> int:
        return len(self.arm)

    def is_due(self, visit: str) -> NDArray[np.bool_]:
        """Whether each patient has reached the visit, shape (trials, patients)."""
        return self.due[:, :, self.visit_names.index(visit)]

    def since_randomisation(self, visit: str) -> NDArray[np.float64]:
        """Days from randomisation to the assessment at a visit, shape (trials, patients)."""
        return self.assessed[:, :, self.visit_names.index(visit)]

    def first_event(self, kind: str, term: str = "") -> NDArray[np.float64]:
        """Days from randomisation to the first event, infinite where there was none, shape (trials, patients)."""
        return self.first_events.get((kind, term), np.full(self.arm.shape, np.inf))


def _check_alike(trials: Sequence[TrialData]) -> None:
    """Raises `InputError` for the first trial that does not hold what the first one does."""
    wanted = _held(trials[0])
    for number, trial in enumerate(trials[1:], start=1):
        found = _held(trial)
        for what, names in wanted.items():
            if found[what] != names:
                expected = f"{', '.join(names) or 'none'}, as in trial 0"
                raise InputError(f"{what} of trial {number}", ", ".join(found[what]) or "none", expected)


def _held(trial: TrialData) -> dict[str, tuple[str, ...]]:
    """What a trial holds, in words: names in their order where it matters, and what is known of each."""

    def parts(name: str, item: Measured) -> str:
        told = (("with events", item.observed), ("with exposure", item.exposure))
        return " ".join([name, *(word for word, part in told if part is not None)])

    return {
        "arms": trial.arm_names,
        "visits": trial.visit_names,
        "covariates": tuple(
            f"{name} (words)" if values.dtype.kind == "U" else name for name, values in sorted(trial.covariates.items())
        ),
        "measures": tuple(parts(name, item) for name, item in sorted(trial.measures.items())),
        "clusters": tuple(sorted(trial.subscales)),
    }
