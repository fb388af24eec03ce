"""Two-sample t tests of means, pooled and Welch's, of one trial or of many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from ...checks import any_shape, choice
from ...errors import InputError
from ...estimate import Better, Estimate, Scale
from ..batch import BatchEstimates
from .trials import many_trials, one_trial

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["MeansByArm", "compare_means", "estimate_of", "means_by_arm", "moments_by_arm", "t_test", "t_test_batch"]

Method = Literal["t", "welch"]

# A spread within the arms below this share of the size of the means is rounding.
_NO_SPREAD = 1e-13


@dataclass(frozen=True, slots=True, eq=False)
class MeansByArm:
    """Sizes, means and standard deviations of the arms of many trials.

    Attributes
    ----------
    patients
        With an outcome, shape (trials, arms).
    mean, standard_deviation
        In units of the outcome; NaN of an arm with too few patients (1 or 2), shape (trials, arms).
    """

    patients: NDArray[np.intp]
    mean: NDArray[np.float64]
    standard_deviation: NDArray[np.float64]


def means_by_arm(outcome: NDArray[np.float64], arm: NDArray[np.intp], arms: int) -> MeansByArm:
    """Summaries of the patients with an outcome; the spread is of the deviations from the mean, so that a large mean
    costs no digits.

    Parameters
    ----------
    outcome
        NaN where missing, shape (trials, patients).
    arm
        From 0, -1 where there is no patient, shape (trials, patients).
    arms
        Number of arms.
    """
    found = ~np.isnan(outcome)
    patients, means, deviations = [], [], []
    for at in range(arms):
        members = found & (arm == at)
        count = members.sum(axis=1)
        mean = np.where(members, outcome, 0.0).sum(axis=1) / np.maximum(count, 1)
        away = np.where(members, outcome - mean[:, None], 0.0)
        shift = away.sum(axis=1) / np.maximum(count, 1)
        squares = (away * away).sum(axis=1) - count * shift * shift
        spread = np.sqrt(np.maximum(squares, 0.0) / np.maximum(count - 1, 1))
        patients.append(count)
        means.append(np.where(count > 0, mean + shift, np.nan))
        deviations.append(np.where(count > 1, spread, np.nan))
    return MeansByArm(np.stack(patients, axis=1), np.stack(means, axis=1), np.stack(deviations, axis=1))


def moments_by_arm(
    outcome: NDArray[np.float64], arm: NDArray[np.intp], arms: int, before: NDArray[np.float64] | None = None
) -> MeansByArm:
    """`means_by_arm` of many trials by a compiled loop; `before` (trials, patients) is taken from the outcome."""
    from .moment_kernels import arm_moments

    found = np.empty((3, len(arm), arms))
    before = np.empty((len(arm), 0)) if before is None else before
    given = [values if values.flags.writeable else values.copy() for values in (outcome, before, arm)]
    arm_moments(*given, found)
    return MeansByArm(found[0].astype(np.intp), found[1], found[2])


def compare_means(
    patients: ArrayLike, mean: ArrayLike, standard_deviation: ArrayLike, *, method: Method = "t"
) -> BatchEstimates:
    """Difference of two means of many trials, second minus first, from their summaries.

    "t" pools the variances and has n1 + n2 - 2 degrees of freedom (Student 1908, Biometrika 6:1). "welch" does not,
    and its degrees of freedom are (v1 + v2)^2 / (v1^2 / (n1 - 1) + v2^2 / (n2 - 1)) with v = variance / n (Welch 1947,
    Biometrika 34:28).

    Parameters
    ----------
    patients, mean, standard_deviation
        Of control and experimental, shape (trials, 2); the deviation of a single patient is of no account.

    Raises
    ------
    InputError
        For arrays of another shape, numbers of patients that are not whole, negative deviations.
    """
    choice("method", method, ("t", "welch"))
    sizes = any_shape("patients", patients, "whole numbers from 0 on")
    means = any_shape("mean", mean, "finite numbers", missing=True)
    spreads = any_shape("standard_deviation", standard_deviation, "numbers from 0 on", missing=True)
    for name, values in (("patients", sizes), ("mean", means), ("standard_deviation", spreads)):
        if values.ndim != 2 or values.shape[1] != 2 or values.shape != sizes.shape:
            raise InputError(name, values.shape, "two numbers a trial, of control and of the experimental arm")
    if (sizes < 0).any() or (sizes % 1 != 0).any():
        raise InputError("patients", patients, "whole numbers from 0 on")
    if (spreads < 0).any():
        raise InputError("standard_deviation", standard_deviation, "numbers from 0 on")
    effect, error, freedom, failures = _compared(MeansByArm(sizes.astype(np.intp), means, spreads), method)
    return BatchEstimates.of(effect, error, freedom, {at: str(reason) for at, reason in failures.items()})


def _compared(
    found: MeansByArm, method: Method
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], dict[int, InputError]]:
    """Effect, standard error and degrees of freedom of two arms, and why a trial has none."""
    sizes, means = found.patients, found.mean
    least = 2 if method == "welch" else 1
    enough = (sizes.min(axis=1) >= least) & (sizes.sum(axis=1) > 2)
    squares = np.where(sizes > 1, found.standard_deviation, 0.0) ** 2
    if method == "t":
        freedom = np.maximum(sizes.sum(axis=1) - 2.0, 1.0)
        parts = ((sizes - 1) * squares).sum(axis=1, keepdims=True) / freedom[:, None] / np.maximum(sizes, 1)
    else:
        parts = squares / np.maximum(sizes, 1)
        shares = parts / np.where(parts.any(axis=1), parts.sum(axis=1), 1.0)[:, None]
        below = (shares**2 / np.maximum(sizes - 1, 1)).sum(axis=1)
        freedom = 1 / np.where(below > 0, below, 1.0)
    effect, error = means[:, 1] - means[:, 0], np.sqrt(parts.sum(axis=1))
    largest = np.where(sizes > 0, np.abs(means), 0.0).max(axis=1)
    varies = np.sqrt(squares.max(axis=1)) > _NO_SPREAD * largest
    failures: dict[int, InputError] = {}
    for at in np.flatnonzero(~(enough & varies)):
        if not enough[at]:
            wanted = "at least two patients" if least == 2 else "at least one patient"
            more = "" if least == 2 else ", and three in all"
            wanted = f"{wanted} with an outcome in every arm{more} (control first)"
            failures[int(at)] = InputError("arm", sizes[at].tolist(), wanted)
        else:
            failures[int(at)] = InputError("outcome", float(means[at, 0]), "an outcome that varies within the arms")
    return effect, error, freedom, failures


def estimate_of(
    found: MeansByArm, control: int, arm: int, *, method: Method, better: Better = "higher", label: str = ""
) -> Estimate:
    """The comparison of two arms of the first trial; raises `InputError` with the reason where there is none."""
    pair = [control, arm]
    two = MeansByArm(found.patients[:1, pair], found.mean[:1, pair], found.standard_deviation[:1, pair])
    effect, error, freedom, failures = _compared(two, choice("method", method, ("t", "welch")))
    if failures:
        raise failures[0]
    return Estimate(
        float(effect[0]),
        float(error[0]),
        degrees_of_freedom=float(freedom[0]),
        scale=Scale.MEAN_DIFFERENCE,
        better=better,
        label=label,
    )


def t_test_batch(outcome: ArrayLike, arm: ArrayLike, *, method: Method = "t") -> BatchEstimates:
    """Difference of the means of arms 1 and 0 of many trials; patients without an outcome are left out.

    Parameters
    ----------
    outcome
        NaN where missing, shape (trials, patients).
    arm
        0 for control, 1 for experimental, other arms are not looked at, -1 where there is no patient, shape (trials,
        patients).
    method
        "t" or "welch"; see `compare_means`.

    Raises
    ------
    InputError
        When the arrays do not fit each other, or hold what they should not.
    """
    trials = many_trials(outcome, arm)
    found = means_by_arm(trials.outcome, trials.arm, 2)
    return compare_means(found.patients, found.mean, found.standard_deviation, method=method)


def t_test(
    outcome: ArrayLike, arm: ArrayLike, *, method: Method = "t", better: Better = "higher", label: str = ""
) -> Estimate:
    """Difference of the means of arms 1 and 0 of one trial, with its t distribution.

    Parameters
    ----------
    outcome
        NaN where missing, shape (patients,).
    arm
        0 for control, 1 for experimental, others are not looked at, shape (patients,).
    method
        "t" or "welch"; see `compare_means`.
    better, label
        Carried to the estimate.

    Raises
    ------
    InputError
        When the arrays do not fit each other; for an arm without patients (Welch: with fewer than two), or outcomes
        that do not vary within the arms.
    """
    one = one_trial(outcome, arm)
    found = means_by_arm(one.outcome, one.arm, 2)
    return estimate_of(found, 0, 1, method=method, better=better, label=label)
