"""Difference between arms at one visit among patients seen there: ANCOVA, t test, or rank sum; of the rating scale or a
continuous measure.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from ..estimate import Better, Estimate, Interval, Scale
from ..wording import arm_label, clean, measure_text, reason, visit_text
from .adjusted import adjusted_batch, covariates_text, left_out, model_columns
from .against_control import against_control
from .batch import BatchEstimates
from .covariates import is_one_column, plain_columns
from .planning.law import ArmLaw, EndpointPlan, Law
from .present_arms import by_present_arms, present_arms
from .rank_comparison import rank_description, rank_estimate, rank_result
from .regression.ancova import AncovaFit, ancova
from .regression.ancova_batch import ancova_of
from .regression.t_test import compare_means, estimate_of, means_by_arm, moments_by_arm
from .regression.trials import Trials
from .results import ArmMean, Column, Comparison, Description, EndpointResult, MeanResult, ResultTable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..data import TrialData
    from ..protocol import MeanEndpoint, Protocol
    from ..trial_batch import TrialBatch

__all__ = ["analysed", "batch", "describe", "estimate", "measured_on", "plan", "primary"]


def _outcome(endpoint: MeanEndpoint, protocol: Protocol, data: TrialData | TrialBatch) -> NDArray[np.float64]:
    """The measure, or the score at the visit or its change from baseline, NaN where missing, shape (..., patients)."""
    if endpoint.measure:
        return data.measure(endpoint.measure).value
    outcome = data.at(endpoint.visit)
    return outcome - data.baseline if protocol.analysis.outcome == "change" else outcome


def _covariates(endpoint: MeanEndpoint, protocol: Protocol) -> tuple[str, ...]:
    """What ANCOVA adjusts for; a measure for baseline, which is the rating scale's, only if the protocol says so."""
    if endpoint.method != "ancova":
        return ()
    if endpoint.covariates is not None:
        return endpoint.covariates
    named = protocol.analysis.covariates
    return tuple(name for name in named if name != "baseline") if endpoint.measure else named


def measured_on(endpoint: MeanEndpoint, protocol: Protocol) -> tuple[Scale, Better]:
    """A difference of means, good on the side of the outcome; by ranks a win probability."""
    if endpoint.method == "wilcoxon":
        return Scale.WIN_PROBABILITY, "higher"
    return Scale.MEAN_DIFFERENCE, protocol.better_of(endpoint.measure)


def analysed(endpoint: MeanEndpoint, protocol: Protocol, data: TrialData) -> NDArray[np.bool_]:
    """Who enters the analysis: those with an outcome and all covariates; shape (patients,)."""
    outcome = _outcome(endpoint, protocol, data)
    _, values = model_columns(protocol, data, _covariates(endpoint, protocol), outcome)
    return np.asarray(~np.isnan(np.column_stack([outcome, values])).any(axis=1))


def _fit(
    endpoint: MeanEndpoint, protocol: Protocol, data: TrialData, outcome: NDArray[np.float64]
) -> tuple[AncovaFit, list[int]]:
    """The model, and the arms in it: other arms than the pair compared only if they have patients to analyse."""
    names, values = model_columns(protocol, data, _covariates(endpoint, protocol), outcome)
    present, _ = present_arms(data.arm, analysed(endpoint, protocol, data), len(data.arm_names))
    arms = np.stack([data.arm == at for at in present[1:]], axis=1).astype(float)
    fitted = ancova(
        outcome,
        arms,
        values if names else None,
        names=names or None,
        better=protocol.better_of(endpoint.measure),
        label=endpoint.title,
    )
    return fitted, present


def primary(endpoint: MeanEndpoint, protocol: Protocol, data: TrialData) -> tuple[Estimate, tuple[str, ...]]:
    """The experimental arm against control and nothing else, for looks and simulation."""
    outcome, better, label = _outcome(endpoint, protocol, data), protocol.better_of(endpoint.measure), endpoint.title
    if endpoint.method == "ancova":
        return _fit(endpoint, protocol, data, outcome)[0].compare(1, 0), ()
    if endpoint.method == "wilcoxon":
        return rank_estimate(outcome, data.arm, 1, better, label), ()
    found = means_by_arm(outcome[None], data.arm[None], 2)
    return estimate_of(found, 0, 1, method=endpoint.method, better=better, label=label), ()


