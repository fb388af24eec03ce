"""What virtual trials are held against: the plan, the truth, scales and null values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from .. import endpoints
from ..errors import InputError, NotEstimable
from ..estimate import Better, Scale
from ..wording import clean

if TYPE_CHECKING:
    import datetime

    from ..patients import Truth
    from ..protocol import Protocol
    from ..trial import Plan

__all__ = ["Aim", "Context"]


@dataclass(frozen=True, slots=True)
class Aim:
    """What the estimates of one endpoint aim at.

    Attributes
    ----------
    name, label
        The protocol's name of the endpoint, and its label for people.
    truth
        The scenario's effect, on `scale` (ratios as natural logarithms); NaN where the scenario does not tell it.
    null_value
        The effect where there is none.
    scale, better
        What the number measures, and whether a higher or a lower one favours the experimental arm.
    has_number_needed_to_treat
        Whether it is a response's difference in risk, of which 1/difference is the number needed to treat.
    """

    name: str
    label: str
    truth: float
    null_value: float = 0.0
    scale: Scale = Scale.MEAN_DIFFERENCE
    better: Better = "higher"
    has_number_needed_to_treat: bool = False

    @property
    def sign(self) -> int:
        """1 where higher effects favour the experimental arm, -1 where lower ones do."""
        return 1 if self.better == "higher" else -1

    @property
    def distance(self) -> float:
        """The true effect less its value where there is none."""
        return self.truth - self.null_value

    @property
    def centre(self) -> float:
        """The true effect, or the null value where that is not known: what sums are taken around."""
        return self.null_value if math.isnan(self.truth) else self.truth

    def is_null(self, standard_error: float = 1.0) -> bool:
        """Whether the truth is that there is no effect, rounding (in units of a standard error) apart."""
        return abs(self.distance) <= 1e-9 * standard_error


@dataclass(frozen=True)
class Context:
    """What virtual trials of one scenario are held against.

    Attributes
    ----------
    plan
        The protocol and its design.
    scenario
        The scenario the patients are drawn from.
    primary
        What the estimates of the looks aim at.
    secondaries
        The same of the secondary endpoints that are estimated at the end.
    """

    plan: Plan = field(repr=False)
    scenario: str
    primary: Aim
    secondaries: tuple[Aim, ...] = ()

    @classmethod
    def of(cls, plan: Plan, truth: Truth, scenario: str, secondaries: Sequence[str] = ()) -> Context:
        """For virtual trials of a scenario.

        Parameters
        ----------
        truth
            The scenario as laws of the arms.
        secondaries
            Names of the endpoints that are estimated at the end of each trial.

        Raises
        ------
        InputError
            For an endpoint the protocol does not have, or a primary effect the scenario does not tell.
        """
        protocol = plan.protocol
        effect = endpoints.plan(protocol.primary, protocol, truth).effect
        others = tuple(_secondary(protocol.endpoint(name), protocol, truth) for name in secondaries)
        return cls(plan, scenario, _aim(protocol.primary, protocol, truth, effect), others)

    @property
    def looks(self) -> int:
        """Planned number of looks."""
        return self.plan.design.looks

    @property
    def unit(self) -> str:
        """What the looks count: "patients" or "events"."""
        return self.plan.unit

    @property
    def standard_error(self) -> float:
        """Of the primary effect at the last look, as planned."""
        return self.plan.standard_error

    @property
    def level(self) -> float:
        """Confidence level of the intervals."""
        return self.plan.protocol.confidence_level

    @property
    def start(self) -> datetime.date:
        """Date of the trial's first day."""
        return self.plan.protocol.accrual.start

    @cached_property
    def no_effect(self) -> bool:
        """Whether the scenario has no effect on the primary endpoint, so that every rejection is a type I error."""
        return self.primary.is_null(self.standard_error)

    @property
    def aims(self) -> tuple[Aim, ...]:
        """Of all endpoints, the primary first."""
        return (self.primary, *self.secondaries)

    def aim(self, name: str) -> Aim:
        """Of the endpoint of that name; raises `InputError` naming those there are."""
        for aim in self.aims:
            if aim.name == name:
                return aim
        raise InputError("endpoint", name, f"one of {', '.join(aim.name for aim in self.aims)}")


def _aim(endpoint: Any, protocol: Protocol, truth: Truth, effect: float) -> Aim:
    scale, better = endpoints.measured_on(endpoint, protocol)
    told = effect == scale.null_value or _is_of_the_patients(endpoint, truth, scale)
    return Aim(
        name=endpoint.name,
        label=clean(endpoint.title),
        truth=float(effect) if told else math.nan,
        null_value=scale.null_value,
        scale=scale,
        better=better,
        has_number_needed_to_treat=endpoints.has_number_needed_to_treat(endpoint, protocol),
    )


def _is_of_the_patients(endpoint: Any, truth: Truth, scale: Scale) -> bool:
    """Whether an endpoint's planned effect, of patients who follow their arms' laws, is that of patients as drawn.

    Differences of means stay what they are, whatever makes patients more lifelike: what moves them besides is no effect
    of the drug. Other effects hang on the whole law of the scores and on who is seen, which plans take from the arms.
    """
    lifelike, scenario = truth.lifelike, truth.scenario
    if set(lifelike.guesses) & set(getattr(endpoint, "guesses", ())):
        return False
    if scale is Scale.MEAN_DIFFERENCE:
        return True
    if not endpoint.reads_scale:
        return lifelike.misses is None or not getattr(endpoint, "measure", "")
    if lifelike.misses is not None or scenario.dropout_odds_ratio_per_unseen_point != 1:
        return False
    of_response = hasattr(endpoint, "improvement") or hasattr(endpoint, "response")
    spread = (lifelike.sites, lifelike.raters, lifelike.beliefs, scenario.exposure)
    return all(part is None for part in spread) and (lifelike.mixture is None or of_response)


def _secondary(endpoint: Any, protocol: Protocol, truth: Truth) -> Aim:
    """What a secondary endpoint aims at; the scenario may not tell its effect."""
    try:
        effect = endpoints.plan(endpoint, protocol, truth).effect
    except (InputError, NotEstimable):
        effect = math.nan
    return _aim(endpoint, protocol, truth, effect)
