"""Residuals of a fitted mixed model: raw, scaled and normalised."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ..checks import choice
from .conditional import among_observed

if TYPE_CHECKING:
    import polars

    from .result import MixedFit

__all__ = ["ResidualKind", "fitted_values", "residual_frame", "residuals"]

Array = NDArray[np.floating[Any]]
ResidualKind = Literal["raw", "scaled", "normalised"]

_KINDS: tuple[ResidualKind, ...] = get_args(ResidualKind)


def fitted_values(fit: MixedFit) -> Array:
    """(patients kept, visits) X b at the visits observed, in units of the outcome; NaN elsewhere."""
    fitted = np.full(fit.outcome.shape, np.nan)
    fitted[fit.observed] = fit.design[fit.observed] @ fit.coefficients
    return fitted


def residuals(fit: MixedFit, kind: ResidualKind = "raw") -> Array:
    """(patients kept, visits) residuals, NaN where not observed; see `MixedFit.residuals`."""
    choice("kind", kind, _KINDS)
    raw = fit.outcome - fitted_values(fit)
    if kind == "raw":
        return raw
    covariances, seen = fit.patient_covariances, fit.observed
    if kind == "scaled":
        return raw / np.sqrt(np.diagonal(covariances, axis1=1, axis2=2))
    root = np.linalg.cholesky(among_observed(covariances, seen))
    solved = np.linalg.solve(root, np.where(seen, raw, 0.0)[:, :, None])[:, :, 0]
    return np.where(seen, solved, np.nan)


def residual_frame(fit: MixedFit) -> polars.DataFrame:
    """Every observation with its residuals; see `MixedFit.residual_frame`."""
    import polars

    patient, visit = np.nonzero(fit.observed)
    return polars.DataFrame(
        {
            "patient": [fit.patients[i] for i in patient],
            "visit": [fit.visits[j] for j in visit],
            "outcome": fit.outcome[fit.observed],
            "fitted": fitted_values(fit)[fit.observed],
            **{kind: residuals(fit, kind)[fit.observed] for kind in _KINDS},
        }
    )
