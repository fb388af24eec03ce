"""Proportional odds regression of an ordered outcome on arm and covariates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...checks import choice
from ...errors import InputError
from ...estimate import Better, Scale
from .design import Design, design_of, gradient_of, information_of, linear_predictor
from .fitted import RegressionBatch, RegressionFit, in_chunks, of_the_only, on_columns
from .newton import climb, inverted
from .trials import Trials, many_trials, one_trial

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "SEPARATED",
    "Cumulative",
    "OrdinalBatch",
    "ProportionalOddsFit",
    "proportional_odds_batch",
    "proportional_odds_regression",
]

_SPARE = 400.0
_WIDE = 700.0

SEPARATED = "arms and covariates that do not separate levels of the outcome: the estimates run away to infinity"


def _by_level(level: NDArray[np.intp], values: NDArray[np.float64], levels: int) -> NDArray[np.float64]:
    """Sums of values over the patients at each level, shape (trials, levels)."""
    place = np.arange(len(level))[:, None] * levels + level
    sums = np.bincount(place.ravel(), np.asarray(values, dtype=float).ravel(), len(level) * levels)
    return sums.astype(np.float64, copy=False).reshape(len(level), levels)


@dataclass(frozen=True, slots=True, eq=False)
class Cumulative:
    """Log-likelihoods of many trials in thresholds a_1 < a_2 < ... and slopes b: logit P(level > j) = b'x - a_j.

    With upper u = a_y - b'x and lower l = a_{y-1} - b'x the probability of level y is F(u) (1 - F(l)) (1 - e^(l - u)),
    F the logistic distribution. The last factor is of thresholds alone, so no digits cancel, and the log-likelihood is
    a sum of concave terms.

    Attributes
    ----------
    basis, aliased
        Of the design but its intercept.
    level
        0, 1, ... without gaps, shape (trials, patients).
    weight
        1 for the patients analysed (or how many they are), 0 elsewhere, shape (trials, patients).
    counts
        Sums of the weights at each level, shape (trials, levels). Trials with fewer levels than others have 0 last;
        thresholds between these are spare and stay where they are, far above the others.
    """

    basis: NDArray[np.float64]
    aliased: NDArray[np.bool_]
    level: NDArray[np.intp]
    weight: NDArray[np.float64]
    counts: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        basis: NDArray[np.float64],
        aliased: NDArray[np.bool_],
        level: NDArray[np.intp],
        weight: NDArray[np.float64],
        levels: int,
    ) -> Cumulative:
        """With the levels counted."""
        return cls(basis, aliased, level, weight, _by_level(level, weight, levels))

    @property
    def spare(self) -> NDArray[np.bool_]:
        """Thresholds above the last level of a trial, shape (trials, levels - 1)."""
        return self.counts[:, 1:] == 0

    def start(self) -> NDArray[np.float64]:
        """Thresholds that give every level its share, and no slopes."""
        spare, below = self.spare, np.cumsum(self.counts, axis=1)
        above = below[:, -1:] - below[:, :-1]
        found = np.log(below[:, :-1] / np.where(spare, 1.0, above))
        found = np.where(spare, _SPARE * (1 + np.arange(spare.shape[1]) / (5 * spare.shape[1])), found)
        return np.concatenate((found, np.zeros(self.basis.shape[:2])), axis=1)

    def _by_level(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        return _by_level(self.level, values, self.counts.shape[1])

    def at(
        self, parameters: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        trials, levels = self.counts.shape
        inner = levels - 1
        thresholds = parameters[:, :inner]
        gaps = np.diff(thresholds, axis=1)
        ordered = np.asarray((gaps > 0).all(axis=1))
        gaps = np.where(ordered[:, None], np.minimum(gaps, _WIDE), 1.0)
        ends = np.full((trials, levels + 1), np.inf)
        ends[:, 0] = -np.inf
        ends[:, 1:-1] = thresholds
        predictor = linear_predictor(self.basis, parameters[:, inner:])
        upper = np.take_along_axis(ends, self.level + 1, axis=1) - predictor
        lower = np.take_along_axis(ends, self.level, axis=1) - predictor
        small_upper, small_lower = np.exp(-np.abs(upper)), np.exp(-np.abs(lower))
        rest_upper, rest_lower = 1 / (1 + small_upper), 1 / (1 + small_lower)
        value = np.minimum(upper, 0.0) - np.log1p(small_upper) + np.minimum(-lower, 0.0) - np.log1p(small_lower)
        above_upper = self.weight * np.where(upper >= 0, small_upper, 1.0) * rest_upper
        below_lower = self.weight * np.where(lower >= 0, 1.0, small_lower) * rest_lower
        weight_upper = self.weight * small_upper * rest_upper**2
        weight_lower = self.weight * small_lower * rest_lower**2

        between = 1 / np.expm1(gaps)
        middle = self.counts[:, 1:-1]
        log_likelihood = (self.weight * value).sum(axis=1) + (middle * np.log(-np.expm1(-gaps))).sum(axis=1)
        gradient = np.empty_like(parameters)
        gradient[:, :inner] = self._by_level(above_upper)[:, :-1] - self._by_level(below_lower)[:, 1:]
        gradient[:, 1:inner] += middle * between
        gradient[:, : inner - 1] -= middle * between
        gradient[:, inner:] = gradient_of(self.basis, below_lower - above_upper)

        information = np.zeros((trials, parameters.shape[1], parameters.shape[1]))
        bend, at = middle * between * (1 + between), np.arange(inner)
        information[:, at, at] = self._by_level(weight_upper)[:, :-1] + self._by_level(weight_lower)[:, 1:]
        information[:, at, at] += self.spare
        information[:, at[1:], at[1:]] += bend
        information[:, at[:-1], at[:-1]] += bend
        information[:, at[1:], at[:-1]] = information[:, at[:-1], at[1:]] = -bend
        for column in range(self.basis.shape[1]):
            values = self.basis[:, column]
            across = -self._by_level(weight_upper * values)[:, :-1] - self._by_level(weight_lower * values)[:, 1:]
            information[:, :inner, inner + column] = information[:, inner + column, :inner] = across
        information[:, inner:, inner:] = information_of(self.basis, weight_upper + weight_lower, self.aliased)
        return np.where(ordered, log_likelihood, -np.inf), gradient, information

    def only(self, rows: NDArray[np.intp]) -> Cumulative:
        return Cumulative(self.basis[rows], self.aliased[rows], self.level[rows], self.weight[rows], self.counts[rows])


@dataclass(frozen=True, slots=True, eq=False)
class OrdinalBatch(RegressionBatch):
    """Proportional odds regressions of many trials.

    The first coefficient stands for the intercept: the log odds of a level above the lowest seen in the trial, for
    control with all covariates 0.

    Attributes
    ----------
    levels
        The levels of the outcome in all trials, in order, shape (levels,).
    thresholds
        a_j of logit P(outcome > level j) = b'x - a_j, for all levels but the last; NaN where the level joins the next
        because nobody of the trial has it; shape (trials, levels - 1).
    counts
        Patients analysed by arm and level, shape (trials, arms, levels).
    """

    levels: NDArray[np.float64]
    thresholds: NDArray[np.float64]
    counts: NDArray[np.intp]


def _level_counts(design: Design, level: NDArray[np.intp], levels: int) -> NDArray[np.intp]:
    """Patients analysed by arm and level, shape (trials, arms, levels)."""
    trials = len(level)
    place = (np.arange(trials)[:, None] * (design.arms + 1) + design.arm) * levels + level
    place = np.where(design.present, place, (np.arange(trials)[:, None] * (design.arms + 1) + design.arms) * levels)
    sums = np.bincount(place.ravel(), minlength=trials * (design.arms + 1) * levels)
    return sums.reshape(trials, design.arms + 1, levels)[:, :-1]


def _fit(trials: Trials, levels: NDArray[np.float64], drop_absent: bool) -> OrdinalBatch:
    design = design_of(trials, drop_absent=drop_absent)
    present = design.present
    level = np.searchsorted(levels, np.where(present, trials.outcome, levels[0]))
    counts = _level_counts(design, level, levels.size)
    seen = counts.sum(axis=1) > 0
    found_levels = seen.sum(axis=1)
    for at in np.flatnonzero(found_levels < 2):
        only = levels[seen[at]].tolist()
        design.failures.setdefault(
            int(at), InputError("outcome", only, "patients at two or more levels of the outcome")
        )
    joined = np.take_along_axis(np.maximum(np.cumsum(seen, axis=1) - 1, 0), level, axis=1)

    count, total = len(design.names), len(trials)
    rows = np.setdiff1d(np.arange(total), list(design.failures))
    most = int(found_levels[rows].max(initial=2))
    inner = most - 1
    model = Cumulative.of(
        design.basis[rows, 1:], design.aliased[rows, 1:], joined[rows], present[rows].astype(float), most
    )
    found = climb(model, model.start())
    for at in np.flatnonzero(~found.converged):
        step = np.concatenate(([0.0], found.step[at, inner:]))
        row = int(rows[at])
        design.failures[row] = InputError("covariates", design.running_away(row, step), SEPARATED)
    good = np.flatnonzero(found.converged)
    rows, best = rows[good], found.parameters[good]
    # The first threshold, with its sign changed, takes the place of the basis's intercept.
    turn = np.zeros((count, inner + count - 1))
    turn[0, 0] = -1.0
    turn[1:, inner:] = np.eye(count - 1)
    coefficients, log_likelihood = best @ turn.T, found.log_likelihood[good]
    covariance = turn @ inverted(found.information[good]) @ turn.T
    shift = np.matmul(design.back[rows][:, :1, 1:], best[:, inner:, None])[:, 0]
    thresholds = np.full((total, levels.size - 1), np.nan)
    lower = np.cumsum(seen[rows], axis=1)
    trial, column = np.nonzero(seen[rows] & (lower < lower[:, -1:]))
    thresholds[rows[trial], column] = (best[:, :inner] - shift)[~model.spare[good]]
    return OrdinalBatch(
        **on_columns(design, rows, coefficients, covariance, log_likelihood),
        levels=levels,
        thresholds=thresholds,
        counts=counts,
    )


def _levels(trials: Trials) -> NDArray[np.float64]:
    levels = np.unique(trials.outcome[~np.isnan(trials.outcome)])
    return levels if levels.size else np.zeros(1)


def proportional_odds_batch(
    outcome: ArrayLike,
    arm: ArrayLike,
    covariates: ArrayLike | None = None,
    *,
    names: Sequence[str] | None = None,
    arms: int | None = None,
    drop_absent: bool = False,
) -> OrdinalBatch:
    """`proportional_odds_regression` of many trials.

    Parameters
    ----------
    outcome, arm
        Shape (trials, patients): numbers whose order is that of the levels, NaN where missing; 0 for control, 1, 2,
        ... for the other arms, -1 where there is no patient.
    covariates
        Shape (trials, patients, covariates), numeric; NaN where missing.
    names, arms, drop_absent
        As for `logistic_batch`.

    Raises
    ------
    InputError
        For arrays that do not fit. A trial that cannot be fitted raises nothing: it is NaN, and `failures` says why.
    """
    trials = many_trials(outcome, arm, covariates, names=names, arms=arms)
    levels = _levels(trials)
    ordered = np.sort(trials.outcome, axis=1)
    most = int((np.diff(ordered, axis=1) > 0).sum(axis=1).max(initial=0)) + 1
    return in_chunks(lambda rows: _fit(trials.only(rows), levels, drop_absent), trials, most**2)


@dataclass(frozen=True, slots=True, eq=False)
class ProportionalOddsFit(RegressionFit):
    """A proportional odds regression; a positive coefficient makes higher levels more likely.

    The first coefficient stands for the intercept: the log odds of a level above the lowest, for control with all
    covariates 0.

    Attributes
    ----------
    levels
        The levels seen, in order, shape (levels,).
    thresholds
        a_j of logit P(outcome > level j) = b'x - a_j, shape (levels - 1,).
    counts
        Patients analysed by arm (control first) and level, shape (arms, levels).
    """

    levels: NDArray[np.float64]
    thresholds: NDArray[np.float64]
    counts: NDArray[np.intp]

    @property
    def _kind(self) -> str:
        return "proportional odds regression"


def proportional_odds_regression(
    outcome: ArrayLike,
    arm: ArrayLike,
    covariates: ArrayLike | None = None,
    *,
    names: Sequence[str] | None = None,
    arms: int | None = None,
    better: Better = "higher",
    label: str = "",
) -> ProportionalOddsFit:
    """Proportional odds regression of an ordered outcome on arm and covariates, by maximum likelihood.

    logit P(outcome > level j) = b'x - a_j (Walker & Duncan 1967, Biometrika 54:167; McCullagh 1980, JRSS B 42:109):
    the log odds of an outcome above a level differ between arms by the same amount at every level. Standard errors are
    from the observed information. With two levels it is logistic regression.

    Parameters
    ----------
    outcome
        Numbers whose order is that of the levels, NaN where missing; shape (patients,). A level that nobody has is
        none.
    arm
        0 (control), 1, 2, ... for each patient.
    covariates
        Shape (patients,) or (patients, covariates), numeric (factors as indicator columns); NaN where missing.
    names
        Of the covariates, for the table and for errors.
    arms
        Number of arms, control included; as many as there are in the data when absent.
    better
        Whether higher or lower levels are good; carried to the estimates.
    label
        What is analysed, for people.

    Returns
    -------
    ProportionalOddsFit
        Log odds ratios of a higher level. Patients with a missing value are left out and counted.

    Raises
    ------
    InputError
        For an arm without patients; all patients at one level; a covariate that is constant or determined by the arms
        and the covariates before it; arms or covariates that separate levels, so that estimates run away to infinity.
    """
    choice("better", better, ("higher", "lower"))
    trials = one_trial(outcome, arm, covariates, names=names, arms=arms)
    batch = _fit(trials, _levels(trials), drop_absent=False)
    common = of_the_only(batch)
    return ProportionalOddsFit(
        **common,
        scale=Scale.LOG_ODDS_RATIO,
        better=better,
        label=label,
        levels=batch.levels[batch.counts[0].sum(axis=0) > 0],
        thresholds=batch.thresholds[0][~np.isnan(batch.thresholds[0])],
        counts=batch.counts[0][:, batch.counts[0].sum(axis=0) > 0],
    )
