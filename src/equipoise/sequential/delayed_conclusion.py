"""What may be claimed when a delayed-response test has come to its decision."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import InputError
from ..estimate import Estimate, Interval
from ..plain import plain
from .decision import Decision
from .delayed import DelayedResponse, checked_pipeline
from .delayed_region import DelayedRegion, Stopped
from .effects import corrected_table, differing, estimate_dict, interval_dict
from .roots import rising_root

__all__ = ["DecidedTrial", "DelayedConclusion", "conclude_delayed"]

_BLOCK = 8.0  # drifts as far apart as this share one recursion


@dataclass(frozen=True)
class DecidedTrial:
    """A trial seen at the decision analysis after the last look of a region.

    Attributes
    ----------
    region
        Bounds of looks 1..k; the trial stopped at look k, or was to end there.
    """

    region: DelayedRegion
    _held: dict[float, list[Stopped]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def _stages(self, drift: float) -> list[Stopped]:
        centre = _BLOCK * round(drift / _BLOCK)
        if centre not in self._held:
            span = centre - _BLOCK, centre + _BLOCK
            self._held[centre] = self.region.stages(centre, span, self.region.binding)
        return self._held[centre]

    def tail(self, z: float, drift: float = 0.0) -> float:
        """Probability under `drift` of an outcome at least as high as z at this decision analysis.

        Outcomes are ordered by the look T of the stop, then by z at the decision: rejections are highest, the earliest
        highest of all; among those that do not reject, the earliest are lowest (Hampson & Jennison 2013, on inference
        at termination; stage-wise ordering with the critical values as dividing points). So it is the probability of
        rejecting after an earlier look, or of stopping at this one and a larger z, or, when z does not reject, of
        recruiting on. Without binding futility it is an upper bound, earlier looks counting as in the error spent.
        """
        at_drift = np.array([drift])
        stages, region = self._stages(drift), self.region
        total = 0.0
        for stage, critical in zip(stages[:-1], region.critical[:-1], strict=True):
            total += float(stage.exceeding(critical * math.sqrt(stage.pipeline), at_drift)[0])
        here = stages[-1]
        total += float(here.exceeding(z * math.sqrt(here.pipeline), at_drift)[0])
        if z < region.critical[-1]:
            total += float(here.continuing(at_drift)[0])
        return min(total, 1.0)

    def mean(self, z: float, probability: float) -> float:
        """The mean of z at the decision analysis under which `tail(z)` equals `probability`."""
        from scipy.special import ndtri

        target = float(ndtri(probability))
        root = math.sqrt(self.region.pipeline[-1])
        return rising_root(lambda mean: float(ndtri(self.tail(z, mean / root))) - target, z + target)


@dataclass(frozen=True)
class DelayedConclusion:
    """What a delayed-response test shows at its decision analysis.

    Effects are on the scale and with the sign of the observed `Estimate`, limits cut where the scale ends; z-values and
    bounds are positive in favour of the experimental arm.

    Attributes
    ----------
    look
        The look at which recruitment stopped, from 1.
    stopped_for
        What stopped it there, efficacy or futility; None at the last look.
    decision
        Stop for efficacy (the null hypothesis is rejected) or not rejected.
    interim_z, z
        At that look, None at the last, and at the decision analysis.
    decision_bound
        Critical value of z at the decision analysis.
    information, decision_information
        Fractions of the planned maximum at looks 1..k, and at the decision analysis.
    observed, observed_interval
        The estimate and its interval as if there had been no interim look, of the same level as `interval`.
    p_value
        One-sided, at most alpha exactly when the null hypothesis is rejected; see `DecidedTrial.tail`.
    median_unbiased, interval
        Same ordering; level 1 - 2 alpha.
    """

    look: int
    stopped_for: Decision | None
    decision: Decision
    interim_z: float | None
    z: float
    decision_bound: float
    information: tuple[float, ...]
    decision_information: float
    observed: Estimate
    observed_interval: Interval
    p_value: float
    median_unbiased: float
    interval: Interval
    test: DelayedResponse = field(repr=False)
    trial: DecidedTrial = field(repr=False, compare=False)

    @property
    def reversed(self) -> bool:
        """Whether the decision goes against what stopped recruitment."""
        return self.stopped_for is not None and self.stopped_for.rejects != self.decision.rejects

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; None stands for an infinite bound or limit, and for what there is not."""
        return {
            "look": self.look,
            "stopped_for": None if self.stopped_for is None else str(self.stopped_for),
            "decision": str(self.decision),
            "reversed": self.reversed,
            "interim_z": self.interim_z,
            "z": self.z,
            "decision_bound": plain(self.decision_bound),
            "information": list(self.information),
            "decision_information": self.decision_information,
            **estimate_dict(self.observed),
            "observed_interval": interval_dict(self.observed_interval),
            "p_value": self.p_value,
            "median_unbiased": self.median_unbiased,
            "interval": interval_dict(self.interval),
        }

    def __str__(self) -> str:
        how = "recruitment completed" if self.stopped_for is None else f"recruitment: {self.stopped_for}"
        if self.interim_z is not None:
            how += f", z = {self.interim_z:.4f}"
        outcome = "null hypothesis rejected" if self.decision.rejects else str(self.decision)
        lines = [
            f"Look {self.look} at information fraction {self.information[-1]:.4g}; {how}",
            f"Decision at information fraction {self.decision_information:.4g}: {outcome}"
            + (" (reversal)" if self.reversed else ""),
            f"z = {self.z:.4f}, critical value {self.decision_bound:.4f}",
            f"p = {self.p_value:.4g} (one-sided, stage-wise ordering)",
            corrected_table(self.observed, self.observed_interval, self.median_unbiased, self.interval),
        ]
        if self.observed.label:
            lines.insert(0, self.observed.label)
        return "\n".join(lines)

    __repr__ = __str__


