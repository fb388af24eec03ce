"""A composite of outcomes compared pair by pair, the most important first: win odds, win ratio or net benefit."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from ..estimate import Better, Estimate, Interval, Scale
from ..wording import (
    arm_text,
    capital,
    clean,
    counted,
    listed,
    measure_label,
    measure_text,
    visit_label,
    visit_text,
)
from .against_control import against_control, compared_arms
from .batch import BatchEstimates
from .hierarchical_law import complete_after, patient_classes
from .planning.law import EndpointPlan, Law
from .ranks.win_components import WinComponent
from .ranks.win_planning import promised_wins
from .ranks.win_statistics import WinStatistics, win_statistics, win_statistics_batch
from .ranks.win_variances import log_slope
from .results import Cell, Column, Description, EndpointResult, ResultTable
from .some_trials import fill_singly
from .strata import stratum_codes, with_unknown_levels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..data import TrialData
    from ..protocol import Component, HierarchicalEndpoint, Protocol
    from ..trial_batch import TrialBatch

__all__ = ["analysed", "batch", "describe", "estimate", "measured_on", "plan", "primary", "seen"]

_SCALES = {
    "win-odds": Scale.LOG_WIN_ODDS,
    "win-ratio": Scale.LOG_WIN_RATIO,
    "net-benefit": Scale.NET_BENEFIT,
}


def measured_on(endpoint: HierarchicalEndpoint, protocol: Protocol) -> tuple[Scale, Better]:
    """The win statistic, a ratio as its logarithm; more wins are better, whatever side is good of a component."""
    return _SCALES[endpoint.statistic], "higher"


def _components(endpoint: HierarchicalEndpoint, protocol: Protocol) -> tuple[WinComponent, ...]:
    found = []
    for item in endpoint.components:
        measure = protocol.measure(item.measure) if item.measure else None
        timed = measure is not None and measure.kind == "time"
        found.append(WinComponent(timed, float(item.margin), protocol.better_of(item.measure)))
    return tuple(found)


def _columns(
    endpoint: HierarchicalEndpoint, protocol: Protocol, data: TrialData | TrialBatch
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.float64]]:
    """Components, NaN where not recorded, whether events happened, and how long counts were followed for; each of shape
    (..., patients, components).
    """
    values, observed, followed = [], [], []
    for item in endpoint.components:
        happened, span = np.ones(data.arm.shape, dtype=bool), np.full(data.arm.shape, np.inf)
        if not item.measure:
            value = data.at(item.visit)
            if protocol.analysis.outcome == "change":
                value = value - data.baseline
        else:
            found, measure = data.measure(item.measure), protocol.measure(item.measure)
            value = found.value
            if measure.kind == "time":
                if found.observed is None:
                    raise InputError(f"measure {item.measure}", None, "times with whether the event happened then")
                happened = found.observed
            elif measure.kind == "count" and found.exposure is not None:
                span = np.where(found.exposure >= complete_after(protocol, measure), np.inf, found.exposure)
                value = np.where(np.isnan(found.exposure), np.nan, value)
        values.append(value)
        observed.append(happened)
        followed.append(np.where(np.isnan(value), np.inf, span))
    return np.stack(values, axis=-1), np.stack(observed, axis=-1), np.stack(followed, axis=-1)


def _members(
    endpoint: HierarchicalEndpoint,
    protocol: Protocol,
    data: TrialData | TrialBatch,
    values: NDArray[np.float64],
    strata: NDArray[np.intp] | None,
) -> NDArray[np.bool_]:
    """Who is compared: patients due at the endpoint's visit with a component recorded and the stratum known."""
    kept = (data.arm >= 0) & data.is_due(protocol.visit_of(endpoint)) & ~np.isnan(values).all(axis=-1)
    return kept if strata is None else kept & (strata >= 0)


def _wins(endpoint: HierarchicalEndpoint, protocol: Protocol, data: TrialData, at: int) -> WinStatistics:
    """An arm against control; raises `InputError` where there are no pairs."""
    values, observed, followed = _columns(endpoint, protocol, data)
    strata = stratum_codes(protocol, data, endpoint.strata)
    pair = against_control(data.arm, at, _members(endpoint, protocol, data, values, strata))
    components = _components(endpoint, protocol)
    return win_statistics(values, pair, components, observed=observed, followed=followed, strata=strata)


