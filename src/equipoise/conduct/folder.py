"""Data as the three tables in a folder."""

from __future__ import annotations

import datetime
import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..data import ADVERSE_EVENT, LOSS_OF_RESPONSE, Events, Measured, TrialData
from ..data_frames import cluster_name, cluster_of
from ..errors import InputError
from .measures import YES_NO, measure_value, read_exposure, value_codes
from .reader import DataError, Reader, days_since, days_since_first
from .tables import Columns, columns_of_file

if TYPE_CHECKING:
    from ..protocol import Protocol

__all__ = ["has_tables", "read_folder", "table_of_folder"]


def has_tables(folder: Path) -> bool:
    """Whether a folder holds the tables that `write_data` writes."""
    return any((folder / f"patients.{suffix}").is_file() for suffix in ("csv", "parquet"))


def table_of_folder(folder: Path, name: str, needed: bool = True) -> tuple[str, Columns]:
    """Path and columns of a table, CSV preferred to Parquet; empty where there is none and none is needed."""
    for suffix in ("csv", "parquet"):
        path = folder / f"{name}.{suffix}"
        if path.is_file():
            return str(path), columns_of_file(path)
    if needed:
        raise InputError("data folder", str(folder), f"a folder with the table {name}.csv or {name}.parquet")
    return "", {}


def read_folder(protocol: Protocol, folder: Path) -> TrialData:
    """The tables that `write_data` writes, CSV preferred to Parquet."""
    people = Reader(*table_of_folder(folder, "patients"))
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
    seen = Reader(*table_of_folder(folder, "assessments", needed=protocol.outcome is not None))
    tables, limits = {protocol.scale_name: scores}, {}
    if protocol.outcome is not None:
        limits[protocol.scale_name] = protocol.scale.minimum, protocol.scale.maximum
        for cluster in protocol.scale.subscales:
            name = cluster_name(protocol.scale_name, cluster)
            tables[name], limits[name] = np.full_like(scores, np.nan), protocol.scale.subscale_range(cluster)
    scales = [seen.text(scale) for scale in seen.columns.get("scale", [protocol.scale_name] * seen.rows)]
    for row, scale in enumerate(scales):
        if scale not in limits:
            right = protocol.scale_name or "no scores, for the protocol has no rating scale"
            seen.fault(f"{scale[:40]!r} is another scale; expected {right}", row, "scale")
    visits = {name: at for at, name in enumerate(protocol.visit_names)}
    wanted = ("patient", "visit", "score", *(["assessed"] if start else []))
    cells = [seen.column(name, "assessments") for name in wanted]
    seen.done()
    taken: set[tuple[str, int, int]] = set()
    for row, (scale, who, visit, score, *when) in enumerate(zip(scales, *cells, strict=True)):
        at = seen.choice(who, rows, row, "patient", "patient"), seen.choice(visit, visits, row, "visit", "visit")
        if (scale, *at) in taken and not seen.faults:
            seen.fault(f"patient '{seen.text(who)}' has a second score at {visit}; expected one", row, "visit")
        taken.add((scale, *at))
        tables[scale][at] = seen.within(score, row, "score", scale, limits[scale])
        day = seen.date(when[0], row, "assessed") if when else None
        if start and day is None and not math.isnan(tables[scale][at]) and not seen.text(when[0]):
            seen.fault("date of assessment is missing; expected one for every score", row, "assessed")
        elif start and day is not None:
            assessed[at] = (day - start).days
    seen.done()

    withdrawn, contact = (np.full(len(patient), np.nan),) * 2
    if start:
        withdrawn, contact = days_since(start, dates["withdrawn"]), days_since(start, dates["last_contact"])
    events = table_of_folder(folder, "events", needed=False)
    subscales = {
        cluster: values
        for name, values in tables.items()
        if (cluster := cluster_of(protocol.scale_name, name)) and not np.isnan(values).all()
    }
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
        measures=_measures(protocol, Reader(*table_of_folder(folder, "measures", needed=False)), rows, start),
        subscales=subscales,
        start=start,
        has_events=bool(events[0]),
    )


def _events(found: tuple[str, Columns], rows: dict[str, int], start: datetime.date | None) -> Events:
    reader = Reader(*found)
    if not reader.rows or start is None:
        return Events()
    kinds = {kind: at for at, kind in enumerate((LOSS_OF_RESPONSE, ADVERSE_EVENT))}
    cells = [reader.column(name, "events") for name in ("patient", "kind", "term", "date")]
    cells.append(reader.columns.get("serious", [None] * reader.rows))
    reader.done()
    patient, kind, term, day, serious = [], [], [], [], []
    for row, (who, what, which, when, grave) in enumerate(zip(*cells, strict=True)):
        patient.append(reader.choice(who, rows, row, "patient", "patient"))
        kind.append(list(kinds)[reader.choice(what, kinds, row, "kind", "kind of event")])
        term.append("" if which is None else str(which).strip())
        serious.append(reader.text(grave).lower() in ("true", "1", "yes", "y"))
        date = reader.date(when, row, "date")
        if date is None and not reader.text(when):
            reader.fault("date of the event is missing; expected one", row, "date")
        day.append(math.nan if date is None else float((date - start).days))
    reader.done()
    return Events(
        np.array(patient, dtype=np.intp),
        np.array(kind),
        np.array(term, dtype=str),
        np.array(day),
        np.array(serious, dtype=bool),
    )


def _measures(
    protocol: Protocol, reader: Reader, rows: dict[str, int], start: datetime.date | None
) -> dict[str, Measured]:
    """The table of measures: one row a patient and measure."""
    if not reader.rows:
        return {}
    known = {measure.name: at for at, measure in enumerate(protocol.measures)}
    codes = [value_codes(measure, protocol, {}) for measure in protocol.measures]
    cells = [reader.column(name, "measures") for name in ("patient", "measure", "value")]
    beside = [reader.columns.get(name, [None] * reader.rows) for name in ("observed", "exposure", "known")]
    reader.done()
    values = np.full((len(known), 4, len(rows)), np.nan)
    taken: set[tuple[int, int]] = set()
    for row, (who, what, value, observed, exposure, when) in enumerate(zip(*cells, *beside, strict=True)):
        at = reader.choice(what, known, row, "measure", "measure"), reader.choice(who, rows, row, "patient", "patient")
        if at in taken and not reader.faults:
            reader.fault(f"patient '{reader.text(who)}' has a second value of {what}; expected one", row, "measure")
        taken.add(at)
        measure = protocol.measures[at[0]]
        date = reader.date(when, row, "known")
        day = math.nan if date is None or start is None else float((date - start).days)
        number = measure_value(reader, measure, value, row, "value", codes[at[0]], stored=True)
        told = measure.kind == "time" and not math.isnan(number)
        happened = reader.choice(observed, YES_NO, row, "observed", f"whether {what} was observed") if told else 0
        values[at[0], :, at[1]] = number, happened, read_exposure(reader, exposure, row, "exposure"), day
    reader.done()
    found = {}
    for measure, (value, observed, exposure, day) in zip(protocol.measures, values, strict=True):
        if np.isnan(value).all():
            continue
        is_time, is_count = measure.kind == "time", measure.kind == "count"
        found[measure.name] = Measured(
            value,
            observed=observed == 1 if is_time else None,
            exposure=exposure if is_count else None,
            known=None if is_time or start is None else day,
        )
    return found
