"""Logistic regression of a response on arm and covariates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...checks import choice
from ...errors import InputError
from ...estimate import Better, Scale
from .design import Design, design_of, gradient_of, information_of, linear_predictor
from .fitted import RegressionBatch, RegressionFit, in_chunks, of_the_only, on_columns
from .newton import Climb, climb, inverted
from .trials import Trials, many_trials, one_trial

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["LogisticFit", "climb_logistic", "logistic_batch", "logistic_regression"]


@dataclass(frozen=True, slots=True, eq=False)
class LogisticLikelihood:
    """Binomial log-likelihoods of many trials; outcome and weights are 0 where nobody is analysed."""

    basis: NDArray[np.float64]
    outcome: NDArray[np.float64]
    present: NDArray[np.float64]
    aliased: NDArray[np.bool_]

    def at(
        self, parameters: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        predictor = linear_predictor(self.basis, parameters)
        small = np.exp(-np.abs(predictor))
        rest = 1.0 / (1.0 + small)
        risk = np.where(predictor >= 0, rest, small * rest)
        value = self.outcome * predictor - self.present * (np.maximum(predictor, 0.0) + np.log1p(small))
        gradient = gradient_of(self.basis, self.outcome - risk * self.present)
        return value.sum(axis=1), gradient, information_of(self.basis, small * rest * rest, self.aliased)

    def only(self, rows: NDArray[np.intp]) -> LogisticLikelihood:
        return LogisticLikelihood(self.basis[rows], self.outcome[rows], self.present[rows], self.aliased[rows])


def climb_logistic(design: Design, outcome: NDArray[np.float64]) -> tuple[NDArray[np.intp], Climb]:
    """Maximum likelihood on the columns of the design's basis, trial by trial.

    Trials without a maximum are added to the design's failures: an arm in which all or none responded, and covariates
    that separate those who responded from those who did not (Albert & Anderson 1984, Biometrika 71:1), where the
    likelihood rises for ever while some estimates run to infinity.

    Returns
    -------
    Numbers of the trials that have a maximum, and it.
    """
    present = design.present
    response = np.where(present, outcome, 0.0)
    events, sizes = design.by_arm(response).astype(int), design.sizes()
    for at in np.flatnonzero(((events == 0) | (events == sizes)).any(axis=1)):
        if int(at) not in design.failures:
            counts = ", ".join(f"{event}/{size}" for event, size in zip(events[at], sizes[at], strict=True))
            design.failures[int(at)] = InputError(
                "outcome", counts, "patients with and without the response in every arm (control first)"
            )
    rows = np.setdiff1d(np.arange(len(response)), list(design.failures))
    share = events[rows].sum(axis=1) / design.patients[rows]
    start = np.zeros((rows.size, len(design.names)))
    start[:, 0] = np.log(share / (1 - share))
    found = climb(
        LogisticLikelihood(design.basis[rows], response[rows], present[rows].astype(float), design.aliased[rows]), start
    )
    for at in np.flatnonzero(~found.converged):
        row = int(rows[at])
        design.failures[row] = InputError(
            "covariates",
            design.running_away(row, found.step[at]),
            "arms and covariates that do not separate those who responded from those who did not: the estimates run "
            "away to infinity",
        )
    return rows[found.converged], found.only(found.converged)


def binary_outcome(trials: Trials) -> Trials:
    """The trials, their outcome 0, 1 or NaN; raises `InputError` where it is not."""
    known = trials.outcome[~np.isnan(trials.outcome)]
    if not np.all((known == 0) | (known == 1)):
        raise InputError("outcome", np.unique(known), "1 with and 0 without the response, or NaN where missing")
    return trials


def _fit(trials: Trials, drop_absent: bool) -> RegressionBatch:
    design = design_of(trials, drop_absent=drop_absent)
    rows, found = climb_logistic(design, trials.outcome)
    return RegressionBatch(
        **on_columns(design, rows, found.parameters, inverted(found.information), found.log_likelihood)
    )


def logistic_batch(
    outcome: ArrayLike,
    arm: ArrayLike,
    covariates: ArrayLike | None = None,
    *,
    names: Sequence[str] | None = None,
    arms: int | None = None,
    drop_absent: bool = False,
) -> RegressionBatch:
    """`logistic_regression` of many trials.

    Parameters
    ----------
    outcome, arm
        Shape (trials, patients): 1 with, 0 without the response, NaN where missing; 0 for control, 1, 2, ... for the
        other arms, -1 where there is no patient.
    covariates
        Shape (trials, patients, covariates), numeric; NaN where missing.
    names
        Of the covariates.
    arms
        Number of arms, control included; as many as there are in the data when absent.
    drop_absent
        Whether covariates that are 0 for all patients analysed of a trial, as the indicator of a level that none of
        them has, are left out of its model; otherwise that trial fails.

    Raises
    ------
    InputError
        For arrays that do not fit. A trial that cannot be fitted raises nothing: it is NaN, and `failures` says why.
    """
    trials = binary_outcome(many_trials(outcome, arm, covariates, names=names, arms=arms))
    return in_chunks(lambda rows: _fit(trials.only(rows), drop_absent), trials)


@dataclass(frozen=True, slots=True, eq=False)
class LogisticFit(RegressionFit):
    """A logistic regression; coefficients are log odds ratios of the response, given arm and covariates."""

    @property
    def _kind(self) -> str:
        return "logistic regression"


def logistic_regression(
    outcome: ArrayLike,
    arm: ArrayLike,
    covariates: ArrayLike | None = None,
    *,
    names: Sequence[str] | None = None,
    arms: int | None = None,
    better: Better = "higher",
    label: str = "",
) -> LogisticFit:
    """Logistic regression of a response on arm and covariates, by maximum likelihood (Cox 1958, JRSS B 20:215).

    Parameters
    ----------
    outcome
        1 with, 0 without the response, NaN where missing; shape (patients,).
    arm
        0 (control), 1, 2, ... for each patient.
    covariates
        Shape (patients,) or (patients, covariates), numeric (factors as indicator columns); NaN where missing.
    names
        Of the covariates, for the table and for errors.
    arms
        Number of arms, control included; as many as there are in the data when absent.
    better
        Whether more or fewer responses are good; carried to the estimates.
    label
        What is analysed, for people.

    Returns
    -------
    LogisticFit
        Log odds ratios, standard errors from the information. Patients with a missing value are left out and counted.

    Raises
    ------
    InputError
        For an arm without patients, or in which all or none responded; a covariate that is constant or determined by
        the arms and the covariates before it; covariates that separate responders from the others, so that estimates
        run away to infinity. The covariate is named.
    """
    choice("better", better, ("higher", "lower"))
    batch = _fit(binary_outcome(one_trial(outcome, arm, covariates, names=names, arms=arms)), drop_absent=False)
    return LogisticFit(**of_the_only(batch), scale=Scale.LOG_ODDS_RATIO, better=better, label=label)
