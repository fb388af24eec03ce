"""Counts of events over a time of observation: what Poisson and negative binomial regression take and give back."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...checks import normal_quantile
from ...errors import InputError
from ...estimate import Interval
from .design import Design, design_of
from .fitted import RegressionBatch, RegressionFit, of_the_only, on_columns, spread
from .trials import Trials, patient_values

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["CountBatch", "CountFit", "CountTrials", "arm_predictors"]

MOST = 1_000_000


@dataclass(frozen=True, slots=True, eq=False)
class CountTrials:
    """Trials whose outcome counts events, with the time over which each patient was observed, (trials, patients)."""

    trials: Trials
    exposure: NDArray[np.float64]

    @classmethod
    def of(cls, trials: Trials, exposure: ArrayLike | None) -> CountTrials:
        """Checked counts; raises `InputError` where they are not whole or happened in no time at all."""
        counts = trials.outcome
        known = counts[~np.isnan(counts)]
        if np.any(known < 0) or np.any(known % 1 != 0) or np.any(known > MOST):
            raise InputError("outcome", known, f"whole numbers of events from 0 to {MOST}, or NaN where missing")
        if exposure is not None and np.shape(exposure) == counts.shape[1:] and len(counts) == 1:
            exposure = np.asarray(exposure)[None]
        times = patient_values("exposure", exposure, counts.shape)
        if np.any(times < 0):
            raise InputError("exposure", float(np.nanmin(times)), "times of observation of at least 0")
        if np.any((times == 0) & (counts > 0)):
            raise InputError("exposure", 0, "a time above 0 for every patient who had events")
        return cls(trials, times)

    def only(self, rows: slice) -> CountTrials:
        """Some of the trials."""
        return CountTrials(self.trials.only(rows), self.exposure[rows])

    def design(self, drop_absent: bool) -> Design:
        """The design over patients with complete data and a time above 0."""
        return design_of(self.trials, self.exposure > 0, drop_absent=drop_absent)


def arm_predictors(
    design: Design, rows: NDArray[np.intp], coefficients: NDArray[np.float64], covariance: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Linear predictor of each arm at the mean of the covariates, and its covariance; NaN for trials not in `rows`.

    From coefficients of the design's basis; shapes (trials, arms) and (trials, arms, arms).
    """
    points = np.repeat(design.centre[rows][:, None], design.arms, axis=1)
    points[:, :, 1 : design.arms] = np.eye(design.arms)[:, 1:]
    weights = np.matmul(points, design.back[rows]) * ~design.aliased[rows][:, None]
    trials = len(design.arm)
    return (
        spread(trials, rows, np.matmul(weights, coefficients[:, :, None])[:, :, 0]),
        spread(trials, rows, np.matmul(np.matmul(weights, covariance), weights.swapaxes(1, 2))),
    )


@dataclass(frozen=True, slots=True, eq=False)
class CountBatch(RegressionBatch):
    """Regressions of counts in many trials; coefficients are logarithms of rates (intercept) and of rate ratios.

    Attributes
    ----------
    log_rates, log_rate_covariance
        Logarithm of the rate of each arm at the mean of the covariates over the patients analysed, control first;
        shapes (trials, arms) and (trials, arms, arms).
    dispersion, dispersion_standard_error
        k of the variance mean + k mean^2, 0 for Poisson; its standard error NaN where it is 0; shape (trials,).
    events, exposure
        By arm, over the patients analysed, shape (trials, arms).
    """

    log_rates: NDArray[np.float64]
    log_rate_covariance: NDArray[np.float64]
    dispersion: NDArray[np.float64]
    dispersion_standard_error: NDArray[np.float64]
    events: NDArray[np.float64]
    exposure: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        counts: CountTrials,
        design: Design,
        rows: NDArray[np.intp],
        coefficients: NDArray[np.float64],
        covariance: NDArray[np.float64],
        log_likelihood: NDArray[np.float64],
        dispersion: NDArray[np.float64],
        dispersion_standard_error: NDArray[np.float64],
    ) -> CountBatch:
        """From fits of some trials, `rows`, on the columns of the design's basis."""
        trials, present = len(design.arm), design.present
        rates, rate_covariance = arm_predictors(design, rows, coefficients, covariance)
        return cls(
            **on_columns(design, rows, coefficients, covariance, log_likelihood),
            log_rates=rates,
            log_rate_covariance=rate_covariance,
            dispersion=spread(trials, rows, dispersion),
            dispersion_standard_error=spread(trials, rows, dispersion_standard_error),
            events=design.by_arm(np.where(present, counts.trials.outcome, 0.0)),
            exposure=design.by_arm(np.where(present, counts.exposure, 0.0)),
        )


@dataclass(frozen=True, slots=True, eq=False)
class CountFit(RegressionFit):
    """A regression of counts; coefficients are logarithms of the control's rate (intercept) and of rate ratios.

    Attributes
    ----------
    log_rates, log_rate_covariance
        Logarithm of the rate of each arm at the mean of the covariates over the patients analysed, control first;
        shapes (arms,) and (arms, arms).
    dispersion, dispersion_standard_error
        k of the variance mean + k mean^2, 0 for Poisson; its standard error NaN where it is 0.
    events, exposure
        By arm, over the patients analysed, shape (arms,).
    """

    log_rates: NDArray[np.float64]
    log_rate_covariance: NDArray[np.float64]
    dispersion: float
    dispersion_standard_error: float
    events: NDArray[np.float64]
    exposure: NDArray[np.float64]

    @classmethod
    def of_batch(cls, batch: CountBatch, **options) -> CountFit:
        """The fit of the only trial of a batch; raises its `InputError` if it failed."""
        return cls(
            **of_the_only(batch),
            log_rates=batch.log_rates[0].copy(),
            log_rate_covariance=batch.log_rate_covariance[0].copy(),
            dispersion=float(batch.dispersion[0]),
            dispersion_standard_error=float(batch.dispersion_standard_error[0]),
            events=batch.events[0].copy(),
            exposure=batch.exposure[0].copy(),
            **options,
        )

    @property
    def rates(self) -> NDArray[np.float64]:
        """Events per unit of time in each arm at the mean of the covariates, control first, shape (arms,)."""
        return np.exp(self.log_rates)

    def rate_interval(self, arm: int, level: float = 0.95) -> Interval:
        """Confidence interval of an arm's rate (0 = control), normal on the logarithmic scale."""
        if not 0 <= arm < self.arms:
            raise InputError("arm", arm, f"an arm from 0 to {self.arms - 1}")
        middle = float(self.log_rates[arm])
        half = normal_quantile(level) * math.sqrt(float(self.log_rate_covariance[arm, arm]))
        return Interval(math.exp(middle - half), math.exp(middle + half), level)

    @property
    def _kind(self) -> str:
        return f"regression of counts, dispersion {self.dispersion:.4g}"