def primary(endpoint: HierarchicalEndpoint, protocol: Protocol, data: TrialData) -> tuple[Estimate, tuple[str, ...]]:
    """The experimental arm against control, with the standard error over all ways to divide patients into arms."""
    found = _wins(endpoint, protocol, data, 1)
    return found.estimate(measured_on(endpoint, protocol)[0], label=endpoint.title), ()


def batch(endpoint: HierarchicalEndpoint, protocol: Protocol, trials: TrialBatch) -> BatchEstimates:
    """`primary` of many trials."""
    values, observed, followed = _columns(endpoint, protocol, trials)
    components = _components(endpoint, protocol)
    times = np.array([item.time for item in components])
    odd = (values[:, :, times] < 0).any(axis=(1, 2)) | with_unknown_levels(protocol, trials, endpoint.strata)
    found = np.full((3, len(trials)), np.nan)
    rows = np.flatnonzero(~odd)
    strata = stratum_codes(protocol, trials, endpoint.strata)
    kept = _members(endpoint, protocol, trials, values, strata)
    part = win_statistics_batch(
        values[rows],
        against_control(trials.arm, 1, kept)[rows],
        components,
        observed=observed[rows],
        followed=followed[rows],
        strata=None if strata is None else strata[rows],
    ).estimates(measured_on(endpoint, protocol)[0])
    found[:, rows] = part.effect, part.standard_error, part.degrees_of_freedom
    failures = {int(rows[at]): why for at, why in part.failures.items()}
    failures |= fill_singly(found, odd, trials, lambda data: primary(endpoint, protocol, data)[0])
    return BatchEstimates.of(found[0], found[1], found[2], failures)


def analysed(endpoint: HierarchicalEndpoint, protocol: Protocol, data: TrialData | TrialBatch) -> NDArray[np.bool_]:
    """Who is compared: those due at the endpoint's visit with a component recorded, and the stratum known."""
    values, _, _ = _columns(endpoint, protocol, data)
    return _members(endpoint, protocol, data, values, stratum_codes(protocol, data, endpoint.strata))


def seen(endpoint: HierarchicalEndpoint, protocol: Protocol, data: TrialData | TrialBatch) -> NDArray[np.bool_]:
    """Who was seen: those who are compared; shape (..., patients)."""
    return analysed(endpoint, protocol, data)


def estimate(endpoint: HierarchicalEndpoint, protocol: Protocol, data: TrialData) -> EndpointResult:
    """The whole result: every arm against control, the component that decides, and all three win statistics."""
    level, visit = protocol.confidence_level, protocol.visit_of(endpoint)
    scale, kept = measured_on(endpoint, protocol)[0], analysed(endpoint, protocol, data)
    tables: list[ResultTable] = []

    def one(at: int) -> tuple[Estimate, Interval]:
        name, found = data.arm_names[at], _wins(endpoint, protocol, data, at)
        tested = found.estimate(scale, label=endpoint.title)
        tables.extend([_decided(endpoint, protocol, name, found), _statistics(protocol, name, found, level)])
        return tested, _interval(found, scale, level)

    comparisons, uncompared = compared_arms(protocol, data, visit, one)
    return EndpointResult(
        name=endpoint.name,
        label=endpoint.title,
        kind=endpoint.type,
        comparisons=comparisons,
        patients=int(kept.sum()),
        notes=(*_left_out(endpoint, protocol, data, kept), *uncompared),
        tables=tuple(tables),
        interval_name="U-statistic",
    )


def _interval(found: WinStatistics, scale: Scale, level: float) -> Interval:
    """By the standard error whatever the difference; by that of the test where there is no such one."""
    try:
        return found.estimate(scale, "unconstrained").interval(level)
    except InputError:
        return found.estimate(scale).interval(level)


def _left_out(
    endpoint: HierarchicalEndpoint, protocol: Protocol, data: TrialData, kept: NDArray[np.bool_]
) -> list[str]:
    visit = protocol.visit_of(endpoint)
    waiting = ~data.is_due(visit)
    notes = []
    if waiting.any():
        notes.append(f"{counted(int(waiting.sum()), 'patient')} not yet due at {visit_text(protocol, visit)}: left out")
    others = int((~kept & ~waiting).sum())
    if others:
        unknown = ", or the stratum not known" if endpoint.strata else ""
        notes.append(f"{counted(others, 'patient')} left out: no component recorded{unknown}")
    return notes


