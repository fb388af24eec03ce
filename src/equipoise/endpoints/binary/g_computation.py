"""Risks that arms would have in the same patients, by standardisation over their covariates (g-computation)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from ...checks import choice
from ...errors import InputError
from ...estimate import Better
from ..regression.design import Design, design_of
from ..regression.fitted import spread
from ..regression.logistic import binary_outcome, climb_logistic
from ..regression.newton import inverted
from ..regression.robust import ROBUST, Robust, sandwich
from ..regression.trials import Trials, chunks, many_trials, one_trial
from .marginal_risks import Contrast, Family, MarginalBatch, MarginalRisks

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["Contrast", "MarginalBatch", "MarginalRisks", "g_computation", "g_computation_batch"]

Variance = Literal["ye", "ge"]


@dataclass(frozen=True, slots=True)
class _Options:
    """How the model is made and the variance taken; see `g_computation`."""

    family: Family
    variance: Variance
    sandwich: Robust | Literal["model"]
    interactions: tuple[int, ...]
    drop_absent: bool

    @classmethod
    def of(
        cls,
        trials: Trials,
        family: str,
        variance: str,
        sandwich: str,
        interactions: bool | Sequence[int],
        drop_absent: bool = False,
    ) -> _Options:
        covariates = len(trials.names)
        if isinstance(interactions, bool):
            interacting = tuple(range(covariates)) if interactions else ()
        else:
            interacting = tuple(interactions)
            if any(not 0 <= at < covariates for at in interacting) or len(set(interacting)) < len(interacting):
                raise InputError("interactions", interactions, f"numbers of covariates from 0 to {covariates - 1}")
        return cls(
            choice("family", family, ("logistic", "linear")),
            choice("variance", variance, ("ye", "ge")),
            choice("sandwich", sandwich, ("model", *ROBUST)),
            interacting,
            drop_absent,
        )


def _with_interactions(trials: Trials, kept: NDArray[np.bool_], interactions: tuple[int, ...]) -> Trials:
    """Covariates centred and scaled over the patients analysed, then their products with each arm but control."""
    count = np.maximum(kept.sum(axis=1), 1)[:, None, None]
    values = np.where(kept[:, :, None], trials.covariates, 0.0)
    values = np.where(kept[:, :, None], values - values.sum(axis=1, keepdims=True) / count, 0.0)
    size = np.sqrt((values * values).sum(axis=1, keepdims=True) / count)
    offset = np.abs(np.where(kept[:, :, None], trials.covariates, 0.0)).max(axis=1, keepdims=True, initial=0.0)
    level = size <= 1e-12 * offset
    values = np.where(level, 0.0, values / np.where(level, 1.0, size))
    products = [values[:, :, at] * (trials.arm == arm) for arm in range(1, trials.arms) for at in interactions]
    names = tuple(f"arm {arm} x {trials.names[at]}" for arm in range(1, trials.arms) for at in interactions)
    columns = np.concatenate([values, *(product[:, :, None] for product in products)], axis=2)
    return Trials(trials.outcome, trials.arm, columns, trials.names + names, trials.arms)


def _predicted(
    design: Design, trials: Trials, rows: NDArray[np.intp], coefficients: NDArray[np.float64], options: _Options
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Every patient's expected outcome had she been in each arm, (rows, arms, patients), and the mean over patients of
    its derivatives by the coefficients of the design's columns, (rows, arms, coefficients).
    """
    covariates = np.moveaxis(trials.covariates[rows], 2, 1)
    present, patients = design.present[rows], design.patients[rows]
    others, plain = design.arms - 1, covariates.shape[1] - (design.arms - 1) * len(options.interactions)
    interacting = covariates[:, list(options.interactions)]
    main = coefficients[:, None, 1 + others : 1 + others + plain]
    fixed = coefficients[:, :1] + np.matmul(main, covariates[:, :plain])[:, 0]
    expected = np.empty((rows.size, design.arms, covariates.shape[2]))
    slopes = np.zeros((rows.size, design.arms, coefficients.shape[1]))
    for arm in range(design.arms):
        predictor = fixed
        first = 1 + others + plain + (arm - 1) * len(options.interactions)
        own = slice(first, first + len(options.interactions))
        if arm:
            predictor = fixed + coefficients[:, arm, None] + np.matmul(coefficients[:, None, own], interacting)[:, 0]
        if options.family == "linear":
            mean, steep = predictor, present.astype(float)
        else:
            small = np.exp(-np.abs(predictor))
            mean = np.where(predictor >= 0, 1.0, small) / (1 + small)
            steep = np.where(present, small / (1 + small) ** 2, 0.0)
        expected[:, arm] = np.where(present, mean, 0.0)
        share = steep / patients[:, None]
        slopes[:, arm, 0] = share.sum(axis=1)
        slopes[:, arm, 1 + others : 1 + others + plain] = np.matmul(covariates[:, :plain], share[:, :, None])[:, :, 0]
        if arm:
            slopes[:, arm, arm] = slopes[:, arm, 0]
            slopes[:, arm, own] = np.matmul(interacting, share[:, :, None])[:, :, 0]
    return expected, slopes


