"""Taking cells out of columns, with every fault named by row and column."""

from __future__ import annotations

import datetime
import difflib
import math
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError
from .tables import Columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..protocol import Protocol

__all__ = ["DataError", "Reader", "days_since", "days_since_first"]

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


class Reader:
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
        scale = protocol.scale
        return self.within(value, row, column, scale.name, (scale.minimum, scale.maximum))

    def within(self, value: Any, row: int, column: str, what: str, limits: tuple[float, float]) -> float:
        """A number between limits, both included."""
        number, (lowest, highest) = self.number(value, row, column), limits
        if not math.isnan(number) and not lowest <= number <= highest:
            self.fault(f"{number:g} is outside the range of {what}; expected {lowest:g} to {highest:g}", row, column)
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
        told = protocol.data.levels.get(name, {}) if protocol.data else {}
        if spec.kind == "continuous":
            return np.array([self.number(value, row, column) for row, value in enumerate(values)])
        codes = {told.get(level, level): at for at, level in enumerate(spec.levels)}
        found = []
        for row, value in enumerate(values):
            given = self.text(value, codes)
            found.append(spec.levels[self.choice(given, codes, row, column, name)] if given else "")
        return np.array(found, dtype=str)

    def arms(self, name: str, codes: dict[str, int]) -> list[int]:
        """Index of each patient's arm; empty where there is no such column, which is a fault of its own."""
        values = self.column(name, "the arm")
        if name not in self.columns:
            return []
        return [self.choice(value, codes, row, name, "arm") for row, value in enumerate(values)]

    def covariates(self, protocol: Protocol, mapping: dict[str, str]) -> dict[str, NDArray[Any]]:
        """The covariates the analysis uses, and others that happen to be there, by the columns `mapping` gives."""
        used = protocol.used_covariates
        found = {}
        for name in (item.name for item in protocol.covariates):
            column = mapping.get(name, name)
            if name in used or column in self.columns:
                values = self.column(column, f"covariate {name}")
                if column in self.columns:
                    found[name] = self.covariate(protocol, name, values, column)
        return found

    def done(self) -> None:
        if self.faults:
            raise DataError(self.origin, self.faults)


def days_since_first(dates: Sequence[datetime.date | None]) -> tuple[datetime.date | None, NDArray[np.float64]]:
    """The first date, and days since it; NaN for all when there are no dates."""
    known = [date for date in dates if date is not None]
    if not known:
        return None, np.full(len(dates), np.nan)
    start = min(known)
    return start, days_since(start, dates)


def days_since(start: datetime.date, dates: Sequence[datetime.date | None]) -> NDArray[np.float64]:
    return np.array([math.nan if date is None else float((date - start).days) for date in dates])
