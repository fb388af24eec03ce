"""An arm in which some gain much and the rest nothing over control."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from .scores import ScoreDistribution

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .draws import Draws
    from .truth import ArmTruth

__all__ = ["ResponderMixture"]

_MARGIN = 0.5
_LEAST_SHARE = 0.25
_LEAST_MEAN = 0.05
_CORRECTIONS = 50


@dataclass(frozen=True, eq=False)
class ResponderMixture:
    """Responders and others in the experimental arms.

    At each visit, with m and s the mean and SD of the arm, m0 and s0 those of control and f the fraction of responders,
    the others have control's law and responders the mean and variance

        m0 + (m - m0) / f        and        (s^2 - (1 - f) s0^2 - (1 - f) (m - m0)^2 / f) / f,

    so that the arm as a whole keeps its mean and its SD. Where that variance would fall below a quarter of control's,
    because the gap between the two kinds of patients alone spreads the arm wider than s, a quarter of control's is
    taken: the mean is kept and the arm's SD is larger than s; `sd` gives it. Where the scale's end leaves no room for
    the variance it is lessened to what a single hump allows. A patient's latent normal values keep their correlation
    whichever kind she is of, but belonging to a kind adds to the correlation of the arm's later visits.

    Attributes
    ----------
    fraction
        Of responders.
    arms
        Kinds of patients of each arm with their shares; one of share 1 in an arm that is not mixed.
    further
        Laws of the responders by visit, of each mixed arm.
    responders
        Of each arm the place of its responders' law among those of all arms followed by `further`; -1 where it is not
        mixed; shape (arms,).
    """

    fraction: float
    arms: tuple[tuple[tuple[float, ArmTruth], ...], ...]
    further: tuple[tuple[ScoreDistribution, ...], ...]
    responders: NDArray[np.intp]

    @classmethod
    def of(cls, arms: Sequence[ArmTruth], fraction: float, mixed: Sequence[bool], maximum: float) -> ResponderMixture:
        """The mixture of a scenario.

        Parameters
        ----------
        arms
            Control first.
        fraction
            Of responders, in (0, 1].
        mixed
            Which arms are mixed.
        maximum
            Of the scale.

        Raises
        ------
        InputError
            Where the scale cannot hold the mean that responders need.
        """
        control = arms[0]
        kinds: list[tuple[tuple[float, ArmTruth], ...]] = []
        further: list[tuple[ScoreDistribution, ...]] = []
        responders = np.full(len(arms), -1, dtype=np.intp)
        for at, arm in enumerate(arms):
            if not mixed[at]:
                kinds.append(((1.0, arm),))
                continue
            laws = tuple(
                _responders(own, other, fraction, maximum)
                for own, other in zip(arm.scores, control.scores, strict=True)
            )
            responders[at] = len(arms) + len(further)
            further.append(laws)
            rest = replace(arm, scores=control.scores)
            kinds.append(((fraction, replace(arm, scores=laws)), (1 - fraction, rest)))
        return cls(fraction, tuple(kinds), tuple(further), responders)

    def law(self, draws: Draws, arm: NDArray[np.intp]) -> NDArray[np.intp]:
        """Which law each patient follows: of an arm by its number, or of responders; shape (trials, patients)."""
        place = self.responders[arm]
        responds = draws.uniform("responders", arm.shape[1]) < self.fraction
        return np.where(place < 0, arm, np.where(responds, place, 0))

    def mean(self, at: int) -> NDArray[np.float64]:
        """Mean score of an arm at each visit, both kinds together, in points, shape (visits,)."""
        return np.sum([share * kind.means for share, kind in self.arms[at]], axis=0)

    def sd(self, at: int) -> NDArray[np.float64]:
        """SD of an arm's scores at each visit, both kinds together, in points, shape (visits,)."""
        second = [share * np.array([law.sd**2 + law.mean**2 for law in kind.scores]) for share, kind in self.arms[at]]
        return np.sqrt(np.sum(second, axis=0) - self.mean(at) ** 2)


def _responders(own: ScoreDistribution, other: ScoreDistribution, fraction: float, maximum: float) -> ScoreDistribution:
    if fraction == 1:
        return own
    low, gap = own.minimum, own.mean - other.mean
    mean = other.mean + gap / fraction
    if not low + _MARGIN <= mean <= maximum - _MARGIN:
        room = (low + _MARGIN if gap < 0 else maximum - _MARGIN) - other.mean
        least = f"at least {gap / room:.3g}" if 0 < gap / room <= 1 else "1"
        raise InputError(
            "responders.fraction",
            fraction,
            f"{least}: responders would need a mean of {mean:.4g} on a scale from {low:g} to {maximum:g}",
        )
    kept = (own.sd**2 - (1 - fraction) * other.sd**2 - (1 - fraction) * gap**2 / fraction) / fraction
    sd = max(math.sqrt(max(kept, _LEAST_SHARE * other.sd**2)), 0.5)
    law, asked = own, mean
    for _ in range(_CORRECTIONS):
        widest = 0.999 * math.sqrt((asked - low) * (maximum - asked) / 3)
        law = ScoreDistribution.with_moments(asked, min(sd, widest), low, maximum)
        # rounding moves the mean close to the scale's ends
        asked += mean - law.mean
        if abs(mean - law.mean) < 1e-12 or not low + _LEAST_MEAN < asked < maximum - _LEAST_MEAN:
            break
    return law
