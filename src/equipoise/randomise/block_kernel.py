"""The kernel of permuted blocks."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

__all__ = ["fill_blocks"]

_compiled: Any = numba.njit(cache=True, nogil=True, error_model="numpy")


@_compiled
def fill_blocks(uniform, contents, strata, n_strata, arms):
    """Fill `arms` (trials, patients).

    Parameters
    ----------
    uniform
        (trials, patients, 2).
    contents
        Allocations to each arm in a block of each size, (sizes, arms).
    strata
        (trials or 1, patients).
    """
    n_trials, n_patients = arms.shape
    sizes, n_arms = contents.shape
    open_places = np.empty((n_strata, n_arms), dtype=np.int64)
    remaining = np.empty(n_strata, dtype=np.int64)
    for trial in range(n_trials):
        remaining[:] = 0
        of = trial if strata.shape[0] > 1 else 0
        for patient in range(n_patients):
            stratum = strata[of, patient]
            if remaining[stratum] == 0:
                size = min(np.int64(uniform[trial, patient, 0] * sizes), sizes - 1)
                for arm in range(n_arms):
                    open_places[stratum, arm] = contents[size, arm]
                    remaining[stratum] += contents[size, arm]
            place = min(np.int64(uniform[trial, patient, 1] * remaining[stratum]), remaining[stratum] - 1)
            # without a branch, as no guess of the next arm would do
            arm, further = 0, 1
            for other in range(n_arms - 1):
                further &= np.int64(place >= open_places[stratum, other])
                place -= further * open_places[stratum, other]
                arm += further
            open_places[stratum, arm] -= 1
            remaining[stratum] -= 1
            arms[trial, patient] = arm
