"""What a regression of one outcome on arm and covariates gives back, of one trial and of many."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Self, TypeVar

import numpy as np

from ...errors import InputError
from ...estimate import Better, Estimate, Scale
from ..batch import BatchEstimates
from .trials import Trials, chunks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .design import Design

__all__ = [
    "Inference",
    "RegressionBatch",
    "RegressionFit",
    "in_chunks",
    "of_the_only",
    "on_columns",
    "spread",
    "two_arms",
]

Some = TypeVar("Some", bound="RegressionBatch")


def two_arms(arms: int, arm: int, reference: int) -> None:
    """Raises `InputError` unless two numbers are those of two arms."""
    for name, value in (("arm", arm), ("reference", reference)):
        if not 0 <= value < arms:
            raise InputError(name, value, f"an arm from 0 to {arms - 1}")
    if arm == reference:
        raise InputError("arm", arm, "an arm other than the reference")


def _weights(arms: int, coefficients: int, arm: int, reference: int) -> NDArray[np.float64]:
    """Of the coefficients in the difference of two arms, shape (coefficients,)."""
    two_arms(arms, arm, reference)
    weights = np.zeros(coefficients)
    if arm:
        weights[arm] = 1
    if reference:
        weights[reference] = -1
    return weights


@dataclass(frozen=True, slots=True, eq=False)
class RegressionBatch:
    """One regression fitted to many trials.

    Attributes
    ----------
    names
        Of the coefficients: intercept (or what stands for it), arms but control, covariates.
    arms
        Number of arms, control included.
    coefficients, covariance
        Shapes (trials, coefficients) and (trials, coefficients, coefficients), on the scale of the model's linear
        predictor; NaN where a trial could not be fitted, or a covariate was left out of it.
    log_likelihood
        At the maximum, all constants kept, shape (trials,).
    patients, dropped
        Patients analysed, and those left out because something was missing, shape (trials,).
    failures
        Why a trial could not be fitted, by its number from 0.
    """

    names: tuple[str, ...]
    arms: int
    coefficients: NDArray[np.float64]
    covariance: NDArray[np.float64]
    log_likelihood: NDArray[np.float64]
    patients: NDArray[np.intp]
    dropped: NDArray[np.intp]
    failures: dict[int, InputError]

    def __len__(self) -> int:
        return len(self.coefficients)

    def estimates(self, arm: int = 1, reference: int = 0) -> BatchEstimates:
        """Coefficient of an arm less that of another (0 = control), with the normal distribution as reference."""
        weights = _weights(self.arms, len(self.names), arm, reference)
        used = np.flatnonzero(weights)
        weights = weights[used]
        effect = self.coefficients[:, used] @ weights
        variance = np.einsum("i,tij,j->t", weights, self.covariance[:, used[:, None], used], weights)
        return BatchEstimates.of(
            effect, np.sqrt(variance), failures={at: str(reason) for at, reason in self.failures.items()}
        )

    @classmethod
    def joined(cls, parts: list[Self]) -> Self:
        """The trials of several batches, one after another."""
        if len(parts) == 1:
            return parts[0]
        joined: dict[str, Any] = {}
        for item in fields(cls):
            values = [getattr(part, item.name) for part in parts]
            if isinstance(values[0], np.ndarray):
                joined[item.name] = np.concatenate(values)
            elif isinstance(values[0], dict):
                starts = np.cumsum([0, *(len(part) for part in parts)])
                joined[item.name] = {
                    int(start) + at: one
                    for start, value in zip(starts, values, strict=False)
                    for at, one in value.items()
                }
            else:
                joined[item.name] = values[0]
        return cls(**joined)


def spread(trials: int, rows: NDArray[np.intp], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values of some trials among all, NaN for the others."""
    whole = np.full((trials, *values.shape[1:]), np.nan)
    whole[rows] = values
    return whole


def on_columns(
    design: Design,
    rows: NDArray[np.intp],
    coefficients: NDArray[np.float64],
    covariance: NDArray[np.float64],
    log_likelihood: NDArray[np.float64],
) -> dict[str, Any]:
    """Fits of some trials on the columns of the design's basis as fields of a `RegressionBatch` of all."""
    trials, back = len(design.arm), design.back[rows]
    turned = np.matmul(back, coefficients[:, :, None])[:, :, 0]
    spreads = np.matmul(np.matmul(back, covariance), back.swapaxes(1, 2))
    trial, column = np.nonzero(design.aliased[rows])
    turned[trial, column] = np.nan
    spreads[trial, column, :] = np.nan
    spreads[trial, :, column] = np.nan
    return {
        "names": design.names,
        "arms": design.arms,
        "coefficients": spread(trials, rows, turned),
        "covariance": spread(trials, rows, spreads),
        "log_likelihood": spread(trials, rows, log_likelihood),
        "patients": design.patients,
        "dropped": design.dropped,
        "failures": design.failures,
    }


