"""The mixed model for the scores of many trials at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from .batch import BatchEstimates
from .covariates import covariate_columns, of_same_levels, same
from .score_model import modelled_scores, visits_with_enough
from .some_trials import fill_singly, some_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..data import TrialData
    from ..estimate import Estimate
    from ..protocol import Protocol
    from ..trial_batch import TrialBatch

__all__ = ["score_batch"]

Weights = Callable[[Sequence[str]], "NDArray[np.float64]"]


def score_batch(
    protocol: Protocol, trials: TrialBatch, until: str, weights: Weights, single: Callable[[TrialData], Estimate]
) -> BatchEstimates:
    """One contrast of the mixed model, experimental arm minus control, of many trials.

    Trials whose model has the same columns (the visits that enter, the levels that patients have) are fitted together
    by `fit_batch`. A trial with an empty column (an arm not seen at a visit), one that `fit_batch` could not fit, and
    all trials under options that it does not know go to `single`, which has the last word on whether and why there is
    no estimate.

    Parameters
    ----------
    until
        The last visit that is asked about.
    weights
        Of the differences at the visits of a model, by their names; raises `InputError` where one is wanting.
    single
        The estimate of one trial.
    """
    found = np.full((3, len(trials)), np.nan)
    alone = np.ones(len(trials), dtype=bool)
    if _fits_together(protocol):
        outcome = modelled_scores(protocol, trials)
        chosen, _ = visits_with_enough(protocol, outcome, trials.arm, until)
        outcome = np.asarray(np.where(chosen[:, None] & (trials.arm >= 0)[:, :, None], outcome, np.nan))
        seen = np.asarray(~np.isnan(outcome).all(axis=2))
        groups, odd = of_same_levels(protocol, trials, protocol.analysis.covariates, seen)
        for levels in groups:
            for part in same(chosen[levels], ~odd[levels]):
                rows = levels[part]
                done = _together(protocol, some_of(trials, rows), outcome[rows], seen[rows], chosen[rows[0]], weights)
                found[:, rows] = done
                alone[rows] = np.isnan(done[0])
    failures = fill_singly(found, alone, trials, single)
    return BatchEstimates.of(found[0], found[1], found[2], failures)


def _fits_together(protocol: Protocol) -> bool:
    analysis = protocol.analysis
    return (
        analysis.covariance == "unstructured"
        and not analysis.covariance_by_arm
        and analysis.variance == "model"
        and analysis.degrees_of_freedom in ("satterthwaite", "kenward-roger", "residual", "normal")
        and not (analysis.degrees_of_freedom == "kenward-roger" and analysis.method != "reml")
    )


def _together(
    protocol: Protocol,
    trials: TrialBatch,
    outcome: NDArray[np.float64],
    seen: NDArray[np.bool_],
    chosen: NDArray[np.bool_],
    weights: Weights,
) -> NDArray[np.float64]:
    """Effect, standard error and degrees of freedom of trials whose models have the same columns, shape (3, trials);
    NaN of those that have to go by themselves.
    """
    from ..mixed import fit_batch

    analysis, arms = protocol.analysis, len(protocol.arm_names)
    found = np.full((3, len(trials)), np.nan)
    visits = [name for name, taken in zip(protocol.modelled_visits, chosen, strict=True) if taken]
    try:
        wanted = weights(visits)
    except InputError:
        return found
    columns = [covariate_columns(protocol, trials, name, seen) for name in analysis.covariates]
    values = np.concatenate([np.empty((*trials.arm.shape, 0)), *(found for _, found, _ in columns)], axis=2)
    by_visit = [
        name in analysis.by_visit
        for name, (labels, _, _) in zip(analysis.covariates, columns, strict=True)
        for _ in labels
    ]
    complete = ~np.isnan(values).any(axis=2, keepdims=True)
    outcome = np.asarray(np.where(complete, outcome[:, :, chosen], np.nan))
    full = _no_empty_column(outcome, trials.arm, arms, values, np.array(by_visit, dtype=bool))
    rows = np.flatnonzero(full)
    if not len(rows):
        return found
    contrast = np.zeros(len(visits) * (arms + sum(by_visit)) + len(by_visit) - sum(by_visit))
    contrast[len(visits) : 2 * len(visits)] = wanted
    residual = analysis.degrees_of_freedom == "residual"
    fitted = fit_batch(
        outcome[rows],
        np.maximum(trials.arm[rows], 0),
        values[rows] if by_visit else None,
        by_visit=by_visit,
        contrast=contrast,
        method=analysis.method,
        degrees_of_freedom="normal" if residual else analysis.degrees_of_freedom,  # type: ignore[arg-type]
    )
    freedom = fitted.degrees_of_freedom
    if residual:
        freedom = (~np.isnan(outcome[rows])).sum(axis=(1, 2)) - float(len(contrast))
    found[:, rows] = np.where(fitted.converged, [fitted.effect, fitted.standard_error, freedom], np.nan)
    return found


def _no_empty_column(
    outcome: NDArray[np.float64],
    arm: NDArray[np.intp],
    arms: int,
    values: NDArray[np.float64],
    by_visit: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Trials that have an outcome where each column of the model is not 0, shape (trials,)."""
    there = np.asarray(~np.isnan(outcome))
    filled = [there.any(axis=1)]
    filled += [(there & (arm == at)[:, :, None]).any(axis=1) for at in range(1, arms)]
    if len(by_visit):
        used = np.einsum("tpv,tpc->tcv", there.astype(float), (np.nan_to_num(values) != 0).astype(float)) > 0
        filled.append(np.where(by_visit[:, None], used, used.any(axis=2, keepdims=True)).reshape(len(arm), -1))
    return np.asarray(np.concatenate(filled, axis=1).all(axis=1))
