"""Real data into the three tables, with every fault named by row and column."""

from __future__ import annotations

import datetime
import difflib
import math
from collections.abc import Collection, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data import ADVERSE_EVENT, LOSS_OF_RESPONSE, Events, TrialData
from ..errors import InputError
from ..protocol.parts import DataColumns
from .tables import Columns, columns_of_file, columns_of_frame, columns_of_package

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..protocol import Protocol

__all__ = ["DataError", "read_data"]

ABSENT = frozenset({"", "NA", "NaN", "nan", ".", "null", "None"})
MOST_FAULTS = 20
LARGEST_NUMBER = 1e15


class DataError(InputError):
    """Data that do not fit their protocol; `faults` has a sentence for each fault."""

    def __init__(self, origin: str, faults: Sequence[str]) -> None:
        self.origin, self.faults = origin, tuple(faults)
        shown = [f"  {fault}" for fault in faults[:MOST_FAULTS]]
        if len(faults) > MOST_FAULTS:
            shown.append(f"  and {len(faults) - MOST_FAULTS} more")
        count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        ValueError.__init__(self, f"{origin} has {count}:\n" + "\n".join(shown))


def read_data(protocol: Protocol, source: Any = None) -> TrialData:
    """Trial data by the protocol's description of them.

    Parameters
    ----------
    source
        - a CSV or Parquet file, or any data frame, with one row a patient and a column for each visit, named as the
          protocol's `data` section says, or else as the protocol's own names: patient, arm, the visits, the
          covariates, and randomised for the date of entry;
        - a folder with the tables patients, assessments and events that `equipoise run` writes;
        - nothing: the data set of an installed package that the protocol names.

    Raises
    ------
    DataError
        With every fault: its row and column, what stands there and what would be right.
    InputError
        When there is nothing to read.
    """
    if source is None:
        if protocol.data is None or not protocol.data.source:
            raise InputError("data", None, "a file, a folder or a data frame; this protocol names no data of its own")
        return _wide(protocol, columns_of_package(protocol.data.source), protocol.data.source)
    if not isinstance(source, (str, PathLike)):
        return _wide(protocol, columns_of_frame(source), "data frame")
    path = Path(source)
    try:
        folder = path.is_dir()
    except (OSError, ValueError):
        folder = False
    return _tables(protocol, path) if folder else _wide(protocol, columns_of_file(path), str(path))


