"""Score tests about a proportional odds regression: that arms do not differ, and that odds are proportional."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from ...checks import choice
from ...errors import InputError
from .design import Design, design_of
from .newton import climb
from .proportional_odds import SEPARATED, Cumulative
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


def _levels(
    outcome: ArrayLike, arm: ArrayLike, covariates: ArrayLike | None, names: Sequence[str] | None
) -> tuple[Design, Trials, NDArray[np.bool_], NDArray[np.intp]]:
    """A trial with its design, who is analysed, and their levels, 0, 1, ... without gaps."""
    trials = one_trial(outcome, arm, covariates, names=names)
    design = design_of(trials)
    if design.failures:
        raise design.failures[0]
    present = design.present[0]
    return design, trials, present, np.unique(trials.outcome[0, present], return_inverse=True)[1]


def _fitted(
    columns: NDArray[np.float64], level: NDArray[np.intp], names: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Thresholds and slopes of the proportional odds model on orthogonal columns (q, patients) of one trial."""
    levels = int(level.max()) + 1
    model = Cumulative.of(
        columns[None], np.zeros((1, len(columns)), dtype=bool), level[None], np.ones((1, level.size)), levels
    )
    found = climb(model, model.start())
    if not found.converged[0]:
        raise InputError("covariates", ", ".join(names), SEPARATED)
    return found.parameters[0, : levels - 1], found.parameters[0, levels - 1 :]


def proportionality_test(
    outcome: ArrayLike,
    arm: ArrayLike,
    covariates: ArrayLike | None = None,
    *,
    of: Literal["arms", "all"] = "arms",
    names: Sequence[str] | None = None,
) -> ScoreTest:
    """Score test that odds ratios are the same at every level (Peterson & Harrell 1990, Appl Stat 39:205).

    The alternative has coefficients of its own for every threshold; expected information at the proportional odds fit.
    The test rejects too often where levels are thin (Peterson & Harrell 1990, section 5).

    Parameters
    ----------
    outcome, arm, covariates, names
        As for `proportional_odds_regression`.
    of
        Whose odds ratios: the arms' alone, covariates being proportional, or those of all columns.

    Raises
    ------
    InputError
        As `proportional_odds_regression`, and for fewer than three levels.
    """
    choice("of", of, ("arms", "all"))
    design, _, present, level = _levels(outcome, arm, covariates, names)
    inner = int(level.max())
    if inner < 2:
        raise InputError("outcome", inner + 1, "at least three levels, for odds to be proportional")
    columns = design.basis[0, 1:, present].T
    thresholds, slopes = _fitted(columns, level, design.names[1:])
    score, information = _scores(columns, level, thresholds, slopes)
    free = np.arange(len(columns) if of == "all" else design.arms - 1)
    common = _common(inner, len(columns), free)
    tested = np.arange(inner + len(columns), common.shape[1])
    return _test(common.T @ score, common.T @ information @ common, tested)


def arms_score_test(
    outcome: ArrayLike,
    arm: ArrayLike,
    covariates: ArrayLike | None = None,
    *,
    names: Sequence[str] | None = None,
) -> ScoreTest:
    """Score test that arms do not differ in a proportional odds regression (McCullagh 1980, JRSS B 42:109).

    Its score and information serve sequential trials (Whitehead 1993, Stat Med 12:2257). With two arms and no
    covariates it is Wilcoxon's test with mid-ranks: the score is 2 / n times the deviation of the rank sum of the
    experimental arm from its mean, and chi-square is n / (n - 1) times Wilcoxon's.

    Parameters
    ----------
    outcome, arm, covariates, names
        As for `proportional_odds_regression`.

    Raises
    ------
    InputError
        As `proportional_odds_regression`, but arms that separate levels are welcome.
    """
    design, trials, present, level = _levels(outcome, arm, covariates, names)
    inner = int(level.max())
    if inner < 1:
        raise InputError("outcome", inner + 1, "patients at two or more levels of the outcome")
    baseline = trials.covariates[0, present].T
    baseline = baseline - baseline.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(baseline, axis=1, keepdims=True)
    baseline = np.sqrt(level.size) * np.linalg.qr((baseline / lengths).T)[0].T
    thresholds, slopes = _fitted(baseline, level, trials.names)
    members = (design.arm[0, present] == np.arange(1, design.arms)[:, None]).astype(float)
    columns = np.concatenate((baseline, members))
    score, information = _scores(columns, level, thresholds, np.concatenate((slopes, np.zeros(len(members)))))
    common = _common(inner, len(columns), np.arange(0))
    tested = np.arange(inner + len(baseline), common.shape[1])
    return _test(common.T @ score, common.T @ information @ common, tested)
