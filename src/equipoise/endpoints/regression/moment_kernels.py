"""Kernels that go once over the patients of many trials for the sums that comparisons of means are made of."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

__all__ = ["arm_moments", "triangles"]

# Of any layout, so that one compiled form takes a visit out of all scores where they are.
_COLUMN, _COLUMNS, _ARM = "float64[:,:]", "float64[:,:,:]", "int64[:,:]"
_compiled: Any = numba.njit
_options: Any = {"cache": True, "nogil": True, "error_model": "numpy"}


@_compiled(fastmath={"reassoc", "nsz", "contract"}, **_options)
def _dot(one, other, count):  # type: ignore[no-untyped-def]
    total = 0.0
    for at in range(count):
        total += one[at] * other[at]
    return total


@_compiled(fastmath={"reassoc", "nsz"}, **_options)
def _sum(values, count):  # type: ignore[no-untyped-def]
    total = 0.0
    for at in range(count):
        total += values[at]
    return total


@_compiled(f"void({_COLUMN}, {_COLUMN}, {_ARM}, float64[:,:,::1])", **_options)
def arm_moments(outcome, before, arm, found):  # type: ignore[no-untyped-def]
    """Write patients, means and standard deviations, shape (3, trials, arms), NaN of too few patients.

    The spread is of the deviations from the mean. `before` is taken from the outcome; without columns nothing is.
    """
    trials, patients = arm.shape
    arms, change = found.shape[2], before.shape[1] > 0
    values, counts = np.empty((arms, patients)), np.zeros(arms, dtype=np.int64)
    for trial in range(trials):
        counts[:] = 0
        for at in range(patients):
            group = arm[trial, at]
            here = outcome[trial, at]
            if change:
                here -= before[trial, at]
            if group < 0 or group >= arms or np.isnan(here):
                continue
            values[group, counts[group]] = here
            counts[group] += 1
        for group in range(arms):
            count, own = counts[group], values[group]
            found[0, trial, group] = count
            found[1, trial, group] = found[2, trial, group] = np.nan
            if not count:
                continue
            mean = _sum(own, count) / count
            for at in range(count):
                own[at] -= mean
            shift = _sum(own, count) / count
            found[1, trial, group] = mean + shift
            if count > 1:
                squares = _dot(own, own, count) - count * shift * shift
                found[2, trial, group] = np.sqrt(max(squares, 0.0) / (count - 1))


@_compiled(
    f"void({_COLUMNS}, {_ARM}, {_COLUMNS}, {_COLUMNS}, {_COLUMNS}, float64, float64, int64[:,::1], float64[:,:,::1],"
    " float64[:,:,::1], float64[:,::1], uint8[::1], uint8[::1])",
    **_options,
)
def triangles(  # type: ignore[no-untyped-def]
    covariates, arm, own, outcomes, before, varies, independent, sizes, triangle, rest, share, fine, partly
):
    """Regress outcomes and own covariates on an intercept, covariates and arms (the last first), of complete patients.

    Writes what `cross_products.Triangle` holds. `before` is taken from the outcomes; without columns nothing is.
    """
    trials, patients = arm.shape
    count, arms, slopes, change = covariates.shape[2], sizes.shape[1], own.shape[2], before.shape[2] > 0
    first = count + arms - 1
    columns = first + slopes + outcomes.shape[2]
    values = np.empty((columns, patients))
    products, scale = np.empty((columns, columns)), np.empty(columns)
    for trial in range(trials):
        kept = 0
        for at in range(patients):
            group = arm[trial, at]
            if group < 0:
                continue
            complete = True
            for column in range(count):
                values[column, kept] = covariates[trial, at, column]
                complete &= not np.isnan(values[column, kept])
            for column in range(slopes):
                values[first + column, kept] = own[trial, at, column]
                complete &= not np.isnan(values[first + column, kept])
            if not complete:
                continue
            missing = 0
            for column in range(outcomes.shape[2]):
                here = outcomes[trial, at, column]
                if change:
                    here -= before[trial, at, column]
                values[first + slopes + column, kept] = here
                missing += np.isnan(here)
            if missing:
                if missing < outcomes.shape[2]:
                    partly[trial] = 1
                continue
            for column in range(1, arms):
                values[first - column, kept] = group == column
            sizes[trial, group] += 1
            kept += 1
        sound = kept > 0
        for column in range(columns):
            here = values[column]
            raw = _dot(here, here, kept)
            sound &= raw < np.inf
            mean = _sum(here, kept) / max(kept, 1)
            for at in range(kept):
                here[at] -= mean
            for other in range(column + 1):
                products[column, other] = _dot(here, values[other], kept)
            square = products[column, column]
            sound &= square > varies * varies * raw
            scale[column] = np.sqrt(square) if square > 0 else 1.0
        for column in range(columns):
            for other in range(column + 1):
                products[column, other] /= scale[column] * scale[other]
        for pivot in range(first):
            sound &= products[pivot, pivot] > independent
            length = np.sqrt(products[pivot, pivot]) if sound else 1.0
            for column in range(pivot, columns):
                products[column, pivot] /= length
            for column in range(pivot + 1, columns):
                for other in range(pivot + 1, column + 1):
                    products[column, other] -= products[column, pivot] * products[other, pivot]
        for column in range(columns):
            for pivot in range(min(column + 1, first)):
                triangle[trial, column, pivot] = products[column, pivot] * scale[column]
        for column in range(first, columns):
            share[trial, column - first] = products[column, column]
            for other in range(first, column + 1):
                value = products[column, other] * (scale[column] * scale[other])
                rest[trial, column - first, other - first] = rest[trial, other - first, column - first] = value
        fine[trial] = sound
