"""Cox regression of times to an event on arm and covariates, of many trials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..batch import BatchEstimates
from ..regression.fitted import RegressionBatch, in_chunks, spread
from ..regression.newton import inverted
from ..regression.trials import many_trials
from .censored_times import checked_trials
from .cox_model import CoxModel, arm_weights

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["CoxBatch", "cox_trials"]


@dataclass(frozen=True, slots=True, eq=False)
class CoxBatch(RegressionBatch):
    """A Cox regression fitted to many trials; as `RegressionBatch`, but without an intercept.

    `log_likelihood` is the partial likelihood's.
    """

    def estimates(self, arm: int = 1, reference: int = 0) -> BatchEstimates:
        """Log hazard ratios of an arm against another (0 = control), with the normal distribution as reference."""
        weights = arm_weights(self.arms, arm, reference)
        arms = slice(0, self.arms - 1)
        variance = np.einsum("i,tij,j->t", weights, self.covariance[:, arms, arms], weights)
        reasons = {at: str(why) for at, why in self.failures.items()}
        return BatchEstimates.of(self.coefficients[:, arms] @ weights, np.sqrt(variance), failures=reasons)


def cox_trials(
    time: ArrayLike,
    event: ArrayLike,
    arm: ArrayLike,
    covariates: ArrayLike | None = None,
    *,
    strata: ArrayLike | None = None,
    names: Sequence[str] | None = None,
    drop_absent: bool = False,
) -> CoxBatch:
    """`cox_regression` of two arms in many trials, with Efron's ties.

    Without covariates `hazard_ratio_trials` gives the same estimates sooner.

    Parameters
    ----------
    time, event, arm
        Shape (trials, patients): follow-up (NaN where not known), event flags, and 0 (control), 1 (experimental) or -1
        (no patient, or one of another arm).
    covariates
        Shape (trials, patients, covariates), numeric; NaN where missing.
    strata
        Codes 0, 1, ... of shape (trials, patients), -1 where not known.
    names
        Of the covariates.
    drop_absent
        Whether covariates that are 0 for all patients analysed of a trial, as the indicator of a level that none of
        them has, are left out of its model; otherwise that trial fails.

    Raises
    ------
    InputError
        For arrays that do not fit each other or hold what they should not. A trial that cannot be fitted does not
        raise: its reason is among the `failures`.
    """
    given = checked_trials(time, event, arm, strata)
    trials = many_trials(np.where(given.present, given.time, np.nan), arm, covariates, names=names, arms=2)

    def fit(part: slice) -> CoxBatch:
        model = CoxModel.of(trials.only(part), given.only(part), True, drop_absent)
        sound = model.sound()
        found = model.climb(sound, model.likelihood.only(sound)) if sound.size else None
        design, back = model.design, model.back
        count = len(design.names) - 1
        coefficients, covariance = np.empty((0, count)), np.empty((0, count, count))
        fitted, log_likelihood = sound[:0], np.empty(0)
        if found is not None:
            fitted = sound[found.converged]
            found = found.only(found.converged)
            here = back[fitted]
            coefficients = np.matmul(here, found.parameters[:, :, None])[:, :, 0]
            covariance = np.matmul(np.matmul(here, inverted(found.information)), here.swapaxes(1, 2))
            log_likelihood = found.log_likelihood
            trial, column = np.nonzero(design.aliased[fitted, 1:])
            coefficients[trial, column] = np.nan
            covariance[trial, column, :] = np.nan
            covariance[trial, :, column] = np.nan
        size = len(design.arm)
        return CoxBatch(
            design.names[1:],
            design.arms,
            spread(size, fitted, coefficients),
            spread(size, fitted, covariance),
            spread(size, fitted, log_likelihood),
            design.patients,
            design.dropped,
            design.failures,
        )

    return in_chunks(fit, trials, 12 * given.time.shape[1])
