"""Adverse events by term and arm; risk difference of any event or of one term."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ..data import ADVERSE_EVENT, LOSS_OF_RESPONSE
from ..errors import InputError
from ..estimate import Better, Estimate, Interval, Scale
from ..wording import counted, percent, visit_text
from .against_control import compared_arms
from .batch import BatchEstimates
from .binary.comparisons import compared
from .binary.proportions import newcombe_limits
from .planning.law import EndpointPlan, Law
from .results import Comparison, Description
from .safety.event_table import EventRow, event_table
from .safety.result import AdverseEventsResult
from .safety.tables import event_tables
from .safety.tally import tally

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..data import TrialData
    from ..protocol import AdverseEventsEndpoint, Protocol
    from ..trial_batch import TrialBatch

    Tables = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]

__all__ = ["NEEDS_FOLLOW_UP", "analysed", "batch", "describe", "estimate", "measured_on", "plan", "primary", "seen"]

NEEDS_FOLLOW_UP = True


def measured_on(endpoint: AdverseEventsEndpoint, protocol: Protocol) -> tuple[Scale, Better]:
    """A difference in risk, of which less is better."""
    return Scale.RISK_DIFFERENCE, "lower"


def analysed(endpoint: AdverseEventsEndpoint, protocol: Protocol, data: TrialData | TrialBatch) -> NDArray[np.bool_]:
    """Who is counted: those whose visit was due; shape (..., patients)."""
    return np.asarray(data.is_due(protocol.visit_of(endpoint)) & (data.arm >= 0))


def seen(endpoint: AdverseEventsEndpoint, protocol: Protocol, data: TrialData | TrialBatch) -> NDArray[np.bool_]:
    """Who was observed for events: those whose visit was due; shape (..., patients)."""
    return analysed(endpoint, protocol, data)


def _tables(endpoint: AdverseEventsEndpoint, protocol: Protocol, data: TrialData | TrialBatch, at: int = 1) -> Tables:
    """Patients with the event and all who are counted, of an experimental arm and of control, each of shape (trials,);
    of one trial (1,). Trials that `_refused` names are not to be read.
    """
    arm = np.where(data.is_due(protocol.visit_of(endpoint)), data.arm, -1)
    first = np.maximum(data.first_event(ADVERSE_EVENT, endpoint.term), 0.0)
    found = tally(np.atleast_2d(arm), len(data.arm_names), np.atleast_2d(first))
    events, total = found.with_event, found.patients
    return events[:, at], total[:, at], events[:, 0], total[:, 0]


def _refused(endpoint: AdverseEventsEndpoint, data: TrialData | TrialBatch) -> dict[int, InputError]:
    """What is wrong with the events of trials, by number; of one trial its number is 0.

    Tables without dates hold no events, whether or not there were any.
    """
    kinds = (ADVERSE_EVENT, LOSS_OF_RESPONSE)
    recorded = np.any([~np.isposinf(np.atleast_2d(data.first_event(kind))) for kind in kinds], axis=(0, -1))
    without = ~np.atleast_1d(data.has_events) | ~(np.atleast_1d(data.has_dates) | recorded)
    early = np.any(np.atleast_2d(data.first_event(ADVERSE_EVENT, endpoint.term)) < 0, axis=-1)
    return {at: _no_events() if without[at] else _too_early() for at in np.flatnonzero(without | early).tolist()}


def _no_events() -> InputError:
    return InputError("adverse events", "data without events", "a table of events, in which no event means none")


def _too_early() -> InputError:
    return InputError("adverse events", "an event before randomisation", "events from randomisation on")


def _compared(endpoint: AdverseEventsEndpoint, protocol: Protocol, data: TrialData, at: int) -> tuple[Estimate, Tables]:
    """The risk difference of one trial and the table it is of; raises `InputError` where there is none."""
    if refused := _refused(endpoint, data):
        raise refused[0]
    tables = _tables(endpoint, protocol, data, at)
    effect, error, failures = compared(tables, "score")
    if failures:
        raise failures[0]
    scale, better = measured_on(endpoint, protocol)
    label = endpoint.title
    return Estimate(float(effect[0]), float(error[0]), scale=scale, better=better, label=label), tables


def primary(endpoint: AdverseEventsEndpoint, protocol: Protocol, data: TrialData) -> tuple[Estimate, tuple[str, ...]]:
    """Risk difference of any event or of the term named, with the standard error of the score test; lower is better.

    Raises
    ------
    InputError
        Without a table of events or patients in an arm, and where nobody, or everybody, had the event.
    """
    return _compared(endpoint, protocol, data, 1)[0], ()


def batch(endpoint: AdverseEventsEndpoint, protocol: Protocol, trials: TrialBatch) -> BatchEstimates:
    """What `primary` gives, of many trials."""
    from .binary.count_kernels import count_events

    counts = np.zeros((len(trials), 4), dtype=np.int64)
    first = trials.first_event(ADVERSE_EVENT, endpoint.term)
    count_events(first, trials.is_due(protocol.visit_of(endpoint)), trials.arm, counts)
    effect, error, reasons = compared(tuple(counts.T.astype(float)), "score")
    failures = {at: str(why) for at, why in (reasons | _refused(endpoint, trials)).items()}
    return BatchEstimates.of(effect, error, failures=dict(sorted(failures.items())))


def _rows(
    endpoint: AdverseEventsEndpoint, protocol: Protocol, data: TrialData, serious: bool = False
) -> tuple[EventRow, ...]:
    """Of all events, or of the serious ones, whose terms are listed however rare."""
    chosen = data.events.kind == ADVERSE_EVENT
    if serious:
        chosen = chosen & data.events.serious
    events = data.events.select(chosen)
    day = np.full(len(events.patient), math.nan)
    if data.has_dates:
        day = events.day - data.randomised[events.patient]
    if np.any(day < 0):
        raise _too_early()
    return event_table(
        np.where(analysed(endpoint, protocol, data), data.arm, -1),
        len(data.arm_names),
        data.followed if data.has_dates else None,
        events.patient,
        events.term,
        day,
        at_least=0.0 if serious else endpoint.at_least,
        level=protocol.confidence_level,
    )


def estimate(endpoint: AdverseEventsEndpoint, protocol: Protocol, data: TrialData) -> AdverseEventsResult:
    """Events by term and arm; with a test only where the endpoint is the primary one or names a term.

    Raises
    ------
    InputError
        When the data have no table of events.
    """
    if refused := _refused(endpoint, data):
        raise refused[0]
    level = protocol.confidence_level
    rows = _rows(endpoint, protocol, data)
    tables = event_tables(protocol, rows, level)
    serious: tuple[EventRow, ...] = ()
    if (data.events.serious & (data.events.kind == ADVERSE_EVENT)).any():
        serious = _rows(endpoint, protocol, data, serious=True)
        tables += event_tables(protocol, serious, level, "serious adverse events")
    visit = protocol.visit_of(endpoint)

    def one(at: int) -> tuple[Estimate, Interval]:
        found, table = _compared(endpoint, protocol, data, at)
        lower, upper = newcombe_limits(*table, level=level)
        return found, Interval(float(lower[0]), float(upper[0]), level)

    comparisons: tuple[Comparison, ...] = ()
    notes: list[str] = []
    if endpoint.role == "primary" or endpoint.term:
        comparisons, notes = compared_arms(protocol, data, visit, one)
    waiting = int((~analysed(endpoint, protocol, data)).sum())
    if waiting:
        notes.append(f"{counted(waiting, 'patient')} not yet due at {visit_text(protocol, visit)}: not counted")
    if endpoint.at_least:
        notes.append(f"Only terms that at least {percent(endpoint.at_least)} of some arm had are listed")
    return AdverseEventsResult(
        name=endpoint.name,
        label=endpoint.title,
        kind=endpoint.type,
        comparisons=comparisons,
        patients=int(analysed(endpoint, protocol, data).sum()),
        notes=tuple(notes),
        tables=tables,
        interval_name="Newcombe" if comparisons else "",
        events=rows,
        serious=serious,
    )


def plan(endpoint: AdverseEventsEndpoint, protocol: Protocol, law: Law) -> EndpointPlan:
    """Risk difference and binomial variances under a scenario, whose terms happen independently of each other.

    Raises
    ------
    InputError
        Where the scenario gives no arm the term, or all patients of both an event or none.
    """
    risks = []
    for arm in law.arms[:2]:
        terms = arm.adverse_events
        chosen = [terms.get(endpoint.term, 0.0)] if endpoint.term else list(terms.values())
        risks.append(1 - math.prod(1 - risk for risk in chosen))
    if sum(risk * (1 - risk) for risk in risks) < 1e-12:
        raise InputError("endpoint", endpoint.name, "an event that some but not all patients of the scenario have")
    return EndpointPlan.of_risks(risks, (1.0, 1.0), protocol.shares(), measured_on(endpoint, protocol)[1])


def describe(endpoint: AdverseEventsEndpoint, protocol: Protocol) -> Description:
    """How adverse events are counted, in words."""
    what = f"“{endpoint.term}”" if endpoint.term else "an adverse event"
    tested = endpoint.role == "primary" or bool(endpoint.term)
    method = (
        "Patients with at least one adverse event of each term are counted by arm, with Newcombe's hybrid score"
        " interval of the difference in risk. Rates of events over the time from randomisation to last contact have"
        " exact Poisson intervals (Garwood), their differences score intervals (Miettinen and Nurminen), their ratios"
        " exact ones given the total; rates of first events end at the first. Terms are many and not chosen beforehand:"
        " they are not tested."
    )
    if tested:
        method += f" The difference in the risk of {what} is tested by the score test."
    return Description(
        method=method,
        kind="as a difference in risk",
        measured=f"patients with {what}",
        assumptions=(
            "What is not in the table of adverse events did not happen.",
            "Events of one patient are counted as if they came independently of each other.",
        ),
        references=(
            "Garwood F. Fiducial limits for the Poisson distribution. Biometrika 1936;28:437-442.",
            "Newcombe RG. Interval estimation for the difference between independent proportions. Stat Med"
            " 1998;17:873-890.",
            "Miettinen O, Nurminen M. Comparative analysis of two rates. Stat Med 1985;4:213-226.",
        ),
        test="score test",
        unseen="their adverse events count up to their last contact",
    )
