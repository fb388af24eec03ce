"""Several outcomes of one patient in one model: each with its own regression, their errors correlated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...checks import any_shape
from ...errors import InputError
from ...estimate import Better, Estimate
from .t_test import means_by_arm

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from ...mixed import FTest, MixedFit

__all__ = ["RelatedOutcomes", "fit_related_outcomes", "pooled_deviations"]


@dataclass(frozen=True, slots=True, eq=False)
class RelatedOutcomes:
    """Seemingly unrelated regressions of several outcomes on arm and covariates, fitted to one trial.

    Attributes
    ----------
    names
        Of the outcomes.
    fit
        The fitted model, the outcomes in the place of visits.
    outcomes, arm
        Of the patients analysed, shapes (patients, outcomes) and (patients,).
    rows
        Who was analysed: those with an outcome and all covariates, shape (all patients,).
    """

    names: tuple[str, ...]
    fit: MixedFit
    outcomes: NDArray[np.float64]
    arm: NDArray[np.intp]
    rows: NDArray[np.bool_]
    _arms: int
    _centres: NDArray[np.float64]

    @property
    def covariance(self) -> NDArray[np.float64]:
        """Of the outcomes of one patient given arm and covariates, shape (outcomes, outcomes)."""
        return np.asarray(self.fit.covariance, dtype=np.float64)

    def differences(self, arm: int = 1, reference: int = 0) -> NDArray[np.float64]:
        """Contrasts of the coefficients that are the differences of two arms, one row an outcome."""
        count = len(self.names)
        rows = np.zeros((count, len(self.fit.names)))
        for which, sign in ((arm, 1.0), (reference, -1.0)):
            if not 0 <= which < self._arms:
                raise InputError("arm", which, f"an arm from 0 to {self._arms - 1}")
            if which:
                rows[:, which * count : (which + 1) * count] += sign * np.eye(count)
        if arm == reference:
            raise InputError("arm", arm, "an arm other than the reference")
        return rows

    def estimates(self, arm: int = 1, reference: int = 0, *, better: Better = "higher") -> tuple[Estimate, ...]:
        """The difference of two arms in each outcome."""
        rows = self.differences(arm, reference)
        return tuple(
            self.fit.estimate(row, better=better, label=name) for row, name in zip(rows, self.names, strict=True)
        )

    def combined(
        self,
        weights: ArrayLike | None = None,
        arm: int = 1,
        reference: int = 0,
        *,
        better: Better = "higher",
        label: str = "",
    ) -> Estimate:
        """A weighted sum of the differences, all weights 1 where not given: of parts of a total, that in the total."""
        rows = self.differences(arm, reference)
        given = np.ones(len(rows)) if weights is None else any_shape("weights", weights)
        if given.shape != (len(rows),) or not given.any():
            raise InputError("weights", given.tolist(), f"{len(rows)} numbers, one an outcome, not all 0")
        return self.fit.estimate(given @ rows, better=better, label=label)

    def covariance_of_estimates(self, arm: int = 1, reference: int = 0) -> NDArray[np.float64]:
        """Of the differences of two arms, shape (outcomes, outcomes)."""
        rows = self.differences(arm, reference)
        return rows @ self.fit.covariance_of_coefficients @ rows.T

    def joint_test(self, arm: int = 1, reference: int = 0) -> FTest:
        """Test that the arms differ in none of the outcomes."""
        return self.fit.f_test(self.differences(arm, reference))

    def mean(self, arm: int, outcome: int) -> Estimate:
        """Adjusted mean of an arm: covariates at their mean over the patients analysed, levels weighing equally."""
        count = len(self.names)
        row = np.zeros(len(self.fit.names))
        row[outcome] = 1.0
        if arm:
            row[arm * count + outcome] = 1.0
        row[self._arms * count + outcome :: count] = self._centres[:, outcome]
        return self.fit.estimate(row)


def pooled_deviations(values: NDArray[np.float64], arm: NDArray[np.intp]) -> NDArray[np.float64]:
    """Standard deviations within arms of the columns of `values` (patients, columns), 0 where there is none to tell."""
    found = means_by_arm(values.T, np.broadcast_to(arm, values.T.shape), int(arm.max()) + 1)
    freedom = np.maximum(found.patients - 1, 0)
    squares = (freedom * np.nan_to_num(found.standard_deviation) ** 2).sum(axis=1)
    return np.sqrt(squares / np.maximum(freedom.sum(axis=1), 1))


def fit_related_outcomes(
    outcomes: ArrayLike,
    arm: ArrayLike,
    *,
    own: ArrayLike | None = None,
    covariates: ArrayLike | None = None,
    names: Sequence[str] | None = None,
    covariate_names: Sequence[str] | None = None,
    centres: ArrayLike | None = None,
    arm_names: Sequence[str] | None = None,
    **options: Any,
) -> RelatedOutcomes:
    """Seemingly unrelated regressions (Zellner 1962, J Am Stat Assoc 57:348), by restricted maximum likelihood.

    Every outcome has its own mean, its own difference for each arm, its own slope on a covariate of its own (the same
    measurement before treatment) and its own slopes on the covariates in common; a patient's outcomes are correlated
    given these, in any way. Outcomes not observed count as missing at random. Where every patient has all outcomes and
    none has a covariate of its own the estimates are those of a least squares regression of each outcome by itself
    (Zellner 1962, section 3); what is won over them is the covariance of the estimates, and precision where outcomes
    have covariates of their own or are missing.

    Parameters
    ----------
    outcomes
        NaN where missing, shape (patients, outcomes).
    arm
        0 for control, 1, 2, ... for others, shape (patients,).
    own
        Covariate of each outcome alone, shape (patients, outcomes).
    covariates
        In common, each with a slope in every outcome, shape (patients, covariates).
    names, covariate_names, arm_names
        For the fit's table and for reasons.
    centres
        Values of the covariates in common at which means are adjusted, NaN for the mean of the patients analysed, shape
        (covariates,).
    options
        Of `fit_mmrm`: method, degrees_of_freedom, variance, group, groups.

    Raises
    ------
    InputError
        Arrays that do not fit each other; nobody with complete covariates in an arm.
    FitError
        The data do not bear the model.
    """
    from ...mixed import fit_mmrm

    y = any_shape("outcomes", outcomes, "finite numbers, or NaN where missing", missing=True)
    if y.ndim != 2 or y.size == 0:
        raise InputError("outcomes", y.shape, "one row a patient and one column an outcome")
    patients, count = y.shape
    codes = np.asarray(arm)
    if codes.shape != (patients,) or codes.dtype.kind not in "iu" or (codes < 0).any():
        raise InputError("arm", codes.shape, f"{patients} whole numbers from 0 on, one a patient")
    labels = tuple(names) if names is not None else tuple(f"outcome {at + 1}" for at in range(count))
    arms = len(arm_names) if arm_names is not None else int(codes.max()) + 1
    given_arms = tuple(arm_names) if arm_names is not None else tuple(f"arm {at}" for at in range(arms))
    common = _columns("covariates", covariates, patients, None)
    before = _columns("own", own, patients, count)
    common_names = covariate_names or [f"covariate {at + 1}" for at in range(common.shape[1])]

    complete = ~(np.isnan(common).any(axis=1) | np.isnan(before).any(axis=1))
    rows = np.asarray(complete & ~np.isnan(y).all(axis=1))
    y, codes, common, before = y[rows], codes[rows].astype(np.intp), common[rows], before[rows]
    sizes = [int((codes == at).sum()) for at in range(arms)]
    if min(sizes) == 0:
        raise InputError("arm", sizes, "at least one patient with complete data in every arm (control first)")

    eye = np.eye(count)
    factors = [np.ones(len(y)), *((codes == at).astype(float) for at in range(1, arms))]
    blocks = [factor[:, None, None] * eye for factor in factors]
    columns = list(labels) + [f"{name}:{label}" for name in given_arms[1:] for label in labels]
    middle = []
    if before.shape[1]:
        blocks.append(before[:, :, None] * eye)
        columns += [f"own covariate:{label}" for label in labels]
        middle.append(before.mean(axis=0))
    at_centres = np.full(common.shape[1], np.nan) if centres is None else any_shape("centres", centres, missing=True)
    for at, name in enumerate(common_names):
        blocks.append(common[:, at, None, None] * eye)
        columns += [f"{name}:{label}" for label in labels]
        mean = common[:, at].mean() if np.isnan(at_centres[at]) else at_centres[at]
        middle.append(np.full(count, mean))
    if options.get("group") is not None:
        options["group"] = np.asarray(options["group"])[rows]
    fit = fit_mmrm(y, np.concatenate(blocks, axis=2), names=columns, visits=labels, **options)
    return RelatedOutcomes(labels, fit, y, codes, rows, arms, np.array(middle).reshape(-1, count))


def _columns(field: str, values: ArrayLike | None, patients: int, count: int | None) -> NDArray[np.float64]:
    if values is None:
        return np.empty((patients, 0))
    found = any_shape(field, values, "finite numbers, or NaN where missing", missing=True)
    if found.ndim != 2 or len(found) != patients or (count is not None and found.shape[1] != count):
        wanted = f"shape {(patients, count)}" if count is not None else f"one row for each of {patients} patients"
        raise InputError(field, found.shape, wanted)
    return found
