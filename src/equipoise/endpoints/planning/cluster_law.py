"""The clusters of a rating scale under a scenario that tells only of its total."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...errors import InputError
from .law import EndpointPlan, Law

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ...protocol import Protocol
    from .law import ArmLaw

__all__ = ["cluster_moments", "cluster_plan"]


def cluster_moments(
    shares: NDArray[np.float64], width: float, minimum: float, arm: ArmLaw, visit: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Covariances of clusters at baseline, of those at baseline with those at a visit, and at the visit.

    Each point of a total falls on one of the points that the items can have, all alike, anew at every visit, so that
    clusters are hypergeometric given the total: at one visit their covariance is that of the shares of the total and
    E[T (W - T)] / (W - 1) times that of drawing one point, T the total above the scale's minimum and W the scale's
    width; between visits it is that of the shares alone.

    Parameters
    ----------
    shares
        Of the scale's points that each cluster can have, shape (clusters,).
    width, minimum
        Of the scale, in points.
    visit
        Column of the visit.

    Returns
    -------
    Three arrays of shape (clusters, clusters).
    """
    product = np.outer(shares, shares)
    drawn = np.diag(shares) - product

    def within(at: int) -> NDArray[np.float64]:
        mean, variance = float(arm.means[at]) - minimum, float(arm.covariance[at, at])
        return product * variance + drawn * (width * mean - mean**2 - variance) / (width - 1)

    return within(0), product * float(arm.covariance[0, visit]), within(visit)


def _slopes(
    before: NDArray[np.float64], between: NDArray[np.float64], after: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Slope of each cluster on its own baseline that seemingly unrelated regressions come to in large trials."""
    slopes = np.diag(between) / np.diag(before)
    for _ in range(500):
        weights = np.linalg.inv(_residual(before, between, after, slopes))
        slopes, last = np.linalg.solve(weights * before, (weights * between).sum(axis=1)), slopes
        if np.abs(slopes - last).max() < 1e-12:
            break
    return slopes


def _residual(
    before: NDArray[np.float64],
    between: NDArray[np.float64],
    after: NDArray[np.float64],
    slopes: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Covariance of the clusters less slopes times their baselines."""
    crossed = slopes[:, None] * between
    return after - crossed - crossed.T + np.outer(slopes, slopes) * before


def cluster_plan(protocol: Protocol, names: tuple[str, ...], visit: str, law: Law) -> EndpointPlan:
    """Effect on the sum of some clusters and its variance, dropout counted as missing the visit altogether.

    Raises
    ------
    InputError
        For a scale whose clusters do not hold each item once, of which the total does not tell.
    """
    scale = protocol.scale
    items = [item for part in scale.subscales.values() for item in part.items]
    if sorted(items) != list(range(1, scale.items + 1)):
        raise InputError(
            "outcome.scale", scale.name, "a scale whose clusters hold each item once, to plan for clusters"
        )
    shares = np.array([len(scale.subscales[name].items) for name in names]) / scale.items
    at, width = protocol.visit_names.index(visit), scale.maximum - scale.minimum
    arms = law.arms
    moments = [cluster_moments(shares, width, scale.minimum, arm, at) for arm in arms]
    slopes = np.full(len(names), 1.0 if protocol.analysis.outcome == "change" else 0.0)
    if "baseline" in protocol.analysis.covariates:
        there = [share * arm.seen[at] for share, arm in zip(protocol.shares(), arms, strict=True)]
        before, between, after = (np.average(parts, axis=0, weights=there) for parts in zip(*moments, strict=True))
        slopes = _slopes(before, between, after)
    variances = [
        float(_residual(before, between, after, slopes).sum()) / float(arm.seen[at])
        for arm, (before, between, after) in zip(arms[:2], moments[:2], strict=True)
    ]
    gap = arms[1].means - arms[0].means
    effect = float(shares @ (gap[at] - slopes * gap[0]))
    return EndpointPlan(effect, (variances[0], variances[1]), scale.better)
