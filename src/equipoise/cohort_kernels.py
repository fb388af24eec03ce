"""What was known of the visits of many trials on a day, in one pass."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

__all__ = ["known_visits"]

_compiled: Any = numba.njit(cache=True, nogil=True, error_model="numpy")


@_compiled
def known_visits(rows, days, until, randomised, scores, assessed, closes, out_scores, out_assessed, out_due):
    """Fill scores, days since randomisation and whether a visit was due, of the chosen trials as known on their days.

    Parameters
    ----------
    rows, days, until
        Trials; the day by which a patient has to have entered; the day up to which she is followed; shape (rows,).
    randomised
        (trials, patients).
    scores, assessed, closes
        (trials, patients, visits).
    out_scores, out_assessed, out_due
        (rows, patients, visits).
    """
    patients, visits = scores.shape[1], scores.shape[2]
    for row in range(rows.size):
        trial, day, last = rows[row], days[row], until[row]
        for patient in range(patients):
            start = randomised[trial, patient]
            entered = start <= day
            for visit in range(visits):
                on = assessed[trial, patient, visit]
                known = entered and on <= last
                out_scores[row, patient, visit] = scores[trial, patient, visit] if known else np.nan
                out_assessed[row, patient, visit] = on - start if known else np.nan
                closed = closes[trial, patient, visit]
                out_due[row, patient, visit] = entered and (closed <= last or on <= last)
