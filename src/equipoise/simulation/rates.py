"""Shares and means over virtual trials, each with its Monte-Carlo standard error."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Mean", "Rate"]

_WILSON = 1.959963984540054**2


@dataclass(frozen=True, slots=True)
class Rate:
    """A share of some trials.

    Attributes
    ----------
    hits, trials
        How many did, of how many; a tie may count as half a hit.
    """

    hits: float
    trials: int

    @classmethod
    def of(cls, hits: NDArray[np.bool_]) -> Rate:
        """The share of True."""
        return cls(int(hits.sum()), len(hits))

    @property
    def value(self) -> float:
        """The share; NaN of no trials."""
        return self.hits / self.trials if self.trials else math.nan

    @property
    def standard_error(self) -> float:
        """Monte-Carlo standard error, sqrt(p (1 - p) / n); NaN of no trials."""
        return math.sqrt(self.value * (1 - self.value) / self.trials) if self.trials else math.nan

    @property
    def careful_standard_error(self) -> float:
        """Monte-Carlo standard error that is not 0 when all trials agree: with two hits and two misses added
        (Agresti & Coull 1998, Am Stat 52:119-126).
        """
        share = (self.hits + 2) / (self.trials + 4)
        return math.sqrt(share * (1 - share) / (self.trials + 4))

    def text(self, sign: str = "%") -> str:
        """In percent, and in brackets its standard error; where none or all of the trials do, which leaves no standard
        error, the upper or lower 95% bound of Wilson (1927, JASA 22:209-212).
        """
        if not self.trials:
            return "–"
        share = f"{100 * self.value:.2f}{sign}"
        if 0 < self.hits < self.trials:
            return f"{share} ({100 * self.standard_error:.2f})"
        beyond = math.ceil(10_000 * _WILSON / (self.trials + _WILSON)) / 100
        return f"{share} (<{beyond:.2f})" if not self.hits else f"{share} (>{100 - beyond:.2f})"

    def __str__(self) -> str:
        return self.text()

    def to_dict(self) -> dict[str, Any]:
        """For a JSON file."""
        return {"value": self.value, "monte_carlo_standard_error": self.standard_error, "trials": self.trials}


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean, or a number found from means, over some trials.

    Attributes
    ----------
    value
        NaN of no trials.
    standard_error
        Its Monte-Carlo standard error; NaN of fewer than two trials.
    trials
        How many it is over.
    """

    value: float
    standard_error: float
    trials: int

    @classmethod
    def of_sums(cls, trials: int, total: float, squares: float, shift: float = 0.0) -> Mean:
        """From the sum and the sum of squares of the values less `shift`."""
        if not trials:
            return cls(math.nan, math.nan, 0)
        mean = total / trials
        if trials == 1:
            return cls(shift + mean, math.nan, 1)
        variance = max(squares - trials * mean**2, 0.0) / (trials - 1)
        return cls(shift + mean, math.sqrt(variance / trials), trials)

    def scaled(self, factor: float) -> Mean:
        """The same in other units."""
        return Mean(self.value * factor, self.standard_error * abs(factor), self.trials)

    def text(self, digits: int = 2) -> str:
        """The mean and, in brackets, its standard error; a dash of no trials."""
        from ..wording import decimal

        if math.isnan(self.value):
            return "–"
        return f"{decimal(self.value, digits)} ({decimal(self.standard_error, digits + 1)})"

    def __str__(self) -> str:
        return self.text()

    def to_dict(self) -> dict[str, Any]:
        """For a JSON file."""
        return {"value": self.value, "monte_carlo_standard_error": self.standard_error, "trials": self.trials}
