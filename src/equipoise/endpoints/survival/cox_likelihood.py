"""Cox's partial likelihood of many trials, with ties by Efron's or Breslow's approximation, in strata or without."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .risk_rows import RiskRows

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["CoxLikelihood", "RiskSums"]


@dataclass(frozen=True, slots=True, eq=False)
class RiskSums:
    """What given coefficients make of those at risk.

    Attributes
    ----------
    log_weight
        Linear predictor less its largest value in the row, shape (rows, places).
    weight
        Its exponential, 0 where there is no patient, shape (rows, places).
    denominator
        Of each event: weights at risk summed; by Efron's approximation the events of the same time count for less and
        less; shape (events,).
    mean
        Mean of the columns over those at risk by these weights, shape (events, columns).
    """

    log_weight: NDArray[np.float64]
    weight: NDArray[np.float64]
    denominator: NDArray[np.float64]
    mean: NDArray[np.float64]


def _from_the_end(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.cumsum(values[..., ::-1], axis=-1)[..., ::-1]


@dataclass(frozen=True, slots=True, eq=False)
class CoxLikelihood:
    """Log partial likelihoods of many trials (Cox 1972, JRSS B 34:187; Efron 1977, JASA 72:557).

    The information is the sum over events of the variance of the columns among those at risk. Its part of squares,
    summed over events, is one sum over patients: each adds her squares, weighted by the hazard she has been under.

    Attributes
    ----------
    rows
        The patients in order of time.
    columns
        Of the design, 0 behind the last patient, shape (rows, columns, places).
    aliased
        Columns that count for nothing, shape (trials, columns).
    efron
        Whether ties are Efron's; else Breslow's (1974, Biometrics 30:89).
    """

    rows: RiskRows
    columns: NDArray[np.float64]
    aliased: NDArray[np.bool_]
    efron: bool = True

    def only(self, rows: NDArray[np.intp]) -> CoxLikelihood:
        """The likelihoods of some of the trials."""
        strata = self.rows.strata
        chosen = (rows[:, None] * strata + np.arange(strata)).ravel()
        return CoxLikelihood(self.rows.only(rows), self.columns[chosen], self.aliased[rows], self.efron)

    @property
    def _share(self) -> NDArray[np.float64] | None:
        """Of each event, what counts of the events of its time; None where all of them count in full."""
        return self.rows.at.tied_share if self.efron and self.rows.at.tied else None

    def risk_sums(self, coefficients: NDArray[np.float64]) -> RiskSums:
        """Sums over those at risk at coefficients of shape (trials, columns)."""
        at, present = self.rows.at, self.rows.present
        by_row = np.repeat(coefficients, self.rows.strata, axis=0)
        predictor = np.matmul(by_row[:, None], self.columns)[:, 0]
        highest = np.max(predictor, axis=1, initial=-np.inf, where=present)
        predictor = np.where(present, predictor - np.where(np.isfinite(highest), highest, 0.0)[:, None], -np.inf)
        weight = np.exp(predictor)
        weighted = weight[:, None] * self.columns
        place = at.start - at.row * at.width
        total = _from_the_end(weight).ravel()[at.start][at.of_event]
        sums = _from_the_end(weighted)[at.row, :, place][at.of_event]
        share = self._share
        if share is not None:
            row, place = np.divmod(at.place, at.width)
            total = total - share * at.summed(weight.ravel()[at.place])[at.of_event]
            sums = sums - share[:, None] * at.summed(weighted[row, :, place])[at.of_event]
        return RiskSums(predictor, weight, total, sums / total[:, None])

    def log_likelihood(self, sums: RiskSums) -> NDArray[np.float64]:
        """Shape (trials,)."""
        at = self.rows.at
        return at.by_trial(at.summed(sums.log_weight.ravel()[at.place] - np.log(sums.denominator)))

    def _placed(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values of the events (events, columns) at their places, 0 elsewhere, shape (rows, columns, places)."""
        row, place = np.divmod(self.rows.at.place, self.rows.at.width)
        found = np.zeros(self.columns.shape)
        found[row, :, place] = values
        return found

    def _of_trials(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sums over the rows of each trial."""
        return values.reshape(self.rows.trials, self.rows.strata, *values.shape[1:]).sum(axis=1)

    def score(self, sums: RiskSums, multiple: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        """Sum over events of column less mean among those at risk, each times its `multiple` (events,); shape
        (trials, columns).
        """
        gaps = np.where(self.rows.event[:, None], self.columns, 0.0) - self._placed(sums.mean)
        if multiple is not None:
            gaps *= self._placed_scalar(multiple)[:, None]
        return self._of_trials(gaps.sum(axis=2))

    def _placed_scalar(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        found = np.zeros(self.rows.time.shape)
        found.ravel()[self.rows.at.place] = values
        return found

    def hazards(self, sums: RiskSums, multiple: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        """Baseline hazard that each patient has been under, events counted `multiple` times; shape (rows, places).

        A patient with an event was under that of her own time for the share that Efron's approximation leaves her.
        """
        at, share = self.rows.at, self._share
        steps = 1 / sums.denominator if multiple is None else multiple / sums.denominator
        rise = np.zeros(self.rows.time.size)
        rise[at.start] = at.summed(steps)
        hazard = np.cumsum(rise.reshape(self.rows.time.shape), axis=1)
        if share is not None:
            hazard.ravel()[at.place] -= at.summed(share * steps)[at.of_event]
        return hazard

    def information(self, sums: RiskSums, multiple: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        """Sum over events of the variance of the columns among those at risk, each times its `multiple` (events,);
        shape (trials, columns, columns), 1 on the diagonal of aliased columns.
        """
        exposed = sums.weight * self.hazards(sums, multiple)
        means = self._placed(sums.mean)
        weighted = means if multiple is None else means * self._placed_scalar(multiple)[:, None]
        squares = np.matmul(self.columns * exposed[:, None], self.columns.swapaxes(1, 2))
        found = self._of_trials(squares - np.matmul(weighted, means.swapaxes(1, 2)))
        trial, column = np.nonzero(self.aliased)
        found[trial, column, column] = 1.0
        return found

    def at(
        self, parameters: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Log partial likelihood, score and information; shapes (trials,), (trials, q) and (trials, q, q).

        NaN or infinite where a step has gone so far that nobody at risk weighs anything.
        """
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            sums = self.risk_sums(parameters)
            return self.log_likelihood(sums), self.score(sums), self.information(sums)

    def score_residuals(self, sums: RiskSums) -> NDArray[np.float64]:
        """What each patient adds to the score, by place, shape (rows, columns, places).

        Her event's column less mean, if she had one, less the same gap over all risk sets she was in, each by her share
        of its hazard (Therneau, Grambsch & Fleming 1990, Biometrika 77:147); an event of a tie has the tie's average.
        """
        at, share = self.rows.at, self._share
        steps = sums.mean / sums.denominator[:, None]
        rise = np.zeros(self.columns.shape)
        start = at.start - at.row * at.width
        rise[at.row, :, start] = at.summed(steps)
        passed = np.cumsum(rise, axis=2)
        if share is not None:
            passed -= self._placed(at.summed(share[:, None] * steps)[at.of_event])
        average = (at.summed(sums.mean) / at.events[:, None])[at.of_event]
        own = np.where(self.rows.event[:, None], self.columns, 0.0) - self._placed(average)
        return own - sums.weight[:, None] * (self.columns * self.hazards(sums)[:, None] - passed)
