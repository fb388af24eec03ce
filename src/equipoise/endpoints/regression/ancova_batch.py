"""Analysis of covariance of many trials at once, by cross-products."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...errors import InputError
from ..batch import BatchEstimates
from .ancova import ancova
from .trials import Trials, chunks, many_trials

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from ...estimate import Estimate

__all__ = ["ancova_batch"]

# Pivots of scaled cross-products below these shares have lost more digits than are kept: such trials go by themselves.
_CLEARLY_INDEPENDENT = 1e-3
_CLEARLY_VARIES = 1e-4
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

    Columns are centred and scaled over the patients analysed and the triangle of their cross-products is found, the
    arm last, so that it alone is solved for. A trial whose columns nearly depend on each other, whose outcome they all
    but determine, or that cannot be analysed is given to `ancova` by itself.

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
    kept = trials.complete
    share = 1.0 / np.maximum(kept.sum(axis=1), 1)[:, None]
    count = trials.covariates.shape[2]
    size = count + trials.arms
    columns = np.empty((len(trials), size, kept.shape[1]))
    columns[:, :count] = np.moveaxis(trials.covariates, 2, 1)
    for at in range(1, trials.arms):
        columns[:, count + trials.arms - 1 - at] = trials.arm == at
    columns[:, -1] = trials.outcome
    np.copyto(columns, 0.0, where=~kept[:, None])
    raw = np.einsum("tcp,tcp->tc", columns, columns) * share
    columns -= (columns.sum(axis=2) * share)[:, :, None]
    np.copyto(columns, 0.0, where=~kept[:, None])
    products = np.matmul(columns, columns.swapaxes(1, 2))
    squares = np.diagonal(products, axis1=1, axis2=2) * share
    fine = (squares > _CLEARLY_VARIES**2 * raw).all(axis=1)
    scale = np.sqrt(np.where(squares > 0, squares / share, 1.0))
    products /= scale[:, :, None] * scale[:, None, :]
    triangle = np.zeros_like(products)
    for at in range(size):
        before = triangle[:, :, :at]
        rest = products[:, at:, at] - np.matmul(before[:, at:], before[:, at, :, None])[:, :, 0]
        pivot = rest[:, 0]
        fine &= pivot > (_CLEARLY_INDEPENDENT if at < size - 1 else _CLEARLY_SPREAD)
        triangle[:, at:, at] = rest / np.sqrt(np.where(fine, pivot, 1.0))[:, None]
    freedom = kept.sum(axis=1) - size
    fine &= freedom > 0
    sizes = np.stack([(kept & (trials.arm == at)).sum(axis=1) for at in range(trials.arms)], axis=1)
    fine &= sizes.min(axis=1) > 0
    length = triangle[:, -2, -2] * scale[:, -2]
    residual = triangle[:, -1, -1] * scale[:, -1] / np.sqrt(np.maximum(freedom, 1))
    with np.errstate(all="ignore"):
        effect = triangle[:, -1, -2] * scale[:, -1] / length
        error = residual / length
    return np.stack([effect, error, freedom.astype(float)]), ~fine
