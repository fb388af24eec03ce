"""The effect in a trial whose rest was designed anew, by what its outcome would have been in the trial as planned."""

from __future__ import annotations

import math

import numpy as np

from ..estimate import Estimate, Interval
from .bounds import Boundaries
from .conditional_power import conditional_error
from .design import GroupSequential
from .inference import StoppedTrial
from .nested import at_level, nested
from .region import Region
from .roots import rising_root

__all__ = ["AdaptedEffects", "backward_image"]

_LOWEST_LEVEL, _HIGHEST_LEVEL = 1e-300, 1 - 1e-6


def backward_image(region: Region, z: float, look: int, probability: float, drift: float) -> tuple[int, float]:
    """The outcome of a trial that, of those ahead, is exceeded or reached with `probability`: (look from 1, z there).

    Gao, Liu & Mehta 2013, Stat Med 32:3991. Outcomes are in the stage-wise order: upward stops first, the earliest
    highest of all, then those of the last look, then downward stops, the earliest lowest.

    Parameters
    ----------
    region
        Of the whole trial, without a wedge.
    z, look
        Where the trial stands, at a look from 1, not its last.
    probability
        Under `drift`, given that.
    drift
        Per unit of the region's information.
    """
    now = float(region.information[look - 1])
    score = z * math.sqrt(now)
    ahead = region.after(now, score)
    states = ahead.states(drift, (drift, drift))
    at, earlier = np.array([drift]), 0.0
    candidates = []
    for index, state in enumerate(states):
        time, (_, above, _) = float(ahead.information[index]), ahead.edges(index)
        candidates.append((index, time, state, earlier))
        here = float(state.upper_exit(time, above, at)[0])
        if probability <= earlier + here or index + 1 == ahead.looks:
            break
        earlier += here
    index, time, state, earlier = candidates[-1]
    reached = state.upper_quantile(time, probability - earlier)
    while math.isinf(reached) and reached < 0 and candidates[:-1]:
        # below all that ended at a later look: a downward stop
        candidates.pop()
        index, time, state, earlier = candidates[-1]
        reached = state.upper_quantile(time, probability - earlier)
    return look + index + 1, (score + reached) / math.sqrt(float(region.information[look + index]))


class AdaptedEffects:
    """An adapted trial under hypothesised effects, as favourable distances from the null value.

    Parameters
    ----------
    design, look, interim
        The planned design, the look of the change, from 1, and the cumulative estimate then.
    rest, bounds, observed
        The new rest, its bounds at the looks so far, and the cumulative estimate of the new data at the last of them.
    """

    def __init__(
        self,
        design: GroupSequential,
        look: int,
        interim: Estimate,
        rest: GroupSequential,
        bounds: Boundaries,
        observed: Estimate,
    ) -> None:
        self.design, self.look, self.interim = design, look, interim
        self.rest, self.bounds, self.observed = rest, bounds, observed
        self.region = design.region(design.binding)
        self.time = float(design.information[look - 1])
        self.sign = 1.0 if observed.better == "higher" else -1.0
        self.trial = StoppedTrial(bounds.region(1, rest.binding), bounds.information.size)
        total = self.interim.information + observed.information
        pooled = self.interim.information * self.interim.effect + observed.information * observed.effect
        self.centre = self.sign * (pooled / total - observed.null_value)
        self.unit = total**-0.5

    def natural(self, effect: float) -> float:
        """An effect as the estimates measure it."""
        return self.observed.possible(self.observed.null_value + self.sign * effect)

    def interval(self, best: float, worst: float, level: float) -> Interval:
        """The interval between two effects."""
        ends = sorted((self.natural(best), self.natural(worst)))
        return Interval(ends[0], ends[1], level)

    def against(self, estimate: Estimate, effect: float) -> float:
        """Favourable z of the test of an effect."""
        return self.sign * estimate.z_against(estimate.null_value + self.sign * effect)

    def tail(self, effect: float, side: float = 1.0) -> float:
        """Probability under an effect of an outcome of the whole trial at least as high as its backward image.

        With side -1 at least as low.
        """
        held, stands = self.against(self.observed, 0.0), self.against(self.interim, 0.0)
        mean, before = held - self.against(self.observed, effect), stands - self.against(self.interim, effect)
        trial, region = self.trial, self.region
        if side < 0:
            trial, region = StoppedTrial(trial.region.mirrored, trial.look), region.mirrored
        ahead = trial.tail(side * held, side * mean / math.sqrt(float(self.bounds.information[-1])))
        drift = side * before / math.sqrt(self.time)
        look, z = backward_image(region, side * stands, self.look, ahead, drift)
        return StoppedTrial(region, look).tail(z, drift)

    def normal_score(self, effect: float) -> float:
        """Normal quantile of `tail`, from whichever side has the digits."""
        from scipy.special import ndtri

        above = self.tail(effect)
        return float(ndtri(max(above, 0.0))) if above <= 0.5 else -float(ndtri(max(self.tail(effect, -1.0), 0.0)))

    def effect(self, probability: float) -> float:
        """Effect under which `tail` is the probability."""
        from scipy.special import ndtri

        target = float(ndtri(probability))

        return self.centre + self.unit * rising_root(
            lambda x: self.normal_score(self.centre + self.unit * x) - target, target
        )

    def repeated(self) -> tuple[float, float]:
        """Effects at the ends of the repeated interval: the highest and the lowest not rejected.

        An effect is held against the trial by the planned rule for z less its mean, and after the change by the new
        rule at the conditional error that leaves.
        """
        region, rest = nested(self.design).region(), nested(self.rest)

        def bound(z: float) -> float:
            level = min(conditional_error(region, z, self.time), _HIGHEST_LEVEL)
            if level <= _LOWEST_LEVEL:
                return math.inf
            return float(at_level(rest, level).bounds_at(self.bounds.information, self.bounds.complete).efficacy[-1])

        def worst(effect: float) -> float:
            return bound(self.against(self.interim, effect)) - self.against(self.observed, effect)

        def best(effect: float) -> float:
            return -self.against(self.observed, effect) - bound(-self.against(self.interim, effect))

        return (
            self.centre + self.unit * rising_root(lambda x: best(self.centre + self.unit * x), 2.0),
            self.centre + self.unit * rising_root(lambda x: worst(self.centre + self.unit * x), -2.0),
        )
