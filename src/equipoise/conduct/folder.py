"""Data as the three tables in a folder."""

from __future__ import annotations

import datetime
import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..data import ADVERSE_EVENT, LOSS_OF_RESPONSE, Events, TrialData
from ..errors import InputError
from .reader import DataError, Reader, days_since, days_since_first
from .tables import Columns, columns_of_file

if TYPE_CHECKING:
    from ..protocol import Protocol

__all__ = ["read_folder"]


def read_folder(protocol: Protocol, folder: Path) -> TrialData:
    """The three tables that `write_data` writes, CSV preferred to Parquet."""

    def find(name: str, needed: bool = True) -> tuple[str, Columns]:
        for suffix in ("csv", "parquet"):
            path = folder / f"{name}.{suffix}"
            if path.is_file():
                return str(path), columns_of_file(path)
        if needed:
            raise InputError("data folder", str(folder), f"a folder with the table {name}.csv or {name}.parquet")
        return "", {}

    people = Reader(*find("patients"))
    if not people.rows:
        raise DataError(people.origin, ["has no rows; expected one row a patient"])
    patient = people.identifiers(people.column("patient", "patients"), "patient")
    codes = {name: at for at, name in enumerate(protocol.arm_names)}
    arm = people.arms("arm", codes)
    covariates = people.covariates(protocol, {})
    dates = {
        name: [people.date(value, row, name) for row, value in enumerate(people.columns[name])]
        if name in people.columns
        else [None] * people.rows
        for name in ("randomised", "withdrawn", "last_contact")
    }
    dated = any(dates["randomised"])
    if dated:
        for row, date in enumerate(dates["randomised"]):
            if date is None and not people.text(people.columns["randomised"][row]):
                people.fault("date of randomisation is missing; expected one for every patient", row, "randomised")
    people.done()
    rows = {name: at for at, name in enumerate(patient)}
    start, randomised = days_since_first(dates["randomised"])

    scores = np.full((len(patient), len(protocol.visits)), np.nan)
    assessed = np.full_like(scores, np.nan)
    seen = Reader(*find("assessments"))
    for row, scale in enumerate(seen.columns.get("scale", ())):
        if seen.text(scale) != protocol.scale_name:
            seen.fault(f"{seen.text(scale)[:40]!r} is another scale; expected {protocol.scale_name}", row, "scale")
    visits = {name: at for at, name in enumerate(protocol.visit_names)}
    wanted = ("patient", "visit", "score", *(["assessed"] if start else []))
    cells = [seen.column(name, "assessments") for name in wanted]
    seen.done()
    taken: set[tuple[int, int]] = set()
    for row, (who, visit, score, *when) in enumerate(zip(*cells, strict=True)):
        at = seen.choice(who, rows, row, "patient", "patient"), seen.choice(visit, visits, row, "visit", "visit")
        if at in taken and not seen.faults:
            seen.fault(f"patient '{seen.text(who)}' has a second score at {visit}; expected one", row, "visit")
        taken.add(at)
        scores[at] = seen.score(score, row, "score", protocol)
        day = seen.date(when[0], row, "assessed") if when else None
        if start and day is None and not math.isnan(scores[at]) and not seen.text(when[0]):
            seen.fault("date of assessment is missing; expected one for every score", row, "assessed")
        elif start and day is not None:
            assessed[at] = (day - start).days
    seen.done()

    withdrawn, contact = (np.full(len(patient), np.nan),) * 2
    if start:
        withdrawn, contact = days_since(start, dates["withdrawn"]), days_since(start, dates["last_contact"])
    events = find("events", needed=False)
    latest = np.fmax(np.fmax.reduce(np.column_stack([assessed, withdrawn]), axis=1), randomised)
    return TrialData(
        protocol.arm_names,
        protocol.visit_names,
        protocol.scale_name,
        np.array(patient),
        np.array(arm, dtype=np.intp),
        scores,
        covariates,
        randomised,
        assessed,
        randomised[:, None] + np.array([visit.closes for visit in protocol.visits]),
        withdrawn,
        np.where(np.isnan(contact), latest, contact),
        _events(events, rows, start),
        start=start,
        has_events=bool(events[0]),
    )


def _events(found: tuple[str, Columns], rows: dict[str, int], start: datetime.date | None) -> Events:
    reader = Reader(*found)
    if not reader.rows or start is None:
        return Events()
    kinds = {kind: at for at, kind in enumerate((LOSS_OF_RESPONSE, ADVERSE_EVENT))}
    cells = [reader.column(name, "events") for name in ("patient", "kind", "term", "date")]
    reader.done()
    patient, kind, term, day = [], [], [], []
    for row, (who, what, which, when) in enumerate(zip(*cells, strict=True)):
        patient.append(reader.choice(who, rows, row, "patient", "patient"))
        kind.append(list(kinds)[reader.choice(what, kinds, row, "kind", "kind of event")])
        term.append("" if which is None else str(which).strip())
        date = reader.date(when, row, "date")
        if date is None and not reader.text(when):
            reader.fault("date of the event is missing; expected one", row, "date")
        day.append(math.nan if date is None else float((date - start).days))
    reader.done()
    return Events(np.array(patient, dtype=np.intp), np.array(kind), np.array(term, dtype=str), np.array(day))
