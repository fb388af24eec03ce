"""The clusters of symptoms that make up a rating scale, at one visit from one model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..estimate import Better, Estimate, Interval, Scale
from ..wording import arm_label, clean, listed, visit_text
from .adjusted import model_columns
from .batch import BatchEstimates
from .cluster_result import ClusterEffect, ClustersResult, correlations_table, effects_table
from .cluster_sums import check_sums, cluster_scores, sums_differ
from .covariates import covariate_columns, is_one_column, of_same_levels, plain_columns
from .planning.cluster_law import cluster_plan
from .planning.law import EndpointPlan, Law
from .regression.related_outcomes import RelatedOutcomes, fit_related_outcomes, pooled_deviations
from .regression.related_outcomes_batch import combined_batch
from .results import Cell, Column, Comparison, Description, ResultTable
from .score_model import FREEDOM_NAMES
from .some_trials import fill_singly, with_covariates

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..data import TrialData
    from ..protocol import ClustersEndpoint, Protocol
    from ..trial_batch import TrialBatch

__all__ = ["analysed", "batch", "describe", "estimate", "measured_on", "plan", "primary"]


@dataclass(frozen=True, slots=True, eq=False)
class _Given:
    """What the model takes: scores or changes, each cluster's own baseline if adjusted for, covariates in common."""

    names: tuple[str, ...]
    scores: NDArray[np.float64]
    outcomes: NDArray[np.float64]
    own: NDArray[np.float64] | None
    covariates: NDArray[np.float64]
    labels: list[str]
    centres: NDArray[np.float64]

    @classmethod
    def of(cls, endpoint: ClustersEndpoint, protocol: Protocol, data: TrialData) -> _Given:
        names, analysis = endpoint.clusters_of(protocol), protocol.analysis
        first = protocol.visit_names[0]
        adjusted, change = "baseline" in analysis.covariates, analysis.outcome == "change"
        scores = cluster_scores(data, names, endpoint.visit)
        before = cluster_scores(data, names, first) if adjusted or change else None
        check_sums(protocol, data, (endpoint.visit,) if before is None else (first, endpoint.visit))
        seen = np.asarray(~np.isnan(scores).all(axis=1))
        found = [covariate_columns(protocol, data, name, seen) for name in analysis.covariates if name != "baseline"]
        return cls(
            names,
            scores,
            scores - before if change and before is not None else scores,
            before if adjusted else None,
            np.concatenate([np.empty((len(data), 0)), *(columns for _, columns, _ in found)], axis=1),
            [label for labels, _, _ in found for label in labels],
            np.concatenate(
                [
                    np.empty(0),
                    *(np.full(len(labels), np.nan) if level is None else level for labels, _, level in found),
                ]
            ),
        )

    @property
    def rows(self) -> NDArray[np.bool_]:
        """Who enters the model, shape (patients,)."""
        lacking = np.isnan(self.covariates).any(axis=1) | np.isnan(self.outcomes).all(axis=1)
        return np.asarray(~lacking if self.own is None else ~lacking & ~np.isnan(self.own).any(axis=1))

    def fit(self, protocol: Protocol, data: TrialData) -> RelatedOutcomes:
        """The model; raises `InputError` or `FitError` where it cannot be had."""
        analysis = protocol.analysis
        by_arm = {"group": data.arm, "groups": list(data.arm_names)} if analysis.covariance_by_arm else {}
        return fit_related_outcomes(
            self.outcomes,
            data.arm,
            own=self.own,
            covariates=self.covariates,
            names=self.names,
            covariate_names=self.labels,
            centres=self.centres,
            arm_names=data.arm_names,
            method=analysis.method,
            degrees_of_freedom=analysis.degrees_of_freedom,
            variance=analysis.variance,
            **by_arm,
        )


def measured_on(endpoint: ClustersEndpoint, protocol: Protocol) -> tuple[Scale, Better]:
    """A difference of means, in a cluster or in their sum, good on the side of the rating scale."""
    return Scale.MEAN_DIFFERENCE, protocol.scale.better


def analysed(endpoint: ClustersEndpoint, protocol: Protocol, data: TrialData) -> NDArray[np.bool_]:
    """Who enters the model: those with a cluster at the visit, all baselines and covariates; shape (patients,)."""
    return _Given.of(endpoint, protocol, data).rows


def _total(endpoint: ClustersEndpoint, protocol: Protocol, fitted: RelatedOutcomes, arm: int) -> Estimate:
    return fitted.combined(arm=arm, better=measured_on(endpoint, protocol)[1], label=endpoint.title)


