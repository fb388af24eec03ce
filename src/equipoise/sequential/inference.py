"""A trial seen at one look, in units of drift: what the stage-wise ordering and the bias of its estimate say.

Everything here lives on the z scale, larger in favour of the experimental arm, with information as a fraction of the
planned maximum and drift theta per unit of it. Outcomes are pairs (look at which the trial stopped, z there).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from .conditional import conditional_mean
from .estimators import BiasAdjusted
from .orderings import StageWise
from .region import Region
from .sample_space import Exit, SampleSpace, Stop

__all__ = ["StoppedTrial"]

Array = npt.NDArray[np.float64]


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

    @cached_property
    def space(self) -> SampleSpace:
        """The outcomes it might have had."""
        return SampleSpace(self.region)

    @property
    def information(self) -> Array:
        """Information fractions of every look, shape (looks,)."""
        return self.region.information

    @property
    def upper(self) -> Array:
        """Upper bounds on z, shape (looks,)."""
        return self.region.upper

    def tail(self, z: float, drift: float = 0.0) -> float:
        """Probability of an outcome at least as high as `z` at this look, in the stage-wise ordering.

        Upward stops are highest, the earliest highest of all and those of one look by z; downward stops are lowest, the
        earliest lowest (Tsiatis, Rosner & Mehta 1984, Biometrics 40:797; Jennison & Turnbull 2000, section 8.4).
        Stops in a wedge that inference respects lie between the two, the earliest in the middle, on either side of 0.
        """
        return float(self.tails(np.array([z]), drift)[0])

    def tails(self, z: Array, drift: float = 0.0) -> Array:
        """`tail` of each z (z,)."""
        scores = z * math.sqrt(self.information[self.look - 1])
        return StageWise().upper_tail(self.space, self.look, scores, np.full(scores.shape, drift))

    def means(self, z: npt.ArrayLike, probabilities: Sequence[float]) -> Array:
        """Means of z at this look under which `tail(z)` equals each of `probabilities`: limits, or at 1/2 the median.

        Parameters
        ----------
        z
            Seen at this look, a number or several (z,).
        probabilities
            Upper tail probabilities of the outcome, between 0 and 1, shape (means,).

        Returns
        -------
        Shape (means,), or (z, means) of several z.
        """
        seen, asked = np.broadcast_arrays(
            np.asarray(z, dtype=np.float64)[..., None], np.asarray(probabilities, dtype=np.float64)
        )
        root = math.sqrt(self.information[self.look - 1])
        found = np.empty(asked.shape)
        # so near 1 a tail has no digits left, and its complement is asked for
        upper = asked > 1 - 1e-6
        if not upper.all():
            found[~upper] = StageWise().drift_at(self.space, self.look, seen[~upper], asked[~upper])
        if upper.any():
            found[upper] = -StageWise().drift_at(self.space.mirrored, self.look, -seen[upper], 1 - asked[upper])
        return found * root

    def bias_adjusted(self, z: float) -> float:
        """Mean of z at this look under which the estimate at stopping averages the one observed (`BiasAdjusted`)."""
        return float(self.bias_adjusted_means(np.array([z]))[0])

    def bias_adjusted_means(self, z: Array) -> Array:
        """`bias_adjusted` of each z (z,), of which either all stop in the same way here or none does."""
        space = self.space.ending(self.look, float(z[0]))
        return BiasAdjusted().estimate(space, self.look, z) * math.sqrt(self.information[self.look - 1])

    def mean_estimate_given_stop(self, drifts: Array) -> Array:
        """Mean estimate of the drift among trials that stop above at this look, under each of `drifts` (drifts,)."""
        time = float(self.information[self.look - 1])
        stop = Stop(self.look, Exit.ABOVE, float(self.upper[self.look - 1]) * math.sqrt(time), math.inf)
        return conditional_mean(self.space, [stop], drifts) / time
