"""Orderings of the outcomes of a sequential trial: p-values, median-unbiased estimates and confidence limits.

An outcome is a look T and a score S there. An ordering says which outcomes are at least as high as the one observed:
those that stop at some look j with a score at or above a threshold c_j. The p-value against a drift is the probability
of that set under it; the drift that makes it a half is the median-unbiased estimate, and those that make it alpha and
1 - alpha are confidence limits (Jennison & Turnbull 2000, Group Sequential Methods, sections 8.4 and 8.5). Only the
stage-wise ordering does without the looks that were never held.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..checks import any_shape, confidence_level, instance, number, whole
from ..errors import InputError
from .root_arrays import rising_roots
from .sample_space import SampleSpace

__all__ = ["LikelihoodRatio", "Ordering", "SampleMean", "ScoreTest", "StageWise"]

Array = npt.NDArray[np.float64]
Chosen = npt.NDArray[np.intp]


class Ordering(ABC):
    """Which outcomes speak more strongly for a large drift than others."""

    name: str
    monotone: bool = True

    @abstractmethod
    def thresholds(self, space: SampleSpace, look: int, scores: Array, drifts: Array) -> Array:
        """Lowest score at each look that ranks at least as high as each outcome, shape (scores, looks).

        Parameters
        ----------
        space
            Outcomes that the trial might have had.
        look
            The look it stopped at, from 1.
        scores
            Scores there, shape (scores,).
        drifts
            Drift tested with each, shape (scores,).
        """

    def upper_tail(self, space: SampleSpace, look: int, scores: Array, drifts: Array) -> Array:
        """Probability, under `drifts`, of an outcome at least as high as stopping at `look` with each of `scores`."""
        return space.upper_set(self.thresholds(space, look, scores, drifts), drifts)

    def p_value(self, space: SampleSpace, look: int, z: float, drift: float = 0.0, sided: int = 1) -> float:
        """p-value of the hypothesis of a drift: upper tail, or twice the smaller tail when two-sided.

        Parameters
        ----------
        space
            Outcomes that the trial might have had.
        look, z
            Where it stopped, look from 1.
        drift
            Drift tested.
        sided
            1 against larger drifts, or 2.

        Raises
        ------
        InputError
            When an argument is of another kind, or the look is none of the space.
        """
        z, drift = number("z", z), number("drift", drift)
        if whole("sided", sided, "1 or 2") not in (1, 2):
            raise InputError("sided", sided, "1 or 2")
        look, _ = _outcomes(space, look, np.array([z]))
        score, tested = np.array([z * math.sqrt(space.information[look - 1])]), np.array([drift])
        upper = float(self.upper_tail(space, look, score, tested)[0])
        if sided == 1 or upper <= 0.5:
            return sided * upper
        # the complement of a probability near 1 has no digits left
        lower = float(self.upper_tail(space.mirrored, look, -score, -tested)[0])
        return 2.0 * min(lower, 0.5)

    def drift_at(self, space: SampleSpace, look: int, z: Array, probability: Array) -> Array:
        """Drift under which an outcome at least as high has the given probability, for each z (z,).

        With 1/2 it is the median-unbiased estimate. Where the probability is not monotone in the drift it is one of
        several such drifts, see `LikelihoodRatio`.

        Raises
        ------
        InputError
            When an argument is of another kind, or a probability not between 0 and 1.
        """
        from scipy.special import ndtri

        look, z = _outcomes(space, look, z)
        right = "probabilities between 0 and 1, one for each z"
        given = any_shape("probability", probability, right)
        if not np.all((given > 0) & (given < 1)) or given.shape not in ((), (1,), z.shape):
            raise InputError("probability", probability, right)
        root = math.sqrt(space.information[look - 1])
        target = np.broadcast_to(ndtri(given), z.shape)
        excess = self._excess(space, look, z * root, target)
        return rising_roots(excess, (z + target) / root, slope=root, scale=1.0 / root)

    def _excess(self, space: SampleSpace, look: int, scores: Array, target: Array) -> Callable[[Array, Chosen], Array]:
        from scipy.special import ndtri

        return lambda drifts, chosen: ndtri(self.upper_tail(space, look, scores[chosen], drifts)) - target[chosen]

    def interval(self, space: SampleSpace, look: int, z: Array, level: float) -> tuple[Array, Array]:
        """Equal-tailed confidence limits for the drift, for each z (z,).

        Where the drifts not rejected are no interval, the shortest interval that holds them all: its coverage is then
        at least `level`. They are looked for within six standard errors of the limit first found.
        """
        return self.estimate_and_interval(space, look, z, level)[1:]

    def estimate_and_interval(
        self, space: SampleSpace, look: int, z: Array, level: float
    ) -> tuple[Array, Array, Array]:
        """Median-unbiased estimate and confidence limits, found together, for each z (z,).

        Raises
        ------
        InputError
            When an argument is of another kind, or the level not between 0 and 1.
        """
        look, z = _outcomes(space, look, z)
        level = confidence_level(level)
        tail = 0.5 * (1.0 - level)
        probability = np.repeat((0.5, tail, 1.0 - tail), z.size)
        drifts = self.drift_at(space, look, np.tile(z, 3), probability)
        estimate, limits = drifts[: z.size], drifts[z.size :]
        if not self.monotone:
            limits = self._outermost(space, look, np.tile(z, 2), probability[z.size :], limits)
        return estimate, limits[: z.size], limits[z.size :]

    def _outermost(self, space: SampleSpace, look: int, z: Array, probability: Array, limits: Array) -> Array:
        """The smallest crossing of each lower limit's probability (below 1/2), the largest of each upper limit's."""
        from scipy.special import ndtri

        root = math.sqrt(space.information[look - 1])
        target, scores = ndtri(probability), z * root
        step = 0.5 / math.sqrt(space.information[-1])
        grid = step * np.arange(1, math.ceil(6.0 / (root * step)) + 1)
        sign = np.where(probability < 0.5, -1.0, 1.0)
        drifts = limits[:, None] + sign[:, None] * grid
        rows = np.repeat(np.arange(z.size), grid.size)
        excess = self._excess(space, look, scores, target)(drifts.ravel(), rows).reshape(drifts.shape)
        result = limits.copy()
        for index in np.flatnonzero(np.any(sign[:, None] * excess < 0, axis=1)):
            last = min(int(np.flatnonzero(sign[index] * excess[index] < 0)[-1]), grid.size - 2)
            ends = np.sort(drifts[index, last : last + 2])
            one = self._excess(space, look, scores[[index]], target[[index]])
            guess = ends.mean(keepdims=True)
            result[index] = rising_roots(one, guess, root, 1.0 / root, bracket=(ends[:1], ends[1:]))[0]
        return result


@dataclass(frozen=True)
class StageWise(Ordering):
    """Upward stops are highest, the earliest highest of all, and those of one look by z; downward stops mirror them.

    Tsiatis, Rosner & Mehta 1984, Biometrics 40:797. Counter-clockwise round the continuation region, so that later
    looks play no part. Round the two regions that an inner wedge leaves, trials that stop in the wedge rank in the
    upper half with the last look above them and later looks above earlier, and the other way about in the lower half;
    for those alone the later looks do matter.
    """

    name: str = "stage-wise"

    def thresholds(self, space: SampleSpace, look: int, scores: Array, drifts: Array) -> Array:
        """Boundaries of the looks held before, nothing or everything at those after; see `Ordering.thresholds`."""
        upper, wedge, middle = _boundaries(space)
        columns = np.arange(1, space.looks + 1)
        low = scores < middle[look - 1]
        before = np.where(low[:, None], wedge, upper)
        after = np.where((scores >= upper[look - 1])[:, None], np.inf, middle)
        after = np.where((scores <= space.edges(look)[0])[:, None], -np.inf, after)
        result = np.where(columns < look, before, after)
        result[:, look - 1] = scores
        return result

    def upper_tail(self, space: SampleSpace, look: int, scores: Array, drifts: Array) -> Array:
        """Probability, under `drifts`, of an outcome at least as high as stopping at `look` with each of `scores`."""
        thresholds = self.thresholds(space, look, scores, drifts)
        lower, upper, inner = space.edges(look)
        if inner is None:
            return space.upper_set(thresholds[:, :look], drifts)
        inside = (scores > lower) & (scores < upper)
        result = np.empty(scores.shape)
        for chosen, columns in ((inside, space.looks), (~inside, look)):
            if chosen.any():
                result[chosen] = space.upper_set(thresholds[chosen, :columns], drifts[chosen])
        return result


@dataclass(frozen=True)
class _Scaled(Ordering):
    """Outcomes ranked by (S - theta t) / t^power, S the score at information t."""

    def _rank(self, space: SampleSpace, look: int, scores: Array, about: Array, power: float) -> Array:
        times = space.information
        excess = scores - about * times[look - 1]
        return np.multiply.outer(about, times) + np.multiply.outer(excess, (times / times[look - 1]) ** power)


@dataclass(frozen=True)
class SampleMean(_Scaled):
    """By the maximum likelihood estimate S / t.

    Emerson & Fleming 1990, Biometrika 77:875. Probabilities of upper sets rise with the drift, so limits are unique;
    intervals tend to be shorter than by the stage-wise ordering.
    """

    name: str = "sample mean"

    def thresholds(self, space: SampleSpace, look: int, scores: Array, drifts: Array) -> Array:
        """Scores with the same estimate S / t at every look; see `Ordering.thresholds`."""
        return self._rank(space, look, scores, np.zeros(scores.shape), 1.0)


@dataclass(frozen=True)
class LikelihoodRatio(_Scaled):
    """By the signed root of the likelihood ratio against the drift tested, (S - theta t) / sqrt(t).

    Chang 1989, Biometrics 45:247. The ranking moves with the drift tested; for the p-value of no effect it is that of
    z. The p-value need not be monotone in the drift, so that the drifts not rejected need not form an interval nor the
    median-unbiased estimate be unique; with boundaries in use the departures are small and far out in the tails.

    Attributes
    ----------
    about
        A drift to rank by whatever drift is tested: 0 ranks by z (Jennison & Turnbull 2000, section 8.4). None follows
        the drift tested.
    """

    about: float | None = None
    name: str = "likelihood ratio"
    monotone: bool = False

    def __post_init__(self) -> None:
        if self.about is not None:
            number("about", self.about, "a finite drift, or None for the one tested")

    def thresholds(self, space: SampleSpace, look: int, scores: Array, drifts: Array) -> Array:
        """Scores with the same (S - theta t) / sqrt(t) at every look; see `Ordering.thresholds`."""
        about = drifts if self.about is None else np.full(scores.shape, self.about)
        return self._rank(space, look, scores, about, 0.5)


@dataclass(frozen=True)
class ScoreTest(_Scaled):
    """By the score statistic of the drift tested, S - theta t.

    Rosner & Tsiatis 1988, Biometrika 75:723. As with the likelihood ratio, sets of drifts not rejected need not be
    intervals, and here departures from monotone p-values can be large.

    Attributes
    ----------
    about
        A drift to rank by whatever drift is tested; None follows the drift tested.
    """

    about: float | None = None
    name: str = "score test"
    monotone: bool = False

    def __post_init__(self) -> None:
        if self.about is not None:
            number("about", self.about, "a finite drift, or None for the one tested")

    def thresholds(self, space: SampleSpace, look: int, scores: Array, drifts: Array) -> Array:
        """Scores with the same S - theta t at every look; see `Ordering.thresholds`."""
        about = drifts if self.about is None else np.full(scores.shape, self.about)
        return self._rank(space, look, scores, about, 0.0)


def _outcomes(space: SampleSpace, look: int, z: Array) -> tuple[int, Array]:
    return instance("space", space, SampleSpace, "a SampleSpace").at(look, z)


def _boundaries(space: SampleSpace) -> tuple[Array, Array, Array]:
    """At each look, on the score scale: the upper boundary; the lower edge of the wedge, or the upper boundary without
    one; what divides the upper half of outcomes from the lower."""
    upper, wedge, middle = (np.empty(space.looks) for _ in range(3))
    for look in range(space.looks):
        low, high, inner = space.edges(look + 1)
        upper[look] = high
        if inner is not None:
            wedge[look], middle[look] = inner[0], 0.5 * (inner[0] + inner[1])
        else:
            wedge[look] = high
            last = look + 1 == space.looks
            middle[look] = (0.5 * (low + high) if math.isfinite(low + high) else 0.0) if last else high
    return upper, wedge, middle
