"""Analysis of covariance of many trials at once, by cross-products."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...errors import InputError
from ..batch import BatchEstimates
from .ancova import ancova
from .cross_products import triangle_of
from .trials import Trials, many_trials

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from ...estimate import Estimate

__all__ = ["ancova_batch", "ancova_of"]

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
    return ancova_of(many_trials(outcome, arm, covariates, names=names, arms=arms))


def ancova_of(trials: Trials, before: NDArray[np.float64] | None = None) -> BatchEstimates:
    """`ancova_batch` of trials that are checked already; `before` (trials, patients) is taken from the outcome."""
    found, alone = _by_cross_products(trials, before)
    failures: dict[int, str] = {}
    for at in np.flatnonzero(alone):
        try:
            one = _one(trials, before, at)
            found[:, at] = one.effect, one.standard_error, one.degrees_of_freedom
        except InputError as error:
            failures[int(at)] = str(error)
    return BatchEstimates.of(found[0], found[1], found[2], failures)


def _one(trials: Trials, before: NDArray[np.float64] | None, at: np.intp) -> Estimate:
    here = trials.arm[at] >= 0
    arms = (trials.arm[at, here, None] == np.arange(1, trials.arms)).astype(float)
    outcome = trials.outcome[at, here] if before is None else (trials.outcome[at] - before[at])[here]
    return ancova(outcome, arms, trials.covariates[at, here], names=trials.names).estimate


def _by_cross_products(
    trials: Trials, before: NDArray[np.float64] | None
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Effect, standard error and degrees of freedom, shape (3, trials), and which trials need more care."""
    found = triangle_of(
        trials.covariates,
        trials.arm,
        trials.outcome[:, :, None],
        trials.arms,
        before=None if before is None else before[:, :, None],
    )
    freedom = found.sizes.sum(axis=1) - trials.covariates.shape[2] - trials.arms
    fine = found.fine & (found.share[:, 0] > _CLEARLY_SPREAD) & (freedom > 0) & (found.sizes.min(axis=1) > 0)
    with np.errstate(all="ignore"):
        length = found.triangle[:, -2, -1]
        effect = found.triangle[:, -1, -1] / length
        error = np.sqrt(found.rest[:, 0, 0] / freedom) / length
    return np.stack([effect, error, freedom.astype(float)]), ~fine
