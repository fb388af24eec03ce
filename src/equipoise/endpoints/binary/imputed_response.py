"""Responses completed by multiple imputation, and what they say of the arms, pooled."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ...checks import choice, confidence_level
from ...errors import InputError
from ...estimate import Better, Estimate, Interval
from ..regression.logistic import logistic_regression
from .comparisons import SCALES, Comparison, compared
from .counting import count_tables
from .proportions import wilson_from
from .rubin import rubins_rules

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["impute_responses", "pooled_comparison", "pooled_risk"]


def impute_responses(
    response: NDArray[np.float64],
    arm: NDArray[np.intp],
    imputations: int,
    generator: np.random.Generator,
    covariates: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Completed responses, drawn under missing at random given arm and covariates.

    Without covariates, by the Bayesian bootstrap in each arm (Rubin 1981, Ann Stat 9:130): the arm's risk is drawn from
    the beta distribution with its events and non-events, which has the observed proportion as its mean; then each
    missing response. With covariates, by logistic regression: coefficients are drawn from the normal distribution
    around their maximum likelihood estimates, then the responses (Rubin 1987, section 5.3).

    Parameters
    ----------
    response
        1, 0, or NaN where missing; shape (patients,).
    arm
        Arm of each patient, 0 for control; shape (patients,).
    imputations
        How many completed data sets.
    generator
        Source of the draws.
    covariates
        Known of every patient, shape (patients, covariates).

    Returns
    -------
    Responses of shape (imputations, patients).

    Raises
    ------
    InputError
        When an arm has no response recorded; with covariates also as `logistic_regression`.
    """
    lost = np.isnan(response)
    completed = np.broadcast_to(response, (imputations, response.size)).copy()
    if not lost.any():
        return completed
    risk = np.empty((imputations, int(lost.sum())))
    if covariates is None:
        for chosen in np.unique(arm):
            seen = response[(arm == chosen) & ~lost]
            if seen.size == 0:
                raise InputError("seen in an arm", 0, "a response recorded in every arm, to impute the others from")
            events = float(seen.sum())
            drawn = generator.beta(events, seen.size - events, imputations) if 0 < events < seen.size else events > 0
            risk[:, arm[lost] == chosen] = np.broadcast_to(drawn, imputations)[:, None]
    else:
        fit = logistic_regression(response, arm, covariates)
        others = np.arange(1, int(arm.max()) + 1)
        design = np.column_stack([np.ones(arm.size), arm[:, None] == others, covariates])[lost]
        drawn = generator.multivariate_normal(fit.coefficients, fit.covariance, imputations, method="cholesky")
        risk[:] = 1 / (1 + np.exp(-(drawn @ design.T)))
    completed[:, lost] = generator.random(risk.shape) < risk
    return completed


def pooled_comparison(
    responses: NDArray[np.float64],
    arm: NDArray[np.intp],
    comparison: Comparison = "wald",
    better: Better = "higher",
    label: str = "",
    arms: tuple[int, int] = (1, 0),
) -> Estimate:
    """The comparison of two arms in each completed data set, pooled by Rubin's rules.

    Its degrees of freedom are Barnard and Rubin's, from the number of patients less two with complete data.

    Parameters
    ----------
    responses
        Completed, shape (imputations, patients).
    arm
        Arm of each patient, shape (patients,).
    comparison
        "wald", "risk-ratio" or "odds-ratio"; see `compare_tables`.
    better, label
        Carried to the estimate.
    arms
        The arms compared: experimental, control.

    Raises
    ------
    InputError
        When a completed data set has no such ratio; when nothing varies at all.
    """
    choice("comparison", comparison, ("wald", "risk-ratio", "odds-ratio"))
    tables = count_tables(responses, np.broadcast_to(arm, responses.shape), arms)
    effect, error, failures = compared(tables, comparison)
    patients = float(tables[1][0] + tables[3][0])
    if failures and (comparison != "wald" or not tables[1][0] or not tables[3][0]):
        first = next(iter(failures.values()))
        raise InputError(f"{first.field} of a completed data set", first.value, first.expected)
    if comparison == "wald":
        effect, error = tables[0] / tables[1] - tables[2] / tables[3], np.nan_to_num(error)
    pooled = rubins_rules(effect, error**2, max(patients - 2, 1.0))
    if pooled.missing_information == 1 or pooled.standard_error == 0:
        raise next(iter(failures.values()))
    return Estimate(
        float(pooled.effect),
        float(pooled.standard_error),
        float(pooled.degrees_of_freedom),
        scale=SCALES[comparison],
        better=better,
        label=label,
    )


def pooled_risk(
    responses: NDArray[np.float64], arm: NDArray[np.intp], chosen: int, level: float = 0.95
) -> tuple[float, Interval]:
    """Risk of one arm over the completed data sets, and its interval.

    Wilson's interval with the variance increased by what is missing and a t quantile (Lott & Reiter 2020, Am Stat
    74:109): all risks from which the pooled one lies within that many standard errors.

    Parameters
    ----------
    responses, arm
        As for `pooled_comparison`.
    chosen
        The arm.
    level
        Two-sided confidence level.
    """
    from scipy.special import stdtrit

    confidence_level(level)
    members = responses[:, arm == chosen]
    size = members.shape[1]
    if size == 0:
        raise InputError("arm", chosen, "an arm with patients")
    risks = members.mean(axis=1)
    pooled = rubins_rules(risks, risks * (1 - risks) / size, max(size - 1.0, 1.0))
    share, risk = float(pooled.missing_information), float(pooled.effect)
    t = -float(stdtrit(float(pooled.degrees_of_freedom), (1 - level) / 2))
    counting = size * (1 - share)
    if counting == 0 or not math.isfinite(t):
        return risk, Interval(0.0, 1.0, level)
    lower, upper = wilson_from(np.array(risk * counting), np.array(counting), t)
    return risk, Interval(float(lower), float(upper), level)
