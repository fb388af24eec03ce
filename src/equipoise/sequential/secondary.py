"""What an endpoint other than the one that stopped the trial is worth after the stop.

The trial was watched by one estimate, X_k at look k with standard error s_k; another, Y_k with standard error t_k, was
looked at in the end. As far as the two are correlated, Y is as biased by the stop as X: with beta_k = rho_k t_k / s_k
and independent increments, Y_k - beta_k X_k is independent of all that was seen of X up to look k, with mean
psi - beta_k theta and variance t_k^2 (1 - rho_k^2). What is known of theta after the stop becomes known of psi:

- bias-adjusted, Y - beta (X - theta_adjusted), with Whitehead's estimate (1986, Biometrika 73:573); Whitehead 1986,
  Biometrics 42:461, "Supplementary analysis at the conclusion of a sequential clinical trial";
- unbiased, Y - beta (X - theta_unbiased), exactly so while beta is the same at every look (Liu & Hall 2001);
- median-unbiased with its interval: quantiles of the law of Y - beta (X - M) + t sqrt(1 - rho^2) N, where M has the
  confidence distribution of theta by the stage-wise ordering and N is standard normal, see `secondary_law`. Exact where
  rho is 0, 1 or -1. Between, simulated with designs in use, the coverage of a 95 % interval was 94.9 to 95.5 %, and
  medians lay above the truth in 49.0 to 51.2 % of trials, where as observed it was 92.7 to 96 % and 40 to 59 %. Hall &
  Yakir (2003, Biometrika 90:597) and Whitehead, Todd & Hall (2000, JRSS B 62:731) treat the same question;
- conditional on the stop, exact whatever theta, see `secondary_conditional`.

Everything is found on the scale of the two favourable z and read as effects by the t distribution of the second
estimate (`Estimate.effect_at_mean`). The correlation is taken as known; give several to see how much depends on it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ..checks import any_shape, confidence_level, instance
from ..errors import InputError
from ..estimate import Better, Estimate, Interval
from ..estimate_arrays import effect_at_mean_of
from .conclusion import Conclusion
from .conditional import Given
from .estimate_table import EffectEstimate, EstimateTable
from .secondary_conditional import conditional_shifts
from .secondary_law import ConfidenceLaw
from .unbiased import unbiased_estimate

__all__ = ["EstimateWithLimits", "SecondaryEstimates", "favourable_correlation", "secondary_estimates"]

Array = npt.NDArray[np.float64]
Numbers = Array | float


@dataclass(frozen=True, eq=False)
class EstimateWithLimits:
    """An estimate and its confidence limits, numbers, or arrays of the shape of the correlations.

    Attributes
    ----------
    estimate, lower, upper
        On the scale and with the sign of the observed estimate (ratios as natural logarithms), cut where it ends.
    """

    estimate: Numbers
    lower: Numbers
    upper: Numbers


@dataclass(frozen=True, eq=False, repr=False)
class SecondaryEstimates:
    """Estimates of a second effect after a trial that stopped for the first; see the module for each.

    Numbers, or arrays of the shape of the correlations where several were given. Effects are on the scale and with the
    sign of `observed` (ratios as natural logarithms).

    Attributes
    ----------
    observed
        The second estimate at the look of the stop.
    correlation
        Of the two estimates, as given.
    level
        Of every interval.
    naive
        As observed, as if there had been no interim look, by its own t.
    bias_adjusted
        Whitehead's (1986).
    unbiased
        By the unbiased estimate of the first effect.
    median_unbiased
        By the confidence distribution of the first effect.
    given_look, given_exit
        Conditional on the look alone, or on the way out there as well: median-unbiased, with exact limits. Infinite, or
        where the scale ends, if the first z lies exactly on its bound.
    """

    observed: Estimate
    correlation: Numbers
    level: float
    naive: EstimateWithLimits
    bias_adjusted: Numbers
    unbiased: Numbers
    median_unbiased: EstimateWithLimits
    given_look: EstimateWithLimits
    given_exit: EstimateWithLimits
    _note: str = field(default="", repr=False)

    def table(self) -> EstimateTable:
        """The estimates one below the other, of a single correlation.

        Raises
        ------
        InputError
            When several correlations were given.
        """
        if np.ndim(self.correlation):
            raise InputError("correlation", self.correlation, "a single correlation, for a table")
        rows = [
            self._row("as observed", self.naive),
            EffectEstimate("bias-adjusted", float(self.bias_adjusted), None),
            EffectEstimate("unbiased", float(self.unbiased), None),
            self._row("median-unbiased", self.median_unbiased),
            self._row("conditional median-unbiased, given look", self.given_look),
            self._row("conditional median-unbiased, given exit", self.given_exit),
        ]
        return EstimateTable(tuple(rows), self.observed.scale, self.observed.null_value, self._note)

    def _row(self, name: str, found: EstimateWithLimits) -> EffectEstimate:
        return EffectEstimate(name, float(found.estimate), Interval(float(found.lower), float(found.upper), self.level))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, of a single correlation; infinite values are None."""
        table = self.table()
        return {"correlation": float(self.correlation), "level": self.level, "estimates": table.to_dict()}

    def __str__(self) -> str:
        if np.ndim(self.correlation) == 0:
            return f"Correlation {self.correlation:.4g} with the estimate that stopped the trial\n{self.table()}"
        flat = np.ravel(self.correlation)
        each = [(value, self._at(place).table()) for place, value in enumerate(flat)]
        return "\n".join(f"Correlation {value:.4g}\n{table}" for value, table in each)

    def _at(self, place: int) -> SecondaryEstimates:
        def one(values: Numbers) -> float:
            return float(np.ravel(values)[place])

        def three(found: EstimateWithLimits) -> EstimateWithLimits:
            return EstimateWithLimits(one(found.estimate), one(found.lower), one(found.upper))

        return SecondaryEstimates(
            self.observed,
            one(self.correlation),
            self.level,
            three(self.naive),
            one(self.bias_adjusted),
            one(self.unbiased),
            three(self.median_unbiased),
            three(self.given_look),
            three(self.given_exit),
            self._note,
        )

    __repr__ = __str__


