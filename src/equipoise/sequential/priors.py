"""What was believed of the drift before the trial, for predictive power."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..checks import number, numbers
from ..errors import InputError

__all__ = ["DiscretePrior", "NormalPrior"]


@dataclass(frozen=True)
class NormalPrior:
    """What was believed of the drift theta sqrt(I_max): normal; flat by default.

    Attributes
    ----------
    mean
        Of the drift.
    variance
        Of the drift, infinite for the flat prior. A prior worth a fraction f of the planned information has 1 / f.

    Raises
    ------
    InputError
        When the mean is not finite, or the variance below 0.
    """

    mean: float = 0.0
    variance: float = math.inf

    def __post_init__(self) -> None:
        object.__setattr__(self, "mean", number("mean", self.mean, "a finite drift"))
        right = "a variance of 0 or more; infinite for a flat prior"
        variance = number("variance", self.variance, right, infinite=True)
        if variance < 0:
            raise InputError("variance", self.variance, right)
        object.__setattr__(self, "variance", variance)


@dataclass(frozen=True)
class DiscretePrior:
    """What was believed of the drift theta sqrt(I_max): one of a few values.

    Attributes
    ----------
    drifts
        The values.
    weights
        How probable each is; they are divided by their sum.

    Raises
    ------
    InputError
        When a drift is not finite, or there is not one weight of 0 or more for each, above 0 in all.
    """

    drifts: tuple[float, ...]
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        drifts = numbers("drifts", self.drifts, "finite drifts")
        if not drifts.size:
            raise InputError("drifts", self.drifts, "finite drifts")
        right = f"{drifts.size} weights, none below 0, not all 0" if drifts.size > 1 else "one weight above 0"
        weights = numbers("weights", self.weights, right)
        if weights.shape != drifts.shape or not np.all(weights >= 0) or not weights.any():
            raise InputError("weights", self.weights, right)
        weights = weights / weights.max()
        object.__setattr__(self, "drifts", tuple(drifts.tolist()))
        object.__setattr__(self, "weights", tuple((weights / weights.sum()).tolist()))