def conclude_delayed(
    test: DelayedResponse,
    decision: Estimate,
    *,
    interim: Estimate | None = None,
    look: int | None = None,
    information: Sequence[float] | None = None,
    pipeline: Sequence[float] | None = None,
    final: bool | None = None,
) -> DelayedConclusion:
    """What may be claimed at the decision analysis of a delayed-response test.

    Parameters
    ----------
    test
        As planned.
    decision
        The estimate from everybody randomised.
    interim
        The estimate at the look where recruitment stopped, outside the bounds there; None when the trial went on to
        the last look, or to a `final` one.
    look
        That look, from 1; by default the last.
    information
        Observed information at looks 1..k as fractions of the planned maximum, the last of a final one that of the
        decision itself; by default as planned. The error spent is recomputed there.
    pipeline
        Fractions at the decision analyses after looks 1..k (to k - 1 when final): what was expected at the earlier
        ones, and what was observed at the last. By default what each look had and what was planned to be still to come.
    final
        Whether look k ends the trial without an interim analysis, all that is left being spent there, as when the
        pipeline is seen to bring the information to its maximum. By default the last planned look does, or one that
        has reached the maximum.

    Raises
    ------
    InputError
        When `interim` is missing or out of place, lies within the bounds, or differs from `decision` in `better`,
        `null_value` or `scale`, or information does not fit.
    """
    design = test.design
    if not isinstance(decision, Estimate):
        raise InputError("decision", decision, "an Estimate from everybody randomised")
    look = design.looks if look is None else look
    if not 1 <= look <= design.looks:
        raise InputError("look", look, f"a look from 1 to {design.looks}")
    fractions = [float(fraction) for fraction in (design.information[:look] if information is None else information)]
    if len(fractions) != look:
        raise InputError("information", fractions, f"{look} information fractions, one for each look so far")
    if final is None:
        final = look == design.looks or (information is not None and fractions[-1] >= 1)
    stops = fractions[:-1] if final else fractions
    if pipeline is None:
        planned = zip(test.pipeline, design.information, strict=False)
        waiting = [after - before for after, before in planned]
        # the sum of a difference may fall short of the planned fraction by a rounding error
        pipeline = [
            test.pipeline[index] if before == design.information[index] else before + waiting[index]
            for index, before in enumerate(stops)
        ]
    decided = checked_pipeline(pipeline, stops) if stops else ()
    region = test.bounds_at(fractions, decided, final)

    stopped_for = interim_z = None
    if final:
        if interim is not None:
            raise InputError("interim", interim, "None, for the look that ends the trial has no interim analysis")
    else:
        if not isinstance(interim, Estimate):
            raise InputError("interim", interim, f"the Estimate at look {look}, where recruitment stopped")
        if name := differing((interim, decision)):
            raise InputError(f"interim.{name}", getattr(interim, name), "the same as at the decision analysis")
        interim_z = interim.favourable_z
        if interim_z >= region.upper[-1]:
            stopped_for = Decision.EFFICACY
        elif interim_z <= region.lower[-1]:
            stopped_for = Decision.FUTILITY
        else:
            outside = f"one outside {region.lower[-1]:.4f} to {region.upper[-1]:.4f}, for recruitment to stop"
            raise InputError(f"z at look {look}", round(interim_z, 4), outside)

    z, critical = decision.favourable_z, float(region.critical[-1])
    rejected = z >= critical
    trial = DecidedTrial(region)

    def effect(probability: float) -> float:
        return decision.effect_at_mean(trial.mean(z, probability))

    ends = effect(design.level), effect(1 - design.level)
    level = 1 - 2 * design.level
    return DelayedConclusion(
        look=look,
        stopped_for=stopped_for,
        decision=Decision.EFFICACY if rejected else Decision.NOT_REJECTED,
        interim_z=interim_z,
        z=z,
        decision_bound=critical,
        information=tuple(fractions),
        decision_information=float(region.pipeline[-1]),
        observed=decision,
        observed_interval=decision.interval(level),
        p_value=trial.tail(z),
        median_unbiased=effect(0.5),
        interval=Interval(min(ends), max(ends), level),
        test=test,
        trial=trial,
    )
