"""Multiple imputation of missing scores from a normal model: proper draws, visit after visit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["impute_scores"]

_SPARE = 3
_SWEEPS = 30


@dataclass(frozen=True, slots=True, eq=False)
class _Draw:
    """Parameters of the visits' regressions drawn from their posterior, one draw for each imputation.

    Attributes
    ----------
    fixed
        Coefficients of what is known of everybody, shape (imputations, visits, columns).
    earlier
        Coefficients of the earlier visits, below the diagonal, shape (imputations, visits, visits).
    spread
        Residual standard deviations, shape (imputations, visits).
    """

    fixed: NDArray[np.float64]
    earlier: NDArray[np.float64]
    spread: NDArray[np.float64]


def impute_scores(
    scores: NDArray[np.float64],
    arm: NDArray[np.intp],
    covariates: NDArray[np.float64],
    imputations: int,
    generator: np.random.Generator,
) -> NDArray[np.float64]:
    """Completed scores at the last visit given, drawn under missing at random.

    Each visit's score is regressed on the arm, on covariates and on the earlier visits' scores; coefficients and
    residual variance are drawn from their posterior under the usual flat prior, then the missing scores (Rubin 1987,
    Multiple Imputation for Nonresponse in Surveys, chapter 5). Where a patient missed a visit but was seen later, the
    gap is filled by monotone data augmentation (Schafer 1997, Analysis of Incomplete Multivariate Data, section 6.5):
    gaps given all that was seen before and after, parameters given the gaps, 30 times over, in as many chains as
    imputations. Without such gaps the draws are exact.

    Earlier visits at which too few were seen, or that repeat others, are not used; nor are covariates that say nothing.

    Parameters
    ----------
    scores
        At the visits in order, the one to be completed last; NaN where missing; shape (patients, visits).
    arm
        Arm of each patient, whole numbers; shape (patients,).
    covariates
        Known of every patient, such as baseline; shape (patients, covariates).
    imputations
        How many completed data sets.
    generator
        Source of the draws.

    Returns
    -------
    Scores at the last visit, shape (imputations, patients).

    Raises
    ------
    InputError
        When an arm has nobody seen at the last visit, or too few were seen there to impute from.
    """
    indicators = (arm[:, None] == np.unique(arm)).astype(float)
    usable, known = _usable(scores, indicators, covariates)
    scores = scores[:, usable]
    centre, scale = np.nanmean(scores, axis=0), np.nanstd(scores, axis=0)
    standard = (scores - centre) / np.where(scale > 0, scale, 1.0)
    visits = standard.shape[1]
    missing = np.isnan(standard)
    last = np.where(missing.all(axis=1), -1, visits - 1 - np.argmax(~missing[:, ::-1], axis=1))
    completed = np.broadcast_to(standard, (imputations, *standard.shape)).copy()
    gaps = missing & (np.arange(visits) < last[:, None])
    if gaps.any():
        completed[:, gaps] = 0.0
    draw = _parameters(completed if gaps.any() else completed[:1], known, last, imputations, generator)
    for _ in range(_SWEEPS if gaps.any() else 0):
        _fill_gaps(completed, known, gaps, last, draw, generator)
        draw = _parameters(completed, known, last, imputations, generator)
    for visit in range(visits):
        rows = np.flatnonzero(last < visit)
        if rows.size:
            mean = draw.fixed[:, visit] @ known[rows].T
            mean += np.matmul(completed[:, rows, :visit], draw.earlier[:, visit, :visit, None])[:, :, 0]
            noise = generator.standard_normal((imputations, rows.size))
            completed[:, rows, visit] = mean + draw.spread[:, visit, None] * noise
    result = completed[:, :, -1] * scale[-1] + centre[-1]
    seen = ~missing[:, -1]
    result[:, seen] = scores[seen, -1]
    return result


def _usable(
    scores: NDArray[np.float64], indicators: NDArray[np.float64], covariates: NDArray[np.float64]
) -> tuple[list[int], NDArray[np.float64]]:
    """The visits used, the last among them, and what is used of that known of everybody.

    Nearer visits come first; each must leave enough patients seen at all visits used, and not repeat the others.
    """
    last = scores.shape[1] - 1
    seen = ~np.isnan(scores[:, last])
    per_arm = indicators[seen].sum(axis=0).astype(int)
    if per_arm.min(initial=len(scores)) == 0 or seen.sum() < indicators.shape[1] + _SPARE:
        needed = f"somebody seen in every arm, and {indicators.shape[1] + _SPARE} in all, to impute the others from"
        raise InputError("seen at the visit", per_arm.tolist(), needed)

    def adds(column: NDArray[np.float64], to: NDArray[np.float64], rows: NDArray[np.bool_]) -> bool:
        found = np.column_stack([to[rows], column[rows]])
        size = np.linalg.norm(found, axis=0)
        enough = len(found) >= found.shape[1] + _SPARE and (found[:, : indicators.shape[1]].sum(axis=0) > 0).all()
        return bool(enough and size.min() > 0 and np.linalg.matrix_rank(found / size, tol=1e-7) == found.shape[1])

    known = indicators
    for column in covariates.T:
        if adds(column, known, seen):
            known = np.column_stack([known, column])
    chosen: list[int] = []
    columns, rows = known, seen
    for visit in range(last - 1, -1, -1):
        both = rows & ~np.isnan(scores[:, visit])
        if adds(scores[:, visit], columns, both):
            chosen.insert(0, visit)
            columns, rows = np.column_stack([columns, scores[:, visit]]), both
    return [*chosen, last], known


def _parameters(
    completed: NDArray[np.float64],
    known: NDArray[np.float64],
    last: NDArray[np.intp],
    imputations: int,
    generator: np.random.Generator,
) -> _Draw:
    """A draw from the posterior given the scores up to each patient's last, flat for coefficients and log variance.

    `completed` holds the scores of each imputation, or one set of them where all have the same.
    """
    sets, _, visits = completed.shape
    width = known.shape[1]
    fixed = np.zeros((imputations, visits, width))
    earlier = np.zeros((imputations, visits, visits))
    spread = np.zeros((imputations, visits))
    for visit in range(visits):
        rows = last >= visit
        shared = np.broadcast_to(known[rows], (sets, int(rows.sum()), width))
        design = np.concatenate([shared, completed[:, rows, :visit]], axis=2)
        outcome = completed[:, rows, visit]
        basis, triangle = np.linalg.qr(design)
        projected = np.matmul(outcome[:, None], basis)[:, 0]
        residual = ((outcome - np.matmul(basis, projected[:, :, None])[:, :, 0]) ** 2).sum(axis=1)
        deviation = np.sqrt(residual / generator.chisquare(outcome.shape[1] - design.shape[2], imputations))
        noise = generator.standard_normal((imputations, design.shape[2]))
        found = np.linalg.solve(triangle, (projected + deviation[:, None] * noise)[:, :, None])[:, :, 0]
        fixed[:, visit], earlier[:, visit, :visit], spread[:, visit] = found[:, :width], found[:, width:], deviation
    return _Draw(fixed, earlier, spread)


def _fill_gaps(
    completed: NDArray[np.float64],
    known: NDArray[np.float64],
    gaps: NDArray[np.bool_],
    last: NDArray[np.intp],
    draw: _Draw,
    generator: np.random.Generator,
) -> None:
    """Draw missed visits given those before and after, in place, patients of one pattern together."""
    visits = completed.shape[2]
    unit = (np.eye(visits) - draw.earlier) / np.maximum(draw.spread, 1e-12)[:, :, None]
    fixed = draw.fixed / np.maximum(draw.spread, 1e-12)[:, :, None]
    patterns = np.column_stack([gaps, last])
    for pattern in np.unique(patterns[gaps.any(axis=1)], axis=0):
        rows = np.flatnonzero((patterns == pattern).all(axis=1))
        upto = int(pattern[-1]) + 1
        lost, seen = np.flatnonzero(pattern[:upto]), np.flatnonzero(pattern[:upto] == 0)
        steps = unit[:, :upto, :upto]
        precision = np.matmul(steps[:, :, lost].swapaxes(1, 2), steps[:, :, lost])
        given = np.matmul(fixed[:, :upto], known[rows].T) - np.matmul(
            steps[:, :, seen], completed[:, rows][:, :, seen].swapaxes(1, 2)
        )
        score = np.matmul(steps[:, :, lost].swapaxes(1, 2), given)
        root = np.linalg.cholesky(precision)
        noise = generator.standard_normal(score.shape)
        half = np.linalg.solve(root, score) + noise
        drawn = np.linalg.solve(root.swapaxes(1, 2), half)
        completed[np.ix_(np.arange(len(completed)), rows, lost)] = drawn.swapaxes(1, 2)
