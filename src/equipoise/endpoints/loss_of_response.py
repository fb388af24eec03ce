"""How long response lasts: among responders, among all randomised, and in those who would respond.

Comparing the arms among responders breaks randomisation, for who responds depends on the arm; their curves are
descriptive. The effect is on mean time in response among all randomised (`durations.time_in_response`), beside that in
those who would respond to the experimental arm (`durations.principal_stratum`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data import LOSS_OF_RESPONSE, TrialData
from ..errors import InputError, NotEstimable
from ..estimate import Better, Estimate, Interval, Scale
from ..wording import arm_text, counted, days, visit_text
from .against_control import against_control, compared_arms
from .batch import BatchEstimates
from .covariates import covariate_columns
from .durations.estimands import Estimand, durability_estimands
from .durations.in_response import InResponse, in_response
from .durations.planned import observed_for, planned_time
from .durations.principal_ignorability import principal_ignorability
from .durations.principal_stratum import principal_stratum
from .durations.result import DurationResult, Durations
from .durations.tables import duration_tables
from .durations.time_in_response import TimeInResponse, time_in_response, time_in_response_batch
from .planning.law import EndpointPlan, Law
from .response import analysed as in_denominator
from .response import responded
from .results import Description, Durability
from .survival.kaplan_meier import KaplanMeier, kaplan_meier
from .visits_reached import patients_due, visit_reached

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..protocol import LossOfResponseEndpoint, Protocol
    from ..trial_batch import TrialBatch

    Arrays = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]

__all__ = [
    "NEEDS_FOLLOW_UP",
    "accrued",
    "analysed",
    "batch",
    "describe",
    "estimate",
    "measured_on",
    "plan",
    "primary",
    "reached",
]

NEEDS_FOLLOW_UP = True


def analysed(endpoint: LossOfResponseEndpoint, protocol: Protocol, data: TrialData) -> NDArray[np.bool_]:
    """Who is counted: those in the denominator of the response it follows; shape (patients,)."""
    return in_denominator(protocol.response_rule(endpoint.response), protocol, data)


def _durations(endpoint: LossOfResponseEndpoint, protocol: Protocol, data: TrialData | TrialBatch) -> Arrays:
    """Response (1, 0, NaN where not counted), days from the response visit to its first loss or to last contact, and
    whether the loss was seen; of one trial or of many.

    A loss recorded before the visit ends a response found there at once.
    """
    rule = protocol.response_rule(endpoint.response)
    counts = np.asarray(in_denominator(rule, protocol, data))  # type: ignore[arg-type]
    response = np.asarray(responded(rule, protocol, data))  # type: ignore[arg-type]
    followed, first = data.followed, data.first_event(LOSS_OF_RESPONSE)
    lost = first <= followed
    time = np.minimum(first, followed) - data.since_randomisation(rule.visit)
    status = np.where(counts, response, np.nan).astype(np.float64)
    return status, np.asarray(np.round(np.maximum(time, 0.0), 9), dtype=np.float64), lost


def measured_on(endpoint: LossOfResponseEndpoint, protocol: Protocol) -> tuple[Scale, Better]:
    """A difference of mean times in response, in days, of which more are better."""
    return Scale.TIME_DIFFERENCE, "higher"


def primary(endpoint: LossOfResponseEndpoint, protocol: Protocol, data: TrialData) -> tuple[Estimate, tuple[str, ...]]:
    """Difference in mean time in response among all randomised, in days, experimental arm minus control.

    Raises
    ------
    InputError
        When the data have no dates or no table of events.
    NotEstimable
        Where an arm has no patient or has not been followed to the horizon, or nothing varies.
    """
    _check(data)
    response, time, lost = _durations(endpoint, protocol, data)
    found = time_in_response(against_control(data.arm), response, time, lost, endpoint.within)
    return replace(found.difference, label=endpoint.title), ()


def batch(endpoint: LossOfResponseEndpoint, protocol: Protocol, trials: TrialBatch) -> BatchEstimates:
    """What `primary` gives, of many trials."""
    response, time, lost = _durations(endpoint, protocol, trials)
    pair, failures = against_control(trials.arm), {at: str(why) for at, why in _refused(trials).items()}
    response[list(failures)] = np.nan
    for at in np.flatnonzero(((response == 1) & np.isnan(time)).any(axis=1)).tolist():
        try:
            time_in_response(pair[at], response[at], time[at], lost[at], endpoint.within)
        except (InputError, NotEstimable) as error:
            failures[at] = str(error)
            response[at] = np.nan
    found = time_in_response_batch(pair, response, time, lost, endpoint.within)
    reasons = dict(sorted((found.failures | failures).items()))
    return BatchEstimates.of(found.effect, found.standard_error, found.degrees_of_freedom, reasons)


def _refused(data: TrialData | TrialBatch) -> dict[int, InputError]:
    """What trials lack for losses to be told, by number; of one trial its number is 0."""
    dated, events = np.atleast_1d(data.has_dates), np.atleast_1d(data.has_events)
    unfollowed = np.atleast_2d((data.arm >= 0) & np.isnan(data.followed)).any(axis=-1)
    dates = ("data without dates", "data with dates of randomisation and of events")
    table = ("data without events", "a table of events, from which losses are known")
    return {
        at: InputError("loss of response", *(table if dated[at] and not events[at] else dates))
        for at in np.flatnonzero(~dated | ~events | unfollowed).tolist()
    }


def _check(data: TrialData) -> None:
    if refused := _refused(data):
        raise refused[0]


def estimate(endpoint: LossOfResponseEndpoint, protocol: Protocol, data: TrialData) -> DurationResult:
    """The whole result: curves by arm, in response at the horizons, mean time in response, principal stratum.

    Curves among responders: time to the first loss, censored at last contact. Among all randomised whose response visit
    was due: those without response count as lost on day 0, which keeps the arms as they were randomised.

    Raises
    ------
    InputError
        When the data have no dates or no table of events, without which no loss can be told.
    """
    _check(data)
    response, time, lost = _durations(endpoint, protocol, data)
    arrays, visit = (response, time, lost), protocol.visit_of(endpoint)
    times: dict[int, TimeInResponse] = {}

    def one(at: int) -> tuple[Estimate, Interval]:
        times[at] = time_in_response(against_control(data.arm, at), *arrays, endpoint.within, endpoint.level)
        effect = replace(times[at].difference, label=endpoint.title)
        return effect, effect.interval(protocol.confidence_level)

    comparisons, notes = compared_arms(protocol, data, visit, one)
    compared = [
        _durations_of(endpoint, protocol, data, at, arrays, times.get(at)) for at in range(1, len(data.arm_names))
    ]
    estimands = _estimands(endpoint, protocol, next((item.time.horizon for item in compared if item.time), None))
    return DurationResult(
        name=endpoint.name,
        label=endpoint.title,
        kind=endpoint.type,
        comparisons=comparisons,
        patients=int((~np.isnan(response)).sum()),
        notes=(*_notes(protocol, data, visit), *notes, *(why for item in compared for why in item.reasons)),
        tables=duration_tables(protocol, compared, estimands, endpoint.level, visit),
        arms=_curves(endpoint, data, arrays),
        durations=tuple(compared),
        estimands=estimands,
    )


def _curves(endpoint: LossOfResponseEndpoint, data: TrialData, arrays: Arrays) -> tuple[Durability, ...]:
    response, time, lost = arrays
    counts, responder = ~np.isnan(response), response == 1

    def curve(members: NDArray[np.bool_]) -> KaplanMeier | None:
        if not members.any():
            return None
        return kaplan_meier(
            np.where(responder, time, 0.0)[members], (lost | ~responder)[members], endpoint.level, "log-log"
        )

    arms = []
    for at, name in enumerate(data.arm_names):
        members = counts & (data.arm == at)
        chosen = members & responder
        arms.append(
            Durability(name, int(members.sum()), int(chosen.sum()), curve(chosen), curve(members), endpoint.horizons)
        )
    return tuple(arms)


def _durations_of(
    endpoint: LossOfResponseEndpoint,
    protocol: Protocol,
    data: TrialData,
    at: int,
    arrays: Arrays,
    time: TimeInResponse | None,
) -> Durations:
    """One experimental arm against control; what cannot be estimated is left out and said."""
    name = data.arm_names[at]
    given = (against_control(data.arm, at), *arrays)
    reasons: list[str] = []

    def held(day: float) -> InResponse | None:
        try:
            return in_response(*given, day, endpoint.level)
        except NotEstimable as error:
            reasons.append(f"{name}, in response on day {days(day)}: {error}")
            return None

    shown = tuple(found for day in endpoint.horizons if (found := held(day)) is not None)
    if time is None:
        return Durations(name, shown, reasons=tuple(reasons))
    stratum = ignorable = None
    try:
        stratum = principal_stratum(*given, time.horizon, endpoint.level)
        if endpoint.covariates:
            found = [
                covariate_columns(protocol, data, covariate, ~np.isnan(given[1])) for covariate in endpoint.covariates
            ]
            columns = np.concatenate([values for _, values, _ in found], axis=1)
            ignorable = principal_ignorability(*given, columns, time.horizon)
    except NotEstimable as error:
        reasons.append(f"{name}, those who would respond to it: {error}")
    if stratum is not None and stratum.more_under_control:
        reasons.append(
            f"{name}: more responded to control, so that it is in doubt that nobody would respond to control only"
        )
    return Durations(name, shown, time, stratum, ignorable, tuple(reasons))


def _notes(protocol: Protocol, data: TrialData, visit: str) -> list[str]:
    notes = ["Times among responders describe; they are no randomised comparison."]
    waiting = int((~data.is_due(visit)).sum())
    if waiting:
        notes.append(f"{counted(waiting, 'patient')} not yet due at {visit_text(protocol, visit)}: not counted")
    return notes


def _missed(endpoint: LossOfResponseEndpoint, protocol: Protocol) -> str:
    rule = protocol.response_rule(endpoint.response)
    visit = visit_text(protocol, rule.visit)
    if rule.missing == "observed-only":
        return f"a patient not seen at {visit} is left out, as if missing by chance"
    return f"a patient not seen at {visit} counts as without response"


def _estimands(endpoint: LossOfResponseEndpoint, protocol: Protocol, horizon: float | None) -> tuple[Estimand, ...]:
    until = endpoint.within or horizon
    several = len(protocol.arm_names) > 2
    found = durability_estimands(
        "the experimental arm" if several else arm_text(protocol, protocol.experimental.name),
        arm_text(protocol, protocol.control.name),
        visit_text(protocol, protocol.visit_of(endpoint)),
        "the follow-up" if until is None else f"{days(until)} days",
        _missed(endpoint, protocol),
    )
    return found if endpoint.covariates else found[:-1]


def reached(endpoint: LossOfResponseEndpoint, protocol: Protocol, data: Any) -> NDArray[np.float64]:
    """Days of the trial on which the days after the response visit were over for each patient, (..., patients)."""
    return visit_reached(data, protocol.visit_of(endpoint)) + (endpoint.within or 0.0)


def accrued(
    endpoint: LossOfResponseEndpoint, protocol: Protocol, data: TrialData | TrialBatch
) -> int | NDArray[np.intp]:
    """Patients whose response visit, and the days after it within which response is counted, are over.

    Raises
    ------
    InputError
        Of many trials with such days: a batch does not hold the day of the look, see `endpoints.accrued_by`.
    """
    if isinstance(data, TrialData):
        return int((reached(endpoint, protocol, data) <= data.cut).sum()) if data.has_dates else len(data)
    if endpoint.within:
        raise InputError("data", "many trials at a look", "all that would happen in them, with the day (accrued_by)")
    return patients_due(data, protocol.visit_of(endpoint))


def plan(endpoint: LossOfResponseEndpoint, protocol: Protocol, law: Law) -> EndpointPlan:
    """Difference in mean time in response and its variances under a scenario.

    Raises
    ------
    InputError
        Where the protocol does not say within how many days, or nobody is followed for so long.
    """
    if endpoint.within is None:
        raise InputError("within", None, "the days within which a primary endpoint counts time in response")
    rule = protocol.response_rule(endpoint.response)
    at = protocol.visit_names.index(rule.visit)
    planned = np.array([float(visit.day) for visit in protocol.visits])
    follow_up = protocol.follow_up.days if protocol.follow_up else 0.0
    means, variances = [], []
    for arm in law.arms[:2]:
        share, seen = arm.response_probability(at, rule.improvement, rule.points, protocol.scale.better), 1.0
        if rule.missing == "observed-only":
            seen = float(arm.seen[at])
        else:
            share *= float(arm.seen[at])
        median, shape = arm.median_days_to_loss_of_response, arm.shape_of_loss_of_response
        watched = observed_for(planned, arm.staying, at, follow_up, endpoint.within)
        mean, variance = planned_time(share, median, endpoint.within, watched, shape)
        means.append(mean)
        variances.append(variance / seen)
    if sum(variances) < 1e-12:
        raise InputError("endpoint", endpoint.name, "a response that some but not all patients of the scenario reach")
    return EndpointPlan(means[1] - means[0], (variances[0], variances[1]), measured_on(endpoint, protocol)[1])


def describe(endpoint: LossOfResponseEndpoint, protocol: Protocol) -> Description:
    """The three ways of speaking of durable response, in words."""
    visit = visit_text(protocol, protocol.visit_of(endpoint))
    within = (
        "while both arms are followed after" if endpoint.within is None else f"within {days(endpoint.within)} days of"
    )
    experimental = arm_text(protocol, protocol.experimental.name)
    control = arm_text(protocol, protocol.control.name)
    method = (
        "Time to loss of response is described by Kaplan-Meier curves, with log-log limits and Brookmeyer-Crowley"
        " intervals of the median: among responders, who are not randomised groups, and among all randomised with those"
        " who did not respond counting as lost on day 0. The effect is the difference in mean time in response"
        f" {within} {visit} among all randomised: the area under the curve of being in response, no response"
        " counting as no days, with Greenwood's variance and a normal reference. The probability of being in response"
        " on a day has score limits, its difference their hybrid. Beside it stands the effect in those who would"
        f" respond to {experimental}, whichever arm they are in: an estimate if nobody would respond to {control} only,"
        " and sharp bounds without that assumption, with the interval of Imbens and Manski."
    )
    if endpoint.covariates:
        method += (
            " A third estimate weighs control by the probability of responding to the experimental arm given"
            " covariates, from a logistic regression."
        )
    estimands = _estimands(endpoint, protocol, None)
    references = [
        "Kaplan EL, Meier P. Nonparametric estimation from incomplete observations. J Am Stat Assoc 1958;53:457-481.",
        "Brookmeyer R, Crowley J. A confidence interval for the median survival time. Biometrics 1982;38:29-41.",
        "Huang B, Tian L, Talukder E, Rothenberg M, Kim DH, Wei LJ. Evaluating treatment effect based on duration of"
        " response for a comparative oncology study. JAMA Oncol 2018;4:874-876.",
        "Frangakis CE, Rubin DB. Principal stratification in causal inference. Biometrics 2002;58:21-29.",
        "Imbens GW, Manski CF. Confidence intervals for partially identified parameters. Econometrica"
        " 2004;72:1845-1857.",
    ]
    if endpoint.covariates:
        references.append(
            "Ding P, Lu J. Principal stratification analysis using principal scores. J R Stat Soc B 2017;79:757-777."
        )
    return Description(
        method=method,
        kind="from the area under the curve of being in response among all randomised",
        measured=f"time in response {within} {visit}",
        assumptions=tuple(f"{item.name}: {item.assumptions}." for item in estimands if item.is_effect),
        references=tuple(references),
        unseen="they count as without response, as their response endpoint has it",
    )
