"""What was believed of the drift before the trial, for predictive power."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

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
    """

    mean: float = 0.0
    variance: float = math.inf

    def __post_init__(self) -> None:
        if not math.isfinite(self.mean):
            raise InputError("mean", self.mean, "a finite drift")
        if not self.variance >= 0:
            raise InputError("variance", self.variance, "a variance of 0 or more; infinite for a flat prior")


@dataclass(frozen=True)
class DiscretePrior:
    """What was believed of the drift theta sqrt(I_max): one of a few values.

    Attributes
    ----------
    drifts
        The values.
    weights
        How probable each is; they are divided by their sum.
    """

    drifts: tuple[float, ...]
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        drifts, weights = (np.atleast_1d(np.asarray(given, dtype=np.float64)) for given in (self.drifts, self.weights))
        if drifts.ndim != 1 or not drifts.size or not np.all(np.isfinite(drifts)):
            raise InputError("drifts", self.drifts, "finite drifts")
        if weights.shape != drifts.shape or not np.all(weights >= 0) or not 0 < weights.sum() < math.inf:
            raise InputError("weights", self.weights, f"{drifts.size} weights, none below 0, not all 0")
        object.__setattr__(self, "drifts", tuple(drifts.tolist()))
        object.__setattr__(self, "weights", tuple((weights / weights.sum()).tolist()))
