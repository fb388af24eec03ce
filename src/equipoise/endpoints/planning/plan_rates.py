"""Sample size and power for proportions: difference, ratio or odds ratio of two, or one against a fixed value."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from ...checks import choice
from ...errors import InputError
from ...estimate import Better
from ..binary.restricted_rates import contrast, contrast_variance, restricted_rates
from .planning_checks import finite, on_or_off, positive, real_numbers, settle
from .sample_size import Assumptions, Rule, asked_power, checked_rule
from .sample_size_result import SampleSize

__all__ = ["Rates"]

Array = npt.NDArray[np.float64]
_MOST_EXACT = 1e9
_MOST_SCANNED = 1e6


def _proportion(name: str, value: Any) -> float:
    expected = "a proportion above 0 and below 1"
    found = positive(name, value, expected)
    if found >= 1:
        raise InputError(name, value, expected)
    return found


def _tail(events: Array, sizes: Array, rate: float) -> Array:
    """Probability of so many events or more, continued between whole numbers by the incomplete beta function."""
    from scipy.special import betainc

    certain, never = events <= 0, events >= sizes + 1
    inside = ~(certain | never)
    found = betainc(np.where(inside, events, 1.0), np.where(inside, sizes - events + 1, 1.0), rate)
    return np.where(certain, 1.0, np.where(never, 0.0, found))


@dataclass(frozen=True)
class Rates(Assumptions):
    """Proportions of patients with an event, by the score test.

    The fixed size is Farrington & Manning's (1990, Stat Med 9:1447): the standard error under the null hypothesis is
    that at the restricted maximum likelihood rates, under the alternative that at the assumed ones. With a null value
    of no effect the former is the pooled one. A group-sequential design takes that size times the rule's inflation
    factor; its power uses the drift at which the fixed z test has the score test's power. The two agree exactly in
    fixed designs and, as the two standard errors differ, nearly so in others.

    Parameters
    ----------
    experimental, control
        Assumed proportions, above 0 and below 1; without `control` there is one group.
    measure
        "difference", "ratio" or "odds ratio": the scale of `margin` and of the effects at the bounds, and what is
        tested: p1 - p2 - margin, p1 - margin * p2, or the log odds ratio less log(margin).
    allocation
        Patients on experimental for each on control.
    margin
        Null value: 0 for a difference and 1 for a ratio if left out, another for non-inferiority. With one group the
        proportion tested against, to be given.
    better
        Whether a higher or a lower proportion is better.
    test
        "score", or "exact" for the binomial test of one group, in a fixed design.
    conservative
        Whether the exact size is the smallest from which on every size has the power, rather than the smallest that has
        it: the power of the exact test falls and rises with the size.

    Raises
    ------
    InputError
        When a value is out of range, or the effect does not lie on the better side of the margin (sample size only).
    """

    experimental: float
    control: float | None = None
    measure: Literal["difference", "ratio", "odds ratio"] = "difference"
    allocation: float = 1.0
    margin: float | None = None
    better: Better = "higher"
    test: Literal["score", "exact"] = "score"
    conservative: bool = True
    _effect_name: ClassVar[str] = "experimental"

    def __post_init__(self) -> None:
        settle(
            self,
            experimental=_proportion("experimental", self.experimental),
            control=None if self.control is None else _proportion("control", self.control),
            measure=choice("measure", self.measure, ("difference", "ratio", "odds ratio")),
            allocation=positive("allocation", self.allocation),
            margin=None if self.margin is None else finite("margin", self.margin),
            better=choice("better", self.better, ("higher", "lower")),
            test=choice("test", self.test, ("score", "exact")),
            conservative=on_or_off("conservative", self.conservative),
        )
        if self.control is None:
            if self.margin is None or not 0 < self.margin < 1:
                raise InputError("margin", self.margin, "the proportion to test against, for one group")
            if self.measure != "difference":
                raise InputError("measure", self.measure, "'difference' for one group")
        elif self.test == "exact":
            raise InputError("test", self.test, "'score' for two groups")
        if self.margin is not None:
            if self.measure == "difference" and not -1 < self.margin < 1:
                raise InputError("margin", self.margin, "a difference above -1 and below 1")
            if self.measure != "difference":
                positive("margin", self.margin)

    @property
    def groups(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """1 without a control, else 2."""
        return 1 if self.control is None else 2

    @property
    def null_value(self) -> float:
        """The effect under the null hypothesis."""
        return self.margin if self.margin is not None else float(self.measure != "difference")

    @property
    def scale(self) -> str:
        """What the effects measure."""
        names = {"difference": "risk difference", "ratio": "risk ratio", "odds ratio": "odds ratio"}
        return "proportion" if self.control is None else names[self.measure]

    @property
    def assumed(self) -> str:
        """The assumptions in one line."""
        arms = f"Proportion {self.experimental:g}"
        if self.control is not None:
            arms = f"Proportions {self.experimental:g} and {self.control:g}, allocation {self.allocation:g}:1"
        against = f"{self.scale} against {self.null_value:g}"
        return f"{arms}; {against}, {self.test} test, {self.better} is better"

    def _test(self, per_arm: Array, experimental: float | None = None) -> tuple[float, float, float]:
        """The contrast (positive in favour), and its standard errors under the null hypothesis and as it is."""
        rate = self.experimental if experimental is None else experimental
        sign = 1.0 if self.better == "higher" else -1.0
        if self.control is None:
            null = self.null_value
            errors = [math.sqrt(value * (1 - value) / float(per_arm[0])) for value in (null, rate)]
            return sign * (rate - null), errors[0], errors[1]
        sizes = float(per_arm[0]), float(per_arm[1])
        fitted = restricted_rates(rate, self.control, *sizes, self.null_value, self.measure)
        under_null = contrast_variance(*fitted, *sizes, self.null_value, self.measure)
        as_it_is = contrast_variance(rate, self.control, *sizes, self.null_value, self.measure)
        distance = contrast(rate, self.control, self.null_value, self.measure)
        return sign * distance, math.sqrt(under_null), math.sqrt(as_it_is)

    def fixed_drift(self, level: float, per_arm: Array) -> float:
        """z_{1 - level} + z_power of the fixed test."""
        from scipy.special import ndtri

        z = -float(ndtri(level))
        if self.test == "exact":
            size = round(float(per_arm[0]))
            return z + float(ndtri(np.clip(self._exact_power(level, np.array([float(size)]))[0], 1e-300, 1 - 1e-16)))
        distance, null_error, error = self._test(per_arm)
        return z + (distance - z * null_error) / error

    def fixed_wrong_direction(self, level: float, per_arm: Array) -> float | None:
        """Probability of rejecting in the wrong direction in the fixed two-sided test."""
        from scipy.special import ndtr, ndtri

        if self.test == "exact":
            return float(self._mirrored()._exact_power(level, np.round(per_arm))[0])
        distance, null_error, error = self._test(per_arm)
        return float(ndtr((float(ndtri(level)) * null_error - distance) / error))

    def fixed_size(self, level: float, power: float) -> float:
        """Unrounded patients of the fixed design in all (whole ones of the exact test)."""
        from scipy.special import ndtri

        distance, null_error, error = self._test(self.split(1.0))
        if distance <= 0:
            side = "above" if self.better == "higher" else "below"
            raise InputError("experimental", self.experimental, f"a {self.scale} {side} {self.null_value:g}")
        size = ((-float(ndtri(level)) * null_error + float(ndtri(power)) * error) / distance) ** 2
        if self.test == "score":
            return size
        if size > _MOST_EXACT:
            raise InputError("experimental", self.experimental, f"a proportion further from {self.null_value:g}")
        lowest, highest = self._exact_span(level, power, size)
        if highest - lowest > _MOST_SCANNED:
            raise InputError("experimental", self.experimental, f"a proportion further from {self.null_value:g}")
        sizes = np.arange(float(lowest), highest + 1)
        enough = self._exact_power(level, sizes) >= power
        if not self.conservative:
            return float(sizes[np.argmax(enough)])
        short = sizes[~enough]
        return float(short[-1] + 1 if short.size else lowest)

    def _mirrored(self) -> Rates:
        return replace(self, better="lower" if self.better == "higher" else "higher")

    def _rejects_from(self, level: float, sizes: Array) -> Array:
        """Smallest number of favourable events at which the exact test rejects, by size; size + 1 if none does.

        By bisection, begun two events either side of the normal distribution's number where that holds it.
        """
        from scipy.special import ndtri

        null = self._favourable_rate(self.null_value)
        middle = np.floor(sizes * null - float(ndtri(level)) * np.sqrt(sizes * null * (1 - null)))
        low, high = np.clip(middle - 2, 0.0, sizes), np.clip(middle + 4, 1.0, sizes + 1)
        low = np.where(_tail(low, sizes, null) > level, low, 0.0)
        high = np.where(_tail(high, sizes, null) <= level, high, sizes + 1)
        while np.any(high - low > 1):
            middle = np.floor((low + high) / 2)
            rejects = _tail(middle, sizes, null) <= level
            low, high = np.where(rejects, low, middle), np.where(rejects, middle, high)
        return high

    def _exact_power(self, level: float, sizes: Array) -> Array:
        """Power of the exact binomial test with each of the sizes."""
        return _tail(self._rejects_from(level, sizes), sizes, self._favourable_rate(self.experimental))

    def _favourable_rate(self, rate: float) -> float:
        return rate if self.better == "higher" else 1 - rate

    def _exact_span(self, level: float, power: float, guess: float) -> tuple[int, int]:
        """Sizes below the first of which the exact test cannot have the power, and above the last of which it must.

        Let x be the number of events, not whole, at which the binomial tail, continued by the incomplete beta function,
        is just the level. The test rejects from the next whole number, so its power lies between the tails at x + 1
        and at x, which rise smoothly with the size.
        """
        from scipy.optimize import brentq

        null, rate = self._favourable_rate(self.null_value), self._favourable_rate(self.experimental)

        def tail_at(size: float, more: float) -> float:
            def excess(events: float) -> float:
                return float(_tail(np.array(events), np.array(size), null)) - level

            events = float(brentq(excess, 0.0, size + 1.0, xtol=1e-9, rtol=1e-14))  # pyright: ignore[reportArgumentType]
            return float(_tail(np.array(events + more), np.array(size), rate))

        def reaching(more: float) -> int:
            low, high = 1.0, max(guess, 2.0)
            if tail_at(low, more) >= power:
                return 1
            while tail_at(high, more) < power:
                low, high = high, 2 * high
            while high - low > 0.5:
                middle = (low + high) / 2
                low, high = (low, middle) if tail_at(middle, more) >= power else (middle, high)
            return math.ceil(high)

        lowest, highest = reaching(0.0), reaching(1.0)
        return (1 if highest < 5000 else max(lowest - 5, 1)), highest + 50

    def critical_effects(self, z: Array, information: Array, per_arm: Array) -> Array:
        """Effects at which the score test reaches the bounds with the control's assumed proportion; the scale's limit
        where none does. Of the exact test, the smallest proportion that rejects.
        """
        patients = self.by_look(information, per_arm)
        return np.array([self._critical(float(bound), sizes) for bound, sizes in zip(z, patients, strict=True)])

    def _critical(self, z: float, per_arm: Array) -> float:
        from scipy.optimize import brentq
        from scipy.special import ndtr

        if self.test == "exact":
            size = round(float(per_arm[0]))
            level = float(ndtr(-abs(z)))
            whom = self if z > 0 else self._mirrored()
            share = float(whom._rejects_from(level, np.array([float(size)]))[0]) / size
            share = share if share <= 1 else math.inf
            return share if whom.better == "higher" else 1 - share
        if self.control is None:
            null = self.null_value
            reach = z * math.sqrt(null * (1 - null) / float(per_arm[0]))
            found = null + (reach if self.better == "higher" else -reach)
            return min(max(found, 0.0), 1.0)

        def excess(rate: float) -> float:
            distance, null_error, _ = self._test(per_arm, rate)
            return distance - z * null_error if null_error else distance

        low, high = 1e-14, 1 - 1e-14
        ends = excess(low), excess(high)
        if ends[0] * ends[1] > 0:
            rate = 1.0 if (ends[1] < 0) == (self.better == "higher") else 0.0
        else:
            rate = float(brentq(excess, low, high, xtol=1e-15, rtol=1e-14))  # pyright: ignore[reportArgumentType]
        if self.measure == "difference":
            return rate - self.control
        if self.measure == "ratio":
            return rate / self.control
        return math.inf if rate >= 1 else rate / (1 - rate) * (1 - self.control) / self.control

    def _result(self, design: Rule, per_arm: Array, drift: float, fixed: float | None) -> SampleSize:
        if self.test == "exact" and len(design.information) > 1:
            raise InputError("design", f"{len(design.information)} looks", "a design of one look, for the exact test")
        return super()._result(design, per_arm, drift, fixed)

    def sample_size(self, design: Rule, power: float | None = None) -> SampleSize:
        """See `Assumptions.sample_size`; the exact test's size is whole and its power that which it has."""
        if self.test != "exact":
            return super().sample_size(design, power)
        wanted = asked_power(checked_rule(design), power)
        size = self.fixed_size(design.level, wanted)
        return replace(self.power(design, size), fixed_patients=size)

    def power(self, design: Rule, patients: float | Sequence[float]) -> SampleSize:
        """See `Assumptions.power`; the exact test wants whole patients."""
        if self.test == "exact":
            counts = np.array(real_numbers("patients", patients, "a number above 0"))
            if np.any(counts % 1 != 0) or np.any(counts > _MOST_EXACT):
                raise InputError("patients", patients, f"whole patients, at most {_MOST_EXACT:g}, for the exact test")
        return super().power(design, patients)
