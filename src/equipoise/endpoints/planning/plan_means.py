"""Sample size and power for means: one group or two, difference or ratio, t test or normal test."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt

from ...checks import choice
from ...errors import InputError
from ...estimate import Better
from .planning_checks import finite, positive, settle, whole_number
from .sample_size import Assumptions

__all__ = ["Means"]

Array = npt.NDArray[np.float64]


@lru_cache(maxsize=1)
def _normal_nodes() -> tuple[Array, Array]:
    """Gauss-Hermite nodes, and weights that sum to 1, for means over a standard normal variable."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(64)
    return nodes, weights / weights.sum()


@dataclass(frozen=True)
class Means(Assumptions):
    """Normally distributed outcomes of a common standard deviation.

    The t test's fixed design is by the noncentral t distribution (Owen 1965, Biometrika 52:437), with fractional
    degrees of freedom where the size is fractional. A group-sequential design takes that size times the rule's
    inflation factor, its bounds held against the p-value of the t test (Jennison & Turnbull 2000, section 4.4), and its
    power uses the drift at which the fixed z test has the fixed t test's power. The two agree exactly in fixed designs
    and nearly so in others.

    Parameters
    ----------
    effect
        Assumed effect: mean experimental minus mean control; their ratio where `measure` is "ratio"; the mean where
        `groups` is 1.
    standard_deviation
        Of one patient's outcome, the same in both arms; where `measure` is "ratio" in units of the control mean (the
        control's coefficient of variation).
    allocation
        Patients on experimental for each on control.
    margin
        Null value of the effect: 0 for a difference and 1 for a ratio if left out, another for non-inferiority or
        superiority by a margin.
    better
        Whether a higher or a lower mean is better.
    groups
        2, or 1 for a single mean.
    measure
        "difference", or "ratio" of the means, tested by mean1 - margin * mean2 (Kieser & Hauschke 1999, J Biopharm
        Stat 9:641).
    test
        "t", or "normal" for a standard deviation taken as known.

    Raises
    ------
    InputError
        When a value is out of range, or the effect does not lie on the better side of the margin (sample size only).
    """

    effect: float
    standard_deviation: float
    allocation: float = 1.0
    margin: float | None = None
    better: Better = "higher"
    groups: int = 2
    measure: Literal["difference", "ratio"] = "difference"
    test: Literal["t", "normal"] = "t"

    def __post_init__(self) -> None:
        settle(
            self,
            effect=finite("effect", self.effect),
            standard_deviation=positive("standard_deviation", self.standard_deviation),
            allocation=positive("allocation", self.allocation),
            better=choice("better", self.better, ("higher", "lower")),
            groups=whole_number("groups", self.groups, "1 or 2"),
            measure=choice("measure", self.measure, ("difference", "ratio")),
            test=choice("test", self.test, ("t", "normal")),
            margin=None if self.margin is None else finite("margin", self.margin),
        )
        if self.groups not in (1, 2):
            raise InputError("groups", self.groups, "1 or 2")
        if self.measure == "ratio":
            if self.groups == 1:
                raise InputError("measure", "ratio", "'difference' for one group")
            positive("effect", self.effect)
            positive("margin", self.null_value)

    @property
    def null_value(self) -> float:
        """The effect under the null hypothesis."""
        return self.margin if self.margin is not None else float(self.measure == "ratio")

    @property
    def favourable(self) -> float:
        """Distance of the effect from the null value, positive in favour of the experimental arm."""
        distance = self.effect - self.null_value
        return distance if self.better == "higher" else -distance

    @property
    def scale(self) -> str:
        """What the effects measure."""
        return "mean" if self.groups == 1 else f"mean {self.measure}" if self.measure == "difference" else "mean ratio"

    @property
    def assumed(self) -> str:
        """The assumptions in one line."""
        arms = "" if self.groups == 1 else f", allocation {self.allocation:g}:1"
        return (
            f"{self.scale.capitalize()} {self.effect:g} against {self.null_value:g}, standard deviation "
            f"{self.standard_deviation:g}{arms}; {self.test} test, {self.better} is better"
        )

    def _standard_error(self, per_arm: Array) -> Array:
        """Standard error of the statistic, for patients of shape (..., arms)."""
        weights = np.array([1.0, self.null_value**2 if self.measure == "ratio" else 1.0])[: self.groups]
        with np.errstate(divide="ignore"):
            return self.standard_deviation * np.sqrt((weights / per_arm).sum(axis=-1))

    def _missed(self, level: float, per_arm: Array, noncentrality: float) -> float:
        """Normal score of the probability that the t statistic stays below its critical value.

        By the noncentral t distribution. Where its series fails, at a noncentrality above 100, by its definition: the
        mean over the normal numerator of the chi-squared probability. In the far tails, where all digits are lost, and
        beyond 10^7 degrees of freedom, where nothing else is, by Johnson & Welch's normal approximation (1940,
        Biometrika 31:362).
        """
        from scipy.special import chdtrc, nctdtr, ndtri, stdtrit

        freedom = float(per_arm.sum()) - self.groups
        if freedom <= 0:
            raise InputError("patients", float(per_arm.sum()), f"more than {self.groups}, for a t test")
        if noncentrality < -38:
            return -noncentrality
        critical = -float(stdtrit(freedom, level))
        if freedom > 1e7:
            missed = 0.0
        elif noncentrality > 100:
            nodes, weights = _normal_nodes()
            missed = float(weights @ chdtrc(freedom, freedom * ((nodes + noncentrality) / critical) ** 2))
        else:
            missed = float(nctdtr(freedom, noncentrality, critical))
        if 1e-13 < missed < 1 - 1e-13:
            return float(ndtri(missed))
        spread = math.sqrt(1 + critical**2 / (2 * freedom))
        return (critical * (1 - 1 / (4 * freedom)) - noncentrality) / spread

    def fixed_drift(self, level: float, per_arm: Array) -> float:
        """z_{1 - level} + z_power of the fixed test."""
        from scipy.special import ndtri

        noncentrality = self.favourable / float(self._standard_error(per_arm))
        if self.test == "normal":
            return noncentrality
        return -float(ndtri(level)) - self._missed(level, per_arm, noncentrality)

    def fixed_wrong_direction(self, level: float, per_arm: Array) -> float | None:
        """Probability of rejecting in the wrong direction in the fixed two-sided t test."""
        from scipy.special import ndtr

        if self.test == "normal":
            return None
        noncentrality = self.favourable / float(self._standard_error(per_arm))
        return float(ndtr(-self._missed(level, per_arm, -noncentrality)))

    def fixed_size(self, level: float, power: float) -> float:
        """Unrounded patients of the fixed design in all."""
        from scipy.optimize import brentq
        from scipy.special import ndtri

        if self.favourable <= 0:
            side = "above" if self.better == "higher" else "below"
            raise InputError("effect", self.effect, f"an effect {side} the null value {self.null_value:g}")
        drift = -float(ndtri(level)) + float(ndtri(power))
        known = (drift * float(self._standard_error(self.split(1.0))) / self.favourable) ** 2
        if self.test == "normal":
            return known
        if known < 1e-80:
            raise InputError("effect", self.effect, "an effect of less than 1e40 standard deviations")

        def excess(size: float) -> float:
            return self.fixed_drift(level, self.split(size)) - drift

        low = high = max(known, 1e-3) + self.groups
        while excess(high) < 0:
            high = self.groups + 1.5 * (high - self.groups) + 1
        while excess(low) > 0:
            low = self.groups + (low - self.groups) / 1.5
        return float(brentq(excess, low, high, xtol=1e-11, rtol=1e-14))  # pyright: ignore[reportArgumentType]

    def critical_effects(self, z: Array, information: Array, per_arm: Array) -> Array:
        """Effects on the bounds; a t test's at its own degrees of freedom, infinite where there are none."""
        from scipy.special import ndtr, stdtrit

        multiple, patients = z.copy(), self.by_look(information, per_arm)
        if self.test == "t":
            freedom = patients.sum(axis=1) - self.groups
            with np.errstate(invalid="ignore"):
                tails = np.sign(z) * -stdtrit(np.maximum(freedom, 1e-3), ndtr(-np.abs(z)))
            multiple = np.where(z == 0, 0.0, np.where(freedom > 0, tails, np.copysign(np.inf, z)))
            multiple = np.where(np.isinf(z), z, multiple)
        distance = multiple * self._standard_error(patients)
        return self.null_value + (distance if self.better == "higher" else -distance)
