"""The effect as it would be at other rates of correct guesses: the correct-guess-rate curve."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ...checks import confidence_level, number, numbers
from ...errors import InputError, NotEstimable
from ...estimate import Better, Estimate, Interval, Scale
from ...plain import plain
from ...text_table import text_table
from .strata import KINDS, Strata, strata_of

if TYPE_CHECKING:
    import polars
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]

__all__ = ["CAUTION", "GuessRateCurve", "correct_guess_rate_curve", "curve_effects"]

CAUTION = (
    "A guess comes after the treatment and often after its effect: patients who get better may guess the experimental "
    "arm because they got better. Re-weighting by the guess then removes part of a true effect or adds a false one, so "
    "the curve shows how much hangs on the guesses, not what a perfectly blind trial would have found."
)
_RATES = tuple(np.linspace(0.0, 1.0, 21).tolist())


@dataclass(frozen=True, eq=False, repr=False)
class GuessRateCurve:
    """Difference of means, experimental minus control, as a function of the rate of correct guesses.

    Szigeti, Nutt, Carhart-Harris & Erritzoe 2023, Sci Rep 13:12107. Each patient who guessed right is given the weight
    rate / observed rate, each who guessed wrong (1 - rate) / (1 - observed rate); those who do not know keep theirs.
    Szigeti et al. draw pseudo-trials of that make-up from kernel density estimates of the strata and average their
    differences of means; with symmetric kernels their average tends to what is given here in closed form, without the
    error of drawing and without rounding shares and scores.

    Attributes
    ----------
    strata
        Sizes, means and variances, shape (2, 3): control and experimental arm by correct, wrong, don't know.
    rates
        Rates of correct guesses among those who name an arm, at which the curve is shown.
    level
        Of the intervals.
    scale, better, label
        Of the estimates.
    caution
        What has to be said with it.
    """

    strata: Strata
    rates: tuple[float, ...] = _RATES
    level: float = 0.95
    scale: Scale = Scale.MEAN_DIFFERENCE
    better: Better = "higher"
    label: str = ""
    caution: str = field(default=CAUTION, init=False)

    def __post_init__(self) -> None:
        right = "rates of correct guesses from 0 to 1"
        rates = numbers("rates", self.rates, right)
        if not rates.size or np.any((rates < 0) | (rates > 1)):
            raise InputError("rates", self.rates, right)
        object.__setattr__(self, "rates", tuple(rates.tolist()))
        confidence_level(self.level)

    @property
    def observed_rate(self) -> float:
        """Correct guesses among those who name an arm and have an outcome."""
        correct, wrong, _ = self.strata.size.sum(axis=0)
        return float(correct / (correct + wrong))

    @cached_property
    def unadjusted(self) -> Estimate:
        """Difference of means of all with an outcome and an answer (Welch's): the curve at the observed rate."""
        size, mean, variance = self.strata.size, self.strata.mean, self.strata.variance
        filled = np.where(size > 0, mean, 0.0)
        total = size.sum(axis=1)
        means = (size * filled).sum(axis=1) / total
        within = np.where(size > 1, variance, 0.0) * np.maximum(size - 1, 0.0)
        squares = within.sum(axis=1) + (size * (filled - means[:, None]) ** 2).sum(axis=1)
        parts = squares / (total - 1) / total
        freedom = parts.sum() ** 2 / (parts**2 / (total - 1)).sum() if parts.any() else math.inf
        return self._estimate(float(means[1] - means[0]), float(np.sqrt(parts.sum())), float(freedom))

    def at(self, rate: float) -> Estimate:
        """The difference at a rate of correct guesses; at 1/2 as if guesses were those of a coin.

        Its standard error counts the variances within strata, each with its own degrees of freedom (Satterthwaite), and
        the chance by which patients fell into the strata (delta method); the rate is taken as given.
        """
        if not 0 <= number("rate", rate, "a rate of correct guesses from 0 to 1") <= 1:
            raise InputError("rate", rate, "a rate of correct guesses from 0 to 1")
        effect, error, freedom, _ = curve_effects(self.strata, (rate,))
        return self._estimate(float(effect[0]), float(error[0]), float(freedom[0]))

    def _estimate(self, effect: float, error: float, freedom: float) -> Estimate:
        return Estimate(effect, error, freedom, self.scale, self.better, 0.0, self.label)

    @cached_property
    def estimates(self) -> tuple[Estimate, ...]:
        """The difference at each of `rates`."""
        return tuple(self.at(rate) for rate in self.rates)

    @property
    def intervals(self) -> tuple[Interval, ...]:
        """Confidence intervals of `estimates`, one at a time."""
        return tuple(one.interval(self.level) for one in self.estimates)

    def _rows(self) -> list[dict[str, float]]:
        return [
            {
                "rate": rate,
                "effect": one.effect,
                "standard_error": one.standard_error,
                "lower": interval.lower,
                "upper": interval.upper,
                "p_value": one.p_value,
            }
            for rate, one, interval in zip(self.rates, self.estimates, self.intervals, strict=True)
        ]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        strata = [
            {
                "arm": arm,
                "guess": kind,
                "patients": self.strata.size[row, column],
                "mean": self.strata.mean[row, column],
                "sd": np.sqrt(self.strata.variance[row, column]),
            }
            for row, arm in enumerate(("control", "experimental"))
            for column, kind in enumerate(KINDS)
        ]
        return plain(
            {
                "observed_rate": self.observed_rate,
                "unadjusted": self.unadjusted.effect,
                "level": self.level,
                "curve": self._rows(),
                "strata": strata,
                "caution": self.caution,
            }
        )

    def to_frame(self) -> polars.DataFrame:
        """One row a rate."""
        import polars

        return polars.DataFrame(self._rows())

    def plot(self) -> Figure:
        """A matplotlib figure of the effect against the rate of correct guesses, with the observed rate marked."""
        from .plot_curve import curve_figure

        return curve_figure(self)

    def __str__(self) -> str:
        shown = sorted({0.5, *np.linspace(0, 1, 5).tolist()})
        rows = []
        for rate in shown:
            one = self.at(rate)
            interval = one.interval(self.level)
            rows.append([f"{rate:.2f}", f"{one.effect:.4g}", f"{one.standard_error:.4g}", str(interval)])
        head = (
            f"Effect by rate of correct guesses; observed {self.observed_rate:.3f}, there {self.unadjusted.effect:.4g}"
        )
        table = text_table(["rate", "effect", "SE", f"{100 * self.level:g}% interval"], rows)
        return f"{head}\n{table}\n{self.caution}"

    __repr__ = __str__


def curve_effects(strata: Strata, rates: ArrayLike) -> tuple[Array, Array, Array, dict[tuple[int, ...], str]]:
    """The curves of many trials.

    Parameters
    ----------
    strata
        Of shape (..., 2, 3).
    rates
        From 0 to 1, shape (rates,).

    Returns
    -------
    effect, standard_error, degrees_of_freedom
        Shape (..., rates), NaN where a trial has no curve.
    failures
        Why, by place in the trials' axes.
    """
    given = numbers("rates", rates, "rates of correct guesses from 0 to 1")
    size = strata.size[..., None, :, :]
    failures = _failures(strata)
    bad = np.zeros(strata.size.shape[:-2], dtype=bool)
    for place in failures:
        bad[place] = True
    mean = np.where(size > 0, np.where(np.isnan(strata.mean), 0.0, strata.mean)[..., None, :, :], 0.0)
    rate = given[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        total = size.sum(axis=-1)
        shares = size / total[..., None]
        right, wrong, unsure = (shares[..., kind] for kind in range(3))
        all_right, all_wrong = (size[..., kind].sum(axis=-1, keepdims=True) for kind in range(2))
        up, down = size[..., 0] * rate * all_wrong, size[..., 1] * (1 - rate) * all_right
        correct = up / (up + down)
        named = correct * mean[..., 0] + (1 - correct) * mean[..., 1]
        arms = unsure * mean[..., 2] + (1 - unsure) * named
        effect = arms[..., 1] - arms[..., 0]

        weights = np.stack([(1 - unsure) * correct, (1 - unsure) * (1 - correct), unsure + 0 * correct], axis=-1)
        variance, freedom = _within(strata)
        parts = weights**2 * np.where(size > 0, (variance[..., None, :, :] / size), 0.0)
        sign = np.array([-1.0, 1.0])
        turn = sign * (1 - unsure) * (mean[..., 0] - mean[..., 1]) * correct * (1 - correct)
        shift = turn.sum(axis=-1, keepdims=True)
        slope = np.stack(
            [
                turn / right - shift * total / all_right,
                -turn / wrong + shift * total / all_wrong,
                sign * (mean[..., 2] - named) * (unsure > 0),
            ],
            axis=-1,
        )
        middle = (shares * slope).sum(axis=-1, keepdims=True)
        counted = ((shares * (slope - middle) ** 2).sum(axis=-1) / total).sum(axis=-1)
        whole = parts.sum(axis=(-2, -1)) + counted
        spread = (parts**2 / freedom[..., None, :, :]).sum(axis=(-2, -1))
        degrees = np.where(spread > 0, whole**2 / spread, np.inf)
    for values in (effect, whole, degrees):
        values[bad] = np.nan
    return effect, np.sqrt(whole), degrees, failures


def _within(strata: Strata) -> tuple[Array, Array]:
    """Variance within each stratum and its degrees of freedom; of a single patient that of the arm's other strata."""
    size = strata.size
    own = np.where(size > 1, strata.variance, 0.0)
    freedom = np.maximum(size - 1, 0.0)
    pooled_freedom = freedom.sum(axis=-1, keepdims=True)
    pooled = np.divide(
        (freedom * own).sum(axis=-1, keepdims=True),
        pooled_freedom,
        out=np.zeros(pooled_freedom.shape),
        where=pooled_freedom > 0,
    )
    single = size <= 1
    return np.where(single, pooled, own), np.maximum(np.where(single, pooled_freedom, freedom), 1.0)


def _failures(strata: Strata) -> dict[tuple[int, ...], str]:
    """Why a trial has no curve: nobody to give more weight to, or nothing to tell the spread from."""
    size = strata.size
    empty = (size[..., :2] == 0).any(axis=(-2, -1))
    thin = np.any((size <= 1).all(axis=-1), axis=-1)
    still = (_within(strata)[0][..., :2].sum(axis=-2) == 0).any(axis=-1)
    found: dict[tuple[int, ...], str] = {}
    for place in map(tuple, np.argwhere(empty | thin | still).tolist()):
        if empty[place]:
            arm, kind = np.argwhere(size[place][:, :2] == 0)[0]
            found[place] = (
                f"nobody with an outcome in the {('control', 'experimental')[arm]} arm guessed "
                f"{('right', 'wrong')[kind]}: the curve has no such patients to weigh"
            )
        elif thin[place]:
            found[place] = "one patient at most of each kind of guess in an arm: the curve has no standard error"
        else:
            found[place] = "the outcome does not vary among those who guess alike: the curve has no standard error"
    return found


def correct_guess_rate_curve(
    outcome: ArrayLike,
    arm: ArrayLike,
    guess: ArrayLike,
    *,
    control: int = 0,
    experimental: int = 1,
    rates: ArrayLike = _RATES,
    level: float = 0.95,
    scale: Scale = Scale.MEAN_DIFFERENCE,
    better: Better = "higher",
    label: str = "",
) -> GuessRateCurve:
    """The correct-guess-rate curve of one trial; see `GuessRateCurve`.

    Parameters
    ----------
    outcome
        Points, or 1 and 0 for yes and no (with scale risk difference); NaN where not observed, shape (patients,).
    arm
        Arm of each patient, from 0, shape (patients,).
    guess
        The arm guessed, -1 for "don't know", NaN where there is no answer, shape (patients,).
    control, experimental
        The arms to compare.
    rates, level, scale, better, label
        As of the curve.

    Raises
    ------
    InputError
        When the arrays do not fit.
    NotEstimable
        Where nobody in an arm guessed right, or wrong, all of an arm are alone in their stratum, or the outcome does
        not vary among those who guess alike.
    """
    strata = strata_of(outcome, arm, guess, control, experimental)
    if strata.size.ndim != 2:
        raise InputError("outcome", np.shape(outcome), "the outcomes of one trial, one a patient")
    failures = _failures(strata)
    if failures:
        raise NotEstimable(next(iter(failures.values())))
    return GuessRateCurve(strata, tuple(numbers("rates", rates).tolist()), level, scale, better, label)
