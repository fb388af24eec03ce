"""Score tests about a proportional odds regression: that arms do not differ, and that odds are proportional."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from ...checks import choice
from .design import Design, design_of
from .newton import climb, solved
from .proportional_odds import Cumulative, gapless_levels
from .trials import Trials, one_trial

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["ScoreTest", "arms_score_test", "proportionality_test"]


@dataclass(frozen=True, slots=True, eq=False)
class ScoreTest:
    """A score test; unpacks as `statistic, p_value`.

    Attributes
    ----------
    score, information
        Score of the parameters tested, at the maximum without them, and its variance: expected information given the
        other parameters; shapes (parameters,) and (parameters, parameters).
    degrees_of_freedom
        Number of parameters tested.
    """

    score: NDArray[np.float64]
    information: NDArray[np.float64]

    @property
    def degrees_of_freedom(self) -> int:
        """Number of parameters tested."""
        return self.score.size

    @property
    def statistic(self) -> float:
        """Chi-square."""
        return float(self.score @ np.linalg.solve(self.information, self.score))

    @property
    def p_value(self) -> float:
        """Of the chi-square on its degrees of freedom."""
        from scipy.special import chdtrc

        return float(chdtrc(self.degrees_of_freedom, self.statistic))

    def __iter__(self):
        return iter((self.statistic, self.p_value))

    def __str__(self) -> str:
        return f"score test: chi-square {self.statistic:.4g} on {self.degrees_of_freedom} df, p {self.p_value:.4g}"

    __repr__ = __str__


def _trial(
    outcome: ArrayLike, arm: ArrayLike, covariates: ArrayLike | None, names: Sequence[str] | None
) -> tuple[Design, Trials]:
    """A trial and its design, sound and with at least two levels seen."""
    trials = one_trial(outcome, arm, covariates, names=names)
    design = design_of(trials)
    if design.failures:
        raise design.failures[0]
    return design, trials


def _scores(
    columns: NDArray[np.float64], level: NDArray[np.intp], thresholds: NDArray[np.float64], slopes: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Score and expected information where every threshold has slopes of its own, at common slopes.

    Parameters
    ----------
    columns
        Shape (q, patients).
    level
        0, 1, ..., shape (patients,).

    Returns
    -------
    Of threshold and slopes of logit P(level <= j) = a_j - b_j'x, j after j, shapes (m (1 + q),) and twice that.
    """
    inner, patients = thresholds.size, level.size
    predictor = thresholds[:, None] - slopes @ columns
    small = np.exp(-np.abs(predictor))
    below = np.where(predictor >= 0, 1.0, small) / (1 + small)
    density = small / (1 + small) ** 2
    edges = np.concatenate((np.zeros((1, patients)), below, np.ones((1, patients))))
    share = np.diff(edges, axis=0)
    at = np.arange(inner)[:, None]
    pull = density * ((level == at) / share[:-1] - (level == at + 1) / share[1:])
    vector = np.concatenate((np.ones((1, patients)), -columns))
    score = pull @ vector.T
    width = len(vector)
    information = np.zeros((inner, width, inner, width))
    for j in range(inner):
        information[j, :, j] = (vector * (density[j] ** 2 * (1 / share[j] + 1 / share[j + 1]))) @ vector.T
        if j:
            between = (vector * (-density[j] * density[j - 1] / share[j])) @ vector.T
            information[j, :, j - 1] = information[j - 1, :, j] = between
    return score.ravel(), information.reshape(inner * width, inner * width)


def _common(inner: int, columns: int, free: NDArray[np.intp]) -> NDArray[np.float64]:
    """How the parameters of separate slopes follow from thresholds, common slopes, and separate ones of `free` columns
    after the first threshold's; shape (inner (1 + columns), parameters).
    """
    whole = np.zeros((inner, 1 + columns, inner + columns + (inner - 1) * free.size))
    for j in range(inner):
        whole[j, 0, j] = 1.0
        whole[j, 1:, inner : inner + columns] = np.eye(columns)
        if j:
            own = inner + columns + (j - 1) * free.size + np.arange(free.size)
            whole[j, 1 + free, own] = 1.0
    return whole.reshape(inner * (1 + columns), -1)


def _test(score: NDArray[np.float64], information: NDArray[np.float64], tested: NDArray[np.intp]) -> ScoreTest:
    others = np.setdiff1d(np.arange(score.size), tested)
    across = information[np.ix_(others, tested)]
    clear = np.linalg.solve(information[np.ix_(others, others)], across)
    return ScoreTest(score[tested] - clear.T @ score[others], information[np.ix_(tested, tested)] - across.T @ clear)


def _fitted(
    columns: NDArray[np.float64], level: NDArray[np.intp], names: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Thresholds and slopes of the proportional odds model on orthogonal columns (q, patients) of one trial."""
    counts = np.bincount(level).astype(float)
    below = np.cumsum(counts)[:-1]
    start = np.concatenate((np.log(below / (level.size - below)), np.zeros(len(columns))))
    model = Cumulative(columns[None], np.zeros((1, len(columns)), dtype=bool), level[None], counts[None])
    found = climb(model, start[None])
    if not found.converged[0]:
        raise separated(", ".join(names))
    return found.parameters[0, : below.size], found.parameters[0, below.size :]
