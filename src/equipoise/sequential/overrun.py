"""The final analysis when outcomes go on arriving after a trial has stopped."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from ..errors import InputError
from ..estimate import Estimate, Interval
from .decision import Decision, decide
from .design import GroupSequential
from .effects import corrected_table, differing, estimate_dict, interval_dict
from .inference import StoppedTrial
from .region import Region
from .roots import rising_root

__all__ = ["Overrun", "overrunning"]

Method = Literal["deletion", "combination"]


@dataclass(frozen=True)
class Overrun:
    """What a stopped trial shows once the outcomes that were still to come are in.

    Effects are on the scale and with the sign of the observed `Estimate`, limits cut where the scale ends; z-values are
    positive in favour of the experimental arm. Futility bounds are respected if binding and ignored if not.

    Attributes
    ----------
    look
        The look at which the trial stopped, from 1.
    stopped_for
        What the rule said there.
    decision
        What holds with all data: stop for efficacy (or harm) means that the null hypothesis is rejected.
    stopping_z, z
        At that look, and with all data.
    information
        Fractions of the planned maximum at looks 1..k and, last, with all data.
    method
        "deletion" or "combination".
    weight
        Share of the stopping look in the combination; None for deletion.
    observed, observed_interval
        The estimate from all data and its interval as if there had been no interim look, of the level of `interval`.
    p_value
        One-sided in favour of the experimental arm, or two-sided, as the design.
    median_unbiased, interval
        By the same method; level 1 - alpha when two-sided, 1 - 2 alpha when one-sided.
    """

    look: int
    stopped_for: Decision
    decision: Decision
    stopping_z: float
    z: float
    information: tuple[float, ...]
    method: Method
    weight: float | None
    observed: Estimate
    observed_interval: Interval
    p_value: float
    median_unbiased: float
    interval: Interval
    design: GroupSequential = field(repr=False)

    @property
    def reversed(self) -> bool:
        """Whether the late outcomes overturn what the trial stopped for."""
        if self.stopped_for.rejects:
            return self.decision is not self.stopped_for
        return self.decision.rejects

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; None stands for an infinite limit, and for what there is not."""
        return {
            "look": self.look,
            "stopped_for": str(self.stopped_for),
            "decision": str(self.decision),
            "reversed": self.reversed,
            "stopping_z": self.stopping_z,
            "z": self.z,
            "information": list(self.information),
            "method": self.method,
            "weight": self.weight,
            **estimate_dict(self.observed),
            "observed_interval": interval_dict(self.observed_interval),
            "p_value": self.p_value,
            "median_unbiased": self.median_unbiased,
            "interval": interval_dict(self.interval),
        }

    def __str__(self) -> str:
        outcome = "null hypothesis rejected" if self.decision.rejects else str(self.decision)
        sides = "one-sided" if self.design.sided == 1 else "two-sided"
        how = "deletion method" if self.weight is None else f"combination method, weight {self.weight:.4g}"
        lines = [
            f"Look {self.look} at information fraction {self.information[-2]:.4g}: {self.stopped_for}, "
            f"z = {self.stopping_z:.4f}",
            f"With all data, information fraction {self.information[-1]:.4g}: {outcome}, z = {self.z:.4f}"
            + (" (reversal)" if self.reversed else ""),
            f"p = {self.p_value:.4g} ({sides}, {how})",
            corrected_table(self.observed, self.observed_interval, self.median_unbiased, self.interval),
        ]
        if self.observed.label:
            lines.insert(0, self.observed.label)
        return "\n".join(lines)

    __repr__ = __str__


