"""How likely higher estimates than the observed one are as the truth changes, counted, and turned round.

The truth under which higher estimates have a probability is a local quadratic of the normal score of the share counted
(Fan & Gijbels 1996, Local Polynomial Modelling and Its Applications, section 2.3; tricube weights times the binomial
precision of the score). Its Monte-Carlo error is the jackknife's over blocks of trials (Efron & Stein 1981, Ann Stat
9:586): all truths share their random numbers, so a block is left out of all of them together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from .calibration_trials import Sample

__all__ = ["CalibrationCurve", "Target"]

Array = NDArray[np.float64]
_NARROWEST = 1.0  # half the width of the window, in normal scores
_FAR = 0.5
_BEYOND_THIRD = 1.25  # as wide as takes in the third nearest truth, and some more


@dataclass(frozen=True)
class Target:
    """What is looked for: the truth under which estimates above the observed one have a probability.

    Attributes
    ----------
    probability
        Between 0 and 1.
    ties
        How much of the trials that give the observed estimate itself count as above it.
    """

    probability: float
    ties: float

    @property
    def score(self) -> float:
        """The probability as a standard normal score."""
        from scipy.special import ndtri

        return float(ndtri(self.probability))


@dataclass(frozen=True, eq=False)
class CalibrationCurve:
    """Counts by truth.

    Attributes
    ----------
    truths
        Shape (truths,).
    trials, above, tied
        Trials, those with a higher estimate than the observed one, and those with the same, by block of trial numbers;
        shape (truths, blocks).
    truths_without
        The truths with a block of trials left out, where they are means of trials themselves; shape (truths, blocks).
    """

    truths: Array
    trials: Array
    above: Array
    tied: Array
    truths_without: Array

    @classmethod
    def of(cls, samples: Sequence[Sample]) -> CalibrationCurve:
        """Of the trials of several truths."""
        return cls(
            np.array([one.truth for one in samples]),
            np.array([one.trials for one in samples], dtype=np.float64),
            np.array([one.above for one in samples], dtype=np.float64),
            np.array([one.tied for one in samples], dtype=np.float64),
            np.array([one.truth_without for one in samples]),
        )

    def scores(self, target: Target) -> Array:
        """Normal scores of the shares above, as the target counts ties; shape (truths,)."""
        return _scores(self.trials.sum(axis=1), (self.above + target.ties * self.tied).sum(axis=1))

    def brackets(self, target: Target) -> tuple[bool, bool]:
        """Whether truths with too few, and with too many, estimates above the observed one were tried."""
        scores = self.scores(target)
        return bool(scores.min() <= target.score), bool(scores.max() >= target.score)

    def neighbours(self, target: Target) -> tuple[float, float] | None:
        """The two truths that a bracketed target lies between where neither comes near it; None where one does."""
        away = self.scores(target) - target.score
        if np.abs(away).min() <= _FAR:
            return None
        below, above = (np.where(side, np.abs(away), np.inf).argmin() for side in (away < 0, away > 0))
        return float(self.truths[below]), float(self.truths[above])

    def at(self, target: Target) -> tuple[float, float]:
        """The truth at a target that is bracketed, and its Monte-Carlo standard error."""
        counted = self.above + target.ties * self.tied
        trials, above = self.trials.sum(axis=1), counted.sum(axis=1)
        whole = float(_truth_at(self.truths, trials, above, target.score))
        without = _truth_at(
            self.truths_without.T, (trials[:, None] - self.trials).T, (above[:, None] - counted).T, target.score
        )
        blocks = without.shape[0]
        spread = float(((without - without.mean()) ** 2).sum())
        return whole, math.sqrt((blocks - 1) / blocks * spread)


def _scores(trials: Array, above: Array) -> Array:
    """Normal scores of shares that half a trial keeps from 0 and 1."""
    from scipy.special import ndtri

    return ndtri((above + 0.5) / (trials + 1.0))


def _truth_at(truths: Array, trials: Array, above: Array, score: float) -> Array:
    """Local quadratic of truths on scores, at a score; truths along the last axis."""
    share = (above + 0.5) / (trials + 1.0)
    away = _scores(trials, above) - score
    density = np.exp(-0.5 * (away + score) ** 2)
    distance = np.abs(away)
    near = min(3, distance.shape[-1]) - 1
    reach = np.maximum(_BEYOND_THIRD * np.sort(distance, axis=-1)[..., near, None], _NARROWEST)
    kernel = np.clip(1.0 - (distance / reach) ** 3, 0.0, None) ** 3
    root = np.sqrt(kernel * trials / (share * (1.0 - share))) * density
    powers = np.stack([np.ones_like(away), away, away**2][: near + 1], axis=-1)
    fit = np.linalg.pinv(root[..., None] * powers) @ (root * truths)[..., None]
    return fit[..., 0, 0]
