"""Roots of many rising functions of one variable at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

__all__ = ["rising_roots"]

Array = npt.NDArray[np.float64]
Chosen = npt.NDArray[np.intp]


def rising_roots(
    function: Callable[[Array, Chosen], Array],
    guess: Array,
    slope: Array | float = 1.0,
    scale: Array | float = 1.0,
    tolerance: float = 1e-13,
    bracket: tuple[Array, Array] | None = None,
) -> Array:
    """Where each of several continuous, rising functions crosses zero.

    The safeguarded secant method of `roots.rising_root`, on arrays: a bracket that only shrinks, bisection where a
    secant leaves it or is slow. Only the functions that have not converged are evaluated again.

    Parameters
    ----------
    function
        Called with points (chosen,) and the indices (chosen,) of the functions to evaluate there; may be infinite.
    guess
        A point near each root, shape (functions,).
    slope
        About the derivative there, positive.
    scale
        Unit of the variable: the smallest size of root that matters, and the first step when nothing is bracketed.
    tolerance
        Step, relative to max(scale, |root|), at which to stop.
    bracket
        Points known to lie left and right of each root.

    Raises
    ------
    ArithmeticError
        When a function does not change sign within reach of its guess.
    """
    here = np.array(guess, dtype=np.float64)
    slope = np.broadcast_to(np.asarray(slope, dtype=np.float64), here.shape).copy()
    scale = np.broadcast_to(np.asarray(scale, dtype=np.float64), here.shape)
    left, right = bracket or (np.full(here.shape, -np.inf), np.full(here.shape, np.inf))
    left, right = left.copy(), right.copy()
    slow = np.zeros(here.shape, dtype=np.intp)
    reach = np.maximum(scale, np.abs(here))
    chosen = np.arange(here.size)
    value = function(here, chosen)
    for _ in range(300):
        point, size = here[chosen], np.maximum(scale[chosen], np.abs(here[chosen]))
        low = np.where(value < 0, point, left[chosen])
        high = np.where(value > 0, point, right[chosen])
        left[chosen], right[chosen] = low, high
        bracketed = np.isfinite(low) & np.isfinite(high)
        with np.errstate(invalid="ignore", over="ignore"):
            step = -value / slope[chosen]
            limit = reach[chosen]
            far = ~bracketed & ~(np.abs(step) <= limit)
            step = np.where(far, np.copysign(limit, -value), step)
        reach[chosen] = np.where(bracketed, limit, 2 * limit)
        proposal = point + step
        outside = ~((low < proposal) & (proposal < high)) | (slow[chosen] >= 3)
        small = np.abs(step) <= tolerance * size
        bisect = outside & bracketed & ~small
        middle = 0.5 * (np.where(bracketed, low, 0.0) + np.where(bracketed, high, 0.0))
        proposal = np.where(bisect, middle, proposal)
        slow[chosen] = np.where(bisect, 0, slow[chosen])
        done = small | (value == 0) | (np.abs(proposal - point) <= tolerance * size)
        here[chosen] = np.where(value == 0, point, np.clip(proposal, low, high))
        if done.all():
            return here
        keep = ~done
        chosen, before, value_before = chosen[keep], point[keep], value[keep]
        bracketed = bracketed[keep]
        value = function(here[chosen], chosen)
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            secant = (value - value_before) / (here[chosen] - before)
            halved = np.abs(value) <= 0.5 * np.abs(value_before)
        usable = np.isfinite(secant) & (secant > 0)
        slope[chosen] = np.where(usable, secant, slope[chosen])
        slow[chosen] = np.where(bracketed & ~halved, slow[chosen] + 1, 0)
    raise ArithmeticError(f"no root found between {left[chosen[0]]} and {right[chosen[0]]}")
