"""Error-spending functions: how much of the error rate may be used by which information fraction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from ..checks import number, numbers
from ..errors import InputError

__all__ = [
    "HwangShihDeCaniSpending",
    "NoEarlyStopping",
    "OBrienFlemingSpending",
    "PocockSpending",
    "PowerSpending",
    "SpendingFunction",
    "UserSpending",
]

Array = npt.NDArray[np.float64]


@runtime_checkable
class SpendingFunction(Protocol):
    """What a design asks of a spending function.

    A new family is one frozen dataclass with these three members and one line in `rules.py`.
    """

    @property
    def name(self) -> str:
        """The family and its parameters, for people."""
        ...

    def spent(self, fraction: npt.ArrayLike, level: float) -> Array:
        """Error spent by `fraction` (array) of the planned information, out of `level`; same shape, cumulative."""
        ...

    def planned_at(self, information: Sequence[float]) -> SpendingFunction:
        """The function as used by a design with these planned information fractions."""
        ...


def _checked(fraction: npt.ArrayLike) -> Array:
    try:
        fractions = np.asarray(fraction, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError("fraction", fraction, "information fractions of at least 0") from None
    if not np.all(fractions >= 0):
        raise InputError("fraction", fraction, "information fractions of at least 0")
    return np.minimum(fractions, 1.0)


class _Family:
    """A spending function that is defined at every information fraction."""

    def planned_at(self, information: Sequence[float]) -> Any:
        """The function itself: it does not depend on when looks are planned."""
        return self


@dataclass(frozen=True)
class OBrienFlemingSpending(_Family):
    """O'Brien-Fleming-type spending, 2 - 2 Phi(z_{1 - level/2} / sqrt(t)) (Lan & DeMets 1983, Biometrika 70:659).

    `level` is the level of one side; a two-sided design spends 4 - 4 Phi(z_{1 - alpha/4} / sqrt(t)) in all.
    """

    @property
    def name(self) -> str:
        """The family."""
        return "O'Brien-Fleming-type (Lan-DeMets)"

    def spent(self, fraction: npt.ArrayLike, level: float) -> Array:
        """Cumulative error spent; `fraction` array of information fractions, `level` of one side."""
        from scipy.special import ndtr, ndtri

        fractions = _checked(fraction)
        with np.errstate(divide="ignore"):
            return 2.0 * ndtr(ndtri(level / 2) / np.sqrt(fractions))


@dataclass(frozen=True)
class PocockSpending(_Family):
    """Pocock-type spending, level * log(1 + (e - 1) t) (Lan & DeMets 1983, Biometrika 70:659)."""

    @property
    def name(self) -> str:
        """The family."""
        return "Pocock-type (Lan-DeMets)"

    def spent(self, fraction: npt.ArrayLike, level: float) -> Array:
        """Cumulative error spent; `fraction` array of information fractions, `level` of one side."""
        return level * np.log1p(np.expm1(1.0) * _checked(fraction))


@dataclass(frozen=True)
class PowerSpending(_Family):
    """Power-family spending, level * t**rho (Kim & DeMets 1987, Biometrika 74:149).

    rho = 1 spends evenly, rho = 3 is near O'Brien-Fleming.
    """

    rho: float = 3.0

    def __post_init__(self) -> None:
        if not number("rho", self.rho, "a finite number above 0") > 0:
            raise InputError("rho", self.rho, "a finite number above 0")

    @property
    def name(self) -> str:
        """The family and its parameter."""
        return f"power family (Kim-DeMets), rho = {self.rho:g}"

    def spent(self, fraction: npt.ArrayLike, level: float) -> Array:
        """Cumulative error spent; `fraction` array of information fractions, `level` of one side."""
        return level * _checked(fraction) ** self.rho


@dataclass(frozen=True)
class HwangShihDeCaniSpending(_Family):
    """Gamma-family spending, level * (1 - exp(-gamma t)) / (1 - exp(-gamma)).

    Hwang, Shih & De Cani 1990, Stat Med 9:1439. gamma = -4 is near O'Brien-Fleming, gamma = 1 near
    Pocock, gamma = 0 spends evenly.
    """

    gamma: float = -4.0

    def __post_init__(self) -> None:
        if not abs(number("gamma", self.gamma, "a number between -500 and 500")) <= 500:
            raise InputError("gamma", self.gamma, "a number between -500 and 500")

    @property
    def name(self) -> str:
        """The family and its parameter."""
        return f"gamma family (Hwang-Shih-DeCani), gamma = {self.gamma:g}"

    def spent(self, fraction: npt.ArrayLike, level: float) -> Array:
        """Cumulative error spent; `fraction` array of information fractions, `level` of one side."""
        fractions = _checked(fraction)
        if self.gamma == 0:
            return level * fractions
        return level * np.expm1(-self.gamma * fractions) / np.expm1(-self.gamma)


@dataclass(frozen=True)
class UserSpending:
    """Spending given look by look, as cumulative shares of the total.

    Parameters
    ----------
    cumulative
        Share of the total error spent by each look: between 0 and 1, never falling, the last 1. Shares, not error
        rates, so that one object serves any alpha or beta, one-sided or two-sided.
    information
        Information fractions at which the shares hold, last 1; by default those of the design the object is given to.
        Between them (observed information differs from planned) spending is linear, from 0 at 0.
    """

    cumulative: tuple[float, ...]
    information: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        right = "shares from 0 to 1, never falling, the last 1"
        shares = tuple(numbers("cumulative", self.cumulative, right).tolist())
        object.__setattr__(self, "cumulative", shares)
        steps = np.diff((0.0, *shares))
        if not shares or not np.all(steps >= 0) or shares[-1] != 1:
            raise InputError("cumulative", self.cumulative, right)
        if self.information is not None:
            right = f"{len(shares)} information fractions, one for each share"
            fractions = tuple(numbers("information", self.information, right).tolist())
            object.__setattr__(self, "information", fractions)
            if len(fractions) != len(shares):
                raise InputError("information", fractions, f"{len(shares)} information fractions, one for each share")
            if not np.all(np.diff((0.0, *fractions)) > 0) or fractions[-1] != 1:
                raise InputError("information", fractions, "information fractions above 0, rising, the last 1")

    @property
    def name(self) -> str:
        """The family and its shares."""
        return "user-defined, shares " + ", ".join(f"{share:g}" for share in self.cumulative)

    def planned_at(self, information: Sequence[float]) -> UserSpending:
        """The same shares, tied to a design's information fractions unless they have their own."""
        return self if self.information is not None else UserSpending(self.cumulative, tuple(information))

    def spent(self, fraction: npt.ArrayLike, level: float) -> Array:
        """Cumulative error spent; `fraction` array of information fractions, `level` of one side."""
        if self.information is None:
            raise InputError("information", None, "the information fractions at which the shares are spent")
        return level * np.interp(_checked(fraction), (0.0, *self.information), (0.0, *self.cumulative))


@dataclass(frozen=True)
class NoEarlyStopping(_Family):
    """Nothing is spent before the last look: interim looks at the data without a test (or without futility)."""

    @property
    def name(self) -> str:
        """The family."""
        return "no early stopping"

    def spent(self, fraction: npt.ArrayLike, level: float) -> Array:
        """Cumulative error spent; `fraction` array of information fractions, `level` of one side."""
        return np.where(_checked(fraction) >= 1, level, 0.0)