def batch(endpoint: MeanEndpoint, protocol: Protocol, trials: TrialBatch) -> BatchEstimates:
    """`primary` of many trials."""
    if endpoint.method == "wilcoxon":
        from .ranks.win_probability import win_probability_batch

        outcome = np.where(trials.arm >= 0, _outcome(endpoint, protocol, trials), np.nan)
        better = protocol.better_of(endpoint.measure)
        return win_probability_batch(outcome, against_control(trials.arm), better=better).estimates()
    change = not endpoint.measure and protocol.analysis.outcome == "change"
    score = trials.measure(endpoint.measure).value if endpoint.measure else trials.at(endpoint.visit)
    before = trials.baseline if change else None
    if endpoint.method != "ancova":
        found = moments_by_arm(score, trials.arm, 2, before)
        return compare_means(found.patients, found.mean, found.standard_deviation, method=endpoint.method)
    covariates = _covariates(endpoint, protocol)
    if len(trials.arm_names) == 2 and all(is_one_column(protocol, name) for name in covariates):
        names, values = plain_columns(protocol, trials, covariates)
        return ancova_of(Trials(score, trials.arm, values, tuple(names), 2), before)
    outcome = np.where(trials.arm >= 0, score if before is None else score - before, np.nan)

    def fit(rows: NDArray[np.intp], names: list[str], values: NDArray[np.float64]) -> BatchEstimates:
        def model(some: NDArray[np.intp], arm: NDArray[np.intp], arms: int) -> BatchEstimates:
            return ancova_of(Trials(outcome[rows[some]], arm, values[some], tuple(names), arms))

        kept = ~np.isnan(outcome[rows]) & ~np.isnan(values).any(axis=2)
        return by_present_arms(trials.arm[rows], kept, len(trials.arm_names), model)

    def single(data: TrialData) -> Estimate:
        return primary(endpoint, protocol, data)[0]

    return adjusted_batch(protocol, trials, covariates, outcome, fit, single)


def estimate(endpoint: MeanEndpoint, protocol: Protocol, data: TrialData) -> EndpointResult:
    """The whole result: every arm against control, observed and adjusted means; of a rank sum, medians and shifts.

    Adjusted means are at the mean of all covariates, levels of categorical ones included, over the patients analysed;
    the mixed model's LS means weigh levels equally. Differences between arms do not depend on it. Those of a t test
    are the observed ones. An arm that cannot be compared is left out with a note.

    Raises
    ------
    InputError
        Where the experimental arm cannot be compared with control.
    """
    outcome, visit = _outcome(endpoint, protocol, data), protocol.visit_of(endpoint)
    kept = analysed(endpoint, protocol, data)
    seen = "not recorded" if endpoint.measure else f"not seen at {visit_text(protocol, visit)}"
    notes = left_out(kept, seen, _covariates(endpoint, protocol))
    if endpoint.method == "wilcoxon":
        return rank_result(endpoint, protocol, data, outcome, protocol.better_of(endpoint.measure), notes)
    level, arms = protocol.confidence_level, range(len(data.arm_names))
    model, adjusted = "", {}
    if endpoint.method == "ancova":
        fitted, present = _fit(endpoint, protocol, data, outcome)
        model = str(fitted)
        found = {at: fitted.compare(place, 0) for place, at in enumerate(present) if place}
        refused = {at: _NOBODY for at in arms if at not in present}
        for at, mean, error in zip(present, fitted.adjusted_means, fitted.adjusted_mean_standard_errors, strict=True):
            adjusted[at] = Estimate(float(mean), float(error), fitted.degrees_of_freedom)
    else:
        found, refused = _t_tests(endpoint, protocol, data, outcome)
    notes += tuple(f"{arm_label(protocol, data.arm_names[at])}: not compared; {why}" for at, why in refused.items())
    comparisons = tuple(Comparison(data.arm_names[at], visit, one, one.interval(level)) for at, one in found.items())
    means = tuple(
        _mean(data.arm_names[at], visit, outcome[(data.arm == at) & ~np.isnan(outcome)], adjusted.get(at), level)
        for at in arms
    )
    common = {
        "name": endpoint.name,
        "label": endpoint.title,
        "kind": endpoint.type,
        "comparisons": comparisons,
        "patients": int(kept.sum()),
        "notes": notes,
    }
    if endpoint.measure:
        return EndpointResult(**common, tables=(_means_table(endpoint, protocol, means),))
    return MeanResult(**common, means=means, by_visit=comparisons, model=model)