def _name(item: Component, protocol: Protocol) -> str:
    """A component for a table."""
    if item.measure:
        return measure_label(protocol, item.measure)
    change = ", change" if protocol.analysis.outcome == "change" else ""
    return f"{clean(protocol.scale_name)} at {visit_label(protocol, item.visit)}{change}"


def _decided(endpoint: HierarchicalEndpoint, protocol: Protocol, arm: str, found: WinStatistics) -> ResultTable:
    rows: list[tuple[Cell, ...]] = []
    tied = 1.0
    for item, won, lost in zip(endpoint.components, found.won_at, found.lost_at, strict=True):
        tied = max(tied - won - lost, 0.0)
        rows.append((_name(item, protocol), won, lost, tied))
    rows.append(("All", found.won, found.lost, found.tied))
    columns = (
        Column("Decided by"),
        Column("Won", "percent"),
        Column("Lost", "percent"),
        Column("Left tied", "percent"),
    )
    weights = " Strata are weighted by 1 / patients." if endpoint.strata else ""
    return ResultTable(
        f"Pairs won and lost by {arm_text(protocol, arm)}",
        columns,
        tuple(rows),
        f"Of {counted(found.pairs, 'pair')} of one patient with one of {arm_text(protocol, protocol.control.name)}."
        f"{weights}",
    )


def _statistics(protocol: Protocol, arm: str, found: WinStatistics, level: float) -> ResultTable:
    rows: list[tuple[Cell, ...]] = []
    for scale in _SCALES.values():
        name = capital(scale.natural_name)
        try:
            tested, interval = found.estimate(scale), _interval(found, scale, level)
        except InputError:
            rows.append((name, None, None, None))
            continue
        limits = Interval(scale.natural(interval.lower), scale.natural(interval.upper), level)
        rows.append((name, scale.natural(tested.effect), limits, tested.p_value))
    columns = (
        Column("Statistic"),
        Column("Estimate", "number", 2),
        Column("Interval", "number", 2),
        Column("p", "p"),
    )
    return ResultTable(
        f"Win statistics of {arm_text(protocol, arm)}",
        columns,
        tuple(rows),
        "Won over lost pairs; the same with ties shared; won less lost as a share of all pairs. Intervals rest on the"
        " variance of U-statistics, p on all ways to divide the patients into the arms.",
    )


def plan(endpoint: HierarchicalEndpoint, protocol: Protocol, law: Law) -> EndpointPlan:
    """Effect and variance under a scenario, computed from the laws of the components without drawing patients.

    Components are independent given the arm and the visits between which a patient leaves, as measures are drawn; of
    the scale's scores at several visits, and of leaving that depends on them, this is an approximation. Strata are
    taken to explain nothing. The variance of a logarithm is test-based, as at a look.

    Raises
    ------
    InputError
        Where the scenario does not say what is true of a measure, or no pair, or every pair, would be won.
    """
    shares = protocol.shares()
    classes = patient_classes(endpoint, protocol, law)
    recorded = [
        sum(item.probability for item in classes if item.arm == at and any(one is not None for one in item.laws))
        for at in (0, 1)
    ]
    patients = [share * there for share, there in zip(shares[:2], recorded, strict=True)]
    if min(patients) <= 0:
        raise InputError("endpoint", endpoint.name, "a component that is recorded in both arms")
    promised = promised_wins(_components(endpoint, protocol), classes, patients[1] / sum(patients))
    won, lost, variance = promised.won, promised.lost, promised.variance
    if variance < 1e-12 or won + lost < 1e-12:
        raise InputError("endpoint", endpoint.name, "components that decide between some patients of the scenario")
    if endpoint.statistic == "net-benefit":
        effect = won - lost
    elif min(won, lost) < 1e-12:
        raise InputError("endpoint", endpoint.name, "pairs won and lost under the scenario, for a ratio")
    elif endpoint.statistic == "win-odds":
        effect = math.log1p(won - lost) - math.log1p(lost - won)
        variance *= float(log_slope(np.array(won - lost))) ** 2
    else:
        effect = math.log(won / lost)
        variance *= (float(log_slope(np.array((won - lost) / (won + lost)))) / (won + lost)) ** 2
    return EndpointPlan(effect, (variance / recorded[0], variance / recorded[1]), measured_on(endpoint, protocol)[1])


