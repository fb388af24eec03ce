"""Order statistics of all differences between two arms, without forming them, compiled."""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["select_differences"]


@njit(cache=True)
def _key(bits):
    """Whole numbers in the order of the floats that have these bits."""
    return bits if bits >= 0 else np.int64(-9223372036854775808) - bits


@njit(cache=True)
def _count(control, experimental, value):
    """Differences experimental - control that are at most a value; both arms sorted."""
    total, at = 0, 0
    for i in range(len(experimental)):
        while at < len(control) and experimental[i] - control[at] > value:
            at += 1
        total += len(control) - at
    return total


@njit(cache=True)
def _select(control, experimental, rank):
    """The difference of a rank from 1, by bisection over the floats themselves: exact, ties or not."""
    floats = np.empty(1)
    bits = floats.view(np.int64)
    floats[0] = experimental[0] - control[-1]
    low = _key(bits[0])
    floats[0] = experimental[-1] - control[0]
    high = _key(bits[0])
    while low < high:
        middle = (low >> 1) + (high >> 1) + (low & high & 1)
        bits[0] = _key(middle)
        if _count(control, experimental, floats[0]) >= rank:
            high = middle
        else:
            low = middle + 1
    bits[0] = _key(low)
    return floats[0]


@njit(cache=True)
def select_differences(values, control, experimental, ranks):
    """Differences of given ranks in each trial.

    Parameters
    ----------
    values
        Each row: outcomes of control sorted, then those of the experimental arm sorted, shape (trials, patients).
    control, experimental
        Patients in each arm, shape (trials,).
    ranks
        From 1 to all pairs; 0 for none, shape (trials, wanted).

    Returns
    -------
    array of shape (trials, wanted)
        NaN where the rank is 0.
    """
    found = np.full(ranks.shape, np.nan)
    for trial in range(len(values)):
        first = values[trial, : control[trial]]
        second = values[trial, control[trial] : control[trial] + experimental[trial]]
        for at in range(ranks.shape[1]):
            if ranks[trial, at] > 0:
                found[trial, at] = _select(first, second, ranks[trial, at])
    return found
