"""What happened in one trial: patients, assessments, events. Virtual and real patients fill the same three tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from . import data_frames
from .errors import InputError
from .recorded import Recorded

if TYPE_CHECKING:
    import datetime

    import polars
    from numpy.typing import NDArray

__all__ = [
    "ADVERSE_EVENT",
    "DAYS_PER_MONTH",
    "DAYS_PER_YEAR",
    "LOSS_OF_RESPONSE",
    "VIRTUAL",
    "Events",
    "Origin",
    "TrialData",
    "patient_names",
]

LOSS_OF_RESPONSE = "loss of response"
ADVERSE_EVENT = "adverse event"
VIRTUAL = "virtual"
DAYS_PER_YEAR = 365.25
DAYS_PER_MONTH = DAYS_PER_YEAR / 12


def patient_names(count: int) -> NDArray[np.str_]:
    """Identifiers of virtual patients in order of entry: P001, P002, ..."""
    return np.array([f"P{number:0{max(3, len(str(count)))}d}" for number in range(1, count + 1)])


@dataclass(frozen=True, slots=True)
class Events:
    """The events table: one entry an event.

    Attributes
    ----------
    patient
        Row of the patient in the patients table, shape (events,).
    kind
        `LOSS_OF_RESPONSE` or `ADVERSE_EVENT`, shape (events,).
    term
        What it was, for adverse events; empty otherwise, shape (events,).
    day
        Day of the trial, counted from its start, shape (events,).
    serious
        Whether it was serious, shape (events,); none was where the data do not say.
    """

    patient: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, dtype=np.intp))
    kind: NDArray[np.str_] = field(default_factory=lambda: np.empty(0, dtype=str))
    term: NDArray[np.str_] = field(default_factory=lambda: np.empty(0, dtype=str))
    day: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    serious: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, dtype=bool))

    def __post_init__(self) -> None:
        if len(self.serious) == 0:
            object.__setattr__(self, "serious", np.zeros(len(self.patient), dtype=bool))

    def select(self, keep: NDArray[np.bool_]) -> Events:
        """The events for which `keep` holds."""
        return Events(self.patient[keep], self.kind[keep], self.term[keep], self.day[keep], self.serious[keep])


@dataclass(frozen=True, slots=True)
class Measured:
    """One measure of the protocol as recorded; arrays of shape (patients,), or (trials, patients) of many trials.

    Attributes
    ----------
    value
        1 or 0 for yes or no; the level counted from 0; a count; a number; days from randomisation to the event or to
        the last that is known of it; the arm guessed, -1 for none named. NaN where not recorded.
    observed
        Of a time: whether the event happened then; None for other measures.
    exposure
        Of a count: days under observation; None for other measures.
    known
        Day of the trial on which the value became known; NaN where there are no dates or no value.
    """

    value: NDArray[np.float64]
    observed: NDArray[np.bool_] | None = None
    exposure: NDArray[np.float64] | None = None
    known: NDArray[np.float64] | None = None

    def only(self, keep: Any) -> Measured:
        """Of the patients for whom `keep` holds; or of what else picks from the arrays, as a trial's number does."""
        parts = (self.value, self.observed, self.exposure, self.known)
        return Measured(*(part if part is None else part[keep] for part in parts))  # type: ignore[arg-type]

    def known_at(self, day: float | NDArray[np.float64], randomised: NDArray[np.float64]) -> Measured:
        """What was known on a day of the trial (or one for each trial, shape (trials, 1)) of patients randomised on
        those days.

        A time goes on as far as the day; a value that was not known by then is missing.
        """
        if self.observed is not None:
            under = np.maximum(day - randomised, 0.0)
            return replace(self, value=np.minimum(self.value, under), observed=self.observed & (self.value <= under))
        if self.known is None:
            return self
        kept = self.known <= day
        return replace(self, value=np.where(kept, self.value, np.nan), known=np.where(kept, self.known, np.nan))


@dataclass(frozen=True, slots=True)
class Origin:
    """Where data come from.

    Attributes
    ----------
    source
        `VIRTUAL` for drawn patients; else the file, folder or data set they were read from.
    scenario, seed, trial
        What draws virtual patients again; None for real ones.
    """

    source: str = "given"
    scenario: str | None = None
    seed: int | None = None
    trial: int | None = None


