"""Regressions of an outcome on arm and covariates of the protocol: their columns, and many trials at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..some_rows import are_all_rows
from ..wording import clean, listed
from .batch import BatchEstimates
from .covariates import covariate_columns, of_same_levels
from .some_trials import fill_singly, with_covariates

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..data import TrialData
    from ..estimate import Estimate
    from ..protocol import Protocol
    from ..trial_batch import TrialBatch

__all__ = ["adjusted_batch", "covariates_text", "left_out", "model_columns"]


def model_columns(
    protocol: Protocol, data: TrialData | TrialBatch, covariates: Sequence[str], outcome: NDArray[np.float64]
) -> tuple[list[str], NDArray[np.float64]]:
    """Names of the covariates' columns and their values, NaN where missing, shape (..., patients, columns).

    Levels that nobody with an outcome has get no column. Raises `InputError` for a covariate that the data lack.
    """
    found = [covariate_columns(protocol, data, name, ~np.isnan(outcome)) for name in covariates]
    names = [label for labels, _, _ in found for label in labels]
    return names, np.concatenate([np.empty((*outcome.shape, 0)), *(columns for _, columns, _ in found)], axis=-1)


def adjusted_batch(
    protocol: Protocol,
    trials: TrialBatch,
    covariates: Sequence[str],
    outcome: NDArray[np.float64],
    fit: Callable[[NDArray[np.intp], list[str], NDArray[np.float64]], BatchEstimates],
    single: Callable[[TrialData], Estimate],
    refused: NDArray[np.bool_] | None = None,
) -> BatchEstimates:
    """Estimates of many trials, those whose covariates make the same columns together.

    Parameters
    ----------
    outcome
        NaN where missing or where there is no patient, shape (trials, patients).
    fit
        Estimates of the trials of these numbers, with names and values (trials, patients, columns) of the covariates.
    single
        The estimate of one trial, for those that hold a level the protocol does not know: it says why there is none.
    refused
        Trials that hold something else that `fit` would not take, shape (trials,); they go to `single` too.
    """
    found, failures = np.full((3, len(trials)), np.nan), {}
    groups, odd = of_same_levels(protocol, trials, covariates, ~np.isnan(outcome))
    odd = odd if refused is None else odd | refused
    for group in groups:
        rows = group[~odd[group]]
        if are_all_rows(rows, len(trials)):
            names, values = model_columns(protocol, trials, covariates, outcome)
        else:
            part = with_covariates(trials, rows, covariates)
            names, values = model_columns(protocol, part, covariates, outcome[rows])
        some = fit(rows, names, values)
        found[:, rows] = some.effect, some.standard_error, some.degrees_of_freedom
        failures |= {int(rows[at]): reason for at, reason in some.failures.items()}
    failures |= fill_singly(found, odd, trials, single)
    return BatchEstimates.of(found[0], found[1], found[2], failures)


def covariates_text(covariates: Sequence[str]) -> str:
    """Names of the covariates in a row, or "none"."""
    return listed([clean(name) for name in covariates]) or "none"


def left_out(kept: NDArray[np.bool_], why: str, covariates: Sequence[str]) -> tuple[str, ...]:
    """A note on the patients who do not enter the model, if there are any."""
    out = int((~kept).sum())
    lacking = ", or a covariate missing" if covariates else ""
    return (f"{out} of {len(kept)} patients left out: {why}{lacking}",) if out else ()
