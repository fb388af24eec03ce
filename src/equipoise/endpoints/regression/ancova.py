"""Analysis of covariance: one outcome, the arms and baseline covariates, by least squares."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...errors import InputError
from ...estimate import Better, Estimate, Scale

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["AncovaFit", "ancova"]

DEPENDENT = 1e-7


@dataclass(frozen=True, slots=True, eq=False)
class AncovaFit:
    """A fitted analysis of covariance.

    Attributes
    ----------
    names
        Of the coefficients: intercept, arms but the first (control), covariates.
    coefficients, covariance
        Shapes (p,) and (p, p), in units of the outcome per unit of the covariate.
    residual_standard_deviation
        sqrt(residual sum of squares / degrees_of_freedom).
    degrees_of_freedom
        Patients minus coefficients, n - p.
    adjusted_means, adjusted_mean_covariance
        Shapes (arms,) and (arms, arms), control first: the outcome each arm would have at the mean of the covariates
        over the patients analysed.
    patients, dropped
        Patients analysed, and those left out because their outcome or a covariate was missing.
    better
        Whether a higher or a lower outcome is good.
    label
        What was analysed, for people.
    """

    names: tuple[str, ...]
    coefficients: NDArray[np.float64]
    covariance: NDArray[np.float64]
    residual_standard_deviation: float
    degrees_of_freedom: int
    adjusted_means: NDArray[np.float64]
    adjusted_mean_covariance: NDArray[np.float64]
    patients: int
    dropped: int
    better: Better
    label: str

    def __post_init__(self) -> None:
        for name in ("coefficients", "covariance", "adjusted_means", "adjusted_mean_covariance"):
            getattr(self, name).flags.writeable = False

    @property
    def arms(self) -> int:
        """Number of arms, control included."""
        return self.adjusted_means.size

    @property
    def standard_errors(self) -> NDArray[np.float64]:
        """Standard errors of the coefficients, shape (p,)."""
        return np.sqrt(np.diag(self.covariance))

    @property
    def adjusted_mean_standard_errors(self) -> NDArray[np.float64]:
        """Standard errors of the adjusted means, shape (arms,)."""
        return np.sqrt(np.diag(self.adjusted_mean_covariance))

    def compare(self, arm: int = 1, reference: int = 0) -> Estimate:
        """Adjusted mean of `arm` minus that of `reference` (0 = control), with n - p degrees of freedom.

        Raises
        ------
        InputError
            For arms that do not exist or are the same.
        """
        for name, value in (("arm", arm), ("reference", reference)):
            if not 0 <= value < self.arms:
                raise InputError(name, value, f"an arm from 0 to {self.arms - 1}")
        if arm == reference:
            raise InputError("arm", arm, "an arm other than the reference")
        weights = np.zeros(self.coefficients.size)
        if arm:
            weights[arm] = 1
        if reference:
            weights[reference] = -1
        return Estimate(
            float(weights @ self.coefficients),
            math.sqrt(float(weights @ self.covariance @ weights)),
            degrees_of_freedom=self.degrees_of_freedom,
            scale=Scale.MEAN_DIFFERENCE,
            better=self.better,
            label=self.label,
        )

    @property
    def estimates(self) -> tuple[Estimate, ...]:
        """Each arm against control, in the order given."""
        return tuple(self.compare(arm) for arm in range(1, self.arms))

    @property
    def estimate(self) -> Estimate:
        """The first experimental arm against control: the effect of the arm where there are two."""
        return self.compare(1)

    def __str__(self) -> str:
        width = max(len(name) for name in self.names)
        left_out = f", {self.dropped} left out for missing values" if self.dropped else ""
        lines = [
            f"{self.label or 'ANCOVA'}: {self.patients} patients{left_out}, "
            f"residual SD {self.residual_standard_deviation:.4g} on {self.degrees_of_freedom} degrees of freedom"
        ]
        for name, value, error in zip(self.names, self.coefficients, self.standard_errors, strict=True):
            lines.append(f"  {name:<{width}}  {value:>10.4g}  SE {error:.4g}")
        return "\n".join(lines)

    __repr__ = __str__


def _numbers(name: str, values: ArrayLike) -> NDArray[np.float64]:
    try:
        numbers = np.array(values, dtype=float)
    except (TypeError, ValueError):
        raise InputError(name, values, "numbers") from None
    if np.any(np.isinf(numbers)):
        raise InputError(name, math.inf, "finite numbers, or NaN where missing")
    return numbers


def _arm_columns(arm: ArrayLike, patients: int) -> NDArray[np.float64]:
    columns = _numbers("arm", arm)
    if columns.ndim == 1:
        columns = columns[:, None]
    if columns.ndim != 2 or columns.shape[0] != patients or columns.shape[1] == 0:
        raise InputError(
            "arm", columns.shape, f"one row for each of {patients} patients, one column an arm but control"
        )
    if not np.all((columns == 0) | (columns == 1)) or np.any(columns.sum(axis=1) > 1):
        raise InputError("arm", np.unique(columns).tolist(), "0 and 1, with at most one 1 a patient (none for control)")
    return columns


def _covariate_columns(
    covariates: ArrayLike | None, names: Sequence[str] | None, patients: int
) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    if covariates is None:
        columns = np.empty((patients, 0))
    else:
        columns = _numbers("covariates", covariates)
        if columns.ndim == 1:
            columns = columns[:, None]
        if columns.ndim != 2 or columns.shape[0] != patients:
            raise InputError("covariates", columns.shape, f"one row for each of {patients} patients")
    if names is None:
        return columns, tuple(f"covariate {index + 1}" for index in range(columns.shape[1]))
    if isinstance(names, str) or len(names) != columns.shape[1]:
        raise InputError("names", names, f"one name for each of {columns.shape[1]} covariates")
    return columns, tuple(names)


def ancova(
    outcome: ArrayLike,
    arm: ArrayLike,
    covariates: ArrayLike | None = None,
    *,
    names: Sequence[str] | None = None,
    better: Better = "higher",
    label: str = "",
) -> AncovaFit:
    """Linear model of one outcome on arm and covariates by least squares (Fisher 1932; Senn 2007, chapter 7).

    Covariates are centred and scaled before a QR decomposition, so that their units and offsets do no harm.

    Parameters
    ----------
    outcome
        Shape (patients,); NaN where missing.
    arm
        0 (control) or 1 (experimental), shape (patients,); or with k arms k - 1 columns of 0 and 1, all 0 for
        control. Never missing.
    covariates
        Shape (patients,) or (patients, covariates), numeric (factors as indicator columns); NaN where missing.
    names
        Of the covariates, for the table and for errors.
    better
        Whether a higher or a lower outcome is good; carried to the estimates.
    label
        What is analysed, for people.

    Returns
    -------
    AncovaFit
        Patients with a missing outcome or covariate are left out and counted in `dropped`.

    Raises
    ------
    InputError
        For an arm without patients, a covariate that is constant or determined by the arms and the covariates
        before it (it is named), no degrees of freedom left, or an outcome without residual variation.
    """
    if better not in ("higher", "lower"):
        raise InputError("better", better, "'higher' or 'lower'")
    response = _numbers("outcome", outcome)
    if response.ndim != 1:
        raise InputError("outcome", response.shape, "one value for each patient")
    arms = _arm_columns(arm, response.size)
    baseline, covariate_names = _covariate_columns(covariates, names, response.size)

    kept = ~(np.isnan(response) | np.isnan(baseline).any(axis=1))
    dropped = int(response.size - np.count_nonzero(kept))
    response, arms, baseline = response[kept], arms[kept], baseline[kept]
    patients, others = arms.shape
    sizes = [int(np.sum(arms.sum(axis=1) == 0)), *arms.sum(axis=0).astype(int).tolist()]
    if min(sizes) == 0:
        raise InputError("arm", sizes, "at least one patient with complete data in every arm (control first)")
    parameters = 1 + others + baseline.shape[1]
    if patients <= parameters:
        raise InputError("patients", patients, f"more patients with complete data than the {parameters} coefficients")

    arm_names = ("arm",) if others == 1 else tuple(f"arm {index + 1}" for index in range(others))
    design_names = arm_names + covariate_names
    design = np.concatenate((arms, baseline), axis=1)
    centre, outcome_mean = design.mean(axis=0), response.mean()
    centred = design - centre
    scale = np.linalg.norm(centred, axis=0)
    for index in np.flatnonzero(scale <= 1e-12 * np.linalg.norm(design, axis=0)):
        raise InputError("covariates", design_names[index], "a covariate that varies between patients")
    q, r = np.linalg.qr(centred / scale)
    for index in np.flatnonzero(np.abs(np.diag(r)) < DEPENDENT):
        raise InputError(
            "covariates", design_names[index], "a covariate that the arms and the covariates before it do not determine"
        )

    deviation = response - outcome_mean
    projected = q.T @ deviation
    residual = deviation - q @ projected
    degrees_of_freedom = patients - parameters
    residual_sd = float(np.linalg.norm(residual)) / math.sqrt(degrees_of_freedom)
    if residual_sd <= 1e-13 * float(np.abs(response).max()):
        raise InputError("outcome", float(outcome_mean), "an outcome that arms and covariates do not determine")
    inverse = np.linalg.solve(r, np.eye(design.shape[1])) / scale[:, None]
    slopes = inverse @ projected
    slope_covariance = residual_sd**2 * inverse @ inverse.T

    def at(point: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Fitted values at rows of `point` (design units) and their covariance."""
        offset = point - centre
        return outcome_mean + offset @ slopes, residual_sd**2 / patients + offset @ slope_covariance @ offset.T

    origin = np.zeros((1, design.shape[1]))
    intercept, intercept_variance = at(origin)
    covariance = np.empty((parameters, parameters))
    covariance[0, 0] = intercept_variance[0, 0]
    covariance[0, 1:] = covariance[1:, 0] = -centre @ slope_covariance
    covariance[1:, 1:] = slope_covariance
    rows = np.tile(centre, (others + 1, 1))
    rows[:, :others] = np.eye(others + 1, others, k=-1)
    means, mean_covariance = at(rows)
    return AncovaFit(
        names=("intercept", *design_names),
        coefficients=np.concatenate((intercept, slopes)),
        covariance=covariance,
        residual_standard_deviation=residual_sd,
        degrees_of_freedom=degrees_of_freedom,
        adjusted_means=means,
        adjusted_mean_covariance=mean_covariance,
        patients=patients,
        dropped=dropped,
        better=better,
        label=label,
    )