def _robust_covariance(
    outcome: NDArray[np.float64],
    expected: NDArray[np.float64],
    member: NDArray[np.float64],
    strata: NDArray[np.intp] | None,
) -> NDArray[np.float64]:
    """Unconditional covariance of the standardised risks (Ye, Bannick, Yi & Shao 2023), shape (trials, arms, arms).

    The variance of an arm's residuals is put together from that of its outcomes, that of the predictions over all
    patients and their covariance in the arm, which uses the covariates of the other arms too.

    Parameters
    ----------
    outcome
        0 where nobody is analysed, shape (trials, patients).
    expected
        In each arm, 0 where nobody is analysed, shape (trials, arms, patients).
    member
        1 for the patients of each arm, else 0, shape (trials, arms, patients).
    strata
        Of a randomisation balanced within them, numbered from 0, shape (trials, patients).
    """
    sizes = member.sum(axis=2)
    patients = sizes.sum(axis=1)[:, None, None]
    present = member.sum(axis=1)[:, None]
    centred = np.where(present > 0, expected - expected.sum(axis=2, keepdims=True) / patients, 0.0)
    between = np.matmul(centred, centred.swapaxes(1, 2)) / (patients - 1)
    own_mean = (member * outcome[:, None]).sum(axis=2) / sizes
    own = member * (outcome[:, None] - own_mean[:, :, None])
    within = np.matmul(own, centred.swapaxes(1, 2)) / (sizes - 1)[:, :, None]
    share = sizes / patients[:, :, 0]
    covariance = within + within.swapaxes(1, 2) - between
    at = np.arange(sizes.shape[1])
    own_variance = (own * own).sum(axis=2) / (sizes - 1)
    covariance[:, at, at] += (own_variance + between[:, at, at] - 2 * within[:, at, at]) / share
    if strata is not None:
        imbalance = -share[:, :, None] * share[:, None]
        imbalance[:, at, at] += share
        for stratum in range(int(strata.max(initial=0)) + 1):
            inside = member * (strata == stratum)[:, None]
            counts = inside.sum(axis=2)
            mean = (inside * (outcome[:, None] - expected)).sum(axis=2) / np.maximum(counts, 1) / share
            weight = counts.sum(axis=1)[:, None, None] / patients
            covariance -= weight * mean[:, :, None] * imbalance * mean[:, None]
    return covariance / patients