def favourable_correlation(correlation: npt.ArrayLike, first: Better, second: Better) -> Array:
    """Correlation of two estimates each counted as favourable, from that on their own scales, any shape.

    Raises
    ------
    InputError
        When one is not between -1 and 1.
    """
    right = "a correlation between -1 and 1, or an array of them"
    given = any_shape("correlation", correlation, right, missing=True)
    if not np.all(np.isnan(given) | (np.abs(given) <= 1)):
        raise InputError("correlation", correlation, right)
    return given if first == second else -given


def secondary_estimates(
    conclusion: Conclusion, estimate: Estimate, correlation: npt.ArrayLike, level: float | None = None
) -> SecondaryEstimates:
    """What a second endpoint is worth after a trial that stopped for the first.

    Parameters
    ----------
    conclusion
        What the trial concluded of the endpoint that stopped it.
    estimate
        Of the second endpoint at the same look, from the same patients.
    correlation
        Of the two estimates there, each on its own scale and with its own sign, from -1 to 1: a number, or an array of
        any shape for the range it may have. Where higher is better in one and lower in the other, and treatment does
        good in both, it tends to be negative.
    level
        Of the intervals; by default that of the conclusion.

    Returns
    -------
    With correlation 1 and the first estimate itself, what the conclusion says of it; with 0 the estimate as observed.

    Raises
    ------
    InputError
        While the trial goes on, or when an argument is of another kind or out of range.
    """
    conclusion = instance("conclusion", conclusion, Conclusion, "a Conclusion, as design.conclude gives")
    estimate = instance("estimate", estimate, Estimate, "an Estimate")
    if not conclusion.decision.stops or conclusion.interval is None:
        raise InputError("decision", str(conclusion.decision), "a trial that has stopped")
    chosen = conclusion.interval.level if level is None else confidence_level(level)
    given = favourable_correlation(correlation, conclusion.observed.better, estimate.better)
    if np.isnan(given).any():
        raise InputError("correlation", correlation, "a correlation between -1 and 1, or an array of them")
    rho, shape = given.ravel(), given.shape
    trial, look = conclusion.trial, conclusion.trial.look
    z, y = np.array([conclusion.z]), estimate.favourable_z
    space = trial.space.ending(look, conclusion.z)
    tail = 0.5 * (1.0 - chosen)
    probabilities = np.array((0.5, tail, 1.0 - tail))

    def effects(shifts: Array) -> Numbers:
        """Effects under which y has means y + `shifts`."""
        freedom = estimate.degrees_of_freedom
        found = effect_at_mean_of(
            y + shifts, y, estimate.effect, estimate.standard_error, freedom, estimate.better, estimate.scale
        )
        return float(found[0]) if not shape else found.reshape(shape)

    def with_limits(shifts: Array) -> EstimateWithLimits:
        found, low, high = (effects(row) for row in shifts)
        if estimate.better == "lower":
            low, high = high, low
        return EstimateWithLimits(found, low, high)

    def conditional(given: Given) -> EstimateWithLimits:
        each = np.repeat(probabilities, rho.size)
        values = np.tile(rho, 3)
        shifts = conditional_shifts(space, look, np.full(values.size, z[0]), values, each, given)
        return with_limits(shifts.reshape(3, rho.size))

    ends = estimate.interval(chosen)
    full = np.broadcast_to
    naive = (
        EstimateWithLimits(estimate.effect, ends.lower, ends.upper)
        if not shape
        else EstimateWithLimits(*(full(value, shape) for value in (estimate.effect, ends.lower, ends.upper)))
    )
    unbiased = float(unbiased_estimate(space, look, z)[0]) * math.sqrt(conclusion.information[-1])
    note = ""
    if math.isfinite(estimate.degrees_of_freedom):
        note = f"z is the normal score of t with {estimate.degrees_of_freedom:.4g} df; effects are by that t"
    return SecondaryEstimates(
        observed=estimate,
        correlation=np.asarray(correlation, dtype=np.float64) if shape else float(np.asarray(correlation)),
        level=chosen,
        naive=naive,
        bias_adjusted=effects(rho * (trial.bias_adjusted(conclusion.z) - conclusion.z)),
        unbiased=effects(rho * (unbiased - conclusion.z)),
        median_unbiased=with_limits(ConfidenceLaw.of(trial, z).quantiles(rho, probabilities)[:, 0]),
        given_look=conditional(Given.LOOK),
        given_exit=conditional(Given.EXIT),
        _note=note,
    )
