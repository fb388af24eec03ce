"""The win probability: the chance that a patient of the experimental arm does better than one of control."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from ...checks import choice, normal_quantile
from ...errors import InputError
from ...estimate import Better, Estimate, Interval, Scale
from ..batch import BatchEstimates
from .rank_moments import moments
from .two_arms import TwoArms, no_patients, two_arms
from .win_variances import log_slope

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["ErrorKind", "WinProbabilities", "WinProbability", "win_probability", "win_probability_batch"]

ErrorKind = Literal["null", "unconstrained"]
SCALES = (Scale.WIN_PROBABILITY, Scale.LOG_WIN_ODDS, Scale.NET_BENEFIT)


@dataclass(frozen=True, slots=True, eq=False)
class WinProbabilities:
    """Win probabilities of many trials; arrays of shape (trials,), NaN where an arm has no patients.

    Attributes
    ----------
    probability
        P(better than control) + P(equal) / 2.
    null_standard_error
        Its standard error where both arms have the same law: by it z is Wilcoxon's, ties counted, without continuity
        correction.
    standard_error
        Its standard error whatever the laws (DeLong et al. 1988; Brunner & Munzel 2000); NaN below two patients an arm.
    degrees_of_freedom
        Satterthwaite's, of that standard error; NaN where it is 0.
    sizes
        Patients with a value in control and in the experimental arm, shape (2, trials).
    refusals
        Why a trial has no win probability, by its number from 0.
    """

    probability: NDArray[np.float64]
    null_standard_error: NDArray[np.float64]
    standard_error: NDArray[np.float64]
    degrees_of_freedom: NDArray[np.float64]
    sizes: NDArray[np.intp]
    refusals: dict[int, InputError] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.probability)

    def estimates(self, scale: Scale = Scale.WIN_PROBABILITY, error: ErrorKind = "null") -> BatchEstimates:
        """Estimates as `WinProbability.estimate` gives them; a trial it refuses is NaN, with the reason."""
        scale, kind = _scale(scale), choice("error", error, ("null", "unconstrained"))
        effect, spread, freedom = _on_scale(self, scale, kind)
        failures = {at: str(refusal) for at, refusal in self.refusals.items()}
        for at in np.flatnonzero(~(np.isfinite(effect) & (spread > 0) & np.isfinite(spread))).tolist():
            if at not in failures:
                failures[at] = str(_no_error(self, at, kind))
        return BatchEstimates.of(effect, spread, freedom, failures)


def _scale(scale: Scale) -> Scale:
    if scale not in SCALES:
        raise InputError("scale", scale, "the win probability, the log win odds or the net benefit")
    return Scale(scale)


def _on_scale(
    found: WinProbabilities, scale: Scale, error: ErrorKind
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Effect, standard error and degrees of freedom on a scale; see `WinProbability.estimate`."""
    theta = found.probability
    null = error == "null"
    spread = found.null_standard_error if null else found.standard_error
    freedom = np.full(len(found), np.inf) if null else found.degrees_of_freedom
    if scale is Scale.WIN_PROBABILITY:
        return theta, spread, freedom
    if scale is Scale.NET_BENEFIT:
        return 2 * theta - 1, 2 * spread, freedom
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = 2 * log_slope(2 * theta - 1) if null else 1 / (theta * (1 - theta))
        return np.log(theta) - np.log1p(-theta), slope * spread, np.full(len(found), np.inf)


def _no_error(found: WinProbabilities, at: int, error: ErrorKind) -> InputError:
    """Why a trial with patients in both arms gives no estimate."""
    sizes = (int(found.sizes[0, at]), int(found.sizes[1, at]))
    if found.null_standard_error[at] == 0:
        return InputError("outcomes", "all equal", "outcomes that differ, for a win probability with an error")
    if error == "unconstrained" and min(sizes) < 2:
        return InputError("patients with a value", sizes, "at least two in each arm, for a standard error")
    return InputError(
        "win probability",
        float(found.probability[at]),
        "arms whose outcomes overlap, for a standard error on this scale",
    )


