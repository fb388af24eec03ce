"""The interim look: when it falls, what is known then, what the rule says."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import endpoints
from ..errors import InputError, NotEstimable
from ..estimate import Estimate
from ..plain import plain
from ..sequential import Decision, decide

if TYPE_CHECKING:
    import datetime

    from ..data import TrialData
    from .plan import Plan

__all__ = ["Look", "look_at", "look_day", "waiting", "walk"]


@dataclass(frozen=True, repr=False)
class Look:
    """One look at the data.

    Attributes
    ----------
    number
        From 1, as planned.
    day, date
        Day of the trial and its date; None for data without dates.
    randomised, due, observed
        Patients entered by then; what the looks count: those who had reached the primary visit, seen or not, or
        events; those seen there.
    unit
        What `due` counts: "patients" or "events".
    fraction
        Information fraction of this look: patients due over patients planned, or events.
    last
        Whether everything left of alpha is spent here: the last planned look, or all that was planned before it.
    estimate
        The primary estimate, or None where it could not be had; `failure` then says why and the trial goes on.
    z, efficacy_bound, futility_bound
        Positive in favour of the experimental arm.
    notes
        What of the analysis had to be done otherwise than the protocol asks for first, such as a covariance fallen back
        on.
    decision
        What the rule says.
    data
        What was known at this look.
    """

    number: int
    day: float | None
    date: datetime.date | None
    randomised: int
    due: int
    observed: int
    unit: str
    fraction: float
    last: bool
    estimate: Estimate | None
    failure: str
    notes: tuple[str, ...]
    z: float | None
    efficacy_bound: float
    futility_bound: float | None
    decision: Decision
    data: TrialData = field(repr=False, compare=False)

    def __str__(self) -> str:
        when = self.date.isoformat() if self.date else "all data"
        patients = (
            f"{self.observed} of the {self.due} due with the primary outcome"
            if self.unit == "patients"
            else f"{self.due} {self.unit} in {self.observed} patients"
        )
        if self.z is None:
            return f"look {self.number}  {when}  {patients}  not analysed: {self.failure}; {self.decision.value}"
        bound = f"z {self.z:+.3f} against {self.efficacy_bound:.3f}"
        if self.futility_bound is not None:
            bound += f" (futility {self.futility_bound:.3f})"
        told = "".join(f"; {note}" for note in self.notes)
        return f"look {self.number}  {when}  {patients}  {bound}  {self.decision.value}{told}"

    __repr__ = __str__

    def to_dict(self) -> dict[str, Any]:
        """The look for a JSON file."""
        return plain(
            {
                "look": self.number,
                "day": self.day,
                "date": None if self.date is None else self.date.isoformat(),
                "randomised": self.randomised,
                "primary_visit_due" if self.unit == "patients" else self.unit: self.due,
                "primary_observed": self.observed,
                "information_fraction": self.fraction,
                "effect": None if self.estimate is None else self.estimate.effect,
                "standard_error": None if self.estimate is None else self.estimate.standard_error,
                "degrees_of_freedom": None if self.estimate is None else self.estimate.degrees_of_freedom,
                "z": self.z,
                "efficacy_bound": self.efficacy_bound,
                "futility_bound": self.futility_bound,
                "decision": self.decision.value,
                "failure": self.failure or None,
                "notes": list(self.notes),
            }
        )


def look_day(plan: Plan, data: TrialData, number: int) -> float:
    """Day on which a look falls: when the planned number of patients has reached the primary visit, seen or not, or of
    events has happened; infinite if never.

    A patient counts from the day she was seen or the visit's window closed, whichever came first, so that dropping out
    does not hasten a look. The last look waits for all patients; where it waits for events that do not come, it falls
    when the last patient's follow-up has ended.
    """
    found = endpoints.reached(plan.protocol.primary, plan.protocol, data)
    reached = np.sort(found)
    wanted = plan.units_per_look[number - 1]
    last = number == plan.design.looks
    if plan.unit == "events":
        happened = reached[np.isfinite(reached)]
        day = math.inf
        if wanted <= len(happened):
            day = float(happened[wanted - 1])
        elif last and len(data) >= plan.patients:
            visit = data.visit_names.index(plan.protocol.primary_visit)
            ended = np.fmin(np.fmin(data.reached[:, visit], data.withdrawn), found)
            day = float(ended.max())
        return day if day <= data.cut else math.inf
    if last and wanted <= len(reached):
        wanted = len(reached)
    day = float(reached[wanted - 1]) if wanted <= len(reached) else math.inf
    return day if day <= data.cut else math.inf


def waiting(plan: Plan, data: TrialData, number: int) -> str:
    """What a look still waits for, as a phrase."""
    protocol = plan.protocol
    due = endpoints.accrued(protocol.primary, protocol, data)
    wanted = plan.units_per_look[number - 1]
    known = (
        "" if math.isinf(data.cut) or data.start is None else f" by {data.date(data.cut)}, to which the data are known"
    )
    if plan.unit == "events":
        return f"look {number} waits for {wanted} events, {due} have happened{known}"
    if number == plan.design.looks:
        wanted = max(wanted, len(data))
    visit = protocol.primary_visit
    return f"look {number} waits for {wanted} patients at {visit}, {due} have reached it{known}"


def look_at(plan: Plan, data: TrialData, number: int, day: float | None, before: tuple[float, ...]) -> Look:
    """One look at data already cut to what was known.

    Parameters
    ----------
    before
        Information fractions of the earlier looks that were taken. The bounds are found again at the fractions
        observed; a look that could not be analysed has spent nothing. A last look that has seen nothing new takes the
        place of the one before it.
    """
    primary, design = plan.protocol.primary, plan.design
    due = endpoints.accrued(primary, plan.protocol, data)
    fraction = due / plan.total_units
    last = number == design.looks or fraction >= 1
    estimate, failure, notes, z, observed = None, "", (), None, 0
    efficacy, futility = math.inf, None
    try:
        observed = int(endpoints.seen(primary, plan.protocol, data).sum())
        if last and before and fraction <= before[-1]:
            before = before[:-1]
        if fraction <= (before[-1] if before else 0.0):
            raise InputError(plan.unit, due, "more than at the look before, or any at a first one")
        bounds = design.bounds_at([*before, fraction], last)
        efficacy = float(bounds.efficacy[-1])
        futility = None if bounds.futility is None else float(bounds.futility[-1])
        estimate, notes = endpoints.primary(primary, plan.protocol, data)
        z = estimate.favourable_z
        decision = decide(design, z, efficacy, futility, last)
    except (InputError, NotEstimable) as error:
        failure = str(error)
        decision = Decision.NOT_REJECTED if last else Decision.CONTINUE
    return Look(
        number=number,
        day=day,
        date=None if day is None or data.start is None else data.date(day),
        randomised=len(data),
        due=due,
        observed=observed,
        unit=plan.unit,
        fraction=fraction,
        last=last,
        estimate=estimate,
        failure=failure,
        notes=notes,
        z=z,
        efficacy_bound=efficacy,
        futility_bound=futility,
        decision=decision,
        data=data,
    )


def walk(plan: Plan, data: TrialData) -> Iterator[Look]:
    """Look after look in calendar time, until the rule stops the trial or the patients run out.

    The last look waits for every patient of the data; one that waits for events that never come is passed over, and the
    last is then taken when follow-up has ended. Non-binding futility is obeyed; the inference afterwards does not
    count on it.
    """
    before: tuple[float, ...] = ()
    for number in range(1, plan.design.looks + 1):
        day = look_day(plan, data, number)
        if math.isinf(day):
            if plan.unit == "events":
                continue
            return
        look = look_at(plan, data.known_at(day), number, day, before)
        yield look
        if look.last or look.decision.stops:
            return
        before += (look.fraction,) if look.estimate is not None else ()
