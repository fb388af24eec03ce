"""Which combinations of the columns of a design the data can tell."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["estimable"]

Array = NDArray[np.floating[Any]]

_TOLERANCE = 1e-8
_ROUNDING = 1e-11


def estimable(weights: Array, kept: NDArray[np.bool_], alias: Array, sizes: Array | None = None) -> NDArray[np.bool_]:
    """(...) whether combinations (..., all columns) of the coefficients have a value whatever those left out are.

    Parameters
    ----------
    weights
        Of all columns of the design in each combination.
    kept, alias
        (all columns,) which columns were estimated, and the others as combinations of them, (kept, left out).
    sizes
        (all columns,) of the weights that were added up and may have cancelled; one where not given. Every column is
        judged in its own units, so that a large covariate hides nothing.
    """
    left_out = weights[..., ~kept]
    implied = weights[..., kept] @ alias
    scale = np.abs(left_out) + np.abs(weights[..., kept]) @ np.abs(alias)
    floor = _ROUNDING * (1.0 if sizes is None else np.maximum(sizes[~kept], 1e-300))
    return np.asarray((np.abs(implied - left_out) <= _TOLERANCE * scale + floor).all(axis=-1))
