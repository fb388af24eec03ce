"""Measures and clusters out of the columns of a table with one row a patient."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data import Measured
from ..protocol.measures import MeasureColumns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..protocol import Measure, Protocol
    from .reader import Reader

__all__ = ["measure_value", "read_exposure", "read_measures", "read_subscales", "value_codes", "visit_exposure"]

UNKNOWN = "unknown"
YES_NO = {"1": 1, "0": 0, "yes": 1, "no": 0, "true": 1, "false": 0, "True": 1, "False": 0}


def read_measures(reader: Reader, protocol: Protocol, randomised: NDArray[np.float64]) -> dict[str, Measured]:
    """Every measure whose columns are there; that a column is missing is a fault where the protocol names it as the
    data's, or the primary endpoint is of the measure.

    Parameters
    ----------
    randomised
        Day of the trial of each patient's randomisation, NaN without dates; a value is taken as known when its visit
        was due.
    """
    needed = getattr(protocol.primary, "measure", "")
    named = protocol.data.measures if protocol.data else {}
    found = {}
    for measure in protocol.measures:
        names = named.get(measure.name) or MeasureColumns(value=measure.name)
        if measure.name not in named and names.value not in reader.columns:
            if measure.name == needed:
                reader.column(names.value, f"measure {measure.name}")
            continue
        read = _read(reader, measure, names, protocol)
        day = protocol.visit(measure.visit).day
        if read.observed is None and np.isfinite(randomised).all():
            known = np.where(np.isnan(read.value), np.nan, randomised + day)
            read = Measured(read.value, exposure=read.exposure, known=known)
        found[measure.name] = read
    return found


def value_codes(measure: Measure, protocol: Protocol, codes: dict[str, str]) -> dict[str, int]:
    """What each code in the data stands for, of a measure whose values are names; empty for one of numbers."""
    if measure.kind in ("time", "count", "continuous"):
        return {}
    if measure.kind == "binary":
        return {codes[name]: value for name, value in (("yes", 1), ("no", 0)) if name in codes} or YES_NO
    if measure.kind == "ordinal":
        return {codes.get(level, level): at for at, level in enumerate(measure.levels)}
    arms = {codes.get(name, name): at for at, name in enumerate(protocol.arm_names)}
    return arms | {codes.get(UNKNOWN, UNKNOWN): -1}


def measure_value(
    reader: Reader, measure: Measure, cell: Any, row: int, column: str, codes: dict[str, int], *, stored: bool = False
) -> float:
    """One value of a measure, checked by the measure's kind; NaN for an empty cell, and for one at fault.

    Parameters
    ----------
    codes
        Those of `value_codes`.
    stored
        Whether the cell holds the number that a name stands for, as `write_data` leaves it, and not the name.
    """
    if codes and not stored:
        text = reader.text(cell, codes)
        return float(reader.choice(text, codes, row, column, measure.name)) if text else math.nan
    value = reader.number(cell, row, column)
    if math.isnan(value):
        return value
    if codes:
        allowed = sorted(set(codes.values()))
        if value not in allowed:
            right = ", ".join(map(str, allowed))
            reader.fault(f"{value:g} is no value of {measure.name}; expected one of {right}", row, column)
            return math.nan
    elif measure.kind in ("time", "count") and value < 0:
        reader.fault(f"{value:g} is negative; expected a {measure.kind} of 0 or more", row, column)
        return math.nan
    elif measure.kind == "count" and value % 1 > 0:
        reader.fault(f"{value:g} is no whole number; expected a count", row, column)
        return math.nan
    return value


def read_exposure(reader: Reader, cell: Any, row: int, column: str) -> float:
    """Days under observation, NaN for an empty cell."""
    days = reader.number(cell, row, column)
    if days < 0:
        reader.fault(f"{days:g} is negative; expected days of 0 or more", row, column)
        return math.nan
    return days


def visit_exposure(measure: Measure, protocol: Protocol, patients: int) -> NDArray[np.float64]:
    """Days from the first visit to the measure's, for each patient: those of a count that is told without any."""
    return np.full(patients, protocol.visit(measure.visit).day - protocol.visits[0].day, dtype=float)


def _read(reader: Reader, measure: Measure, names: MeasureColumns, protocol: Protocol) -> Measured:
    column = names.value
    cells = reader.column(column, f"measure {measure.name}")
    codes = value_codes(measure, protocol, dict(names.codes))
    value = np.array([measure_value(reader, measure, cell, row, column, codes) for row, cell in enumerate(cells)])
    if measure.kind == "time":
        return _time(reader, measure, names, value)
    if measure.kind != "count":
        return Measured(value)
    if not names.exposure:
        return Measured(value, exposure=visit_exposure(measure, protocol, len(value)))
    told = reader.column(names.exposure, f"the days under observation of {measure.name}")
    exposure = [read_exposure(reader, cell, row, names.exposure) for row, cell in enumerate(told)]
    return Measured(value, exposure=np.array(exposure))


def _time(reader: Reader, measure: Measure, names: MeasureColumns, value: NDArray[np.float64]) -> Measured:
    column = names.event or f"{measure.name}_observed"
    happened = []
    for row, cell in enumerate(reader.column(column, f"whether {measure.name} was observed")):
        text = reader.text(cell)
        if not text and not math.isnan(value[row]):
            reader.fault("is missing; expected whether the event happened by this time", row, column)
        happened.append(_same(text, names.happened))
    return Measured(value, observed=np.array(happened, dtype=bool) & ~np.isnan(value))


def _same(text: str, code: str) -> bool:
    """Whether a cell is a code, numbers by their value: 1.0 is 1."""
    if text == code:
        return True
    try:
        return float(text) == float(code)
    except ValueError:
        return False


def read_subscales(reader: Reader, protocol: Protocol) -> dict[str, NDArray[np.float64]]:
    """Sums of the scale's clusters at the visits, of the columns the protocol names; NaN where it names none."""
    named = protocol.data.subscales if protocol.data else {}
    found = {}
    for cluster, visits in named.items():
        limits = protocol.scale.subscale_range(cluster)
        values = np.full((reader.rows, len(protocol.visits)), np.nan)
        for visit, column in visits.items():
            at = protocol.visit_names.index(visit)
            for row, cell in enumerate(reader.column(column, f"cluster {cluster} at {visit}")):
                values[row, at] = reader.within(cell, row, column, cluster, limits)
        found[cluster] = values
    return found