def of_the_only(batch: RegressionBatch) -> dict[str, Any]:
    """The fields that a fit shares with the batch of one trial it comes from; raises its `InputError` if it failed."""
    if batch.failures:
        raise batch.failures[0]
    return {
        "names": batch.names,
        "coefficients": batch.coefficients[0].copy(),
        "covariance": batch.covariance[0].copy(),
        "arms": batch.arms,
        "log_likelihood": float(batch.log_likelihood[0]),
        "patients": int(batch.patients[0]),
        "dropped": int(batch.dropped[0]),
    }


def in_chunks(fit: Callable[[slice], Some], trials: Trials, values: int = 0) -> Some:
    """Fit trials in runs that stay near the processor; `values` numbers a trial besides the design's."""
    width = trials.arm.shape[1] * (trials.covariates.shape[2] + trials.arms + 2) + values
    parts = [fit(rows) for rows in chunks(max(len(trials), 1), width)]
    return type(parts[0]).joined(parts)


@dataclass(frozen=True, slots=True, eq=False)
class Inference:
    """Coefficients with their covariance, and comparisons of arms; common to all regressions of one trial."""

    names: tuple[str, ...]
    coefficients: NDArray[np.float64]
    covariance: NDArray[np.float64]
    arms: int
    scale: Scale
    better: Better
    label: str

    @property
    def standard_errors(self) -> NDArray[np.float64]:
        """Standard errors of the coefficients, shape (coefficients,)."""
        return np.sqrt(np.diag(self.covariance))

    def compare(self, arm: int = 1, reference: int = 0) -> Estimate:
        """Coefficient of `arm` less that of `reference` (0 = control), with the normal distribution as reference.

        Raises
        ------
        InputError
            For arms that do not exist or are the same.
        """
        weights = _weights(self.arms, self.coefficients.size, arm, reference)
        used = np.flatnonzero(weights)
        return Estimate(
            float(weights[used] @ self.coefficients[used]),
            math.sqrt(float(weights[used] @ self.covariance[np.ix_(used, used)] @ weights[used])),
            scale=self.scale,
            better=self.better,
            label=self.label,
        )

    @property
    def estimates(self) -> tuple[Estimate, ...]:
        """Each arm against control, in order."""
        return tuple(self.compare(arm) for arm in range(1, self.arms))

    @property
    def estimate(self) -> Estimate:
        """The first experimental arm against control: the effect of the arm where there are two."""
        return self.compare(1)


@dataclass(frozen=True, slots=True, eq=False)
class RegressionFit(Inference):
    """A regression fitted to one trial.

    Attributes
    ----------
    names
        Of the coefficients: intercept, arms but the first (control), covariates.
    coefficients, covariance
        Shapes (p,) and (p, p), on the scale of the model's linear predictor.
    arms
        Number of arms, control included.
    scale
        What the difference of two arms measures.
    better
        Whether a higher or a lower outcome is good.
    label
        What was analysed, for people.
    log_likelihood
        At the maximum, all constants kept.
    patients, dropped
        Patients analysed, and those left out because something was missing.
    notes
        What has to be said of the fit.
    """

    log_likelihood: float
    patients: int
    dropped: int
    notes: tuple[str, ...] = field(default=(), kw_only=True)

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, np.ndarray):
                value.flags.writeable = False

    @property
    def _kind(self) -> str:
        return "regression"

    def __str__(self) -> str:
        width = max(len(name) for name in self.names)
        left_out = f", {self.dropped} left out for missing values" if self.dropped else ""
        lines = [f"{self.label or self._kind}: {self.patients} patients{left_out}"]
        for name, value, error in zip(self.names, self.coefficients, self.standard_errors, strict=True):
            lines.append(f"  {name:<{width}}  {value:>10.4g}  SE {error:.4g}")
        return "\n".join([*lines, *(f"  {note}" for note in self.notes)])

    __repr__ = __str__
