"""Difference between arms at one visit among patients seen there, adjusted for covariates (ANCOVA)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..estimate import Estimate
from .covariates import covariate_columns
from .planning.law import EndpointPlan, Law
from .regression.ancova import AncovaFit, ancova
from .results import ArmMean, Comparison, MeanResult

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..data import TrialData
    from ..protocol import MeanEndpoint, Protocol

__all__ = ["analysed", "estimate", "plan", "primary"]


def _columns(
    endpoint: MeanEndpoint, protocol: Protocol, data: TrialData
) -> tuple[NDArray[np.float64], list[str], NDArray[np.float64]]:
    """Outcome, names of the covariates' columns and their values, NaN where missing."""
    outcome = data.at(endpoint.visit)
    if protocol.analysis.outcome == "change":
        outcome = outcome - data.baseline
    seen = ~np.isnan(outcome)
    found = [covariate_columns(protocol, data, name, seen) for name in protocol.analysis.covariates]
    names = [label for labels, _, _ in found for label in labels]
    return outcome, names, np.concatenate([np.empty((len(data), 0)), *(columns for _, columns, _ in found)], axis=1)


def analysed(endpoint: MeanEndpoint, protocol: Protocol, data: TrialData) -> NDArray[np.bool_]:
    """Who enters the model: those seen at the visit, with all covariates; shape (patients,)."""
    outcome, _, values = _columns(endpoint, protocol, data)
    return np.asarray(~np.isnan(np.column_stack([outcome, values])).any(axis=1))


def _fit(endpoint: MeanEndpoint, protocol: Protocol, data: TrialData) -> tuple[AncovaFit, NDArray[np.float64]]:
    outcome, names, values = _columns(endpoint, protocol, data)
    arms = np.stack([data.arm == at for at in range(1, len(data.arm_names))], axis=1).astype(float)
    fitted = ancova(
        outcome,
        arms,
        values if names else None,
        names=names or None,
        better=protocol.scale.better,
        label=endpoint.label or endpoint.name,
    )
    return fitted, outcome


def primary(endpoint: MeanEndpoint, protocol: Protocol, data: TrialData) -> tuple[Estimate, tuple[str, ...]]:
    """The experimental arm minus control and nothing else, for looks and simulation."""
    return _fit(endpoint, protocol, data)[0].compare(1, 0), ()


def estimate(endpoint: MeanEndpoint, protocol: Protocol, data: TrialData) -> MeanResult:
    """The whole result: every arm against control, observed and adjusted means.

    Adjusted means are at the mean of all covariates, levels of categorical ones included, over the patients analysed;
    the mixed model's LS means weigh levels equally. Differences between arms do not depend on it.
    """
    fitted, outcome = _fit(endpoint, protocol, data)
    level = protocol.confidence_level
    comparisons = []
    for at in range(1, len(data.arm_names)):
        found = fitted.compare(at, 0)
        comparisons.append(Comparison(data.arm_names[at], endpoint.visit, found, found.interval(level)))
    means = []
    for at, name in enumerate(data.arm_names):
        values = outcome[(data.arm == at) & ~np.isnan(outcome)]
        adjusted = Estimate(
            float(fitted.adjusted_means[at]), float(fitted.adjusted_mean_standard_errors[at]), fitted.degrees_of_freedom
        )
        means.append(
            ArmMean(
                name,
                endpoint.visit,
                len(values),
                float(values.mean()),
                float(values.std(ddof=1)) if len(values) > 1 else np.nan,
                adjusted.effect,
                adjusted.standard_error,
                adjusted.interval(level),
            )
        )
    visit = protocol.visit(endpoint.visit).label or endpoint.visit
    left_out = f"{fitted.dropped} of {len(data)} patients left out: not seen at {visit}, or a covariate missing"
    return MeanResult(
        name=endpoint.name,
        label=endpoint.label or endpoint.name,
        kind=endpoint.type,
        comparisons=tuple(comparisons),
        patients=fitted.patients,
        notes=(left_out,) if fitted.dropped else (),
        means=tuple(means),
        by_visit=tuple(comparisons),
        model=str(fitted),
    )


def plan(endpoint: MeanEndpoint, protocol: Protocol, law: Law) -> EndpointPlan:
    """Effect and variance under a scenario: given baseline if that is a covariate, over the share seen at the visit."""
    at = protocol.visit_names.index(endpoint.visit)
    arms = law.arms[:2]
    slope = 1.0 if protocol.analysis.outcome == "change" else 0.0
    if "baseline" in protocol.analysis.covariates:
        joint = (arms[0].covariance + arms[1].covariance) / 2
        slope = float(joint[at, 0] / joint[0, 0])
    variances = [
        float(arm.covariance[at, at] - 2 * slope * arm.covariance[at, 0] + slope**2 * arm.covariance[0, 0])
        / float(arm.staying[at])
        for arm in arms
    ]
    gap = arms[1].means - arms[0].means
    return EndpointPlan(float(gap[at] - slope * gap[0]), (variances[0], variances[1]), protocol.scale.better)
