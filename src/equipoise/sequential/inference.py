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

from .integration import SubDensity
from .region import Region
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
    region
        Where it had to stay to go on, every look included that is still planned; non-binding futility left out.
    look
        The look it is seen at, from 1.
    """

    region: Region
    look: int
    _held: dict[float, list[SubDensity]] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def information(self) -> Array:
        """Information fractions of every look, shape (looks,)."""
        return self.region.information

    @property
    def upper(self) -> Array:
        """Upper bounds on z, shape (looks,)."""
        return self.region.upper

    def _passed(self, drift: float, looks: int | None = None) -> list[SubDensity]:
        """Sub-densities before each of looks 1..k, held at a drift so near that the likelihood ratio loses nothing."""
        centre = _BLOCK * round(drift / _BLOCK)
        needed = self.look if looks is None else looks
        if len(self._held.get(centre, ())) < needed:
            self._held[centre] = self.region.states(centre, (centre - _BLOCK, centre + _BLOCK), needed)
        return self._held[centre][:needed]

    def tail(self, z: float, drift: float = 0.0) -> float:
        """Probability of an outcome at least as high as `z` at this look, in the stage-wise ordering.

        Upward stops are highest, the earliest highest of all and those of one look by z; downward stops are lowest, the
        earliest lowest (Tsiatis, Rosner & Mehta 1984, Biometrics 40:797; Jennison & Turnbull 2000, section 8.4).
        Whichever the direction of the stop, this is the probability of an earlier upward stop or of a larger z here.
        Stops in a wedge that inference respects lie between the two, the earliest in the middle, on either side of 0.
        """
        if self.region.inner is not None and z < 0:
            return 1.0 - self._tail_above_wedge(-z, -drift)
        if self.region.inner is not None:
            return self._tail_above_wedge(z, drift)
        return self._tail(z, drift)

    def _tail(self, z: float, drift: float) -> float:
        at_drift = np.array([drift])
        total = 0.0
        for look, state in enumerate(self._passed(drift)):
            bound = self.upper[look] if look + 1 < self.look else z
            root = math.sqrt(self.information[look])
            total += float(state.upper_exit(float(self.information[look]), bound * root, at_drift)[0])
        return total

    def _tail_above_wedge(self, z: float, drift: float) -> float:
        """The tail of z >= 0 in a region with a wedge, symmetric about 0."""
        _, above, wedge = self.region.edges(self.look - 1)
        root = math.sqrt(self.information[self.look - 1])
        if self.look == self.region.looks or wedge is None or z * root >= above:
            return self._tail(z, drift)
        at_drift = np.array([drift])
        total = 0.0
        for look, state in enumerate(self._passed(drift, self.region.looks)):
            time = float(self.information[look])
            _, above, wedge = self.region.edges(look)
            total += float(state.upper_exit(time, above, at_drift)[0])
            if look + 1 >= self.look and wedge is not None:
                low = z * root if look + 1 == self.look else 0.0
                total += float(state.between(time, low, wedge[1], at_drift)[0])
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
        return self._mean_estimate(self.region.states(drift), drift)

    def _mean_estimate(self, states: list[SubDensity], drift: float) -> float:
        at_drift = np.array([drift])
        total = 0.0
        for look, state in enumerate(states):
            time = float(self.information[look])
            if look + 1 == self.region.looks:
                moment = state.upper_moment(time, -math.inf, at_drift)
            else:
                below, above, wedge = self.region.edges(look)
                moment = state.upper_moment(time, above, at_drift) + state.lower_moment(time, below, at_drift)
                if wedge is not None:
                    moment = moment + state.upper_moment(time, wedge[0], at_drift)
                    moment = moment - state.upper_moment(time, wedge[1], at_drift)
            total += float(moment[0]) / time
        return total

    def bias_adjusted(self, observed: float) -> float:
        """Drift whose mean estimate is the `observed` one: theta + bias(theta) = observed.

        Whitehead 1986, Biometrika 73:573. It takes away most of the bias, not exactly all.
        """
        wide = 5.0 / math.sqrt(self.information[0])
        states = self.region.states(observed, (observed - wide, observed + wide))
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
            state = self.region.states(float(np.clip(drift, 0.0, 30.0)), span, self.look)[-1]
            means[index] = state.mean_above(time, bound, np.array([drift]))[0] / time
        return means
