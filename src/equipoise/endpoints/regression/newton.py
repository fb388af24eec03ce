"""Newton's method with halved steps, for the likelihoods of many trials at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Climb", "Likelihood", "climb", "inverted", "solved"]

_SETTLED = 1e-12
_STALLED = 1e-6
_ROUNDING = 1e-12
_FAR = 500.0
_CLEAR = 12
_SINGULAR = 1e-13


class Likelihood(Protocol):
    """Log-likelihoods of many trials."""

    def at(
        self, parameters: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Log-likelihood (trials,), its gradient (trials, q), and information (trials, q, q), positive definite."""
        ...

    def only(self, rows: NDArray[np.intp]) -> Self:
        """The likelihoods of some of the trials."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Climb:
    """Where the climbs ended.

    Attributes
    ----------
    parameters, log_likelihood, information
        At the maximum, or where the climb was given up; shapes (trials, q), (trials,), (trials, q, q).
    converged
        Whether it is a maximum with an information that is not singular to rounding, shape (trials,).
    step
        The last of the first dozen steps, shape (trials, q): which way a likelihood without a maximum runs, before its
        information is lost to rounding.
    """

    parameters: NDArray[np.float64]
    log_likelihood: NDArray[np.float64]
    information: NDArray[np.float64]
    converged: NDArray[np.bool_]
    step: NDArray[np.float64]

    def only(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> Climb:
        """Some of the climbs."""
        return Climb(
            self.parameters[rows],
            self.log_likelihood[rows],
            self.information[rows],
            self.converged[rows],
            self.step[rows],
        )


def solved(information: NDArray[np.float64], gradient: NDArray[np.float64]) -> NDArray[np.float64]:
    """information^-1 gradient for vectors (trials, q); least squares where a matrix is singular."""
    try:
        found = np.linalg.solve(information, gradient[..., None])[..., 0]
    except np.linalg.LinAlgError:
        found = np.matmul(np.linalg.pinv(information, hermitian=True), gradient[..., None])[..., 0]
    return np.asarray(found, dtype=np.float64)


def inverted(information: NDArray[np.float64]) -> NDArray[np.float64]:
    """Inverses of matrices (trials, q, q)."""
    return np.asarray(np.linalg.inv(information), dtype=np.float64)


def _regular(information: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether the parameters' correlations leave some information about each, shape (trials,)."""
    lengths = np.sqrt(np.maximum(np.einsum("tii->ti", information), 0.0))
    known = (lengths > 0).all(axis=1)
    scale = 1 / np.where(known[:, None], lengths, 1.0)
    return known & (np.linalg.eigvalsh(information * scale[:, :, None] * scale[:, None])[:, 0] > _SINGULAR)


def climb(likelihood: Likelihood, start: NDArray[np.float64], iterations: int = 30) -> Climb:
    """Maximise the log-likelihood of every trial.

    A step that loses likelihood is halved. A climb ends with a last step that is below 1e-12 of each parameter, or
    below 1e-6 and no longer shrinking; one that has not ended after `iterations` evaluations, or has come to parameters
    of 500, has no maximum within reach.

    Parameters
    ----------
    likelihood
        Concave, or with an information made positive definite.
    start
        Shape (trials, q), where the likelihood is finite.
    """
    trials, count = start.shape
    parameters, log_likelihood = start.copy(), np.full(trials, -np.inf)
    information = np.zeros((trials, count, count))
    steps, converged = np.zeros((trials, count)), np.zeros(trials, dtype=bool)
    rows = np.arange(trials)
    here, step, size = likelihood, np.zeros((trials, count)), np.full(trials, np.inf)
    for turn in range(iterations):
        candidate = parameters[rows] + step
        inside = np.abs(candidate).max(axis=1, initial=0.0) < _FAR
        if not inside.all():
            left = np.flatnonzero(inside)
            rows, step, size, candidate, here = rows[left], step[left], size[left], candidate[left], here.only(left)
            if not left.size:
                break
        value, gradient, matrix = here.at(candidate)
        best = log_likelihood[rows]
        better = value >= best - _ROUNDING * (1 + np.abs(np.where(np.isfinite(best), best, 0.0)))
        ahead, taken = rows[better], np.flatnonzero(better)
        parameters[ahead], log_likelihood[ahead] = candidate[taken], value[taken]
        information[ahead] = matrix[taken]
        step[~better] *= 0.5
        next_step = solved(matrix[taken], gradient[taken])
        step[taken] = next_step
        if turn < _CLEAR:
            steps[ahead] = next_step
        reach = np.abs(step).max(axis=1, initial=0.0)
        small = (np.abs(step) <= _SETTLED * (1 + np.abs(parameters[rows]))).all(axis=1)
        settled = better & (small | ((reach < _STALLED) & (reach > 0.5 * size)))
        # Halved to nothing: at the maximum where Newton's own step was small, else no way up was found.
        stuck = ~better & small
        parameters[rows[settled]] += step[settled]
        converged[rows[settled | (stuck & (size < _STALLED))]] = True
        size = np.where(better, reach, size)
        done = settled | stuck
        if done.any():
            left = np.flatnonzero(~done)
            rows, step, size = rows[left], step[left], size[left]
            if not left.size:
                break
            here = here.only(left)
    converged &= _regular(information)
    return Climb(parameters, log_likelihood, information, converged, steps)
