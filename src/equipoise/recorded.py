"""What was recorded of patients, read alike from one trial and from many."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from .errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .data import Measured

__all__ = ["Recorded"]


class Recorded:
    """Scores, measures and clusters by name; arrays whose last axes are patients and visits.

    Attributes
    ----------
    visit_names
        What the columns of `scores` mean, baseline first.
    scores
        Totals of the scale, NaN where not observed, shape (..., patients, visits).
    measures
        By the protocol's name of it, arrays of shape (..., patients).
    subscales
        Sums of the clusters of the scale by name, NaN where not observed, each of shape (..., patients, visits).
    """

    visit_names: tuple[str, ...]
    scores: NDArray[np.float64]
    measures: Mapping[str, Measured]
    subscales: Mapping[str, NDArray[np.float64]]

    def at(self, visit: str) -> NDArray[np.float64]:
        """Scores at one visit, NaN where not observed, shape (..., patients)."""
        return self.scores[..., self.visit_names.index(visit)]

    @property
    def baseline(self) -> NDArray[np.float64]:
        """Scores at the first visit, shape (..., patients)."""
        return self.scores[..., 0]

    def measure(self, name: str) -> Measured:
        """What was recorded of a measure; raises `InputError` where the data do not hold it."""
        if name not in self.measures:
            raise InputError("measure", name, f"a measure in the data; they have {', '.join(self.measures) or 'none'}")
        return self.measures[name]

    def subscale(self, name: str, visit: str) -> NDArray[np.float64]:
        """Sums of a cluster at one visit, shape (..., patients); raises `InputError` where the data do not hold it."""
        if name not in self.subscales:
            held = ", ".join(self.subscales) or "none"
            raise InputError("subscale", name, f"a cluster of the scale in the data; they have {held}")
        return self.subscales[name][..., self.visit_names.index(visit)]
