"""From the protocol to its design: bounds, sample size or power, what is expected."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import __version__, endpoints
from ..errors import InputError
from ..protocol import loaded
from ..sequential import GroupSequential, stopping_rule
from ..sequential.effects import effect_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..endpoints.planning.law import EndpointPlan
    from ..estimate import Better, Scale
    from ..protocol import Protocol
    from ..protocol.parts import Boundary, Stopping

__all__ = ["Expectation", "Plan", "design_of", "plan"]


@dataclass(frozen=True, slots=True)
class Expectation:
    """What the plan expects under one effect.

    Attributes
    ----------
    effect
        The true effect, on the primary endpoint's scale.
    power
        Probability of stopping or ending for efficacy.
    stopping
        Probability that the trial ends at each look, for whatever reason, shape (looks,).
    units
        Expected number of what the looks count when the trial ends: patients whose primary visit is due, or events.
    """

    effect: float
    power: float
    stopping: tuple[float, ...]
    units: float


@dataclass(frozen=True, repr=False)
class Plan:
    """A protocol's design.

    Attributes
    ----------
    design
        The stopping rule, with the information fractions of the looks.
    patients
        Planned number of randomised patients in all arms.
    unrounded_patients
        The number that gives the asked power exactly, before rounding up to whole allocations; None where the size
        is given.
    units_per_look, unit
        What the looks wait for: so many patients whose primary visit is due, or so many events.
    effect, standard_error, null_value
        Assumed true effect, the standard error expected at the last look, and the effect where there is none.
    drift
        Favourable effect over that standard error.
    scenario
        The scenario whose effect and spread are assumed.
    better
        Whether a higher or a lower effect favours the experimental arm.
    """

    protocol: Protocol = field(repr=False)
    design: GroupSequential
    patients: int
    unrounded_patients: float | None
    units_per_look: tuple[int, ...]
    unit: str
    effect: float
    standard_error: float
    drift: float
    scenario: str
    null_value: float = 0.0
    better: Better = "higher"

    @property
    def total_units(self) -> int:
        """What the last look waits for."""
        return self.units_per_look[-1]

    @property
    def scale(self) -> Scale:
        """The scale of the primary endpoint's effect; ratios are held as natural logarithms."""
        return endpoints.measured_on(self.protocol.primary, self.protocol)[0]

    @cached_property
    def under_effect(self) -> Expectation:
        """What to expect if the assumed effect is true."""
        return self._expect(self.drift, self.effect)

    @cached_property
    def under_no_effect(self) -> Expectation:
        """What to expect if there is no effect."""
        return self._expect(0.0, self.null_value)

    def under(self, scenario: str) -> Expectation:
        """What to expect under another scenario of the protocol, of as many patients and with looks at the same units.

        Raises
        ------
        InputError
            When the scenario does not tell the primary effect, or there is none of that name.
        """
        if scenario == self.scenario:
            return self.under_effect
        from ..patients import Truth

        promised = endpoints.plan(self.protocol.primary, self.protocol, Truth.of(self.protocol, scenario))
        bound = float(self.design.efficacy_bounds[-1])
        _, drift = _error_and_drift(promised, self.protocol.shares(), self.patients, self.total_units, bound)
        return self._expect(drift, promised.effect)

    def __str__(self) -> str:
        assumed, nothing = self.under_effect, self.under_no_effect
        looks = ", ".join(map(str, self.units_per_look)) + (f" {self.unit}" if self.unit != "patients" else "")
        ratio = self.scale.is_logarithmic
        assume = f"{self.scale if ratio else 'effect'} {assumed.effect:.4g}, standard error {self.standard_error:.4g}"
        if ratio:
            assume += f"; {self.scale.natural_name} {effect_text(self.scale, assumed.effect)}"
        lines = [
            f"{self.protocol.trial.name}: {self.patients} patients, looks at {looks}",
            str(self.design),
            f"under {self.scenario} ({assume}): power {assumed.power:.4f}, {assumed.units:.1f} {self.unit} expected",
            f"under no effect: {nothing.units:.1f} {self.unit} expected",
        ]
        return "\n".join(lines)

    __repr__ = __str__

    def _expect(self, drift: float, effect: float) -> Expectation:
        exits = self.design.exit_probabilities(drift)
        ending = np.asarray(exits.upper, dtype=float).copy()
        for other in (exits.lower, exits.futility):
            if other is not None:
                ending += np.asarray(other)
        ending[-1] = 1 - ending[:-1].sum()
        expected = float(ending @ np.array(self.units_per_look))
        return Expectation(effect, float(exits.upper.sum()), tuple(ending.tolist()), expected)

    def to_dict(self) -> dict[str, Any]:
        """The plan for a JSON file."""

        def expectation(found: Expectation) -> dict[str, Any]:
            return {
                "effect": found.effect,
                "power": found.power,
                "probability_of_ending_at_each_look": list(found.stopping),
                f"expected_{self.unit}": found.units,
            }

        return {
            "version": __version__,
            "protocol": self.protocol.trial.name,
            "protocol_hash": self.protocol.hash,
            "primary_endpoint": self.protocol.primary.name,
            "scenario": self.scenario,
            "patients": self.patients,
            "patients_unrounded": self.unrounded_patients,
            f"{self.unit}_per_look": list(self.units_per_look),
            "assumed_effect": self.effect,
            "standard_error_at_last_look": self.standard_error,
            "drift": self.drift,
            "design": self.design.to_dict(),
            "under_assumed_effect": expectation(self.under_effect),
            "under_no_effect": expectation(self.under_no_effect),
        }