class _Reader:
    """Takes cells out of columns and gathers what is wrong with them."""

    def __init__(self, origin: str, columns: Columns) -> None:
        self.origin, self.columns = origin, columns
        self.rows = len(next(iter(columns.values()), []))
        self.faults: list[str] = []

    def fault(self, message: str, row: int | None = None, column: str = "") -> None:
        place = f"row {row + 1}, " if row is not None else ""
        place += f"column {column}: " if column else ""
        self.faults.append(place + message)

    def column(self, name: str, what: str) -> list[Any]:
        if name in self.columns:
            return self.columns[name]
        near = difflib.get_close_matches(name, self.columns, n=1, cutoff=0.5)
        known = f"did you mean '{near[0]}'?" if near else f"columns are {', '.join(list(self.columns)[:12])}"
        self.fault(f"no column '{name}' for {what}; {known}")
        return [None] * self.rows

    def text(self, value: Any, known: Collection[str] = ()) -> str:
        """A cell as text, "" where it says that nothing is there; a known word is itself even if it is such a one."""
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return ""
        found = str(value).strip()
        return "" if found in ABSENT and found not in known else found

    def number(self, value: Any, row: int, column: str) -> float:
        found = self.text(value)
        if not found:
            return math.nan
        try:
            number = math.inf if "_" in found else float(found)
        except ValueError:
            number = math.inf
        if not math.isfinite(number):
            self.fault(f"{found[:40]!r} is not a number; expected a number or an empty cell", row, column)
            return math.nan
        if abs(number) > LARGEST_NUMBER:
            self.fault(f"{number:g} is too large; expected at most {LARGEST_NUMBER:g}", row, column)
            return math.nan
        return number

    def score(self, value: Any, row: int, column: str, protocol: Protocol) -> float:
        number = self.number(value, row, column)
        scale = protocol.scale
        if not math.isnan(number) and not scale.minimum <= number <= scale.maximum:
            right = f"expected {scale.minimum:g} to {scale.maximum:g}"
            self.fault(f"{number:g} is outside the range of {scale.name}; {right}", row, column)
            return math.nan
        return number

    def date(self, value: Any, row: int, column: str) -> datetime.date | None:
        if isinstance(value, datetime.datetime):
            return value.date()
        if isinstance(value, datetime.date):
            return value
        found = self.text(value)
        if not found:
            return None
        try:
            return datetime.date.fromisoformat(found[:10])
        except ValueError:
            self.fault(f"{found[:40]!r} is not a date; expected year-month-day, as 2015-05-18", row, column)
            return None

    def choice(self, value: Any, codes: dict[str, int], row: int, column: str, what: str) -> int:
        found = self.text(value, codes)
        if found in codes:
            return codes[found]
        if not found:
            self.fault(f"{what} is missing; expected one of {', '.join(codes)}", row, column)
        else:
            near = difflib.get_close_matches(found, codes, n=1, cutoff=0.5)
            right = f"did you mean '{near[0]}'?" if near else f"expected one of {', '.join(codes)}"
            self.fault(f"unknown {what} {found[:40]!r}; {right}", row, column)
        return 0

    def identifiers(self, values: list[Any], column: str) -> list[str]:
        names = [self.text(value) for value in values]
        seen: set[str] = set()
        for row, name in enumerate(names):
            if not name:
                self.fault("patient is missing; expected an identifier", row, column)
            elif name in seen:
                self.fault(f"patient '{name}' stands twice; expected one row a patient", row, column)
            seen.add(name)
        return names

    def covariate(self, protocol: Protocol, name: str, values: list[Any], column: str) -> NDArray[Any]:
        spec = next(item for item in protocol.covariates if item.name == name)
        if spec.kind == "continuous":
            return np.array([self.number(value, row, column) for row, value in enumerate(values)])
        codes = {level: at for at, level in enumerate(spec.levels)}
        found = []
        for row, value in enumerate(values):
            given = self.text(value, codes)
            found.append(spec.levels[self.choice(given, codes, row, column, name)] if given else "")
        return np.array(found, dtype=str)

    def done(self) -> None:
        if self.faults:
            raise DataError(self.origin, self.faults)


def _arm_codes(protocol: Protocol) -> dict[str, int]:
    codes = protocol.data.arms if protocol.data else {}
    return {codes.get(name, name): at for at, name in enumerate(protocol.arm_names)}


def _needed_covariates(protocol: Protocol, columns: Columns, mapping: dict[str, str]) -> list[str]:
    """Covariates the analysis uses, and others that happen to be in the data."""
    used = set(protocol.analysis.covariates) | set(protocol.allocation.strata)
    return [
        item.name for item in protocol.covariates if item.name in used or mapping.get(item.name, item.name) in columns
    ]


def _wide(protocol: Protocol, columns: Columns, origin: str) -> TrialData:
    """One row a patient, one column a visit."""
    own = {name: name for name in protocol.visit_names}
    names = protocol.data or DataColumns(patient="patient", arm="arm", visits=own)
    reader = _Reader(origin, columns)
    if not reader.rows:
        raise DataError(origin, ["has no rows; expected one row a patient"])
    patient = [str(row + 1) for row in range(reader.rows)]
    if names.patient and (names.patient in columns or protocol.data):
        patient = reader.identifiers(reader.column(names.patient, "patients"), names.patient)
    codes = _arm_codes(protocol)
    given = reader.column(names.arm, "the arm")
    arm = (
        [reader.choice(value, codes, row, names.arm, "arm") for row, value in enumerate(given)]
        if names.arm in columns
        else []
    )
    scores = np.full((reader.rows, len(protocol.visits)), np.nan)
    for at, visit in enumerate(protocol.visit_names):
        column = names.visits[visit]
        for row, value in enumerate(reader.column(column, f"visit {visit}")):
            scores[row, at] = reader.score(value, row, column, protocol)
    covariates = {}
    for name in _needed_covariates(protocol, columns, dict(names.covariates)):
        column = names.covariates.get(name, name)
        values = reader.column(column, f"covariate {name}")
        if column in columns:
            covariates[name] = reader.covariate(protocol, name, values, column)
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
    reader.done()
    start, randomised = _days(entered)
    days = np.array([visit.day for visit in protocol.visits])
    assessed = np.where(np.isnan(scores), np.nan, randomised[:, None] + days)
    due = randomised[:, None] + days + np.array([visit.window[1] for visit in protocol.visits])
    seen = np.where(np.isnan(assessed), -np.inf, assessed).max(axis=1)
    last_contact = np.where(np.isfinite(seen), seen, randomised)
    return TrialData(
        protocol.arm_names,
        protocol.visit_names,
        protocol.outcome.scale,
        np.array(patient),
        np.array(arm, dtype=np.intp),
        scores,
        covariates,
        randomised,
        assessed,
        due,
        np.full(reader.rows, np.nan),
        last_contact,
        start=start,
    )


