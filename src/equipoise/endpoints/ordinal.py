"""An ordered outcome at one visit: proportional odds regression, or the win probability."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ..errors import InputError
from ..estimate import Better, Estimate, Scale
from ..wording import arm_label, capital, clean, decimal, measure_text, p_text, reason, visit_text
from .adjusted import adjusted_batch, covariates_text, left_out, model_columns
from .against_control import against_control
from .batch import BatchEstimates
from .planning.law import ArmLaw, EndpointPlan, Law
from .planning.plan_ordinal import common_odds_ratio, common_win_probability
from .present_arms import by_present_arms, present_arms
from .ranks.win_probability import WinProbability, win_probability, win_probability_batch
from .regression.proportional_odds import (
    ProportionalOddsFit,
    proportional_odds_batch,
    proportional_odds_regression,
)
from .regression.proportionality import proportionality_test
from .results import Cell, Column, Comparison, Description, EndpointResult, ResultTable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..data import TrialData
    from ..protocol import OrdinalEndpoint, Protocol
    from ..trial_batch import TrialBatch

__all__ = ["analysed", "batch", "describe", "estimate", "measured_on", "plan", "primary"]

_FEW = 12


def _outcome(endpoint: OrdinalEndpoint, data: TrialData | TrialBatch) -> NDArray[np.float64]:
    """Levels counted from 0, or scores; NaN where missing or where there is no patient, shape (..., patients)."""
    found = data.measure(endpoint.measure).value if endpoint.measure else data.at(endpoint.visit)
    return np.where(data.arm < 0, np.nan, found)


def _by_ranks(endpoint: OrdinalEndpoint) -> bool:
    """Whether arms are compared by the win probability, which takes no covariates."""
    return endpoint.method == "win-probability"


def measured_on(endpoint: OrdinalEndpoint, protocol: Protocol) -> tuple[Scale, Better]:
    """The log odds ratio of a higher level, good where that is; by ranks a win probability."""
    if _by_ranks(endpoint):
        return Scale.WIN_PROBABILITY, "higher"
    return Scale.LOG_ODDS_RATIO, protocol.better_of(endpoint.measure)


def analysed(endpoint: OrdinalEndpoint, protocol: Protocol, data: TrialData) -> NDArray[np.bool_]:
    """Who enters the analysis: those with an outcome and all covariates; shape (patients,)."""
    outcome = _outcome(endpoint, data)
    _, values = model_columns(protocol, data, endpoint.covariates, outcome)
    return np.asarray(~np.isnan(np.column_stack([outcome, values])).any(axis=1))


def _fit(endpoint: OrdinalEndpoint, protocol: Protocol, data: TrialData) -> tuple[ProportionalOddsFit, list[int]]:
    """The model, and the arms in it: other arms than the pair compared only if they have patients to analyse."""
    outcome = _outcome(endpoint, data)
    names, values = model_columns(protocol, data, endpoint.covariates, outcome)
    present, arm = present_arms(data.arm, analysed(endpoint, protocol, data), len(data.arm_names))
    fitted = proportional_odds_regression(
        outcome,
        arm,
        values,
        names=names,
        arms=len(present),
        better=protocol.better_of(endpoint.measure),
        label=endpoint.title,
    )
    return fitted, present


def _wins(endpoint: OrdinalEndpoint, protocol: Protocol, data: TrialData, at: int) -> WinProbability:
    """An arm's win probability against control."""
    arm = against_control(data.arm, at)
    return win_probability(_outcome(endpoint, data), arm, better=protocol.better_of(endpoint.measure))


def primary(endpoint: OrdinalEndpoint, protocol: Protocol, data: TrialData) -> tuple[Estimate, tuple[str, ...]]:
    """The experimental arm against control, for looks and simulation: the log odds ratio of a higher level, or the win
    probability with the standard error that holds where the arms do not differ.
    """
    if _by_ranks(endpoint):
        return _wins(endpoint, protocol, data, 1).estimate(label=endpoint.title), ()
    return _fit(endpoint, protocol, data)[0].compare(1, 0), ()


