"""Dropping out because of a score that is never seen: data missing not at random."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .calibration import joint_probabilities, logistic_intercept

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .truth import ArmTruth

__all__ = ["DropoutLaw"]


@dataclass(frozen=True, eq=False)
class DropoutLaw:
    """Who leaves between a visit and the next, by the scores at both.

    With y[k] the score at visit k, in points, of a patient of arm a who attends it,

        log odds of leaving between k and k + 1 = intercepts[a, k] + slopes[a] y[k] + unseen_slopes[a] y[k + 1].

    A second slope of zero is missingness at random; another one is the outcome-dependent dropout of Diggle & Kenward
    (1994, Appl Stat 43:49), in the words of Little (1995, JASA 90:1112) a non-ignorable selection model. The intercepts
    are such that the average over both scores of all patients of the arm, whether they came so far or not, is the
    arm's probability of leaving; found from the exact probabilities of all pairs of scores. Shifts by sites, raters and
    beliefs are no part of that average: they move dropout as they move scores.

    Attributes
    ----------
    intercepts
        Minus infinity where nobody leaves, shape (arms, visits - 1).
    slopes, unseen_slopes
        Log odds ratio per point of the last seen score and of the next, unseen one, shape (arms,).
    """

    intercepts: NDArray[np.float64]
    slopes: NDArray[np.float64]
    unseen_slopes: NDArray[np.float64]

    @classmethod
    def of(cls, arms: Sequence[Sequence[tuple[float, ArmTruth]]], odds_ratio_per_unseen_point: float) -> DropoutLaw:
        """The law of a scenario.

        Parameters
        ----------
        arms
            Of each arm the kinds of patients it is mixed of, with their shares.
        odds_ratio_per_unseen_point
            Of leaving, per point of the next score.
        """
        unseen = math.log(odds_ratio_per_unseen_point)
        slopes = [kinds[0][1].dropout_log_odds_per_point for kinds in arms]
        intercepts = [_intercepts(kinds, slope, unseen) for kinds, slope in zip(arms, slopes, strict=True)]
        return cls(np.array(intercepts), np.array(slopes), np.full(len(slopes), unseen))

    def log_odds(self, arm: NDArray[np.intp], scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Log odds of leaving after each visit but the last.

        Parameters
        ----------
        arm
            Shape (...).
        scores
            All of them, seen or not, shape (..., visits).

        Returns
        -------
        numpy.ndarray
            Shape (..., visits - 1).
        """
        seen = self.slopes[arm][..., None] * scores[..., :-1]
        return self.intercepts[arm] + seen + self.unseen_slopes[arm][..., None] * scores[..., 1:]


def _intercepts(kinds: Sequence[tuple[float, ArmTruth]], slope: float, unseen: float) -> list[float]:
    arm = kinds[0][1]
    found = []
    for at, probability in enumerate(arm.leaving):
        if probability == 0 or (slope == 0 and unseen == 0):
            found.append(math.log(probability / (1 - probability)) if probability else -math.inf)
            continue
        pairs = sum(
            share * joint_probabilities(law.scores[at], law.scores[at + 1], float(law.correlation[at, at + 1]))
            for share, law in kinds
        )
        last, following = arm.scores[at].scores, arm.scores[at + 1].scores
        found.append(logistic_intercept(slope * last[:, None] + unseen * following, np.asarray(pairs), probability))
    return found
