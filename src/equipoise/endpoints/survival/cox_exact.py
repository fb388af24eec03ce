"""Cox's partial likelihood with ties taken exactly, as times that are discrete."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...errors import InputError
from .risk_rows import RiskRows

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ExactLikelihood"]


@dataclass(frozen=True, slots=True, eq=False)
class ExactLikelihood:
    """Log partial likelihood of one trial where each time's events are one choice among all of that many at risk.

    Cox 1972, JRSS B 34:187, section 6. The sum over the choices of d among those at risk is the elementary symmetric
    polynomial of degree d of their weights; risk sets are nested, so that the polynomials of all times come of adding
    patients one by one from the last time back (recursion of Gail, Lubin & Rubinstein 1981, Biometrika 68:703).

    Attributes
    ----------
    rows
        The patients of one trial in order of time.
    columns
        Of the design, 0 behind the last patient, shape (rows, columns, places).
    """

    rows: RiskRows
    columns: NDArray[np.float64]

    def only(self, rows: NDArray[np.intp]) -> ExactLikelihood:
        """Itself: there is one trial."""
        return self

    def at(
        self, parameters: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Log partial likelihood, score and information; shapes (1,), (1, q) and (1, q, q).

        Raises
        ------
        InputError
            Where so many events are tied that the sums over choices leave the range of numbers.
        """
        value, score, information = 0.0, 0.0, 0.0
        with np.errstate(over="ignore", invalid="ignore"):
            for row in range(len(self.rows.time)):
                parts = self._stratum(row, parameters[0])
                value, score, information = value + parts[0], score + parts[1], information + parts[2]
        return np.array([value]), np.array([score]), np.array([information])

    def _stratum(
        self, row: int, parameters: NDArray[np.float64]
    ) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
        at, patients = self.rows.at, int(self.rows.patients[row])
        count = len(parameters)
        value, score, information = 0.0, np.zeros(count), np.zeros((count, count))
        here = at.row == row
        if not here.any():
            return value, score, information
        columns = self.columns[row, :, :patients].T
        predictor = columns @ parameters
        weight = np.exp(predictor - predictor.max())
        tied = dict(zip((at.start[here] - row * at.width).tolist(), at.events[here].tolist(), strict=True))
        most = max(tied.values())
        # Weights on a scale on which the polynomial of the largest tie is between 1 and e^ties.
        scale = np.log(most / weight.sum())
        weight = weight * np.exp(scale)
        sums, firsts, seconds = np.zeros(most + 1), np.zeros((most + 1, count)), np.zeros((most + 1, count, count))
        sums[0] = 1.0
        for place in range(patients - 1, -1, -1):
            column = columns[place]
            cross = firsts[:-1, :, None] * column
            seconds[1:] += weight[place] * (
                seconds[:-1] + cross + cross.swapaxes(1, 2) + sums[:-1, None, None] * np.outer(column, column)
            )
            firsts[1:] += weight[place] * (firsts[:-1] + sums[:-1, None] * column)
            sums[1:] += weight[place] * sums[:-1]
            events = tied.get(place)
            if events is None:
                continue
            if not (np.isfinite(seconds[events]).all() and sums[events] > 0):
                raise InputError("ties", "exact", f"'efron' or 'breslow' where {events} events are at one time")
            mean = firsts[events] / sums[events]
            taken = slice(place, place + events)
            value += float((predictor[taken] - predictor.max() + scale).sum() - np.log(sums[events]))
            score += columns[taken].sum(axis=0) - mean
            information += seconds[events] / sums[events] - np.outer(mean, mean)
        return value, score, information
