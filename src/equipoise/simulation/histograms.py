"""Histograms that add up: of whole numbers exactly, of others in fixed bins."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError
from .rates import Mean

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["PERCENTS", "Bins", "Distribution", "added", "counted_by_group"]

PERCENTS = (5, 25, 50, 75, 95)


@dataclass(frozen=True, slots=True)
class Bins:
    """Bins of equal width, [low, low + width), and so on; one more to either side for what lies beyond.

    Attributes
    ----------
    low, width
        Where the first bin begins, and how wide each is.
    count
        How many there are between the outer two.
    """

    low: float
    width: float
    count: int

    @property
    def edges(self) -> NDArray[np.float64]:
        """Where the inner bins begin and the last ends, shape (count + 1,)."""
        return np.asarray(self.low + self.width * np.arange(self.count + 1), dtype=np.float64)

    def places(self, values: NDArray[np.float64]) -> NDArray[np.intp]:
        """The bin of each value, 0 below all and count + 1 above all; values may be infinite but not NaN."""
        with np.errstate(invalid="ignore"):
            steps = np.floor((values - self.low) / self.width)
        return np.clip(steps + 1, 0, self.count + 1).astype(np.intp)

    def quantiles(self, counts: NDArray[np.int64], percents: Sequence[float]) -> NDArray[np.float64]:
        """Quantiles of what was counted, linear within a bin, so off by less than a bin's width; NaN of nothing, and
        infinite in the outer bins.

        Parameters
        ----------
        counts
            Shape (count + 2,).
        """
        total = int(counts.sum())
        if not total:
            return np.full(len(percents), math.nan)
        wanted = np.asarray(percents, dtype=float) / 100 * total
        above = np.cumsum(counts)
        place = np.minimum(np.searchsorted(above, wanted), len(counts) - 1)
        within = (wanted - (above[place] - counts[place])) / np.maximum(counts[place], 1)
        found = self.low + self.width * (place - 1 + within)
        return np.where(place == 0, -math.inf, np.where(place == self.count + 1, math.inf, found))


def counted_by_group(groups: NDArray[np.intp], number: int, values: NDArray[Any]) -> NDArray[np.int64]:
    """How often each whole number from 0 on occurs in each group, shape (number, largest + 1).

    Raises
    ------
    InputError
        For a number below 0.
    """
    if not len(values):
        return np.zeros((number, 0), dtype=np.int64)
    if (lowest := int(values.min())) < 0:
        raise InputError("rows", lowest, "days and numbers of patients from 0 on")
    width = int(values.max()) + 1
    places = groups * width + values
    return np.bincount(places, minlength=number * width).reshape(number, width).astype(np.int64)


def added(one: NDArray[Any], other: NDArray[Any]) -> NDArray[Any]:
    """Two arrays added, the shorter of them counting as 0 where it ends on the last axis."""
    if one.shape == other.shape:
        return one + other
    longer, shorter = (one, other) if one.shape[-1] >= other.shape[-1] else (other, one)
    found = longer.copy()
    found[..., : shorter.shape[-1]] += shorter
    return found


@dataclass(frozen=True, eq=False)
class Distribution:
    """Whole numbers over some trials: days, or patients.

    Attributes
    ----------
    counts
        How often each number from 0 on occurred.
    """

    counts: NDArray[np.int64]

    @property
    def trials(self) -> int:
        """How many there are."""
        return int(self.counts.sum())

    @property
    def mean(self) -> Mean:
        """Their mean."""
        if not self.trials:
            return Mean(math.nan, math.nan, 0)
        values = np.arange(len(self.counts))
        middle = int(values @ self.counts) / self.trials
        squares = float((values - middle) ** 2 @ self.counts)
        return Mean.of_sums(self.trials, 0.0, squares, middle)

    def quantiles(self, percents: Sequence[int] = PERCENTS) -> dict[int, float]:
        """The smallest number that this percentage of trials do not exceed; NaN of no trials."""
        if not self.trials:
            return dict.fromkeys(percents, math.nan)
        below = np.cumsum(self.counts)
        ranks = [max(-(-self.trials * percent // 100), 1) for percent in percents]
        return dict(zip(percents, np.searchsorted(below, ranks).astype(float).tolist(), strict=True))

    def __str__(self) -> str:
        shown = ", ".join(f"{percent}% {value:g}" for percent, value in self.quantiles().items())
        return f"mean {self.mean.text(1)}; {shown}"

    def to_dict(self) -> dict[str, Any]:
        """Mean and quantiles for a JSON file."""
        return {"mean": self.mean.to_dict(), "quantiles": {str(at): value for at, value in self.quantiles().items()}}
