"""A kernel that finds the covariance of related outcomes in many trials."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

__all__ = ["covariances"]

_compiled: Any = numba.njit(cache=True, nogil=True, error_model="numpy")


@_compiled
def _invert(matrix, inverse, root):  # type: ignore[no-untyped-def]
    """Invert a symmetric positive definite matrix by its Cholesky root; whether it is one."""
    count = len(matrix)
    for row in range(count):
        for column in range(row + 1):
            value = matrix[row, column]
            for at in range(column):
                value -= root[row, at] * root[column, at]
            if row > column:
                root[row, column] = value / root[column, column]
            elif value > 0.0:
                root[row, row] = np.sqrt(value)
            else:
                return False
    # The root's inverse takes the place of the part above the diagonal, transposed.
    for column in range(count):
        for row in range(column, count):
            value = 1.0 if row == column else 0.0
            for at in range(column, row):
                value -= root[row, at] * inverse[column, at]
            inverse[column, row] = value / root[row, row]
    for row in range(count):
        for column in range(row, count):
            value = 0.0
            for at in range(column, count):
                value += inverse[row, at] * inverse[column, at]
            inverse[row, column] = value
    for row in range(count):
        for column in range(row):
            inverse[row, column] = inverse[column, row]
    return True


@_compiled
def covariances(before, between, after, free, most, close, found):  # type: ignore[no-untyped-def]
    """Write covariances at the maximum of the restricted likelihood, (trials, outcomes, outcomes), or NaN.

    The gradient is 0 where the covariance is that of the residuals and of what the slopes leave unknown in them: its
    value so gives the next one, which never lowers the likelihood (Dempster, Laird & Rubin 1977, J R Stat Soc B 39:1,
    with the slopes as what is missing).

    Parameters
    ----------
    before, between, after, free
        As of `_Products`.
    most, close
        Steps at most, after which it need not be there, and the change, in units of the diagonal, at which to stop.
    """
    count = before.shape[1]
    weights, inner, root, hessian = (
        np.zeros((count, count)), np.zeros((count, count)), np.zeros((count, count)), np.zeros((count, count))
    )  # fmt: skip
    slopes, right = np.zeros(count), np.zeros(count)
    for trial in range(len(free)):
        one, two, three = before[trial], between[trial], after[trial]
        here = found[trial]
        for row in range(count):
            slopes[row] = two[row, row] / one[row, row]
        for row in range(count):
            for column in range(count):
                here[row, column] = (
                    three[row, column]
                    - slopes[row] * two[row, column]
                    - slopes[column] * two[column, row]
                    + slopes[row] * slopes[column] * one[row, column]
                ) / free[trial]
        sound = True
        for _ in range(most):
            sound = _invert(here, weights, root)
            if not sound:
                break
            for row in range(count):
                right[row] = 0.0
                for column in range(count):
                    hessian[row, column] = weights[row, column] * one[row, column]
                    right[row] += weights[row, column] * two[row, column]
            sound = _invert(hessian, inner, root)
            if not sound:
                break
            for row in range(count):
                slopes[row] = 0.0
                for column in range(count):
                    slopes[row] += inner[row, column] * right[column]
            change = 0.0
            for row in range(count):
                for column in range(row + 1):
                    value = (
                        three[row, column]
                        - slopes[row] * two[row, column]
                        - slopes[column] * two[column, row]
                        + (slopes[row] * slopes[column] + inner[row, column]) * one[row, column]
                    ) / free[trial]
                    unit = np.sqrt(here[row, row] * here[column, column])
                    change = max(change, abs(value - here[row, column]) / unit)
                    hessian[row, column] = value
            for row in range(count):
                for column in range(row + 1):
                    here[row, column] = here[column, row] = hessian[row, column]
            if change < close:
                break
        if not sound:
            here[:] = np.nan