def _fit(trials: Trials, options: _Options, strata: NDArray[np.intp] | None) -> MarginalBatch:
    kept = trials.complete
    trials = _with_interactions(trials, kept, options.interactions)
    design = design_of(trials, kept, drop_absent=options.drop_absent)
    sizes = design.sizes()
    least = 2 if options.variance == "ye" else 1
    for at in np.flatnonzero((sizes < least).any(axis=1)):
        design.failures.setdefault(
            int(at),
            InputError("arm", sizes[at].tolist(), f"at least {least} patients with complete data in every arm"),
        )
    outcome = np.where(design.present, trials.outcome, 0.0)
    if options.family == "logistic":
        rows, found = climb_logistic(design, trials.outcome)
        fitted, information = found.parameters, found.information
    else:
        rows = np.setdiff1d(np.arange(len(trials)), list(design.failures))
        information = np.broadcast_to(np.eye(len(design.names)), (rows.size, len(design.names), len(design.names)))
        information = information * design.patients[rows][:, None, None]
        fitted = np.matmul(design.basis[rows], outcome[rows][:, :, None])[:, :, 0] / design.patients[rows][:, None]
    basis, back, response = design.basis[rows], design.back[rows], outcome[rows]
    coefficients = np.matmul(back, fitted[:, :, None])[:, :, 0]
    expected, slopes = _predicted(design, trials, rows, coefficients, options)
    patients = design.patients[rows]
    risks = expected.sum(axis=2) / patients[:, None]
    member = (design.arm[rows][:, None] == np.arange(design.arms)[:, None]).astype(float)
    if options.variance == "ye":
        covariance = _robust_covariance(response, expected, member, None if strata is None else strata[rows])
    else:
        own = (member * expected).sum(axis=1)
        weight = own * (1 - own) if options.family == "logistic" else design.present[rows].astype(float)
        inverse = inverted(information)
        if options.sandwich == "model":
            spent = (~design.aliased[rows]).sum(axis=1)
            scale = ((response - own) ** 2).sum(axis=1) / np.maximum(patients - spent, 1)
            inner = inverse if options.family == "logistic" else inverse * scale[:, None, None]
        else:
            inner = sandwich(basis, response - own, weight, inverse, options.sandwich)
        slopes = np.matmul(slopes, back) * ~design.aliased[rows][:, None]
        covariance = np.matmul(np.matmul(slopes, inner), slopes.swapaxes(1, 2))
    rounding = 1e-26 * (response * response).max(axis=1, initial=0.0)
    positive = np.linalg.eigvalsh(covariance)[:, 0] > rounding
    for row in rows[~positive].tolist():
        design.failures[row] = InputError(
            "patients", int(design.patients[row]), "more patients, for the risks to have a positive variance"
        )
    rows, risks, covariance = rows[positive], risks[positive], covariance[positive]
    return MarginalBatch(
        spread(len(trials), rows, risks),
        spread(len(trials), rows, covariance),
        design.patients,
        design.dropped,
        design.failures,
        options.family,
    )


def _strata(strata: ArrayLike | None, arm: NDArray[np.intp]) -> NDArray[np.intp] | None:
    """Numbers of the strata in the shape of `arm`, 0 where there is no patient."""
    if strata is None:
        return None
    labels = strata if isinstance(strata, np.ndarray) else np.asarray(strata, dtype=object)
    if labels.shape != arm.shape:
        raise InputError("strata", labels.shape, f"one label a patient, shape {arm.shape}")
    codes, present = np.zeros(arm.shape, dtype=np.intp), arm >= 0
    given = labels[present]
    try:
        if given.dtype.kind == "O":
            missing = np.array([label is None or bool(label != label) or label == "" for label in given], dtype=bool)
        else:
            missing = (given != given) | (given == "" if given.dtype.kind == "U" else False)
        if missing.any():
            raise InputError("strata", given[missing].tolist()[0], "a label for every patient")
        codes[present] = np.unique(given, return_inverse=True)[1]
    except TypeError:
        raise InputError("strata", strata, "labels of one kind, numbers or texts, for every patient") from None
    return codes


