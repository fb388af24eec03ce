"""Mean survival times up to a horizon: areas under survival curves, their differences and ratios."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...checks import normal_quantile
from ...errors import InputError
from ...estimate import Better, Estimate, Interval, Scale

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .kaplan_meier import KaplanMeier

__all__ = [
    "NO_SPREAD",
    "RestrictedMean",
    "RestrictedMeanRatio",
    "area_under",
    "restricted_mean_difference",
    "restricted_mean_ratio",
    "restricted_time_lost_ratio",
]

NO_SPREAD = "a horizon after which some patients, but not all, had had the event"


@dataclass(frozen=True, slots=True)
class RestrictedMean:
    """Mean survival time up to a horizon: the area under the survival curve.

    Attributes
    ----------
    value
        In units of time, from 0 to `horizon`.
    standard_error
        Greenwood's; 0 where no event fell before the horizon.
    horizon
        In units of time.
    """

    value: float
    standard_error: float
    horizon: float

    @property
    def time_lost(self) -> RestrictedMean:
        """Mean time lost to the event up to the horizon: horizon less mean, with the same standard error."""
        return RestrictedMean(self.horizon - self.value, self.standard_error, self.horizon)

    def interval(self, level: float = 0.95) -> Interval:
        """Normal confidence interval (Royston & Parmar 2013, BMC Med Res Methodol 13:152)."""
        half = normal_quantile(level) * self.standard_error
        return Interval(self.value - half, self.value + half, level)

    def __str__(self) -> str:
        return f"restricted mean {self.value:.4g} (SE {self.standard_error:.4g}) up to {self.horizon:g}"


@dataclass(frozen=True, slots=True)
class RestrictedMeanRatio:
    """A ratio of mean times up to a horizon, experimental over control, as its natural logarithm.

    Attributes
    ----------
    log_ratio, standard_error
        The delta method's standard error, of independent arms.
    horizon
        In units of time.
    """

    log_ratio: float
    standard_error: float
    horizon: float

    @property
    def ratio(self) -> float:
        """The ratio itself."""
        return math.exp(self.log_ratio)

    @property
    def p_value(self) -> float:
        """Two-sided, of a ratio of 1."""
        from scipy.special import ndtr

        return 2 * float(ndtr(-abs(self.log_ratio) / self.standard_error))

    def interval(self, level: float = 0.95) -> Interval:
        """Confidence interval of the ratio, normal on the scale of its logarithm."""
        half = normal_quantile(level) * self.standard_error
        return Interval(math.exp(self.log_ratio - half), math.exp(self.log_ratio + half), level)

    def __str__(self) -> str:
        return f"ratio {self.ratio:.4g} (95% interval {self.interval()}) up to {self.horizon:g}"


def area_under(
    times: NDArray[np.float64], survival: NDArray[np.float64], terms: NDArray[np.float64], horizon: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Areas under survival curves from 0 to a horizon, and Greenwood's variances of them.

    The variance is the sum over event times of (area from there to the horizon)^2 d / (n (n - d)), with d events among
    n at risk (Greenwood; Klein & Moeschberger 2003, section 4.5).

    Parameters
    ----------
    times
        Ascending along the last axis; infinite behind the last.
    survival, terms
        Just after each time, and d / (n (n - d)) at it, in the shape of `times`.

    Returns
    -------
    Both in the shape of `times` without its last axis.
    """
    knots = np.minimum(times, horizon)
    ends = np.concatenate((knots[..., 1:], np.full((*knots.shape[:-1], 1), horizon)), axis=-1)
    beyond = np.cumsum((survival * (ends - knots))[..., ::-1], axis=-1)[..., ::-1]
    return knots[..., 0] + beyond[..., 0], np.sum(beyond**2 * terms, axis=-1)


def restricted_mean_difference(
    experimental: KaplanMeier, control: KaplanMeier, horizon: float, better: Better = "higher", label: str = ""
) -> Estimate:
    """Difference of restricted mean survival times, experimental minus control, in units of time.

    Independent arms, normal reference (Royston & Parmar 2013; Uno et al. 2014, J Clin Oncol 32:2380).

    Raises
    ------
    InputError
        As `KaplanMeier.restricted_mean`, or where no event fell before the horizon in either arm.
    """
    first, second = experimental.restricted_mean(horizon), control.restricted_mean(horizon)
    standard_error = math.hypot(first.standard_error, second.standard_error)
    if standard_error == 0:
        raise InputError("horizon", horizon, NO_SPREAD)
    return Estimate(
        first.value - second.value,
        standard_error,
        scale=Scale.TIME_DIFFERENCE,
        better=better,
        label=label or f"difference of restricted means up to {horizon:g}",
    )


def restricted_mean_ratio(experimental: KaplanMeier, control: KaplanMeier, horizon: float) -> RestrictedMeanRatio:
    """Ratio of restricted mean survival times, experimental over control (Uno et al. 2014, J Clin Oncol 32:2380).

    Raises
    ------
    InputError
        As `restricted_mean_difference`, or where everybody of an arm had the event at time 0.
    """
    return _ratio(experimental.restricted_mean(horizon), control.restricted_mean(horizon))


def restricted_time_lost_ratio(experimental: KaplanMeier, control: KaplanMeier, horizon: float) -> RestrictedMeanRatio:
    """Ratio of mean times lost to the event up to the horizon, experimental over control (Uno et al. 2014).

    Raises
    ------
    InputError
        As `restricted_mean_difference`, or where an arm had no event before the horizon.
    """
    return _ratio(experimental.restricted_mean(horizon).time_lost, control.restricted_mean(horizon).time_lost)


def _ratio(first: RestrictedMean, second: RestrictedMean) -> RestrictedMeanRatio:
    if min(first.value, second.value) <= 0:
        raise InputError("horizon", first.horizon, "a horizon at which the mean times of both arms are above 0")
    standard_error = math.hypot(first.standard_error / first.value, second.standard_error / second.value)
    if standard_error == 0:
        raise InputError("horizon", first.horizon, NO_SPREAD)
    return RestrictedMeanRatio(math.log(first.value / second.value), standard_error, first.horizon)
