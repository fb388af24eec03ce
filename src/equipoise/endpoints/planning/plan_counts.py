"""Sample size and power for counts of recurrent events, negative binomial or Poisson."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt

from ...checks import choice
from ...errors import InputError
from ...estimate import Better
from .accrual import Accrual
from .planning_checks import arm_patients, at_least_zero, finite, positive, real_numbers, settle
from .sample_size import Assumptions

__all__ = ["Counts"]

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Counts(Assumptions):
    """Counts with mean rate * exposure and variance mean + dispersion * mean^2, compared by their rates' ratio.

    The maximum likelihood estimate of the log rate ratio has information 1 / (1 / S1 + 1 / S2), where S is the sum over
    an arm's patients of m / (1 + dispersion * m), m the patient's expected count (Lawless 1987, Can J Stat 15:209;
    Zhu & Lakkis 2014, Stat Med 33:376; Muetze, Glimm, Schmidli & Friede 2019, Stat Methods Med Res 28:2326).

    Parameters
    ----------
    experimental, control
        Events per patient and unit of time.
    dispersion
        Shape parameter of the variance, at least 0; 0 for Poisson counts.
    exposure
        Time each patient is followed; or several times, which the patients of each arm have in equal shares.
    accrual
        With `follow_up` instead of `exposure`: every patient is followed from entry until the trial's end. Time over
        which patients come evenly, or an `Accrual`, whose intensities then count as relative.
    follow_up
        Time from the end of accrual to the trial's end, at least 0.
    allocation
        Patients on experimental for each on control.
    margin
        Rate ratio under the null hypothesis.
    better
        Whether a higher or a lower rate is better.
    null_variance
        Rates at which the fixed design takes the variance under the null hypothesis, in the order of Zhu & Lakkis's
        approaches: 1 "control" (the control's rate, times the margin in the experimental arm), 2 "assumed" (the same as
        under the alternative, that of the Wald test), 3 "restricted" (maximum likelihood under the null hypothesis).

    Raises
    ------
    InputError
        When a value is out of range, or the ratio does not lie on the better side of the margin (sample size only).
    """

    experimental: float
    control: float
    dispersion: float = 0.0
    exposure: float | tuple[float, ...] | None = None
    accrual: float | Accrual | None = None
    follow_up: float | None = None
    allocation: float = 1.0
    margin: float = 1.0
    better: Better = "lower"
    null_variance: Literal["control", "assumed", "restricted"] = "assumed"
    _effect_name: ClassVar[str] = "experimental"

    def __post_init__(self) -> None:
        settle(
            self,
            **{
                name: positive(name, getattr(self, name))
                for name in ("experimental", "control", "allocation", "margin")
            },
            dispersion=at_least_zero("dispersion", self.dispersion),
            better=choice("better", self.better, ("higher", "lower")),
            null_variance=choice("null_variance", self.null_variance, ("control", "assumed", "restricted")),
        )
        if (self.exposure is None) == (self.accrual is None):
            raise InputError("exposure", self.exposure, "either an exposure, or accrual with follow_up")
        if self.exposure is not None:
            expected = "a finite time above 0, or several"
            times = real_numbers("exposure", self.exposure, expected)
            if not times or min(times) <= 0:
                raise InputError("exposure", self.exposure, expected)
            times = tuple(positive("exposure", time) for time in times)
            if self.follow_up is not None:
                raise InputError("follow_up", self.follow_up, "nothing where the exposure is given")
            settle(self, exposure=times[0] if len(times) == 1 else times)
            return
        settle(self, follow_up=at_least_zero("follow_up", self.follow_up, "a finite time of at least 0, with accrual"))
        if not isinstance(self.accrual, Accrual):
            settle(self, accrual=positive("accrual", self.accrual, "a time above 0, or an Accrual"))
        elif self.accrual.is_open:
            raise InputError("accrual", self.accrual, "accrual that ends")

    @property
    def ratio(self) -> float:
        """Assumed rate ratio, experimental to control."""
        return self.experimental / self.control

    @property
    def favourable(self) -> float:
        """Log rate ratio less the log of the margin, positive in favour of the experimental arm."""
        distance = math.log(self.ratio) - math.log(self.margin)
        return distance if self.better == "higher" else -distance

    @property
    def scale(self) -> str:
        """What the effects measure."""
        return "rate ratio"

    @property
    def assumed(self) -> str:
        """The assumptions in one line."""
        if self.exposure is None:
            span = f"accrual over {self._course.end:g}, follow-up {self.follow_up:g}"
        elif isinstance(self.exposure, tuple):
            span = f"mean exposure {np.mean(self.exposure):g}"
        else:
            span = f"exposure {self.exposure:g}"
        return (
            f"Rates {self.experimental:g} and {self.control:g} (ratio {self.ratio:.4g} against {self.margin:g}), "
            f"dispersion {self.dispersion:g}, {span}, allocation {self.allocation:g}:1; {self.better} is better"
        )

    @cached_property
    def _course(self) -> Accrual:
        """Accrual whose intensities integrate to 1, the density of the time of entry."""
        course = self.accrual if isinstance(self.accrual, Accrual) else Accrual.uniform(float(self.accrual or 1.0))
        return course.scaled(1.0 / course.total)

    @property
    def _end(self) -> float:
        """Calendar time of the trial's end."""
        return self._course.end + float(self.follow_up or 0.0)

    def _weight(self, rate: float, time: float | None = None) -> float:
        """Mean over all patients of an arm of m / (1 + dispersion * m), at a calendar time or at the end.

        Those who have not come yet count as 0.
        """
        if self.exposure is not None:
            counts = rate * np.atleast_1d(np.asarray(self.exposure))
            return float((counts / (1 + self.dispersion * counts)).mean())
        course = self._course
        end = self._end if time is None else time
        areas = [self._area(rate, max(end - start, 0.0)) for start in course.breaks]
        densities = course.intensities or ()
        return sum(share * (areas[at] - areas[at + 1]) for at, share in enumerate(densities))

    def _area(self, rate: float, time: float) -> float:
        """Integral of m / (1 + dispersion * m) over exposures from 0 to `time`."""
        if self.dispersion == 0:
            return rate * time**2 / 2
        x = self.dispersion * rate * time
        series = x**2 * (1 / 2 - x * (1 / 3 - x * (1 / 4 - x * (1 / 5 - x / 6))))
        return (series if x < 1e-3 else x - math.log1p(x)) / (self.dispersion**2 * rate)

    def _variance(self, rates: tuple[float, float], per_arm: Array, time: float | None = None) -> float:
        """Variance of the log rate ratio at given rates, infinite before anybody has come."""
        weights = [self._weight(rate, time) for rate in rates]
        if min(weights) <= 0 or np.any(per_arm <= 0):
            return math.inf
        return sum(1 / (count * weight) for count, weight in zip(per_arm.tolist(), weights, strict=True))

    def information(self, per_arm: Array | tuple[float, float], time: float | None = None) -> float:
        """Information about the log rate ratio at the assumed rates.

        Parameters
        ----------
        per_arm
            All patients to come, experimental and control.
        time
            Calendar time since accrual began; by default at the trial's end.
        """
        if time is not None:
            time = finite("time", time)
        return 1.0 / self._variance((self.experimental, self.control), arm_patients(per_arm), time)

    def time_of(self, information: float, per_arm: Array | tuple[float, float]) -> float:
        """Calendar time at which the trial has so much information; raises `InputError` where it never has, or where
        the exposure was given and there is no calendar.
        """
        from scipy.optimize import brentq

        if self.exposure is not None:
            raise InputError("accrual", None, "accrual and follow_up, for looks to have a calendar time")
        end = self._end
        most = self.information(per_arm, end)
        expected = f"a number above 0 and at most {most:.6g}, that at the trial's end"
        if not 0 < finite("information", information, expected) <= most * (1 + 1e-9):
            raise InputError("information", information, expected)
        if information >= most:
            return end

        def excess(time: float) -> float:
            return self.information(per_arm, time) - information

        return float(brentq(excess, end * 1e-9, end, xtol=1e-12, rtol=1e-14))  # pyright: ignore[reportArgumentType]

    def _null_rates(self) -> tuple[float, float]:
        """Rates under the null hypothesis, as `null_variance` has them."""
        from scipy.optimize import brentq

        if self.null_variance == "assumed":
            return self.experimental, self.control
        if self.null_variance == "control" or self.ratio == self.margin:
            return self.control * self.margin, self.control
        low, high = sorted((self.control, self.experimental / self.margin))

        def score(rate: float) -> float:
            arms = ((self.allocation, self.experimental, rate * self.margin), (1.0, self.control, rate))
            return sum(size * (true / fitted - 1) * self._weight(fitted) for size, true, fitted in arms)

        fitted = float(brentq(score, low, high, xtol=1e-15, rtol=1e-14))  # pyright: ignore[reportArgumentType]
        return fitted * self.margin, fitted

    def fixed_drift(self, level: float, per_arm: Array) -> float:
        """z_{1 - level} + z_power of the fixed test."""
        from scipy.special import ndtri

        error = math.sqrt(self._variance((self.experimental, self.control), per_arm))
        z = -float(ndtri(level))
        null_error = math.sqrt(self._variance(self._null_rates(), per_arm))
        return z + (self.favourable - z * null_error) / error

    def fixed_size(self, level: float, power: float) -> float:
        """Unrounded patients of the fixed design in all."""
        from scipy.special import ndtri

        if self.favourable <= 0:
            side = "above" if self.better == "higher" else "below"
            raise InputError("experimental", self.experimental, f"a rate ratio {side} {self.margin:g}")
        one = self.split(1.0)
        error = math.sqrt(self._variance((self.experimental, self.control), one))
        null_error = math.sqrt(self._variance(self._null_rates(), one))
        return ((-float(ndtri(level)) * null_error + float(ndtri(power)) * error) / self.favourable) ** 2

    def look_times(self, information: Array, per_arm: Array) -> Array | None:
        """Calendar times at which the information fractions are reached, shape (looks,); None without accrual."""
        if self.exposure is not None:
            return None
        most = self.information(per_arm)
        return np.array([self.time_of(float(fraction) * most, per_arm) for fraction in information])

    def by_look(self, information: Array, per_arm: Array) -> Array:
        """Patients who have come by each look, shape (looks, arms); without accrual as many as the information."""
        times = self.look_times(information, per_arm)
        if times is None:
            return super().by_look(information, per_arm)
        return self._course.patients_by(times)[:, None] * per_arm

    def critical_effects(self, z: Array, information: Array, per_arm: Array) -> Array:
        """Rate ratios at which Wald's test reaches the bounds while the control has its assumed rate.

        The variance is that at the estimated rates. A ratio far below the margin rests on few events; where the
        variance outgrows it before the bound is reached, no estimate reaches the bound, and its ratio is 0.
        """
        times = self.look_times(information, per_arm)
        if times is None:
            looks = [(bound, counts, None) for bound, counts in zip(z, self.by_look(information, per_arm), strict=True)]
        else:
            looks = [(bound, per_arm, float(time)) for bound, time in zip(z, times, strict=True)]
        return np.array([self._critical(float(bound), counts, time) for bound, counts, time in looks])

    def _critical(self, z: float, per_arm: Array, time: float | None) -> float:
        from scipy.optimize import brentq, minimize_scalar

        upwards = (z > 0) == (self.better == "higher")
        if z == 0:
            return self.margin
        if math.isinf(z):
            return math.inf if upwards else 0.0
        sign = 1.0 if upwards else -1.0

        def excess(distance: float) -> float:
            rates = (self.control * self.margin * math.exp(sign * distance), self.control)
            return distance - abs(z) * math.sqrt(self._variance(rates, per_arm, time))

        far = 1.0
        if upwards:
            while excess(far) < 0 and far < 500:
                far *= 2
        else:
            far = float(minimize_scalar(lambda distance: -excess(distance), bounds=(0.0, 50.0), method="bounded").x)  # pyright: ignore[reportAttributeAccessIssue]
        if excess(far) < 0:
            return math.inf if upwards else 0.0
        distance = float(brentq(excess, 0.0, far, xtol=1e-14, rtol=1e-14))  # pyright: ignore[reportArgumentType]
        return self.margin * math.exp(sign * distance)