def g_computation_batch(
    outcome: ArrayLike,
    arm: ArrayLike,
    covariates: ArrayLike | None = None,
    *,
    family: Family = "logistic",
    variance: Variance = "ye",
    sandwich: Robust | Literal["model"] = "HC0",
    interactions: bool | Sequence[int] = False,
    strata: ArrayLike | None = None,
    names: Sequence[str] | None = None,
    arms: int | None = None,
    drop_absent: bool = False,
) -> MarginalBatch:
    """`g_computation` of many trials.

    Parameters
    ----------
    outcome, arm, strata
        Shape (trials, patients): NaN where missing; 0 for control, 1, 2, ... for the other arms, -1 where there is no
        patient; labels.
    covariates
        Shape (trials, patients, covariates), numeric; NaN where missing.
    family, variance, sandwich, interactions
        As for `g_computation`.
    names, arms, drop_absent
        As for `logistic_batch`.

    Raises
    ------
    InputError
        For arrays that do not fit. A trial that cannot be analysed raises nothing: it is NaN, and `failures` says why.
    """
    trials = many_trials(outcome, arm, covariates, names=names, arms=arms)
    options = _Options.of(trials, family, variance, sandwich, interactions, drop_absent)
    if family == "logistic":
        binary_outcome(trials)
    codes = _strata(strata, trials.arm)
    width = trials.arm.shape[1] * (trials.covariates.shape[2] + trials.arms * (2 + len(options.interactions)))
    parts, failures = [], {}
    for rows in chunks(max(len(trials), 1), width):
        part = _fit(trials.only(rows), options, None if codes is None else codes[rows])
        failures |= {rows.start + at: reason for at, reason in part.failures.items()}
        parts.append((part.risks, part.covariance, part.patients, part.dropped))
    risks, covariance, patients, dropped = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return MarginalBatch(risks, covariance, patients, dropped, failures, family)


def g_computation(
    outcome: ArrayLike,
    arm: ArrayLike,
    covariates: ArrayLike | None = None,
    *,
    family: Family = "logistic",
    variance: Variance = "ye",
    sandwich: Robust | Literal["model"] = "HC0",
    interactions: bool | Sequence[int] = False,
    strata: ArrayLike | None = None,
    names: Sequence[str] | None = None,
    arms: int | None = None,
    better: Better = "higher",
    label: str = "",
) -> MarginalRisks:
    """Risks of the arms standardised over the covariates of all patients, from a model of the outcome.

    Every patient's risk is predicted in every arm and averaged over all patients (FDA 2023, Adjusting for Covariates
    in Randomized Clinical Trials). The comparison of these risks is that of the arms as a whole, not given covariates,
    and holds though the model be wrong, by randomisation.

    Parameters
    ----------
    outcome
        1 with, 0 without the response (any number for a linear model), NaN where missing; shape (patients,).
    arm
        0 (control), 1, 2, ... for each patient.
    covariates
        Shape (patients,) or (patients, covariates), numeric (factors as indicator columns); NaN where missing.
    family
        "logistic" regression by maximum likelihood, or "linear" by least squares (arms' means instead of risks).
    variance
        "ye", robust and over covariates that would be others in another trial (Ye, Bannick, Yi & Shao 2023, Stat Theory
        Relat Fields 7:159); or "ge", by the delta method from the model's coefficients with the covariates taken as
        given (Ge, Durham, Meyer, Xie & Thomas 2011, Drug Inf J 45:481), which is too small for another trial.
    sandwich
        Covariance of the coefficients that "ge" starts from: "model", from the information, or HC0 to HC3.
    interactions
        Numbers of the covariates whose products with the arms the model has too; True for all of them.
    strata
        Labels, none missing, of strata within which randomisation was balanced (permuted blocks): the variance of "ye"
        is then smaller by what the balance saves (Bannick, Shao, Liu, Du, Yi & Ye 2025, Biometrika 112). Without them,
        randomisation was simple.
    names
        Of the covariates, for errors.
    arms
        Number of arms, control included; as many as there are in the data when absent.
    better
        Whether a higher or a lower risk is good; carried to the estimates.
    label
        What is analysed, for people.

    Returns
    -------
    MarginalRisks
        Risks, covariance, contrasts. Patients with a missing value are left out and counted.

    Raises
    ------
    InputError
        For an arm with too few patients, or in which all or none responded; a covariate that is constant or determined
        by the arms and the covariates before it; covariates that separate responders from the others.
    """
    choice("better", better, ("higher", "lower"))
    trials = one_trial(outcome, arm, covariates, names=names, arms=arms)
    options = _Options.of(trials, family, variance, sandwich, interactions)
    if family == "logistic":
        binary_outcome(trials)
    codes = _strata(strata, trials.arm[0])
    found = _fit(trials, options, None if codes is None else codes[None])
    if found.failures:
        raise found.failures[0]
    return MarginalRisks(
        found.risks[0].copy(),
        found.covariance[0].copy(),
        int(found.patients[0]),
        int(found.dropped[0]),
        better,
        label,
        family,
    )
