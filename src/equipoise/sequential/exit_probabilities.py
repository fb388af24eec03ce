"""Where trials under a design end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["ExitProbabilities"]

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
