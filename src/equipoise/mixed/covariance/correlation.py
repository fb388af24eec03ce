"""Correlation between visits as a function of a few parameters on the whole line.

A correlation r is written r = t / sqrt(1 + t^2), one that lies between two other bounds by a logit. These are the
parameters of R's mmrm, on which its Kenward-Roger variance depends.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .structures import upper_pairs

__all__ = [
    "AntedependenceCorrelation",
    "AutoregressiveCorrelation",
    "CompoundSymmetryCorrelation",
    "CorrelationFamily",
    "SpatialCorrelation",
    "ToeplitzCorrelation",
]

Array = NDArray[np.floating[Any]]

_LARGEST_START = 0.9


class CorrelationFamily(Protocol):
    """Correlations of the pairs of visits (entries,), the diagonal included, with m parameters."""

    @property
    def n_parameters(self) -> int:
        """Length of the parameter vector, m."""
        ...

    @property
    def informed_by(self) -> NDArray[np.bool_]:
        """(m, entries): which pairs of visits tell of each parameter."""
        ...

    def starts(self, correlation: Array) -> list[Array]:
        """Parameters near the observed correlations (entries,)."""
        ...

    def values(self, parameters: Array) -> Array:
        """(entries,) correlations."""
        ...

    def first(self, parameters: Array) -> Array:
        """(m, entries) first derivatives."""
        ...

    def second(self, parameters: Array) -> Array:
        """(m, m, entries) second derivatives."""
        ...

    def describe(self, parameters: Array, visits: tuple[str, ...]) -> dict[str, float]:
        """The correlations by their names."""
        ...


def bounded(parameters: Array) -> Array:
    """t / sqrt(1 + t^2), between -1 and 1."""
    return parameters / np.sqrt(1.0 + parameters**2)


def unbounded(correlation: Array) -> Array:
    """The inverse of `bounded`, away from its ends."""
    inside = np.clip(correlation, -_LARGEST_START, _LARGEST_START)
    return inside / np.sqrt(1.0 - inside**2)


class _Bounded:
    """A family in correlations r(t) = t / sqrt(1 + t^2): the chain rule from derivatives over r to those over t."""

    def values_of(self, r: Array) -> Array:
        raise NotImplementedError

    def first_of(self, r: Array) -> Array:
        raise NotImplementedError

    def second_of(self, r: Array) -> Array:
        raise NotImplementedError

    def values(self, parameters: Array) -> Array:
        """(entries,) correlations."""
        return self.values_of(bounded(parameters))

    def first(self, parameters: Array) -> Array:
        """(m, entries) first derivatives."""
        slope = (1.0 + parameters**2) ** -1.5
        return slope[:, None] * self.first_of(bounded(parameters))

    def second(self, parameters: Array) -> Array:
        """(m, m, entries) second derivatives."""
        r = bounded(parameters)
        slope = (1.0 + parameters**2) ** -1.5
        bend = -3.0 * parameters * (1.0 + parameters**2) ** -2.5
        second = slope[:, None, None] * slope[None, :, None] * self.second_of(r)
        own = np.arange(len(r))
        second[own, own] += bend[:, None] * self.first_of(r)
        return second


@dataclass(frozen=True)
class CompoundSymmetryCorrelation:
    """One correlation for every pair of different visits, between its lowest value a = -1 / (T - 1) and 1.

    The parameter is the logit of (r - a) / (1 - a).
    """

    n_visits: int
    n_parameters: int = 1

    @cached_property
    def _apart(self) -> Array:
        j, k = upper_pairs(self.n_visits)
        return (j != k).astype(np.float64)

    @property
    def _lowest(self) -> float:
        return -1.0 / max(self.n_visits - 1, 1)

    @property
    def informed_by(self) -> NDArray[np.bool_]:
        """Every pair."""
        return self._apart[None, :] > 0

    def starts(self, correlation: Array) -> list[Array]:
        """The mean correlation."""
        apart = self._apart > 0
        mean = float(correlation[apart].mean()) if apart.any() else 0.0
        part = min(max((mean - self._lowest) / (1.0 - self._lowest), 1.0 - _LARGEST_START), _LARGEST_START)
        return [np.array([np.log(part / (1.0 - part))])]

    def _correlation(self, parameters: Array) -> float:
        return self._lowest + (1.0 - self._lowest) * _expit(parameters[0])

    def values(self, parameters: Array) -> Array:
        """(entries,) correlations."""
        return np.where(self._apart > 0, self._correlation(parameters), 1.0)

    def first(self, parameters: Array) -> Array:
        """(1, entries) first derivatives."""
        slope = _expit(parameters[0]) * _expit(-parameters[0])
        return ((1.0 - self._lowest) * slope * self._apart)[None]

    def second(self, parameters: Array) -> Array:
        """(1, 1, entries) second derivatives."""
        return (1.0 - 2.0 * _expit(parameters[0])) * self.first(parameters)[None]

    def describe(self, parameters: Array, visits: tuple[str, ...]) -> dict[str, float]:
        """The correlation."""
        return {"correlation": float(self._correlation(parameters))}


@dataclass(frozen=True)
class AutoregressiveCorrelation(_Bounded):
    """r^|j - k|: first-order autoregression over equally spaced visits."""

    n_visits: int
    n_parameters: int = 1

    @cached_property
    def _lag(self) -> NDArray[np.intp]:
        j, k = upper_pairs(self.n_visits)
        return k - j

    @property
    def informed_by(self) -> NDArray[np.bool_]:
        """Every pair."""
        return self._lag[None, :] > 0

    def starts(self, correlation: Array) -> list[Array]:
        """The mean correlation of neighbouring visits."""
        near = self._lag == 1
        return [unbounded(np.array([correlation[near].mean() if near.any() else 0.0])), np.zeros(1)]

    def values_of(self, r: Array) -> Array:
        return r[0] ** self._lag

    def first_of(self, r: Array) -> Array:
        return (self._lag * r[0] ** np.maximum(self._lag - 1, 0))[None, :]

    def second_of(self, r: Array) -> Array:
        return (self._lag * (self._lag - 1) * r[0] ** np.maximum(self._lag - 2, 0))[None, None, :]

    def describe(self, parameters: Array, visits: tuple[str, ...]) -> dict[str, float]:
        """The correlation of neighbouring visits."""
        return {"correlation of neighbouring visits": float(bounded(parameters)[0])}


@dataclass(frozen=True)
class ToeplitzCorrelation(_Bounded):
    """One correlation for each number of visits between the two."""

    n_visits: int

    @property
    def n_parameters(self) -> int:
        """T - 1."""
        return self.n_visits - 1

    @cached_property
    def _lag(self) -> NDArray[np.intp]:
        j, k = upper_pairs(self.n_visits)
        return k - j

    @cached_property
    def _at_lag(self) -> Array:
        return (self._lag == np.arange(1, self.n_visits)[:, None]).astype(np.float64)

    @property
    def informed_by(self) -> NDArray[np.bool_]:
        """The pairs at that lag."""
        return self._at_lag > 0

    def starts(self, correlation: Array) -> list[Array]:
        """The mean correlation at each lag, drawn towards zero until the matrix is positive definite; or r^lag."""
        mean = (self._at_lag @ correlation) / self._at_lag.sum(axis=1)
        near = float(np.clip(mean[0], -_LARGEST_START, _LARGEST_START))
        return [
            unbounded(self._drawn_in(mean)),
            unbounded(near ** np.arange(1, self.n_visits, dtype=np.float64) if near > 0 else mean * 0.0),
            np.zeros(self.n_parameters),
        ]

    def _drawn_in(self, mean: Array) -> Array:
        gap = np.abs(np.subtract.outer(np.arange(self.n_visits), np.arange(self.n_visits)))
        whole = np.append(1.0, np.clip(mean, -_LARGEST_START, _LARGEST_START))
        smallest = float(np.linalg.eigvalsh(whole[gap])[0])
        floor = 0.05
        shrink = 1.0 if smallest >= floor else (1.0 - floor) / (1.0 - smallest)
        return whole[1:] * shrink

    def values_of(self, r: Array) -> Array:
        return np.append(1.0, r)[self._lag]

    def first_of(self, r: Array) -> Array:
        return self._at_lag.copy()

    def second_of(self, r: Array) -> Array:
        return np.zeros((r.size, r.size, self._lag.size))

    def describe(self, parameters: Array, visits: tuple[str, ...]) -> dict[str, float]:
        """The correlation at each lag."""
        r = bounded(parameters)
        return {f"correlation at lag {lag + 1}": float(one) for lag, one in enumerate(r)}


@dataclass(frozen=True)
class AntedependenceCorrelation(_Bounded):
    """First-order ante-dependence: a correlation for each pair of neighbours, further ones their product.

    Gabriel (1962), Ann Math Stat 33:201; Zimmerman & Nunez-Anton (2010), Antedependence Models, section 2.3.
    """

    n_visits: int

    @property
    def n_parameters(self) -> int:
        """T - 1."""
        return self.n_visits - 1

    @cached_property
    def informed_by(self) -> NDArray[np.bool_]:
        """The pairs that span the neighbours."""
        j, k = upper_pairs(self.n_visits)
        step = np.arange(self.n_visits - 1)[:, None]
        return (j <= step) & (step < k)

    def starts(self, correlation: Array) -> list[Array]:
        """The correlations of neighbours."""
        j, k = upper_pairs(self.n_visits)
        return [unbounded(correlation[k - j == 1]), np.zeros(self.n_parameters)]

    def _product(self, r: Array, without: tuple[int, ...]) -> Array:
        factors = np.where(self.informed_by, r[:, None], 1.0)
        factors[list(without)] = 1.0
        found = factors.prod(axis=0)
        for one in without:
            found = np.where(self.informed_by[one], found, 0.0)
        return found

    def values_of(self, r: Array) -> Array:
        return self._product(r, ())

    def first_of(self, r: Array) -> Array:
        return np.stack([self._product(r, (a,)) for a in range(r.size)])

    def second_of(self, r: Array) -> Array:
        second = np.zeros((r.size, r.size, self.informed_by.shape[1]))
        for a in range(r.size):
            for b in range(a):
                second[a, b] = second[b, a] = self._product(r, (a, b))
        return second

    def describe(self, parameters: Array, visits: tuple[str, ...]) -> dict[str, float]:
        """The correlation of each pair of neighbours."""
        r = bounded(parameters)
        return {f"correlation {visits[a]}, {visits[a + 1]}": float(one) for a, one in enumerate(r)}


@dataclass(frozen=True)
class SpatialCorrelation:
    """exp(-c d^power) with the distance d in time between two visits and the decay c.

    Power 1 is the exponential exp(-d / range) and, written with r = exp(-c), the power model r^d; power 2 is the
    Gaussian exp(-(d / range)^2). The parameter is the logarithm of the decay over the typical distance, so that nothing
    depends on the unit of time.

    Attributes
    ----------
    distance
        (...) distances, of any shape: of the pairs of visits, or of every patient's own pairs.
    typical
        The distance at which the decay is the exponential of the parameter.
    """

    distance: Array
    typical: float
    power: int
    by_range: bool
    n_parameters: int = 1

    @cached_property
    def _exponent(self) -> Array:
        return (self.distance / self.typical) ** self.power

    @property
    def informed_by(self) -> NDArray[np.bool_]:
        """Every pair apart."""
        return self.distance[None] > 0

    def starts(self, correlation: Array) -> list[Array]:
        """A grid of ranges around the typical distance."""
        return [np.array([-self.power * np.log(one)]) for one in (0.3, 1.0, 3.0, 10.0, 30.0, 0.1)]

    def values(self, parameters: Array) -> Array:
        """(...) correlations."""
        return np.exp(-self._exponent * _decay(parameters))

    def first(self, parameters: Array) -> Array:
        """(1, ...) first derivatives."""
        decayed = self._exponent * _decay(parameters)
        return (-decayed * np.exp(-decayed))[None]

    def second(self, parameters: Array) -> Array:
        """(1, 1, ...) second derivatives."""
        decayed = self._exponent * _decay(parameters)
        return ((decayed - 1.0) * decayed * np.exp(-decayed))[None, None]

    def bend_of_mmrm(self, parameters: Array) -> float:
        """p''/p', p being the parameter of R's mmrm as a function of the one here.

        It is the logit of the correlation at distance one, p = -log(exp(c) - 1) with the decay c at distance one, so
        that p''/p' = 1 - c / (exp(c) - 1).
        """
        c = min(_decay(parameters) / self.typical**self.power, 700.0)
        return 1.0 - (c / np.expm1(c) if c > 0 else 1.0)

    def describe(self, parameters: Array, visits: tuple[str, ...]) -> dict[str, float]:
        """The range, or the correlation at distance one."""
        decay = _decay(parameters) ** (1.0 / self.power) / self.typical
        if self.by_range:
            return {"range": 1.0 / decay}
        return {"correlation at distance 1": float(np.exp(-(decay**self.power)))}


def _decay(parameters: Array) -> float:
    return float(np.exp(min(parameters[0], 200.0)))


def _expit(parameter: float) -> float:
    """1 / (1 + exp(-t))."""
    return float(np.exp(-np.logaddexp(0.0, -parameter)))
