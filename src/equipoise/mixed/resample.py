"""Outcomes drawn from a fitted model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..checks import whole
from ..errors import InputError
from .individuals import design_at_every_visit

if TYPE_CHECKING:
    from .result import MixedFit

__all__ = ["simulate"]

Array = NDArray[np.floating[Any]]

_LARGEST_KEY = 2**128 - 1


def simulate(
    fit: MixedFit,
    n: int,
    seed: int,
    *,
    coefficients: Literal["estimated", "drawn"] = "estimated",
    visits: Literal["observed", "all"] = "observed",
) -> Array:
    """Outcomes of the patients of the fit, drawn anew from the fitted model.

    The same seed gives the same numbers; the first k of n data sets are those of n = k, and those at the visits
    observed do not depend on `visits`.

    Parameters
    ----------
    n
        Data sets to draw.
    seed
        A whole number from 0 to 2^128 - 1, key of a Philox generator (Salmon et al. 2011).
    coefficients
        "estimated": every data set has the fitted coefficients (a parametric bootstrap). "drawn": each has its own,
        normal around the estimates with `covariance_of_coefficients`, which makes the outcomes predictions of new data.
    visits
        "observed": the visits observed, NaN elsewhere. "all": every visit of every patient, as if nobody had missed
        one.

    Returns
    -------
    (n, patients kept, visits), in units of the outcome

    Raises
    ------
    InputError
        An unknown option; all visits, where the covariates of one not observed are not known.
    """
    if whole("n", n, "a whole number above 0") < 1:
        raise InputError("n", n, "a whole number above 0")
    if not 0 <= whole("seed", seed) <= _LARGEST_KEY:
        raise InputError("seed", seed, "a whole number from 0 to 2^128 - 1")
    if coefficients not in ("estimated", "drawn"):
        raise InputError("coefficients", coefficients, "'estimated' or 'drawn'")
    if visits not in ("observed", "all"):
        raise InputError("visits", visits, "'observed' or 'all'")
    seen = ~np.isnan(fit._data.outcome)
    if visits == "all":
        design = design_at_every_visit(fit)
        unknown = ~np.isfinite(design).all(axis=2)
        if unknown.any():
            i, j = np.argwhere(unknown)[0]
            raise InputError(
                "visits",
                visits,
                f"'observed', as the covariates of {int(unknown.sum())} visits that were not observed are not known, "
                f"that of patient {fit.patients[i]} at {fit.visits[j]} for one",
            )
    else:
        design = np.where(seen[:, :, None], fit._data.design, 0.0)

    bits = np.random.Philox(key=int(seed))
    noise = np.random.Generator(bits).standard_normal((int(n), *seen.shape, 1))
    drawn = (np.linalg.cholesky(fit.patient_covariances) @ noise)[..., 0]
    if coefficients == "estimated":
        drawn += design @ fit.coefficients
    else:
        drawn += np.einsum("ijp,np->nij", design, _coefficients(fit, int(n), int(seed)), optimize=True)
    if visits == "observed":
        drawn[:, ~seen] = np.nan
    return drawn


def _coefficients(fit: MixedFit, n: int, seed: int) -> Array:
    """(n, columns) normal around the estimates, from a stream far beyond that of the outcomes."""
    generator = np.random.Generator(np.random.Philox(key=seed).jumped())
    scale = fit.standard_errors
    values, vectors = np.linalg.eigh(fit.covariance_of_coefficients / np.outer(scale, scale))
    root = scale[:, None] * vectors * np.sqrt(np.maximum(values, 0.0))
    return fit.coefficients + generator.standard_normal((n, scale.size)) @ root.T