@dataclass(frozen=True, eq=False, repr=False)
class TrialData(Recorded):
    """The three tables of one trial as columns, ready for analysis.

    Attributes
    ----------
    arm_names, visit_names, scale
        What the indices of `arm` and the columns of `scores` mean, baseline first; the rating scale's name.
    patient
        Identifiers, shape (patients,).
    arm
        Index into `arm_names`, shape (patients,).
    scores
        Totals of the scale, NaN where not observed, shape (patients, visits).
    covariates
        By name, shape (patients,): float for continuous ones (NaN missing), str for categorical ones ("" missing).
    randomised
        Day of the trial on which the patient entered, NaN when the data have no dates, shape (patients,).
    assessed
        Day of the trial on which each score became known, NaN where there is none, shape (patients, visits).
    due
        Day of the trial on which each visit's window closes, shape (patients, visits).
    withdrawn
        Day of the trial on which the patient left, NaN otherwise, shape (patients,).
    last_contact
        Day of the trial on which the patient was last heard of, shape (patients,).
    events
        The events table.
    measures
        What was recorded besides the scores, by the protocol's name of it.
    subscales
        Sums of the clusters of the scale by name, NaN where not observed, each of shape (patients, visits).
    start
        Date of day 0, or None when the data have no dates.
    cut
        Day of the trial up to which the data are known; infinite when complete.
    has_events
        Whether events were recorded at all: without a table of them no event is not the same as none.
    origin
        Where the data come from.
    """

    arm_names: tuple[str, ...]
    visit_names: tuple[str, ...]
    scale: str
    patient: NDArray[np.str_]
    arm: NDArray[np.intp]
    scores: NDArray[np.float64]
    covariates: Mapping[str, NDArray[Any]]
    randomised: NDArray[np.float64]
    assessed: NDArray[np.float64]
    due: NDArray[np.float64]
    withdrawn: NDArray[np.float64]
    last_contact: NDArray[np.float64]
    events: Events = field(default_factory=Events)
    measures: Mapping[str, Measured] = field(default_factory=dict)
    subscales: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    start: datetime.date | None = None
    cut: float = np.inf
    has_events: bool = True
    origin: Origin = field(default_factory=Origin)

    def __post_init__(self) -> None:
        if len(self.patient) == 0:
            raise InputError("trial data", 0, "at least one patient")
        if self.scores.shape != (len(self.patient), len(self.visit_names)):
            raise InputError("scores", self.scores.shape, f"shape {(len(self.patient), len(self.visit_names))}")

    def __str__(self) -> str:
        arms = ", ".join(f"{int((self.arm == at).sum())} {name}" for at, name in enumerate(self.arm_names))
        seen = ", ".join(
            f"{name} {int((~np.isnan(self.scores[:, at])).sum())}" for at, name in enumerate(self.visit_names)
        )
        known = "" if np.isinf(self.cut) or self.start is None else f", known to {self.date(self.cut)}"
        lines = [f"Trial data of {len(self)} patients ({arms}){known}"]
        lines += [f"{self.scale} seen at {seen}"] if self.scale else []
        recorded = [f"{name} {int((~np.isnan(item.value)).sum())}" for name, item in self.measures.items()]
        return "\n".join([*lines, f"recorded: {', '.join(recorded)}"] if recorded else lines)

    __repr__ = __str__

    def __len__(self) -> int:
        return len(self.patient)

    @property
    def has_dates(self) -> bool:
        """Whether it is known when each patient entered, so that earlier looks can be told apart."""
        return bool(np.isfinite(self.randomised).all())

    @cached_property
    def reached(self) -> NDArray[np.float64]:
        """Day on which each visit was assessed, or its window closed if that came first, shape (patients, visits)."""
        return np.fmin(self.assessed, self.due)

    def is_due(self, visit: str) -> NDArray[np.bool_]:
        """Whether each patient has reached the visit by the cut, seen or not; always so in data without dates."""
        if not self.has_dates:
            return np.ones(len(self), dtype=bool)
        return self.reached[:, self.visit_names.index(visit)] <= self.cut

    def since_randomisation(self, visit: str) -> NDArray[np.float64]:
        """Days from randomisation to the assessment at a visit, NaN where there was none, shape (patients,)."""
        return self.assessed[:, self.visit_names.index(visit)] - self.randomised

    @property
    def followed(self) -> NDArray[np.float64]:
        """Days from randomisation to the last contact, shape (patients,)."""
        return self.last_contact - self.randomised

    def first_event(self, kind: str, term: str = "") -> NDArray[np.float64]:
        """Days from randomisation to each patient's first event of a kind (and term, if given), infinite where there
        was none, shape (patients,).
        """
        first = np.full(len(self), np.inf)
        chosen = self.events.kind == kind
        if term:
            chosen &= self.events.term == term
        np.minimum.at(first, self.events.patient[chosen], self.events.day[chosen])
        return first - np.where(np.isfinite(first), self.randomised, 0.0)

    def known_at(self, day: float) -> TrialData:
        """What was known at the end of a day of the trial: later patients, scores and events are not in it.

        Raises
        ------
        InputError
            When the data have no dates, or nobody had entered by then.
        """
        if not self.has_dates:
            raise InputError("day", day, "data with dates of randomisation, to tell what was known then")
        keep = self.randomised <= day
        if not keep.any():
            raise InputError("day", day, f"a day from {self.randomised.min():g} on, when the first patient entered")
        entered = self.only(keep)
        seen = entered.assessed <= day
        return replace(
            entered,
            scores=np.where(seen, entered.scores, np.nan),
            assessed=np.where(seen, entered.assessed, np.nan),
            withdrawn=np.where(entered.withdrawn <= day, entered.withdrawn, np.nan),
            last_contact=np.minimum(entered.last_contact, day),
            events=entered.events.select(entered.events.day <= day),
            measures={name: item.known_at(day, entered.randomised) for name, item in entered.measures.items()},
            subscales={name: np.where(seen, values, np.nan) for name, values in entered.subscales.items()},
            cut=min(day, self.cut),
        )

    def only(self, keep: NDArray[np.bool_]) -> TrialData:
        """The patients for whom `keep` holds, with all that happened to them."""
        row = np.cumsum(keep) - 1
        events = self.events.select(keep[self.events.patient])
        return replace(
            self,
            patient=self.patient[keep],
            arm=self.arm[keep],
            scores=self.scores[keep],
            covariates={name: values[keep] for name, values in self.covariates.items()},
            randomised=self.randomised[keep],
            assessed=self.assessed[keep],
            due=self.due[keep],
            withdrawn=self.withdrawn[keep],
            last_contact=self.last_contact[keep],
            events=replace(events, patient=row[events.patient]),
            measures={name: item.only(keep) for name, item in self.measures.items()},
            subscales={name: values[keep] for name, values in self.subscales.items()},
        )

    def patients_frame(self) -> polars.DataFrame:
        """The patients table: one row a patient."""
        return data_frames.patients_frame(self)

    def assessments_frame(self) -> polars.DataFrame:
        """The assessments table: one row an observed score, of the scale or of a cluster."""
        return data_frames.assessments_frame(self)

    def events_frame(self) -> polars.DataFrame:
        """The events table: one row an event."""
        return data_frames.events_frame(self)

    def measures_frame(self) -> polars.DataFrame:
        """The measures table: one row a recorded value."""
        return data_frames.measures_frame(self)

    def wide_frame(self) -> polars.DataFrame:
        """One row a patient with a column for each visit's score, as data are often kept."""
        return data_frames.wide_frame(self)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the tables as CSV, so that a result can name the very data it comes from."""
        import hashlib

        frames = [self.patients_frame(), self.assessments_frame(), self.events_frame()]
        frames += [self.measures_frame()] if self.measures else []
        return hashlib.sha256("\n".join(frame.write_csv() for frame in frames).encode()).hexdigest()

    def date(self, day: float) -> datetime.date:
        """The calendar date of a day of the trial."""
        import datetime

        if self.start is None:
            raise InputError("day", day, "data with dates")
        try:
            return self.start + datetime.timedelta(days=int(day))
        except OverflowError:
            raise InputError("day", day, "a day before the year 9999; patients enter too slowly") from None
