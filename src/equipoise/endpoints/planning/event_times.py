"""Laws of the time from randomisation to an event, with exponential dropout competing: what planning needs of them.

Two integrals carry everything: the probability D(u) that a patient followed for u has had the event while still in
the trial, and its area B(u) = integral of D from 0 to u. A patient who enters uniformly over an interval has the event
by calendar time t with probability (B(t - a) - B(t - b)) / (b - a).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from numbers import Real
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import InputError
from .planning_checks import LARGEST, at_least_zero, finite, positive, real_array, real_numbers, settle

__all__ = [
    "EventTimes",
    "PiecewiseExponential",
    "Weibull",
    "checked_hazard",
    "checked_law",
    "constant_hazard",
    "law_of",
]

Array = NDArray[np.float64]


class EventTimes(Protocol):
    """A law of the time to the event. `dropout` is the constant hazard of leaving the trial, per unit of time."""

    @property
    def median(self) -> float:
        """Time by which half the patients would have had the event without dropout; infinite if never."""
        ...

    def probability(self, follow_up: ArrayLike, dropout: float = 0.0) -> Array:
        """Probability of an event seen within `follow_up` of randomisation, in its shape; 0 where that is negative."""
        ...

    def area(self, follow_up: ArrayLike, dropout: float = 0.0) -> Array:
        """Integral of `probability` from 0 to `follow_up` (finite), in its shape; 0 where that is negative."""
        ...

    def scaled(self, hazard_ratio: float) -> EventTimes:
        """The law whose hazard is everywhere that multiple of this one's."""
        ...


def constant_hazard(probability: float, by: float) -> float:
    """Hazard, per unit of time, at which an exponential time falls before `by` with the given probability.

    For a median, `constant_hazard(0.5, by=median)`; for a dropout of 5% by month 12, `constant_hazard(0.05, by=12)`.
    """
    expected = "a probability of at least 0 and below 1"
    if not 0 <= finite("probability", probability, expected) < 1:
        raise InputError("probability", probability, expected)
    return -math.log1p(-float(probability)) / positive("by", by, "a time above 0")


def checked_law(name: str, given: Any) -> Any:
    """Event times, which must have the members of `EventTimes`; raises `InputError` where they have not."""
    members = ("probability", "area", "scaled", "median")
    if isinstance(given, type) or not all(hasattr(given, member) for member in members):
        raise InputError(name, given, "a hazard, PiecewiseExponential(...) or Weibull(...)")
    return given


def _checked_dropout(dropout: float) -> float:
    return at_least_zero("dropout", dropout, "a finite hazard of at least 0")


def _checked_shape(shape: float) -> float:
    if not 0.01 <= positive("shape", shape) <= 100:
        raise InputError("shape", shape, "a number from 0.01 to 100")
    return float(shape)


def _checked_times(follow_up: ArrayLike, finite: bool) -> Array:
    expected = "finite times" if finite else "times, or infinity"
    times = real_array("follow_up", follow_up, expected)
    if np.any(np.isnan(times)) or (finite and np.any(np.isposinf(times))):
        raise InputError("follow_up", follow_up, expected)
    return np.maximum(times, 0.0)


def _first(y: Array) -> Array:
    """(1 - exp(-y)) / y, 1 at 0."""
    safe = np.where(y == 0, 1.0, y)
    return np.where(y == 0, 1.0, -np.expm1(-safe) / safe)


def _second(y: Array) -> Array:
    """(y - 1 + exp(-y)) / y**2, 1/2 at 0; its power series below 1/2, where the subtraction would lose digits."""
    small = np.where(y < 0.5, y, 0.0)
    series = np.zeros_like(small)
    for power in range(13, -1, -1):
        series = 1.0 / math.factorial(power + 2) - small * series
    large = np.where(y < 0.5, 1.0, y)
    return np.where(y < 0.5, series, (large + np.expm1(-large)) / large**2)


