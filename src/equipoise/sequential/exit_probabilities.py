"""Where trials under a design end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["ExitProbabilities", "LaterStops"]

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ExitProbabilities:
    """Where a trial ends, look by look.

    Attributes
    ----------
    drift
        Drift theta * sqrt(I_max), shape (...).
    upper
        Probability of first crossing the efficacy bound at each look, shape (..., looks).
    lower
        The same for the lower bound of a two-sided design (harm); None when one-sided.
    futility
        The same for the futility bound, at the last look the probability of ending there unrejected; None without one.
    """

    drift: Array
    upper: Array
    lower: Array | None
    futility: Array | None


@dataclass(frozen=True, eq=False)
class LaterStops:
    """Where a trial under way will end; at every drift `upward`, `downward`, `futility` and `not_rejected` sum to 1.

    Attributes
    ----------
    looks
        Numbers of the looks ahead.
    information
        Their information fractions, shape (looks,).
    drift
        Drift theta sqrt(I_max), shape (...).
    upward
        Probability of first crossing the upper bound at each look ahead, shape (..., looks).
    downward
        The same for the lower bound of a two-sided design; 0 when one-sided.
    futility
        The same for the futility bound, before the last look.
    not_rejected
        Probability of reaching the last look and not rejecting there, shape (...).
    """

    looks: tuple[int, ...]
    information: Array
    drift: Array
    upward: Array
    downward: Array
    futility: Array
    not_rejected: Array
