"""Number of events under observation: rates compared by negative binomial or Poisson regression."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..data import DAYS_PER_YEAR
from ..errors import InputError
from ..estimate import Better, Estimate, Scale
from ..wording import arm_label, capital, decimal, measure_text, visit_text
from .adjusted import adjusted_batch, covariates_text, left_out, model_columns
from .batch import BatchEstimates
from .planning.law import ArmLaw, EndpointPlan, Law
from .planning.plan_counts import Counts
from .present_arms import by_present_arms, present_arms
from .regression.counts import CountFit
from .regression.negative_binomial import negative_binomial_batch, negative_binomial_regression
from .regression.poisson import PoissonVariance, poisson_batch, poisson_regression
from .results import Cell, Column, Comparison, Description, EndpointResult, ResultTable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..data import TrialData
    from ..protocol import CountEndpoint, Protocol
    from ..trial_batch import TrialBatch

__all__ = ["analysed", "batch", "describe", "estimate", "measured_on", "plan", "primary"]

_SPREADS = 400


def _counts(endpoint: CountEndpoint, data: TrialData | TrialBatch) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Events, NaN where not recorded or nobody was observed, and patient-years under observation, (..., patients)."""
    found = data.measure(endpoint.measure)
    if found.exposure is None:
        raise InputError(f"measure {endpoint.measure}", None, "counts with the days under observation")
    unobserved = np.isnan(found.exposure) | ((found.exposure == 0) & ~(found.value > 0))
    return np.where(unobserved | (data.arm < 0), np.nan, found.value), found.exposure / DAYS_PER_YEAR


def _variance(endpoint: CountEndpoint) -> PoissonVariance:
    return "HC3" if endpoint.variance == "robust" else "model"


def measured_on(endpoint: CountEndpoint, protocol: Protocol) -> tuple[Scale, Better]:
    """The log rate ratio, good where events are."""
    return Scale.LOG_RATE_RATIO, protocol.better_of(endpoint.measure)


def analysed(endpoint: CountEndpoint, protocol: Protocol, data: TrialData) -> NDArray[np.bool_]:
    """Who enters the model: those with a count, some time under observation and all covariates; shape (patients,)."""
    events, _ = _counts(endpoint, data)
    _, values = model_columns(protocol, data, endpoint.covariates, events)
    return np.asarray(~np.isnan(np.column_stack([events, values])).any(axis=1))


def _fit(endpoint: CountEndpoint, protocol: Protocol, data: TrialData) -> tuple[CountFit, list[int]]:
    """The model, and the arms in it: other arms than the pair compared only if they have patients to analyse."""
    events, years = _counts(endpoint, data)
    present, arm = present_arms(data.arm, analysed(endpoint, protocol, data), len(data.arm_names))
    names, values = model_columns(protocol, data, endpoint.covariates, events)
    common = {
        "exposure": years,
        "names": names,
        "arms": len(present),
        "better": measured_on(endpoint, protocol)[1],
        "label": endpoint.title,
    }
    if endpoint.model == "poisson":
        return poisson_regression(events, arm, values, variance=_variance(endpoint), **common), present
    return negative_binomial_regression(events, arm, values, **common), present


def primary(endpoint: CountEndpoint, protocol: Protocol, data: TrialData) -> tuple[Estimate, tuple[str, ...]]:
    """The log rate ratio of the experimental arm to control, for looks and simulation; a note where the dispersion
    is 0.
    """
    fitted, _ = _fit(endpoint, protocol, data)
    return fitted.compare(1, 0), fitted.notes


