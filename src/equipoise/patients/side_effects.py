"""Who has which adverse event."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .draws import Draws

__all__ = ["side_effects"]


def side_effects(
    draws: Draws, terms: Sequence[str], probability: NDArray[np.float64], arm: NDArray[np.intp]
) -> dict[str, NDArray[np.bool_]]:
    """Whether each patient has each adverse event, independent of the others, shape (trials, patients) by term.

    Parameters
    ----------
    probability
        By arm and term, shape (arms, terms).
    arm
        Shape (trials, patients).
    """
    return {
        term: draws.uniform(f"adverse event: {term}", arm.shape[1]) < np.asarray(probability)[arm, at]
        for at, term in enumerate(terms)
    }