def plan(protocol: Protocol) -> Plan:
    """Boundaries, and power for the given sample size or sample size for the given power.

    Power is on the z scale with the standard error taken as known (Jennison & Turnbull 2000, chapter 3); small
    trials have a little less, which simulation shows. Where the test takes its standard error under no difference, the
    statistic spreads more or less than a standard normal one; the drift is then the one that gives the power of the
    last look's bound, as in the sample size formula of two proportions (Fleiss 1981, Statistical Methods for Rates and
    Proportions, section 3.2).

    Raises
    ------
    InputError
        When no sample size can give the power: the scenario has no effect, or one that favours control.
    """
    from ..patients import Truth

    law = Truth.of(loaded(protocol), protocol.sample_size.scenario)
    promised = endpoints.plan(protocol.primary, protocol, law)
    shares = protocol.shares()
    favourable, spread = promised.favourable, promised.spread_of_z(shares)
    patients, exact = protocol.sample_size.patients, None
    if patients is None:
        power = protocol.sample_size.power or 0.0
        if favourable <= 0:
            raise InputError(
                "sample_size.scenario",
                protocol.sample_size.scenario,
                f"a scenario with an effect that favours {protocol.experimental.name}, "
                f"to find the patients for a power of {power:g}",
            )
        if power <= protocol.stopping.alpha / protocol.stopping.sided:
            raise InputError(
                "sample_size.power",
                power,
                f"more than the one-sided alpha, {protocol.stopping.alpha / protocol.stopping.sided:g}",
            )
        design = design_of(protocol.stopping, protocol.stopping.fractions, 1 - power)
        asked = spread * (design.drift - design.efficacy_bounds[-1]) + design.efficacy_bounds[-1]
        exact = float(asked**2 / (favourable**2 * spread**2 * promised.information(1.0, shares)))
        unit = _allocation_unit(protocol)
        patients = max(unit, unit * math.ceil(exact / unit - 1e-9))
        if patients > 1_000_000:
            raise InputError(
                "sample_size.power", power, f"a power that at most 1,000,000 patients give; this takes {patients:,}"
            )
    total = max(round(patients * promised.units_per_patient), 1)
    per_look = _looks(protocol, promised.unit, total)
    compared = patients * sum(shares[:2])
    if promised.unit == "events" and per_look[-1] > compared:
        raise InputError(
            "stopping.events", list(per_look), f"{math.floor(compared)} events at most, one a patient of the two arms"
        )
    beta = protocol.stopping.beta if protocol.stopping.futility else None
    design = design_of(protocol.stopping, tuple(count / per_look[-1] for count in per_look), beta)
    bound = float(design.efficacy_bounds[-1])
    standard_error, drift = _error_and_drift(promised, shares, patients, per_look[-1], bound)
    return Plan(
        protocol=protocol,
        design=design,
        patients=patients,
        unrounded_patients=exact,
        units_per_look=per_look,
        unit=promised.unit,
        effect=promised.effect,
        standard_error=standard_error,
        drift=drift,
        scenario=protocol.sample_size.scenario,
        null_value=promised.null_value,
        better=promised.better,
    )


def _error_and_drift(
    promised: EndpointPlan, shares: Sequence[float], patients: int, units: int, bound: float
) -> tuple[float, float]:
    """Standard error at a last look at so many units, and the drift that gives the power of the bound there."""
    total = max(round(patients * promised.units_per_patient), 1)
    spread = promised.spread_of_z(shares)
    standard_error = (promised.information(patients, shares) * min(units, total) / total) ** -0.5
    drift = promised.favourable / (standard_error / spread)
    return standard_error, bound + (drift - bound) / spread


def _looks(protocol: Protocol, unit: str, total: int) -> tuple[int, ...]:
    """What each look waits for, in patients or events; the last of them all that are planned."""
    stopping = protocol.stopping
    given = {"patients": stopping.patients, "events": stopping.events}
    for name, looks in given.items():
        if looks and name != unit:
            raise InputError(
                f"stopping.{name}",
                list(looks),
                f"'{unit}' or 'fractions': looks at {protocol.primary.name} count {unit}",
            )
    if given[unit]:
        return tuple(given[unit])
    per_look = tuple(math.ceil(fraction * total - 1e-9) for fraction in stopping.fractions)
    for before, after in itertools.pairwise(per_look):
        if after <= before:
            raise InputError(
                "stopping.fractions", list(stopping.fractions), f"looks at different numbers of the {total} {unit}"
            )
    return per_look


def design_of(stopping: Stopping, fractions: tuple[float, ...], beta: float | None) -> GroupSequential:
    """The rule of a [stopping] section with its looks at these information fractions."""
    futility = stopping.futility
    return GroupSequential(
        information=fractions,
        alpha=stopping.alpha,
        sided=stopping.sided,
        efficacy=_rule(stopping.efficacy),
        futility=None if futility is None else _rule(futility),
        beta=beta,
        binding=futility is not None and futility.binding,
    )


def _rule(boundary: Boundary) -> Any:
    return stopping_rule(boundary.family, **boundary.parameters)


def _allocation_unit(protocol: Protocol) -> int:
    ratio = list(protocol.allocation.ratio.values())
    return round(sum(ratio)) if all(float(part).is_integer() for part in ratio) else 1