def primary(endpoint: ClustersEndpoint, protocol: Protocol, data: TrialData) -> tuple[Estimate, tuple[str, ...]]:
    """The experimental arm minus control in the sum of the clusters, and nothing else."""
    return _total(endpoint, protocol, _Given.of(endpoint, protocol, data).fit(protocol, data), 1), ()


def batch(endpoint: ClustersEndpoint, protocol: Protocol, trials: TrialBatch) -> BatchEstimates:
    """`primary` of many trials: by REML with the model's variance and one covariance for all arms at once, unless some
    patient has some of the clusters only or there are few; with other options one by one.
    """
    found, analysis = np.full((3, len(trials)), np.nan), protocol.analysis
    names, first = endpoint.clusters_of(protocol), protocol.visit_names[0]
    adjusted, change = "baseline" in analysis.covariates, analysis.outcome == "change"
    if _fits_together(protocol):
        scores = cluster_scores(trials, names, endpoint.visit)
        before = cluster_scores(trials, names, first) if adjusted or change else None
        visits = (endpoint.visit,) if before is None else (first, endpoint.visit)
        wrong = np.logical_or.reduce([sums_differ(protocol, trials, visit).any(axis=1) for visit in visits])
        own = before if adjusted and before is not None else np.empty((*trials.arm.shape, 0))
        others = [name for name in analysis.covariates if name != "baseline"]
        for rows, columns in _columns_of(protocol, trials, others, scores):
            found[:, rows] = combined_batch(
                scores[rows],
                trials.arm[rows],
                own[rows],
                columns,
                len(trials.arm_names),
                analysis.degrees_of_freedom,  # type: ignore[arg-type]
                before[rows] if change and before is not None else None,
            )
        found[:, wrong] = np.nan
    failures = fill_singly(found, np.isnan(found[0]), trials, lambda data: primary(endpoint, protocol, data)[0])
    return BatchEstimates.of(found[0], found[1], found[2], failures)


def _columns_of(
    protocol: Protocol, trials: TrialBatch, names: list[str], scores: NDArray[np.float64]
) -> Iterator[tuple[Any, NDArray[np.float64]]]:
    """Trials whose covariates in common make the same columns, and these, shape (trials, patients, columns)."""
    if all(is_one_column(protocol, name) for name in names):
        yield slice(None), plain_columns(protocol, trials, names)[1]
        return
    recorded = np.where(np.isnan(scores).all(axis=2) | (trials.arm < 0), np.nan, 0.0)
    for rows in of_same_levels(protocol, trials, names, ~np.isnan(recorded))[0]:
        part = with_covariates(trials, rows, names)
        yield rows, model_columns(protocol, part, names, recorded[rows])[1]


def _fits_together(protocol: Protocol) -> bool:
    analysis = protocol.analysis
    return (
        analysis.method == "reml"
        and analysis.variance == "model"
        and not analysis.covariance_by_arm
        and analysis.degrees_of_freedom in ("satterthwaite", "kenward-roger", "residual", "normal")
    )


def estimate(endpoint: ClustersEndpoint, protocol: Protocol, data: TrialData) -> ClustersResult:
    """The whole result: every arm against control in every cluster and in their sum, means, how estimates correlate."""
    given = _Given.of(endpoint, protocol, data)
    fitted = given.fit(protocol, data)
    level, (_, better), rows = protocol.confidence_level, measured_on(endpoint, protocol), fitted.rows
    deviations = pooled_deviations(given.scores[rows], fitted.arm)
    comparisons, clusters = [], []
    for arm, name in enumerate(data.arm_names[1:], start=1):
        total = _total(endpoint, protocol, fitted, arm)
        comparisons.append(Comparison(name, endpoint.visit, total, total.interval(level)))
        for cluster, found, spread in zip(
            given.names, fitted.estimates(arm, better=better), deviations.tolist(), strict=True
        ):
            clusters.append(_effect(protocol, name, cluster, found, spread, level))
    left_out = int((~rows).sum())
    lacking = ", or a covariate missing" if given.covariates.shape[1] or given.own is not None else ""
    visit = visit_text(protocol, endpoint.visit)
    result = ClustersResult(
        name=endpoint.name,
        label=endpoint.title,
        kind=endpoint.type,
        comparisons=tuple(comparisons),
        patients=int(rows.sum()),
        notes=(f"{left_out} of {len(data)} patients left out: not seen at {visit}{lacking}",) if left_out else (),
        clusters=tuple(clusters),
        covariance=fitted.covariance_of_estimates(1),
        joint_test=fitted.joint_test(1),
    )
    tables = (
        effects_table(protocol, result),
        _means_table(endpoint, protocol, data, given, fitted, level),
        correlations_table(protocol, result),
    )
    return replace(result, tables=tables)


