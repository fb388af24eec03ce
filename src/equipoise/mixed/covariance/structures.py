"""Covariance structures: maps from a parameter vector to the covariance matrix of one patient's visits.

The likelihood is differentiated with respect to the entries of the covariance matrix, in the order (0, 0), (0, 1),
..., (0, T - 1), (1, 1), ...; a structure carries these derivatives on to its own parameters by the chain rule.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["CovarianceStructure", "correlation_of", "filled", "upper_pairs"]

Array = NDArray[np.floating[Any]]


@lru_cache(maxsize=64)
def upper_pairs(n_visits: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Row and column indices of the upper triangle, diagonal included, row by row."""
    return np.triu_indices(n_visits)


def filled(entries: Array, n_visits: int) -> Array:
    """Symmetric matrices (..., T, T) from their upper triangles (..., entries)."""
    rows, columns = upper_pairs(n_visits)
    matrix = np.empty((*entries.shape[:-1], n_visits, n_visits))
    matrix[..., rows, columns] = entries
    matrix[..., columns, rows] = entries
    return matrix


def correlation_of(covariance: Array) -> Array:
    """Correlation matrices (..., T, T) of covariance matrices."""
    spread = np.sqrt(np.diagonal(covariance, axis1=-2, axis2=-1))
    return covariance / (spread[..., :, None] * spread[..., None, :])


class CovarianceStructure(Protocol):
    """What the likelihood asks of a covariance structure for T visits with q parameters."""

    @property
    def name(self) -> str:
        """As the user names it."""
        ...

    @property
    def n_parameters(self) -> int:
        """Length of the parameter vector, q."""
        ...

    @property
    def heterogeneous(self) -> bool:
        """Whether every visit has a variance of its own."""
        ...

    @property
    def is_entries(self) -> bool:
        """Whether the parameters are the upper triangle of the matrix itself."""
        ...

    def starts(self, moments: Array) -> list[Array]:
        """Parameter vectors to start from, near a positive definite (T, T) matrix of moments."""
        ...

    def entries(self, parameters: Array) -> Array:
        """The upper triangle of the covariance matrix, (entries,); it need not be positive definite."""
        ...

    def jacobian(self, parameters: Array) -> Array:
        """(q, entries): first derivatives of the entries."""
        ...

    def curvature(self, parameters: Array) -> Array:
        """(q, q, entries): second derivatives of the entries."""
        ...

    def mean_curvature(self, parameters: Array, variance: Array) -> Array:
        """(entries,): sum_st v_st d2(entry)/d(s)d(t) over the parameters R's mmrm has for this structure.

        `variance` (q, q) is that of the structure's own parameters, carried over where mmrm's are others.
        """
        ...

    def describe(self, parameters: Array, visits: tuple[str, ...], scale: float) -> dict[str, float]:
        """The parameters as people know them, standard deviations multiplied by `scale`; empty if the matrix is all."""
        ...

    def unidentified(self, counts: Array, visits: tuple[str, ...]) -> str:
        """Visits at which nobody was seen who would tell some parameter, or ""; after "was observed at".

        `counts` (T, T) are the numbers of patients seen at both visits.
        """
        ...
