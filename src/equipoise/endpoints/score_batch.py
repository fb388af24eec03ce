"""The mixed model for the scores of many trials at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from ..some_rows import index_of_rows
from .batch import BatchEstimates
from .covariates import covariate_columns, of_same_levels, same
from .score_model import visits_with_enough
from .some_trials import fill_singly, with_covariates

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
        outcome, counts = _outcomes(protocol, trials)
        chosen, _ = visits_with_enough(protocol, counts, until)
        if not chosen.all():
            outcome[np.broadcast_to(~chosen[:, None], outcome.shape)] = np.nan
        seen = np.asarray(~np.isnan(outcome).all(axis=2))
        groups, odd = of_same_levels(protocol, trials, protocol.analysis.covariates, seen)
        for levels in groups:
            for part in same(chosen[levels], ~odd[levels]):
                rows = levels[part]
                some = with_covariates(trials, rows, protocol.analysis.covariates)
                taken = index_of_rows(rows, len(trials))
                done = _together(protocol, some, outcome[taken], seen[taken], chosen[rows[0]], weights)
                found[:, rows] = done
                alone[rows] = np.isnan(done[0])
    failures = fill_singly(found, alone, trials, single)
    return BatchEstimates.of(found[0], found[1], found[2], failures)


def _outcomes(protocol: Protocol, trials: TrialBatch) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Scores at the modelled visits, or their changes from baseline, NaN without a patient, shape (trials, patients,
    visits), and how many each arm has, shape (trials, arms, visits).
    """
    from .score_kernels import fill_outcomes

    columns = np.array([trials.visit_names.index(name) for name in protocol.modelled_visits])
    outcome = np.empty((*trials.arm.shape, len(columns)))
    counts = np.empty((len(trials), len(protocol.arm_names), len(columns)), dtype=np.intp)
    fill_outcomes(trials.scores, trials.arm, columns, protocol.analysis.outcome == "change", outcome, counts)
    return outcome, counts


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
    if not chosen.all():
        outcome = outcome[:, :, chosen]
    missing = np.asarray(np.isnan(values).any(axis=2))
    if missing.any():
        outcome = np.asarray(np.where(missing[:, :, None], np.nan, outcome))
    full = _no_empty_column(outcome, trials.arm, arms, values, np.array(by_visit, dtype=bool))
    rows = np.flatnonzero(full)
    if not len(rows):
        return found
    taken = index_of_rows(rows, len(trials))
    contrast = np.zeros(len(visits) * (arms + sum(by_visit)) + len(by_visit) - sum(by_visit))
    contrast[len(visits) : 2 * len(visits)] = wanted
    residual = analysis.degrees_of_freedom == "residual"
    fitted = fit_batch(
        outcome[taken],
        np.maximum(trials.arm[taken], 0),
        values[taken] if by_visit else None,
        by_visit=by_visit,
        contrast=contrast,
        method=analysis.method,
        degrees_of_freedom="normal" if residual else analysis.degrees_of_freedom,  # type: ignore[arg-type]
    )
    freedom = fitted.degrees_of_freedom
    if residual:
        freedom = np.asarray(~np.isnan(outcome[taken])).sum(axis=(1, 2)) - float(len(contrast))
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
    from .score_kernels import find_filled

    filled = np.empty((len(outcome), outcome.shape[2], arms + values.shape[2]), dtype=np.bool_)
    find_filled(outcome, arm, values, filled)
    by_arm, used = filled[:, :, :arms], filled[:, :, arms:]
    there = np.asarray(by_arm.any(axis=2)).all(axis=1) & by_arm[:, :, 1:].all(axis=(1, 2))
    return np.asarray(there & np.where(by_visit, used.all(axis=1), used.any(axis=1)).all(axis=1))
