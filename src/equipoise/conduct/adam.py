"""Data in CDISC's ADaM form: one data set of subjects, others of scores, times to events and adverse events.

CDISC Analysis Data Model Implementation Guide, version 1.3 (2021).
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ..data import ADVERSE_EVENT, Events, Measured, TrialData
from .measures import measure_value, read_exposure, value_codes, visit_exposure
from .reader import DataError, Reader, days_since, days_since_first
from .tables import Columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..protocol import Protocol
    from ..protocol.data_columns import AnalysisData, DataColumns, Parameter

__all__ = ["read_adam"]

Find = Callable[[str], tuple[str, Columns]]


def read_adam(protocol: Protocol, find: Find) -> TrialData:
    """The three tables and measures from ADaM data sets.

    Parameters
    ----------
    find
        Gives a data set's origin and its columns by its name.

    Raises
    ------
    DataError
        With every fault found: its data set, row and column.
    InputError
        For a data set that is not there.
    """
    names = protocol.data
    assert names is not None
    assert names.adam is not None
    adam = names.adam
    people = Reader(*_kept(*find(adam.subjects), adam.where))
    if not people.rows:
        raise DataError(people.origin, ["has no rows to keep; expected one row a subject"])
    key = names.patient or "USUBJID"
    patient = people.identifiers(people.column(key, "subjects"), key)
    rows = {name: at for at, name in enumerate(patient)}
    arm = people.arms(names.arm, {names.arms.get(name, name): at for at, name in enumerate(protocol.arm_names)})
    covariates = people.covariates(protocol, dict(names.covariates))
    start, randomised, last_contact, withdrawn = _dates(people, names, adam)
    people.done()
    scores, assessed, contact = _scores(protocol, names, adam, find, rows, start)
    latest = np.fmax(np.fmax(contact, last_contact), np.where(np.isnan(randomised), -np.inf, randomised))
    found = {name: _values(protocol, name, parameter, find, rows, key, None) for name, parameter in adam.times.items()}
    found |= {
        name: _values(protocol, name, parameter, find, rows, key, start) for name, parameter in adam.values.items()
    }
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
        np.where(withdrawn, latest, np.nan),
        latest,
        _adverse_events(adam, find, rows, start, randomised, key),
        measures={item.name: found[item.name] for item in protocol.measures if item.name in found},
        start=start,
        has_events=adam.adverse_events is not None,
    )


def _kept(origin: str, columns: Columns, where: dict[str, tuple[str, ...]]) -> tuple[str, Columns]:
    """Rows whose cells are among the values asked for; an empty text asks for an empty cell."""
    reader = Reader(origin, columns)
    keep = [True] * reader.rows
    for name, values in where.items():
        for row, cell in enumerate(reader.column(name, "the rows to keep")):
            keep[row] = keep[row] and reader.text(cell, values) in values
    reader.done()
    rows = [row for row, kept in enumerate(keep) if kept]
    return origin, {name: [cells[row] for row in rows] for name, cells in columns.items()}


def _dates(
    people: Reader, names: DataColumns, adam: AnalysisData
) -> tuple[datetime.date | None, NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Date of day 0, days of randomisation and last contact, and who left early."""
    entered: list[datetime.date | None] = [None] * people.rows
    if names.randomised:
        cells = people.column(names.randomised, "dates of randomisation")
        entered = [people.date(cell, row, names.randomised) for row, cell in enumerate(cells)]
        for row in (row for row, date in enumerate(entered) if date is None):
            people.fault("date of randomisation is missing; expected one for every subject", row, names.randomised)
    start, randomised = days_since_first(entered)
    contact = np.full(people.rows, np.nan)
    if start is not None and adam.last_contact:
        cells = people.column(adam.last_contact, "dates of last contact")
        contact = days_since(start, [people.date(cell, row, adam.last_contact) for row, cell in enumerate(cells)])
    withdrawn = np.zeros(people.rows, dtype=bool)
    for name, values in adam.withdrawn.items():
        withdrawn |= np.array([people.text(cell) in values for cell in people.column(name, "who left early")])
    return start, randomised, contact, withdrawn


