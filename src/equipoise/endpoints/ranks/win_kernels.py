"""Comparison of all pairs of patients of a trial, the most important component first, compiled."""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["compare_pairs"]


@njit(cache=True)
def _later(first, first_observed, second, second_observed, margin):
    """Whether the first time is known to be later than the second by the margin, over their common follow-up."""
    if not second_observed:
        return False
    distance = first - second
    if first_observed:
        return distance > 0 and distance >= margin
    return distance >= margin


@njit(cache=True)
def _compare(values, observed, followed, first, second, margins, lower_wins, times):
    """Component that decides between two patients, and 1 where the first wins, -1 where she loses; 0 for a tie."""
    for at in range(len(margins)):
        one, other = values[first, at], values[second, at]
        if np.isnan(one) or np.isnan(other):
            continue
        if times[at]:
            result = 0
            if _later(one, observed[first, at], other, observed[second, at], margins[at]):
                result = 1
            elif _later(other, observed[second, at], one, observed[first, at], margins[at]):
                result = -1
        else:
            distance = one - other
            result = 0
            if abs(distance) >= margins[at] and distance != 0:
                more, less = (first, second) if distance > 0 else (second, first)
                if followed[more, at] <= followed[less, at]:
                    result = 1 if distance > 0 else -1
        if result != 0:
            return at, -result if lower_wins[at] else result
    return -1, 0


@njit(cache=True)
def compare_pairs(values, observed, followed, arm, stratum, strata, margins, lower_wins, times):
    """All pairs of patients of the same stratum in each trial.

    Parameters
    ----------
    values, observed, followed
        Components; of times, whether the event happened; of counts, how long they were counted; shape (trials,
        patients, components).
    arm, stratum
        Codes, shape (trials, patients); arm below 0 for patients who do not count.
    strata
        Number of strata.
    margins, lower_wins, times
        Of the components, shape (components,).

    Returns
    -------
    by_level
        Pairs of the experimental arm's patients with control's that it won [..., 0] and lost [..., 1], shape
        (trials, strata, components, 2).
    of_patient
        Pairs with the other arm won [..., 0] and lost [..., 1] by each patient, and her wins less losses against all
        [..., 2], shape (trials, patients, 3).
    """
    trials, patients, components = values.shape
    by_level = np.zeros((trials, strata, components, 2))
    of_patient = np.zeros((trials, patients, 3))
    for trial in range(trials):
        for first in range(patients):
            if arm[trial, first] < 0:
                continue
            for second in range(first + 1, patients):
                if arm[trial, second] < 0 or stratum[trial, second] != stratum[trial, first]:
                    continue
                level, result = _compare(
                    values[trial], observed[trial], followed[trial], first, second, margins, lower_wins, times
                )
                if result == 0:
                    continue
                of_patient[trial, first, 2] += result
                of_patient[trial, second, 2] -= result
                if arm[trial, first] == arm[trial, second]:
                    continue
                of_patient[trial, first, 0 if result > 0 else 1] += 1
                of_patient[trial, second, 1 if result > 0 else 0] += 1
                won = result > 0 if arm[trial, first] == 1 else result < 0
                by_level[trial, stratum[trial, first], level, 0 if won else 1] += 1
    return by_level, of_patient
