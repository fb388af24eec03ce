"""What was known of many trials on a day, each in one pass."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

__all__ = ["known_times", "known_values", "known_visits"]

_compiled: Any = numba.njit(cache=True, nogil=True, error_model="numpy")


@_compiled
def known_visits(
    rows,
    days,
    until,
    randomised,
    arm,
    last_contact,
    assessed,
    closes,
    scores,
    out_arm,
    out_followed,
    out_assessed,
    out_due,
    out_scores,
):
    """Fill arms, days of follow-up, days since randomisation, whether a visit was due and scores, of the chosen trials
    as known on their days.

    Parameters
    ----------
    rows, days, until
        Trials; the day by which a patient has to have entered; the day up to which she is followed; shape (rows,).
    randomised, arm, last_contact
        (trials, patients).
    assessed
        (trials, patients, visits).
    closes
        Days from randomisation to the closing of each visit's window, (visits,).
    scores
        As `assessed`, or with no visits where there are none.
    out_arm, out_followed
        (rows, patients).
    out_assessed, out_due, out_scores
        (rows, patients, visits), or with no visits where they are not asked for.
    """
    patients, visits, scored = assessed.shape[1], out_due.shape[2], scores.shape[2] > 0
    for row in range(rows.size):
        trial, day, last = rows[row], days[row], until[row]
        for patient in range(patients):
            start = randomised[trial, patient]
            entered = start <= day
            out_arm[row, patient] = arm[trial, patient] if entered else -1
            out_followed[row, patient] = min(last_contact[trial, patient], last) - start if entered else np.nan
            for visit in range(visits):
                on = assessed[trial, patient, visit]
                known = entered and on <= last
                out_assessed[row, patient, visit] = on - start if known else np.nan
                out_due[row, patient, visit] = entered and (start + closes[visit] <= last or on <= last)
                if scored:
                    out_scores[row, patient, visit] = scores[trial, patient, visit] if known else np.nan


@_compiled
def known_values(rows, days, until, randomised, known, value, out):
    """Fill values of a measure, (rows, patients), NaN where they were not known; `known` is the day they became so."""
    for row in range(rows.size):
        trial, day, last = rows[row], days[row], until[row]
        for patient in range(value.shape[1]):
            here = randomised[trial, patient] <= day and known[trial, patient] <= last
            out[row, patient] = value[trial, patient] if here else np.nan


@_compiled
def known_times(rows, days, until, randomised, value, observed, out, out_observed):
    """Fill times to an event and whether it had happened, (rows, patients); NaN of patients who had not entered."""
    for row in range(rows.size):
        trial, day, last = rows[row], days[row], until[row]
        for patient in range(value.shape[1]):
            start, time = randomised[trial, patient], value[trial, patient]
            under = max(last - start, 0.0)
            out[row, patient] = min(time, under) if start <= day else np.nan
            out_observed[row, patient] = observed[trial, patient] and time <= under
