"""Tables of adverse events for the report: patients with an event, rates, and the arms' rates compared."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...data import DAYS_PER_YEAR
from ...estimate import Interval
from ...wording import arm_label, arm_text, capital, level_text
from ..results import Cell, Column, ResultTable

if TYPE_CHECKING:
    from ...protocol import Protocol
    from .event_table import EventRow

__all__ = ["event_tables"]

DAYS_IN_100_YEARS = 100 * DAYS_PER_YEAR


def event_tables(
    protocol: Protocol, rows: Sequence[EventRow], level: float, kind: str = "adverse events"
) -> tuple[ResultTable, ...]:
    """Patients with an event; where follow-up is known, rates, and rates compared."""
    found = [_patients(protocol, rows, level, kind)]
    if any(arm.exposure > 0 for arm in rows[0].arms):
        found += [_rates(protocol, rows, level, kind), _compared(protocol, rows, level, kind)]
    return tuple(found)


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _yearly(value: float | Interval) -> float | Interval | None:
    if isinstance(value, Interval):
        return Interval(DAYS_IN_100_YEARS * value.lower, DAYS_IN_100_YEARS * value.upper, value.level)
    return None if math.isnan(value) else DAYS_IN_100_YEARS * value


def _patients(protocol: Protocol, rows: Sequence[EventRow], level: float, kind: str) -> ResultTable:
    interval = f"{level_text(level)} interval"
    columns = [Column("Term")]
    for name in protocol.arm_names:
        label = arm_label(protocol, name)
        columns += [Column(f"{label}, patients", "count"), Column(f"{label}, risk", "percent")]
    for name in protocol.arm_names[1:]:
        of = "" if len(protocol.arm_names) == 2 else f"{arm_label(protocol, name)}, "
        columns += [Column(f"{of}difference, % points", "points"), Column(f"{of}{interval}", "points")]
    shown: list[tuple[Cell, ...]] = []
    for row in rows:
        cells: list[Cell] = [capital(row.term)]
        for arm in row.arms:
            cells += [arm.with_event, _known(arm.risk)]
        for item in row.contrasts:
            cells += [_known(item.risk_difference), item.risk_difference_interval]
        shown.append(tuple(cells))
    counts = ", ".join(
        f"{arm.patients} with {arm_text(protocol, name)}"
        for name, arm in zip(protocol.arm_names, rows[0].arms, strict=True)
    )
    note = (
        f"Patients with at least one event, of {counts}. Intervals of the difference are Newcombe's and not corrected "
        "for the number of terms; there are no tests of terms that were not chosen beforehand"
    )
    return ResultTable(f"Patients with {kind}", tuple(columns), tuple(shown), note)


def _rates(protocol: Protocol, rows: Sequence[EventRow], level: float, kind: str) -> ResultTable:
    interval = f"{level_text(level)} interval"
    columns = (
        Column("Term"),
        Column("Arm"),
        Column("Events", "count"),
        Column("Patient-years", "number", 2),
        Column("Rate", "number"),
        Column(interval, "number"),
        Column("Rate of first events", "number"),
        Column("Interval of it", "number"),
    )
    shown = tuple(
        (
            capital(row.term),
            arm_label(protocol, name),
            arm.events,
            arm.exposure / DAYS_IN_100_YEARS * 100,
            _yearly(arm.rate),
            _yearly(arm.rate_interval),
            _yearly(arm.first_rate),
            _yearly(arm.first_rate_interval),
        )
        for row in rows
        for name, arm in zip(protocol.arm_names, row.arms, strict=True)
    )
    note = (
        "Rates are per 100 patient-years from randomisation to last contact, of first events to the first; exact "
        "Poisson intervals, which are too narrow for all events where those of one patient come together"
    )
    return ResultTable(f"Rates of {kind}", columns, shown, note)


def _compared(protocol: Protocol, rows: Sequence[EventRow], level: float, kind: str) -> ResultTable:
    interval = f"{level_text(level)} interval"
    columns = (
        Column("Term"),
        Column("Arm"),
        Column("Rate difference", "number"),
        Column(interval, "number"),
        Column("Rate ratio", "number", 2),
        Column("Interval of it", "number", 2),
    )
    shown = tuple(
        (
            capital(row.term),
            arm_label(protocol, name),
            _yearly(item.rate_difference),
            _yearly(item.rate_difference_interval),
            _known(item.rate_ratio),
            item.rate_ratio_interval,
        )
        for row in rows
        for name, item in zip(protocol.arm_names[1:], row.contrasts, strict=True)
    )
    note = (
        f"Against {arm_text(protocol, protocol.control.name)}, of all events; differences are per 100 patient-years, "
        "with score intervals; ratios have exact ones"
    )
    return ResultTable(f"Rates of {kind} compared", columns, shown, note)
