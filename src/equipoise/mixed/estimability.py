"""Which combinations of the columns of a design the data can tell."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["estimable"]

Array = NDArray[np.floating[Any]]

_TOLERANCE = 1e-8


def estimable(weights: Array, kept: NDArray[np.bool_], alias: Array) -> NDArray[np.bool_]:
    """(...) whether combinations (..., all columns) of the coefficients have a value whatever those left out are.

    Parameters
    ----------
    weights
        Of all columns of the design in each combination.
    kept, alias
        (all columns,) which columns were estimated, and the others as combinations of them, (kept, left out).
    """
    implied = weights[..., kept] @ alias
    size = np.maximum(1.0, np.abs(weights).max(axis=-1, initial=0.0, keepdims=True))
    return np.asarray((np.abs(implied - weights[..., ~kept]) <= _TOLERANCE * size).all(axis=-1))
