"""Boundaries: one pass over the looks, each bound solved from what may be spent there, or taken as given."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..errors import InputError
from .families import BoundaryFamily
from .integration import DEFAULT_GRID, Grid, SubDensity, start
from .region import Region
from .roots import rising_root

__all__ = ["Boundaries", "Walk", "efficacy_boundary", "family_boundary", "futility_boundary", "outer_region"]

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
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
        Bound at each look, minus infinity where there is none, or None: a one-sided design stops at or below it, a
        two-sided one where |z| is at most that.
    alpha_spent, beta_spent
        Cumulative error spent, alpha over both sides; beta as its function spends, at the information planned the
        probability of missing the effect, None without spending for futility.
    complete
        Whether the last look given ends the trial.
    """

    information: Array
    efficacy: Array
    futility: Array | None
    alpha_spent: Array
    beta_spent: Array | None
    complete: bool

    def first(self, looks: int) -> Boundaries:
        """The bounds of the first looks alone."""
        if looks == self.information.size:
            return self
        futility = None if self.futility is None else self.futility[:looks]
        beta_spent = None if self.beta_spent is None else self.beta_spent[:looks]
        return Boundaries(
            self.information[:looks], self.efficacy[:looks], futility, self.alpha_spent[:looks], beta_spent, False
        )

    def region(self, sided: int, respect_futility: bool) -> Region:
        """Where a trial goes on."""
        futility = self.futility if respect_futility else None
        return outer_region(self.information, self.efficacy, futility, sided)


def outer_region(information: Array, upper: Array, futility: Array | None, sided: int) -> Region:
    """The continuation region of these bounds; a two-sided futility bound is the half-width of a wedge."""
    if sided == 2:
        wedge = None if futility is None else (-futility, futility)
        return Region(information, -upper, upper, wedge)
    return Region(information, np.full(upper.shape, -math.inf) if futility is None else futility, upper)


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


def family_boundary(
    family: BoundaryFamily, information: Array, level: float, crossing: Callable[[Array], float]
) -> Array:
    """Bounds (z) of a classical family whose one-side type I error `crossing(bounds)` is `level`.

    Parameters
    ----------
    family
        The family; its constant is solved unless the bounds are given in full.
    information
        Planned information fractions, shape (looks,).
    level
        Type I error of one side.
    crossing
        One-side probability under no effect of crossing such bounds.

    Raises
    ------
    InputError
        When no constant keeps the level.
    """
    from scipy.special import ndtri

    if not family.has_constant(information.size):
        bounds = family.bounds(information, math.inf)
        attained = crossing(bounds)
        if attained > level * (1 + 1e-9):
            raise InputError(
                "efficacy", family.name, f"bounds of a one-sided type I error of at most {level:g}, not {attained:.4g}"
            )
        return bounds
    if crossing(family.bounds(information, math.inf)) >= level:
        raise InputError(
            "efficacy", family.name, f"bounds that leave some of the {level:g} of one side for the last look"
        )
    target = float(ndtri(level))
    guess = -target

    def excess(constant: float) -> float:
        return target - float(ndtri(crossing(family.bounds(information, constant))))

    return family.bounds(information, rising_root(excess, guess))


@dataclass(frozen=True, eq=False)
class Walk:
    """What one pass over the looks with a futility bound has found.

    Attributes
    ----------
    efficacy, futility
        Bounds, shape (looks,). A futility bound never lies above the efficacy bound.
    missed
        Probability under the drift of ending without rejection.
    alpha
        One-side probability under no effect of first crossing the efficacy bound at each look with the futility bounds
        in place, shape (looks,); NaN where efficacy was given and the pass was held at the drift.
    beta_spent
        Cumulative beta spent, shape (looks,), or None where futility bounds were given.
    """

    efficacy: Array
    futility: Array
    missed: float
    alpha: Array
    beta_spent: Array | None


