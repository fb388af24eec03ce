"""What a clusters endpoint gives back, and its tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..estimate import Estimate, Interval
from ..plain import plain
from ..wording import arm_label, arm_text, decimal, p_text
from .results import Cell, Column, EndpointResult, ResultTable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..mixed import FTest
    from ..protocol import Protocol

__all__ = ["ClusterEffect", "ClustersResult", "correlations_table", "effects_table"]


@dataclass(frozen=True, slots=True)
class ClusterEffect:
    """One cluster, one experimental arm against control.

    Attributes
    ----------
    arm, cluster, title
        Names of the arm and the cluster, and the cluster's title.
    estimate, interval
        Of the difference of the adjusted means, in points.
    standardised, standardised_interval
        The same over the standard deviation of the cluster's scores at the visit within arms, which counts as known.
    deviation
        That standard deviation, in points.
    """

    arm: str
    cluster: str
    title: str
    estimate: Estimate
    interval: Interval
    standardised: float
    standardised_interval: Interval
    deviation: float


@dataclass(frozen=True, repr=False)
class ClustersResult(EndpointResult):
    """Result of a clusters endpoint; its comparisons are of the sum of the clusters.

    Attributes
    ----------
    clusters
        By experimental arm, and within it by cluster, in order.
    covariance
        Of the primary pair's estimates of the clusters, in points squared, shape (clusters, clusters).
    joint_test
        That the primary pair differs in no cluster.
    """

    clusters: tuple[ClusterEffect, ...] = ()
    covariance: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 0)), compare=False)
    joint_test: FTest | None = None

    @property
    def primary_clusters(self) -> tuple[ClusterEffect, ...]:
        """Those of the primary pair."""
        return self.clusters[: len(self.covariance)]

    @property
    def correlation(self) -> NDArray[np.float64]:
        """Of the primary pair's estimates of the clusters, shape (clusters, clusters)."""
        spread = np.sqrt(np.diag(self.covariance))
        found = self.covariance / np.outer(spread, spread)
        np.fill_diagonal(found, 1.0)
        return found

    @property
    def hypotheses(self) -> dict[str, Estimate]:
        """The sum of the clusters under the endpoint's name, and each cluster as "name: cluster"."""
        from ..protocol.testing import hypothesis_name

        each = {hypothesis_name(self.name, item.cluster): item.estimate for item in self.primary_clusters}
        return super().hypotheses | each

    @property
    def most_improved(self) -> ClusterEffect:
        """The primary pair's cluster with the largest standardised difference in favour of the experimental arm."""
        return max(
            self.primary_clusters,
            key=lambda item: item.standardised if item.estimate.better == "higher" else -item.standardised,
        )

    def to_dict(self) -> dict[str, Any]:
        """The result for a JSON file."""
        clusters = [
            {
                "arm": item.arm,
                "cluster": item.cluster,
                "title": item.title,
                "effect": item.estimate.effect,
                "standard_error": item.estimate.standard_error,
                "degrees_of_freedom": item.estimate.degrees_of_freedom,
                "p_value": item.estimate.p_value,
                "lower": item.interval.lower,
                "upper": item.interval.upper,
                "standardised": item.standardised,
            }
            for item in self.clusters
        ]
        joint = self.joint_test
        tested = (
            None
            if joint is None
            else {
                "statistic": joint.statistic,
                "numerator_degrees_of_freedom": joint.numerator_degrees_of_freedom,
                "denominator_degrees_of_freedom": joint.denominator_degrees_of_freedom,
                "p_value": joint.p_value,
            }
        )
        return super().to_dict() | plain(
            {"clusters": clusters, "covariance_of_clusters": self.covariance, "joint_test": tested}
        )


def effects_table(protocol: Protocol, result: ClustersResult) -> ResultTable:
    """Differences by cluster and summed, and which is the largest."""
    rows: list[tuple[Cell, ...]] = []
    for item in result.clusters:
        own = item.estimate
        rows.append(
            (
                arm_label(protocol, item.arm),
                own.label,
                own.effect,
                own.standard_error,
                item.interval,
                own.degrees_of_freedom,
                own.p_value,
                item.standardised,
            )
        )
    for compared in result.comparisons:
        own = compared.estimate
        rows.append(
            (
                arm_label(protocol, compared.arm),
                "Sum",
                own.effect,
                own.standard_error,
                compared.interval,
                own.degrees_of_freedom,
                own.p_value,
                None,
            )
        )
    columns = (
        Column("Arm"),
        Column("Cluster"),
        Column("Difference", "number", 2),
        Column("SE", "number", 2),
        Column("Interval", "number", 2),
        Column("df", "number"),
        Column("p", "p"),
        Column("Standardised", "number", 2),
    )
    first, joint = result.most_improved, result.joint_test
    note = (
        "Differences from control of the adjusted means, in points; standardised: over the standard deviation of the"
        " cluster's scores at the visit within arms. p-values are not corrected for the number of clusters."
    )
    if (first.standardised > 0) == (first.estimate.better == "higher") and first.standardised != 0:
        note += (
            f" The largest standardised difference in favour of {arm_text(protocol, first.arm)} is in {first.title}"
            f" ({first.cluster}), {decimal(abs(first.standardised), 2)}."
        )
    if joint is not None:
        note += f" Test that the arms differ in none of the clusters: {p_text(joint.p_value)}."
    return ResultTable("Clusters", columns, tuple(rows), note)


def correlations_table(protocol: Protocol, result: ClustersResult) -> ResultTable:
    """How the primary pair's estimates hang together."""
    items, correlation = result.primary_clusters, result.correlation
    rows = tuple(
        (item.title, *(float(value) if column <= at else None for column, value in enumerate(correlation[at])))
        for at, item in enumerate(items)
    )
    columns = (Column("Cluster"), *(Column(item.cluster, "number", 2) for item in items))
    pair = f"{arm_label(protocol, protocol.arm_names[1])} and {arm_label(protocol, protocol.arm_names[0])}"
    return ResultTable("Correlation of the clusters' estimates", columns, rows, f"Of the differences between {pair}.")
