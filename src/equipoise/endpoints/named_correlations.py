"""Correlations between the estimates of endpoints, by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["NamedCorrelations", "correlation_of", "figure_text", "place_of"]


@dataclass(frozen=True, eq=False, repr=False)
class NamedCorrelations:
    """A matrix of correlations with the names of its rows."""

    names: tuple[str, ...]
    matrix: NDArray[np.float64]
    matrix_standard_errors: NDArray[np.float64]
    standard_errors: NDArray[np.float64]

    def of(self, first: str, second: str) -> float:
        """The correlation of two estimates; NaN where there is none.

        Raises
        ------
        InputError
            For a name that is not among `names`.
        """
        return float(self.matrix[place_of(self.names, first), place_of(self.names, second)])

    def standard_error_of(self, first: str, second: str) -> float:
        """Standard error of `of`."""
        return float(self.matrix_standard_errors[place_of(self.names, first), place_of(self.names, second)])


def place_of(names: tuple[str, ...], name: str) -> int:
    """Where a name stands; raises `InputError` naming those there are."""
    if name not in names:
        raise InputError("endpoint", name, f"one of {', '.join(names)}")
    return names.index(name)


def correlation_of(
    one: NDArray[np.float64], two: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of centred values (..., patients), with its standard error; NaN where either has no spread."""
    variances = (one**2).sum(axis=-1), (two**2).sum(axis=-1)
    spread = np.where((variances[0] > 0) & (variances[1] > 0), np.sqrt(variances[0] * variances[1]), np.nan)
    found = np.clip((one * two).sum(axis=-1) / spread, -1.0, 1.0)
    squares = [
        part**2 / np.where(size > 0, size, np.nan)[..., None] for part, size in zip((one, two), variances, strict=True)
    ]
    moves = one * two / spread[..., None] - found[..., None] / 2 * (squares[0] + squares[1])
    return found, np.sqrt((moves**2).sum(axis=-1))


def figure_text(value: float, digits: int) -> str:
    """A figure, or a dash where there is none."""
    return "-" if np.isnan(value) else f"{value:.{digits}f}"
