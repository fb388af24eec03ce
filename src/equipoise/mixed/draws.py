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
    """(n, patients kept, visits) outcomes of the patients of the fit, drawn anew; see `MixedFit.simulate`."""
    n_sets = whole("n", n, "a whole number above 0")
    if n_sets < 1:
        raise InputError("n", n, "a whole number above 0")
    key = whole("seed", seed)
    if not 0 <= key <= _LARGEST_KEY:
        raise InputError("seed", seed, "a whole number from 0 to 2^128 - 1")
    for field, value, allowed in (
        ("coefficients", coefficients, ("estimated", "drawn")),
        ("visits", visits, ("observed", "all")),
    ):
        if not isinstance(value, str) or value not in allowed:
            raise InputError(field, value, " or ".join(repr(one) for one in allowed))
    seen = fit.observed
    design = _known_everywhere(fit) if visits == "all" else np.where(seen[:, :, None], fit.design, 0.0)

    bits = np.random.Philox(key=key)
    try:
        noise = np.random.Generator(bits).standard_normal((n_sets, *seen.shape, 1))
    except (MemoryError, ValueError):
        raise InputError("n", n, "few enough data sets for the memory there is") from None
    drawn = (_roots(fit.patient_covariances) @ noise)[..., 0]
    if coefficients == "estimated":
        drawn += design @ fit.coefficients
    else:
        drawn += np.einsum("ijp,np->nij", design, _coefficients(fit, n_sets, key), optimize=True)
    if visits == "observed":
        drawn[:, ~seen] = np.nan
    return drawn


def _known_everywhere(fit: MixedFit) -> Array:
    """(patients kept, visits, columns) design, refused where it is not known at a visit not observed."""
    design = design_at_every_visit(fit)
    unknown = ~np.isfinite(design).all(axis=2)
    if unknown.any():
        i, j = np.argwhere(unknown)[0]
        raise InputError(
            "visits",
            "all",
            f"'observed', as the covariates of {int(unknown.sum())} visits that were not observed are not known, "
            f"that of patient {fit.patients[i]} at {fit.visits[j]} for one",
        )
    return design


def _roots(covariances: Array) -> Array:
    """(patients, visits, visits) L with L L' the covariances, which may be singular between visits not observed."""
    try:
        return np.linalg.cholesky(covariances)
    except np.linalg.LinAlgError:
        # A visit not observed counts at the mean time of that visit, which may be that of another visit.
        values, vectors = np.linalg.eigh(covariances)
        return vectors * np.sqrt(np.maximum(values, 0.0))[:, None, :]


def _coefficients(fit: MixedFit, n: int, key: int) -> Array:
    """(n, columns) normal around the estimates, from a stream far beyond that of the outcomes."""
    generator = np.random.Generator(np.random.Philox(key=key).jumped())
    scale = fit.standard_errors
    values, vectors = np.linalg.eigh(fit.covariance_of_coefficients / np.outer(scale, scale))
    root = scale[:, None] * vectors * np.sqrt(np.maximum(values, 0.0))
    return fit.coefficients + generator.standard_normal((n, scale.size)) @ root.T
