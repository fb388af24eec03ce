"""Drawing virtual patients of many trials: entry, covariates, visits, trajectories, dropout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..data import DAYS_PER_MONTH

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..protocol.parts import Covariate, Visit
    from .draws import Draws
    from .scores import ScoreDistribution

__all__ = ["Laws", "draw_covariates", "draw_entry", "draw_leaving", "draw_scores", "visit_days"]


@dataclass(frozen=True, eq=False)
class Laws:
    """Laws of the scores side by side, as kernels read them.

    Attributes
    ----------
    thresholds
        Latent values at which a score rises by a point, shape (laws, visits, points of the scale).
    first
        Number of thresholds below the left end of each cell of latent values, shape (laws, visits, cells).
    cholesky
        Of the latent correlation, shape (visits, visits).
    minimum
        Of the scale.
    """

    thresholds: NDArray[np.float64]
    first: NDArray[np.intp]
    cholesky: NDArray[np.float64]
    minimum: float

    @classmethod
    def of(cls, laws: Sequence[Sequence[ScoreDistribution]], cholesky: NDArray[np.float64]) -> Laws:
        """Of sets of distributions at the visits, all of one scale."""
        from .score_kernels import FAR, PER_UNIT

        thresholds = np.array([[part.thresholds for part in scores] for scores in laws])
        edges = np.arange(-FAR, FAR, 1 / PER_UNIT)
        first = np.array([[np.searchsorted(part.thresholds, edges) for part in scores] for scores in laws])
        return cls(thresholds, first, cholesky, laws[0][0].minimum)


def draw_entry(draws: Draws, patients: int, patients_per_month: float) -> NDArray[np.float64]:
    """Whole days of entry of a Poisson process, the first patient on day 0, not falling, shape (trials, patients)."""
    gaps = draws.exponential("entry", patients)
    gaps[:, 0] = 0.0
    np.cumsum(gaps, axis=1, out=gaps)
    gaps *= DAYS_PER_MONTH / patients_per_month
    return np.floor(gaps, out=gaps)


def draw_covariates(
    draws: Draws, patients: int, covariates: Sequence[Covariate]
) -> dict[str, NDArray[np.float64] | NDArray[np.str_]]:
    """Baseline covariates, independent of each other, shape (trials, patients); those without a distribution are left
    out.

    Continuous ones are normal, truncated to their range by its quantile transform and rounded to one decimal place.
    """
    from scipy.special import ndtr, ndtri

    drawn: dict[str, NDArray[np.float64] | NDArray[np.str_]] = {}
    for covariate in covariates:
        purpose = f"covariate: {covariate.name}"
        if covariate.kind == "categorical" and covariate.shares:
            uniform = draws.uniform(purpose, patients)
            chosen = np.searchsorted(np.cumsum(covariate.shares)[:-1], uniform, side="right")
            drawn[covariate.name] = np.array(covariate.levels)[chosen]
        elif covariate.kind == "continuous" and covariate.mean is not None and covariate.sd is not None:
            uniform = draws.uniform(purpose, patients)
            ends = [
                end if bound is None else float(ndtr((bound - covariate.mean) / covariate.sd))
                for bound, end in ((covariate.minimum, 0.0), (covariate.maximum, 1.0))
            ]
            latent = ndtri(ends[0] + uniform * (ends[1] - ends[0]))
            drawn[covariate.name] = np.round(covariate.mean + covariate.sd * latent, 1)
    return drawn


def visit_days(
    draws: Draws, patients: int, visits: Sequence[Visit], entry: NDArray[np.float64] | float = 0.0
) -> NDArray[np.float64]:
    """Days on which each visit takes place, uniform on the whole days of its window, shape (trials, patients, visits).

    Parameters
    ----------
    entry
        Day of each patient's entry, shape (trials, patients), from which days are counted.
    """
    before, after = np.floor([visit.window for visit in visits]).T
    first, width = np.array([visit.day for visit in visits]) - before, before + after + 1
    drawn = (width > 1).any()
    shape = (len(draws), patients, len(visits))
    days = draws.uniform("visit days", *shape[1:]) if drawn else np.empty(shape)
    # visit by visit, as loops over the few of a patient are slow
    for at in range(len(visits)):
        here = days[:, :, at]
        if drawn:
            here *= width[at]
            np.floor(here, out=here)
            here += first[at]
            here += entry
        else:
            np.add(entry, first[at], out=here)
    return days


def draw_scores(
    draws: Draws, law: NDArray[np.intp], laws: Laws, shift: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Correlated scores inside the scale as they would be seen without dropout, shape (trials, patients, visits).

    Parameters
    ----------
    law
        Which of the laws each patient follows, shape (trials, patients).
    shift
        Points to add at each visit, shape (trials, patients, visits), or None. A part of a point is added as a whole
        one with that probability, so that means move by the shift; scores are kept inside the scale.
    """
    from .score_kernels import scores_of

    patients, visits = law.shape[1], laws.thresholds.shape[1]
    scores = draws.normal("scores", patients, visits)
    scores_of(scores, law, laws.cholesky, laws.thresholds, laws.first, laws.minimum)
    if shift is not None:
        scores += np.floor(shift + draws.uniform("part of a point", patients, visits))
        np.clip(scores, laws.minimum, laws.minimum + laws.thresholds.shape[2], out=scores)
    return scores


def draw_leaving(
    draws: Draws,
    arm: NDArray[np.intp],
    scores: NDArray[np.float64],
    intercepts: NDArray[np.float64],
    slopes: NDArray[np.float64],
    unseen_slopes: NDArray[np.float64],
) -> NDArray[np.intp]:
    """Column of the last visit that each patient attends, shape (trials, patients).

    The log odds of leaving between a visit and the next are linear in the score at the one and, where data are missing
    not at random, in the score at the next (Diggle & Kenward 1994, Appl Stat 43:49).

    Parameters
    ----------
    scores
        NaN in a trial without a rating scale, shape (trials, patients, visits).
    intercepts
        Log odds of leaving at scores of 0, shape (arms, visits - 1); minus infinity where nobody leaves.
    slopes, unseen_slopes
        Change of the log odds per point of the last score and of the next, shape (arms,).
    """
    from .score_kernels import last_visits

    patients, visits = scores.shape[1], scores.shape[2]
    if np.isneginf(intercepts).all():
        return np.full(arm.shape, visits - 1)
    last = np.empty(arm.shape, dtype=np.intp)
    uniform = draws.uniform("leaving", patients, visits - 1)
    last_visits(uniform, arm, scores, intercepts, slopes, unseen_slopes, last)
    return last
