"""The mixed model for repeated measures on arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError
from .cross_products import collect
from .optimise import maximise
from .result import DegreesOfFreedom, Method, MixedFit, Variance
from .structures import Unstructured

__all__ = ["fit_mmrm"]

Array = NDArray[np.floating[Any]]

_METHODS = ("reml", "ml")
_DEGREES = ("satterthwaite", "kenward-roger", "kenward-roger-log-cholesky", "normal")
_VARIANCES = ("model", "CR0", "CR2", "CR3")


def fit_mmrm(
    outcome: ArrayLike,
    design: ArrayLike,
    *,
    names: Sequence[str] | None = None,
    method: Method = "reml",
    degrees_of_freedom: DegreesOfFreedom = "satterthwaite",
    covariance: Literal["unstructured"] = "unstructured",
    group: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    variance: Variance = "model",
    visits: Sequence[str] | None = None,
    groups: Sequence[str] | None = None,
) -> MixedFit:
    """Fit a mixed model for repeated measures with an unstructured covariance between a patient's visits.

    The outcome of patient i at the visits observed is normal with mean X_i b and covariance the matching part of
    Sigma; values not observed are taken as missing at random, in any pattern (Mallinckrodt et al. 2008). A patient
    with no observed visit is left out.

    Parameters
    ----------
    outcome
        (patients, visits), NaN where not observed.
    design
        (patients, visits, columns), finite wherever the outcome is observed; include the intercept.
    names
        Of the columns; "x1", "x2", ... if not given.
    method
        "reml" (restricted maximum likelihood) or "ml".
    degrees_of_freedom
        "satterthwaite" (from the inverse observed information, Giesbrecht & Burns 1985; Fai & Cornelius 1996);
        "kenward-roger" (Kenward & Roger 1997, adjusted covariance of the coefficients; the parameters are the
        covariance entries, in which the second derivatives vanish, as SAS and as the "Kenward-Roger-Linear" of R's
        mmrm); "kenward-roger-log-cholesky" (the same with the second derivatives of mmrm's log-Cholesky parameters,
        mmrm's "Kenward-Roger"); or "normal".
    covariance
        "unstructured".
    group
        (patients,) integers; patients of each value have their own covariance matrix.
    weights
        (patients, visits) positive; the covariance of a patient is G^-1/2 Sigma G^-1/2 with G = diag(weights).
    variance
        Of the coefficients: "model", or the sandwich estimators clustered by patient "CR0" (Liang & Zeger 1986),
        "CR2" (bias reduced, Bell & McCaffrey 2002) and "CR3" (jackknife), with degrees of freedom after
        Pustejovsky & Tipton (2018).
    visits, groups
        Names of the visits and of the covariance groups in increasing order of `group`, for printing.

    Returns
    -------
    MixedFit

    Raises
    ------
    InputError
        Arrays of the wrong shape or an unknown option.
    FitError
        The data do not bear the model: not converged, covariance singular, design short of rank, too few patients.
    """
    method = _choice("method", method, _METHODS)
    degrees_of_freedom = _choice("degrees_of_freedom", degrees_of_freedom, _DEGREES)
    variance = _choice("variance", variance, _VARIANCES)
    _choice("covariance", covariance, ("unstructured",))
    if degrees_of_freedom.startswith("kenward-roger"):
        if method != "reml":
            raise InputError("method", method, "'reml' with Kenward-Roger degrees of freedom")
        if variance != "model":
            raise InputError("variance", variance, "'model' with Kenward-Roger degrees of freedom")

    y = np.asarray(outcome, dtype=np.float64)
    x = np.asarray(design, dtype=np.float64)
    if y.ndim != 2 or y.size == 0:
        raise InputError("outcome", y.shape, "an array of shape (patients, visits)")
    if x.ndim != 3 or x.shape[:2] != y.shape or x.shape[2] == 0:
        raise InputError("design", x.shape, f"an array of shape {(*y.shape, 'columns')}")
    if y.shape[1] > 40:
        raise InputError("outcome", y.shape, "at most 40 visits")
    seen = ~np.isnan(y)
    if not seen.any():
        raise InputError("outcome", "all missing", "at least some observed values")
    if np.isinf(y).any():
        raise InputError("outcome", np.inf, "finite values, or NaN where not observed")
    if not np.isfinite(x[seen]).all():
        raise InputError("design", "not finite", "finite values wherever the outcome is observed")
    names = tuple(names) if names is not None else tuple(f"x{i + 1}" for i in range(x.shape[2]))
    if len(names) != x.shape[2]:
        raise InputError("names", names, f"{x.shape[2]} names, one a column of the design")

    codes: NDArray[np.intp] | None = None
    labels: tuple[str, ...] = ()
    if group is not None:
        given = np.asarray(group)
        if given.shape != (y.shape[0],) or given.dtype.kind not in "iub":
            raise InputError("group", given.shape, f"{y.shape[0]} integers, one a patient")
        values, codes = np.unique(given[seen.any(axis=1)], return_inverse=True)
        padded = np.zeros(y.shape[0], dtype=np.intp)
        padded[seen.any(axis=1)] = codes.reshape(-1)
        codes = padded
        labels = tuple(str(value) for value in values)
        if groups is not None:
            if len(groups) != len(values):
                raise InputError("groups", tuple(groups), f"{len(values)} names, one a covariance group with data")
            labels = tuple(groups)
    g: Array | None = None
    if weights is not None:
        g = np.asarray(weights, dtype=np.float64)
        if g.shape != y.shape:
            raise InputError("weights", g.shape, f"an array of shape {y.shape}")
        if not (np.isfinite(g[seen]).all() and (g[seen] > 0).all()):
            raise InputError("weights", "not positive", "finite weights above 0 wherever the outcome is observed")
    if visits is not None and len(visits) != y.shape[1]:
        raise InputError("visits", tuple(visits), f"{y.shape[1]} names, one a visit")

    data = collect(y, x, names, codes, g)
    maximum = maximise(data, Unstructured(y.shape[1]), method == "reml")
    return MixedFit.from_maximum(
        data,
        maximum,
        names=names,
        method=method,
        degrees_of_freedom_method=degrees_of_freedom,
        variance=variance,
        visits=tuple(visits) if visits is not None else tuple(str(j + 1) for j in range(y.shape[1])),
        groups=labels,
        n_patients_dropped=int(y.shape[0] - data.kept.sum()),
    )


def _choice(field: str, value: Any, allowed: tuple[str, ...]) -> Any:
    """The value, if it is one of those allowed."""
    if value not in allowed:
        raise InputError(field, value, "one of " + ", ".join(repr(one) for one in allowed))
    return value