def futility_boundary(
    information: Array,
    sided: int,
    efficacy: Array | None,
    alpha_increments: Array | None,
    futility: Array | None,
    beta_spent: Array | None,
    beta: float,
    drift: float,
    final: bool,
    binding: bool,
    fallback: Callable[[], Array] | None = None,
    grid: Grid = DEFAULT_GRID,
) -> Walk:
    """Bounds with a futility bound in place: below, or for a two-sided design a wedge around no effect.

    A two-sided design spends beta as the probability under the drift of ending in the wedge, the other tail included in
    the power. At a first look where half the line, z below 0, would by itself use up what may be spent, a one-sided
    bound would lie below no effect: such a look has no wedge, and the beta left is spread over the later ones in
    proportion, as rpact does (Wassmer & Brannath 2016, section 3.2.2; Jennison & Turnbull 2000, chapter 5).

    Parameters
    ----------
    information
        Information fractions, shape (looks,).
    sided
        1 or 2.
    efficacy, alpha_increments
        Upper bounds as given, or the one-side error to spend at each look with the futility bounds in place.
    futility, beta_spent
        Futility bounds as given, or cumulative beta to spend under the drift, both bounds in place.
    beta
        Beta to be spent in all.
    drift
        Drift at which beta is spent.
    final
        Whether the last look ends the trial; its futility bound is then its efficacy bound.
    binding
        Whether type I error counts on the futility bounds; if not, efficacy bounds must be given.
    fallback
        Efficacy bounds found without futility, for a look at which fewer trials are left than there is alpha to spend.
    grid
        How finely to integrate.
    """
    looks = information.size
    upper = np.full(looks, math.inf) if efficacy is None else efficacy.copy()
    lower = np.full(looks, -math.inf)
    alpha = np.full(looks, math.nan)
    state = start(0.0 if binding else drift)
    steepest = 0.0
    if alpha_increments is not None:
        steepest = _steepest(information, alpha_increments)
    elif binding:
        finite = np.isfinite(upper)
        steepest = float(np.max(upper[finite] / np.sqrt(information[finite]), initial=0.0))
    drifts = (min(-steepest if sided == 2 else 0.0, drift), max(steepest, drift))
    spent = None if beta_spent is None else np.maximum.accumulate(beta_spent)
    missed, at_drift, null = 0.0, np.array([drift]), np.zeros(1)
    for look in range(looks):
        time = float(information[look])
        root = math.sqrt(time)
        if alpha_increments is not None:
            upper[look] = state.upper_quantile(time, float(alpha_increments[look])) / root
            if upper[look] == -math.inf and fallback is not None:
                upper[look] = fallback()[look]
            if futility is not None and look + 1 < looks:
                upper[look] = max(upper[look], futility[look])
        last = final and look + 1 == looks
        if last:
            lower[look] = upper[look]
        elif futility is not None:
            lower[look] = min(futility[look], upper[look])
        elif spent is not None:
            increment = float(spent[look] - (spent[look - 1] if look else 0.0))
            if sided == 1:
                lower[look] = min(_below(state, time, increment, drift) / root, upper[look])
            elif not np.isfinite(lower[:look]).any() and _takes_no_wedge(state, time, increment, drift):
                spent = _spread(spent, look, beta)
            else:
                lower[look] = _half_width(state, time, increment, drift, upper[look] * root) / root
        if binding:
            alpha[look] = state.upper_exit(time, upper[look] * root, null)[0]
        half = lower[look] * root
        wedge = (-half, half) if sided == 2 and half > 0 else None
        if sided == 1:
            missed += float(state.lower_exit(time, half, at_drift)[0])
        elif wedge is not None:
            missed += float(state.between(time, *wedge, at_drift)[0])
        if look + 1 < looks:
            below = lower[look] if sided == 1 else -upper[look]
            state = state.advance(
                time, below * root, upper[look] * root, float(information[look + 1]), drifts, grid, wedge
            )
    return Walk(upper, lower, missed, alpha, spent)


def _below(state: SubDensity, information: float, increment: float, drift: float) -> float:
    """Score below which a trial lies at the next look with probability `increment` under the drift."""
    return -state.at(drift).mirrored().upper_quantile(information, increment)


def _takes_no_wedge(state: SubDensity, information: float, increment: float, drift: float) -> bool:
    return float(state.lower_exit(information, 0.0, np.array([drift]))[0]) >= increment


def _spread(spent: Array, look: int, beta: float) -> Array:
    """Cumulative spending with nothing spent up to `look`, the rest in proportion."""
    return np.where(np.arange(spent.size) <= look, 0.0, beta * (spent - spent[look]) / (beta - spent[look]))


def _half_width(state: SubDensity, information: float, increment: float, drift: float, upper: float) -> float:
    """Half-width, at most `upper`, of the wedge into which a trial falls at the next look with this probability."""
    from scipy.special import ndtri

    if increment <= 0:
        return -math.inf
    held, at_drift, scale = state.at(drift), np.array([drift]), math.sqrt(information)
    mass = float(held.mass.sum())
    most = float(held.between(information, -upper, upper, at_drift)[0])
    if increment >= min(most, mass):
        return upper
    target = float(ndtri(increment / mass))

    def excess(half: float) -> float:
        inside = float(held.between(information, -half, half, at_drift)[0]) if half > 0 else 0.0
        return float(ndtri(min(inside / mass, 1.0))) - target

    return rising_root(lambda ratio: excess(ratio * scale), 0.5 * min(upper / scale, 2.0)) * scale