def batch(endpoint: OrdinalEndpoint, protocol: Protocol, trials: TrialBatch) -> BatchEstimates:
    """`primary` of many trials."""
    outcome = _outcome(endpoint, trials)
    if _by_ranks(endpoint):
        better = protocol.better_of(endpoint.measure)
        return win_probability_batch(outcome, against_control(trials.arm), better=better).estimates()

    def fit(rows: NDArray[np.intp], names: list[str], values: NDArray[np.float64]) -> BatchEstimates:
        def model(some: NDArray[np.intp], arm: NDArray[np.intp], arms: int) -> BatchEstimates:
            return proportional_odds_batch(outcome[rows[some]], arm, values[some], names=names, arms=arms).estimates()

        seen = ~np.isnan(outcome[rows]) & ~np.isnan(values).any(axis=2)
        return by_present_arms(trials.arm[rows], seen, len(trials.arm_names), model)

    def single(data: TrialData) -> Estimate:
        return primary(endpoint, protocol, data)[0]

    return adjusted_batch(protocol, trials, endpoint.covariates, outcome, fit, single)


def estimate(endpoint: OrdinalEndpoint, protocol: Protocol, data: TrialData) -> EndpointResult:
    """The whole result: every arm against control, and the levels (quartiles, where there are many) by arm.

    Raises `InputError` where the experimental arm cannot be compared with control; other arms are left out with a note.
    """
    level, visit = protocol.confidence_level, protocol.visit_of(endpoint)
    kept, comparisons, note, refused = analysed(endpoint, protocol, data), [], "", {}
    if _by_ranks(endpoint):
        for at, name in enumerate(data.arm_names[1:], start=1):
            try:
                found = _wins(endpoint, protocol, data, at)
                estimate = found.estimate(label=endpoint.title)
            except InputError as error:
                if at == 1:
                    raise
                refused[name] = reason(str(error))
                continue
            comparisons.append(Comparison(name, visit, estimate, found.defined_interval(level)))
    else:
        fitted, present = _fit(endpoint, protocol, data)
        for at, one in zip(present[1:], fitted.estimates, strict=True):
            comparisons.append(Comparison(data.arm_names[at], visit, one, one.interval(level)))
        for at, name in enumerate(data.arm_names):
            if at not in present:
                refused[name] = "no patient of this arm can be analysed"
        note = _proportionality(endpoint, protocol, data)
    seen = "not recorded" if endpoint.measure else f"not seen at {visit_text(protocol, visit)}"
    return EndpointResult(
        name=endpoint.name,
        label=endpoint.title,
        kind=endpoint.type,
        comparisons=tuple(comparisons),
        patients=int(kept.sum()),
        notes=(
            *left_out(kept, seen, endpoint.covariates),
            *(f"{arm_label(protocol, name)}: not compared; {why}" for name, why in refused.items()),
        ),
        tables=(_levels(endpoint, protocol, data, kept, note),),
        interval_name="logit" if _by_ranks(endpoint) else "",
    )


def _proportionality(endpoint: OrdinalEndpoint, protocol: Protocol, data: TrialData) -> str:
    """The score test of proportional odds as a sentence, where there are three levels or more, but few."""
    outcome = _outcome(endpoint, data)
    names, values = model_columns(protocol, data, endpoint.covariates, outcome)
    kept = analysed(endpoint, protocol, data)
    if not 3 <= np.unique(outcome[kept]).size <= _FEW:
        return ""
    _, arm = present_arms(data.arm, kept, len(data.arm_names))
    found = proportionality_test(outcome, arm, values, names=names)
    freedom = found.degrees_of_freedom
    return (
        "Score test that the arms' odds ratios are the same at every level: chi-square"
        f" {decimal(found.statistic, 2)} on {freedom} degree{'s' if freedom > 1 else ''} of freedom,"
        f" {p_text(found.p_value)}."
    )


def _levels(
    endpoint: OrdinalEndpoint, protocol: Protocol, data: TrialData, kept: NDArray[np.bool_], note: str
) -> ResultTable:
    outcome, arms = _outcome(endpoint, data), [arm_label(protocol, name) for name in data.arm_names]
    title = capital(f"{measure_text(protocol, endpoint.measure)} by arm")
    names = protocol.measure(endpoint.measure).levels if endpoint.measure else ()
    values = range(len(names)) if names else np.unique(outcome[kept])
    if len(values) > _FEW:
        rows: list[tuple[Cell, ...]] = []
        for at, arm in enumerate(arms):
            own = outcome[kept & (data.arm == at)]
            quartiles = np.quantile(own, (0.25, 0.5, 0.75)).tolist() if own.size else [None] * 3
            rows.append((arm, own.size, *quartiles))
        columns = [Column("Arm"), Column("Patients", "count")]
        columns += [Column(name, "number") for name in ("Lower quartile", "Median", "Upper quartile")]
        return ResultTable(title, tuple(columns), tuple(rows), note)
    columns = [Column("Level")]
    for arm in arms:
        columns += [Column(arm, "count"), Column(f"{arm}, share", "percent")]
    rows = []
    for at, value in enumerate(values):
        row: list[Cell] = [clean(names[at]) if names else f"{value:g}"]
        for arm in range(len(arms)):
            own = outcome[kept & (data.arm == arm)]
            here = int((own == value).sum())
            row += [here, here / own.size if own.size else None]
        rows.append(tuple(row))
    return ResultTable(title, tuple(columns), tuple(rows), note)


