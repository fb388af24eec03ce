"""From a design's rules to its bounds: which pass over the looks answers which combination of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..errors import InputError
from .bounds import Boundaries, Walk, efficacy_boundary, family_boundary, futility_boundary, outer_region
from .families import BoundaryFamily
from .fixed import FixedBounds
from .region import Region
from .roots import rising_root
from .spending import SpendingFunction

if TYPE_CHECKING:
    from .planned_design import PlannedDesign

__all__ = ["calibrating_drift", "crossing_drift", "solved"]

Array = npt.NDArray[np.float64]
_ITERATIONS = 200


def _increments(spending: SpendingFunction, information: Array, level: float, final: bool) -> Array:
    spent = np.array(spending.spent(information, level))
    if final:
        spent[-1] = level
    return np.maximum(np.diff(spent, prepend=0.0), 0.0)


class _Rule:
    """A design's efficacy rule at given information: increments to spend, or bounds up to a constant."""

    def __init__(
        self,
        design: PlannedDesign,
        efficacy: SpendingFunction | BoundaryFamily,
        level: float,
        information: Array,
        final: bool,
    ) -> None:
        self.design, self.efficacy, self.level = design, efficacy, level
        self.information, self.final = information, final
        self._last: Array | None = None
        self.steps = (
            _increments(efficacy, information, level, final) if isinstance(efficacy, SpendingFunction) else None
        )

    @cached_property
    def free(self) -> Array:
        """Efficacy bounds, futility left out of account."""
        if self.steps is not None:
            return efficacy_boundary(self.information, self.steps, self.design.sided)
        return self._family(lambda upper: float(self._alpha(upper).sum()))

    def _family(self, crossing: Callable[[Array], float]) -> Array:
        assert isinstance(self.efficacy, BoundaryFamily)
        return family_boundary(self.efficacy, self.information, self.level, crossing)

    def _alpha(self, upper: Array) -> Array:
        region = outer_region(self.information, upper, None, self.design.sided)
        return region.exit_probabilities(np.zeros(1)).upper[0]

    def alpha_spent(self, upper: Array, walk: Walk | None) -> Array:
        """Cumulative over both sides."""
        reached = walk.alpha if walk is not None and self.design.binding else None
        if self.steps is not None and (reached is None or np.abs(reached - self.steps).max() <= 1e-12):
            steps = self.steps
        else:
            steps = self._alpha(upper) if reached is None else reached
        spent = np.cumsum(steps)
        if self.final and abs(spent[-1] - self.level) <= 1e-9 * self.level:
            spent[-1] = self.level
        return self.design.sided * spent

    def walk(self, futility: Array | None, beta_spent: Array | None, drift: float) -> Walk:
        """Both bounds, the futility bounds given or to be spent for."""
        design = self.design

        def along(upper: Array | None) -> Walk:
            steps = self.steps if upper is None else None
            return futility_boundary(
                self.information,
                design.sided,
                upper,
                steps,
                futility,
                beta_spent,
                design.beta or 0.0,
                drift,
                self.final,
                design.binding,
                lambda: self.free,
            )

        if not design.binding:
            return along(self.free)
        if self.steps is not None:
            return along(None)
        try:
            return along(self._family(lambda upper: float(along(upper).alpha.sum())))
        except ArithmeticError:
            # so many trials end in futility that no constant spends alpha: the bounds without it keep the level
            return along(self.free)

    def with_futility(self, drift: float) -> Walk:
        """Both bounds by the design's futility rule, whatever it is."""
        design, futility = self.design, self.design.futility
        if isinstance(futility, FixedBounds):
            return self.walk(self._fixed_futility(futility, drift), None, drift)
        assert futility is not None
        spent = np.cumsum(_increments(futility, self.information, design.beta or 0.0, self.final))
        return self.walk(None, spent, drift)

    def _fixed_futility(self, futility: FixedBounds, drift: float) -> Array:
        """Fixed futility bounds on z; those that speak of the looks ahead are found with the planned ones ahead."""
        design, rule = self.design, self
        if not self.final:
            later = [time for time in design.information if time > self.information[-1]]
            rule = _Rule(design, self.efficacy, self.level, np.concatenate((self.information, later)), True)
        whole = rule.information

        def given(upper: Array) -> Array:
            return futility.futility(whole, design.information, upper, drift, design.sided)

        if not (design.binding and futility.looks_ahead):
            return given(rule.free if futility.looks_ahead else np.full(whole.size, math.inf))[: self.information.size]
        # binding bounds move the efficacy bounds on which they look ahead: a fixed point, from the last drift's, by
        # Anderson's acceleration (1965, J ACM 12:547) with one step of memory
        lower = given(rule.free) if self._last is None else self._last
        image_before = residual_before = None
        for _ in range(_ITERATIONS):
            image = given(rule.walk(lower, None, drift).efficacy)
            finite = np.isfinite(image) & np.isfinite(lower)
            residual = np.where(finite, image, 0.0) - np.where(finite, lower, 0.0)
            if np.abs(residual).max() <= 1e-12:
                break
            following = image
            if image_before is not None and residual_before is not None:
                change = residual - residual_before
                share = float(change @ residual) / max(float(change @ change), 1e-300)
                if abs(share) < 5:
                    both = finite & np.isfinite(image_before)
                    following = image.copy()
                    following[both] -= share * (image[both] - image_before[both])
            image_before, residual_before, lower = image, residual, following
        else:
            raise InputError("futility", futility.name, "bounds that settle when the efficacy bounds move with them")
        self._last = lower
        return lower[: self.information.size]


def solved(
    design: PlannedDesign,
    efficacy: SpendingFunction | BoundaryFamily,
    level: float,
    information: Array,
    final: bool,
    drift: float,
) -> Boundaries:
    """Bounds at `information`.

    Parameters
    ----------
    design
        Its sides, error rates, futility rule and whether that is binding.
    efficacy
        The efficacy rule in force: the design's own as planned, its error spending otherwise.
    level
        Type I error of one side it is to spend.
    information
        Information fractions, shape (looks,).
    final
        Whether the last of them ends the trial.
    drift
        Drift at which beta is spent, and of which conditional power speaks.
    """
    rule = _Rule(design, efficacy, level, information, final)
    if design.futility is None:
        return Boundaries(information, rule.free, None, rule.alpha_spent(rule.free, None), None, final)
    walk = rule.with_futility(drift)
    alpha_spent = rule.alpha_spent(walk.efficacy, walk)
    return Boundaries(information, walk.efficacy, walk.futility, alpha_spent, walk.beta_spent, final)


def crossing_drift(region: Region, beta: float, guess: float) -> float:
    """Drift at which the probability of leaving above is 1 - beta."""
    from scipy.special import ndtri

    target = -float(ndtri(beta))
    return rising_root(
        lambda drift: float(ndtri(region.exit_probabilities(np.array([drift])).upper.sum())) - target, guess
    )


def calibrating_drift(design: PlannedDesign, guess: float) -> float:
    """Drift at which bounds found at that drift miss with probability beta: where beta is spent.

    Raises
    ------
    InputError
        When there is none.
    """
    from scipy.special import ndtri

    target = float(ndtri(design.beta))
    rule = _Rule(design, design.efficacy, design.level, np.array(design.information), True)

    def deficit(drift: float) -> float:
        return target - float(ndtri(rule.with_futility(drift).missed))

    try:
        return rising_root(deficit, guess * 1.03)
    except ArithmeticError:
        name = design.futility.name if design.futility else design.efficacy.name
        raise InputError("beta", design.beta, f"an error that can be met with the futility rule {name}") from None
