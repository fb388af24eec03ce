"""How long response lasts: among responders, and among all randomised.

Comparing the arms among responders breaks randomisation, for who responds depends on the arm; the curves are
descriptive and no treatment effect is estimated from them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import numpy as np

from ..data import LOSS_OF_RESPONSE
from ..errors import InputError
from .planning.law import Law
from .response import analysed as counted
from .response import responded
from .results import Durability, DurabilityResult
from .survival.kaplan_meier import KaplanMeier, kaplan_meier

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..data import TrialData
    from ..protocol import LossOfResponseEndpoint, Protocol

__all__ = ["NEEDS_FOLLOW_UP", "analysed", "estimate", "plan", "primary"]

NEEDS_FOLLOW_UP = True


def analysed(endpoint: LossOfResponseEndpoint, protocol: Protocol, data: TrialData) -> NDArray[np.bool_]:
    """Who is described: those in the denominator of the response it follows; shape (patients,)."""
    return counted(protocol.response_rule(endpoint.response), protocol, data)


def estimate(endpoint: LossOfResponseEndpoint, protocol: Protocol, data: TrialData) -> DurabilityResult:
    """Kaplan-Meier curves of staying in response by arm, from the day of the response visit.

    Among responders: time to the first loss, censored at last contact. Among all randomised whose response visit
    was due: those without response count as lost on day 0, which keeps the arms as they were randomised.

    Raises
    ------
    InputError
        When the data have no dates or no table of events, without which no loss can be told.
    """
    if not data.has_dates:
        raise InputError("loss of response", "data without dates", "data with dates of randomisation and of events")
    if not data.has_events:
        raise InputError("loss of response", "data without events", "a table of events, from which losses are known")
    rule = protocol.response_rule(endpoint.response)
    response = responded(rule, protocol, data)
    counts = analysed(endpoint, protocol, data)
    origin = data.assessed[:, data.visit_names.index(rule.visit)]
    lost_on = np.full(len(data), np.inf)
    losses = data.events.kind == LOSS_OF_RESPONSE
    np.minimum.at(lost_on, data.events.patient[losses], data.events.day[losses])
    lost = lost_on <= data.last_contact
    time = np.where(response, np.maximum(np.minimum(lost_on, data.last_contact) - origin, 0.0), 0.0)

    def curve(members: NDArray[np.bool_]) -> KaplanMeier | None:
        if not members.any():
            return None
        return kaplan_meier(time[members], (lost | ~response)[members], level=endpoint.level, interval="log-log")

    arms = []
    for at, name in enumerate(data.arm_names):
        members = counts & (data.arm == at)
        arms.append(
            Durability(
                name,
                int(members.sum()),
                int((members & response).sum()),
                curve(members & response),
                curve(members),
                endpoint.horizons,
            )
        )
    return DurabilityResult(
        name=endpoint.name,
        label=endpoint.label or endpoint.name,
        kind=endpoint.type,
        comparisons=(),
        patients=int(counts.sum()),
        notes=("Times among responders describe; they are no randomised comparison.",),
        arms=tuple(arms),
    )


def primary(endpoint: LossOfResponseEndpoint, protocol: Protocol, data: TrialData) -> NoReturn:
    """Refuses: a comparison among responders cannot be a trial's primary."""
    raise InputError("primary endpoint", endpoint.name, "an endpoint that compares all randomised patients")


def plan(endpoint: LossOfResponseEndpoint, protocol: Protocol, law: Law) -> NoReturn:
    """Refuses: a comparison among responders cannot be a trial's primary."""
    raise InputError("primary endpoint", endpoint.name, "an endpoint that compares all randomised patients")
