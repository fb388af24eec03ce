"""The distribution of a patient's visits that were not observed, given those that were.

With K = V_mo V_oo^-1, m the visits missing and o those observed,

    E[y_m | y_o] = X_m b + K (y_o - X_o b)        var[y_m | y_o] = V_mm - K V_om

and with b the generalised least squares estimate the prediction error has the variance

    (X_m - K X_o) var(b) (X_m - K X_o)' + V_mm - K V_om

for a given covariance V (Goldberger 1962, J Am Stat Assoc 57:369; Henderson 1975, Biometrics 31:423; Harville 1976, Ann
Stat 4:384).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["ConditionalDistribution", "condition"]

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class ConditionalDistribution:
    """Means and covariances of every visit of each patient given the patient's visits observed.

    Attributes
    ----------
    mean
        (patients, visits) the outcome where it was observed, else its conditional mean; NaN where the design is.
    contrast
        (patients, visits, columns) derivative of the mean over the coefficients, X_m - K X_o; zero where observed.
    covariance
        (patients, visits, visits) V_mm - K V_om, coefficients taken as known; zero in rows and columns observed.
    """

    mean: Array
    contrast: Array
    covariance: Array

    def covariance_with(self, covariance_of_coefficients: Array) -> Array:
        """(patients, visits, visits) covariance of the prediction errors, that of the coefficients (p, p) included."""
        return self.covariance + self.contrast @ covariance_of_coefficients @ self.contrast.swapaxes(1, 2)


def condition(outcome: Array, design: Array, covariances: Array, coefficients: Array) -> ConditionalDistribution:
    """Condition each patient's visits on those observed.

    Parameters
    ----------
    outcome
        (patients, visits), NaN where not observed.
    design
        (patients, visits, columns), finite where observed; NaN elsewhere gives NaN there.
    covariances
        (patients, visits, visits) of all visits.
    coefficients
        (columns,).
    """
    seen = ~np.isnan(outcome)
    known = np.asarray(np.isfinite(design).all(axis=2))
    x = np.where(known[:, :, None], design, 0.0)
    marginal = x @ coefficients
    observed = np.where(seen[:, :, None] & seen[:, None, :], covariances, np.eye(outcome.shape[1]))
    across = np.where(seen[:, :, None] & ~seen[:, None, :], covariances, 0.0)
    regression = np.linalg.solve(observed, across).swapaxes(1, 2)
    residual = np.where(seen, outcome - marginal, 0.0)
    mean = np.where(seen, outcome, marginal + (regression @ residual[:, :, None])[:, :, 0])
    contrast = np.where(seen[:, :, None], 0.0, x - regression @ x)
    unseen = ~seen[:, :, None] & ~seen[:, None, :]
    covariance = np.where(unseen, covariances - regression @ across, 0.0)
    unknown = ~known & ~seen
    mean[unknown] = np.nan
    contrast[unknown] = np.nan
    return ConditionalDistribution(mean, contrast, 0.5 * (covariance + covariance.swapaxes(1, 2)))
