"""Kernels of the virtual patients' scores and of when they leave."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

__all__ = ["FAR", "PER_UNIT", "last_visits", "scores_of"]

FAR, PER_UNIT = 6.0, 32.0
"""How far latent values are looked up, and cells to a unit; beyond, the search only takes longer."""

_compiled: Any = numba.njit(cache=True, nogil=True, error_model="numpy")


@_compiled
def scores_of(values, law, cholesky, thresholds, first, minimum):
    """Turn independent normal numbers (trials, patients, visits) into correlated scores, in place.

    `first` (laws, visits, cells) is where the search for a latent value's place among the thresholds begins: the number
    of thresholds below the left end of its cell, of which there are `PER_UNIT` a unit from `-FAR` on.
    """
    trials, patients, visits = values.shape
    points, cells = thresholds.shape[2], first.shape[2]
    for trial in range(trials):
        for patient in range(patients):
            which = law[trial, patient]
            for visit in range(visits - 1, -1, -1):
                latent = 0.0
                for other in range(visit + 1):
                    latent += cholesky[visit, other] * values[trial, patient, other]
                cell = min(max(np.int64((latent + FAR) * PER_UNIT), 0), cells - 1)
                place = first[which, visit, cell]
                while place < points and thresholds[which, visit, place] < latent:
                    place += 1
                while place > 0 and thresholds[which, visit, place - 1] >= latent:
                    place -= 1
                values[trial, patient, visit] = minimum + place


@_compiled
def last_visits(uniform, arm, scores, intercepts, slopes, unseen_slopes, last):
    """Fill the column of the last visit attended, shape (trials, patients)."""
    trials, patients, intervals = uniform.shape
    for trial in range(trials):
        for patient in range(patients):
            of = arm[trial, patient]
            at = 0
            while at < intervals:
                log_odds = intercepts[of, at]
                known, unseen = scores[trial, patient, at], scores[trial, patient, at + 1]
                if known == known:
                    log_odds += slopes[of] * known
                if unseen == unseen:
                    log_odds += unseen_slopes[of] * unseen
                if uniform[trial, patient, at] < 1.0 / (1.0 + np.exp(-log_odds)):
                    break
                at += 1
            last[trial, patient] = at
