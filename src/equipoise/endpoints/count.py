"""Number of events under observation: rates compared by negative binomial or Poisson regression."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from ..estimate import Estimate
from ..wording import arm_label, decimal, measure_text, visit_text
from .adjusted import adjusted_batch, covariates_text, left_out, model_columns
from .batch import BatchEstimates
from .planning.law import ArmLaw, EndpointPlan, Law
from .planning.plan_counts import Counts
from .regression.counts import CountFit
from .regression.negative_binomial import negative_binomial_batch, negative_binomial_regression
from .regression.poisson import poisson_batch, poisson_regression
from .results import Column, Comparison, Description, EndpointResult, ResultTable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..data import TrialData
    from ..protocol import CountEndpoint, Protocol
    from ..trial_batch import TrialBatch

__all__ = ["analysed", "batch", "describe", "estimate", "plan", "primary"]

DAYS_PER_YEAR = 365.25
SANDWICH = "HC3"
_SPREADS = 400


def _counts(
    endpoint: CountEndpoint, data: TrialData | TrialBatch
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Events, NaN where not recorded or nobody was observed, and patient-years under observation, (..., patients)."""
    found = data.measure(endpoint.measure)
    if found.exposure is None:
        raise InputError(f"measure {endpoint.measure}", None, "counts with the days under observation")
    unobserved = np.isnan(found.exposure) | ((found.exposure == 0) & ~(found.value > 0))
    return np.where(unobserved | (data.arm < 0), np.nan, found.value), found.exposure / DAYS_PER_YEAR


def _checked(endpoint: CountEndpoint) -> None:
    if endpoint.variance == "robust" and endpoint.model != "poisson":
        raise InputError(
            f"endpoints.{endpoint.name}.variance", endpoint.variance, "'model', but for the model 'poisson'"
        )


def analysed(endpoint: CountEndpoint, protocol: Protocol, data: TrialData) -> NDArray[np.bool_]:
    """Who enters the model: those with a count, some time under observation and all covariates; shape (patients,)."""
    events, _ = _counts(endpoint, data)
    _, values = model_columns(protocol, data, endpoint.covariates, events)
    return np.asarray(~np.isnan(np.column_stack([events, values])).any(axis=1))


def _fit(endpoint: CountEndpoint, protocol: Protocol, data: TrialData) -> CountFit:
    _checked(endpoint)
    events, years = _counts(endpoint, data)
    names, values = model_columns(protocol, data, endpoint.covariates, events)
    _arms_seen(endpoint, protocol, data, events)
    options = {
        "exposure": years,
        "names": names,
        "better": protocol.measure(endpoint.measure).better,
        "label": endpoint.label or endpoint.name,
    }
    if endpoint.model == "poisson":
        variance = SANDWICH if endpoint.variance == "robust" else "model"
        return poisson_regression(events, data.arm, values, arms=len(data.arm_names), variance=variance, **options)
    return negative_binomial_regression(events, data.arm, values, arms=len(data.arm_names), **options)


def primary(endpoint: CountEndpoint, protocol: Protocol, data: TrialData) -> tuple[Estimate, tuple[str, ...]]:
    """The log rate ratio of the experimental arm to control, for looks and simulation; a note where the dispersion
    is 0.
    """
    fitted = _fit(endpoint, protocol, data)
    return fitted.compare(1, 0), fitted.notes


def batch(endpoint: CountEndpoint, protocol: Protocol, trials: TrialBatch) -> BatchEstimates:
    """`primary` of many trials."""
    _checked(endpoint)
    events, years = _counts(endpoint, trials)

    def fit(rows: NDArray[np.intp], names: list[str], values: NDArray[np.float64]) -> BatchEstimates:
        options = {"exposure": years[rows], "names": names, "arms": len(trials.arm_names)}
        if endpoint.model == "poisson":
            variance = SANDWICH if endpoint.variance == "robust" else "model"
            return poisson_batch(events[rows], trials.arm[rows], values, variance=variance, **options).estimates()
        return negative_binomial_batch(events[rows], trials.arm[rows], values, **options).estimates()

    return adjusted_batch(
        protocol, trials, endpoint.covariates, events, fit, lambda data: primary(endpoint, protocol, data)[0]
    )
