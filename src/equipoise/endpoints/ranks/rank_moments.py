"""Sums over the patients of each trial that rank tests and win probabilities are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..regression.trials import chunks
from .placements import Placements, placements

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .two_arms import TwoArms

__all__ = ["Moments", "moments", "tie_corrected_variance"]


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """What the ranks of each trial add up to; arrays of shape (trials,), or (2, trials) control first.

    Attributes
    ----------
    sizes
        Patients in each arm.
    statistic
        Mann-Whitney's U: pairs in which the experimental patient has the higher outcome, and half of the ties.
    ties
        Sum of t^3 - t over groups of t equal outcomes.
    spread
        Sum in each arm of the squared distances of the shares of the other arm below from their mean.
    """

    sizes: NDArray[np.intp]
    statistic: NDArray[np.float64]
    ties: NDArray[np.float64]
    spread: NDArray[np.float64]

    @property
    def variance(self) -> NDArray[np.float64]:
        """Of the statistic over all ways to divide the patients into the arms (tie-corrected), 0 for empty arms."""
        return tie_corrected_variance(self.sizes[0], self.sizes[1], self.ties)


def tie_corrected_variance(
    control: NDArray[np.intp], experimental: NDArray[np.intp], ties: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Variance of Mann-Whitney's U by permutation; ties is the sum of t^3 - t (Lehmann 1975, Nonparametrics, 1.4)."""
    total = np.asarray(control + experimental, dtype=float)
    pairs = np.asarray(control, dtype=float) * experimental
    return np.maximum(pairs / 12 * (total + 1 - ties / np.maximum(total * (total - 1), 1)), 0.0)


def _of(placed: Placements) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    counts = placed.arm >= 0
    statistic = np.sum(placed.others_below, axis=1, where=placed.arm == 1)
    size = placed.ties.astype(float)
    ties = np.sum(size**2 - 1, axis=1, where=counts)
    spread = []
    for at, others in ((0, placed.experimentals), (1, placed.controls)):
        here = placed.arm == at
        share = placed.others_below / np.maximum(others, 1)
        mean = np.sum(share, axis=1, where=here) / np.maximum(np.count_nonzero(here, axis=1), 1)
        spread.append(np.sum((share - mean[:, None]) ** 2, axis=1, where=here))
    return statistic, ties, np.array(spread)


def moments(arms: TwoArms) -> Moments:
    """The sums of each trial, by one sort of each: O(n log n) for n patients."""
    parts = [_of(placements(arms.only(rows))) for rows in chunks(len(arms), arms.values.shape[1])]
    if not parts:
        parts = [(np.zeros(0), np.zeros(0), np.zeros((2, 0)))]
    statistic, ties, spread = (np.concatenate(found, axis=-1) for found in zip(*parts, strict=True))
    return Moments(arms.sizes, statistic, ties, spread)
