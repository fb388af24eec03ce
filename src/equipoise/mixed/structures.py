"""Covariance structures: maps from a parameter vector to the covariance matrix of one patient's visits.

The likelihood is differentiated with respect to the entries of the covariance matrix, in the order (0, 0), (0, 1),
..., (0, T - 1), (1, 1), ...; a structure carries these derivatives back to its own parameters by the chain rule.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["CovarianceStructure", "Unstructured", "upper_pairs"]

Array = NDArray[np.floating[Any]]


@lru_cache(maxsize=64)
def upper_pairs(n_visits: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Row and column indices of the upper triangle, diagonal included, row by row."""
    return np.triu_indices(n_visits)


class CovarianceStructure(Protocol):
    """What the optimiser asks of a covariance structure for T visits."""

    @property
    def name(self) -> str:
        """For people."""
        ...

    @property
    def n_parameters(self) -> int:
        """Length of the parameter vector."""
        ...

    def start(self, moments: Array) -> Array:
        """Parameters near a positive definite (T, T) matrix of moments."""
        ...

    def matrix(self, parameters: Array) -> Array:
        """The (T, T) covariance matrix; it need not be positive definite."""
        ...

    def pull_cross(self, parameters: Array, rows: Array) -> Array:
        """Rows of derivatives over the entries carried to the parameters, J'rows."""
        ...

    def pull_curvature(self, parameters: Array, gradient: Array) -> Array | float:
        """The part of the Hessian that comes from the curvature of the map, sum_a g_a d2(entry_a)."""
        ...


@dataclass(frozen=True)
class Unstructured:
    """Every variance and covariance free: T(T + 1)/2 parameters, the upper triangle of the matrix itself."""

    n_visits: int
    name: str = "unstructured"

    @property
    def n_parameters(self) -> int:
        """T(T + 1)/2."""
        return self.n_visits * (self.n_visits + 1) // 2

    def start(self, moments: Array) -> Array:
        """The upper triangle of the moments."""
        return moments[upper_pairs(self.n_visits)]

    def matrix(self, parameters: Array) -> Array:
        """The symmetric matrix whose upper triangle the parameters are."""
        rows, columns = upper_pairs(self.n_visits)
        covariance = np.empty((self.n_visits, self.n_visits))
        covariance[rows, columns] = parameters
        covariance[columns, rows] = parameters
        return covariance

    def pull_cross(self, parameters: Array, rows: Array) -> Array:
        """The rows unchanged."""
        return rows

    def pull_curvature(self, parameters: Array, gradient: Array) -> Array | float:
        """Zero: the matrix is linear in its entries."""
        return 0.0
