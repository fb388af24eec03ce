"""Levels and quantiles of confidence intervals."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..checks import confidence_level

__all__ = ["confidence_level", "t_quantiles"]

Array = NDArray[np.floating[Any]]


def t_quantiles(degrees_of_freedom: Array, level: float) -> Array:
    """How many standard errors an interval of that level reaches to either side; degrees of freedom may be infinite."""
    from scipy.special import ndtri, stdtrit

    tail = (1 + level) / 2
    finite = np.isfinite(degrees_of_freedom)
    return np.where(finite, stdtrit(np.where(finite, degrees_of_freedom, 1.0), tail), ndtri(tail))