_NOBODY = "no patient of this arm can be analysed"


def _t_tests(
    endpoint: MeanEndpoint, protocol: Protocol, data: TrialData, outcome: NDArray[np.float64]
) -> tuple[dict[int, Estimate], dict[int, str]]:
    """Arms against control, and why others are not compared; raises `InputError` if the experimental arm is not."""
    arms, method = len(data.arm_names), "welch" if endpoint.method == "welch" else "t"
    summaries, better = means_by_arm(outcome[None], data.arm[None], arms), protocol.better_of(endpoint.measure)
    found: dict[int, Estimate] = {}
    refused: dict[int, str] = {}
    for at in range(1, arms):
        try:
            found[at] = estimate_of(summaries, 0, at, method=method, better=better, label=endpoint.title)
        except InputError as error:
            if at == 1:
                raise
            refused[at] = _NOBODY if summaries.patients[0, at] == 0 else reason(str(error))
    return found, refused


def _mean(arm: str, visit: str, values: NDArray[np.float64], adjusted: Estimate | None, level: float) -> ArmMean:
    """A row of an arm, by its own mean and spread where nothing is adjusted for."""
    mean = float(values.mean()) if len(values) else math.nan
    spread = float(values.std(ddof=1)) if len(values) > 1 else math.nan
    if adjusted is not None:
        error, interval = adjusted.standard_error, adjusted.interval(level)
        return ArmMean(arm, visit, len(values), mean, spread, adjusted.effect, error, interval)
    error = spread / math.sqrt(len(values)) if len(values) > 1 else math.nan
    if error > 0:
        interval = Estimate(mean, error, len(values) - 1.0).interval(level)
    else:
        interval = Interval(mean, mean, level) if error == 0 else Interval(-math.inf, math.inf, level)
    return ArmMean(arm, visit, len(values), mean, spread, mean, error, interval)


def _means_table(endpoint: MeanEndpoint, protocol: Protocol, means: tuple[ArmMean, ...]) -> ResultTable:
    unit = clean(protocol.measure(endpoint.measure).unit)
    adjusted = endpoint.method == "ancova" and bool(_covariates(endpoint, protocol))
    columns = (
        Column("Arm"),
        Column("Patients", "count"),
        Column("Mean", "number", 2),
        Column("SD", "number", 2),
        *((Column("Adjusted mean", "number", 2),) if adjusted else ()),
        Column("Interval", "number", 2),
    )
    rows = tuple(
        (
            arm_label(protocol, mean.arm),
            mean.patients,
            None if math.isnan(mean.observed_mean) else mean.observed_mean,
            None if math.isnan(mean.observed_sd) else mean.observed_sd,
            *((None if math.isnan(mean.adjusted_mean) else mean.adjusted_mean,) if adjusted else ()),
            mean.interval if mean.patients else None,
        )
        for mean in means
    )
    return ResultTable(f"Means of {measure_text(protocol, endpoint.measure)}", columns, rows, unit and f"In {unit}.")


def _law_of(endpoint: MeanEndpoint, protocol: Protocol, arm: ArmLaw) -> tuple[float, float]:
    """Mean and variance of the outcome analysed without covariates."""
    if endpoint.measure:
        truth = arm.measures.get(endpoint.measure)
        if truth is None or truth.mean is None or truth.sd is None:
            raise InputError(
                f"measures.{endpoint.measure}", None, "'mean' and 'sd' in each arm of the scenario, to plan by"
            )
        return truth.mean, truth.sd**2
    at = protocol.visit_names.index(endpoint.visit)
    if protocol.analysis.outcome != "change":
        return float(arm.means[at]), float(arm.covariance[at, at])
    variance = arm.covariance[at, at] - 2 * arm.covariance[at, 0] + arm.covariance[0, 0]
    return float(arm.means[at] - arm.means[0]), float(variance)