def batch(endpoint: CountEndpoint, protocol: Protocol, trials: TrialBatch) -> BatchEstimates:
    """`primary` of many trials."""
    events, years = _counts(endpoint, trials)

    def fit(rows: NDArray[np.intp], names: list[str], values: NDArray[np.float64]) -> BatchEstimates:
        def model(some: NDArray[np.intp], arm: NDArray[np.intp], arms: int) -> BatchEstimates:
            common = {"exposure": years[rows[some]], "names": names, "arms": arms}
            if endpoint.model == "poisson":
                found = poisson_batch(events[rows[some]], arm, values[some], variance=_variance(endpoint), **common)
            else:
                found = negative_binomial_batch(events[rows[some]], arm, values[some], **common)
            return found.estimates()

        kept = ~np.isnan(events[rows]) & ~np.isnan(values).any(axis=2)
        return by_present_arms(trials.arm[rows], kept, len(trials.arm_names), model)

    def single(data: TrialData) -> Estimate:
        return primary(endpoint, protocol, data)[0]

    untimed = ((years == 0) & (events > 0)).any(axis=1)
    return adjusted_batch(protocol, trials, endpoint.covariates, events, fit, single, untimed)


def estimate(endpoint: CountEndpoint, protocol: Protocol, data: TrialData) -> EndpointResult:
    """The whole result: rate ratios of every arm to control as logarithms, and the arms' events, years and rates.

    Rates are of the model, at the mean of all covariates over the patients analysed. An arm without patients to analyse
    is left out of it with a note; raises `InputError` where that is control or the experimental arm.
    """
    (fitted, present), kept = _fit(endpoint, protocol, data), analysed(endpoint, protocol, data)
    level, visit = protocol.confidence_level, protocol.visit_of(endpoint)
    comparisons = tuple(
        Comparison(data.arm_names[at], visit, found, found.interval(level))
        for at, found in zip(present[1:], fitted.estimates, strict=True)
    )
    refused = tuple(
        f"{arm_label(protocol, name)}: not compared; no patient of this arm can be analysed"
        for at, name in enumerate(data.arm_names)
        if at not in present
    )
    return EndpointResult(
        name=endpoint.name,
        label=endpoint.title,
        kind=endpoint.type,
        comparisons=comparisons,
        patients=fitted.patients,
        notes=(*left_out(kept, "no count, or not under observation", endpoint.covariates), *refused, *fitted.notes),
        tables=(_rates(endpoint, protocol, data, fitted, present, kept),),
    )


def _rates(
    endpoint: CountEndpoint,
    protocol: Protocol,
    data: TrialData,
    fitted: CountFit,
    present: list[int],
    kept: NDArray[np.bool_],
) -> ResultTable:
    events, _ = _counts(endpoint, data)
    columns = (
        Column("Arm"),
        Column("Patients", "count"),
        Column("With events", "count"),
        Column("Events", "count"),
        Column("Patient-years", "number", 1),
        Column("Rate a patient-year", "number", 3),
        Column("Interval", "number", 3),
    )
    rows: list[tuple[Cell, ...]] = []
    for at, name in enumerate(data.arm_names):
        if at not in present:
            rows.append((arm_label(protocol, name), 0, 0, 0, 0.0, None, None))
            continue
        mine, place = kept & (data.arm == at), present.index(at)
        rows.append(
            (
                arm_label(protocol, name),
                int(mine.sum()),
                int((mine & (events > 0)).sum()),
                int(fitted.events[place]),
                float(fitted.exposure[place]),
                float(fitted.rates[place]),
                fitted.rate_interval(place, protocol.confidence_level),
            )
        )
    notes = ["Rates of the model at the mean of the covariates."] if endpoint.covariates else []
    if fitted.dispersion > 0:
        error = fitted.dispersion_standard_error
        known = "" if np.isnan(error) else f" (standard error {decimal(error, 2)})"
        notes.append(f"Dispersion {decimal(fitted.dispersion, 2)}{known}: the variance is mean + dispersion x mean².")
    return ResultTable(f"Rates of {measure_text(protocol, endpoint.measure)}", columns, tuple(rows), " ".join(notes))


