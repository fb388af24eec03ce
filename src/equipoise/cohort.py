"""Everything that would happen to the patients of many trials if none stopped early."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from .data import Events, Measured, Origin, TrialData, patient_names
from .some_rows import index_of_rows
from .trial_batch import TrialBatch

if TYPE_CHECKING:
    import datetime

    from numpy.typing import NDArray

__all__ = ["Cohort"]


@dataclass(frozen=True, eq=False)
class Cohort:
    """Patients of many trials of one protocol, each trial as large as planned, to the end of their follow-up.

    Attributes
    ----------
    arm_names, visit_names, scale
        As of one trial.
    arm
        Index into `arm_names`, shape (trials, patients).
    randomised
        Day of the trial, not falling along the patients, shape (trials, patients).
    scores
        NaN where not seen, shape (trials, patients, visits); with no visits where the protocol has no rating scale.
    assessed
        Day of the trial of each assessment, NaN where there was none, shape (trials, patients, visits).
    closes
        Days from randomisation to the closing of each visit's window, shape (visits,).
    tells_visits
        Whether `known_at` tells of visits and scores; not where no endpoint reads them: it then knows of no visits.
    withdrawn
        Day on which the patient left, NaN for those who completed, shape (trials, patients).
    last_contact
        Day on which the patient was last heard of, shape (trials, patients).
    covariates, measures, subscales
        As of one trial, with the axis of trials before the others.
    event_days
        By (kind, term): day of the trial of the patient's only such event, infinite where there was none, shape
        (trials, patients).
    start
        Date of day 0.
    complete
        Whether it is known that every visit took place, none after its window had closed, which saves a pass; looks of
        a cohort of which it is said wrongly would not fall.
    """

    arm_names: tuple[str, ...]
    visit_names: tuple[str, ...]
    scale: str
    arm: NDArray[np.intp]
    randomised: NDArray[np.float64]
    scores: NDArray[np.float64]
    assessed: NDArray[np.float64]
    closes: NDArray[np.float64]
    tells_visits: bool
    withdrawn: NDArray[np.float64]
    last_contact: NDArray[np.float64]
    covariates: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    measures: Mapping[str, Measured] = field(default_factory=dict)
    subscales: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    event_days: Mapping[tuple[str, str], NDArray[np.float64]] = field(default_factory=dict)
    start: datetime.date | None = None
    complete: bool = False

    def __len__(self) -> int:
        return len(self.arm)

    @property
    def due(self) -> NDArray[np.float64]:
        """Day of the trial on which each visit's window closes, shape (trials, patients, visits)."""
        due = np.empty(self.assessed.shape)
        for at, day in enumerate(self.closes):
            np.add(self.randomised, day, out=due[:, :, at])
        return due

    @cached_property
    def reached(self) -> NDArray[np.float64]:
        """Day on which each visit was assessed, or its window closed if that came first, shape (trials, patients,
        visits).
        """
        if self.complete:
            return self.assessed
        due = self.due
        return np.fmin(self.assessed, due, out=due)

    def measure(self, name: str) -> Measured:
        """What was recorded of a measure."""
        return self.measures[name]

    def known_at(self, rows: NDArray[np.intp], days: NDArray[np.float64], *, followed: bool = False) -> TrialBatch:
        """What was known of some trials on a day of each: later patients, scores and events are not in it.

        Parameters
        ----------
        rows
            Which trials, in any order, shape (rows,).
        days
            Of the trial, shape (rows,).
        followed
            Whether to follow the patients who had entered by then to the end all the same.

        Returns
        -------
        Arrays of shape (rows, patients, ...) in the order of `rows`; patients who had not entered have arm -1.
        """
        from .cohort_kernels import known_visits

        chosen = index_of_rows(rows, len(self))
        until = np.full(len(rows), np.inf) if followed else days
        patients, visits = self.arm.shape[1], self.assessed.shape[2] if self.tells_visits else 0
        arm, since = np.empty((len(rows), patients), dtype=np.intp), np.empty((len(rows), patients))
        assessed, due = np.empty((len(rows), patients, visits)), np.empty((len(rows), patients, visits), dtype=np.bool_)
        scores = np.empty((len(rows), patients, self.scores.shape[2]))
        known_visits(
            rows,
            days,
            until,
            self.randomised,
            self.arm,
            self.last_contact,
            self.assessed,
            self.closes,
            self.scores,
            arm,
            since,
            assessed,
            due,
            scores,
        )
        measures = {name: self._known(item, rows, days, until) for name, item in self.measures.items()}
        events = {}
        for key, values in self.event_days.items():
            day, randomised = values[chosen], self.randomised[chosen]
            events[key] = np.where((arm >= 0) & (day <= until[:, None]), day - randomised, np.inf)
        first: dict[tuple[str, str], NDArray[np.float64]] = {}
        for (kind, term), values in events.items():
            first[kind, term] = values
            first[kind, ""] = np.minimum(first[kind, ""], values) if (kind, "") in first else values
        return TrialBatch(
            arm_names=self.arm_names,
            visit_names=self.visit_names,
            arm=arm,
            scores=scores if self.scores.shape[2] else np.broadcast_to(np.nan, assessed.shape),
            due=due,
            assessed=assessed,
            followed=since,
            has_dates=np.ones(len(rows), dtype=bool),
            has_events=np.ones(len(rows), dtype=bool),
            covariates={name: values[chosen] for name, values in self.covariates.items()},
            measures=measures,
            subscales={
                name: np.where(np.isnan(assessed), np.nan, values[chosen]) for name, values in self.subscales.items()
            },
            first_events=first,
        )

    def _known(
        self, item: Measured, rows: NDArray[np.intp], days: NDArray[np.float64], until: NDArray[np.float64]
    ) -> Measured:
        """What was known of a measure by a day of each trial; nothing of patients who had not entered."""
        from .cohort_kernels import known_times, known_values

        value = np.empty((len(rows), item.value.shape[1]))
        if item.observed is not None:
            observed = np.empty(value.shape, dtype=np.bool_)
            known_times(rows, days, until, self.randomised, item.value, item.observed, value, observed)
            return Measured(value, observed=observed)
        known = self.randomised if item.known is None else item.known
        known_values(rows, days, until, self.randomised, known, item.value, value)
        return Measured(value, exposure=None if item.exposure is None else item.exposure[rows])

    def trial(self, at: int, origin: Origin) -> TrialData:
        """One of the trials as its tables, all that happened in it.

        Parameters
        ----------
        at
            Which trial, from 0.
        """
        found = [
            (row, kind, term, days[at, row])
            for (kind, term), days in self.event_days.items()
            for row in np.flatnonzero(np.isfinite(days[at]))
        ]
        rows, kinds, terms, days = zip(*found, strict=True) if found else ((), (), (), ())
        return TrialData(
            arm_names=self.arm_names,
            visit_names=self.visit_names,
            scale=self.scale,
            patient=patient_names(self.arm.shape[1]),
            arm=self.arm[at],
            scores=self.scores[at] if self.scores.shape[2] else np.full(self.assessed.shape[1:], np.nan),
            covariates={name: values[at] for name, values in self.covariates.items()},
            randomised=self.randomised[at],
            assessed=self.assessed[at],
            due=self.randomised[at][:, None] + self.closes,
            withdrawn=self.withdrawn[at],
            last_contact=self.last_contact[at],
            events=Events(
                np.array(rows, dtype=np.intp),
                np.array(kinds, dtype=str),
                np.array(terms, dtype=str),
                np.array(days, dtype=float),
            ),
            measures={name: item.only(at) for name, item in self.measures.items()},
            subscales={name: values[at] for name, values in self.subscales.items()},
            start=self.start,
            origin=origin,
        )
