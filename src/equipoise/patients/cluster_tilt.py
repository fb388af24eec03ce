"""Arms that act on some clusters of a rating scale more than on others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from .graded import TRAITS, category_probabilities, cluster_means

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["tilted_traits"]


def tilted_traits(
    discrimination: NDArray[np.float64],
    difficulties: NDArray[np.float64],
    cluster: NDArray[np.intp],
    factors: NDArray[np.float64],
    before: NDArray[np.float64],
    after: NDArray[np.float64],
) -> NDArray[np.float64]:
    """How far the trait behind each cluster lies from the patient's, so that factors of the mean change hold, shape
    (clusters,).

    Without factors a cluster has the share of the mean change of the total that its mean given the total has between
    the two mean totals. With them shares are in proportion to that times the factor, and the cluster's mean at the
    later visit moves by as much as its share of the mean change does. Traits move by amounts that cancel out when
    weighed with the clusters' points.

    Parameters
    ----------
    factors
        Shape (clusters,).
    before, after
        Probability of each total at baseline and at the visit, shape (most + 1,).

    Raises
    ------
    InputError
        Where clusters cannot change by so much.
    """
    from scipy.optimize import root

    widths = np.bincount(cluster).astype(float)

    def means(shifts: NDArray[np.float64]) -> NDArray[np.float64]:
        traits = TRAITS[:, None] + shifts[cluster]
        return cluster_means(category_probabilities(traits, discrimination, difficulties), cluster)

    alike = means(np.zeros(len(widths)))
    target = after @ alike - _moved(alike, factors, before, after)

    def whole(free: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.append(free, -(widths[:-1] @ free) / widths[-1])

    most = widths * difficulties.shape[1]
    if (target > 0).all() and (target < most).all():
        found = root(lambda free: (after @ means(whole(free)) - target)[:-1], np.zeros(len(widths) - 1), tol=1e-12)
        if np.abs(found.fun).max() < 1e-8:
            return whole(found.x)
    raise InputError(
        "items.cluster_effects",
        [round(float(factor), 3) for factor in factors],
        "factors at which no cluster has to change by more points than it has",
    )


def _moved(
    alike: NDArray[np.float64], factors: NDArray[np.float64], before: NDArray[np.float64], after: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Points that factors add to the mean change of each cluster, which sum to 0."""
    totals = np.arange(len(alike))
    first, last = float(before @ totals), float(after @ totals)
    # between mean totals that are alike, the slope around them
    reach = max(abs(first - last), 1.0) / 2
    ends = np.clip([(first + last) / 2 - reach, (first + last) / 2 + reach], 0, totals[-1])
    low, high = (np.array([np.interp(end, totals, column) for column in alike.T]) for end in ends)
    shares = (high - low) / (ends[1] - ends[0])
    return (first - last) * (factors * shares / (factors @ shares) - shares)
