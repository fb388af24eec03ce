"""The distribution of a patient's visits that were not observed, given those that were.

With K = V_mo V_oo^-1, m the visits missing and o those observed,

    E[y_m | y_o] = X_m b + K (y_o - X_o b)        var[y_m | y_o] = V_mm - K V_om

and with b the generalised least squares estimate the prediction error has the variance

    (X_m - K X_o) var(b) (X_m - K X_o)' + V_mm - K V_om

for a given covariance V (Goldberger 1962, J Am Stat Assoc 57:369; Henderson 1975, Biometrics 31:423; Harville 1976, Ann
Stat 4:384). Written with T = (I, -K), which takes all visits to those missing, these are T X, T V T', and over a
parameter a of V the mean changes by T V_a (V_oo^-1 (y_o - X_o b), 0), the variance T V T' by T V_a T', and T X by
-T V_a (V_oo^-1 X_o, 0).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["ConditionalDistribution", "Patients", "among_observed", "condition"]

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Patients:
    """What is known of some patients at every visit.

    Attributes
    ----------
    outcome
        (patients, visits), NaN where not observed.
    design
        (patients, visits, columns), finite where observed; NaN where the covariates are not known.
    covariances
        (patients, visits, visits) of all visits.
    group
        (patients,) index of the covariance group.
    """

    outcome: Array
    design: Array
    covariances: Array
    group: NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class ConditionalDistribution:
    """Means and covariances of every visit of each patient given the patient's visits observed.

    Attributes
    ----------
    mean
        (patients, visits) the outcome where it was observed, else its conditional mean; NaN where the design is.
    contrast
        (patients, visits, columns) T X, derivative of the mean over the coefficients; zero where observed.
    variance
        (patients, visits) diagonal of T V T', coefficients taken as known; zero where observed.
    carrier
        (patients, visits, visits) T; zero in the rows of visits observed.
    pull, weighted_design
        (patients, visits) and (patients, visits, columns): V_oo^-1 (y_o - X_o b) and V_oo^-1 X_o, zero where not
        observed.
    """

    mean: Array
    contrast: Array
    variance: Array
    carrier: Array
    pull: Array
    weighted_design: Array


def among_observed(covariances: Array, observed: NDArray[np.bool_]) -> Array:
    """Covariances (patients, visits, visits) with those of the identity at visits not observed (patients, visits).

    Factors and inverses of the observed part are those of the whole.
    """
    return np.where(observed[:, :, None] & observed[:, None, :], covariances, np.eye(observed.shape[1]))


def condition(patients: Patients, coefficients: Array) -> ConditionalDistribution:
    """Condition each patient's visits on those observed, at coefficients (columns,)."""
    seen = ~np.isnan(patients.outcome)
    known = np.asarray(np.isfinite(patients.design).all(axis=2))
    x = np.where(known[:, :, None], patients.design, 0.0)
    marginal = x @ coefficients
    rest = np.where(seen, patients.outcome - marginal, 0.0)
    seen_design = np.where(seen[:, :, None], x, 0.0)
    across = np.where(seen[:, :, None] & ~seen[:, None, :], patients.covariances, 0.0)
    n_visits = seen.shape[1]
    given = np.concatenate([across, rest[:, :, None], seen_design], axis=2)
    solved = np.linalg.solve(among_observed(patients.covariances, seen), given)
    regression, pull = solved[:, :, :n_visits].swapaxes(1, 2), solved[:, :, n_visits]
    carrier = np.where(seen[:, :, None], 0.0, np.eye(n_visits) - regression)
    mean = np.where(seen, patients.outcome, marginal + (regression @ rest[:, :, None])[:, :, 0])
    contrast = carrier @ x
    variance = np.maximum((carrier @ patients.covariances * carrier).sum(axis=2), 0.0)
    unknown = ~known & ~seen
    mean[unknown] = np.nan
    contrast[unknown] = np.nan
    return ConditionalDistribution(mean, contrast, variance, carrier, pull, solved[:, :, n_visits + 1 :])
