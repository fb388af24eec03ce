"""What a response endpoint shows besides its result: other measures of effect, exact tests, strata, adjusted risks."""

from __future__ import annotations

import math
from contextlib import suppress
from itertools import product
from typing import TYPE_CHECKING

from ...errors import InputError, NotEstimable
from ...estimate import Interval
from ...wording import arm_label, arm_text, clean, decimal, p_text, percent
from ..results import Cell, Column, ResultTable
from .barnard import barnard_exact
from .fisher import FisherExact, fisher_exact
from .homogeneity import odds_ratio_homogeneity
from .mantel_haenszel import cochran_mantel_haenszel
from .stratified_exact import stratified_exact

if TYPE_CHECKING:
    from ..response_model import ResponseModel
    from .marginal_risks import MarginalRisks

__all__ = ["response_tables"]


def response_tables(model: ResponseModel) -> tuple[ResultTable, ...]:
    """The tables that the endpoint's options call for; every experimental arm against control."""
    endpoint = model.endpoint
    tables = [_effects(model)]
    if model.risks is not None:
        tables.append(_adjusted(model, model.risks))
    if endpoint.strata:
        tables += [_strata(model, at) for at in model.present[1:]]
    if endpoint.exact == "fisher":
        tables.append(_fisher(model))
    elif endpoint.exact == "barnard":
        tables.append(_barnard(model))
    return tuple(tables)


def _title(model: ResponseModel, what: str) -> str:
    return f"{what}: {clean(model.label)}"


def _effects(model: ResponseModel) -> ResultTable:
    columns = (
        Column("Arm against control"),
        Column("Risk difference, percentage points", "points"),
        Column("Interval of the difference", "points"),
        Column("Risk ratio", "number", 2),
        Column("Interval of the risk ratio", "number", 2),
        Column("Odds ratio", "number", 2),
        Column("Interval of the odds ratio", "number", 2),
    )
    rows = []
    for at, name in enumerate(model.data.arm_names[1:], start=1):
        cells: list[Cell] = [arm_label(model.protocol, name)]
        for effect in ("risk-difference", "risk-ratio", "odds-ratio"):
            cells += _natural(model, at, effect)
        rows.append(tuple(cells))
    if model.risks is not None:
        basis = "of risks standardised over the covariates"
    elif model.endpoint.strata:
        basis = "over strata (Mantel-Haenszel)"
    elif model.endpoint.missing == "multiple-imputation":
        basis = "pooled over the completed data sets"
    else:
        basis = "of the counts"
    return ResultTable(_title(model, "Measures of effect"), columns, tuple(rows), f"All {basis}.")


def _natural(model: ResponseModel, at: int, effect: str) -> list[Cell]:
    """An effect and its interval on the natural scale; None where it is not defined."""
    difference = effect == "risk-difference"
    found: list[Cell] = [None, None]
    with suppress(InputError, NotEstimable):
        found[0] = model.difference(at).effect if difference else math.exp(model.compare(at, effect).effect)
    with suppress(InputError, NotEstimable):
        interval, _ = model.interval(at, effect)
        if not difference:
            interval = Interval(math.exp(interval.lower), math.exp(interval.upper), interval.level)
        found[1] = interval
    return found


def _adjusted(model: ResponseModel, risks: MarginalRisks) -> ResultTable:
    columns = (
        Column("Arm"),
        Column("Risk, observed", "percent"),
        Column("Risk, standardised", "percent"),
        Column("Standard error", "points"),
    )
    rows: list[tuple[Cell, ...]] = []
    for at, arm in enumerate(model.arms):
        name, place = arm_label(model.protocol, arm.arm), model.present.index(at) if at in model.present else None
        if place is None:
            rows.append((name, None, None, None))
        else:
            rows.append((name, arm.risk, float(risks.risks[place]), float(risks.standard_errors[place])))
    note = "Standardised: the mean risk that all patients analysed would have in the arm, by the logistic model."
    return ResultTable(_title(model, "Risks over the covariates"), columns, tuple(rows), note)


