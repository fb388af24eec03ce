"""Kernels that go once over the patients of many trials for two by two tables."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

__all__ = ["count_events", "count_responses"]

_compiled: Any = numba.njit
_options: Any = {"cache": True, "nogil": True, "error_model": "numpy"}


@_compiled(
    "void(float64[:,:], float64[:,:], boolean[:,:], int64[:,:], int64[:,:], float64, float64, float64, boolean,"
    " float64, int64[:,:,::1])",
    **_options,
)
def count_responses(score, baseline, due, arm, strata, sign, share, points, seen_only, unseen, found):  # type: ignore[no-untyped-def]
    """Count events and patients of the experimental arm, then those of control, shape (trials, strata, 4).

    Parameters
    ----------
    score, baseline
        NaN where not seen; without columns of `baseline`, `score` is 1 with the event.
    strata
        Codes, negative where not known; without columns where there are none.
    sign
        1 where a higher score is better, -1 where a lower one is.
    share, points
        Of the baseline by which the score must improve; where the share is NaN, by the points.
    seen_only, unseen
        Whether only patients seen count, and otherwise what one who was not seen counts as.
    """
    scored = baseline.shape[1] > 0
    several = strata.shape[1] > 0
    for trial in range(arm.shape[0]):
        for at in range(arm.shape[1]):
            group = arm[trial, at]
            if group != 0 and group != 1:
                continue
            here = score[trial, at]
            seen = not np.isnan(here)
            if not seen and (seen_only or not due[trial, at]):
                continue
            value = here == 1.0
            if scored:
                before = baseline[trial, at]
                if np.isnan(before):
                    continue
                needed = points if np.isnan(share) else share * before
                gain = here - before if sign > 0 else before - here
                value = gain >= needed - 1e-9
            if not seen:
                value = unseen == 1.0
            place = strata[trial, at] if several else 0
            if place < 0:
                continue
            cell = 2 * (1 - group)
            found[trial, place, cell] += value
            found[trial, place, cell + 1] += 1


@_compiled("void(float64[:,:], boolean[:,:], int64[:,:], int64[:,::1])", **_options)
def count_events(first, due, arm, found):  # type: ignore[no-untyped-def]
    """Count patients due with an event, and all who are due, of the experimental arm, then of control, (trials, 4).

    `first` is the day of the first event, infinite without one.
    """
    for trial in range(arm.shape[0]):
        for at in range(arm.shape[1]):
            group = arm[trial, at]
            if (group == 0 or group == 1) and due[trial, at]:
                cell = 2 * (1 - group)
                found[trial, cell] += first[trial, at] != np.inf
                found[trial, cell + 1] += 1