def _scores(
    protocol: Protocol,
    names: DataColumns,
    adam: AnalysisData,
    find: Find,
    rows: dict[str, int],
    start: datetime.date | None,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Scores, the days they were assessed on, and the last of these of each patient."""
    scores = np.full((len(rows), len(protocol.visits)), np.nan)
    assessed = np.full_like(scores, np.nan)
    if adam.scores is not None:
        parameter = adam.scores
        reader = Reader(*_kept(*find(parameter.dataset), parameter.where))
        visits = {names.visits.get(name, name): at for at, name in enumerate(protocol.visit_names)}
        wanted = (names.patient or "USUBJID", parameter.visit, parameter.value, *([parameter.date] if start else []))
        cells = [reader.column(name, "scores") for name in wanted]
        reader.done()
        for row, (who, visit, score, *when) in enumerate(zip(*cells, strict=True)):
            patient, column = reader.text(who), reader.text(visit)
            if patient not in rows or column not in visits:
                continue
            at = rows[patient], visits[column]
            if not math.isnan(scores[at]):
                reader.fault(f"subject {patient} has a second score at {column}; expected one", row, parameter.visit)
            scores[at] = reader.score(score, row, parameter.value, protocol)
            if start is not None:
                date = reader.date(when[0], row, parameter.date)
                assessed[at] = math.nan if date is None else float((date - start).days)
                if date is None and not math.isnan(scores[at]):
                    reader.fault("date of the score is missing; expected one", row, parameter.date)
        reader.done()
    seen = np.where(np.isnan(assessed), -np.inf, assessed).max(axis=1)
    return scores, assessed, np.where(np.isfinite(seen), seen, np.nan)


def _values(
    protocol: Protocol,
    name: str,
    parameter: Parameter,
    find: Find,
    rows: dict[str, int],
    key: str,
    start: datetime.date | None,
) -> Measured:
    """One measure: a time with its censoring, or a value with its date where there are dates and a count's exposure."""
    measure = protocol.measure(name)
    reader = Reader(*_kept(*find(parameter.dataset), parameter.where))
    who, cells = reader.column(key, name), reader.column(parameter.value, name)
    is_time, told = measure.kind == "time", parameter.exposure if measure.kind == "count" else ""
    more = parameter.censored if is_time else parameter.date if start is not None else ""
    beside = reader.column(more, name) if more else [None] * reader.rows
    days = reader.column(told, f"the days under observation of {name}") if told else [None] * reader.rows
    reader.done()
    codes = value_codes(measure, protocol, {})
    value = np.full(len(rows), np.nan)
    exposure = visit_exposure(measure, protocol, len(rows)) if not told else np.full(len(rows), np.nan)
    observed, known = np.zeros(len(rows), dtype=bool), np.full(len(rows), np.nan)
    for row, (patient, cell, side, under) in enumerate(zip(who, cells, beside, days, strict=True)):
        at = rows.get(reader.text(patient))
        if at is None:
            continue
        if not math.isnan(value[at]):
            reader.fault(f"subject {reader.text(patient)} stands twice; expected one value each", row, key)
        value[at] = measure_value(reader, measure, cell, row, parameter.value, codes)
        if told:
            exposure[at] = read_exposure(reader, under, row, told)
        if is_time:
            censored = reader.number(side, row, parameter.censored)
            if math.isnan(censored):
                reader.fault("is missing; expected 0 for an event, another number for none", row, parameter.censored)
            observed[at] = censored == 0
        elif start is not None:
            date = reader.date(side, row, parameter.date)
            known[at] = math.nan if date is None else float((date - start).days)
    reader.done()
    if is_time:
        return Measured(value, observed=observed)
    is_count = measure.kind == "count"
    return Measured(value, exposure=exposure if is_count else None, known=None if start is None else known)


def _adverse_events(
    adam: AnalysisData,
    find: Find,
    rows: dict[str, int],
    start: datetime.date | None,
    randomised: NDArray[np.float64],
    key: str,
) -> Events:
    """Adverse events of the subjects kept; one without a date is taken to have begun at randomisation."""
    parameter = adam.adverse_events
    if parameter is None or start is None:
        return Events()
    reader = Reader(*_kept(*find(parameter.dataset), parameter.where))
    cells = [reader.column(name, "adverse events") for name in (key, parameter.term, parameter.date, parameter.serious)]
    reader.done()
    patient, term, day, serious = [], [], [], []
    for row, (who, what, when, grave) in enumerate(zip(*cells, strict=True)):
        at = rows.get(reader.text(who))
        if at is None:
            continue
        date = reader.date(when, row, parameter.date)
        patient.append(at)
        term.append(reader.text(what))
        day.append(float(randomised[at]) if date is None else float((date - start).days))
        serious.append(reader.text(grave) == "Y")
    reader.done()
    return Events(
        np.array(patient, dtype=np.intp),
        np.full(len(patient), ADVERSE_EVENT),
        np.array(term, dtype=str),
        np.array(day, dtype=float),
        np.array(serious, dtype=bool),
    )
