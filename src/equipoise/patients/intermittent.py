"""Visits missed by patients who stay in the trial."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .calibration import expit, logistic_intercept

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .draws import Draws
    from .truth import ArmTruth

__all__ = ["MissedVisitsLaw"]


@dataclass(frozen=True, eq=False)
class MissedVisitsLaw:
    """Intermittent missingness, at random: each visit after baseline is missed with a probability of its arm and visit.

    With an odds ratio per point, log odds of missing visit v = intercepts[arm, v, u] + slope y[u], where u is the last
    visit before v that was not missed and y its score (missing at random). The average over the law of y[u] is the
    probability given, exactly at the first visit after baseline. Later on those whose last score is at u are not
    quite all patients: of 0.2 with an odds ratio of 1.05 per point 0.2015 are missed at the third visit.

    Attributes
    ----------
    probability
        0 at baseline, shape (arms, visits).
    slope
        Log odds ratio per point of the last score that was not missed.
    intercepts
        Shape (arms, visits, visits); minus infinity where nobody misses the visit or u is not before v.
    """

    probability: NDArray[np.float64]
    slope: float
    intercepts: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        arms: Sequence[Sequence[tuple[float, ArmTruth]]],
        probability: NDArray[np.float64],
        odds_ratio_per_point: float,
    ) -> MissedVisitsLaw:
        """The law of a scenario.

        Parameters
        ----------
        arms
            Of each arm the kinds of patients it is mixed of, with their shares.
        probability
            Of missing each visit, 0 at baseline, shape (arms, visits).
        odds_ratio_per_point
            Of missing a visit, per point of the last score that was not missed.
        """
        slope = math.log(odds_ratio_per_point)
        visits = probability.shape[1]
        intercepts = np.full((len(arms), visits, visits), -np.inf)
        for at, kinds in enumerate(arms):
            for last in range(visits - 1) if slope else ():
                points = kinds[0][1].scores[last].scores
                weights = np.sum([share * law.scores[last].probabilities for share, law in kinds], axis=0)
                for visit in range(last + 1, visits):
                    intercepts[at, visit, last] = logistic_intercept(slope * points, weights, probability[at, visit])
        return cls(probability, slope, intercepts)

    def missed(self, draws: Draws, arm: NDArray[np.intp], scores: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether each visit is missed, never baseline, shape (trials, patients, visits).

        Parameters
        ----------
        arm
            Shape (trials, patients).
        scores
            All of them, seen or not, shape (trials, patients, visits).
        """
        missed = np.zeros(scores.shape, dtype=np.bool_)
        uniform = draws.uniform("missed visits", scores.shape[1], scores.shape[2] - 1)
        if not self.slope:
            np.less(uniform, self.probability[arm][:, :, 1:], out=missed[:, :, 1:])
            return missed
        last = np.zeros(arm.shape, dtype=np.intp)
        score = scores[:, :, 0]
        for visit in range(1, scores.shape[2]):
            chance = expit(self.intercepts[arm, visit, last] + self.slope * score)
            missed[:, :, visit] = uniform[:, :, visit - 1] < chance
            last = np.where(missed[:, :, visit], last, visit)
            score = np.where(missed[:, :, visit], score, scores[:, :, visit])
        return missed
