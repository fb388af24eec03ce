"""Kernels of the days on which virtual patients leave."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

__all__ = ["days_of_leaving", "hide_later_visits"]

_compiled: Any = numba.njit(cache=True, nogil=True, error_model="numpy")


@_compiled
def days_of_leaving(assessed, last, follow_up, withdrawn, last_contact):
    """Turn uniform numbers (trials, patients) into days of leaving, NaN of those who complete, in place; fill the days
    of the last contact. `assessed` (trials, patients, visits) are the days of all visits.
    """
    final = assessed.shape[2] - 1
    for trial in range(last.shape[0]):
        for patient in range(last.shape[1]):
            at = last[trial, patient]
            day = assessed[trial, patient, at]
            if at == final:
                withdrawn[trial, patient] = np.nan
                last_contact[trial, patient] = day + follow_up
            else:
                gap = assessed[trial, patient, at + 1] - day
                left = np.floor(day + withdrawn[trial, patient] * gap)
                withdrawn[trial, patient] = left
                last_contact[trial, patient] = left


@_compiled
def hide_later_visits(last, assessed, scores):
    """Make what comes after the last visit attended NaN, in place; all of shape (trials, patients, visits)."""
    for trial in range(last.shape[0]):
        for patient in range(last.shape[1]):
            for visit in range(last[trial, patient] + 1, assessed.shape[2]):
                assessed[trial, patient, visit] = np.nan
                scores[trial, patient, visit] = np.nan
