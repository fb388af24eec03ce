"""Sums over trials of how far estimates of one effect lie from the truth, and what follows from them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .rates import Mean, Rate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .context import Aim

__all__ = ["EFFECT_SUMS", "EffectSummary", "effect_sums", "sums_by_cell"]

NOTHING = Mean(math.nan, math.nan, 0)


EFFECT_SUMS = (
    "estimated",
    "error",
    "error_squared",
    "error_fourth",
    "above",
    "tied",
    "size",
    "size_squared",
    "wrong_sign",
    "limited",
    "covered",
    "in_favour",
    "excluded",
    "wrongly_excluded",
    "size_in_favour",
    "size_squared_in_favour",
)
"""What is summed of an estimator: counts of trials, powers of the distance from the truth, and the distance from the
null value ("size"), of all or of those whose interval lies beyond the null value in favour."""


def sums_by_cell(cells: NDArray[np.intp], number: int, values: Sequence[NDArray[Any]]) -> NDArray[np.float64]:
    """Sums of several values by cell, taken in the order of the trials, shape (values, number).

    Parameters
    ----------
    cells, number
        The cell of each trial, and how many cells there are.
    values
        Numbers, or booleans to count, each of shape (trials,).
    """
    places = np.arange(len(values))[:, None] * number + cells
    weights = np.array(values, dtype=np.float64).reshape(places.shape)
    sums = np.bincount(places.ravel(), weights.ravel(), len(values) * number)
    return np.asarray(sums, dtype=np.float64).reshape(len(values), number)


def effect_sums(
    cells: NDArray[np.intp],
    number: int,
    aim: Aim,
    estimate: NDArray[np.float64],
    lower: NDArray[np.float64] | None = None,
    upper: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """`EFFECT_SUMS` of one estimator by cell, shape (sums, number); estimates that are NaN do not count.

    Parameters
    ----------
    cells, number
        The cell of each trial, and how many cells there are.
    aim
        What is estimated.
    estimate, lower, upper
        The estimates and, where it has them, their confidence limits, shape (trials,).
    """
    known = np.flatnonzero(~np.isnan(estimate))
    found = estimate[known]
    error, distance = found - aim.centre, found - aim.null_value
    low, high = (np.full(len(known), math.nan) if limit is None else limit[known] for limit in (lower, upper))
    limited = ~(np.isnan(low) | np.isnan(high))
    above, below = low > aim.null_value, high < aim.null_value
    won = above if aim.better == "higher" else below
    size, squared, wrong = np.abs(distance), error**2, distance * aim.distance < 0
    values = (
        np.ones(len(known)),
        error,
        squared,
        squared**2,
        error > 0,
        error == 0,
        size,
        size**2,
        wrong,
        limited,
        (low <= aim.truth) & (aim.truth <= high),
        won,
        above | below,
        (above | below) & wrong,
        np.where(won, size, 0.0),
        np.where(won, size**2, 0.0),
    )
    return sums_by_cell(cells[known], number, values)


@dataclass(frozen=True)
class EffectSummary:
    """How one estimator did over some trials, on the scale of the effect (ratios as natural logarithms).

    Attributes
    ----------
    aim
        What it estimates.
    sums
        `EFFECT_SUMS` over the trials chosen.
    trials
        How many were chosen, estimated or not.
    rejecting
        The same over those of them whose hypothesis was rejected in either direction; None for those whose interval
        lies beyond the null value.
    """

    aim: Aim
    sums: Mapping[str, float]
    trials: int
    rejecting: Mapping[str, float] | None = None

    @property
    def estimated(self) -> int:
        """Trials with an estimate."""
        return int(self.sums["estimated"])

    @property
    def mean(self) -> Mean:
        """Mean estimate."""
        return self._mean("error", "error_squared", self.aim.centre)

    @property
    def bias(self) -> Mean:
        """Mean estimate less the truth; NaN where that is not known."""
        return self._mean("error", "error_squared") if self._truth_known else NOTHING

    @property
    def standard_deviation(self) -> float:
        """Of the estimates over trials; NaN of fewer than two."""
        return self._mean("error", "error_squared").standard_error * math.sqrt(self.estimated)

    @property
    def root_mean_squared_error(self) -> Mean:
        """Root of the mean squared distance from the truth, its standard error by the delta method."""
        if not self._truth_known:
            return NOTHING
        squared = self._mean("error_squared", "error_fourth")
        root = math.sqrt(squared.value) if squared.trials else math.nan
        return Mean(root, squared.standard_error / (2 * root) if root > 0 else squared.standard_error, squared.trials)

    @property
    def share_above_truth(self) -> Rate:
        """Share of the estimates above the truth, ties as halves: 50% of a median-unbiased estimator."""
        if not self._truth_known:
            return Rate(0, 0)
        return Rate(self.sums["above"] + self.sums["tied"] / 2, self.estimated)

    @property
    def coverage(self) -> Rate:
        """Share of the intervals that hold the truth; of no trials where there are no intervals."""
        if not self._truth_known or not self.sums["limited"]:
            return Rate(0, 0)
        return Rate(int(self.sums["covered"]), int(self.sums["limited"]))

    @property
    def in_favour(self) -> Rate:
        """Share of the intervals that lie beyond the null value, in favour of the experimental arm."""
        return Rate(int(self.sums["in_favour"]), int(self.sums["limited"]))

    @property
    def excluded(self) -> Rate:
        """Share of the intervals that lie beyond the null value, to either side."""
        return Rate(int(self.sums["excluded"]), int(self.sums["limited"]))

    @property
    def exaggeration(self) -> Mean:
        """Mean distance of the estimates from the null value over that of the truth (type M; Gelman & Carlin 2014,
        Perspect Psychol Sci 9:641-651), of ratios on the scale of their logarithms; NaN where the truth is null.
        """
        return self._over_truth(self._mean("size", "size_squared"))

    @property
    def exaggeration_given_significance(self) -> Mean:
        """The same over the trials whose own interval is in favour of the experimental arm."""
        hits = self.in_favour.hits
        if not hits:
            return NOTHING
        sums = float(self.sums["size_in_favour"]), float(self.sums["size_squared_in_favour"])
        return self._over_truth(Mean.of_sums(int(hits), *sums))

    @property
    def wrong_sign(self) -> Rate:
        """Share of the rejecting trials whose estimate has the sign opposite to the truth (type S, ibid.); of no trials
        where the truth is null.
        """
        if not self._truth_is_an_effect:
            return Rate(0, 0)
        if self.rejecting is None:
            return Rate(int(self.sums["wrongly_excluded"]), int(self.excluded.hits))
        return Rate(int(self.rejecting["wrong_sign"]), int(self.rejecting["estimated"]))

    def _over_truth(self, size: Mean) -> Mean:
        return size.scaled(1 / abs(self.aim.distance)) if self._truth_is_an_effect else NOTHING

    @property
    def _truth_known(self) -> bool:
        return not math.isnan(self.aim.truth)

    @property
    def _truth_is_an_effect(self) -> bool:
        return self._truth_known and not self.aim.is_null()

    def _mean(self, total: str, squares: str, shift: float = 0.0) -> Mean:
        return Mean.of_sums(self.estimated, float(self.sums[total]), float(self.sums[squares]), shift)

    def to_dict(self) -> dict[str, Any]:
        """For a JSON file; what is not known is left out."""
        found = {
            "trials": self.trials,
            "estimated": self.estimated,
            "mean": self.mean,
            "standard_deviation": self.standard_deviation,
            "bias": self.bias,
            "root_mean_squared_error": self.root_mean_squared_error,
            "share_above_truth": self.share_above_truth,
            "coverage": self.coverage,
            "exaggeration": self.exaggeration,
            "exaggeration_given_significance": self.exaggeration_given_significance,
            "wrong_sign_given_significance": self.wrong_sign,
        }
        return {
            name: value.to_dict() if isinstance(value, Mean | Rate) else value
            for name, value in found.items()
            if not (isinstance(value, Mean | Rate) and not value.trials)
        }
