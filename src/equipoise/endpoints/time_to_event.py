"""Time from randomisation to an event: Cox's hazard ratio, the log-rank test, or restricted means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError, NotEstimable
from ..estimate import Better, Estimate, Interval, Scale
from ..wording import clean, days, listed, measure_text, visit_text
from .adjusted import adjusted_batch, covariates_text, left_out, model_columns
from .against_control import against_control, compared_arms
from .batch import BatchEstimates
from .planning.law import EndpointPlan, Law
from .results import Description
from .some_trials import some_of
from .strata import stratum_codes, with_unknown_levels
from .survival.by_days import hazard_ratio_by_days, log_rank_by_days, restricted_mean_by_days
from .survival.cox_batch import cox_trials
from .survival.cox_two_arms import hazard_ratio_trials
from .survival.curves import restricted_mean_trials
from .survival.kaplan_meier import kaplan_meier
from .survival.log_rank import log_rank_trials
from .survival.planned import ArmCourse, expected_hazard_ratio, followed_days
from .survival.result import ArmSurvival, TimeToEventResult
from .survival.tables import ComparedTimes, analyses_table, arms_table, probabilities_table
from .visits_reached import counted_of, patients_due, visit_reached

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..data import TrialData
    from ..protocol import Protocol, TimeToEventEndpoint
    from ..trial_batch import TrialBatch

__all__ = ["accrued", "analysed", "batch", "describe", "estimate", "measured_on", "plan", "primary", "reached"]


def _by_means(endpoint: TimeToEventEndpoint) -> bool:
    return endpoint.test == "restricted-mean"


def _horizon(endpoint: TimeToEventEndpoint) -> float:
    if endpoint.horizon is None:
        raise InputError(f"endpoints.{endpoint.name}.horizon", None, "the days to which the mean is restricted")
    return endpoint.horizon


def _times(
    endpoint: TimeToEventEndpoint, data: TrialData | TrialBatch
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Days to the event or to the last that is known of the patient, and whether it was the event, (..., patients)."""
    found = data.measure(endpoint.measure)
    if found.observed is None:
        raise InputError(f"measure {endpoint.measure}", None, "times with whether the event happened then")
    return found.value, found.observed


def _outcome(
    endpoint: TimeToEventEndpoint, protocol: Protocol, data: TrialData | TrialBatch
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.intp] | None]:
    """Times, NaN where nobody is or the stratum is not known; whether it was the event; strata or None."""
    time, event = _times(endpoint, data)
    codes = stratum_codes(protocol, data, endpoint.strata)
    known = (data.arm >= 0) if codes is None else (data.arm >= 0) & (codes >= 0)
    return np.where(known, time, np.nan), event, codes


def measured_on(endpoint: TimeToEventEndpoint, protocol: Protocol) -> tuple[Scale, Better]:
    """A difference of mean times, good where the time is; or the log hazard ratio, which is lower for a longer time."""
    better = protocol.better_of(endpoint.measure)
    if _by_means(endpoint):
        return Scale.TIME_DIFFERENCE, better
    return Scale.LOG_HAZARD_RATIO, "lower" if better == "higher" else "higher"


def _compared(
    endpoint: TimeToEventEndpoint,
    time: NDArray[np.float64],
    event: NDArray[np.bool_],
    pair: NDArray[np.intp],
    strata: NDArray[np.intp] | None,
    names: list[str],
    values: NDArray[np.float64],
) -> BatchEstimates:
    """Two arms of many trials, arrays (trials, patients) and covariates (trials, patients, columns)."""
    if endpoint.test == "log-rank":
        return log_rank_trials(time, event, pair, strata).estimates()
    if _by_means(endpoint):
        return restricted_mean_trials(time, event, pair, _horizon(endpoint))
    if names:
        return cox_trials(time, event, pair, values, strata=strata, names=names).estimates()
    return hazard_ratio_trials(time, event, pair, strata)


def _covariates(endpoint: TimeToEventEndpoint) -> tuple[str, ...]:
    """Those that the test adjusts for."""
    return endpoint.covariates if endpoint.test == "cox" else ()


def _one(endpoint: TimeToEventEndpoint, protocol: Protocol, data: TrialData, at: int) -> Estimate:
    """One experimental arm against control; raises `InputError` or `NotEstimable` with the reason why not."""
    time, event, strata = _outcome(endpoint, protocol, data)
    pair = against_control(data.arm, at)
    time = np.where(pair < 0, np.nan, time)
    names, values = model_columns(protocol, data, _covariates(endpoint), time)
    codes = None if strata is None else strata[None]
    found = _compared(endpoint, time[None], event[None], pair[None], codes, names, values[None])
    if found.failures:
        raise NotEstimable(found.failures[0])
    scale, better = measured_on(endpoint, protocol)
    return Estimate(
        float(found.effect[0]), float(found.standard_error[0]), scale=scale, better=better, label=endpoint.title
    )


