"""Variances of coefficients that hold without the model's variance of the outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ROBUST", "Robust", "sandwich"]

Robust = Literal["HC0", "HC1", "HC2", "HC3"]
ROBUST = ("HC0", "HC1", "HC2", "HC3")


def sandwich(
    basis: NDArray[np.float64],
    residuals: NDArray[np.float64],
    weights: NDArray[np.float64],
    inverse: NDArray[np.float64],
    kind: Robust,
) -> NDArray[np.float64]:
    """Heteroscedasticity-consistent covariance of coefficients.

    White 1980, Econometrica 48:817; MacKinnon & White 1985, J Econometrics 29:305.

    Parameters
    ----------
    basis
        Columns, 0 where nobody is analysed, shape (trials, q, patients).
    residuals
        What each patient adds to the score, per unit of each column, shape (trials, patients).
    weights
        What each patient adds to the information, per unit of the columns' products, shape (trials, patients); 0 where
        nobody is analysed.
    inverse
        Of the information, shape (trials, q, q).
    kind
        HC0 as it is; HC1 times n / (n - q); HC2 and HC3 with residuals divided by the root of, and by, 1 less the
        leverage. A patient of leverage 1, whom the model fits whatever her outcome, adds nothing.
    """
    squares = residuals * residuals
    if kind == "HC1":
        patients = (weights > 0).sum(axis=1)
        coefficients = (basis != 0).any(axis=2).sum(axis=1)
        squares = squares * (patients / (patients - coefficients))[:, None]
    elif kind != "HC0":
        leverage = weights * (np.matmul(inverse, basis) * basis).sum(axis=1)
        rest = 1.0 - leverage
        alone = (rest < 1e-10) | (weights <= 0)
        rest = np.where(alone, 1.0, rest)
        squares = np.where(alone, 0.0, squares) / (rest if kind == "HC2" else rest * rest)
    middle = np.matmul(basis * squares[:, None], basis.swapaxes(1, 2))
    return np.matmul(np.matmul(inverse, middle), inverse)
