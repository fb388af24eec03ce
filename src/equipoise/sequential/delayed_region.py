"""Stopping recruitment at one look and deciding at another: probabilities when outcomes are still in the pipeline."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from .integration import DEFAULT_GRID, Grid, SubDensity
from .region import Region
from .roots import rising_root

__all__ = ["DelayedOutcomes", "DelayedRegion", "Stopped"]

Array = npt.NDArray[np.float64]
_BLOCK = 8.0  # drifts as far apart as this share one recursion
_NULL = np.zeros(1)


@dataclass(frozen=True, eq=False)
class Stopped:
    """Trials whose recruitment stops at one interim look, on their way to the decision analysis; score scale.

    Attributes
    ----------
    before
        Trials still recruiting, as they stood at the look before.
    above, below
        Those that leave above or below at this look, by their score there; None when nothing is in the pipeline.
    information, pipeline
        Information at the interim look and at the decision analysis.
    lower, upper
        Edges of the continuation region, scores; equal at the look that ends the trial.
    """

    before: SubDensity
    above: SubDensity | None
    below: SubDensity | None
    information: float
    pipeline: float
    lower: float
    upper: float

    @staticmethod
    def at(
        before: SubDensity,
        information: float,
        pipeline: float,
        lower: float,
        upper: float,
        drifts: tuple[float, float],
        grid: Grid = DEFAULT_GRID,
    ) -> Stopped:
        """Carry the trials `before` the look to it, and keep those outside `lower` to `upper`."""
        above = below = None
        if pipeline > information:
            above = before.advance(information, upper, math.inf, pipeline, drifts, grid)
            below = before.advance(information, -math.inf, lower, pipeline, drifts, grid)
        return Stopped(before, above, below, information, pipeline, lower, upper)

    def above_exceeding(self, score: float, drifts: Array) -> Array:
        """Probability of a stop above and a score over `score` at the decision analysis, under each of `drifts`."""
        if self.above is None:
            return self.before.upper_exit(self.information, max(self.upper, score), drifts)
        return self.above.upper_exit(self.pipeline, score, drifts)

    def above_falling(self, score: float, drifts: Array) -> Array:
        """Probability of a stop above and a score under `score` at the decision analysis, under each of `drifts`."""
        if self.above is None:
            return self.before.between(self.information, self.upper, score, drifts)
        return self.above.lower_exit(self.pipeline, score, drifts)

    def below_exceeding(self, score: float, drifts: Array) -> Array:
        """Probability of a stop below and a score over `score` at the decision analysis, under each of `drifts`."""
        if self.below is None:
            return self.before.between(self.information, score, self.lower, drifts)
        return self.below.upper_exit(self.pipeline, score, drifts)

    def below_falling(self, score: float, drifts: Array) -> Array:
        """Probability of a stop below and a score under `score` at the decision analysis, under each of `drifts`."""
        if self.below is None:
            return self.before.lower_exit(self.information, min(self.lower, score), drifts)
        return self.below.lower_exit(self.pipeline, score, drifts)

    def exceeding(self, score: float, drifts: Array) -> Array:
        """Probability of a stop and a score over `score` at the decision analysis, under each of `drifts`."""
        return self.above_exceeding(score, drifts) + self.below_exceeding(score, drifts)

    def continuing(self, drifts: Array) -> Array:
        """Probability of recruiting on, under each of `drifts`."""
        return self.before.between(self.information, self.lower, self.upper, drifts)

    def balancing_score(self) -> float:
        """Critical score at the decision analysis at which either stop is as likely to be reversed, without an effect.

        Stated in logarithms, so that it is found however rare a reversal is. The upper edge when nothing is in the
        pipeline; infinite when no trial can stop above, minus infinity when none can stop below.
        """
        if self.above is None or self.below is None:
            return self.upper
        if not self.above.score.size:
            return math.inf
        if not self.below.score.size:
            return -math.inf
        above, below = self.above, self.below
        gained = self.pipeline - self.information

        def excess(score: float) -> float:
            return _log_upper_exit(above.mirrored(), gained, -score) - _log_upper_exit(below, gained, score)

        return rising_root(excess, (self.lower + self.upper) / 2, max(self.upper - self.lower, 1e-3) / gained)


def _log_upper_exit(state: SubDensity, gained: float, score: float) -> float:
    """Logarithm of the probability of a score over `score` when `gained` more information is in, at drift 0."""
    from scipy.special import log_ndtr

    held = state.mass > 0
    terms = np.log(state.mass[held]) + log_ndtr((state.score[held] - score) / math.sqrt(gained))
    highest = float(terms.max())
    return highest + math.log(float(np.exp(terms - highest).sum()))


@dataclass(frozen=True, eq=False)
class DelayedOutcomes:
    """How trials stop and what is decided, look by look.

    Attributes
    ----------
    confirmed
        Probability of stopping above and rejecting, shape (..., looks); at the last look of rejecting.
    lost
        Probability of stopping above and not rejecting (a reversal), shape (..., looks).
    gained
        Probability of stopping below and rejecting (a reversal), shape (..., looks).
    accepted
        Probability of stopping below and not rejecting, shape (..., looks); at the last look of not rejecting.
    """

    confirmed: Array
    lost: Array
    gained: Array
    accepted: Array

    @property
    def rejected(self) -> Array:
        """Probability of rejecting at each decision analysis, shape (..., looks)."""
        return self.confirmed + self.gained

    @property
    def stopped(self) -> Array:
        """Probability of stopping at each look, shape (..., looks)."""
        return self.confirmed + self.lost + self.gained + self.accepted


@dataclass(frozen=True, eq=False)
class DelayedRegion:
    """Bounds of interim looks and decision analyses (Hampson & Jennison 2013, JRSS B 75:3); z scale, shape (looks,).

    Attributes
    ----------
    information
        Information at each interim look, rising.
    lower, upper
        Recruitment goes on strictly between these; equal at a look that ends the trial.
    pipeline
        Information at the decision analysis that follows a stop at each look, none below `information`.
    critical
        Critical value there.
    binding
        Whether type I error counts on trials stopping below.
    """

    information: Array
    lower: Array
    upper: Array
    pipeline: Array
    critical: Array
    binding: bool

    @staticmethod
    def balanced(
        information: Array, lower: Array, upper: Array, pipeline: Array, binding: bool, grid: Grid = DEFAULT_GRID
    ) -> DelayedRegion:
        """Find the critical values that balance the probabilities of reversal at drift 0.

        Rejections gained then make up for those lost, so each look spends what the test without delay spends (Hampson &
        Jennison 2013). If stopping below is not binding, earlier stops below are left out of both probabilities. The
        trials that in fact reach look k, whatever was done about their futility bounds, are some of those never above
        before it, and of all of these as many reject as stop above: the type I error is at most that without delay.
        """
        region = DelayedRegion(information, lower, upper, pipeline, np.full(upper.shape, math.nan), binding)
        stages = region.stages(0.0, region.slopes, binding, grid)
        scores = np.array([stage.balancing_score() for stage in stages])
        return replace(region, critical=scores / np.sqrt(pipeline))

    @property
    def slopes(self) -> tuple[float, float]:
        """Drifts that carry a trial to the outermost bounds, 0 included."""
        bounds = np.concatenate((self.lower, self.upper))
        finite = np.isfinite(bounds)
        slopes = (bounds / np.sqrt(np.concatenate((self.information, self.information))))[finite]
        return float(min(0.0, *slopes)), float(max(0.0, *slopes))

    def stages(
        self, drift: float, drifts: tuple[float, float], respect: bool, grid: Grid = DEFAULT_GRID
    ) -> list[Stopped]:
        """Trials that stop at each look.

        Parameters
        ----------
        drift, drifts
            Drift at which they are held; smallest and largest that will be asked for.
        respect
            Whether trials that left below at an earlier look are gone, or may have gone on.
        grid
            How finely to integrate.
        """
        lower = self.lower if respect else np.full(self.lower.shape, -math.inf)
        states = Region(self.information, lower, self.upper).states(drift, drifts, grid=grid)
        roots = np.sqrt(self.information)
        return [
            Stopped.at(
                state,
                float(self.information[look]),
                float(self.pipeline[look]),
                float(self.lower[look] * roots[look]),
                float(self.upper[look] * roots[look]),
                drifts,
                grid,
            )
            for look, state in enumerate(states)
        ]

    def outcomes(self, drifts: Array, respect: bool = True) -> DelayedOutcomes:
        """What happens under each of `drifts` (drifts,), arrays (drifts, looks).

        `respect` as for `stages`; without it a look counts trials that stop below whether or not they had done so
        before, so rejections add up to a bound on what may happen.
        """
        confirmed, lost, gained, accepted = (np.zeros((drifts.size, self.information.size)) for _ in range(4))
        # beyond, every probability is 0 or 1 in double precision
        bounds = np.concatenate((self.lower, self.upper))
        furthest = (np.abs(bounds[np.isfinite(bounds)]).max(initial=0.0) + 40.0) / math.sqrt(self.information[0])
        drifts = np.clip(drifts, -furthest, furthest)
        blocks = np.floor(drifts / _BLOCK)
        for block in np.unique(blocks):
            chosen = np.flatnonzero(blocks == block)
            part = drifts[chosen]
            span = float(part.min()), float(part.max())
            drift = (span[0] + span[1]) / 2
            if block in (-1, 0):
                span = min(span[0], self.slopes[0]), max(span[1], self.slopes[1])
            for look, stage in enumerate(self.stages(drift, span, respect)):
                critical = float(self.critical[look] * math.sqrt(self.pipeline[look]))
                confirmed[chosen, look] = stage.above_exceeding(critical, part)
                lost[chosen, look] = stage.above_falling(critical, part)
                gained[chosen, look] = stage.below_exceeding(critical, part)
                accepted[chosen, look] = stage.below_falling(critical, part)
        return DelayedOutcomes(confirmed, lost, gained, accepted)