def primary(endpoint: TimeToEventEndpoint, protocol: Protocol, data: TrialData) -> tuple[Estimate, tuple[str, ...]]:
    """The experimental arm against control: the log hazard ratio, of the log-rank test by its one step so that its z is
    the log-rank z; or the difference of restricted means in days.
    """
    return _one(endpoint, protocol, data, 1), ()


def batch(endpoint: TimeToEventEndpoint, protocol: Protocol, trials: TrialBatch) -> BatchEstimates:
    """`primary` of many trials."""
    if _covariates(endpoint):
        return _by_order(endpoint, protocol, trials)
    time, event = _times(endpoint, trials)
    strata = stratum_codes(protocol, trials, endpoint.strata)
    if endpoint.test == "log-rank":
        found, left = log_rank_by_days(time, event, trials.arm, strata)
    elif _by_means(endpoint):
        # A patient whose stratum is not known is left out, whether or not strata matter to the test.
        arm = trials.arm if strata is None else np.where(strata < 0, -1, trials.arm)
        found, left = restricted_mean_by_days(time, event, arm, _horizon(endpoint))
    else:
        found, left = hazard_ratio_by_days(time, event, trials.arm, strata)
    left |= with_unknown_levels(protocol, trials, endpoint.strata)
    rows = np.flatnonzero(left)
    if not rows.size:
        return found
    part = _by_order(endpoint, protocol, some_of(trials, rows))
    return found.with_others(rows, part)


def _by_order(endpoint: TimeToEventEndpoint, protocol: Protocol, trials: TrialBatch) -> BatchEstimates:
    """`batch` by sorted times, of trials that hold anything."""
    time, event, strata = _outcome(endpoint, protocol, trials)
    pair = against_control(trials.arm)
    time = np.where(pair < 0, np.nan, time)

    def fit(rows: NDArray[np.intp], names: list[str], values: NDArray[np.float64]) -> BatchEstimates:
        codes = None if strata is None else strata[rows]
        return _compared(endpoint, time[rows], event[rows], pair[rows], codes, names, values)

    def single(data: TrialData) -> Estimate:
        return _one(endpoint, protocol, data, 1)

    refused = ((time < 0) | np.isinf(time)).any(axis=1) | with_unknown_levels(protocol, trials, endpoint.strata)
    covariates = _covariates(endpoint)
    if not covariates and not refused.any():
        return _compared(endpoint, time, event, pair, strata, [], np.empty((*time.shape, 0)))
    return adjusted_batch(protocol, trials, covariates, time, fit, single, refused)


def analysed(endpoint: TimeToEventEndpoint, protocol: Protocol, data: TrialData) -> NDArray[np.bool_]:
    """Who enters the analysis: those whose time, stratum and covariates are known; shape (patients,)."""
    time, _, _ = _outcome(endpoint, protocol, data)
    _, values = model_columns(protocol, data, _covariates(endpoint), time)
    return np.asarray(~np.isnan(np.column_stack([time, values])).any(axis=1))


def reached(endpoint: TimeToEventEndpoint, protocol: Protocol, data: Any) -> NDArray[np.float64]:
    """Days of the trial of the events in the two arms compared, infinite where none was seen; of restricted means, days
    on which the visit was reached; shape (..., patients).
    """
    if _by_means(endpoint):
        return visit_reached(data, protocol.visit_of(endpoint))
    time, _ = _times(endpoint, data)
    return np.where(_counted_events(endpoint, data), data.randomised + time, np.inf)


def accrued(endpoint: TimeToEventEndpoint, protocol: Protocol, data: TrialData | TrialBatch) -> int | NDArray[np.intp]:
    """Events in the two arms compared; of restricted means, patients who have reached the visit."""
    if _by_means(endpoint):
        return patients_due(data, protocol.visit_of(endpoint))
    return counted_of(_counted_events(endpoint, data))


def _counted_events(endpoint: TimeToEventEndpoint, data: Any) -> NDArray[np.bool_]:
    """Whose event in the two arms compared was seen, shape (..., patients)."""
    time, event = _times(endpoint, data)
    return np.asarray(event & (data.arm <= 1) & (data.arm >= 0) & ~np.isnan(time))


