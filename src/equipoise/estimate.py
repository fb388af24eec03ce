"""The value at which every endpoint, stopping rule and report meet."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from .checks import confidence_level, number
from .errors import InputError
from .estimate_arrays import quantile_of, score_of

__all__ = ["Better", "Estimate", "Interval", "Scale"]

Better = Literal["higher", "lower"]


_UNITS = {
    "mean difference": "points",
    "risk difference": "percentage points",
    "difference in mean time": "days",
    "rate difference": "events a patient-year",
    "win probability": "%",
    "net benefit": "percentage points",
}


class Scale(StrEnum):
    """The scale an effect lives on; ratios are held as natural logarithms."""

    MEAN_DIFFERENCE = "mean difference"
    RISK_DIFFERENCE = "risk difference"
    LOG_RISK_RATIO = "log risk ratio"
    LOG_ODDS_RATIO = "log odds ratio"
    LOG_HAZARD_RATIO = "log hazard ratio"
    STANDARDISED_MEAN_DIFFERENCE = "standardised mean difference"
    TIME_DIFFERENCE = "difference in mean time"
    LOG_RATE_RATIO = "log rate ratio"
    RATE_DIFFERENCE = "rate difference"
    WIN_PROBABILITY = "win probability"
    NET_BENEFIT = "net benefit"
    LOG_WIN_RATIO = "log win ratio"
    LOG_WIN_ODDS = "log win odds"

    @property
    def is_logarithmic(self) -> bool:
        """Whether the effect is the natural logarithm of a ratio."""
        return self.value.startswith("log ")

    @property
    def natural_name(self) -> str:
        """The name of the effect once a logarithm has been undone."""
        return self.value.removeprefix("log ")

    @property
    def null_value(self) -> float:
        """The effect where there is none: a win probability of a half, else 0."""
        return 0.5 if self is Scale.WIN_PROBABILITY else 0.0

    @property
    def unit(self) -> str:
        """Of the effect as people quote it, where an endpoint has no unit of its own; empty for ratios."""
        return _UNITS.get(self.value, "")

    @property
    def limits(self) -> tuple[float, float]:
        """Range an effect on this scale can have."""
        if self is Scale.WIN_PROBABILITY:
            return (0.0, 1.0)
        return (-1.0, 1.0) if self in (Scale.RISK_DIFFERENCE, Scale.NET_BENEFIT) else (-math.inf, math.inf)

    def natural(self, effect: float) -> float:
        """The effect as people quote it: exp(effect) for ratios, unchanged otherwise."""
        return math.exp(effect) if self.is_logarithmic else effect


@dataclass(frozen=True, slots=True)
class Interval:
    """A two-sided confidence interval; a limit may be infinite.

    Attributes
    ----------
    lower, upper
        Limits on the scale of the effect they belong to.
    level
        Confidence level as a fraction, e.g. 0.95.
    """

    lower: float
    upper: float
    level: float = 0.95

    def __post_init__(self) -> None:
        if not 0 < self.level < 1:
            raise InputError("level", self.level, "a confidence level between 0 and 1")
        if math.isnan(self.lower) or math.isnan(self.upper) or self.lower > self.upper:
            raise InputError("interval", (self.lower, self.upper), "a lower limit not above the upper one")

    def __contains__(self, value: float) -> bool:
        return self.lower <= value <= self.upper

    def __str__(self) -> str:
        return f"{self.lower:.4g} to {self.upper:.4g}"


@dataclass(frozen=True, slots=True)
class Estimate:
    """An estimated treatment effect, experimental minus control.

    Attributes
    ----------
    effect
        The estimate, on `scale` (ratios as natural logarithms).
    standard_error
        Its standard error, positive, on the same scale.
    degrees_of_freedom
        Of the t distribution the studentised effect is referred to; infinite for the normal.
    scale
        What the number measures.
    better
        Whether a higher or a lower effect favours the experimental arm.
    null_value
        The effect under the null hypothesis (a non-inferiority margin, or 0).
    label
        What was estimated, for people.
    """

    effect: float
    standard_error: float
    degrees_of_freedom: float = math.inf
    scale: Scale = Scale.MEAN_DIFFERENCE
    better: Better = "higher"
    null_value: float = 0.0
    label: str = ""

    def __post_init__(self) -> None:
        taken = {
            "effect": number("effect", self.effect),
            "standard_error": number("standard_error", self.standard_error, "a finite number above 0"),
            "degrees_of_freedom": number(
                "degrees_of_freedom", self.degrees_of_freedom, "a number above 0, or infinity", infinite=True
            ),
            "null_value": number("null_value", self.null_value),
        }
        if not taken["standard_error"] > 0:
            raise InputError("standard_error", self.standard_error, "a finite number above 0")
        if not taken["degrees_of_freedom"] > 0:
            raise InputError("degrees_of_freedom", self.degrees_of_freedom, "a number above 0, or infinity")
        for name, value in taken.items():
            object.__setattr__(self, name, value)
        try:
            object.__setattr__(self, "scale", Scale(self.scale))
        except ValueError:
            raise InputError("scale", self.scale, "one of " + ", ".join(Scale)) from None
        if self.better not in ("higher", "lower"):
            raise InputError("better", self.better, "'higher' or 'lower'")

    def __str__(self) -> str:
        reference = "" if math.isinf(self.degrees_of_freedom) else f", {self.degrees_of_freedom:.4g} df"
        name = f"{self.label}: " if self.label else ""
        return (
            f"{name}{self.scale} {self.effect:.4g} (SE {self.standard_error:.4g}{reference}; {self.better} is better)"
        )

    @property
    def information(self) -> float:
        """Statistical information about the effect, 1 / standard_error**2."""
        return self.standard_error**-2

    @property
    def statistic(self) -> float:
        """Studentised distance from the null value, (effect - null_value) / standard_error."""
        return (self.effect - self.null_value) / self.standard_error

    def z_against(self, value: float) -> float:
        """z-value of the test that the true effect equals `value`, positive where the data lie above it.

        The t statistic enters by its tail probability, z = Phi^-1(F_t(t)), so that z is standard normal
        under the hypothesis whatever the degrees of freedom (Jennison & Turnbull 2000, section 4.4).
        """
        statistic = (self.effect - value) / self.standard_error
        return statistic if math.isinf(self.degrees_of_freedom) else float(score_of(statistic, self.degrees_of_freedom))

    @property
    def z(self) -> float:
        """z-value of the test of no effect, positive where the effect lies above the null value."""
        return self.z_against(self.null_value)

    @property
    def favourable_z(self) -> float:
        """z-value of the test of no effect, positive where the data favour the experimental arm."""
        return self.z if self.better == "higher" else -self.z

    @property
    def p_value(self) -> float:
        """Two-sided p-value of the fixed-sample test, as if there had been no interim look."""
        from scipy.special import ndtr, stdtr

        tail = -abs(self.statistic)
        if math.isinf(self.degrees_of_freedom):
            return 2 * float(ndtr(tail))
        return 2 * float(stdtr(self.degrees_of_freedom, tail))

    def mean_at_effect(self, effect: float) -> float:
        """Mean of `favourable_z` if the true effect is `effect`: what z loses when held against that effect.

        Of a normal estimate the favourable distance from the null value in standard errors. With a t statistic z is
        what it is and the effects are bent: an effect has the mean by which its own test falls short of the z observed.
        """
        against = self.z_against(effect)
        return self.favourable_z - (against if self.better == "higher" else -against)

    def effect_at_mean(self, mean: float, *, cut: bool = True) -> float:
        """The effect under which `favourable_z` has a mean; the inverse of `mean_at_effect`.

        Limits found on the scale of z become limits of the effect, those of a fixed sample exactly its t limits; they
        are cut where the scale ends unless told otherwise.
        """
        lost = self.quantile(self.favourable_z - mean) * self.standard_error
        effect = self.effect - lost if self.better == "higher" else self.effect + lost
        return self.possible(effect) if cut else effect

    def quantile(self, z: float) -> float:
        """Multiple of the standard error that matches a standard normal `z` by tail probability."""
        return z if math.isinf(self.degrees_of_freedom) else float(quantile_of(z, self.degrees_of_freedom))

    def interval(self, level: float = 0.95) -> Interval:
        """Fixed-sample confidence interval, as if there had been no interim look."""
        from scipy.special import ndtri

        half = -self.quantile(float(ndtri((1 - confidence_level(level)) / 2))) * self.standard_error
        return Interval(self.possible(self.effect - half), self.possible(self.effect + half), level)

    def possible(self, effect: float) -> float:
        """The nearest effect that the scale allows, as a confidence limit for a risk difference may lie beyond 1."""
        low, high = self.scale.limits
        return min(max(effect, low), high)
