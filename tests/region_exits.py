"""Exit probabilities from plain lists, for tests."""

from __future__ import annotations

import numpy as np

from equipoise.sequential.integration import DEFAULT_GRID
from equipoise.sequential.region import Region


def exit_probabilities(times, lower, upper, drifts, grid=DEFAULT_GRID):
    """Probabilities of first leaving above and below at each look, shape (drifts, looks) each."""
    found = Region(*(np.asarray(values, dtype=float) for values in (times, lower, upper))).exit_probabilities(
        drifts, grid
    )
    return found.upper, found.lower
