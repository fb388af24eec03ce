"""Sample size and power for proportions: difference, ratio or odds ratio of two, or one against a fixed value."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from ..errors import InputError
from ..estimate import Better
from .planning_checks import check_choice, check_finite, check_positive
from .restricted_rates import contrast, contrast_variance, restricted_rates
from .sample_size import Assumptions, Rule, asked_power
from .sample_size_result import SampleSize

__all__ = ["Rates"]

Array = npt.NDArray[np.float64]


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

    def __post_init__(self) -> None:
        check_positive(allocation=self.allocation)
        check_choice("measure", self.measure, ("difference", "ratio", "odds ratio"))
        check_choice("better", self.better, ("higher", "lower"))
        check_choice("test", self.test, ("score", "exact"))
        for name, rate in (("experimental", self.experimental), ("control", self.control)):
            if rate is not None and not 0 < rate < 1:
                raise InputError(name, rate, "a proportion above 0 and below 1")
        if self.control is None:
            if self.margin is None or not 0 < self.margin < 1:
                raise InputError("margin", self.margin, "the proportion to test against, for one group")
            if self.measure != "difference":
                raise InputError("measure", self.measure, "'difference' for one group")
        elif self.test == "exact":
            raise InputError("test", self.test, "'score' for two groups")
        if self.margin is not None:
            check_finite(margin=self.margin)
            if self.measure == "difference" and not -1 < self.margin < 1:
                raise InputError("margin", self.margin, "a difference above -1 and below 1")
            if self.measure != "difference":
                check_positive(margin=self.margin)

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
        last = math.ceil(2 * size) + 50
        while True:
            sizes = np.arange(1.0, last + 1)
            enough = self._exact_power(level, sizes) >= power
            if enough[last // 2 :].all():
                return float(np.argmax(enough) + 1 if not self.conservative else np.flatnonzero(~enough)[-1] + 2)
            last *= 2

    def _mirrored(self) -> Rates:
        return replace(self, better="lower" if self.better == "higher" else "higher")

    def _rejects_from(self, level: float, sizes: Array) -> Array:
        """Smallest number of favourable events at which the exact test rejects, by size; size + 1 if none does."""
        from scipy.special import bdtrc

        null = self.null_value if self.better == "higher" else 1 - self.null_value
        low, high = np.zeros(sizes.shape), sizes + 1.0
        while np.any(high - low > 1):
            middle = np.floor((low + high) / 2)
            rejects = np.where(middle > sizes, True, bdtrc(middle - 1, sizes.astype(np.int64), null) <= level)
            low, high = np.where(rejects, low, middle), np.where(rejects, middle, high)
        return high

    def _exact_power(self, level: float, sizes: Array) -> Array:
        """Power of the exact binomial test with each of the sizes."""
        from scipy.special import bdtrc

        rate = self.experimental if self.better == "higher" else 1 - self.experimental
        first = self._rejects_from(level, sizes)
        return np.where(first > sizes, 0.0, bdtrc(np.minimum(first, sizes) - 1, sizes.astype(np.int64), rate))

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
        size = self.fixed_size(design.level, asked_power(design, power))
        return replace(self.power(design, size), fixed_patients=size)

    def power(self, design: Rule, patients: float | Sequence[float]) -> SampleSize:
        """See `Assumptions.power`; the exact test wants whole patients."""
        if self.test == "exact" and not np.all(np.asarray(patients) % 1 == 0):
            raise InputError("patients", patients, "whole patients, for the exact test")
        return super().power(design, patients)
