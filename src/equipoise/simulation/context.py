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
from .true_effect import arms_are_alike, is_of_the_patients

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
        The effect on the patients drawn, on `scale` (ratios as natural logarithms): of means what the drug itself does,
        whatever biases its estimate. NaN where the scenario does not tell it, or what it tells is not that of patients
        who are made more lifelike.
    null_value
        The effect where there is none.
    scale, better
        What the number measures, and whether a higher or a lower one favours the experimental arm.
    has_number_needed_to_treat
        Whether it is a response's difference in risk, of which 1/difference is the number needed to treat.
    arms_alike
        Whether the arms do the same in all that the endpoint reads besides the effect.
    """

    name: str
    label: str
    truth: float
    null_value: float = 0.0
    scale: Scale = Scale.MEAN_DIFFERENCE
    better: Better = "higher"
    has_number_needed_to_treat: bool = False
    arms_alike: bool = True

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
        """Whether every rejection is a type I error: the scenario has no effect on the primary endpoint, and the arms
        do the same in all that it reads.

        A drug that does nothing is not enough: where side effects tell one arm what it has and beliefs move scores,
        where one arm leaves more often for scores that are not seen, or where a response that counts the missing as
        failures is missed more often in one arm, arms differ and rejections say so.
        """
        return self.primary.arms_alike and self.primary.is_null(self.standard_error)

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
    told, alike = (of(endpoint, protocol, truth, scale) for of in (is_of_the_patients, arms_are_alike))
    none = abs(effect - scale.null_value) <= 1e-9
    told = told or (none and alike)
    return Aim(
        name=endpoint.name,
        label=clean(endpoint.title),
        truth=float(effect) if told else math.nan,
        null_value=scale.null_value,
        scale=scale,
        better=better,
        has_number_needed_to_treat=endpoints.has_number_needed_to_treat(endpoint, protocol),
        arms_alike=alike,
    )


def _secondary(endpoint: Any, protocol: Protocol, truth: Truth) -> Aim:
    """What a secondary endpoint aims at; the scenario may not tell its effect."""
    try:
        effect = endpoints.plan(endpoint, protocol, truth).effect
    except (InputError, NotEstimable):
        effect = math.nan
    return _aim(endpoint, protocol, truth, effect)
