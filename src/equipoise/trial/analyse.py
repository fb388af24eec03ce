"""The analysis of one trial, virtual or real: looks, conclusion, every endpoint."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import __version__, endpoints
from ..checks import instance
from ..data import VIRTUAL, TrialData
from ..errors import InputError, NotEstimable
from ..protocol import loaded
from .describe import ArmFlow, adverse_events, baseline, flow
from .looks import Look, look_at, waiting, walk
from .plan import Plan, plan
from .testing import tested

if TYPE_CHECKING:
    from ..endpoints import EndpointResult
    from ..multiplicity import SequentialTests
    from ..protocol import Protocol
    from ..sequential import Conclusion
    from .honest import HonestTable

__all__ = ["NotAnalysed", "Provenance", "TrialResult", "analyse"]


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a result comes from: enough to make it again."""

    protocol: str
    protocol_hash: str
    version: str
    data: str
    scenario: str | None = None
    seed: int | None = None
    trial: int | None = None

    @property
    def is_virtual(self) -> bool:
        """Whether the patients were drawn and not seen."""
        return self.data == VIRTUAL


@dataclass(frozen=True, slots=True)
class NotAnalysed:
    """An endpoint that could not be analysed, and why."""

    name: str
    label: str
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """The reason for a JSON file."""
        return {"name": self.name, "label": self.label, "not_analysed": self.reason}


