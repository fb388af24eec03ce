"""The law of the events in group 1 given all margins: noncentral hypergeometric, summed over strata."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ...estimate import Interval
from ...sequential.roots import rising_root

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ConditionalLaw", "tail_p_values", "two_sided_p_values"]

_TIE = 1e-7


def _log_weights(total1: int, total2: int, events: int) -> tuple[int, NDArray[np.float64]]:
    """Least possible count of group 1, and the logarithms of the central hypergeometric weights from it on.

    Ratios of neighbouring weights are summed outwards from the largest, which keeps all but a few digits.
    """
    low, high = max(0, events - total2), min(total1, events)
    count = np.arange(low, high)
    steps = np.log((total1 - count) * (events - count) / ((count + 1.0) * (total2 - events + count + 1)))
    peak = int((steps > 0).sum())
    below = -np.cumsum(steps[:peak][::-1])[::-1]
    return low, np.concatenate([below, [0.0], np.cumsum(steps[peak:])])


def _density(log_weights: NDArray[np.float64], log_odds_ratio: float) -> NDArray[np.float64]:
    tilted = log_weights + log_odds_ratio * np.arange(log_weights.size)
    found = np.exp(tilted - tilted.max())
    return found / found.sum()


def two_sided_p_values(density: NDArray[np.float64], mid: bool = False) -> NDArray[np.float64]:
    """Probability of the counts no more likely than each one; those as likely count half with `mid`.

    Probabilities within 1e-7 of each other, relatively, count as equal, as R's `fisher.test` has it.
    """
    order = np.argsort(density, kind="stable")
    ranked = density[order]
    sums = np.concatenate([[0.0], np.cumsum(ranked)])
    found = sums[np.searchsorted(ranked, density * (1 + _TIE), side="right")]
    if mid:
        found = 0.5 * (found + sums[np.searchsorted(ranked, density / (1 + _TIE), side="left")])
    return np.minimum(found, 1.0)


def tail_p_values(density: NDArray[np.float64], greater: bool, mid: bool = False) -> NDArray[np.float64]:
    """Probability of each count or more (fewer); the count itself counts half with `mid`."""
    found = np.cumsum(density[::-1])[::-1] if greater else np.cumsum(density)
    return np.minimum(found - 0.5 * density if mid else found, 1.0)


@dataclass(frozen=True, eq=False)
class ConditionalLaw:
    """Events in group 1, summed over strata, given the margins of each table; one odds ratio holds in all strata.

    Attributes
    ----------
    tables
        Events and patients of group 1, events and patients of group 2, a row each stratum.
    """

    tables: tuple[tuple[int, int, int, int], ...]

    @cached_property
    def _strata(self) -> list[NDArray[np.float64]]:
        return [_log_weights(total1, total2, events1 + events2)[1] for events1, total1, events2, total2 in self.tables]

    @cached_property
    def low(self) -> int:
        """The least possible count."""
        return sum(max(0, events1 + events2 - total2) for events1, _, events2, total2 in self.tables)

    @cached_property
    def observed(self) -> int:
        """The observed count, from the least possible one."""
        return sum(table[0] for table in self.tables) - self.low

    @cached_property
    def width(self) -> int:
        """The greatest possible count, from the least possible one."""
        return sum(part.size - 1 for part in self._strata)

    def mean(self, log_odds_ratio: float) -> float:
        """Expected count, from the least possible one."""
        return sum(float(_density(part, log_odds_ratio) @ np.arange(part.size)) for part in self._strata)

    def density(self, log_odds_ratio: float = 0.0) -> NDArray[np.float64]:
        """Probabilities of all possible counts, shape (width + 1,)."""
        found = np.ones(1)
        for part in self._strata:
            found = np.convolve(found, _density(part, log_odds_ratio))
        return found / found.sum()

    @cached_property
    def log_odds_ratio(self) -> float:
        """Conditional maximum likelihood estimate, at which the expected count is the observed one; infinite where the
        observed count is the least or the greatest possible, NaN where it is the only one.
        """
        if self.width == 0:
            return math.nan
        if self.observed in (0, self.width):
            return -math.inf if self.observed == 0 else math.inf
        return self._where_mean_is(self.observed)

    def _where_mean_is(self, count: float) -> float:
        logit = math.log(count / (self.width - count))

        def excess(log_odds_ratio: float) -> float:
            mean = self.mean(log_odds_ratio)
            if not 0 < mean < self.width:
                return math.copysign(math.inf, mean - count)
            return math.log(mean / (self.width - mean)) - logit

        return rising_root(excess, 0.0)

    def interval(self, level: float = 0.95) -> Interval:
        """Exact interval of the odds ratio (Cornfield 1956): at each limit the tail from the observed count has half of
        1 - `level`.
        """
        if self.width == 0:
            return Interval(0.0, math.inf, level)
        half = (1 - level) / 2
        near = min(max(self.observed, 0.5), self.width - 0.5)
        centre = self._where_mean_is(near)
        with np.errstate(divide="ignore"):
            weights = np.log(self.density(centre))
        count = np.arange(weights.size)

        def log_tail(greater: bool) -> Callable[[float], float]:
            def found(shift: float) -> float:
                tilted = weights + shift * count
                terms = np.exp(tilted - tilted.max())
                part = terms[self.observed :] if greater else terms[: self.observed + 1]
                return math.log(float(part.sum()) / float(terms.sum()) / half)

            return found

        lower, upper = 0.0, math.inf
        if self.observed > 0:
            lower = math.exp(centre + rising_root(log_tail(True), 0.0))
        if self.observed < self.width:
            falls = log_tail(False)
            upper = math.exp(centre + rising_root(lambda shift: -falls(shift), 0.0))
        return Interval(lower, upper, level)
