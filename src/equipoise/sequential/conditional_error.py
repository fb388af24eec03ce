"""Unplanned changes: the rest of a trial designed anew with the conditional error that the old rest had left.

Müller & Schäfer 2001, Biometrics 57:886, and 2004, Stat Med 23:2497: at any look the trial may go on under any other
rule, of any number of looks and size, chosen from all the data so far, as long as that rule rejects under no effect
with at most the probability the old one would have had. Decisions then rest on the data to come alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..errors import InputError
from ..estimate import Estimate, Interval, Scale
from ..plain import plain
from .backward_image import AdaptedEffects
from .conditional_power import conditional_error
from .decision import Decision, decide
from .design import GroupSequential
from .effects import differing, effects_table, interval_dict
from .families import BoundaryFamily
from .fixed import FixedBounds
from .spending import OBrienFlemingSpending, SpendingFunction

__all__ = ["Adaptation", "AdaptedConclusion", "adapt"]

_DEFAULT_SPENDING = OBrienFlemingSpending()


@dataclass(frozen=True)
class AdaptedConclusion:
    """What an adapted trial shows at a look of its new part.

    Effects are on the scale and with the sign of the estimates; results of the stage-wise ordering are None while the
    trial continues.

    Attributes
    ----------
    look
        Of the new part, from 1.
    decision
        What the new rule says of the new data.
    z, efficacy_bound
        Of the new data alone.
    conditional_error
        Level of the new part.
    p_value, median_unbiased, interval
        Of the whole trial, by the backward image in the planned one: exact after any change (Gao, Liu & Mehta 2013,
        Stat Med 32:3991). One-sided; level 1 - 2 alpha.
    repeated_interval
        Valid at every look (Mehta, Bauer, Posch & Brannath 2007, Stat Med 26:5422); level 1 - 2 alpha.
    """

    look: int
    decision: Decision
    z: float
    efficacy_bound: float
    conditional_error: float
    p_value: float | None
    median_unbiased: float | None
    interval: Interval | None
    repeated_interval: Interval
    scale: Scale

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; None stands for an infinite bound or limit, and for what is not known yet."""
        return {
            "look": self.look,
            "decision": str(self.decision),
            "z": self.z,
            "efficacy_bound": plain(self.efficacy_bound),
            "conditional_error": self.conditional_error,
            "p_value": self.p_value,
            "median_unbiased": self.median_unbiased,
            "interval": interval_dict(self.interval),
            "repeated_interval": interval_dict(self.repeated_interval),
            "scale": str(self.scale),
        }

    def __str__(self) -> str:
        level = f"{100 * self.repeated_interval.level:g} %"
        rows = [
            (f"median-unbiased, {level}", self.median_unbiased, self.interval),
            (f"repeated interval, {level}", None, self.repeated_interval),
        ]
        return "\n".join(
            [
                f"Look {self.look} after the change: {self.decision}",
                f"z of the new data = {self.z:.4f}, efficacy bound {self.efficacy_bound:.4f}",
                f"conditional error {self.conditional_error:.5g}",
                f"p = {'-' if self.p_value is None else format(self.p_value, '.4g')} (one-sided, stage-wise ordering)",
                effects_table(self.scale, rows),
            ]
        )

    __repr__ = __str__


