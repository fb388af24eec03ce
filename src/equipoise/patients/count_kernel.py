"""Kernel of the virtual patients' counts of events."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

__all__ = ["counts_of"]

_compiled: Any = numba.njit(cache=True, nogil=True, error_model="numpy")

_LEAST_LOG_MASS = -600.0
_NO_MASS = 1e-30


@_compiled
def _from_zero(uniform, mean, dispersion, mass):
    """Quantile by adding up masses from that of no events on."""
    step = mean / (1.0 + dispersion * mean)
    count, below = 0.0, mass
    while below <= uniform and (count < mean or mass > _NO_MASS):
        mass *= (1.0 + dispersion * count) * step / (count + 1.0)
        count += 1.0
        below += mass
    return count


@_compiled
def _around_mode(uniform, mean, dispersion):
    """Quantile by adding up masses relative to that of the most likely count, where that of no events is too small."""
    step = mean / (1.0 + dispersion * mean)
    mode = max(np.floor(mean * (1.0 - dispersion)), 0.0)
    first, mass = mode, 1.0
    while first > 0.0 and mass > _NO_MASS:
        mass *= first / ((1.0 + dispersion * (first - 1.0)) * step)
        first -= 1.0
    start, count, total = mass, first, mass
    while count < mode or mass > _NO_MASS:
        mass *= (1.0 + dispersion * count) * step / (count + 1.0)
        count += 1.0
        total += mass
    last = count
    count, mass, below = first, start, start
    while below <= uniform * total and count < last:
        mass *= (1.0 + dispersion * count) * step / (count + 1.0)
        count += 1.0
        below += mass
    return count


@_compiled
def counts_of(uniform, mean, dispersion):
    """Turn uniform numbers into quantiles of negative binomial counts, in place; all of shape (trials, patients).

    The variance is mean + dispersion mean^2: with a dispersion of 0 the counts are Poisson. Masses follow from one
    another, that of k + 1 from that of k by the factor (1 + dispersion k) mean / ((1 + dispersion mean) (k + 1)).
    """
    for trial in range(uniform.shape[0]):
        for patient in range(uniform.shape[1]):
            at, spread = mean[trial, patient], dispersion[trial, patient]
            log_mass = -np.log1p(spread * at) / spread if spread > 0.0 else -at
            if log_mass > _LEAST_LOG_MASS:
                uniform[trial, patient] = _from_zero(uniform[trial, patient], at, spread, np.exp(log_mass))
            else:
                uniform[trial, patient] = _around_mode(uniform[trial, patient], at, spread)
