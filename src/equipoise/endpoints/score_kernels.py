"""Kernels of the mixed model's data in many trials: outcomes, and which columns are not empty."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

__all__ = ["fill_outcomes", "find_filled"]

_compiled: Any = numba.njit(cache=True, nogil=True, error_model="numpy")


@_compiled
def fill_outcomes(scores, arm, columns, change, outcome, counts):
    """Fill outcomes (trials, patients, visits), NaN without a patient, and counts of them (trials, arms, visits).

    Parameters
    ----------
    scores
        (trials, patients, all visits), baseline first.
    arm
        (trials, patients), -1 without a patient.
    columns
        The visits that are modelled.
    change
        Whether outcomes are changes from baseline.
    """
    n_trials, n_patients, n_visits = outcome.shape
    counts[:] = 0
    for trial in range(n_trials):
        for patient in range(n_patients):
            of = arm[trial, patient]
            if of < 0:
                outcome[trial, patient] = np.nan
                continue
            start = scores[trial, patient, 0] if change else 0.0
            for visit in range(n_visits):
                value = scores[trial, patient, columns[visit]] - start
                outcome[trial, patient, visit] = value
                if value == value:
                    counts[trial, of, visit] += 1


@_compiled
def find_filled(outcome, arm, values, filled):
    """Fill whether who has an outcome has each arm and each covariate other than 0, (trials, visits, both)."""
    n_trials, n_patients, n_visits = outcome.shape
    n_covariates = values.shape[2]
    n_arms = filled.shape[2] - n_covariates
    filled[:] = False
    for trial in range(n_trials):
        for patient in range(n_patients):
            of = arm[trial, patient]
            if of < 0:
                continue
            for visit in range(n_visits):
                value = outcome[trial, patient, visit]
                if value == value:
                    filled[trial, visit, of] = True
                    for covariate in range(n_covariates):
                        if values[trial, patient, covariate] != 0:
                            filled[trial, visit, n_arms + covariate] = True