def _strata(model: ResponseModel, at: int) -> ResultTable:
    protocol, name = model.protocol, model.data.arm_names[at]
    events1, total1, events2, total2 = model.tables(at)
    covariates = {item.name: item for item in protocol.covariates}
    levels = product(*(covariates[name].levels for name in model.endpoint.strata))
    rows = []
    for place, level in enumerate(levels):
        if place >= len(total1) or not total1[place] + total2[place]:
            continue
        cells: list[Cell] = [", ".join(clean(part) for part in level)]
        for events, total in ((events1[place], total1[place]), (events2[place], total2[place])):
            cells.append(f"{events:.0f}/{total:.0f}" + (f" ({percent(events / total, 1)})" if total else ""))
        both = total1[place] and total2[place]
        cells.append(float(events1[place] / total1[place] - events2[place] / total2[place]) if both else None)
        rows.append(tuple(cells))
    columns = (
        Column("Stratum"),
        Column(arm_label(protocol, name)),
        Column(arm_label(protocol, model.data.arm_names[0])),
        Column("Difference, percentage points", "points"),
    )
    return ResultTable(_title(model, "Strata"), columns, tuple(rows), _tests(model, at))


def _tests(model: ResponseModel, at: int) -> str:
    """The tests over strata as sentences."""
    tables, sentences = model.tables(at), []
    try:
        test = cochran_mantel_haenszel(*tables)
        sentences.append(
            f"Cochran-Mantel-Haenszel chi-square {decimal(test.statistic, 2)} ({p_text(test.p_value)}; corrected for"
            f" continuity {decimal(test.corrected_statistic, 2)}, {p_text(test.corrected_p_value)})."
        )
        same = odds_ratio_homogeneity(*tables)
        sentences.append(
            f"Odds ratios alike in all strata: Breslow-Day chi-square {decimal(same.breslow_day, 2)} on"
            f" {same.degrees_of_freedom} df ({p_text(same.breslow_day_p_value)}), with Tarone's correction"
            f" {p_text(same.tarone_p_value)}."
        )
    except (InputError, NotEstimable):
        sentences.append("Strata without events, or without patients free of them, cannot be told apart further.")
    return " ".join(sentences)


def _fisher(model: ResponseModel) -> ResultTable:
    columns = (
        Column("Arm against control"),
        Column("Odds ratio, conditional", "number", 2),
        Column("Exact interval", "number", 2),
        Column("p, two-sided", "p"),
        Column("mid-p", "p"),
    )
    level = model.protocol.confidence_level
    rows, note = [], "Fisher's exact test, given all margins"
    for at, name in enumerate(model.data.arm_names[1:], start=1):
        if at not in model.present:
            rows.append((arm_label(model.protocol, name), None, None, None, None))
            continue
        found = _exact(model, at, level)
        ratio = None if math.isnan(found.odds_ratio) else found.odds_ratio
        rows.append((arm_label(model.protocol, name), ratio, found.interval, found.p_value, found.mid_p_value))
    note += ", over strata." if model.endpoint.strata else "; not adjusted." if model.endpoint.covariates else "."
    return ResultTable(_title(model, "Exact test"), columns, tuple(rows), note)


def _exact(model: ResponseModel, at: int, level: float) -> FisherExact:
    if model.endpoint.strata:
        return stratified_exact(*model.tables(at), level)
    events1, total1, events2, total2 = (int(part) for part in model.tables(at))
    return fisher_exact(events1, total1, events2, total2, level)


def _barnard(model: ResponseModel) -> ResultTable:
    columns = (Column("Arm against control"), Column("z, pooled", "number", 2), Column("p, two-sided", "p"))
    rows = []
    for at, name in enumerate(model.data.arm_names[1:], start=1):
        if at not in model.present:
            rows.append((arm_label(model.protocol, name), None, None))
            continue
        events1, total1, events2, total2 = (int(part) for part in model.tables(at))
        found = barnard_exact(events1, total1, events2, total2)
        rows.append((arm_label(model.protocol, name), found.statistic, found.p_value))
    adjusted = "; not adjusted" if model.endpoint.covariates else ""
    control = arm_text(model.protocol, model.data.arm_names[0])
    note = f"Barnard's exact test against {control}, whatever the risk common to both{adjusted}."
    return ResultTable(_title(model, "Exact test"), columns, tuple(rows), note)