def _days(dates: Sequence[datetime.date | None]) -> tuple[datetime.date | None, NDArray[np.float64]]:
    """The first date, and days since it; NaN for all when there are no dates."""
    known = [date for date in dates if date is not None]
    if not known:
        return None, np.full(len(dates), np.nan)
    start = min(known)
    return start, _since(start, dates)


def _since(start: datetime.date, dates: Sequence[datetime.date | None]) -> NDArray[np.float64]:
    return np.array([math.nan if date is None else float((date - start).days) for date in dates])


def _tables(protocol: Protocol, folder: Path) -> TrialData:
    """The three tables that `write_data` writes, CSV preferred to Parquet."""

    def find(name: str, needed: bool = True) -> tuple[str, Columns]:
        for suffix in ("csv", "parquet"):
            path = folder / f"{name}.{suffix}"
            if path.is_file():
                return str(path), columns_of_file(path)
        if needed:
            raise InputError("data folder", str(folder), f"a folder with the table {name}.csv or {name}.parquet")
        return "", {}

    people = _Reader(*find("patients"))
    if not people.rows:
        raise DataError(people.origin, ["has no rows; expected one row a patient"])
    patient = people.identifiers(people.column("patient", "patients"), "patient")
    codes = {name: at for at, name in enumerate(protocol.arm_names)}
    arms = people.column("arm", "the arm")
    arm = (
        [people.choice(value, codes, row, "arm", "arm") for row, value in enumerate(arms)]
        if "arm" in people.columns
        else []
    )
    covariates = {}
    for name in _needed_covariates(protocol, people.columns, {}):
        values = people.column(name, f"covariate {name}")
        if name in people.columns:
            covariates[name] = people.covariate(protocol, name, values, name)
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
    start, randomised = _days(dates["randomised"])

    scores = np.full((len(patient), len(protocol.visits)), np.nan)
    assessed = np.full_like(scores, np.nan)
    seen = _Reader(*find("assessments"))
    for row, scale in enumerate(seen.columns.get("scale", ())):
        if seen.text(scale) != protocol.outcome.scale:
            seen.fault(f"{seen.text(scale)[:40]!r} is another scale; expected {protocol.outcome.scale}", row, "scale")
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

    days = np.array([visit.day + visit.window[1] for visit in protocol.visits])
    withdrawn, contact = (np.full(len(patient), np.nan),) * 2
    if start:
        withdrawn, contact = _since(start, dates["withdrawn"]), _since(start, dates["last_contact"])
    latest = np.fmax(np.fmax.reduce(np.column_stack([assessed, withdrawn]), axis=1), randomised)
    return TrialData(
        protocol.arm_names,
        protocol.visit_names,
        protocol.outcome.scale,
        np.array(patient),
        np.array(arm, dtype=np.intp),
        scores,
        covariates,
        randomised,
        assessed,
        randomised[:, None] + days,
        withdrawn,
        np.where(np.isnan(contact), latest, contact),
        _events(find("events", needed=False), rows, start),
        start,
    )


def _events(found: tuple[str, Columns], rows: dict[str, int], start: datetime.date | None) -> Events:
    reader = _Reader(*found)
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
