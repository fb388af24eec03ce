"""Classical boundaries: a shape fixed beforehand, and one constant solved so that alpha is spent exactly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from ..checks import number
from ..errors import InputError

__all__ = ["BoundaryFamily", "HaybittlePeto", "OBrienFleming", "Pocock", "WangTsiatis"]

Array = npt.NDArray[np.float64]


@runtime_checkable
class BoundaryFamily(Protocol):
    """What a design asks of a family of efficacy bounds.

    A new family is one frozen dataclass with these members and one line in `rules.py`.
    """

    @property
    def name(self) -> str:
        """The family and its parameters, for people."""
        ...

    @property
    def is_nested(self) -> bool:
        """Whether every bound rises as alpha falls, so that the family has a repeated p-value of its own."""
        ...

    def has_constant(self, looks: int) -> bool:
        """Whether a design with that many looks has a constant left to solve for alpha; else bounds spend what they do.

        Raises `InputError` where the family does not fit that many looks.
        """
        ...

    def bounds(self, information: Array, constant: float) -> Array:
        """Bounds on z, none falling in the constant, at the planned `information`; shape (looks,) both."""
        ...


@dataclass(frozen=True)
class WangTsiatis:
    """Bounds c t^(delta - 1/2) (Wang & Tsiatis 1987, Biometrics 43:193).

    delta = 0 is O'Brien-Fleming, 1/2 is Pocock; the smaller, the harder to stop early.
    """

    delta: float = 0.25

    def __post_init__(self) -> None:
        if not -2 <= number("delta", self.delta, "a number between -2 and 1") <= 1:
            raise InputError("delta", self.delta, "a number between -2 and 1")

    @property
    def name(self) -> str:
        """The family and its parameter."""
        return f"Wang-Tsiatis, delta = {self.delta:g}"

    def has_constant(self, looks: int) -> bool:
        """Always."""
        return True

    @property
    def is_nested(self) -> bool:
        """Every bound is proportional to the constant."""
        return True

    def bounds(self, information: Array, constant: float) -> Array:
        """Bounds on z at the planned `information`, shape (looks,)."""
        return constant * information ** (self.delta - 0.5)


@dataclass(frozen=True)
class OBrienFleming(WangTsiatis):
    """Bounds c / sqrt(t) (O'Brien & Fleming 1979, Biometrics 35:549), at the planned information.

    For looks at other times than planned use `OBrienFlemingSpending`, which is near it.
    """

    delta: float = 0.0

    def __init__(self) -> None: ...

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    @property
    def name(self) -> str:
        """The family."""
        return "O'Brien-Fleming"


@dataclass(frozen=True)
class Pocock(WangTsiatis):
    """The same bound c at every look (Pocock 1977, Biometrika 64:191)."""

    delta: float = 0.5

    def __init__(self) -> None: ...

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    @property
    def name(self) -> str:
        """The family."""
        return "Pocock"


@dataclass(frozen=True)
class HaybittlePeto:
    """One strict bound at every interim look, the last solved (Haybittle 1971; Peto, Pike, Armitage et al. 1976).

    Haybittle 1971, Br J Radiol 44:793; Peto et al. 1976, Br J Cancer 34:585.

    Parameters
    ----------
    bound
        z at the interim looks.
    """

    bound: float = 3.0

    def __post_init__(self) -> None:
        if not number("bound", self.bound, "a finite z-value above 0") > 0:
            raise InputError("bound", self.bound, "a finite z-value above 0")

    @property
    def name(self) -> str:
        """The family and its bound."""
        return f"Haybittle-Peto, z = {self.bound:g}"

    def has_constant(self, looks: int) -> bool:
        """Always: the last bound."""
        return True

    @property
    def is_nested(self) -> bool:
        """The interim bound is the same whatever alpha."""
        return False

    def bounds(self, information: Array, constant: float) -> Array:
        """Bounds on z at the planned `information`, shape (looks,)."""
        return np.append(np.full(information.size - 1, self.bound), constant)
