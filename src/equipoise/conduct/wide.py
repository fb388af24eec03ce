"""Data with one row a patient and one column a visit."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

import numpy as np

from ..data import TrialData
from ..errors import InputError
from ..protocol.data_columns import DataColumns
from .measures import read_measures, read_subscales
from .reader import DataError, Reader, days_since_first
from .tables import Columns

if TYPE_CHECKING:
    from ..protocol import Protocol

__all__ = ["read_wide"]


def _arm_codes(protocol: Protocol) -> dict[str, int]:
    codes = protocol.data.arms if protocol.data else {}
    return {codes.get(name, name): at for at, name in enumerate(protocol.arm_names)}


def read_wide(protocol: Protocol, columns: Columns, origin: str) -> TrialData:
    """One row a patient, one column a visit."""
    own = {name: name for name in protocol.visit_names}
    names = protocol.data or DataColumns(patient="patient", arm="arm", visits=own)
    if names.adam is not None:
        raise InputError("data", origin, "a folder with the ADaM data sets that the protocol names")
    reader = Reader(origin, columns)
    if not reader.rows:
        raise DataError(origin, ["has no rows; expected one row a patient"])
    patient = [str(row + 1) for row in range(reader.rows)]
    if names.patient and (names.patient in columns or protocol.data):
        patient = reader.identifiers(reader.column(names.patient, "patients"), names.patient)
    codes = _arm_codes(protocol)
    arm = reader.arms(names.arm, codes)
    scores = np.full((reader.rows, len(protocol.visits)), np.nan)
    for at, visit in enumerate(protocol.visit_names if protocol.outcome is not None else ()):
        column = names.visits[visit]
        for row, value in enumerate(reader.column(column, f"visit {visit}")):
            scores[row, at] = reader.score(value, row, column, protocol)
    covariates = reader.covariates(protocol, dict(names.covariates))
    date_column = names.randomised or ("randomised" if "randomised" in columns else "")
    entered: list[datetime.date | None] = [None] * reader.rows
    if date_column:
        values = reader.column(date_column, "dates of randomisation")
        entered = [reader.date(value, row, date_column) for row, value in enumerate(values)]
        for row, found in enumerate(entered):
            if found is None and reader.text(values[row]) == "":
                reader.fault(
                    "date of randomisation is missing; expected one for every patient, or no such column",
                    row,
                    date_column,
                )
    start, randomised = days_since_first(entered)
    measures = read_measures(reader, protocol, randomised)
    subscales = read_subscales(reader, protocol)
    reader.done()
    days = np.array([visit.day for visit in protocol.visits])
    assessed = np.where(np.isnan(scores), np.nan, randomised[:, None] + days)
    due = randomised[:, None] + np.array([visit.closes for visit in protocol.visits])
    seen = np.where(np.isnan(assessed), -np.inf, assessed).max(axis=1)
    last_contact = np.where(np.isfinite(seen), seen, randomised)
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
        due,
        np.full(reader.rows, np.nan),
        last_contact,
        measures=measures,
        subscales=subscales,
        start=start,
        has_events=False,
    )
