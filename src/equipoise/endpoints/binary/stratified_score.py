"""Score limits of a risk difference over strata, of one trial or of many."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...checks import normal_quantile
from ...errors import InputError
from ...estimate import Interval
from ...sequential.root_arrays import rising_roots
from .restricted_rates import contrast_variance, restricted_rates
from .strata import Strata, one_trial_of, strata_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["stratified_score_interval", "stratified_score_limits"]


def _statistic(
    tables: tuple[NDArray[np.float64], ...], weight: NDArray[np.float64], null: NDArray[np.float64]
) -> NDArray[np.float64]:
    """z of trials at null differences; tables without patients have weight 0 and, in place of totals, 1."""
    events1, total1, events2, total2 = tables
    rate1, rate2, against = events1 / total1, events2 / total2, null[:, None]
    fitted = restricted_rates(rate1, rate2, total1, total2, against, "difference")
    patients = total1 + total2
    variance = contrast_variance(*fitted, total1, total2, against, "difference") * (patients / (patients - 1))
    distance = (weight * (rate1 - rate2 - against)).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(np.abs(distance) < 1e-300, 0.0, distance / np.sqrt((weight**2 * variance).sum(axis=1)))


def _limits(strata: Strata, level: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    z = normal_quantile(level)
    weight = strata.weight
    held = strata.patients > 0
    tables = (
        strata.events1,
        np.where(held, strata.total1, 1.0),
        strata.events2,
        np.where(held, strata.total2, 1.0),
    )
    whole = weight.sum(axis=1)
    some = whole > 0
    share = weight / np.where(some, whole, 1.0)[:, None]
    centre = (share * (tables[0] / tables[1] - tables[2] / tables[3])).sum(axis=1)
    spread = np.sqrt((share**2 * (0.5 / tables[1] + 0.5 / tables[3])).sum(axis=1))
    found = []
    for end in (-1.0, 1.0):
        limit = np.where(some, end, np.nan)
        chosen = np.flatnonzero(some & (np.abs(centre - end) > 1e-15))

        def excess(null: NDArray[np.float64], rows: NDArray[np.intp], chosen=chosen, bound=-end * z):
            at = chosen[rows]
            return bound - _statistic(tuple(part[at] for part in tables), share[at], null)

        ends = (np.full(chosen.size, end), centre[chosen])
        guess = np.clip(centre + end * z * spread, 0.5 * (centre - 1), 0.5 * (centre + 1))[chosen]
        if chosen.size:
            limit[chosen] = rising_roots(
                excess, guess, 1 / spread[chosen], bracket=ends if end < 0 else (ends[1], ends[0])
            )
        found.append(limit)
    return found[0], found[1]


def stratified_score_limits(
    events1: ArrayLike, total1: ArrayLike, events2: ArrayLike, total2: ArrayLike, level: float = 0.95
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Miettinen & Nurminen's score limits (1985, Stat Med 4:213) of a risk difference common to strata, trial by trial.

    The differences of the strata are weighted by Mantel & Haenszel's n1 n2 / (n1 + n2); each has its variance at the
    proportions most likely under the null difference, times N / (N - 1). At a null difference of 0 z is that of
    Cochran, Mantel & Haenszel.

    Parameters
    ----------
    events1, total1, events2, total2
        Counts of shape (trials, strata); strata with one group only drop out.
    level
        Two-sided confidence level.

    Returns
    -------
    lower, upper
        In [-1, 1], NaN where no stratum of a trial has both groups; shape (trials,).

    Raises
    ------
    InputError
        For counts that are not whole, negative or above their total.
    """
    strata = strata_of(events1, total1, events2, total2)
    if strata.patients.ndim != 2:
        raise InputError("events1", strata.patients.shape, "counts of two dimensions, trials and strata")
    return _limits(strata, level)


def stratified_score_interval(
    events1: ArrayLike, total1: ArrayLike, events2: ArrayLike, total2: ArrayLike, level: float = 0.95
) -> Interval:
    """Score interval of one trial's stratified risk difference, counts of shape (strata,); see
    `stratified_score_limits`. Raises `InputError` also where no stratum has both groups.
    """
    strata = one_trial_of(events1, total1, events2, total2)
    if not strata.patients.any():
        raise InputError("strata", "of one group each", "a stratum with patients of both groups")
    lower, upper = _limits(strata.alone, level)
    return Interval(float(lower[0]), float(upper[0]), level)
