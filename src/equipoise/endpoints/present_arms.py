"""The arms that have patients to analyse, for regressions over all arms of a trial."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from .batch import BatchEstimates
from .covariates import same

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["by_present_arms", "present_arms"]


def _recoded(arm: NDArray[np.intp], present: list[int], arms: int) -> NDArray[np.intp]:
    """Arms counted among those present; an arm without patients to analyse as control, where they are of no account;
    -1 stays.
    """
    codes = np.zeros(arms + 1, dtype=np.intp)
    codes[present], codes[-1] = np.arange(len(present)), -1
    return codes[arm]


def present_arms(arm: NDArray[np.intp], kept: NDArray[np.bool_], arms: int) -> tuple[list[int], NDArray[np.intp]]:
    """Control, the experimental arm, and each other arm that has a patient to analyse; and the arms counted among them.

    Parameters
    ----------
    arm, kept
        Arm of each patient and whether she is analysed, shape (patients,).
    arms
        Number of arms, control included.
    """
    present = [0, 1, *(at for at in range(2, arms) if (kept & (arm == at)).any())]
    return present, _recoded(arm, present, arms)


def by_present_arms(
    arm: NDArray[np.intp],
    kept: NDArray[np.bool_],
    arms: int,
    fit: Callable[[NDArray[np.intp], NDArray[np.intp], int], BatchEstimates],
) -> BatchEstimates:
    """Estimates of many trials, those with patients in the same arms together.

    Parameters
    ----------
    arm, kept
        As for `present_arms`, shape (trials, patients); arm -1 where there is no patient.
    fit
        Estimates of the trials of these numbers, with the arms counted among those present and how many these are.
    """
    if arms == 2:
        return fit(np.arange(len(arm)), arm, arms)
    found, failures = np.full((3, len(arm)), np.nan), {}
    there = np.stack([(kept & (arm == at)).any(axis=1) for at in range(2, arms)], axis=1)
    for rows in same(there, np.ones(len(arm), dtype=bool)):
        present = [0, 1, *(2 + np.flatnonzero(there[rows[0]])).tolist()]
        part = fit(rows, _recoded(arm[rows], present, arms), len(present))
        found[:, rows] = part.effect, part.standard_error, part.degrees_of_freedom
        failures |= {int(rows[at]): why for at, why in part.failures.items()}
    return BatchEstimates.of(found[0], found[1], found[2], failures)
