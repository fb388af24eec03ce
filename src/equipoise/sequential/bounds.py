"""Boundaries from spent error: one pass over the looks, each bound solved from what may be spent there."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .integration import DEFAULT_GRID, Grid, start

__all__ = ["Boundaries", "efficacy_boundary", "futility_boundary"]

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Boundaries:
    """Bounds on the z scale at given information, larger z in favour of the experimental arm.

    Attributes
    ----------
    information
        Information fractions of the planned maximum, shape (looks,).
    efficacy
        Upper bound at each look, infinite where nothing may be spent; its negative is the lower bound of a two-sided
        design.
    futility
        Lower bound at each look, minus infinity where nothing may be spent, or None.
    alpha_spent, beta_spent
        Cumulative error spent, alpha over both sides; beta None without futility.
    complete
        Whether the last look given ends the trial.
    """

    information: Array
    efficacy: Array
    futility: Array | None
    alpha_spent: Array
    beta_spent: Array | None
    complete: bool

    def lower(self, sided: int, respect_futility: bool) -> Array:
        """Lower boundary of the region in which a trial continues."""
        if sided == 2:
            return -self.efficacy
        if respect_futility and self.futility is not None:
            return self.futility
        return np.full(self.efficacy.shape, -math.inf)


def _steepest(information: Array, increments: Array) -> float:
    """Largest drift that carries a trial to a quantile of its increment; it sets how far the window must reach."""
    from scipy.special import ndtri

    positive = increments > 0
    if not positive.any():
        return 0.0
    return float(max(0.0, np.max(-ndtri(increments[positive]) / np.sqrt(information[positive]))))


def efficacy_boundary(information: Array, increments: Array, sided: int, grid: Grid = DEFAULT_GRID) -> Array:
    """Upper bounds (z) that spend `increments` at drift 0, futility bounds left out of account.

    Parameters
    ----------
    information, increments
        Information fractions and one-side error to spend at each look, shape (looks,).
    sided
        2 to stop below the negative bound as well.
    grid
        How finely to integrate.
    """
    looks = information.size
    bounds = np.full(looks, math.inf)
    steepest = _steepest(information, increments)
    drifts = (-steepest if sided == 2 else 0.0, steepest)
    state = start()
    for look in range(looks):
        time = float(information[look])
        upper = state.upper_quantile(time, float(increments[look]))
        bounds[look] = upper / math.sqrt(time)
        if look + 1 < looks:
            lower = -upper if sided == 2 else -math.inf
            state = state.advance(time, lower, upper, float(information[look + 1]), drifts, grid)
    return bounds


def futility_boundary(
    information: Array,
    alpha_increments: Array,
    beta_increments: Array,
    efficacy: Array | None,
    drift: float,
    final: bool,
    grid: Grid = DEFAULT_GRID,
) -> tuple[Array, Array, float]:
    """Lower bounds (z) of a one-sided design that spend `beta_increments` at `drift`, both bounds in place.

    Parameters
    ----------
    information, alpha_increments, beta_increments
        Information fractions and error to spend at each look, shape (looks,).
    efficacy
        Upper bounds found without futility (non-binding), or None to find them with the futility bounds in place
        (binding).
    drift
        Drift at which beta is spent.
    final
        Whether the last look ends the trial; its lower bound is then its upper bound.
    grid
        How finely to integrate.

    Returns
    -------
    efficacy, futility
        Bounds, shape (looks,). A futility bound never lies above the efficacy bound.
    missed
        Probability under `drift` of ending below: the beta increments before the last look that could be spent, plus
        the probability below the efficacy bound at the last.
    """
    looks = information.size
    binding = efficacy is None
    upper = np.full(looks, math.inf) if efficacy is None else efficacy.copy()
    lower = np.full(looks, -math.inf)
    state = start(0.0 if binding else drift)
    steepest = _steepest(information, alpha_increments)
    drifts = (min(0.0, drift), max(steepest, drift))
    missed, at_drift = 0.0, np.array([drift])
    for look in range(looks):
        time = float(information[look])
        root = math.sqrt(time)
        if binding:
            upper[look] = state.upper_quantile(time, float(alpha_increments[look])) / root
        last = final and look + 1 == looks
        if not last and beta_increments[look] > 0:
            lower[look] = -state.at(drift).mirrored().upper_quantile(time, float(beta_increments[look])) / root
        if last or lower[look] > upper[look]:
            lower[look] = upper[look]
        missed += float(state.lower_exit(time, lower[look] * root, at_drift)[0])
        if look + 1 < looks:
            state = state.advance(
                time, lower[look] * root, upper[look] * root, float(information[look + 1]), drifts, grid
            )
    return upper, lower, missed
