"""Section of docs/validation.md: the trials of real patients that ship as protocols."""

from __future__ import annotations

import math

from real_trials import (
    DERMATOLOGIC,
    INDOMETHACIN,
    RELAPSE_COX,
    RELAPSE_MEDIANS,
    XANOMELINE_DIFFERENCES,
    XANOMELINE_MEANS,
    of,
)
from validation_table import COLUMNS, Section, Table, number, printed_row

TEXT = """
`equipoise analyse NAME` on the patients that installed packages carry. The median of the long programme differs by
convention: its curve stands at exactly one half from day 200 to day 203; lifelines and the published table name the
first day, R and we the middle of the stretch.
"""


def rows():
    pilot, paper = "CDISC pilot, table 14-3.01", "Elmunzer et al. 2012"
    primary = of("indomethacin-pancreatitis", "pancreatitis")
    risks = [100 * arm.risk for arm in reversed(primary.arms[:2])]
    yield printed_row("indomethacin-pancreatitis: % with pancreatitis", paper, INDOMETHACIN["percent"], risks, 1)
    yield printed_row("indomethacin-pancreatitis: p", paper, [INDOMETHACIN["p_value"]], [primary.estimate.p_value], 3)
    locf = of("xanomeline-alzheimer", "adas-week24-locf")
    cells = {row[0]: row for table in locf.tables for row in table.rows}
    labels = {"placebo": "Placebo", "high": "Xanomeline high dose", "low": "Xanomeline low dose"}
    for arm, (patients, mean, sd) in XANOMELINE_MEANS.items():
        found = cells[labels[arm]]
        what = f"xanomeline-alzheimer, {arm}"
        assert found[1] == patients
        yield printed_row(f"{what}: mean change at week 24, LOCF", pilot, [mean], [found[2]], 1)
        yield printed_row(f"{what}: its SD", pilot, [sd], [found[3]], 2)
    for arm, (effect, error, p_value) in XANOMELINE_DIFFERENCES.items():
        estimate = next(item.estimate for item in locf.comparisons if item.arm == arm)
        what = f"xanomeline-alzheimer, {arm} - placebo"
        yield printed_row(f"{what}: adjusted difference", pilot, [effect], [estimate.effect], 1)
        yield printed_row(f"{what}: its SE", pilot, [error], [estimate.standard_error], 2)
        yield printed_row(f"{what}: p", pilot, [p_value], [estimate.p_value], 3)
    for arm in of("xanomeline-alzheimer", "dermatologic").arms:
        patients, events, median = DERMATOLOGIC[arm.arm]
        theirs = [patients, events, math.inf if median is None else median]
        what = f"xanomeline-alzheimer, {arm.arm}: patients, dermatologic events, median days"
        assert arm.curve is not None
        ours = [arm.patients, arm.events, arm.curve.median]
        yield what, "lifelines", ", ".join(map(number, theirs)), ", ".join(map(number, ours)), "none"
        assert theirs == ours
    relapse = of("relapse-after-treatment", "relapse")
    for arm, median in zip(relapse.arms, RELAPSE_MEDIANS, strict=True):
        assert arm.curve is not None
        gap = abs(arm.curve.median - median)
        shown = "none" if gap == 0 else f"{number(gap)}, by convention"
        what = f"relapse-after-treatment, {arm.arm}: median days"
        yield what, "lifelines", number(median), number(arm.curve.median), shown
    effect, error, p_value = RELAPSE_COX
    found = relapse.estimate
    ours = [found.effect, found.standard_error, found.p_value]
    yield printed_row(
        "relapse-after-treatment: Cox log hazard ratio, SE, p", "statsmodels", [effect, error, p_value], ours, 3
    )


def real_trials() -> Section:
    """Published and recomputed numbers of the gallery's real trials."""
    return Section("Real patients", TEXT, (Table(COLUMNS, tuple(rows())),))
