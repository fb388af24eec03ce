"""Response, by a rule on the rating scale or as a binary measure: risks, their comparison, number needed to treat."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError, NotEstimable
from ..estimate import Estimate
from ..wording import arm_label, counted, listed, reason, visit_text
from .adjusted import adjusted_batch
from .batch import BatchEstimates
from .binary.counting import count_tables
from .binary.g_computation import g_computation_batch
from .binary.number_needed_to_treat import number_needed_to_treat
from .binary.response_tables import response_tables
from .binary.response_words import describe
from .planning.law import ArmLaw, EndpointPlan, Law
from .present_arms import by_present_arms
from .response_counts import response_counts
from .response_model import (
    EFFECTS,
    ResponseModel,
    analysed,
    compare_counts,
    in_denominator,
    measured_on,
    responded,
    response_values,
)
from .results import Comparison, ResponseResult
from .some_trials import fill_singly
from .strata import with_unknown_levels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..data import TrialData
    from ..protocol import Protocol, ResponseEndpoint
    from ..trial_batch import TrialBatch

__all__ = [
    "HAS_NUMBER_NEEDED_TO_TREAT",
    "analysed",
    "batch",
    "describe",
    "estimate",
    "in_denominator",
    "measured_on",
    "plan",
    "primary",
    "responded",
]

HAS_NUMBER_NEEDED_TO_TREAT = True


def primary(endpoint: ResponseEndpoint, protocol: Protocol, data: TrialData) -> tuple[Estimate, tuple[str, ...]]:
    """Experimental arm against control: what a look needs.

    A risk difference has the standard error that holds if there is none (score test), over strata that of Cochran,
    Mantel and Haenszel's test; adjusted or imputed risks, and ratios as logarithms, have their own. Where the model of
    covariates cannot be fitted, it is the unadjusted comparison, and a note says so.
    """
    model = ResponseModel(endpoint, protocol, data)
    return model.compare(), model.notes


def batch(endpoint: ResponseEndpoint, protocol: Protocol, trials: TrialBatch) -> BatchEstimates:
    """`primary` of many trials; multiple imputation goes through them one by one."""

    def single(data: TrialData) -> Estimate:
        return primary(endpoint, protocol, data)[0]

    if endpoint.covariates:
        values = response_values(endpoint, protocol, trials)

        def fit(rows: NDArray[np.intp], names: list[str], columns: NDArray[np.float64]) -> BatchEstimates:
            own, arm = values[rows], trials.arm[rows]
            complete = ~np.isnan(own) & ~np.isnan(columns).any(axis=2)

            def model(some: NDArray[np.intp], arm: NDArray[np.intp], arms: int) -> BatchEstimates:
                return g_computation_batch(
                    own[some], arm, columns[some], variance=endpoint.variance, names=names, arms=arms
                ).estimates(endpoint.effect)

            adjusted = by_present_arms(arm, complete, len(trials.arm_names), model)
            return _else_unadjusted(endpoint, protocol, np.where(complete, own, np.nan), arm, adjusted)

        return adjusted_batch(protocol, trials, endpoint.covariates, values, fit, single)
    found = np.full((3, len(trials)), np.nan)
    if endpoint.missing == "multiple-imputation":
        failures = fill_singly(found, np.ones(len(trials), dtype=bool), trials, single)
        return BatchEstimates.of(found[0], found[1], found[2], failures)
    tables = response_counts(endpoint, protocol, trials)
    names = trials.arm_names[1], trials.arm_names[0]
    effect, error, reasons = compare_counts(endpoint, protocol, tables, names, EFFECTS[endpoint.effect][0])
    found[0], found[1], found[2] = effect, error, np.inf
    odd = with_unknown_levels(protocol, trials, endpoint.strata)
    failures = {row: str(why) for row, why in reasons.items() if not odd[row]}
    failures |= fill_singly(found, odd, trials, single)
    return BatchEstimates.of(found[0], found[1], found[2], failures)


def _else_unadjusted(
    endpoint: ResponseEndpoint,
    protocol: Protocol,
    values: NDArray[np.float64],
    arm: NDArray[np.intp],
    adjusted: BatchEstimates,
) -> BatchEstimates:
    """Estimates with the unadjusted ones in place of those whose model of covariates could not be fitted."""
    rows = np.array(sorted(adjusted.failures), dtype=np.intp)
    tables = count_tables(values[rows], arm[rows], (1, 0), None)
    names = protocol.arm_names[1], protocol.arm_names[0]
    plain = compare_counts(endpoint, protocol, tables, names, EFFECTS[endpoint.effect][0])
    found = np.stack([adjusted.effect, adjusted.standard_error, adjusted.degrees_of_freedom])
    found[:, rows] = plain[0], plain[1], np.full(rows.size, np.inf)
    failures = {int(rows[at]): str(why) for at, why in plain[2].items()}
    return BatchEstimates.of(found[0], found[1], found[2], failures)


def estimate(endpoint: ResponseEndpoint, protocol: Protocol, data: TrialData) -> ResponseResult:
    """The whole result: responders and risk by arm, every arm against control, number needed to treat, other measures.

    Raises
    ------
    InputError
        When control or the experimental arm has no patients to count.
    """
    model = ResponseModel(endpoint, protocol, data)
    arms, visit = model.arms, protocol.visit_of(endpoint)
    comparisons, notes, names = [], [], []
    for at, name in enumerate(data.arm_names[1:], start=1):
        try:
            found = model.compare(at)
            interval, method = model.interval(at)
        except (InputError, NotEstimable) as error:
            notes.append(f"{arm_label(protocol, name)}: no {_noun(endpoint)}; {reason(str(error))}")
            if at == 1:
                break
        else:
            comparisons.append(Comparison(name, visit, found, interval))
            names.append("" if method == "Wald" else method)
    difference = number = None
    try:
        difference = model.difference()
        number = number_needed_to_treat(difference.effect, difference.interval, model.better)
    except (InputError, NotEstimable) as error:
        notes.append(f"no difference in risk, and no number needed to treat; {reason(str(error))}")
    return ResponseResult(
        name=endpoint.name,
        label=endpoint.title,
        kind=endpoint.type,
        comparisons=tuple(comparisons),
        patients=int(model.kept.sum()),
        notes=(*notes, *_notes(model)),
        tables=response_tables(model),
        interval_name=names[0] if names else "",
        arms=arms,
        difference=difference,
        number_needed_to_treat=number,
    )


def _noun(endpoint: ResponseEndpoint) -> str:
    return "test of the difference" if endpoint.effect == "risk-difference" else endpoint.effect.replace("-", " ")


def _notes(model: ResponseModel) -> list[str]:
    """Who was not seen and how they count, who is not counted, and strata that say nothing."""
    endpoint, protocol, data = model.endpoint, model.protocol, model.data
    name = protocol.visit_of(endpoint)
    visit, notes = visit_text(protocol, name), list(model.notes)
    if model.unseen:
        as_what = {
            "multiple-imputation": f"imputed {endpoint.imputations} times",
            "non-response": "counted as non-response" if model.better == "higher" else "counted as having the event",
        }[endpoint.missing]
        notes.append(f"{counted(model.unseen, 'patient')} not seen at {visit}: {as_what}")
    waiting = int((~data.is_due(name) & ~model.counts).sum())
    if waiting:
        notes.append(f"{counted(waiting, 'patient')} not yet due at {visit}: not counted")
    lacking = int((model.counts & ~model.kept).sum())
    if lacking:
        what = "stratum" if endpoint.strata else "covariate"
        notes.append(f"{counted(lacking, 'patient')} left out: a {what} missing")
    if endpoint.strata:
        several = len(data.arm_names) > 2
        for at in model.present[1:]:
            who = f"{arm_label(protocol, data.arm_names[at])}: " if several else ""
            notes += [who + note for note in model.strata(at).notes()]
    if endpoint.missing == "multiple-imputation" and model.unseen:
        notes.append("responders are rounded averages over the completed data sets")
    return notes


def _risk(endpoint: ResponseEndpoint, protocol: Protocol, arm: ArmLaw) -> tuple[float, float]:
    """Risk of a patient who counts, and the share of patients who do."""
    at = protocol.visit_names.index(protocol.visit_of(endpoint))
    seen = float(arm.seen[at])
    if endpoint.measure:
        truth = arm.measures.get(endpoint.measure)
        if truth is None or truth.probability is None:
            place = f"measures.{endpoint.measure}.probability"
            raise InputError(place, None, "a probability in each arm of the scenario, to plan by")
        risk = float(truth.probability)
    else:
        risk = arm.response_probability(at, endpoint.improvement, endpoint.points, protocol.scale.better)
    if endpoint.missing != "non-response":
        return risk, seen
    return (risk * seen if measured_on(endpoint, protocol)[1] == "higher" else 1 - (1 - risk) * seen), 1.0


def plan(endpoint: ResponseEndpoint, protocol: Protocol, law: Law) -> EndpointPlan:
    """Effect and binomial variances under a scenario, missing as the protocol counts it.

    Ratios are planned as logarithms. Strata and covariates are taken to explain nothing, and imputation to add nothing
    to the patients who are seen.

    Raises
    ------
    InputError
        Where all patients of a scenario respond or none does, in both arms or, for a ratio, in either.
    """
    (control, seen0), (experimental, seen1) = (_risk(endpoint, protocol, arm) for arm in law.arms[:2])
    risks, (_, better) = (control, experimental), measured_on(endpoint, protocol)
    spreads = [risk * (1 - risk) for risk in risks]
    if sum(spreads) < 1e-12:
        raise InputError("endpoint", endpoint.name, "a response that some but not all patients of the scenario reach")
    scored = not endpoint.covariates and endpoint.missing != "multiple-imputation"
    if endpoint.effect == "risk-difference" and scored:
        return EndpointPlan.of_risks(risks, (seen0, seen1), protocol.shares(), better)
    if endpoint.effect == "risk-difference":
        return EndpointPlan(experimental - control, (spreads[0] / seen0, spreads[1] / seen1), better)
    if min(risks) <= 0 or (endpoint.effect == "odds-ratio" and max(risks) >= 1):
        shown = listed([f"{risk:.3g}" for risk in risks])
        raise InputError("endpoint", f"{endpoint.name}, risks {shown}", f"risks that have a {_noun(endpoint)}")
    if endpoint.effect == "risk-ratio":
        effect = np.log(experimental / control)
        variances = [(1 - risk) / risk for risk in risks]
    else:
        effect = np.log(experimental * (1 - control) / (control * (1 - experimental)))
        variances = [1 / spread for spread in spreads]
    return EndpointPlan(float(effect), (variances[0] / seen0, variances[1] / seen1), better)
