"""What the estimation of the covariance adds to the error of conditional predictions.

With m(s) the prediction, at the coefficients estimated, and v(s) the variance of its error at covariance parameters s,
d and g their derivatives and A the inverse of the observed information, the error of the prediction at the estimated s
has a variance near v + d'Ad; as v at the estimate falls short of v at the truth by about d'Ad once more, the estimate
of it is v + 2 d'Ad (Kackar & Harville 1984, J Am Stat Assoc 79:853; Harville & Jeske 1992, 87:724; Prasad & Rao 1990,
85:163). It is referred to a t distribution with 2 v^2 / (g'Ag) degrees of freedom (Giesbrecht & Burns 1985).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .conditional import ConditionalDistribution, Patients
from .covariance.named import is_spatial, structure
from .covariance.structures import correlation_of, filled

if TYPE_CHECKING:
    from .result import MixedFit

__all__ = ["covariance_uncertainty"]

Array = NDArray[np.floating[Any]]


def covariance_uncertainty(fit: MixedFit, patients: Patients, found: ConditionalDistribution) -> tuple[Array, Array]:
    """The variance 2 d'Ad that the covariance's estimation adds, and the degrees of freedom of the whole.

    Parameters
    ----------
    patients, found
        The patients, with covariances as the fit has them, and their visits' conditional distribution.

    Returns
    -------
    (patients, visits) each; where the outcome was observed 0 and infinity, NaN where the mean is.
    """
    maximum = fit._maximum
    inverse = np.linalg.inv(maximum.information)
    coefficients, moves = _covariance_of_coefficients(fit)
    carried = found.contrast @ coefficients
    leverage = carried @ found.weighted_design.swapaxes(1, 2)
    # v = diag(T V T') + diag(c C c'), and c changes by -T V_a W X.
    weights = found.carrier - 2.0 * leverage
    shape = (len(inverse), *found.mean.shape)
    d, g = np.zeros(shape), np.zeros(shape)
    for index, (own, slope) in enumerate(_covariance_slopes(fit, patients)):
        along = found.carrier[own] @ slope
        d[index, own] = (along @ found.pull[own, :, None])[:, :, 0]
        g[index, own] = (along * weights[own]).sum(axis=2)
        if moves is not None:
            g[index] += (found.contrast @ moves[index] * found.contrast).sum(axis=2)
    added = 2.0 * np.einsum("aij,ab,bij->ij", d, inverse, d, optimize=True)
    spread = np.einsum("aij,ab,bij->ij", g, inverse, g, optimize=True)
    variance = found.variance + (carried * found.contrast).sum(axis=2)
    vary = spread > 0
    degrees = np.where(vary, 2.0 * variance**2 / np.where(vary, spread, 1.0), np.inf)
    known = ~np.isnan(found.mean)
    return np.where(known, added, np.nan), np.where(known, degrees, np.nan)


def _covariance_of_coefficients(fit: MixedFit) -> tuple[Array, Array | None]:
    """C = (X'WX)^-1 and how it changes over the covariance parameters, C (X'W V_a W X) C.

    A sandwich does not depend on the covariance but through its working weights, and is taken as it stands.
    """
    if fit.variance != "model":
        return fit.covariance_of_coefficients, None
    maximum = fit._maximum
    inner = maximum.point.inner
    return fit._data.unstandardised(inner), fit._data.unstandardised(inner @ maximum.design_derivatives @ inner)


def _covariance_slopes(fit: MixedFit, patients: Patients) -> Iterator[tuple[NDArray[np.bool_], Array]]:
    """For each covariance parameter the patients it moves, (patients,), and how, (those patients, visits, visits)."""
    from scipy.special import xlogy

    n_visits = patients.outcome.shape[1]
    for index, theta in enumerate(fit._maximum.point.parameters):
        own = patients.group == index
        covariances = patients.covariances[own]
        if is_spatial(fit.structure):
            # v exp(-c x), over the logarithms of the standard deviation and of the decay c.
            yield own, 2.0 * covariances
            yield own, xlogy(covariances, correlation_of(covariances))
            continue
        chosen = structure(fit.structure, n_visits)
        # The patients' covariances are the structure's but for units and weights, a factor for each visit.
        standard = np.diagonal(filled(chosen.entries(theta), n_visits))
        factor = np.sqrt(np.diagonal(covariances, axis1=1, axis2=2) / standard)
        factors = factor[:, :, None] * factor[:, None, :]
        for slope in filled(chosen.jacobian(theta), n_visits):
            yield own, factors * slope
