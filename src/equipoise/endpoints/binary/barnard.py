"""Barnard's exact unconditional test of two proportions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...checks import choice
from .counts import one_table
from .fisher import ALTERNATIVES, Alternative
from .score import score_z

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["BarnardExact", "barnard_exact"]

_TIE = 1e-10
_BLOCK = 1_000_000
_STEPS = 50


@dataclass(frozen=True, slots=True)
class BarnardExact:
    """Barnard's exact test of one table.

    Attributes
    ----------
    statistic
        z with the pooled proportion, positive where the proportion of group 1 is the higher.
    p_value
        The greatest probability, whatever the common proportion, of a statistic as extreme as the observed one.
    nuisance
        A common proportion that has it.
    alternative
        "two-sided", "greater" or "less".
    """

    statistic: float
    p_value: float
    nuisance: float
    alternative: Alternative


def barnard_exact(
    events1: int, total1: int, events2: int, total2: int, alternative: Alternative = "two-sided"
) -> BarnardExact:
    """Barnard's exact test (1947, Biometrika 34:123) with tables ordered by the score statistic, z with the pooled
    proportion (Suissa & Shuster 1985, JRSS A 148:317).

    Its level is kept whatever the common proportion, as Fisher's is, and it is mostly more powerful, as it does not
    hold the number of events fixed. The common proportion is searched on a grid fifty times finer than the standard
    error of an observed proportion, and every peak of the probability is then climbed to its top.

    Parameters
    ----------
    events1, total1, events2, total2
        Counts of the two groups.
    alternative
        "two-sided", "greater" (the proportion of group 1 is the higher) or "less".

    Raises
    ------
    InputError
        For counts that are not whole, negative or above their total, or an unknown alternative.
    """
    choice("alternative", alternative, ALTERNATIVES)
    table = one_table(events1, total1, events2, total2)
    statistic = float(score_z(*table, corrected=False))
    given_events = _extreme_given_events(table[1], table[3], statistic, alternative)
    p_value, nuisance = _supremum(given_events)
    return BarnardExact(statistic, p_value, nuisance, alternative)


def _extreme_given_events(total1: int, total2: int, statistic: float, alternative: Alternative) -> NDArray[np.float64]:
    """Probability that the statistic is as extreme as observed given 0, 1, ... events in both groups together.

    The common proportion drops out of it; shape (total1 + total2 + 1,).
    """
    from scipy.special import gammaln

    count2 = np.arange(total2 + 1.0)
    choose2 = gammaln(total2 + 1) - gammaln(count2 + 1) - gammaln(total2 - count2 + 1)
    events = np.arange(total1 + total2 + 1.0)
    choose = gammaln(total1 + total2 + 1) - gammaln(events + 1) - gammaln(total1 + total2 - events + 1)
    spread = (events / (total1 + total2)) * (1 - events / (total1 + total2)) * (1 / total1 + 1 / total2)
    least = abs(statistic) * (1 - _TIE) if alternative == "two-sided" else None
    found = np.zeros(events.size)
    rows = max(1, _BLOCK // count2.size)
    for start in range(0, total1 + 1, rows):
        count1 = np.arange(start, min(start + rows, total1 + 1), dtype=float)[:, None]
        choose1 = gammaln(total1 + 1) - gammaln(count1 + 1) - gammaln(total1 - count1 + 1)
        both = (count1 + count2).astype(np.intp)
        distance = count1 / total1 - count2 / total2
        z = np.where(spread[both] > 0, distance / np.sqrt(np.where(spread[both] > 0, spread[both], 1.0)), 0.0)
        if least is not None:
            extreme = np.abs(z) >= least
        else:
            sign = 1.0 if alternative == "greater" else -1.0
            extreme = sign * z >= sign * statistic - _TIE * max(abs(statistic), 1e-6)
        share = np.where(extreme, np.exp(choose1 + choose2 - choose[both]), 0.0)
        found += np.bincount(both.ravel(), weights=share.ravel(), minlength=events.size)
    return np.minimum(found, 1.0)


def _supremum(given_events: NDArray[np.float64]) -> tuple[float, float]:
    """Greatest mean of a function of a binomial count over its proportion, and the proportion.

    On the scale of the angle arcsin(sqrt(proportion)) the mean is a sum of bells of standard deviation 1 / (2 sqrt(n)),
    so a grid many times finer shows all its peaks; each is then narrowed down, all of them at once.
    """
    from scipy.special import gammaln, xlog1py, xlogy

    patients = given_events.size - 1
    events = np.flatnonzero(given_events > 0).astype(float)
    heights = given_events[given_events > 0]
    choose = gammaln(patients + 1) - gammaln(events + 1) - gammaln(patients - events + 1)

    def mean(angle: NDArray[np.float64]) -> NDArray[np.float64]:
        share = np.sin(angle.ravel()) ** 2
        found = np.empty(share.size)
        rows = max(1, _BLOCK // events.size)
        for start in range(0, share.size, rows):
            part = share[start : start + rows, None]
            chances = np.exp(choose + xlogy(events, part) + xlog1py(patients - events, -part))
            found[start : start + rows] = chances @ heights
        return found.reshape(angle.shape)

    angles = np.linspace(0.0, math.pi / 2, math.ceil(math.pi * _STEPS * math.sqrt(patients)) + 1)
    values = mean(angles)
    best, place = float(values.max()), float(angles[values.argmax()])
    if best > 1 - 1e-12:
        return 1.0, math.sin(place) ** 2
    padded = np.concatenate([[-np.inf], values, [-np.inf]])
    peaks = np.flatnonzero((values >= padded[:-2]) & (values >= padded[2:]) & (values >= 0.99 * best))
    left, right = angles[np.maximum(peaks - 1, 0)], angles[np.minimum(peaks + 1, angles.size - 1)]
    fractions = np.linspace(0.0, 1.0, 9)
    for _ in range(20):
        points = left[:, None] + (right - left)[:, None] * fractions
        values = mean(points)
        top = values.argmax(axis=1)
        row = np.arange(top.size)
        highest = int(values[row, top].argmax())
        if values[highest, top[highest]] > best:
            best, place = float(values[highest, top[highest]]), float(points[highest, top[highest]])
        left, right = points[row, np.maximum(top - 1, 0)], points[row, np.minimum(top + 1, fractions.size - 1)]
        if np.all(right - left < 1e-9):
            break
    return min(best, 1.0), math.sin(place) ** 2
