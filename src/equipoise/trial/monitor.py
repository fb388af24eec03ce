"""An interim look for the committee's eyes: decision, repeated interval, what the looks ahead may bring."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..sequential import Monitoring, effect_text
from ..text_table import text_table
from .analyse import analyse

if TYPE_CHECKING:
    from ..data import TrialData
    from ..protocol import Protocol
    from ..sequential import Conclusion
    from .looks import Look
    from .plan import Plan

__all__ = ["Monitored", "monitor"]


@dataclass(frozen=True, repr=False)
class Monitored:
    """What a committee is shown of a look.

    Attributes
    ----------
    plan
        As planned.
    looks
        Those taken, the last of which is shown.
    conclusion
        Of the stopping rule there, or None where the look could not be analysed.
    monitoring
        What the looks ahead may bring, or None at the last look and where the look could not be analysed.
    """

    plan: Plan = field(repr=False)
    looks: tuple[Look, ...]
    conclusion: Conclusion | None
    monitoring: Monitoring | None

    @property
    def truths(self) -> dict[str, tuple[float, float]]:
        """Effects that conditional power is shown for, with their drifts: none, as planned, as observed."""
        truths = {"no effect": (0.0, 0.0), "the planned effect": (self.plan.effect, self.plan.drift)}
        if self.conclusion is not None and self.monitoring is not None:
            truths["the observed effect"] = (self.conclusion.observed.effect, self.monitoring.trend)
        return truths

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "version": __version__,
            "protocol_hash": self.plan.protocol.hash,
            "looks": [look.to_dict() for look in self.looks],
            "conclusion": None if self.conclusion is None else self.conclusion.to_dict(),
            "ahead": None if self.monitoring is None else self.monitoring.to_dict(),
        }

    def __str__(self) -> str:
        lines = [self.plan.protocol.trial.title, *map(str, self.looks)]
        if self.conclusion is None:
            return "\n".join(lines)
        conclusion, scale = self.conclusion, self.conclusion.observed.scale

        def shown(value: float) -> str:
            return effect_text(scale, value)

        interval = conclusion.repeated_interval
        lines.append(
            f"{scale.natural_name} {shown(conclusion.observed.effect)}, repeated {100 * interval.level:g} % interval "
            f"{shown(interval.lower)} to {shown(interval.upper)}, repeated p = {conclusion.repeated_p_value:.4g}"
        )
        if self.monitoring is None:
            return "\n".join(lines)
        monitoring, rows = self.monitoring, []
        for name, (effect, drift) in self.truths.items():
            powers = [f"{float(monitoring.conditional_power(drift, by=by)):.4f}" for by in ("next", "any")]
            rows.append([name, shown(effect), *powers])
        flat = [f"{monitoring.predictive_power(by=by):.4f}" for by in ("next", "any")]
        rows.append(["unknown (flat prior)", "", *flat])
        lines += ["Probability of crossing the efficacy bound later, if the truth is"]
        lines.append(text_table(["", "effect", "at the next look", "at any look"], rows))
        return "\n".join(lines)

    __repr__ = __str__


def monitor(protocol: Protocol, data: TrialData, *, look: int | None = None) -> Monitored:
    """The latest look of a trial under way, as a data monitoring committee sees it.

    Parameters
    ----------
    protocol
        With its stopping rule.
    data
        So far; see `equipoise.read_data`.
    look
        Take all data as this look, from 1; see `equipoise.analyse`.

    Raises
    ------
    InputError
        As `equipoise.analyse`.
    """
    result = analyse(protocol, data, look=look)
    conclusion, last = result.conclusion, result.last_look
    monitoring = None
    if conclusion is not None and not last.last and math.isfinite(conclusion.z):
        information = conclusion.information
        later = [time for time in result.plan.design.information[last.number :] if time > information[-1]]
        monitoring = Monitoring.of(
            result.plan.design, conclusion.z, information=information, later=later, planned_drift=result.plan.drift
        )
    return Monitored(result.plan, result.looks, conclusion, monitoring)