_REFERENCES = {
    "win-odds": (
        "Brunner E, Vandemeulebroecke M, Mütze T. Win odds: an adaptation of the win ratio to include ties. Stat Med"
        " 2021;40:3367-3384."
    ),
    "win-ratio": (
        "Dong G, Li D, Ballerstedt S, Vandemeulebroecke M. A generalized analytic solution to the win ratio to analyze"
        " a composite endpoint considering the clinical importance order among components. Pharm Stat"
        " 2016;15:430-437."
    ),
    "net-benefit": (
        "Buyse M. Generalized pairwise comparisons of prioritized outcomes in the two-sample problem. Stat Med"
        " 2010;29:3245-3257."
    ),
}
_EFFECTS = {
    "win-odds": "the win odds, pairs won to pairs lost with ties shared between them",
    "win-ratio": "the win ratio, pairs won to pairs lost",
    "net-benefit": "the net benefit, the share of pairs won less the share lost",
}


def _rule(item: Component, protocol: Protocol) -> str:
    """A component and how it is compared, inside a sentence."""
    measure = protocol.measure(item.measure) if item.measure else None
    if measure is None:
        name = f"{clean(protocol.scale_name)} at {visit_text(protocol, item.visit)}"
        if protocol.analysis.outcome == "change":
            name = f"change from baseline in {name}"
        better = protocol.scale.better
    else:
        name, better = measure_text(protocol, item.measure), measure.better
        if measure.kind == "time":
            name, better = f"time to {name}", "later" if better == "higher" else "sooner"
    margin = f" by at least {item.margin:g}" if item.margin else ""
    if measure is not None and measure.kind == "binary":
        return f"{name} ({'yes' if better == 'higher' else 'no'} wins)"
    return f"{name} ({better}{margin} wins)"


def describe(endpoint: HierarchicalEndpoint, protocol: Protocol) -> Description:
    """The comparison in words."""
    rules = [_rule(item, protocol) for item in endpoint.components]
    kinds = {protocol.measure(item.measure).kind for item in endpoint.components if item.measure}
    within = f" of the same stratum ({listed([clean(item) for item in endpoint.strata])})" if endpoint.strata else ""
    order = f"by {rules[0]}"
    if len(rules) > 1:
        order = f"first {order}; where that is tied, by {'; then by '.join(rules[1:])}"
    method = (
        f"Every patient of the experimental arm is compared with every patient of control{within}, {order}. A"
        f" component not recorded of both decides nothing. The effect is {_EFFECTS[endpoint.statistic]}; its standard"
        " error at a look is that over all ways to divide the patients into the arms (Finkelstein and Schoenfeld), its"
        " interval rests on the variance of U-statistics, which holds whatever the difference."
    )
    if endpoint.statistic != "net-benefit":
        method += (
            " A look tests the logarithm with the standard error that gives it the z of the net benefit (test-based)."
        )
    if "time" in kinds:
        method += " Times are compared over the follow-up that both patients of a pair have."
    if "count" in kinds:
        method += (
            " Counts over different follow-up are compared where the patient followed for less has more; follow-up to"
            " the visit's window is taken as equal."
        )
    if endpoint.strata:
        method += " Strata are combined with weights of 1 / patients."
    assumptions = ["Without a difference all components have the same joint distribution in both arms."]
    if kinds & {"time", "count"}:
        assumptions.append(
            "Follow-up ends independently of what would have happened later; how much of the composite a component"
            " decides depends on its length."
        )
    references = [
        "Pocock SJ, Ariti CA, Collier TJ, Wang D. The win ratio: a new approach to the analysis of composite endpoints"
        " in clinical trials based on clinical priorities. Eur Heart J 2012;33:176-182.",
        "Finkelstein DM, Schoenfeld DA. Combining mortality and longitudinal measures in clinical trials. Stat Med"
        " 1999;18:1341-1354.",
        "Bebu I, Lachin JM. Large sample inference for a win ratio analysis of a composite outcome based on prioritized"
        " components. Biostatistics 2016;17:178-187.",
        _REFERENCES[endpoint.statistic],
    ]
    if endpoint.strata:
        references.append(
            "Dong G, Qiu J, Wang D, Vandemeulebroecke M. The stratified win ratio. J Biopharm Stat 2018;28:778-796."
        )
    names = [measure_text(protocol, item.measure) for item in endpoint.components]
    return Description(
        method,
        "from a comparison of all pairs of patients",
        names[0] if len(names) == 1 else f"the composite of {listed(list(dict.fromkeys(names)))}",
        tuple(assumptions),
        tuple(references),
        unseen="a component not recorded decides nothing, and who has none recorded is left out",
    )
