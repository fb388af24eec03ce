"""Adverse events by term: one row a term, arms side by side, and the arms compared.

No p-values: terms are many, not chosen beforehand, and a trial is seldom large enough to tell them apart; intervals
show how much is known of each (ICH E9, section 6.4; CONSORT Harms, Ioannidis et al. 2004, Ann Intern Med 141:781).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...checks import number
from ...errors import InputError
from ...estimate import Interval
from ...plain import plain
from .tally import Contrasts, Tally, tally

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

__all__ = ["ANY_EVENT", "ArmEvents", "EventContrast", "EventRow", "event_table"]

ANY_EVENT = "any event"


@dataclass(frozen=True, slots=True)
class ArmEvents:
    """One arm's events of one term; rates are per day, NaN where nobody was observed.

    Attributes
    ----------
    patients, with_event, events
        Patients, those with at least one event, and events.
    exposure
        Days under observation, summed over patients.
    risk, risk_interval
        Share of patients with an event (Wilson).
    rate, rate_interval
        Events a day (Garwood).
    first_rate, first_rate_interval
        First events a day until then (Garwood).
    """

    patients: int
    with_event: int
    events: int
    exposure: float
    risk: float
    risk_interval: Interval
    rate: float
    rate_interval: Interval
    first_rate: float
    first_rate_interval: Interval


@dataclass(frozen=True, slots=True)
class EventContrast:
    """One arm against control: difference of risks, difference and ratio of rates; NaN where not defined."""

    risk_difference: float
    risk_difference_interval: Interval
    rate_difference: float
    rate_difference_interval: Interval
    rate_ratio: float
    rate_ratio_interval: Interval


@dataclass(frozen=True, slots=True)
class EventRow:
    """One term in all arms, control first; `contrasts` are those of the other arms against it."""

    term: str
    arms: tuple[ArmEvents, ...]
    contrasts: tuple[EventContrast, ...]

    @property
    def largest_risk(self) -> float:
        """The largest share of patients with the event in an arm; 0 where no arm has patients."""
        return max((arm.risk for arm in self.arms if arm.patients), default=0.0)

    def to_dict(self) -> dict[str, Any]:
        """The numbers for a JSON file."""

        def numbers(item: ArmEvents | EventContrast) -> dict[str, Any]:
            entry: dict[str, Any] = {}
            for name in item.__dataclass_fields__:
                value = getattr(item, name)
                if isinstance(value, Interval):
                    stem = name.removesuffix("_interval")
                    entry |= {f"{stem}_lower": value.lower, f"{stem}_upper": value.upper}
                else:
                    entry[name] = value
            return entry

        return plain(
            {
                "term": self.term,
                "arms": [numbers(arm) for arm in self.arms],
                "contrasts": [numbers(contrast) for contrast in self.contrasts],
            }
        )


def event_table(
    arm: ArrayLike,
    arms: int,
    followed: ArrayLike | None,
    patient: ArrayLike,
    term: Sequence[str] | NDArray[np.str_],
    day: ArrayLike,
    *,
    at_least: float = 0.0,
    level: float = 0.95,
) -> tuple[EventRow, ...]:
    """Events by term, the commonest first, below a row of any event.

    Parameters
    ----------
    arm
        Index of the arm of each patient, 0 for control, -1 for patients left out, shape (patients,).
    arms
        Number of arms.
    followed
        Days from randomisation to the last contact of each patient, shape (patients,); None where not known.
    patient, term, day
        Of each event: row of the patient, what it was, days from randomisation (NaN where not known); shape (events,).
    at_least
        Terms are listed that this share of the patients of some arm has had; any event is always.
    level
        Of the intervals.

    Raises
    ------
    InputError
        As `tally`, and for events that are not as described.
    """
    share = number("at_least", at_least, "a share from 0 to 1")
    if not 0 <= share <= 1:
        raise InputError("at_least", at_least, "a share from 0 to 1")
    patients = np.shape(arm)
    if len(patients) != 1 or not patients[0]:
        raise InputError("arm", patients, "the arm of each of at least one patient")
    rows, days, names = np.asarray(patient), np.asarray(day, dtype=float), np.asarray(term, dtype=str)
    if not rows.shape == days.shape == names.shape or rows.ndim != 1:
        raise InputError("patient, term, day", (rows.shape, names.shape, days.shape), "one of each an event")
    if rows.size and not (rows.dtype.kind in "iu" and rows.min() >= 0 and rows.max() < patients[0]):
        raise InputError("patient", patient, f"rows of the {patients[0]} patients, from 0")
    if np.any(np.isinf(days)):
        raise InputError("day", day, "a day for each event, or NaN where it is not known")
    rows = rows.astype(np.intp)
    terms, place = np.unique(names, return_inverse=True)
    first = np.full((len(terms) + 1, patients[0]), np.inf)
    counts = np.zeros(first.shape)
    for at in (place.reshape(-1) + 1, np.zeros(rows.size, dtype=np.intp)):
        np.minimum.at(first, (at, rows), days)
        np.add.at(counts, (at, rows), 1.0)
    found = tally(arm, arms, first, followed, counts)
    total = found.with_event.sum(axis=-1)
    order = sorted(range(1, len(terms) + 1), key=lambda at: (-total[at], str(terms[at - 1])))
    described = _rows(found, [ANY_EVENT, *(str(name) for name in terms)], level)
    return (described[0], *(described[at] for at in order if described[at].largest_risk >= share and total[at] > 0))


def _rows(found: Tally, names: list[str], level: float) -> list[EventRow]:
    risk, rate, first_rate = found.risk, found.rate, found.first_rate
    limits = [found.risk_limits(level), found.rate_limits(level), found.first_rate_limits(level)]
    contrasts = [found.compare(at, 0, level) for at in range(1, found.patients.shape[-1])]

    def between(pair: tuple[NDArray, NDArray], place: tuple[int, ...]) -> Interval:
        return Interval(float(pair[0][place]), float(pair[1][place]), level)

    def of_arm(row: int, at: int) -> ArmEvents:
        place = (row, at)
        return ArmEvents(
            int(found.patients[place]),
            int(found.with_event[place]),
            int(found.events[place]),
            float(found.exposure[place]),
            float(risk[place]),
            between(limits[0], place),
            float(rate[place]),
            between(limits[1], place),
            float(first_rate[place]),
            between(limits[2], place),
        )

    def of_contrast(row: int, item: Contrasts) -> EventContrast:
        parts: list[Any] = []
        for name in ("risk_difference", "rate_difference", "rate_ratio"):
            pair = (getattr(item, f"{name}_lower"), getattr(item, f"{name}_upper"))
            parts += [float(getattr(item, name)[row]), between(pair, (row,))]
        return EventContrast(*parts)

    return [
        EventRow(
            name,
            tuple(of_arm(row, at) for at in range(found.patients.shape[-1])),
            tuple(of_contrast(row, item) for item in contrasts),
        )
        for row, name in enumerate(names)
    ]
