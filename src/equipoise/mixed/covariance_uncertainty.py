"""What the estimation of the covariance adds to the error of conditional predictions.

With m(s) the prediction and v(s) the variance of its error at covariance parameters s, d and g their derivatives and A
the inverse of the observed information, the error of the prediction at the estimated s has a variance near v + d'Ad; as
v at the estimate falls short of v at the truth by about d'Ad once more, the estimate of it is v + 2 d'Ad (Kackar &
Harville 1984, J Am Stat Assoc 79:853; Harville & Jeske 1992, 87:724; Prasad & Rao 1990, 85:163). It is referred to a t
distribution with 2 v^2 / (g'Ag) degrees of freedom (Giesbrecht & Burns 1985).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .errors import FitError

if TYPE_CHECKING:
    from .result import MixedFit

__all__ = ["covariance_uncertainty"]

Array = NDArray[np.floating[Any]]

# Central differences over steps of this many standard errors: a relative error near 1e-8, and 1e-11 of rounding.
_STEP = 1e-4


def covariance_uncertainty(
    fit: MixedFit, predicted: Callable[[MixedFit, Array], tuple[Array, Array]]
) -> tuple[Array, Array]:
    """The variance 2 d'Ad that the covariance's estimation adds, and the degrees of freedom of the whole.

    Parameters
    ----------
    predicted
        Means (...) and variances of their errors (...) of a fit with other covariance parameters, and a covariance of
        the coefficients (columns, columns) to go with them.
    """
    maximum = fit._maximum
    inverse = np.linalg.inv(maximum.information)
    parameters = maximum.point.parameters
    slopes, changes = [], []
    for index, width in enumerate(_STEP * np.sqrt(np.diagonal(inverse))):
        step = np.zeros(parameters.size)
        step[index] = width
        up, down = (predicted(*_moved(fit, parameters + s * step.reshape(parameters.shape))) for s in (1, -1))
        slopes.append((up[0] - down[0]) / (2 * width))
        changes.append((up[1] - down[1]) / (2 * width))
    d, g = np.stack(slopes), np.stack(changes)
    added = 2 * np.einsum("a...,ab,b...->...", d, inverse, d, optimize=True)
    spread = np.einsum("a...,ab,b...->...", g, inverse, g, optimize=True)
    variance = predicted(*_moved(fit, parameters))[1]
    moves = spread > 0
    degrees = np.where(moves, 2 * variance**2 / np.where(moves, spread, 1.0), np.inf)
    return added, np.where(np.isnan(variance), np.nan, degrees)


def _moved(fit: MixedFit, parameters: Array) -> tuple[MixedFit, Array]:
    """The fit with other covariance parameters and the same coefficients, and the variance these then have."""
    maximum, data = fit._maximum, fit._data
    point = maximum.likelihood.at(parameters)
    if point is None:
        raise FitError("The covariance lies at the boundary of its parameters, so its uncertainty cannot be told.")
    covariance = point.covariance * data.scale**2
    moved = replace(fit, covariance=covariance if fit.groups else covariance[0], _maximum=replace(maximum, point=point))
    if fit.variance != "model":
        return moved, fit.covariance_of_coefficients
    inverse = np.linalg.inv(data.triangle)
    return moved, data.scale**2 * (inverse @ point.inner @ inverse.T)