@dataclass(frozen=True, repr=False)
class TrialResult:
    """A whole trial: what happened at the looks, what may be claimed, every endpoint.

    Attributes
    ----------
    looks
        Those taken, in order; the last decided.
    conclusion
        Of the stopping rule, or None when the last look could not be analysed.
    primary, secondary
        Results of the endpoints; what could not be analysed says why.
    data
        What was known at the deciding look: the primary and all endpoints at visits are of these.
    followed
        The same patients to the end of their follow-up: loss of response and adverse events are of these.
    testing, testing_notes
        Decisions on the protocol's family of hypotheses, None where it names none; what could not be tested, and why.
    """

    protocol: Protocol = field(repr=False)
    plan: Plan = field(repr=False)
    looks: tuple[Look, ...]
    conclusion: Conclusion | None
    primary: EndpointResult | NotAnalysed
    secondary: tuple[EndpointResult | NotAnalysed, ...]
    data: TrialData = field(repr=False)
    followed: TrialData = field(repr=False)
    provenance: Provenance
    testing: SequentialTests | None = None
    testing_notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [self.protocol.trial.title, *map(str, self.looks)]
        return "\n".join([*lines, str(self.conclusion) if self.conclusion else "no conclusion: the last look failed"])

    __repr__ = __str__

    @property
    def last_look(self) -> Look:
        """The look that decided."""
        return self.looks[-1]

    @property
    def stopped_early(self) -> bool:
        """Whether the trial ended with alpha left to spend: before its last look."""
        return self.last_look.decision.stops and not self.last_look.last

    @cached_property
    def flow(self) -> tuple[ArmFlow, ...]:
        """Participant flow by arm at the deciding look."""
        return flow(self.protocol, self.data)

    @cached_property
    def honest(self) -> HonestTable | None:
        """Every endpoint as observed and as corrected for the stop; None where there is nothing to correct, see
        `honest_table`.
        """
        from .honest import honest_table

        return honest_table(self)

    def to_dict(self) -> dict[str, Any]:
        """Everything but the patients, for a JSON file; no clock, no path, so that the same trial gives the same
        bytes.
        """
        return {
            "provenance": asdict(self.provenance) | {"data_sha256": self.followed.fingerprint},
            "plan": self.plan.to_dict(),
            "looks": [look.to_dict() for look in self.looks],
            "conclusion": None if self.conclusion is None else self.conclusion.to_dict(),
            "honest": None if self.honest is None else self.honest.to_dict(),
            "primary": self.primary.to_dict(),
            "secondary": [result.to_dict() for result in self.secondary],
            "testing": None if self.testing is None else self.testing.to_dict() | {"notes": list(self.testing_notes)},
            "flow": [asdict(row) for row in self.flow],
            "baseline": [asdict(row) for row in baseline(self.protocol, self.data)],
            "adverse_events": [asdict(row) for row in adverse_events(self.followed)],
        }

    def to_json(self) -> str:
        """`to_dict` as text, keys in their order, infinities as null."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def analyse(
    protocol: Protocol,
    data: TrialData,
    *,
    look: int | None = None,
    on_look: Callable[[Look], None] | None = None,
) -> TrialResult:
    """Analyse a trial by its protocol.

    Data with dates are walked through look by look as they were known at each, as far as their patients go. Data
    without are taken as the look given, the earlier looks as passed at their planned information, which is all the
    inference after stopping needs to know.

    Parameters
    ----------
    data
        Real or virtual; see `equipoise.read_data`.
    look
        Take all data as this look, from 1, instead of finding the looks by their dates. Needed for data without dates
        that hold fewer patients than planned, unless the plan has but one look.
    on_look
        Called after each look.

    Raises
    ------
    InputError
        When arms or visits of the data are not the protocol's, too few patients have reached the first look, or
        `look` is needed, is not one of the looks, or has no more patients than the look before it was planned at.
    """
    loaded(protocol)
    instance("data", data, TrialData, "trial data, as eq.read_data gives them")
    if data.arm_names != protocol.arm_names or data.visit_names != protocol.visit_names:
        raise InputError("trial data", (data.arm_names, data.visit_names), "the arms and visits of the protocol")
    planned = plan(protocol)
    taken: list[Look] = []
    passed: tuple[float, ...] = ()
    if data.has_dates and look is None:
        for found in walk(planned, data):
            taken.append(found)
            if on_look:
                on_look(found)
        if not taken:
            raise InputError("trial data", len(data), f"data that reach the first look; {waiting(planned, data, 1)}")
    else:
        number = planned.design.looks if look is None else look
        if not 1 <= number <= planned.design.looks:
            raise InputError("look", number, f"a look from 1 to {planned.design.looks}")
        if data.has_dates and np.isfinite(data.cut):
            data = data.known_at(data.cut)
        due = endpoints.accrued(protocol.primary, protocol, data)
        if look is None and due < planned.total_units and planned.design.looks > 1:
            raise InputError(
                "look",
                None,
                f"the look these data are, from 1 to {planned.design.looks}: "
                f"{due} of {planned.total_units} {planned.unit} are {'due' if planned.unit == 'patients' else 'known'}",
            )
        passed = planned.design.information[: number - 1]
        if passed and due / planned.total_units <= passed[-1]:
            before = planned.units_per_look[number - 2]
            raise InputError(
                "look",
                number,
                f"a look that {due} {planned.unit} can be: look {number - 1} is planned at {before} of them",
            )
        taken.append(look_at(planned, data, number, None, passed))
        if on_look:
            on_look(taken[-1])
    known = taken[-1].data
    testing, testing_notes = tested(planned, taken, passed)
    followed = _followed(data, known)
    return TrialResult(
        protocol=protocol,
        plan=planned,
        looks=tuple(taken),
        conclusion=_conclude(planned, taken, passed),
        primary=_endpoint(protocol.primary, protocol, known),
        secondary=tuple(
            _endpoint(item, protocol, followed if endpoints.needs_follow_up(item) else known)
            for item in protocol.endpoints
            if item.role != "primary"
        ),
        data=known,
        followed=followed,
        provenance=Provenance(
            protocol.trial.name,
            protocol.hash,
            __version__,
            data.origin.source,
            data.origin.scenario,
            data.origin.seed,
            data.origin.trial,
        ),
        testing=testing,
        testing_notes=testing_notes,
    )


def _conclude(planned: Plan, looks: list[Look], passed: tuple[float, ...]) -> Conclusion | None:
    """Inference from the looks that gave an estimate; one that failed is a look that was not taken."""
    last = looks[-1]
    if last.estimate is None:
        return None
    analysed = [
        found for found in looks if found is last or (found.estimate is not None and found.fraction < last.fraction)
    ]
    estimates = [found.estimate for found in analysed if found.estimate is not None]
    information = [*passed, *(found.fraction for found in analysed)]
    conclusion = planned.design.conclude(
        estimates if not passed else estimates[-1], look=len(information), information=information, final=last.last
    )
    return replace(conclusion, look=last.number)


def _endpoint(endpoint: Any, protocol: Protocol, data: TrialData) -> EndpointResult | NotAnalysed:
    try:
        return endpoints.estimate(endpoint, protocol, data)
    except (InputError, NotEstimable) as error:
        return NotAnalysed(endpoint.name, endpoint.title, str(error))


def _followed(data: TrialData, known: TrialData) -> TrialData:
    """The patients known at the deciding look, with everything that happened to them later."""
    if not np.isfinite(known.cut):
        return data
    return data.only(data.randomised <= known.cut)
