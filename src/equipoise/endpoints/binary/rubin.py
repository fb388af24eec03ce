"""One estimate from many completed data sets: Rubin's rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...checks import any_shape, number
from ...errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["Pooled", "rubins_rules"]


@dataclass(frozen=True, slots=True, eq=False)
class Pooled:
    """Pooled estimates, each of the shape that the leading axes have.

    Attributes
    ----------
    effect
        Mean of the estimates.
    standard_error
        Square root of within + (1 + 1 / imputations) between.
    degrees_of_freedom
        Of the t distribution, Barnard & Rubin's.
    within, between
        Mean of the variances, and variance of the estimates.
    missing_information
        Share of the total variance that is due to what is missing.
    """

    effect: NDArray[np.float64]
    standard_error: NDArray[np.float64]
    degrees_of_freedom: NDArray[np.float64]
    within: NDArray[np.float64]
    between: NDArray[np.float64]
    missing_information: NDArray[np.float64]


def rubins_rules(estimates: ArrayLike, variances: ArrayLike, complete_degrees_of_freedom: float = np.inf) -> Pooled:
    """Estimates and variances of completed data sets, pooled (Rubin 1987, Multiple Imputation for Nonresponse in
    Surveys, chapter 3) with the degrees of freedom of Barnard & Rubin (1999, Biometrika 86:948).

    Parameters
    ----------
    estimates, variances
        Of each completed data set, shape (..., imputations); at least two of them.
    complete_degrees_of_freedom
        That the analysis would have if nothing were missing; infinite for a normal reference.

    Raises
    ------
    InputError
        For fewer than two imputations, arrays that differ in shape, or variances below 0.
    """
    values = any_shape("estimates", estimates, missing=True)
    spreads = any_shape("variances", variances, missing=True)
    if values.ndim == 0 or values.shape[-1] < 2:
        raise InputError("estimates", values.shape, "estimates of at least two completed data sets")
    if spreads.shape != values.shape:
        raise InputError("variances", spreads.shape, f"a variance for each estimate, shape {values.shape}")
    if np.any(spreads < 0):
        raise InputError("variances", variances, "numbers of at least 0")
    freedom = number(
        "complete_degrees_of_freedom", complete_degrees_of_freedom, "a number above 0, or infinity", infinite=True
    )
    if freedom <= 0:
        raise InputError("complete_degrees_of_freedom", freedom, "a number above 0, or infinity")
    count = values.shape[-1]
    within, between = spreads.mean(axis=-1), values.var(axis=-1, ddof=1)
    added = (1 + 1 / count) * between
    total = within + added
    share = np.divide(added, total, out=np.zeros_like(total), where=total > 0)
    with np.errstate(divide="ignore"):
        old = (count - 1) / share**2
    observed = np.inf if np.isinf(freedom) else (freedom + 1) / (freedom + 3) * freedom * (1 - share)
    with np.errstate(divide="ignore"):
        pooled = 1 / (1 / old + 1 / observed)
    return Pooled(values.mean(axis=-1), np.sqrt(total), pooled, within, between, share)
