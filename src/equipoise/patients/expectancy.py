"""What patients believe they are given, how side effects tell them, and what believing does to their scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from .draws import Draws

__all__ = ["EXPERIMENTAL", "BeliefLaw"]

EXPERIMENTAL, CONTROL, UNKNOWN = 1, 0, -1


@dataclass(frozen=True, eq=False)
class BeliefLaw:
    """Expectancy and functional unblinding.

    A patient believes in the experimental arm, in control or in none with probabilities that differ between those who
    felt the sign (an adverse event) and those who did not, and not otherwise between arms: an arm in which the sign is
    commoner is unblinded by it. Without a sign the probabilities are those of the arm. From `first` on, her scores are
    shifted by `points` if she believes in the experimental arm, by `points_if_control` if in control.

    An arm whose patients believe so with probability b is shifted by b x points on average, which is no effect of the
    drug: what trials call activated expectancy bias (Szigeti et al. 2023, Sci Rep).

    Attributes
    ----------
    sign
        The adverse event by which patients tell; empty where they tell by the arm itself.
    experimental, unknown
        Probability of each belief: of those without and with the sign, shape (2,), or by arm, shape (arms,).
    points, points_if_control
        Added to the score.
    first
        Column of the first visit that is shifted.
    visits
        How many there are.
    """

    sign: str
    experimental: NDArray[np.float64]
    unknown: NDArray[np.float64]
    points: float
    points_if_control: float
    first: int
    visits: int

    def shares(self, sign: Sequence[float]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Shares of each arm who believe in the experimental arm, and in none, shape (arms,).

        Parameters
        ----------
        sign
            Probability of the sign in each arm; of no matter where patients tell by the arm itself.
        """
        if not self.sign:
            return self.experimental, self.unknown
        felt = np.asarray(sign, dtype=np.float64)
        experimental, unknown = (law[0] + felt * (law[1] - law[0]) for law in (self.experimental, self.unknown))
        return experimental, unknown

    def belief(self, draws: Draws, arm: NDArray[np.intp], events: Mapping[str, NDArray[np.bool_]]) -> NDArray[np.int8]:
        """1 for the experimental arm, 0 for control, -1 for none, shape (trials, patients).

        Parameters
        ----------
        arm
            Shape (trials, patients).
        events
            By term, who has the adverse event, shape (trials, patients).
        """
        which = events[self.sign].astype(np.intp) if self.sign else arm
        uniform = draws.uniform("belief", arm.shape[1])
        first = self.experimental[which]
        other = np.where(uniform < first + self.unknown[which], UNKNOWN, CONTROL)
        return np.where(uniform < first, EXPERIMENTAL, other).astype(np.int8)

    def shifts(self, belief: NDArray[np.int8]) -> NDArray[np.float64] | None:
        """Points to add at each visit, shape (trials, patients, visits); None where believing does nothing."""
        if not (self.points or self.points_if_control):
            return None
        points = np.array([self.points_if_control, self.points, 0.0])[belief]
        return points[:, :, None] * (np.arange(self.visits) >= self.first)