def overrunning(
    design: GroupSequential,
    stopped: Estimate,
    final: Estimate,
    *,
    look: int,
    information: Sequence[float] | None = None,
    method: Method = "deletion",
    weight: float | None = None,
) -> Overrun:
    """The final analysis of a trial that stopped at a look and then saw more outcomes.

    Parameters
    ----------
    design
        The design as planned.
    stopped
        The estimate at the look where the trial stopped.
    final
        The estimate from all data, those of that look included.
    look
        That look, from 1.
    information
        Information at looks 1..k and, last, with all data, as fractions of the planned maximum (k + 1 of them). By
        default the looks as planned, and all data by the ratio of the two estimates' own information.
    method
        "deletion" takes the look where the trial stopped as never held: looks 1..k-1 were passed, and the next is the
        final analysis, in stage-wise ordering (Whitehead 1992, Control Clin Trials 13:106; Sooriyarachchi, Whitehead,
        Matsushita, Bolland & Whitehead 2003, Biometrics 59:701). Were the final analysis at look k whatever had
        happened there, its p-value would be exactly uniform without an effect. That it follows only a stop makes it
        approximate: over whole trials of three and five looks, with late outcomes of a hundredth to a half of what
        there was, a test at 0.025 has a type I error between 0.016 and 0.025.

        "combination" adds, weighted, the normal scores of the stage-wise p-value at the stop and of the increment
        after it (Hall & Ding 2008, IMS Collections 3:33). Without an effect, and against any hypothesised one, it is
        exact when the weight is the same wherever the trial stops, as when it was fixed beforehand, or is the share of
        information and what arrives late is always the same multiple of what there was.
    weight
        Share of the stopping look in the combination, between 0 and 1; by default its share of information.

    Raises
    ------
    InputError
        When the trial would not have stopped at that look, the estimates differ in `better`, `null_value` or `scale`,
        or information does not fit them.
    """
    fractions = _checked(design, stopped, final, look, information, method)
    boundaries = design.bounds_at(fractions[:-1])
    futility = None if boundaries.futility is None else float(boundaries.futility[-1])
    stopping_z, z = stopped.favourable_z, final.favourable_z
    stopped_for = decide(design, stopping_z, float(boundaries.efficacy[-1]), futility, boundaries.complete)
    if not stopped_for.stops:
        raise InputError(f"z at look {look}", round(stopping_z, 4), "one at which the trial stops")
    if method == "combination":
        weight = fractions[-2] / fractions[-1] if weight is None else float(weight)
        if not 0 <= weight <= 1:
            raise InputError("weight", weight, "a share of the stopping look between 0 and 1")
    elif weight is not None:
        raise InputError("weight", weight, "None, for only the combination method weighs")

    region = boundaries.region(design.sided, design.binding)
    if weight is None:
        tail = _deletion(region, final, fractions)
    else:
        if region.inner is not None and not boundaries.complete:
            # a stop in the wedge is ordered against what later looks might have shown
            later = [fraction for fraction in design.information[look:] if fraction > fractions[-2]]
            region = design.bounds_at([*fractions[:-1], *(later or [1.0])], True).region(design.sided, design.binding)
        tail = _combination(region, stopped, final, fractions, weight)
    above, below = tail(0.0, 1.0), tail(0.0, -1.0) if design.sided == 2 else 1.0
    if above <= design.level:
        decision = Decision.EFFICACY
    else:
        decision = Decision.HARM if below <= design.level else Decision.NOT_REJECTED

    def effect(probability: float) -> float:
        from scipy.special import ndtri

        target = float(ndtri(probability))
        mean = rising_root(lambda mean: float(ndtri(tail(mean, 1.0))) - target, z + target)
        return final.effect_at_mean(mean)

    ends = effect(design.level), effect(1 - design.level)
    level = 1 - 2 * design.level
    return Overrun(
        look=look,
        stopped_for=stopped_for,
        decision=decision,
        stopping_z=stopping_z,
        z=z,
        information=tuple(fractions),
        method=method,
        weight=weight,
        observed=final,
        observed_interval=final.interval(level),
        p_value=min(1.0, 2 * min(above, below)) if design.sided == 2 else above,
        median_unbiased=effect(0.5),
        interval=Interval(min(ends), max(ends), level),
        design=design,
    )


def _checked(
    design: GroupSequential,
    stopped: Estimate,
    final: Estimate,
    look: int,
    information: Sequence[float] | None,
    method: str,
) -> list[float]:
    """Information fractions at looks 1..k and with all data."""
    for name, estimate in (("stopped", stopped), ("final", final)):
        if not isinstance(estimate, Estimate):
            raise InputError(name, estimate, "an Estimate")
    if name := differing((stopped, final)):
        raise InputError(f"final.{name}", getattr(final, name), "the same as at the look where the trial stopped")
    if not 1 <= look <= design.looks:
        raise InputError("look", look, f"a look from 1 to {design.looks}")
    if method not in ("deletion", "combination"):
        raise InputError("method", method, "'deletion' or 'combination'")
    if information is None:
        gained = final.information / stopped.information
        # rounding of two equal standard errors is no loss of information
        gained = 1.0 if abs(gained - 1.0) < 1e-12 else gained
        fractions = [*design.information[:look], design.information[look - 1] * gained]
    else:
        fractions = [float(fraction) for fraction in information]
    if len(fractions) != look + 1:
        raise InputError("information", fractions, f"{look + 1} fractions: at looks 1 to {look}, and with all data")
    least = fractions[-2]
    if not least <= fractions[-1] < math.inf or (method == "combination" and fractions[-1] == least):
        more = "at least" if method == "deletion" else "more than"
        raise InputError("information with all data", fractions[-1], f"{more} the {least:g} at the stopping look")
    return fractions


def _deletion(region: Region, final: Estimate, fractions: list[float]) -> Callable[[float, float], float]:
    """Upper tail of the final outcome when its z has a given mean; side -1 looks from below."""
    # bounds of the deleted look stay in place but are never met, for the trial is seen there
    path = Region(np.array([*fractions[:-2], fractions[-1]]), region.lower, region.upper, region.inner)
    trial = StoppedTrial(path, len(fractions) - 1)
    root = math.sqrt(fractions[-1])

    def tail(mean: float, side: float) -> float:
        return trial.tail(side * final.favourable_z, side * mean / root)

    return tail


def _combination(
    region: Region, stopped: Estimate, final: Estimate, fractions: list[float], weight: float
) -> Callable[[float, float], float]:
    """Combined upper tail when the final z has a given mean; side -1 looks from below."""
    from scipy.special import ndtr, ndtri

    trial = StoppedTrial(region, len(fractions) - 1)
    before, after = fractions[-2:]

    def tail(mean: float, side: float) -> float:
        at_stop = stopped.mean_at_effect(final.effect_at_mean(mean, cut=False))
        z_stop, at_end = stopped.favourable_z - at_stop, final.favourable_z - mean
        late = (at_end * math.sqrt(after) - z_stop * math.sqrt(before)) / math.sqrt(after - before)
        score = side * math.sqrt(1 - weight) * late
        if weight > 0:
            p_stop = trial.tail(side * stopped.favourable_z, side * at_stop / math.sqrt(before))
            score -= math.sqrt(weight) * float(ndtri(p_stop))
        return float(ndtr(-score))

    return tail