@dataclass(frozen=True, slots=True)
class WinProbability:
    """The win probability of one trial; a win is the better outcome, so that above 1/2 the experimental arm is ahead.

    Attributes
    ----------
    probability
        P(better than control) + P(equal) / 2.
    null_standard_error
        Where both arms have the same law: z is Wilcoxon's, ties counted, without continuity correction.
    standard_error
        Whatever the laws (DeLong et al. 1988; Brunner & Munzel 2000); 0 where the arms do not overlap, NaN below two
        patients an arm.
    degrees_of_freedom
        Satterthwaite's, of `standard_error`; NaN where it is 0.
    control, experimental
        Patients with a value.
    """

    probability: float
    null_standard_error: float
    standard_error: float
    degrees_of_freedom: float
    control: int
    experimental: int

    @property
    def odds(self) -> float:
        """Win odds, probability / (1 - probability) (Dong et al. 2020); infinite where every pair is won."""
        return math.inf if self.probability == 1 else self.probability / (1 - self.probability)

    @property
    def net_benefit(self) -> float:
        """Wins less losses as a share of all pairs, 2 probability - 1."""
        return 2 * self.probability - 1

    @property
    def _as_batch(self) -> WinProbabilities:
        return WinProbabilities(
            np.array([self.probability]),
            np.array([self.null_standard_error]),
            np.array([self.standard_error]),
            np.array([self.degrees_of_freedom]),
            np.array([[self.control], [self.experimental]]),
        )

    def estimate(self, scale: Scale = Scale.WIN_PROBABILITY, error: ErrorKind = "null", label: str = "") -> Estimate:
        """As an `Estimate`, higher being better.

        Parameters
        ----------
        scale
            Win probability (null value 1/2), log win odds or net benefit.
        error
            "null": if the laws are the same, normal reference, what a test or a stopping rule wants; of the log win
            odds test-based, the effect over the z of the win probability (Miettinen 1976, Am J Epidemiol 103:226), so
            that z is Wilcoxon's on every scale (at 1/2 by the delta method, the limit). "unconstrained": whatever the
            laws, what an interval wants, by the delta method; t reference, so that the p-value is the Brunner-Munzel
            test's, but normal for the log win odds, whose distance from the truth has shorter tails.

        Raises
        ------
        InputError
            Where the standard error is 0 or not defined: equal outcomes throughout, arms that do not overlap.
        """
        scale, kind = _scale(scale), choice("error", error, ("null", "unconstrained"))
        one = self._as_batch
        effect, spread, freedom = (float(values[0]) for values in _on_scale(one, scale, kind))
        if not (math.isfinite(effect) and spread > 0 and math.isfinite(spread)):
            raise _no_error(one, 0, kind)
        return Estimate(effect, spread, freedom, scale, "higher", scale.null_value, label or scale.natural_name)

    def interval(self, level: float = 0.95, method: Literal["logit", "wald", "score"] = "logit") -> Interval:
        """Confidence interval of the win probability.

        Parameters
        ----------
        method
            "logit": symmetric on the scale of the log odds, by the unconstrained standard error and a normal quantile,
            so that it stays inside (0, 1) (Brunner, Bathke & Konietschke 2018, Rank and Pseudo-Rank Procedures, section
            3.7). "wald": symmetric about the estimate, cut at 0 and 1. "score": Newcombe's method 5 (2006, Stat Med
            25:559), the values whose own error, after Hanley & McNeil (1982), covers the estimate; defined for any
            data.

        Raises
        ------
        InputError
            For "logit" and "wald" where the arms do not overlap or all outcomes are equal.
        """
        if choice("method", method, ("logit", "wald", "score")) == "score":
            return _score_interval(self, level)
        if method == "wald":
            return self.estimate(error="unconstrained").interval(level)
        limits = self.estimate(Scale.LOG_WIN_ODDS, "unconstrained").interval(level)
        return Interval(_expit(limits.lower), _expit(limits.upper), level)

    def defined_interval(self, level: float = 0.95) -> Interval:
        """The interval on the logit scale; Newcombe's where every pair is won, or lost, and there is no spread to go
        by.
        """
        try:
            return self.interval(level)
        except InputError:
            return self.interval(level, "score")

    def __str__(self) -> str:
        return (
            f"win probability {self.probability:.4g} (SE {self.standard_error:.4g}): "
            f"{self.experimental} against {self.control} patients"
        )


