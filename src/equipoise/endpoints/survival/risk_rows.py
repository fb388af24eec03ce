"""Patients in order of time, once sorted for everything that looks at who was at risk when."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .censored_times import SurvivalTrials

__all__ = ["EventTimes", "RiskRows"]

_NOBODY = np.uint64((int(np.float64(np.inf).view(np.uint64)) << 1) | 1)


@dataclass(frozen=True, eq=False)
class RiskRows:
    """Patients of many trials by time, those with an event before those censored at the same time.

    A row holds the patients of one trial, or of one stratum of it; the rows of a trial follow one another.

    Attributes
    ----------
    trials
        Number of trials.
    strata
        Rows a trial.
    time
        Infinite behind the last patient, shape (rows, places).
    event
        Whether the patient at each place had the event, shape (rows, places).
    source
        Where the patient at each place stands in an array of shape (trials, patients), flattened; anywhere behind the
        last patient, shape (rows, places).
    patients
        In each row, shape (rows,).
    """

    trials: int
    strata: int
    time: NDArray[np.float64]
    event: NDArray[np.bool_]
    source: NDArray[np.intp]
    patients: NDArray[np.intp]

    @classmethod
    def of(cls, given: SurvivalTrials) -> RiskRows:
        """Sort trials; by strata where they have any.

        A time not below 0 sorts as the bits of its double do; the bit that takes the place of its sign says that there
        was no event.
        """
        trials, width = given.time.shape
        key = (given.time + 0.0).view(np.uint64) << np.uint64(1)
        key |= ~given.event
        present = given.present
        if given.strata is None:
            strata, patients = 1, present.sum(axis=1)
            key = np.where(present, key, _NOBODY)
            source = np.argsort(key, axis=1)
            key = np.take_along_axis(key, source, axis=1)
            source += np.arange(trials)[:, None] * width
        else:
            strata, patients, source = _by_stratum(present, given.strata)
            here = np.arange(source.shape[1]) < patients[:, None]
            key = np.where(here, key.ravel()[source], _NOBODY)
            order = np.argsort(key, axis=1)
            key, source = np.take_along_axis(key, order, axis=1), np.take_along_axis(source, order, axis=1)
        return cls(trials, strata, (key >> np.uint64(1)).view(np.float64), key & np.uint64(1) == 0, source, patients)

    def sorted(self, values: NDArray[Any]) -> NDArray[Any]:
        """Values of the patients (trials, patients) by place (rows, places); anything behind the last."""
        return values.ravel()[self.source]

    @property
    def present(self) -> NDArray[np.bool_]:
        """Whether there is a patient at each place, shape (rows, places)."""
        return np.arange(self.time.shape[1]) < self.patients[:, None]

    @cached_property
    def at(self) -> EventTimes:
        """The distinct times at which there were events."""
        return EventTimes.of(self)

    def only(self, trials: NDArray[np.intp]) -> RiskRows:
        """Some of the trials; `source` goes on pointing into arrays of all of them."""
        if trials.size == self.trials:
            return self
        rows = (trials[:, None] * self.strata + np.arange(self.strata)).ravel()
        return RiskRows(
            trials.size, self.strata, self.time[rows], self.event[rows], self.source[rows], self.patients[rows]
        )


def _by_stratum(present: NDArray[np.bool_], strata: NDArray[np.intp]) -> tuple[int, NDArray[np.intp], NDArray[np.intp]]:
    """Strata, patients in each of every trial (trials * strata,), and where these stand (trials * strata, most)."""
    trials, width = present.shape
    count = int(strata.max(initial=0, where=present)) + 1
    smallest = np.uint8 if count < 256 else np.uint16 if count < 65_536 else np.int64
    code = np.where(present, strata, count).astype(smallest)
    order = np.argsort(code, axis=1, kind="stable") + np.arange(trials)[:, None] * width
    row = np.where(present, strata + np.arange(trials)[:, None] * count, trials * count)
    patients = np.bincount(row.ravel(), minlength=trials * count + 1)[:-1]
    by_trial = patients.reshape(trials, count)
    start = (np.cumsum(by_trial, axis=1) - by_trial).ravel() + np.repeat(np.arange(trials) * width, count)
    place = np.arange(max(int(patients.max(initial=0)), 1))
    inside = place < patients[:, None]
    return (
        count,
        patients,
        order.ravel()[np.where(inside, start[:, None] + place, start.clip(max=order.size - 1)[:, None])],
    )


@dataclass(frozen=True, eq=False)
class EventTimes:
    """The distinct times of events of every row, one after another; a time of two rows counts twice.

    Attributes
    ----------
    place
        Of every event, in rows of `width` places flattened, shape (events,).
    first
        Which of the events is the first at each time, shape (times,).
    row, trial
        Of each time, shape (times,).
    events, at_risk
        Events at each time and patients at risk just before, shape (times,).
    """

    place: NDArray[np.intp]
    first: NDArray[np.intp]
    row: NDArray[np.intp]
    trial: NDArray[np.intp]
    events: NDArray[np.intp]
    at_risk: NDArray[np.intp]
    trials: int
    width: int

    @classmethod
    def of(cls, rows: RiskRows) -> EventTimes:
        """Find them in sorted rows, where the events of one time stand side by side."""
        width = rows.time.shape[1]
        place = np.flatnonzero(rows.event)
        time, row = rows.time.ravel()[place], place // width
        new = np.ones(place.size, dtype=bool)
        new[1:] = (time[1:] != time[:-1]) | (row[1:] != row[:-1])
        first = np.flatnonzero(new)
        row = row[first]
        return cls(
            place,
            first,
            row,
            row // rows.strata,
            np.diff(first, append=place.size),
            rows.patients[row] + row * width - place[first],
            rows.trials,
            width,
        )

    @property
    def start(self) -> NDArray[np.intp]:
        """Place of the first event of each time, shape (times,)."""
        return self.place[self.first]

    @property
    def tied(self) -> bool:
        """Whether any time has more than one event."""
        return self.first.size < self.place.size

    @cached_property
    def of_event(self) -> NDArray[np.intp]:
        """Which time each event is at, shape (events,)."""
        return np.repeat(np.arange(self.first.size), self.events)

    @cached_property
    def tied_share(self) -> NDArray[np.float64]:
        """Of each event, the share of the events of its time that come before it: 0, 1/d, ..., (d - 1)/d of d."""
        rank = np.arange(self.place.size) - self.first[self.of_event]
        return rank / self.events[self.of_event]

    def members_at_risk(self, member: NDArray[np.bool_]) -> NDArray[np.int64]:
        """How many of those at risk are members, by place (rows, places); shape (times,)."""
        upto = np.cumsum(member, axis=1, dtype=np.int64)
        start = self.start
        return upto[self.row, -1] - upto.ravel()[start] + member.ravel()[start]

    def members_with_events(self, member: NDArray[np.bool_]) -> NDArray[np.int64]:
        """How many of those with an event are members, by place (rows, places); shape (times,)."""
        return self.summed(member.ravel()[self.place].astype(np.int64))

    def summed(self, values: NDArray[Any]) -> NDArray[Any]:
        """Sums over the events of each time, of values of the events along the first axis."""
        if not self.tied:
            return values
        return np.add.reduceat(values, self.first, axis=0)

    def by_trial(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Sums over the times of each trial, shape (trials,)."""
        summed = np.bincount(self.trial, weights=values, minlength=self.trials)
        return summed.astype(np.float64, copy=False)

    def survival_before(self, rows: RiskRows) -> NDArray[np.float64]:
        """Product-limit survival of all patients of the row just before each time, shape (times,)."""
        left = rows.patients[:, None] - np.arange(self.width)
        stays = np.where(rows.event, (left - 1) / np.maximum(left, 1), 1.0)
        before: NDArray[np.float64] = np.cumprod(
            np.concatenate((np.ones((len(stays), 1)), stays), axis=1), axis=1, dtype=np.float64
        )
        return before[self.row, self.start - self.row * self.width]
