"""Kernels of the negative binomial likelihood."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

__all__ = ["curvatures", "dispersion_sums"]

_compiled: Any = numba.njit(cache=True, nogil=True, error_model="numpy")

_NEAR = 0.03
_TERMS = 12


@_compiled
def curvatures(t):  # type: ignore[no-untyped-def]
    """log(1 + t) / t, A(t) = (log(1 + t) - t / (1 + t)) / t^2, and A'(t), by series where t is near 0."""
    if t < _NEAR:
        ratio, curve, slope = 0.0, 0.0, 0.0
        for k in range(_TERMS, -1, -1):
            ratio = 1.0 / (k + 1) - t * ratio
            curve = (k + 1.0) / (k + 2) - t * curve
            slope = (k + 1.0) * (k + 2) / (k + 3) - t * slope
        return ratio, curve, -slope
    log = np.log1p(t)
    curve = (log - t / (1 + t)) / t**2
    return log / t, curve, 1 / (t * (1 + t) ** 2) - 2 * curve / t


@_compiled
def dispersion_sums(count, mean, dispersion, found):  # type: ignore[no-untyped-def]
    """Write the patients' sums in the log-likelihood and its first two derivatives by the dispersion, (3, trials)."""
    for trial in range(count.shape[0]):
        value, first, second = 0.0, 0.0, 0.0
        for at in range(count.shape[1]):
            own, here = count[trial, at], mean[trial, at]
            t = dispersion[trial] * here
            ratio, curve, slope = curvatures(t)
            shrunk = here / (1 + t)
            value += (own * t + here) * ratio
            first += here**2 * curve - own * shrunk
            second += here**3 * slope + own * shrunk**2
        found[0, trial], found[1, trial], found[2, trial] = value, first, second
