"""The unstructured covariance: every variance and covariance free."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .structures import filled, upper_pairs

__all__ = ["Unstructured"]

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Unstructured:
    """T(T + 1)/2 parameters, the upper triangle of the matrix itself."""

    n_visits: int
    name: str = "unstructured"
    heterogeneous: bool = True
    is_entries: bool = True

    @property
    def n_parameters(self) -> int:
        """T(T + 1)/2."""
        return self.n_visits * (self.n_visits + 1) // 2

    def starts(self, moments: Array) -> list[Array]:
        """The upper triangle of the moments."""
        return [moments[upper_pairs(self.n_visits)]]

    def entries(self, parameters: Array) -> Array:
        """The parameters."""
        return parameters

    def jacobian(self, parameters: Array) -> Array:
        """The identity."""
        return np.eye(self.n_parameters)

    def curvature(self, parameters: Array) -> Array:
        """Zero: the matrix is linear in its entries."""
        return np.zeros((self.n_parameters, self.n_parameters, self.n_parameters))

    def mean_curvature(self, parameters: Array, variance: Array) -> Array:
        """Over log-Cholesky parameters: Sigma = D L L'D, D = diag(exp(t_1), ..., exp(t_T)), L unit lower triangular."""
        n_visits = self.n_visits
        factor = np.linalg.cholesky(filled(parameters, n_visits))
        scales = np.diagonal(factor)
        below = np.tril_indices(n_visits, -1)
        # Derivatives of the factor: over the logarithm of scale i, its row i; over element (i, j), scale i.
        first = np.zeros((n_visits + len(below[0]), n_visits, n_visits))
        first[np.arange(n_visits), np.arange(n_visits)] = factor
        first[np.arange(n_visits, len(first)), below[0], below[1]] = scales[below[0]]
        j, k = upper_pairs(n_visits)
        moved = first @ factor.T
        jacobian = (moved + moved.swapaxes(1, 2))[:, j, k].T
        solved = np.linalg.solve(jacobian, variance)
        spread = np.linalg.solve(jacobian, solved.T).T
        # d2(FF') = F_st F' + F F_st' + F_s F_t' + F_t F_s', where F_st is only non-zero for two parameters of one row,
        # one of them the logarithm of its scale; it then equals the derivative over the other.
        second = np.zeros((n_visits, n_visits))
        owner = np.concatenate([np.arange(n_visits), below[0]])
        for s, row in enumerate(owner):
            multiplicity = 1.0 if s < n_visits else 2.0
            second += multiplicity * spread[row, s] * first[s]
        total = second @ factor.T
        total = total + total.T
        cross = np.einsum("st,sij,tkj->ik", spread, first, first, optimize=True)
        return (total + cross + cross.T)[j, k]

    def describe(self, parameters: Array, visits: tuple[str, ...], scale: float) -> dict[str, float]:
        """Nothing beyond the matrix."""
        return {}

    def unidentified(self, counts: Array, visits: tuple[str, ...]) -> str:
        """Every pair of visits must be seen together by somebody."""
        if counts.min() >= 1:
            return ""
        j, k = np.unravel_index(int(counts.argmin()), counts.shape)
        return f"both visit {visits[j]} and visit {visits[k]}, which alone tell their covariance"
