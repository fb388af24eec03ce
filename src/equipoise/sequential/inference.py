"""Inference after a sequential trial, in units of drift: stage-wise ordering, bias, what stopping does to estimates.

Everything here lives on the z scale, larger in favour of the experimental arm, with information as a fraction of the
planned maximum and drift theta per unit of it. Outcomes are pairs (look at which the trial stopped, z there).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from .integration import SubDensity, start
from .roots import rising_root

__all__ = ["StoppedTrial"]

Array = npt.NDArray[np.float64]

# Drifts as far apart as this share one recursion.
_BLOCK = 8.0


@dataclass(frozen=True)
class StoppedTrial:
    """A trial seen at one look, with the boundaries it had to pass and those it would have met.

    Attributes
    ----------
    information
        Information fractions of every look, those still planned included, shape (looks,).
    lower, upper
        Boundaries (z) of the continuation region at each, shape (looks,); non-binding futility left out.
    look
        The look it is seen at, from 1.
    """

    information: Array
    lower: Array
    upper: Array
    look: int
    _held: dict[float, list[SubDensity]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def _passed(self, drift: float) -> list[SubDensity]:
        """Sub-densities before each of looks 1..k, held at a drift so near that the likelihood ratio loses nothing."""
        centre = _BLOCK * round(drift / _BLOCK)
        if centre not in self._held:
            self._held[centre] = self._states(centre, (centre - _BLOCK, centre + _BLOCK), self.look)
        return self._held[centre]

    def _states(self, drift: float, drifts: tuple[float, float], looks: int) -> list[SubDensity]:
        states = [start(drift)]
        for look in range(looks - 1):
            time, root = float(self.information[look]), math.sqrt(self.information[look])
            following = float(self.information[look + 1])
            lower, upper = self.lower[look] * root, self.upper[look] * root
            states.append(states[-1].advance(time, lower, upper, following, drifts))
        return states

    def tail(self, z: float, drift: float = 0.0) -> float:
        """Probability of an outcome at least as high as `z` at this look, in the stage-wise ordering.

        Upward stops are highest, the earliest highest of all and those of one look by z; downward stops are lowest, the
        earliest lowest (Tsiatis, Rosner & Mehta 1984, Biometrics 40:797; Jennison & Turnbull 2000, section 8.4).
        Whichever the direction of the stop, this is the probability of an earlier upward stop or of a larger z here.
        """
        at_drift = np.array([drift])
        total = 0.0
        for look, state in enumerate(self._passed(drift)):
            bound = self.upper[look] if look + 1 < self.look else z
            root = math.sqrt(self.information[look])
            total += float(state.upper_exit(float(self.information[look]), bound * root, at_drift)[0])
        return total

    def standardised_effect(self, probability: float, z_against: Callable[[float], float]) -> float:
        """The mean of z at this look under which `tail` equals `probability`: a confidence limit, or at 1/2 the median.

        Parameters
        ----------
        probability
            Upper tail probability of the outcome, between 0 and 1.
        z_against
            z of the test that the mean of z has a given value. For a normal statistic z less that value; with a t
            statistic its normal score, so that limits at the first look are those of the t distribution.
        """
        from scipy.special import ndtri

        target = float(ndtri(probability))
        root = math.sqrt(self.information[self.look - 1])

        def excess(mean: float) -> float:
            return float(ndtri(self.tail(z_against(mean) + mean, mean / root))) - target

        return rising_root(excess, z_against(0.0) + target)

    def mean_estimate(self, drift: float) -> float:
        """Mean of the maximum likelihood estimate of the drift, S_T / t_T at the look T where a trial stops."""
        return self._mean_estimate(self._states(drift, (drift, drift), self.information.size), drift)

    def _mean_estimate(self, states: list[SubDensity], drift: float) -> float:
        at_drift = np.array([drift])
        total = 0.0
        for look, state in enumerate(states):
            time, root = float(self.information[look]), math.sqrt(self.information[look])
            if look + 1 == self.information.size:
                moment = state.upper_moment(time, -math.inf, at_drift)
            else:
                moment = state.upper_moment(time, self.upper[look] * root, at_drift)
                moment = moment + state.lower_moment(time, self.lower[look] * root, at_drift)
            total += float(moment[0]) / time
        return total

    def bias_adjusted(self, observed: float) -> float:
        """Drift whose mean estimate is the `observed` one: theta + bias(theta) = observed.

        Whitehead 1986, Biometrika 73:573. It takes away most of the bias, not exactly all.
        """
        wide = 5.0 / math.sqrt(self.information[0])
        states = self._states(observed, (observed - wide, observed + wide), self.information.size)
        return rising_root(lambda drift: self._mean_estimate(states, drift) - observed, observed)

    def mean_estimate_given_stop(self, drifts: Array) -> Array:
        """Mean estimate of the drift among trials that stop above at this look, under each of `drifts` (drifts,)."""
        look = self.look - 1
        time = float(self.information[look])
        bound = float(self.upper[look]) * math.sqrt(time)
        means = np.empty(drifts.shape)
        for index, drift in enumerate(drifts):
            # under a drift that seldom leads there, those that do get there have drifted as far as the bound
            span = min(0.0, bound / time), max(float(drift), bound / time)
            state = self._states(float(np.clip(drift, 0.0, 30.0)), span, self.look)[-1]
            means[index] = state.mean_above(time, bound, np.array([drift]))[0] / time
        return means