def estimate(endpoint: TimeToEventEndpoint, protocol: Protocol, data: TrialData) -> TimeToEventResult:
    """The whole result: every arm against control by the endpoint's test, curves, and the other analyses beside it."""
    level, visit = protocol.confidence_level, protocol.visit_of(endpoint)
    kept = analysed(endpoint, protocol, data)
    notes = left_out(kept, _why_left_out(endpoint), _covariates(endpoint))
    arms = _arms(protocol, endpoint, data)

    def one(at: int) -> tuple[Estimate, Interval]:
        found = _one(endpoint, protocol, data, at)
        return found, found.interval(level)

    comparisons, uncompared = compared_arms(protocol, data, visit, one)
    sides = [_side_by_side(endpoint, protocol, data, arms, at) for at in range(1, len(data.arm_names))]
    tables = [arms_table(protocol, endpoint.measure, arms, endpoint.horizon, level)]
    if endpoint.show:
        tables.append(probabilities_table(protocol, endpoint.measure, arms, endpoint.show, level))
    tables.append(analyses_table(protocol, sides, endpoint.horizon, level))
    return TimeToEventResult(
        name=endpoint.name,
        label=endpoint.title,
        kind=endpoint.type,
        comparisons=comparisons,
        patients=int(kept.sum()),
        notes=(*notes, *uncompared),
        tables=tuple(tables),
        arms=arms,
        show=endpoint.show,
        horizon=endpoint.horizon,
    )


def _why_left_out(endpoint: TimeToEventEndpoint) -> str:
    return "no time" + (", or a stratum not known" if endpoint.strata else "")


def _arms(protocol: Protocol, endpoint: TimeToEventEndpoint, data: TrialData) -> tuple[ArmSurvival, ...]:
    """Curves of all whose time is known."""
    time, event, _ = _outcome(endpoint, protocol, data)
    arms = []
    for at, name in enumerate(data.arm_names):
        members = (data.arm == at) & ~np.isnan(time)
        curve = None
        if members.any():
            curve = kaplan_meier(time[members], event[members], protocol.confidence_level, "log-log")
        arms.append(ArmSurvival(name, int(members.sum()), int(event[members].sum()), curve))
    return tuple(arms)


def _side_by_side(
    endpoint: TimeToEventEndpoint, protocol: Protocol, data: TrialData, arms: tuple[ArmSurvival, ...], at: int
) -> ComparedTimes:
    time, event, strata = _outcome(endpoint, protocol, data)
    pair = against_control(data.arm, at)
    chosen = (pair >= 0) & ~np.isnan(time)
    names, values = model_columns(protocol, data, endpoint.covariates, np.where(chosen, time, np.nan))
    return ComparedTimes(
        data.arm_names[at],
        time[chosen],
        event[chosen],
        pair[chosen],
        values[chosen],
        names,
        None if strata is None else strata[chosen],
        (arms[at], arms[0]),
    )


def plan(endpoint: TimeToEventEndpoint, protocol: Protocol, law: Law) -> EndpointPlan:
    """Effect and variance under a scenario, of patients followed to the measure's visit or until they leave.

    A hazard ratio is planned by events, with the information to expect at the protocol's allocation (see
    `expected_hazard_ratio`); restricted means by patients, with Greenwood's variance. Strata and covariates are taken
    to explain nothing.

    Raises
    ------
    InputError
        Where the scenario does not say when events come, they are not to be expected in both arms, or a horizon lies
        beyond the follow-up.
    """
    last = protocol.visit_names.index(protocol.visit_of(endpoint)) + 1
    visits = protocol.visits[:last]
    planned, windows = [float(visit.day) for visit in visits], [visit.window for visit in visits]
    courses = []
    for arm in law.arms[:2]:
        truth = arm.measures.get(endpoint.measure)
        if truth is None or truth.median_days is None:
            raise InputError(
                f"measures.{endpoint.measure}.median_days", None, "a median in each arm of the scenario, to plan by"
            )
        followed = followed_days(planned, windows, np.asarray(arm.staying)[:last])
        courses.append(ArmCourse.weibull(truth.median_days, truth.shape, followed))
    _, better = measured_on(endpoint, protocol)
    if _by_means(endpoint):
        (control, first), (experimental, second) = (course.restricted_mean(_horizon(endpoint)) for course in courses)
        if first + second <= 0:
            raise InputError("endpoint", endpoint.name, "events to be expected before the horizon")
        return EndpointPlan(experimental - control, (first, second), better)
    shares = protocol.shares()[:2]
    test = "log-rank" if endpoint.test == "log-rank" else "cox"
    effect, information = expected_hazard_ratio(courses[0], courses[1], (shares[0], shares[1]), test)
    expected = [course.event_share for course in courses]
    spread = 1 / (information * sum(1 / (share * part) for share, part in zip(shares, expected, strict=True)))
    return EndpointPlan(
        effect,
        (spread / expected[0], spread / expected[1]),
        better,
        units_per_patient=sum(share * part for share, part in zip(shares, expected, strict=True)),
        unit="events",
    )


