"""Drawing virtual patients: entry, covariates, trajectories, dropout, loss of response, adverse events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..protocol.parts import Covariate, Visit
    from .truth import Truth

__all__ = ["Trajectories", "draw_covariates", "draw_entry", "draw_trajectories", "visit_days"]

DAYS_PER_MONTH = 365.25 / 12


@dataclass(frozen=True, slots=True)
class Trajectories:
    """Scores over the visits and where each patient left.

    Attributes
    ----------
    scores
        As they would be seen without dropout, shape (patients, visits).
    left_after
        Column of the last visit attended, shape (patients,).
    """

    scores: NDArray[np.float64]
    left_after: NDArray[np.intp]


def draw_entry(generator: np.random.Generator, patients: int, patients_per_month: float) -> NDArray[np.float64]:
    """Whole days of entry of a Poisson process, the first patient on day 0, not falling, shape (patients,)."""
    gaps = generator.exponential(DAYS_PER_MONTH / patients_per_month, patients - 1)
    return np.floor(np.concatenate([[0.0], np.cumsum(gaps)]))


def draw_covariates(
    generator: np.random.Generator, patients: int, covariates: Sequence[Covariate]
) -> dict[str, NDArray[np.float64] | NDArray[np.str_]]:
    """Baseline covariates, independent of each other; those without a distribution are left out.

    Continuous ones are normal, truncated to their range by its quantile transform and rounded to one decimal place.
    """
    from scipy.special import ndtr, ndtri

    drawn: dict[str, NDArray[np.float64] | NDArray[np.str_]] = {}
    for covariate in covariates:
        uniform = generator.random(patients)
        if covariate.kind == "categorical" and covariate.shares:
            chosen = np.searchsorted(np.cumsum(covariate.shares)[:-1], uniform, side="right")
            drawn[covariate.name] = np.array(covariate.levels)[chosen]
        elif covariate.kind == "continuous" and covariate.mean is not None and covariate.sd is not None:
            ends = [
                end if bound is None else float(ndtr((bound - covariate.mean) / covariate.sd))
                for bound, end in ((covariate.minimum, 0.0), (covariate.maximum, 1.0))
            ]
            latent = ndtri(ends[0] + uniform * (ends[1] - ends[0]))
            drawn[covariate.name] = np.round(covariate.mean + covariate.sd * latent, 1)
    return drawn


def visit_days(generator: np.random.Generator, patients: int, visits: Sequence[Visit]) -> NDArray[np.float64]:
    """Days after entry on which each visit takes place, uniform on the whole days of its window, shape (patients,
    visits).
    """
    before = np.array([np.floor(visit.window[0]) for visit in visits])
    after = np.array([np.floor(visit.window[1]) for visit in visits])
    shift = np.floor(generator.random((patients, len(visits))) * (before + after + 1)) - before
    return np.array([visit.day for visit in visits]) + shift


def draw_trajectories(generator: np.random.Generator, arm: NDArray[np.intp], truth: Truth) -> Trajectories:
    """Correlated scores inside the scale, and dropout that depends on the last seen score (missing at random).

    A trial without a rating scale has scores that are all NaN, and dropout that depends on nothing.
    """
    visits = len(truth.arms[0].leaving) + 1
    normal = generator.standard_normal((len(arm), visits))
    uniform = generator.random((len(arm), visits - 1))
    scores = np.full_like(normal, np.nan)
    left_after = np.full(len(arm), visits - 1)
    for at, law in enumerate(truth.arms):
        members = np.flatnonzero(arm == at)
        latent = normal[members] @ law.cholesky.T
        for visit, distribution in enumerate(law.scores):
            scores[members, visit] = distribution.at(latent[:, visit])
        known = np.nan_to_num(scores[members, :-1])
        log_odds = law.dropout_intercepts + law.dropout_log_odds_per_point * known
        leaves = uniform[members] < 1 / (1 + np.exp(np.minimum(-log_odds, 700.0)))
        left_after[members] = np.where(leaves.any(axis=1), leaves.argmax(axis=1), visits - 1)
    return Trajectories(scores, left_after)
