"""Kernels of the virtual patients' scores and of when they leave."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

__all__ = ["last_visits", "scores_of"]

_compiled: Any = numba.njit(cache=True, nogil=True, error_model="numpy")


@_compiled
def scores_of(values, law, cholesky, thresholds, minimum):
    """Turn independent normal numbers (trials, patients, visits) into correlated scores, in place."""
    trials, patients, visits = values.shape
    points = thresholds.shape[2]
    for trial in range(trials):
        for patient in range(patients):
            which = law[trial, patient]
            for visit in range(visits - 1, -1, -1):
                latent = 0.0
                for other in range(visit + 1):
                    latent += cholesky[visit, other] * values[trial, patient, other]
                low, high = 0, points
                while low < high:
                    middle = (low + high) >> 1
                    if thresholds[which, visit, middle] < latent:
                        low = middle + 1
                    else:
                        high = middle
                values[trial, patient, visit] = minimum + low


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
