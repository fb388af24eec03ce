"""Measures and clusters out of the columns of a table with one row a patient."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ..data import Measured
from ..protocol.measures import MeasureColumns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..protocol import Measure, Protocol
    from .reader import Reader

__all__ = ["read_measures", "read_subscales", "value_codes"]

UNKNOWN = "unknown"
_YES_NO = {"1": 1, "0": 0, "yes": 1, "no": 0, "true": 1, "false": 0, "True": 1, "False": 0}


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
    """What each code in the data stands for, of a measure whose values are names."""
    if measure.kind == "binary":
        return {codes[name]: value for name, value in (("yes", 1), ("no", 0)) if name in codes} or _YES_NO
    if measure.kind == "ordinal":
        return {codes.get(level, level): at for at, level in enumerate(measure.levels)}
    arms = {codes.get(name, name): at for at, name in enumerate(protocol.arm_names)}
    return arms | {codes.get(UNKNOWN, UNKNOWN): -1}


def _read(reader: Reader, measure: Measure, names: MeasureColumns, protocol: Protocol) -> Measured:
    column = names.value
    cells = reader.column(column, f"measure {measure.name}")
    if measure.kind in ("binary", "ordinal", "guess"):
        codes = value_codes(measure, protocol, dict(names.codes))
        given = [reader.text(cell, codes) for cell in cells]
        value = [
            float(reader.choice(text, codes, row, column, measure.name)) if text else math.nan
            for row, text in enumerate(given)
        ]
        return Measured(np.array(value))
    value = np.array([reader.number(cell, row, column) for row, cell in enumerate(cells)])
    if measure.kind == "continuous":
        return Measured(value)
    for row in np.flatnonzero(value < 0):
        what = "a time" if measure.kind == "time" else "a count"
        reader.fault(f"{value[row]:g} is negative; expected {what} of 0 or more", int(row), column)
    if measure.kind == "time":
        return _time(reader, measure, names, value)
    for row in np.flatnonzero(value % 1 > 0):
        reader.fault(f"{value[row]:g} is no whole number; expected a count", int(row), column)
    exposure = np.full(len(value), protocol.visit(measure.visit).day - protocol.visits[0].day)
    if names.exposure:
        told = reader.column(names.exposure, f"the days under observation of {measure.name}")
        exposure = np.array([reader.number(cell, row, names.exposure) for row, cell in enumerate(told)])
        for row in np.flatnonzero(exposure < 0):
            reader.fault(f"{exposure[row]:g} is negative; expected days of 0 or more", int(row), names.exposure)
    return Measured(value, exposure=exposure)


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
        low, high = protocol.scale.subscale_range(cluster)
        values = np.full((reader.rows, len(protocol.visits)), np.nan)
        for visit, column in visits.items():
            at = protocol.visit_names.index(visit)
            for row, cell in enumerate(reader.column(column, f"cluster {cluster} at {visit}")):
                number = reader.number(cell, row, column)
                if not math.isnan(number) and not low <= number <= high:
                    reader.fault(
                        f"{number:g} is outside the range of {cluster}; expected {low:g} to {high:g}", row, column
                    )
                values[row, at] = number
        found[cluster] = values
    return found
