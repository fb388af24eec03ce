"""Kernel that splits totals among the clusters of a rating scale."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

__all__ = ["split_totals"]

_compiled: Any = numba.njit(cache=True, nogil=True, error_model="numpy")


@_compiled
def split_totals(scores, minimum, uniform, below, widths, lowest, out):
    """Fill sums of the clusters that add up to the totals; NaN where the total is.

    Parameters
    ----------
    scores
        Totals, shape (places,).
    minimum
        Of the scale.
    uniform
        Shape (places, clusters - 1).
    below
        Probability that a cluster has at most so many points when so many fall on it and on those after it, shape
        (clusters - 1, points + 1, widest + 1).
    widths
        Points that each cluster can have, shape (clusters,).
    lowest
        Least sum of each cluster, shape (clusters,).
    out
        Shape (clusters, places).
    """
    clusters = widths.size
    for place in range(scores.size):
        if np.isnan(scores[place]):
            out[:, place] = np.nan
            continue
        left = int(scores[place] - minimum + 0.5)
        for cluster in range(clusters - 1):
            at = uniform[place, cluster]
            low, high = 0, min(widths[cluster], left)
            while low < high:
                middle = (low + high) >> 1
                if below[cluster, left, middle] <= at:
                    low = middle + 1
                else:
                    high = middle
            out[cluster, place] = lowest[cluster] + low
            left -= low
        out[clusters - 1, place] = lowest[clusters - 1] + left