def _expit(log_odds: float) -> float:
    from scipy.special import expit

    return float(expit(log_odds))


def _score_interval(found: WinProbability, level: float) -> Interval:
    """Values theta with |estimate - theta| <= z SE(theta), SE of exponential laws and the mean size of the arms."""
    from scipy.optimize import brentq

    z = normal_quantile(level)
    size = (found.control + found.experimental) / 2

    estimate = found.probability

    def excess(theta: float) -> float:
        spread = (2 * size - 1 - 3 * (size - 1) / ((2 - theta) * (1 + theta))) / (found.control * found.experimental)
        if estimate == 1:  # divided by 1 - theta, and below by theta: the estimate itself is a root, not a limit
            return 1 - theta - z**2 * theta * spread
        if estimate == 0:
            return theta - z**2 * (1 - theta) * spread
        return (estimate - theta) ** 2 - z**2 * theta * (1 - theta) * spread

    lower = 0.0 if estimate == 0 else float(brentq(excess, 0.0, estimate, xtol=1e-15, rtol=1e-14))  # pyright: ignore[reportArgumentType]
    upper = 1.0 if estimate == 1 else float(brentq(excess, estimate, 1.0, xtol=1e-15, rtol=1e-14))  # pyright: ignore[reportArgumentType]
    return Interval(lower, upper, level)


def _found(arms: TwoArms, better: Better) -> WinProbabilities:
    summed = moments(arms)
    sizes = summed.sizes.astype(float)
    pairs = sizes[0] * sizes[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        probability = summed.statistic / pairs
        null = np.sqrt(summed.variance) / pairs
        parts = summed.spread / (sizes * (sizes - 1))
        variance = parts.sum(axis=0)
        freedom = variance**2 / np.sum(parts**2 / (sizes - 1), axis=0)
    if choice("better", better, ("higher", "lower")) == "lower":
        probability = 1 - probability
    refusals = {at: no_patients(*summed.sizes[:, at]) for at in np.flatnonzero(pairs == 0).tolist()}
    return WinProbabilities(probability, null, np.sqrt(variance), freedom, summed.sizes, refusals)


def win_probability_batch(values: ArrayLike, arm: ArrayLike, *, better: Better = "higher") -> WinProbabilities:
    """Win probabilities of many trials at once, by one sort of each.

    Parameters
    ----------
    values
        Outcomes, NaN where missing, shape (trials, patients); infinite ones are worse or better than any other.
    arm
        1 (experimental), 0 (control) or -1 (no patient, or one of another arm), shape (trials, patients).
    better
        Whether the higher or the lower outcome wins.

    Raises
    ------
    InputError
        For values that are not numbers, arms other than these, or shapes that do not fit.
    """
    return _found(two_arms(values, arm, 2), better)


def win_probability(values: ArrayLike, arm: ArrayLike, *, better: Better = "higher") -> WinProbability:
    """The win probability P(Y1 better than Y0) + P(Y1 = Y0) / 2 of one trial: the area under the ROC curve.

    Estimated by Mann & Whitney's U over all pairs, with DeLong, DeLong & Clarke-Pearson's variance (1988, Biometrics
    44:837), which is Brunner & Munzel's (2000, Biometrical J 42:17).

    Parameters
    ----------
    values
        Outcomes, NaN where missing, shape (patients,); infinite ones are worse or better than any other.
    arm
        1 (experimental), 0 (control) or -1 (left out), shape (patients,).
    better
        Whether the higher or the lower outcome wins.

    Raises
    ------
    InputError
        For bad input, and where an arm has no patient with a value.
    """
    found = _found(two_arms(values, arm, 1), better)
    if found.refusals:
        raise found.refusals[0]
    return WinProbability(
        float(found.probability[0]),
        float(found.null_standard_error[0]),
        float(found.standard_error[0]),
        float(found.degrees_of_freedom[0]),
        int(found.sizes[0, 0]),
        int(found.sizes[1, 0]),
    )
