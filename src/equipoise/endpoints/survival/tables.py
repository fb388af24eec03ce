"""Tables of times to an event for the report: events and medians by arm, probabilities, all analyses side by side."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...errors import InputError, NotEstimable
from ...estimate import Estimate, Interval
from ...wording import arm_label, days, level_text, measure_text
from ..results import Cell, Column, ResultTable
from .cox import CoxFit, cox_regression
from .log_rank import log_rank
from .restricted_means import restricted_mean_difference, restricted_mean_ratio

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ...protocol import Protocol
    from .result import ArmSurvival

__all__ = ["ComparedTimes", "analyses_table", "arms_table", "probabilities_table"]

_REFUSED = (InputError, NotEstimable)


@dataclass(frozen=True, slots=True, eq=False)
class ComparedTimes:
    """Times to the event of one experimental arm and control, ready for every analysis; arrays of shape (patients,).

    Attributes
    ----------
    arm
        The protocol's name of the experimental arm.
    experimental
        1 or 0 for each patient.
    covariates, names
        Shape (patients, columns), and their names; NaN where missing.
    strata
        Codes, or None.
    curves
        Of the experimental arm and of control; None where either has no patients.
    """

    arm: str
    time: NDArray[np.float64]
    event: NDArray[np.bool_]
    experimental: NDArray[np.intp]
    covariates: NDArray[np.float64]
    names: Sequence[str]
    strata: NDArray[np.intp] | None
    curves: tuple[ArmSurvival, ArmSurvival]

    def regression(self) -> CoxFit:
        """Cox's, adjusted as the protocol says; raises `InputError` where it cannot be had."""
        columns = self.covariates if len(self.names) else None
        return cox_regression(
            self.time, self.event, self.experimental, columns, strata=self.strata, names=self.names or None
        )


def arms_table(
    protocol: Protocol, measure: str, arms: Sequence[ArmSurvival], horizon: float | None, level: float
) -> ResultTable:
    """Patients, events and median time by arm, and the restricted mean where there is a horizon."""
    name, interval = measure_text(protocol, measure), f"{level_text(level)} interval"
    columns = [
        Column("Arm"),
        Column("Patients", "count"),
        Column("Events", "count"),
        Column("Median days", "number", 0),
        Column(interval, "number", 0),
    ]
    if horizon is not None:
        columns += [Column(f"Mean days to day {days(horizon)}", "number"), Column(f"{interval} of it", "number")]
    rows: list[tuple[Cell, ...]] = []
    for arm in arms:
        row: list[Cell] = [arm_label(protocol, arm.arm), arm.patients, arm.events]
        row += [None, None] if arm.curve is None else [arm.curve.median, arm.curve.median_interval]
        if horizon is not None:
            row += _mean(arm, horizon, level)
        rows.append(tuple(row))
    note = "Median of the Kaplan-Meier curve, ∞ where it is not reached; limits of Brookmeyer and Crowley, log-log"
    return ResultTable(f"Time to {name}", tuple(columns), tuple(rows), note)


def _mean(arm: ArmSurvival, horizon: float, level: float) -> list[Cell]:
    try:
        mean = None if arm.curve is None else arm.curve.restricted_mean(horizon)
    except InputError:
        mean = None
    return [None, None] if mean is None else [mean.value, mean.interval(level)]


def probabilities_table(
    protocol: Protocol, measure: str, arms: Sequence[ArmSurvival], show: Sequence[float], level: float
) -> ResultTable:
    """Probability of being free of the event on given days, as far as each arm was followed."""
    rows: list[tuple[Cell, ...]] = []
    for day in show:
        for arm in arms:
            row: tuple[Cell, ...] = (days(day), arm_label(protocol, arm.arm), 0, None, None)
            if arm.curve is not None and (day <= arm.curve.last_time or arm.curve.survival[-1] == 0):
                lower, upper = arm.curve.limits_at(day)
                interval = Interval(float(lower), float(upper), level)
                row = (*row[:2], int(arm.curve.at_risk_at(day)), float(arm.curve.survival_at(day)), interval)
            rows.append(row)
    columns = (
        Column("Day"),
        Column("Arm"),
        Column("At risk", "count"),
        Column("Free of the event", "percent"),
        Column(f"{level_text(level)} interval", "percent"),
    )
    note = "Kaplan-Meier, log-log limits; nothing is said beyond an arm's follow-up"
    return ResultTable(f"Free of {measure_text(protocol, measure)} over time", columns, tuple(rows), note)


def analyses_table(
    protocol: Protocol, compared: Sequence[ComparedTimes], horizon: float | None, level: float
) -> ResultTable:
    """The log-rank test, Cox's regression and restricted means of each arm against control, side by side."""
    rows: list[tuple[Cell, ...]] = []
    for item in compared:
        label = arm_label(protocol, item.arm)
        rows += [(label, *row) for row in (*_hazards(item, level), *_means(item, horizon, level))]
    columns = (
        Column("Arm"),
        Column("Analysis"),
        Column("Effect", "number", 2),
        Column(f"{level_text(level)} interval", "number", 2),
        Column("p", "p"),
    )
    note = "Experimental arm against control, p-values two-sided; as if there had been no interim look"
    return ResultTable("Analyses side by side", columns, tuple(rows), note)


def _ratio(name: str, found: Estimate, level: float) -> tuple[Cell, ...]:
    limits = found.interval(level)
    natural = found.scale.natural
    return name, natural(found.effect), Interval(natural(limits.lower), natural(limits.upper), level), found.p_value


def _hazards(item: ComparedTimes, level: float) -> list[tuple[Cell, ...]]:
    within = ", stratified" if item.strata is not None else ""
    rows: list[tuple[Cell, ...]] = []
    try:
        test = log_rank(item.time, item.event, item.experimental, item.strata)
        rows.append(_ratio(f"Log-rank test{within}: one-step hazard ratio", test.estimate(), level))
    except _REFUSED:
        rows.append((f"Log-rank test{within}: one-step hazard ratio", None, None, None))
    adjusted = ", adjusted" if len(item.names) else ""
    try:
        fit = item.regression()
        rows.append(_ratio(f"Cox regression{within}{adjusted}: hazard ratio", fit.estimate, level))
    except _REFUSED:
        return [*rows, (f"Cox regression{within}{adjusted}: hazard ratio", None, None, None)]
    held = None
    with contextlib.suppress(*_REFUSED):
        held = fit.proportional_hazards({"arm": ["arm"]}).p_values[0]
    return [*rows, ("Test that the hazard ratio does not change with time", None, None, held)]


def _means(item: ComparedTimes, horizon: float | None, level: float) -> list[tuple[Cell, ...]]:
    first, second = (arm.curve for arm in item.curves)
    if horizon is None or first is None or second is None:
        return []
    until = f"to day {days(horizon)}"
    try:
        difference = restricted_mean_difference(first, second, horizon)
        ratio = restricted_mean_ratio(first, second, horizon)
    except _REFUSED:
        return [(f"Restricted means {until}: difference in days", None, None, None)]
    return [
        (
            f"Restricted means {until}: difference in days",
            difference.effect,
            difference.interval(level),
            difference.p_value,
        ),
        (f"Restricted means {until}: ratio", ratio.ratio, ratio.interval(level), ratio.p_value),
    ]
