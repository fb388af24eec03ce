"""Conditional power at every look at once, by carrying it back from the last look to the first.

The probability of crossing a later bound is, as a function of the score now, the probability of crossing at the next
look plus the mean of the same function there over the scores that go on. One pass back over the looks costs what one
recursion forward does, and gives at every look the score that has a conditional power asked for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from .integration import DEFAULT_GRID, panels
from .roots import rising_root

__all__ = ["conditional_power_bounds"]

Array = npt.NDArray[np.float64]
_ROOT_TWO_PI = math.sqrt(2 * math.pi)


class _Ahead:
    """Conditional power as a function of the score at a look, from its values at the nodes of the next."""

    def __init__(self, gained: float, bound: float, drift: float, score: Array, weighted: Array) -> None:
        self.scale, self.bound, self.mean = math.sqrt(gained), bound, drift * gained
        self.score, self.weighted = score, weighted

    def at(self, scores: Array) -> Array:
        """Conditional power at scores (scores,)."""
        from scipy.special import ndtr

        power = ndtr((scores + self.mean - self.bound) / self.scale)
        if self.score.size:
            distance = np.subtract.outer((scores + self.mean) / self.scale, self.score / self.scale)
            power = power + np.exp(-0.5 * distance**2) @ self.weighted
        return power


def conditional_power_bounds(
    powers: Sequence[float | None], information: Array, efficacy: Array, drift: float, sided: int
) -> Array:
    """z at every look but the last at which the probability of crossing a later efficacy bound is as asked.

    Parameters
    ----------
    powers
        Conditional power at looks 1..K-1, between 0 and 1; None for no bound, which comes back as minus infinity.
    information, efficacy
        Information fractions and upper bounds on z, shape (looks,). In a two-sided design trials stop below minus the
        bound as well.
    drift
        theta sqrt(I_max) under which power is meant.
    sided
        1 or 2.
    """
    from scipy.special import ndtri

    roots = np.sqrt(information)
    upper = efficacy * roots
    found = np.full(information.size - 1, -math.inf)
    score = weighted = np.empty(0)
    targets = [float(ndtri(power)) for power in powers if power is not None and 0 < power < 1]
    middle = min(float(upper[-1]), 1e3)
    ends = middle + min([0.0, *targets]) * float(roots[-1]), middle + max([0.0, *targets]) * float(roots[-1])
    for look in range(information.size - 2, -1, -1):
        ahead = _Ahead(float(information[look + 1] - information[look]), float(upper[look + 1]), drift, score, weighted)
        asked = powers[look]
        if asked is not None:
            if not 0 < asked < 1:
                found[look] = -math.inf if asked <= 0 else math.inf
            else:
                target = float(ndtri(asked))

                def excess(z: float, ahead: _Ahead = ahead, target: float = target, root: float = roots[look]) -> float:
                    return float(ndtri(ahead.at(np.array([z * root]))[0])) - target

                left = float(information[-1] - information[look])
                guess = (float(upper[-1]) - drift * left + target * math.sqrt(left)) / roots[look]
                found[look] = rising_root(excess, guess if math.isfinite(guess) else 0.0)
        if look == 0:
            break
        time = float(information[look])
        before, after = time - float(information[look - 1]), float(information[look + 1]) - time
        reach = DEFAULT_GRID.reach * roots[look]
        # as far as trials stand of which the power asked for is expected
        wanted = [end - drift * (float(information[-1]) - time) for end in ends]
        low, high = min(0.0, drift * time, *wanted) - reach, max(0.0, drift * time, *wanted) + reach
        low, high = max(low, -float(upper[look])) if sided == 2 else low, min(high, float(upper[look]))
        if low >= high:
            score = weighted = np.empty(0)
            continue
        widest = DEFAULT_GRID.width * math.sqrt(before * after / (before + after))
        score, weights = panels(low, high, widest, DEFAULT_GRID.order)
        weighted = ahead.at(score) * weights / (math.sqrt(before) * _ROOT_TWO_PI)
    return found