def _shares(endpoint: OrdinalEndpoint, protocol: Protocol, arm: ArmLaw) -> NDArray[np.float64]:
    """Shares of the levels in an arm, or of the scores, shape (levels,)."""
    if not endpoint.measure:
        law: Any = cast(Any, arm).scores[protocol.visit_names.index(endpoint.visit)]
        return law.probabilities
    truth = arm.measures.get(endpoint.measure)
    if truth is None or not truth.shares:
        raise InputError(
            f"measures.{endpoint.measure}.shares", None, "shares of the levels in each arm of the scenario, to plan by"
        )
    shares = np.array(truth.shares)
    return shares / shares.sum()


def plan(endpoint: OrdinalEndpoint, protocol: Protocol, law: Law) -> EndpointPlan:
    """Effect and variance under a scenario, over the patients seen at the visit.

    The log odds ratio that proportional odds regression comes to in large trials, with its information there; or the
    win probability, with the variance of the rank sum where the arms do not differ. Covariates are taken to explain
    nothing.
    """
    at = protocol.visit_names.index(protocol.visit_of(endpoint))
    arms = law.arms[:2]
    seen = [float(arm.seen[at]) for arm in arms]
    control, experimental = (_shares(endpoint, protocol, arm) for arm in arms)
    patients = [share * there for share, there in zip(protocol.shares(), seen, strict=False)]
    portion, (scale, better) = patients[1] / sum(patients), measured_on(endpoint, protocol)
    if _by_ranks(endpoint):
        wins, variance = common_win_probability(control, experimental, portion)
        effect = wins if protocol.better_of(endpoint.measure) == "higher" else 1 - wins
        return EndpointPlan(effect, (variance / seen[0], variance / seen[1]), better, null_value=scale.null_value)
    effect, variance = common_odds_ratio(control, experimental, portion)
    return EndpointPlan(effect, (variance / seen[0], variance / seen[1]), better)


def describe(endpoint: OrdinalEndpoint, protocol: Protocol) -> Description:
    """The comparison in words."""
    name, visit = measure_text(protocol, endpoint.measure), visit_text(protocol, protocol.visit_of(endpoint))
    what = f"{name} at {visit} among patients {'with a value' if endpoint.measure else 'seen there'}"
    seen = "Patients without a value do not differ from those with one in their arm."
    if _by_ranks(endpoint):
        return Description(
            f"Win probability of {what}: that of a patient of the experimental arm doing better than one of control,"
            " ties counting half; tested as the rank sum (Wilcoxon, Mann-Whitney), ties counted. Its interval is"
            " symmetric on the logit scale, by the standard error that holds whatever the arms' laws.",
            "from a rank-sum test",
            name,
            (seen, "The test supposes that without a difference the arms have the same distribution."),
            (
                "Mann HB, Whitney DR. On a test of whether one of two random variables is stochastically larger than"
                " the other. Ann Math Stat 1947;18:50-60.",
                "Brunner E, Munzel U. The nonparametric Behrens-Fisher problem. Biom J 2000;42:17-25.",
            ),
        )
    given = ", given arm and covariates" if endpoint.covariates else " in their arm"
    return Description(
        f"Proportional odds regression of {what} on arm; covariates {covariates_text(endpoint.covariates)}. The effect"
        " is the ratio of the odds of a higher level, the same at every level, tested by its logarithm.",
        "from a proportional odds regression",
        name,
        (
            f"Patients without a value do not differ from those with one{given}.",
            "The odds of an outcome above a level differ between arms by the same ratio at every level.",
        ),
        (
            "Walker SH, Duncan DB. Estimation of the probability of an event as a function of several independent"
            " variables. Biometrika 1967;54:167-179.",
            "McCullagh P. Regression models for ordinal data. J R Stat Soc B 1980;42:109-142.",
        ),
    )