def plan(endpoint: MeanEndpoint, protocol: Protocol, law: Law) -> EndpointPlan:
    """Effect and variance under a scenario, over the share of patients seen at the visit.

    ANCOVA's variance is given baseline, if that is a covariate; of other covariates the scenario tells nothing. That of
    a rank sum is the one under no difference, 1/12 for each arm, and its effect the win probability of normal outcomes
    (Noether 1987, J Am Stat Assoc 82:645).
    """
    at = protocol.visit_names.index(protocol.visit_of(endpoint))
    arms, (scale, better) = law.arms[:2], measured_on(endpoint, protocol)
    seen = [float(arm.seen[at]) for arm in arms]
    (control, spread0), (experimental, spread1) = (_law_of(endpoint, protocol, arm) for arm in arms)
    if endpoint.method == "wilcoxon":
        from scipy.special import ndtr

        gain = experimental - control if protocol.better_of(endpoint.measure) == "higher" else control - experimental
        effect = float(ndtr(gain / math.sqrt(spread0 + spread1)))
        return EndpointPlan(effect, (1 / 12 / seen[0], 1 / 12 / seen[1]), better, null_value=scale.null_value)
    if endpoint.measure or "baseline" not in _covariates(endpoint, protocol):
        return EndpointPlan(experimental - control, (spread0 / seen[0], spread1 / seen[1]), better)
    there = [share * arm.seen[at] for share, arm in zip(protocol.shares(), law.arms, strict=True)]
    joint = np.average([arm.covariance for arm in law.arms], axis=0, weights=there)
    slope = float(joint[at, 0] / joint[0, 0])
    variances = [
        float(arm.covariance[at, at] - 2 * slope * arm.covariance[at, 0] + slope**2 * arm.covariance[0, 0]) / share
        for arm, share in zip(arms, seen, strict=True)
    ]
    gap = arms[1].means - arms[0].means
    return EndpointPlan(float(gap[at] - slope * gap[0]), (variances[0], variances[1]), better)


_STUDENT = "Student. The probable error of a mean. Biometrika 1908;6:1-25."
_WELCH = (
    "Welch BL. The generalization of 'Student's' problem when several different population variances are involved."
    " Biometrika 1947;34:28-35."
)


def describe(endpoint: MeanEndpoint, protocol: Protocol) -> Description:
    """The comparison in words."""
    visit = visit_text(protocol, protocol.visit_of(endpoint))
    name = measure_text(protocol, endpoint.measure)
    outcome = (
        "" if endpoint.measure else "change from baseline in " if protocol.analysis.outcome == "change" else "score in "
    )
    what = f"{outcome}{name} at {visit} among patients {'with a value' if endpoint.measure else 'seen there'}"
    unit = clean(protocol.measure(endpoint.measure).unit) if endpoint.measure else ""
    seen = "Patients not seen at the primary visit do not differ from those seen, given arm and covariates."
    normal = "Scores are treated as approximately normal with the same covariance in all arms."
    if endpoint.measure:
        normal = "Values are treated as approximately normal with the same variance in all arms."
    if endpoint.method == "ancova":
        covariates = covariates_text(_covariates(endpoint, protocol))
        return Description(
            f"Analysis of covariance of the {what}; covariates {covariates}. The effect is the difference of the"
            " adjusted means.",
            "from an analysis of covariance of those seen there",
            name,
            (seen, normal),
            unit=unit,
        )
    seen = "Patients not seen at the primary visit do not differ from those seen in their arm."
    if endpoint.method == "t":
        method = f"Two-sample t test, variances pooled, of the {what}. The effect is the difference of the means."
        normal = normal.replace("covariance", "variance")
        return Description(method, "from a t test of those seen there", name, (seen, normal), (_STUDENT,), unit)
    if endpoint.method == "welch":
        method = (
            f"Welch's t test of the {what}, each arm with its own variance. The effect is the difference of the means."
        )
        normal = normal.replace(" with the same covariance in all arms", "").replace(
            " with the same variance in all arms", ""
        )
        return Description(method, "from Welch's t test of those seen there", name, (seen, normal), (_WELCH,), unit)
    return rank_description(what, name, seen)
