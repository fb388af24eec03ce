"""Difference between arms from the mixed model for repeated measures: at one visit, or summed up over several."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..estimate import Better, Estimate, Scale
from ..wording import arm_label, clean, decimal, listed, visit_label, visit_text
from .planning.law import EndpointPlan, Law
from .planning.repeated_information import common_slope, contrast_variance, given_baseline, slopes_by_visit
from .results import ArmMean, Column, Comparison, Description, MeanResult, ResultTable
from .score_model import FREEDOM_NAMES, ScoreModel
from .visit_summary import VisitSummary

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..data import TrialData
    from ..mixed import MixedFit
    from ..protocol import LongitudinalEndpoint, Protocol
    from ..trial_batch import TrialBatch
    from .batch import BatchEstimates

__all__ = ["analysed", "batch", "describe", "estimate", "fit", "measured_on", "plan", "primary"]


def _model(endpoint: LongitudinalEndpoint, protocol: Protocol, data: TrialData) -> tuple[ScoreModel, VisitSummary]:
    summary = VisitSummary.of(endpoint, protocol)
    return ScoreModel(protocol, data, endpoint.visit), summary


def measured_on(endpoint: LongitudinalEndpoint, protocol: Protocol) -> tuple[Scale, Better]:
    """A difference of means, or of what sums them up, good on the side of the rating scale."""
    return Scale.MEAN_DIFFERENCE, protocol.scale.better


def fit(endpoint: LongitudinalEndpoint, protocol: Protocol, data: TrialData) -> tuple[ScoreModel, MixedFit]:
    """The fitted model of the protocol's analysis; raises `InputError` or `FitError` with the reason where it
    cannot be had.
    """
    model = _model(endpoint, protocol, data)[0]
    return model, model.fit()


def primary(endpoint: LongitudinalEndpoint, protocol: Protocol, data: TrialData) -> tuple[Estimate, tuple[str, ...]]:
    """The experimental arm minus control, at the endpoint's visit or summed up, and nothing else, and which covariances
    could not be fitted before the one that was.
    """
    model, summary = _model(endpoint, protocol, data)
    fitted = model.fit()
    return _compare(endpoint, model, fitted, 1, summary.at(model.visits)), fitted.notes


def batch(endpoint: LongitudinalEndpoint, protocol: Protocol, trials: TrialBatch) -> BatchEstimates:
    """`primary` of many trials: with an unstructured covariance of all patients, Satterthwaite, Kenward-Roger,
    residual or infinite degrees of freedom and the model's variance at once; with other options one by one.
    """
    from .score_batch import score_batch

    weights = VisitSummary.of(endpoint, protocol)
    return score_batch(protocol, trials, endpoint.visit, weights.at, lambda data: primary(endpoint, protocol, data)[0])


def analysed(endpoint: LongitudinalEndpoint, protocol: Protocol, data: TrialData) -> NDArray[np.bool_]:
    """Who enters the model: those seen at any of its visits, with all covariates; shape (patients,)."""
    return _model(endpoint, protocol, data)[0].rows


def _compare(
    endpoint: LongitudinalEndpoint, model: ScoreModel, fitted: MixedFit, arm: int, weights: NDArray[np.float64]
) -> Estimate:
    _, better = measured_on(endpoint, model.protocol)
    return fitted.estimate(model.difference(arm, weights), better=better, label=endpoint.title)


def estimate(endpoint: LongitudinalEndpoint, protocol: Protocol, data: TrialData) -> MeanResult:
    """The whole result: every arm against control, at every visit and summed up, LS means, the model."""
    model, summary = _model(endpoint, protocol, data)
    fitted = model.fit()
    weights, level = summary.at(model.visits), protocol.confidence_level
    arms = range(1, len(data.arm_names))

    def compare(arm: int, visit: str, weights: NDArray[np.float64]) -> Comparison:
        found = _compare(endpoint, model, fitted, arm, weights)
        return Comparison(data.arm_names[arm], visit, found, found.interval(level))

    cells = [(arm, visit) for arm in range(len(data.arm_names)) for visit in range(len(model.visits))]
    by_visit = tuple(
        compare(arm, model.visits[visit], model.at_visit(visit))
        for arm, visit in cells
        if arm and model.knows(arm, visit)
    )
    comparisons = tuple(compare(arm, endpoint.visit, weights) for arm in arms)
    return MeanResult(
        name=endpoint.name,
        label=endpoint.title,
        kind=endpoint.type,
        comparisons=comparisons,
        patients=int(model.rows.sum()),
        notes=(*model.notes, *fitted.notes),
        tables=() if summary.kind == "visit" else (_weighed(protocol, summary, by_visit, comparisons),),
        means=tuple(
            _mean(data.arm_names[arm], visit, arm, model, fitted, level)
            for arm, visit in cells
            if model.knows(arm, visit)
        ),
        by_visit=by_visit,
        model=str(fitted),
        covariance=np.asarray(fitted.covariance),
    )


def _mean(name: str, visit: int, arm: int, model: ScoreModel, fitted: MixedFit, level: float) -> ArmMean:
    values = model.outcome[model.arm == arm, visit]
    values = values[~np.isnan(values)]
    adjusted = fitted.estimate(model.mean(arm, visit))
    return ArmMean(
        name,
        model.visits[visit],
        len(values),
        float(values.mean()) if len(values) else np.nan,
        float(values.std(ddof=1)) if len(values) > 1 else np.nan,
        adjusted.effect,
        adjusted.standard_error,
        adjusted.interval(level),
    )


def _weighed(
    protocol: Protocol, summary: VisitSummary, by_visit: tuple[Comparison, ...], summed: tuple[Comparison, ...]
) -> ResultTable:
    """What each visit adds to the summary, and the summary."""
    weights = dict(zip(summary.visits, summary.weights, strict=True))
    days = dict(zip(summary.visits, summary.days, strict=True))
    rows = [
        (
            arm_label(protocol, item.arm),
            visit_label(protocol, item.visit),
            days[item.visit],
            float(weights[item.visit]),
            item.estimate.effect,
            item.estimate.standard_error,
            item.interval,
        )
        for item in by_visit
        if item.visit in weights
    ]
    name = clean(protocol.scale_name)
    rows += [
        (
            arm_label(protocol, item.arm),
            "Summary",
            None,
            None,
            item.estimate.effect,
            item.estimate.standard_error,
            item.interval,
        )
        for item in summed
    ]
    columns = (
        Column("Arm"),
        Column("Visit"),
        Column("Day", "number", 0),
        Column("Weight", "number", 4),
        Column("Difference", "number", 2),
        Column("SE", "number", 2),
        Column("Interval", "number", 2),
    )
    unit = summary.unit("points") or "points"
    note = f"Differences from control of the adjusted means; the summary is their sum by weight, in {unit}."
    if summary.kind == "area":
        note += " At baseline the difference counts as none."
    return ResultTable(f"Visits in {summary.measured(name, protocol)}", columns, tuple(rows), note)


def plan(endpoint: LongitudinalEndpoint, protocol: Protocol, law: Law) -> EndpointPlan:
    """Effect and variance under a scenario, dropout counted (Lu, Luo & Chen 2008, Int J Biostat 4(1):9).

    With baseline among the covariates the later visits are taken given baseline, by a slope for each visit or by the
    one slope that weighted least squares would find, as the analysis has it; a difference of the arms at baseline is
    taken out by the same slope. The information about an arm's mean vector is the average over dropout patterns of the
    inverse covariance of the visits seen; the variance of the endpoint's combination of visits follows from its
    inverse. Dropout is taken as independent of the scores, and each arm keeps its own covariance.
    """
    visits = [protocol.visit_names.index(name) for name in protocol.modelled_visits]
    weights = VisitSummary.of(endpoint, protocol).at(protocol.modelled_visits)
    arms = law.arms
    joint = [arm.covariance[np.ix_([0, *visits], [0, *visits])] for arm in arms]
    staying = [arm.staying[visits] for arm in arms]
    slopes = np.full(len(visits), 1.0 if protocol.analysis.outcome == "change" else 0.0)
    if "baseline" in protocol.analysis.covariates:
        shares = protocol.shares()
        if "baseline" in protocol.analysis.by_visit:
            slopes = slopes_by_visit(joint, [share * seen for share, seen in zip(shares, staying, strict=True)])
        else:
            pooled, seen = (np.average(parts, axis=0, weights=shares) for parts in (joint, staying))
            slopes = np.full(len(visits), common_slope(pooled, seen))
    variances = [
        contrast_variance(given_baseline(covariance, slopes), seen, weights)
        for covariance, seen in zip(joint[:2], staying[:2], strict=True)
    ]
    gap = arms[1].means - arms[0].means
    effect = float(weights @ (gap[visits] - slopes * gap[0]))
    return EndpointPlan(effect, (variances[0], variances[1]), measured_on(endpoint, protocol)[1])


def describe(endpoint: LongitudinalEndpoint, protocol: Protocol) -> Description:
    """The mixed model, and what of its means is compared, in words."""
    analysis, summary = protocol.analysis, VisitSummary.of(endpoint, protocol)
    scale = clean(protocol.scale_name)
    outcome = "change from baseline" if analysis.outcome == "change" else "score"
    covariates = listed([clean(name) for name in analysis.covariates]) or "none"
    visits = listed([visit_text(protocol, name) for name in protocol.modelled_visits])
    by_visit = (
        f"; the slope of {listed([clean(name) for name in analysis.by_visit])} differs by visit"
        if analysis.by_visit
        else ""
    )
    sandwich = "" if analysis.variance == "model" else f", sandwich variance ({analysis.variance})"
    alike = "" if analysis.covariance_by_arm else " with the same covariance in all arms"
    return Description(
        method=(
            f"Mixed model for repeated measures of the {outcome} in {scale} at {visits}: arm by visit, covariates"
            f" {covariates}{by_visit}; {analysis.covariance_described} between visits,"
            f" {analysis.method.upper()}{sandwich}, {FREEDOM_NAMES[analysis.degrees_of_freedom]} degrees of freedom."
            f" {_effect(protocol, summary)}"
        ),
        kind="from the mixed model for repeated measures",
        measured=summary.measured(scale, protocol),
        assumptions=(
            "Scores that are missing are missing at random: given baseline, arm and earlier scores, dropping out says"
            " nothing of the score.",
            f"Scores are treated as approximately normal{alike}.",
        ),
        references=(
            "Mallinckrodt CH, et al. Recommendations for the primary analysis of continuous endpoints in longitudinal"
            " clinical trials. Drug Inf J 2008;42:303-319.",
        ),
        unit=summary.unit("points"),
        unseen="the model takes their scores as missing at random",
        flow="Those seen at an earlier visit are analysed too.",
    )


def _effect(protocol: Protocol, summary: VisitSummary) -> str:
    """What the effect is, as a sentence or two."""
    visits = listed([visit_text(protocol, name) for name in summary.visits])
    means = "the arms' adjusted means (LS means)"
    if summary.kind == "visit":
        return f"The effect is the difference of {means} at {visits}."
    if summary.kind == "average":
        return f"The effect is the difference of {means} averaged over {visits}, each weighing alike."
    if summary.kind == "slope":
        return (
            f"The effect is the slope of the straight line through the differences of {means} at {visits} by least"
            f" squares on the planned days, in {summary.unit('points')}: a contrast of the means, which supposes no"
            " straight course and is not the slope of a model with random slopes."
        )
    divided = f", divided by the {decimal(_span(protocol, summary), 0)} days it spans" if summary.divided else ""
    return (
        f"The effect is the area by the trapezium rule under the differences of {means} from baseline, where there is"
        f" none, over {visits}{divided}."
    )


def _span(protocol: Protocol, summary: VisitSummary) -> float:
    return float(summary.days[-1]) - float(protocol.visits[0].day)