_SOURCES = {
    "curves": (
        "Kaplan EL, Meier P. Nonparametric estimation from incomplete observations. J Am Stat Assoc 1958;53:457-481.",
        "Brookmeyer R, Crowley J. A confidence interval for the median survival time. Biometrics 1982;38:29-41.",
    ),
    "cox": (
        "Cox DR. Regression models and life-tables. J R Stat Soc B 1972;34:187-220.",
        "Efron B. The efficiency of Cox's likelihood function for censored data. J Am Stat Assoc 1977;72:557-565.",
        "Grambsch PM, Therneau TM. Proportional hazards tests and diagnostics based on weighted residuals. Biometrika"
        " 1994;81:515-526.",
    ),
    "log-rank": (
        "Mantel N. Evaluation of survival data and two new rank order statistics arising in its consideration. Cancer"
        " Chemother Rep 1966;50:163-170.",
        "Yusuf S, Peto R, Lewis J, Collins R, Sleight P. Beta blockade during and after myocardial infarction: an"
        " overview of the randomized trials. Prog Cardiovasc Dis 1985;27:335-371.",
    ),
    "restricted-mean": (
        "Royston P, Parmar MKB. Restricted mean survival time: an alternative to the hazard ratio for the design and"
        " analysis of randomized trials with a time-to-event outcome. BMC Med Res Methodol 2013;13:152.",
        "Uno H, Claggett B, Tian L, et al. Moving beyond the hazard ratio in quantifying the between-group difference"
        " in survival analysis. J Clin Oncol 2014;32:2380-2385.",
    ),
}


def describe(endpoint: TimeToEventEndpoint, protocol: Protocol) -> Description:
    """The test, the curves and what is assumed, in words."""
    name, visit = measure_text(protocol, endpoint.measure), visit_text(protocol, protocol.visit_of(endpoint))
    within = f", stratified by {listed([clean(item) for item in endpoint.strata])}" if endpoint.strata else ""
    curves = (
        f"Times to {name} are counted in days from randomisation, up to {visit}, and described by Kaplan-Meier curves"
        " with log-log limits."
    )
    unseen = "their times are censored when they were last seen"
    given = ["the arm", *(["the stratum"] if endpoint.strata else []), *(["covariates"] if endpoint.covariates else [])]
    leaving = f"Leaving the trial says nothing of when the event would have come, given {listed(given)}."
    references = _SOURCES["curves"] + _SOURCES[endpoint.test]
    if _by_means(endpoint):
        until = days(_horizon(endpoint))
        return Description(
            method=(
                f"{curves} The effect is the difference in mean time without the event within {until} days: the area"
                " between the curves, with Greenwood's variance and a normal reference."
            ),
            kind="from the area between the Kaplan-Meier curves",
            measured=f"time to {name} within {until} days",
            assumptions=(leaving,),
            references=references,
            unseen=unseen,
        )
    proportional = "The ratio of the arms' hazards is the same at all times"
    if endpoint.test == "log-rank":
        return Description(
            method=(
                f"{curves} Arms are compared by the log-rank test{within}. The effect is the hazard ratio by one step"
                " from no effect, (O - E) / V, whose z-value is that of the test."
            ),
            kind=f"from the log-rank test{within}",
            measured=name,
            assumptions=(
                leaving,
                f"{proportional}, for the hazard ratio to sum it up; the test of no effect holds without that.",
            ),
            references=references,
            unseen=unseen,
        )
    return Description(
        method=(
            f"{curves} Arms are compared by Cox regression{within}; covariates {covariates_text(endpoint.covariates)}."
            " Ties are Efron's. The effect is the hazard ratio, tested by its logarithm (Wald). Whether it changes with"
            " time is tested on the scale of the Kaplan-Meier curve."
        ),
        kind=f"from a Cox regression{within}",
        measured=name,
        assumptions=(leaving, f"{proportional}{', given the covariates' if endpoint.covariates else ''}."),
        references=references,
        unseen=unseen,
    )