def _exposures(endpoint: CountEndpoint, protocol: Protocol, arm: ArmLaw) -> tuple[float, ...]:
    """Quantiles of the years for which patients of an arm are under observation, each as likely as the others: to the
    visit, or to a day spread evenly between the visits where a patient leaves.
    """
    last = protocol.visit_names.index(protocol.visit_of(endpoint))
    days = np.array([visit.day - protocol.visits[0].day for visit in protocol.visits[: last + 1]], dtype=float)
    left = 1.0 - arm.staying[: last + 1]
    shares = (np.arange(_SPREADS) + 0.5) / _SPREADS
    after = np.searchsorted(left, shares, side="right")
    stayed, after = after > last, np.minimum(after, last)
    width = np.where(stayed, 1.0, left[after] - left[after - 1])
    leaving = days[after - 1] + (shares - left[after - 1]) / width * (days[after] - days[after - 1])
    return tuple((np.where(stayed, days[-1], leaving) / DAYS_PER_YEAR).tolist())


def plan(endpoint: CountEndpoint, protocol: Protocol, law: Law) -> EndpointPlan:
    """Log rate ratio under a scenario and the variance of its maximum likelihood estimate (see `Counts`), over the
    times for which patients are under observation. Covariates are taken to explain nothing.
    """
    rates, variances = [], []
    for arm in law.arms[:2]:
        truth = arm.measures.get(endpoint.measure)
        if truth is None or truth.rate is None:
            raise InputError(
                f"measures.{endpoint.measure}.rate", None, "a rate in each arm of the scenario, to plan by"
            )
        if not truth.rate > 0:
            raise InputError(f"measures.{endpoint.measure}.rate", truth.rate, "a rate above 0, for a rate ratio")
        dispersion = truth.dispersion if endpoint.model == "negative-binomial" else 0.0
        exposure = _exposures(endpoint, protocol, arm)
        alike = Counts(truth.rate, truth.rate, dispersion=dispersion, exposure=exposure)
        variance = 1 / (2 * alike.information((1.0, 1.0)))
        if endpoint.variance == "robust":
            means = truth.rate * np.array(exposure)
            variance += truth.dispersion * float((means**2).mean() / means.mean() ** 2)
        rates.append(truth.rate)
        variances.append(variance)
    _, better = measured_on(endpoint, protocol)
    return EndpointPlan(float(np.log(rates[1] / rates[0])), (variances[0], variances[1]), better)


def describe(endpoint: CountEndpoint, protocol: Protocol) -> Description:
    """The regression in words."""
    name, visit = measure_text(protocol, endpoint.measure), visit_text(protocol, protocol.visit_of(endpoint))
    poisson = endpoint.model == "poisson"
    kind = "Poisson" if poisson else "negative binomial"
    spread = "The dispersion is found with the coefficients by maximum likelihood; where the counts vary no more than"
    spread += " Poisson counts, it is 0."
    if poisson:
        spread = (
            "Standard errors are by the sandwich (HC3), which holds whatever the variance of the counts."
            if endpoint.variance == "robust"
            else "Standard errors take the variance of a count to be its mean."
        )
    law = "Events of a patient come at a steady rate while under observation."
    if not poisson:
        law += " Patients' rates vary about that of their arm by a gamma law of the same spread in all arms."
    elif endpoint.variance == "model":
        law += " Patients of an arm with the same covariates have the same rate."
    references = {
        "negative-binomial": (
            "Lawless JF. Negative binomial and mixed Poisson regression. Can J Stat 1987;15:209-225.",
        ),
        "poisson": ("McCullagh P, Nelder JA. Generalized linear models. 2nd ed. London: Chapman and Hall; 1989.",),
    }
    robust = (
        "MacKinnon JG, White H. Some heteroskedasticity-consistent covariance matrix estimators with improved finite"
        " sample properties. J Econometrics 1985;29:305-325.",
    )
    return Description(
        method=(
            f"{capital(kind)} regression of the number of {name} up to {visit} on arm, with the"
            f" logarithm of the time under observation as offset; covariates {covariates_text(endpoint.covariates)}."
            f" The effect is the ratio of the rates, tested by its logarithm. {spread}"
        ),
        kind=f"from a {kind} regression" if not poisson else "from a Poisson regression",
        measured=name,
        assumptions=(
            law,
            "Leaving observation says nothing of the events that were to come, given arm and covariates.",
        ),
        references=references[endpoint.model] + (robust if endpoint.variance == "robust" else ()),
        unseen="they count with their events and the time for which they were under observation",
    )
