"""Residuals of a fitted mixed model: raw, scaled and normalised."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError

if TYPE_CHECKING:
    import polars

    from .result import MixedFit

__all__ = ["ResidualKind", "fitted_values", "residual_frame", "residuals"]

Array = NDArray[np.floating[Any]]
ResidualKind = Literal["raw", "scaled", "normalised"]

_KINDS: tuple[ResidualKind, ...] = ("raw", "scaled", "normalised")


def fitted_values(fit: MixedFit) -> Array:
    """(patients kept, visits) X b at the visits observed, in units of the outcome; NaN elsewhere."""
    data = fit._data
    seen = ~np.isnan(data.outcome)
    fitted = np.full(data.outcome.shape, np.nan)
    fitted[seen] = data.design[seen] @ fit.coefficients
    return fitted


def residuals(fit: MixedFit, kind: ResidualKind = "raw") -> Array:
    """(patients kept, visits) residuals, NaN where not observed.

    With V_i = G_i^-1/2 Sigma G_i^-1/2 the covariance of patient i at the visits observed, G_i = diag(weights), and
    L_i its lower Cholesky factor in the order of the visits.

    Parameters
    ----------
    kind
        "raw": y - X b, in units of the outcome. "scaled": raw over the standard deviation of that visit, the roots of
        the diagonal of V_i (R's "pearson"). "normalised": L_i^-1 (y_i - X_i b), uncorrelated with variance one under
        the model but for the estimation of b (R's "normalized"); each tells what was unexpected at a visit given
        the patient's earlier ones (Galecki & Burzykowski 2013, Linear Mixed-Effects Models Using R, section 10.6).

    Raises
    ------
    InputError
        Another kind.
    """
    if kind not in _KINDS:
        raise InputError("kind", kind, "one of " + ", ".join(repr(one) for one in _KINDS))
    raw = fit._data.outcome - fitted_values(fit)
    if kind == "raw":
        return raw
    covariances = fit.patient_covariances
    if kind == "scaled":
        return raw / np.sqrt(np.diagonal(covariances, axis1=1, axis2=2))
    seen = ~np.isnan(raw)
    # The identity in the place of visits not observed leaves the factor of the observed ones as it is.
    observed = np.where(seen[:, :, None] & seen[:, None, :], covariances, np.eye(raw.shape[1]))
    solved = np.linalg.solve(np.linalg.cholesky(observed), np.where(seen, raw, 0.0)[:, :, None])[:, :, 0]
    return np.where(seen, solved, np.nan)


def residual_frame(fit: MixedFit) -> polars.DataFrame:
    """A polars data frame, one row an observation: patient, visit, outcome, fitted and the three residuals."""
    import polars

    seen = ~np.isnan(fit._data.outcome)
    patient, visit = np.nonzero(seen)
    return polars.DataFrame(
        {
            "patient": [fit.patients[i] for i in patient],
            "visit": [fit.visits[j] for j in visit],
            "outcome": fit._data.outcome[seen],
            "fitted": fitted_values(fit)[seen],
            **{kind: residuals(fit, kind)[seen] for kind in _KINDS},
        }
    )