@dataclass(frozen=True)
class PiecewiseExponential:
    """Event times whose hazard is constant between breaks; all integrals in closed form.

    Parameters
    ----------
    hazards
        Events per unit of time in each piece, at least 0, not all 0; one number is the exponential law.
    breaks
        Times since randomisation at which the hazard changes, above 0, rising; one fewer than the hazards.

    Raises
    ------
    InputError
        When a hazard is negative, all are 0, or the breaks do not rise or match.
    """

    hazards: tuple[float, ...]
    breaks: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        expected = "finite hazards of at least 0, not all of them 0"
        hazards = real_numbers("hazards", self.hazards, expected)
        if not all(0 <= h <= LARGEST for h in hazards) or not any(hazards):
            raise InputError("hazards", self.hazards, expected)
        expected = "finite times above 0, rising"
        breaks = real_numbers("breaks", self.breaks, expected)
        if not all(b <= LARGEST for b in breaks) or not np.all(np.diff((0.0, *breaks)) > 0):
            raise InputError("breaks", self.breaks, expected)
        if len(breaks) != len(hazards) - 1:
            raise InputError("breaks", self.breaks, f"{len(hazards) - 1} breaks between {len(hazards)} hazards")
        settle(self, hazards=hazards, breaks=breaks)

    @classmethod
    def from_median(cls, median: float) -> PiecewiseExponential:
        """The exponential law with that median."""
        return cls((math.log(2) / positive("median", median, "a time above 0"),))

    @property
    def median(self) -> float:
        """Time by which half the patients would have had the event without dropout; infinite if never."""
        starts, left = (0.0, *self.breaks), math.log(2)
        for start, end, hazard in zip(starts, (*self.breaks, math.inf), self.hazards, strict=True):
            if hazard > 0 and left <= hazard * (end - start):
                return start + left / hazard
            left -= hazard * (end - start) if hazard > 0 else 0.0
        return math.inf

    def probability(self, follow_up: ArrayLike, dropout: float = 0.0) -> Array:
        """Probability of an event seen within `follow_up` (may be infinite) of randomisation; see `EventTimes`."""
        times = _checked_times(follow_up, finite=False)
        starts, hazards, leaving, left, probability, _ = _pieces(self, _checked_dropout(dropout))
        ever = probability[-1] + (left[-1] * hazards[-1] / leaving[-1] if hazards[-1] > 0 else 0.0)
        finite = np.where(np.isinf(times), 0.0, times)
        piece = np.searchsorted(starts, finite, side="right") - 1
        x = finite - starts[piece]
        found = probability[piece] + hazards[piece] * left[piece] * x * _first(leaving[piece] * x)
        return np.where(np.isinf(times), ever, found)

    def area(self, follow_up: ArrayLike, dropout: float = 0.0) -> Array:
        """Integral of `probability` from 0 to `follow_up`; see `EventTimes`."""
        times = _checked_times(follow_up, finite=True)
        starts, hazards, leaving, left, probability, area = _pieces(self, _checked_dropout(dropout))
        piece = np.searchsorted(starts, times, side="right") - 1
        x = times - starts[piece]
        return area[piece] + x * (probability[piece] + hazards[piece] * left[piece] * x * _second(leaving[piece] * x))

    def scaled(self, hazard_ratio: float) -> PiecewiseExponential:
        """The law with every hazard multiplied by `hazard_ratio`."""
        ratio = positive("hazard_ratio", hazard_ratio)
        return PiecewiseExponential(tuple(ratio * hazard for hazard in self.hazards), self.breaks)

    def __str__(self) -> str:
        pieces = [f"{self.hazards[0]:.5g}"]
        pieces += [f"{h:.5g} from {b:g}" for h, b in zip(self.hazards[1:], self.breaks, strict=True)]
        return f"hazard {', '.join(pieces)}"


@lru_cache(maxsize=64)
def _pieces(law: PiecewiseExponential, dropout: float) -> tuple[Array, Array, Array, Array, Array, Array]:
    """Start, hazard, hazard with dropout, and at the start: share still followed, probability, area."""
    hazards, starts = np.array(law.hazards), np.array((0.0, *law.breaks))
    leaving = hazards + dropout
    width = np.diff(starts)
    y = leaving[:-1] * width
    left = np.exp(-np.concatenate(([0.0], np.cumsum(y))))
    gain = hazards[:-1] * left[:-1] * width
    probability = np.concatenate(([0.0], np.cumsum(gain * _first(y))))
    area = np.concatenate(([0.0], np.cumsum(probability[:-1] * width + gain * width * _second(y))))
    return starts, hazards, leaving, left, probability, area


