"""Analysis of covariance of many trials at once, by cross-products."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...errors import InputError
from ..batch import BatchEstimates
from .ancova import ancova
from .cross_products import triangle_of
from .trials import Trials, chunks, many_trials

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from ...estimate import Estimate

__all__ = ["ancova_batch"]

# An outcome that the columns tell all but this share of has lost more digits than are kept.
_CLEARLY_SPREAD = 1e-4


def ancova_batch(
    outcome: ArrayLike,
    arm: ArrayLike,
    covariates: ArrayLike | None = None,
    *,
    names: Sequence[str] | None = None,
    arms: int | None = None,
) -> BatchEstimates:
    """Adjusted difference of arm 1 and control in each of many trials, as `ancova` gives it of one.

    By the triangle of the columns' cross-products, the arm last, so that it alone is solved for. A trial whose columns
    nearly depend on each other, whose outcome they all but determine, or that cannot be analysed is given to `ancova`
    by itself.

    Parameters
    ----------
    outcome
        NaN where missing, shape (trials, patients).
    arm
        0 for control, 1 for the experimental arm, 2, ... for others, -1 where there is no patient, shape (trials,
        patients).
    covariates
        NaN where missing, shape (trials, patients, covariates).
    names
        Of the covariates, for the reasons.
    arms
        Number of arms, control included; as the largest of all trials says where not given.

    Returns
    -------
    BatchEstimates
        With n - p degrees of freedom, and the reasons of `ancova` for what fails.

    Raises
    ------
    InputError
        When the arrays do not fit each other, or hold what they should not.
    """
    trials = many_trials(outcome, arm, covariates, names=names, arms=arms)
    found = np.full((3, len(trials)), np.nan)
    alone = np.zeros(len(trials), dtype=bool)
    width = trials.arm.shape[1] * (trials.covariates.shape[2] + trials.arms + 2)
    for rows in chunks(len(trials), width):
        found[:, rows], alone[rows] = _by_cross_products(trials.only(rows))
    failures: dict[int, str] = {}
    for at in np.flatnonzero(alone):
        try:
            one = _one(trials, at)
            found[:, at] = one.effect, one.standard_error, one.degrees_of_freedom
        except InputError as error:
            failures[int(at)] = str(error)
    return BatchEstimates.of(found[0], found[1], found[2], failures)


def _one(trials: Trials, at: np.intp) -> Estimate:
    here = trials.arm[at] >= 0
    arms = (trials.arm[at, here, None] == np.arange(1, trials.arms)).astype(float)
    return ancova(trials.outcome[at, here], arms, trials.covariates[at, here], names=trials.names).estimate


def _by_cross_products(trials: Trials) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Effect, standard error and degrees of freedom, shape (3, trials), and which trials need more care."""
    kept, count = trials.complete, trials.covariates.shape[2]
    first = count + trials.arms - 1
    columns = np.empty((len(trials), first + 1, kept.shape[1]))
    columns[:, :count] = np.moveaxis(trials.covariates, 2, 1)
    for at in range(1, trials.arms):
        columns[:, first - at] = trials.arm == at
    columns[:, -1] = trials.outcome
    found = triangle_of(columns, kept, first)
    freedom = kept.sum(axis=1) - first - 1
    sizes = np.stack([(kept & (trials.arm == at)).sum(axis=1) for at in range(trials.arms)], axis=1)
    fine = found.fine & (found.share[:, 0] > _CLEARLY_SPREAD) & (freedom > 0) & (sizes.min(axis=1) > 0)
    with np.errstate(all="ignore"):
        length = found.triangle[:, -2, -1]
        effect = found.triangle[:, -1, -1] / length
        error = np.sqrt(found.rest[:, 0, 0] / freedom) / length
    return np.stack([effect, error, freedom.astype(float)]), ~fine
