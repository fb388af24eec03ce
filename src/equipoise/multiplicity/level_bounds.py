"""The bounds of one hypothesis at any share of alpha, and the smallest level at which it is rejected."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from ..sequential import GroupSequential, SpendingFunction
from ..sequential.bounds import efficacy_boundary
from ..sequential.roots import rising_root

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]

__all__ = ["LevelBounds", "spending_of"]

_SMALLEST = 1e-300
_BEYOND = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0, 7.9)  # normal quantiles of levels above 1/2
_FAR = 1e3  # stands for an infinite distance between z and a bound
_LEVELS = (1e-12, 1e-9, 1e-7, 1e-6, 1e-5, 1e-4, 5e-4, 1e-3, 2e-3, 5e-3, 0.01, 0.0125, 0.02, 0.025, 0.035, 0.05, 0.07)
_LEVELS += (0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)


@dataclass(frozen=True)
class _Attained:
    """The error that a design with fixed bounds spends, as shares of a level of which it uses only a part."""

    shares: SpendingFunction
    part: float

    @property
    def name(self) -> str:
        """The shares."""
        return self.shares.name

    def spent(self, fraction: ArrayLike, level: float) -> Array:
        """Cumulative error spent."""
        return np.asarray(self.shares.spent(fraction, level * self.part))

    def planned_at(self, information: Sequence[float]) -> _Attained:
        """Itself."""
        return self


def spending_of(given: object) -> SpendingFunction:
    """A spending function, or that of a design without its futility rule.

    A design with a classical or fixed boundary is held as the shares of alpha that it spends at its planned looks.

    Raises
    ------
    InputError
        When it is neither, or its shares are tied to looks that nobody has told.
    """
    right = "a spending function such as OBrienFlemingSpending(), or a GroupSequential design"
    if isinstance(given, GroupSequential):
        if isinstance(given.efficacy, SpendingFunction):
            return given.efficacy
        return _Attained(given.alpha_spending, given.attained_level / given.level)
    if isinstance(given, type) or not isinstance(given, SpendingFunction):
        raise InputError("spending", given, right)
    if type(given).__hash__ is None:
        raise InputError("spending", given.name, "a spending function that cannot change (a frozen dataclass)")
    if getattr(given, "information", ()) is None:
        raise InputError("spending", given.name, "a function with the information fractions of its shares")
    return given


@dataclass(frozen=True)
class LevelBounds:
    """Bounds of one hypothesis at its own looks, as a function of its level.

    Parameters
    ----------
    spending
        Its spending function.
    information
        Fractions of its planned maximum at its looks, rising, above 0.
    final
        Whether the last of them is the last, so that everything left is spent there.

    Raises
    ------
    InputError
        When a bound rises with the level somewhere, for then a hypothesis that is rejected with a small share of alpha
        might not be with a larger one (Maurer & Bretz 2013, condition on the spending functions).
    """

    spending: SpendingFunction
    information: tuple[float, ...]
    final: bool

    def __post_init__(self) -> None:
        if not _falls(self.spending, self.information, self.final):
            raise InputError("spending", self.spending.name, "a spending function whose bounds fall as its level rises")

    def at(self, level: float) -> Array:
        """Upper bounds on z at a one-sided level, shape (looks,); infinite where nothing may be spent."""
        return _bounds(self.spending, self.information, self.final, float(level))

    def repeated_p_value(self, z: float, look: int) -> float:
        """Smallest one-sided level at which z is rejected at one of the looks (from 0), from 1e-300 to 1."""
        from scipy.special import ndtr, ndtri

        if math.isnan(z):
            return math.nan
        information, final = self.information[: look + 1], self.final and look + 1 == len(self.information)

        def excess(normal_level: float) -> float:
            level = max(float(ndtr(normal_level)), _SMALLEST)
            bound = float(_solved(self.spending, information, final, level)[-1])
            return z - bound if math.isfinite(bound) else -math.copysign(_FAR, bound)

        lowest = float(ndtri(_SMALLEST))
        if excess(lowest) >= 0:
            return _SMALLEST
        # above 1/2 so much may be spent before this look that its bound rises again: the first crossing counts
        highest = next((x for x in (0.0, *_BEYOND) if excess(x) >= 0), None)
        if highest is None:
            return 1.0
        guess = min(max(-z, lowest), highest)
        found = rising_root(lambda x: excess(min(max(x, lowest), highest)), guess, tolerance=1e-13)
        return float(ndtr(found))


def _increments(spending: SpendingFunction, information: tuple[float, ...], final: bool, level: float) -> Array:
    spent = np.array(spending.spent(np.array(information), level))
    if final:
        spent[-1] = float(spending.spent(1.0, level))
    return np.maximum(np.diff(spent, prepend=0.0), 0.0)


def _solved(spending: SpendingFunction, information: tuple[float, ...], final: bool, level: float) -> Array:
    if level <= 0:
        return np.full(len(information), math.inf)
    return efficacy_boundary(np.array(information), _increments(spending, information, final, level), 1)


@lru_cache(maxsize=1 << 14)
def _bounds(spending: SpendingFunction, information: tuple[float, ...], final: bool, level: float) -> Array:
    bounds = _solved(spending, information, final, level)
    bounds.flags.writeable = False
    return bounds


@lru_cache(maxsize=1 << 12)
def _falls(spending: SpendingFunction, information: tuple[float, ...], final: bool) -> bool:
    """Whether bounds fall as the level rises; so they do, look by look, where every increment rises with it."""
    steps = np.array([_increments(spending, information, final, level) for level in _LEVELS])
    if np.all(np.diff(steps, axis=0) >= -1e-15):
        return True
    bounds = np.array([_solved(spending, information, final, level) for level in _LEVELS])
    return bool(np.all(np.diff(np.clip(bounds, -_FAR, _FAR), axis=0) <= 1e-9))
