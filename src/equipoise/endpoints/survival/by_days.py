"""Times to an event of many trials compared by counting days, where all events fall on whole days.

The same estimates as of the sorted times, up to rounding, several times faster. Trials with an event within a day, or
with times that cannot be, are left to the sorted way, which also says what is wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..batch import BatchEstimates
from .cox_two_arms import LONGEST_STEP, SETTLED, STALLED, no_hazard_ratio
from .curves import no_difference
from .log_rank import no_test

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Found = tuple[BatchEstimates, NDArray[np.bool_]]

__all__ = ["hazard_ratio_by_days", "log_rank_by_days", "mean_sums_by_days", "restricted_mean_by_days"]


def _strata(arm: NDArray[np.intp], strata: NDArray[np.intp] | None) -> tuple[NDArray[np.intp], int]:
    if strata is None:
        return np.empty((len(arm), 0), dtype=np.intp), 1
    return np.ascontiguousarray(strata), int(strata.max(initial=0)) + 1


def _plain(*arrays: NDArray[Any]) -> list[NDArray[Any]]:
    return [np.ascontiguousarray(values) for values in arrays]


def log_rank_by_days(
    time: NDArray[np.float64], event: NDArray[np.bool_], arm: NDArray[np.intp], strata: NDArray[np.intp] | None = None
) -> Found:
    """One-step log hazard ratios of the log-rank test, as `log_rank_trials` finds them.

    Parameters
    ----------
    time
        NaN where not known, shape (trials, patients).
    event, arm
        In that shape; arms other than 0 (control) and 1 (experimental) are left out.
    strata
        Codes from 0, negative where not known, in that shape.

    Returns
    -------
    The estimates, and which trials were left out, shape (trials,).
    """
    from .day_kernels import log_rank_sums

    found, passed = np.zeros((6, len(arm))), np.zeros(len(arm), dtype=np.uint8)
    log_rank_sums(*_plain(time, event, arm), *_strata(arm, strata), found, passed)
    left, variance = passed.astype(bool), found[2]
    failures = {
        at: str(no_test(found[4:, at].astype(int).tolist(), int(found[3, at])))
        for at in np.flatnonzero(~left & (variance <= 0)).tolist()
    }
    error = 1 / np.sqrt(np.where(~left & (variance > 0), variance, np.nan))
    return BatchEstimates.of((found[0] - found[1]) * error * error, error, failures=failures), left


def hazard_ratio_by_days(
    time: NDArray[np.float64], event: NDArray[np.bool_], arm: NDArray[np.intp], strata: NDArray[np.intp] | None = None
) -> Found:
    """Cox's log hazard ratios, as `hazard_ratio_trials` finds them; parameters as of `log_rank_by_days`."""
    from .day_kernels import hazard_ratio_sums

    found, passed = np.zeros((6, len(arm))), np.zeros(len(arm), dtype=np.uint8)
    bounds = (SETTLED, STALLED, LONGEST_STEP)
    hazard_ratio_sums(*_plain(time, event, arm), *_strata(arm, strata), *bounds, found, passed)
    left = passed.astype(bool)
    failures = {
        at: str(no_hazard_ratio(found[4:, at].astype(int).tolist(), int(found[3, at]), int(found[2, at])))
        for at in np.flatnonzero(~left & np.isnan(found[0])).tolist()
    }
    return BatchEstimates.of(found[0], found[1] ** -0.5, failures=failures), left


def mean_sums_by_days(
    time: NDArray[np.float64], event: NDArray[np.bool_], arm: NDArray[np.intp], horizon: float | None
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Areas under the product-limit curves of both arms as `mean_sums` gives them, and which trials were left out."""
    from .day_kernels import mean_sums

    found, passed = np.zeros((11, len(arm))), np.zeros(len(arm), dtype=np.uint8)
    mean_sums(*_plain(time, event, arm), np.nan if horizon is None else float(horizon), found, passed)
    return found, passed.astype(bool)


def restricted_mean_by_days(
    time: NDArray[np.float64], event: NDArray[np.bool_], arm: NDArray[np.intp], horizon: float
) -> Found:
    """Differences of restricted means, as `restricted_mean_trials` finds them; parameters as of `log_rank_by_days`."""
    found, left = mean_sums_by_days(time, event, arm, horizon)
    error, known = np.sqrt(found[2] + found[7]), found[[3, 8]].T
    failures = {
        at: str(no_difference(known[at].tolist(), horizon))
        for at in np.flatnonzero(~left & ((known.min(axis=1) < horizon) | (error == 0))).tolist()
    }
    return BatchEstimates.of(found[6] - found[1], error, failures=failures), left
