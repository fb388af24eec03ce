"""Roots on the positive half-line, for calendar times and durations of accrual."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["positive_root", "positive_roots"]

Array = NDArray[np.float64]


def positive_root(function: Callable[[float], float], guess: float) -> float:
    """Where a function of a positive number, rising from below 0, crosses 0 (Brent's method), from any first guess.

    It must come to exceed 0: the bracket doubles until it does.
    """
    from scipy.optimize import brentq

    low = high = guess
    while function(high) < 0:
        low, high = high, 2 * high
    while low == high or function(low) > 0:
        low, high = 0.5 * low, low
    return float(brentq(function, low, high, xtol=1e-13 * high, rtol=1e-14))  # pyright: ignore[reportArgumentType]


def positive_roots(
    function: Callable[[Array], Array], derivative: Callable[[Array], Array], values: Array, guess: float
) -> Array:
    """Where a smooth function that rises from 0 takes each of some values above 0, all at once.

    Newton's steps, with bisection where they leave the bracket; about eight evaluations to full precision.

    Parameters
    ----------
    function, derivative
        Of arrays in the shape of `values`, which the function must come to exceed.
    values
        Shape (looks,).
    guess
        A scale to begin with, above 0.
    """
    low, high = np.zeros(values.shape), np.full(values.shape, float(guess))
    while np.any(short := function(high) < values):
        low, high = np.where(short, high, low), np.where(short, 2 * high, high)
    here = 0.5 * (low + high)
    for _ in range(200):
        excess = function(here) - values
        low, high = np.where(excess <= 0, here, low), np.where(excess >= 0, here, high)
        with np.errstate(divide="ignore", invalid="ignore"):
            proposal = here - excess / derivative(here)
        proposal = np.where((proposal >= low) & (proposal <= high), proposal, 0.5 * (low + high))
        done = np.all(np.abs(proposal - here) <= 1e-12 * high)
        here = proposal
        if done:
            break
    return here
