"""Covariance structures made of standard deviations and a family of correlations: Sigma = diag(s) R diag(s)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .correlation import CorrelationFamily, SpatialCorrelation
from .structures import upper_pairs

__all__ = ["Scaled"]

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Scaled:
    """Logarithms of one standard deviation, or one for each visit, and then the parameters of the correlations."""

    name: str
    n_visits: int
    correlation: CorrelationFamily
    heterogeneous: bool
    is_entries: bool = False

    @property
    def n_scales(self) -> int:
        """Number of standard deviations."""
        return self.n_visits if self.heterogeneous else 1

    @property
    def n_parameters(self) -> int:
        """Standard deviations and correlations."""
        return self.n_scales + self.correlation.n_parameters

    @cached_property
    def _powers(self) -> Array:
        """(scales, entries): how often each standard deviation is a factor of an entry."""
        j, k = upper_pairs(self.n_visits)
        if not self.heterogeneous:
            return np.full((1, j.size), 2.0)
        visit = np.arange(self.n_visits)[:, None]
        return (visit == j) + np.asarray(visit == k, dtype=np.float64)

    def _products(self, parameters: Array) -> Array:
        return np.exp(parameters[: self.n_scales] @ self._powers)

    def starts(self, moments: Array) -> list[Array]:
        """From the variances and the correlations of the moments."""
        variances = np.diagonal(moments)
        spread = np.sqrt(variances)
        seen = (moments / np.outer(spread, spread))[upper_pairs(self.n_visits)]
        scales = 0.5 * np.log(variances if self.heterogeneous else np.array([variances.mean()]))
        return [np.concatenate([scales, one]) for one in self.correlation.starts(seen)]

    def entries(self, parameters: Array) -> Array:
        """(entries,)."""
        return self._products(parameters) * self.correlation.values(parameters[self.n_scales :])

    def jacobian(self, parameters: Array) -> Array:
        """(q, entries)."""
        rho = parameters[self.n_scales :]
        products = self._products(parameters)
        return np.concatenate(
            [self._powers * (products * self.correlation.values(rho)), products * self.correlation.first(rho)]
        )

    def curvature(self, parameters: Array) -> Array:
        """(q, q, entries)."""
        rho, h = parameters[self.n_scales :], self.n_scales
        products = self._products(parameters)
        second = np.empty((self.n_parameters, self.n_parameters, products.size))
        second[:h, :h] = self._powers[:, None] * self._powers * (products * self.correlation.values(rho))
        second[:h, h:] = self._powers[:, None] * (products * self.correlation.first(rho))
        second[h:, :h] = second[:h, h:].swapaxes(0, 1)
        second[h:, h:] = products * self.correlation.second(rho)
        return second

    def mean_curvature(self, parameters: Array, variance: Array) -> Array:
        """Over these parameters, which are mmrm's but for a spatial one, of which mmrm's is a function."""
        mean = np.einsum("st,ste->e", variance, self.curvature(parameters))
        if isinstance(self.correlation, SpatialCorrelation):
            bend = self.correlation.bend_of_mmrm(parameters[self.n_scales :])
            mean = mean - bend * variance[-1, -1] * self.jacobian(parameters)[-1]
        return mean

    def describe(self, parameters: Array, visits: tuple[str, ...], scale: float) -> dict[str, float]:
        """Standard deviations and correlations."""
        deviations = scale * np.exp(parameters[: self.n_scales])
        names = [f"standard deviation {visit}" for visit in visits] if self.heterogeneous else ["standard deviation"]
        return {
            **dict(zip(names, deviations.tolist(), strict=True)),
            **self.correlation.describe(parameters[self.n_scales :], visits),
        }

    def unidentified(self, counts: Array, visits: tuple[str, ...]) -> str:
        """Every correlation must be told by some pair of visits that somebody was seen at."""
        pairs = counts[upper_pairs(self.n_visits)]
        names = list(self.correlation.describe(np.zeros(self.correlation.n_parameters), visits))
        for name, informed in zip(names, self.correlation.informed_by, strict=True):
            if not pairs[informed].any():
                return f"two visits that tell the {name}"
        return ""