@lru_cache(maxsize=1)
def _nodes() -> tuple[Array, Array]:
    nodes, weights = np.polynomial.legendre.leggauss(96)
    return 0.5 * (nodes + 1.0), 0.5 * weights


@dataclass(frozen=True)
class Weibull:
    """Weibull event times, survival exp(-(rate * time)**shape); the hazard rises when shape > 1, falls when < 1.

    The hazard ratio of two Weibull laws of one shape is (rate1 / rate2)**shape, not the ratio of their rates. rpact
    4.5.0.9315 multiplies the rate by the hazard ratio it is given: it then plans events for a ratio of 0.7 but event
    times for one of 0.7**1.5, 1555 patients where 1456 would do (shape 1.5).

    Without dropout the integrals are incomplete gamma functions; with it, Gauss-Legendre sums of 96 points in a
    variable that smooths the origin, exact to about 1e-13.

    Parameters
    ----------
    rate
        Reciprocal of the scale, per unit of time, above 0.
    shape
        From 0.01 to 100.

    Raises
    ------
    InputError
        When either is out of range.
    """

    rate: float
    shape: float

    def __post_init__(self) -> None:
        settle(self, rate=positive("rate", self.rate), shape=_checked_shape(self.shape))

    @classmethod
    def from_median(cls, median: float, shape: float) -> Weibull:
        """The law of that shape with that median."""
        return cls(math.log(2) ** (1 / _checked_shape(shape)) / positive("median", median, "a time above 0"), shape)

    @property
    def median(self) -> float:
        """Time by which half the patients would have had the event without dropout."""
        return math.log(2) ** (1 / self.shape) / self.rate

    def _moments(self, times: Array, dropout: float) -> tuple[Array, Array]:
        """Integrals of f(s) exp(-dropout s) and of s f(s) exp(-dropout s) from 0 to each of `times`."""
        from scipy.special import gamma, gammainc

        if _checked_dropout(dropout) == 0:
            hazard = (self.rate * times) ** self.shape
            order = 1 + 1 / self.shape
            return -np.expm1(-hazard), gamma(order) / self.rate * gammainc(order, hazard)
        nodes, weights = _nodes()
        upper = np.minimum(times, 40.0 ** (1 / self.shape) / self.rate)[..., None]
        hazard = (self.rate * upper) ** self.shape * nodes**6
        s = upper * nodes ** (6 / self.shape)
        density = 6 * hazard / nodes * np.exp(-hazard - dropout * s)
        return density @ weights, (density * s) @ weights

    def probability(self, follow_up: ArrayLike, dropout: float = 0.0) -> Array:
        """Probability of an event seen within `follow_up` (may be infinite) of randomisation; see `EventTimes`."""
        return self._moments(_checked_times(follow_up, finite=False), dropout)[0]

    def area(self, follow_up: ArrayLike, dropout: float = 0.0) -> Array:
        """Integral of `probability` from 0 to `follow_up`; see `EventTimes`."""
        times = _checked_times(follow_up, finite=True)
        probability, moment = self._moments(times, dropout)
        return times * probability - moment

    def scaled(self, hazard_ratio: float) -> Weibull:
        """The law whose hazard is `hazard_ratio` times this one's: the rate times hazard_ratio**(1 / shape)."""
        return Weibull(self.rate * positive("hazard_ratio", hazard_ratio) ** (1 / self.shape), self.shape)

    def __str__(self) -> str:
        return f"Weibull, rate {self.rate:.5g}, shape {self.shape:g}"


def checked_hazard(name: str, given: Any) -> float | EventTimes:
    """A hazard above 0 as a float, or event times; raises `InputError` where it is neither."""
    if isinstance(given, Real):
        return positive(name, given, "a hazard above 0, PiecewiseExponential(...) or Weibull(...)")
    return checked_law(name, given)


def law_of(given: float | EventTimes) -> EventTimes:
    """Event times; a hazard stands for the exponential law."""
    return PiecewiseExponential((given,)) if isinstance(given, float) else cast(EventTimes, given)
