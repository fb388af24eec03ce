"""Tables of durable response for the report: in response over time, mean time, effects, and what they mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...estimate import Interval
from ...wording import arm_label, arm_text, days, level_text, visit_text
from ..results import Cell, Column, ResultTable

if TYPE_CHECKING:
    from ...protocol import Protocol
    from .estimands import Estimand
    from .result import Durations

__all__ = ["duration_tables"]


def duration_tables(
    protocol: Protocol, compared: Sequence[Durations], estimands: Sequence[Estimand], level: float, visit: str
) -> tuple[ResultTable, ...]:
    """Those that there is something to say in."""
    where = visit_text(protocol, visit)
    found = [_over_time(protocol, compared, level, where), _means(protocol, compared, level, where)]
    found += [_effects(protocol, compared, level), _meanings(estimands)]
    return tuple(table for table in found if table.rows)


def _over_time(protocol: Protocol, compared: Sequence[Durations], level: float, where: str) -> ResultTable:
    interval, control = f"{level_text(level)} interval", arm_label(protocol, protocol.control.name)
    rows: list[tuple[Cell, ...]] = [
        (
            arm_label(protocol, item.arm),
            days(one.time),
            one.experimental,
            one.experimental_interval,
            one.control,
            one.control_interval,
            one.difference,
            one.interval,
        )
        for item in compared
        for one in item.in_response
    ]
    return ResultTable(
        "In response over time, among all randomised",
        (
            Column("Arm"),
            Column("Day"),
            Column("In response", "percent"),
            Column(interval, "percent"),
            Column(control, "percent"),
            Column(f"{control}, interval", "percent"),
            Column("Difference, % points", "points"),
            Column("Interval of it", "points"),
        ),
        tuple(rows),
        f"Days since {where}; no response there counts as not in response",
    )


def _means(protocol: Protocol, compared: Sequence[Durations], level: float, where: str) -> ResultTable:
    rows: list[tuple[Cell, ...]] = []
    for item in compared:
        if item.time is None:
            continue
        for name, arm in ((protocol.control.name, item.time.control), (item.arm, item.time.experimental)):
            shown = (arm_label(protocol, name), arm.patients, arm.responders, arm.mean, arm.interval)
            rows.append((*shown, days(item.time.horizon)))
    return ResultTable(
        "Mean days in response, among all randomised",
        (
            Column("Arm"),
            Column("Patients", "count"),
            Column("Responders", "count"),
            Column("Mean days in response", "number"),
            Column(f"{level_text(level)} interval", "number"),
            Column("Within days"),
        ),
        tuple(dict.fromkeys(rows)),
        f"Days since {where}; no response there counts as no days",
    )


def _effects(protocol: Protocol, compared: Sequence[Durations], level: float) -> ResultTable:
    several = len(compared) > 1
    rows: list[tuple[Cell, ...]] = []
    for item in compared:
        if item.time is None:
            continue
        name, control = arm_text(protocol, item.arm), arm_text(protocol, protocol.control.name)
        lead = f"{arm_label(protocol, item.arm)}: " if several else ""
        time, stratum, given = item.time, item.stratum, item.given_covariates
        rows.append((f"{lead}All randomised, difference in days", time.difference.effect, None, time.interval))
        rows.append((f"{lead}All randomised, ratio", time.ratio, None, time.ratio_interval))
        if stratum is not None:
            who = f"{lead}Would respond to {name}"
            rows.append((f"{who}, nobody to {control} only", stratum.effect.effect, None, stratum.interval))
            bounds = Interval(min(stratum.lower, stratum.upper), stratum.upper, level)
            rows.append((f"{who}, whoever responds to {control}", None, bounds, stratum.bounds_interval))
            if given is not None:
                rows.append((f"{who}, alike given covariates", given.effect, None, given.interval(level)))
    return ResultTable(
        "Effects on days in response",
        (
            Column("Estimand"),
            Column("Effect", "number", 2),
            Column("Bounds", "number", 2),
            Column(f"{level_text(level)} interval", "number", 2),
        ),
        tuple(rows),
        "Experimental arm against control; differences in days. Intervals as if there had been no interim look",
    )


def _meanings(estimands: Sequence[Estimand]) -> ResultTable:
    columns = ("Estimand", "Population", "Variable", "Intercurrent events", "Summary", "Assumed")
    rows = tuple(
        (item.name, item.population, item.variable, item.intercurrent_events, item.summary, item.assumptions)
        for item in estimands
    )
    return ResultTable("What is estimated of durable response", tuple(map(Column, columns)), rows)