def _effect(protocol: Protocol, arm: str, cluster: str, found: Estimate, spread: float, level: float) -> ClusterEffect:
    interval = found.interval(level)
    scaled = (found.effect, interval.lower, interval.upper)
    standardised, lower, upper = (value / spread if spread > 0 else 0.0 for value in scaled)
    label = f"{protocol.scale.subscales[cluster].title} ({cluster})"
    return ClusterEffect(
        arm,
        cluster,
        protocol.scale.subscales[cluster].title,
        replace(found, label=label),
        interval,
        standardised,
        Interval(lower, upper, level),
        spread,
    )


def _means_table(
    endpoint: ClustersEndpoint,
    protocol: Protocol,
    data: TrialData,
    given: _Given,
    fitted: RelatedOutcomes,
    level: float,
) -> ResultTable:
    rows: list[tuple[Cell, ...]] = []
    for at, cluster in enumerate(given.names):
        for arm, name in enumerate(data.arm_names):
            values = fitted.outcomes[fitted.arm == arm, at]
            values = values[~np.isnan(values)]
            mean = fitted.mean(arm, at)
            rows.append(
                (
                    protocol.scale.subscales[cluster].title,
                    arm_label(protocol, name),
                    len(values),
                    float(values.mean()) if len(values) else None,
                    float(values.std(ddof=1)) if len(values) > 1 else None,
                    mean.effect,
                    mean.interval(level),
                )
            )
    columns = (
        Column("Cluster"),
        Column("Arm"),
        Column("Seen", "count"),
        Column("Observed mean", "number"),
        Column("SD", "number"),
        Column("Adjusted mean", "number"),
        Column("Interval", "number"),
    )
    what = "change from baseline" if protocol.analysis.outcome == "change" else "score"
    return ResultTable(
        f"Mean {what} by cluster and arm at {visit_text(protocol, endpoint.visit)}", columns, tuple(rows), "In points."
    )


def plan(endpoint: ClustersEndpoint, protocol: Protocol, law: Law) -> EndpointPlan:
    """Effect on the sum of the clusters and its variance under a scenario, which tells of totals only: the points of a
    total are taken to fall on the clusters' items at random, as they do for virtual patients; see `cluster_plan`.
    """
    return cluster_plan(protocol, endpoint.clusters_of(protocol), endpoint.visit, law)


def describe(endpoint: ClustersEndpoint, protocol: Protocol) -> Description:
    """The model of the clusters in words."""
    analysis, names = protocol.analysis, endpoint.clusters_of(protocol)
    scale = clean(protocol.scale_name)
    titles = listed([f"{clean(protocol.scale.subscales[name].title)} ({clean(name)})" for name in names])
    outcome = "change from baseline" if analysis.outcome == "change" else "score"
    others = [clean(name) for name in analysis.covariates if name != "baseline"]
    parts = [
        *(["the cluster's own baseline"] if "baseline" in analysis.covariates else []),
        *([f"{listed(others)}, each with a slope in every cluster"] if others else []),
    ]
    adjusted = f", adjusted for {' and '.join(parts)}" if parts else ""
    whole = set(names) == set(protocol.scale.subscales)
    alike = "" if analysis.covariance_by_arm else " with the same covariance in all arms"
    return Description(
        method=(
            f"One model of the {outcome} in the clusters of {scale} at {visit_text(protocol, endpoint.visit)}:"
            f" {titles}. Each cluster has its own difference between arms{adjusted}; a patient's clusters are"
            f" correlated in any way (seemingly unrelated regressions, {analysis.method.upper()},"
            f" {FREEDOM_NAMES[analysis.degrees_of_freedom]} degrees of freedom). The effect is the sum of the"
            " differences; each cluster's own is given beside it."
        ),
        kind="summed over the clusters of one model",
        measured=scale if whole else f"the sum of {listed([clean(name) for name in names])} of {scale}",
        assumptions=(
            "Patients not seen at the visit do not differ from those seen, given arm and covariates.",
            f"Sums of the clusters are treated as approximately normal{alike}.",
        ),
        references=(
            "Zellner A. An efficient method of estimating seemingly unrelated regressions and tests for aggregation"
            " bias. J Am Stat Assoc 1962;57:348-368.",
        ),
    )