@dataclass(frozen=True)
class Adaptation:
    """A trial whose rest was designed anew at a look.

    Attributes
    ----------
    design
        As planned, one-sided.
    look
        At which it was changed, from 1.
    interim
        The cumulative estimate then.
    rest
        The new rest, a one-sided design for the data to come alone, its alpha the conditional error.
    """

    design: GroupSequential
    look: int
    interim: Estimate
    rest: GroupSequential

    @cached_property
    def conditional_error(self) -> float:
        """Probability under no effect, given the interim estimate, that the planned rest would have rejected."""
        region = self.design.region(self.design.binding)
        return conditional_error(region, self.interim.favourable_z, float(self.design.information[self.look - 1]))

    def decide(self, z: float, look: int) -> Decision:
        """What the new rule says of the z of the new data alone (positive if favourable) at its look, from 1."""
        return self.rest.decide(z, look)

    def conclude(
        self, estimates: Estimate | Sequence[Estimate], *, information: Sequence[float] | None = None
    ) -> AdaptedConclusion:
        """What may be said after the latest of `estimates`.

        Parameters
        ----------
        estimates
            From the data after the change alone, cumulative over the looks of the new rest; or one at its first look.
        information
            Observed information at those looks as fractions of the maximum of the new rest; by default as it planned.

        Raises
        ------
        InputError
            When an earlier estimate had already stopped the trial, or estimates differ in scale, direction or null
            value from the interim one.
        """
        effects = self._effects(estimates, information)
        observed, bounds = effects.observed, effects.bounds
        bound = float(bounds.efficacy[-1])
        futility = None if bounds.futility is None else float(bounds.futility[-1])
        decision = decide(self.rest, observed.favourable_z, bound, futility, bounds.complete)
        level = 1 - 2 * self.design.alpha
        p_value = median = interval = None
        if decision.stops:
            p_value = effects.tail(0.0)
            median, worst, best = (effects.effect(p) for p in (0.5, self.design.alpha, 1 - self.design.alpha))
            median, interval = effects.natural(median), effects.interval(best, worst, level)
        best, worst = effects.repeated()
        return AdaptedConclusion(
            look=bounds.information.size,
            decision=decision,
            z=observed.favourable_z,
            efficacy_bound=bound,
            conditional_error=self.conditional_error,
            p_value=p_value,
            median_unbiased=median,
            interval=interval,
            repeated_interval=effects.interval(best, worst, level),
            scale=observed.scale,
        )

    def p_value(
        self,
        estimates: Estimate | Sequence[Estimate],
        effect: float,
        *,
        information: Sequence[float] | None = None,
    ) -> float:
        """One-sided p-value of a trial that ended, by the stage-wise ordering, against effects no better than `effect`.

        Uniform if that is the effect. Parameters as for `conclude`; `effect` on the scale of the estimates.
        """
        effects = self._effects(estimates, information)
        return effects.tail(effects.sign * (effect - effects.observed.null_value))

    def _effects(self, estimates: Estimate | Sequence[Estimate], information: Sequence[float] | None) -> AdaptedEffects:
        given = list(estimates) if isinstance(estimates, Sequence) else [estimates]
        if not given or not all(isinstance(estimate, Estimate) for estimate in given):
            raise InputError("estimates", estimates, "an Estimate of the new data for each look since the change")
        for estimate in given:
            if name := differing((self.interim, estimate)):
                raise InputError(f"estimates.{name}", getattr(estimate, name), "that of the interim estimate")
        look = len(given)
        if look > self.rest.looks:
            raise InputError("estimates", look, f"at most {self.rest.looks} estimates, one a look of the new rest")
        fractions = list(self.rest.information[:look] if information is None else information)
        if len(fractions) != look:
            raise InputError("information", fractions, f"{look} information fractions, one for each look so far")
        final = look == self.rest.looks if information is None else None
        bounds = self.rest.bounds_at(fractions, final)
        for index, estimate in enumerate(given[:-1]):
            futility = bounds.futility[index] if bounds.futility is not None and self.rest.binding else None
            before = decide(self.rest, estimate.favourable_z, float(bounds.efficacy[index]), futility, False)
            if before.stops:
                raise InputError(
                    f"z at look {index + 1}", round(estimate.favourable_z, 4), f"one that does not {before}"
                )
        return AdaptedEffects(self.design, self.look, self.interim, self.rest, bounds, given[-1])

    def __str__(self) -> str:
        return f"Changed at look {self.look}, conditional error {self.conditional_error:.5g}; the rest:\n{self.rest}"

    __repr__ = __str__


class _Rest(GroupSequential):
    """A design for the data to come; its level, a conditional error, may be any probability."""

    _highest_level = 1.0


def adapt(
    design: GroupSequential,
    interim: Estimate,
    look: int,
    *,
    information: Sequence[float] = (1.0,),
    efficacy: SpendingFunction | BoundaryFamily = _DEFAULT_SPENDING,
    futility: SpendingFunction | FixedBounds | None = None,
    beta: float | None = None,
    binding: bool = False,
) -> Adaptation:
    """A new rest for a trial that was changed at a look, with the conditional error of the old rest as its alpha.

    Müller & Schäfer 2001, Biometrics 57:886. `rest.drift` of the result is the mean z that the new data need at their
    end for power 1 - beta: their information is (drift / effect)^2.

    Parameters
    ----------
    design
        As planned, one-sided. Its looks so far were held at the planned information fractions.
    interim
        The cumulative estimate at the look of the change.
    look
        That look, from 1, not the last.
    information, efficacy, futility, beta, binding
        Of the new rest, as for `GroupSequential`; information as fractions of the new data.

    Raises
    ------
    InputError
        When the trial has already crossed, no look is left, or the conditional error is 0 or 1.
    """
    if design.sided != 1:
        raise InputError("design.sided", design.sided, "1: the conditional error of one hypothesis in one direction")
    if not 1 <= look < design.looks:
        raise InputError("look", look, f"a look from 1 to {design.looks - 1}, so that one is left to change")
    decision = design.decide(interim.favourable_z, look)
    if decision is Decision.EFFICACY or (decision is Decision.FUTILITY and design.binding):
        raise InputError("interim z", round(interim.favourable_z, 4), f"one that does not {decision}")
    error = conditional_error(design.region(design.binding), interim.favourable_z, design.information[look - 1])
    if not error > 0:
        raise InputError("interim z", round(interim.favourable_z, 4), "one that leaves some conditional error")
    if not error < 1:
        raise InputError("interim z", round(interim.favourable_z, 4), "one that leaves the outcome open")
    rest = _Rest(tuple(information), error, 1, efficacy, futility, beta, binding)
    return Adaptation(design, look, interim, rest)
