"""The mixed model for repeated measures on arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..checks import any_shape, choice
from ..errors import InputError
from .covariance.named import STRUCTURES, CovarianceName, is_spatial, structure
from .cross_products import CrossProducts, collect
from .errors import FitError
from .fitted_model import DegreesOfFreedom, Method, Variance
from .identification import check_identified
from .likelihood import Likelihood
from .optimise import maximise
from .patient_likelihood import PatientLikelihood
from .pattern_likelihood import PatternLikelihood
from .result import MixedFit

__all__ = ["fit_mmrm"]

Array = NDArray[np.floating[Any]]

_MOST_VISITS = 40


def fit_mmrm(
    outcome: ArrayLike,
    design: ArrayLike,
    *,
    names: Sequence[str] | None = None,
    method: Method = "reml",
    degrees_of_freedom: DegreesOfFreedom = "satterthwaite",
    covariance: CovarianceName | Sequence[CovarianceName] = "unstructured",
    times: ArrayLike | None = None,
    group: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    variance: Variance = "model",
    visits: Sequence[str] | None = None,
    groups: Sequence[str] | None = None,
) -> MixedFit:
    """Fit a mixed model for repeated measures with a structured covariance between a patient's visits.

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
        "kenward-roger" (Kenward & Roger 1997, with the adjusted covariance of the coefficients, leaving out the second
        derivatives of the covariance over its parameters, so that nothing depends on how it is parametrised: R mmrm's
        "Kenward-Roger-Linear", SAS's "firstorder", and for an unstructured covariance SAS's default);
        "kenward-roger-mmrm" (with those second derivatives over the parameters of R's mmrm: its "Kenward-Roger");
        "between-within" (Schluchter & Elashoff 1990), "residual" (observations less coefficients), or "normal"
        (infinite).
    covariance
        "unstructured"; "compound-symmetry", "ar1", "toeplitz", "ante-dependence", each with one variance or, with
        "-heterogeneous" after the name, one for each visit; or over `times` "spatial-exponential", variance x
        exp(-d / range), "spatial-power", the same written as variance x r^d, or "spatial-gaussian", variance x
        exp(-(d / range)^2). Several names are an order of fall-back: the next is fitted where the data do not bear the
        one before, and the fit's notes say so.
    times
        Times of the visits for spatial structures, (visits,) or each patient's own (patients, visits).
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
    method, degrees_of_freedom, variance = _checked_inference(method, degrees_of_freedom, variance)
    asked = _checked_structures(covariance)
    y, x, seen = _checked_arrays(outcome, design)
    columns = _checked_names("names", names, x.shape[2], "column of the design", "x")
    visit_names = _checked_names("visits", visits, y.shape[1], "visit", "")
    codes, labels = _checked_groups(group, groups, seen)
    g = _checked_weights(weights, seen)
    when = _checked_times(times, y, seen) if any(is_spatial(one) for one in asked) else None
    refusals: list[str] = []
    if y.shape[1] == 1 and asked[0] != "unstructured":
        asked = ("unstructured",)
        refusals.append("with one visit every covariance structure is one variance")

    for name in asked:
        own_times = is_spatial(name) and when is not None and when.ndim == 2
        data = collect(y, x, columns, codes, g, shared=not own_times)
        try:
            maximum = maximise(_likelihood(data, name, when, labels, visit_names, method == "reml"))
            return MixedFit.from_maximum(
                data,
                maximum,
                names=columns,
                method=method,
                degrees_of_freedom_method=degrees_of_freedom,
                variance=variance,
                visits=visit_names,
                structure=name,
                groups=labels,
                notes=tuple(refusals),
                n_patients_dropped=int(y.shape[0] - data.kept.sum()),
            )
        except FitError as refusal:
            if len(asked) == 1:
                raise
            refusals.append(f"{name} covariance not fitted: {refusal}")
    raise FitError("None of the covariance structures could be fitted. " + " ".join(refusals))


def _checked_inference(
    method: Any, degrees_of_freedom: Any, variance: Any
) -> tuple[Method, DegreesOfFreedom, Variance]:
    """The options of inference, if they are known and fit together."""
    method = choice("method", method, get_args(Method))
    degrees_of_freedom = choice("degrees_of_freedom", degrees_of_freedom, get_args(DegreesOfFreedom))
    variance = choice("variance", variance, get_args(Variance))
    if degrees_of_freedom.startswith("kenward-roger"):
        if method != "reml":
            raise InputError("method", method, "'reml' with Kenward-Roger degrees of freedom")
        if variance != "model":
            raise InputError("variance", variance, "'model' with Kenward-Roger degrees of freedom")
    return method, degrees_of_freedom, variance


def _checked_structures(covariance: Any) -> tuple[str, ...]:
    """The structures asked for, in the order in which they are to be tried."""
    if not isinstance(covariance, str | list | tuple) or not covariance:
        raise InputError("covariance", covariance, "the name of a structure, or a list of names in the order to try")
    asked = (covariance,) if isinstance(covariance, str) else tuple(covariance)
    for one in asked:
        choice("covariance", one, STRUCTURES)
    return asked


def _checked_arrays(outcome: Any, design: Any) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Outcome, design and where the outcome is observed."""
    for field, array in (("outcome", outcome), ("design", design)):
        if isinstance(array, np.ma.MaskedArray):
            raise InputError(field, "a masked array", "an array with NaN where not observed")
    y = any_shape("outcome", outcome, "finite numbers, or NaN where not observed", missing=True)
    x = any_shape("design", design, "finite numbers wherever the outcome is observed", missing=True, infinite=True)
    if y.ndim != 2 or y.size == 0:
        raise InputError("outcome", y.shape, "an array of shape (patients, visits)")
    if x.ndim != 3 or x.shape[:2] != y.shape or x.shape[2] == 0:
        raise InputError("design", x.shape, f"an array of shape {(*y.shape, 'columns')}")
    if y.shape[1] > _MOST_VISITS:
        raise InputError("outcome", y.shape, f"at most {_MOST_VISITS} visits")
    seen = ~np.isnan(y)
    if not seen.any():
        raise InputError("outcome", "all missing", "at least some observed values")
    if not np.isfinite(x[seen]).all():
        raise InputError("design", "not finite", "finite numbers wherever the outcome is observed")
    return y, x, seen


def _checked_names(field: str, names: Any, size: int, of: str, stem: str) -> tuple[str, ...]:
    """Names of columns or visits; numbered where none are given."""
    if names is None:
        return tuple(f"{stem}{at + 1}" for at in range(size))
    found = () if isinstance(names, str) else tuple(str(name) for name in names)
    if len(found) != size:
        raise InputError(field, names, f"{size} names, one a {of}")
    return found


def _checked_groups(
    group: Any, groups: Any, seen: NDArray[np.bool_]
) -> tuple[NDArray[np.intp] | None, tuple[str, ...]]:
    """Covariance group of each patient, numbered over those with data, and the groups' names."""
    if group is None:
        return None, ()
    given = np.asarray(group)
    if given.shape != (len(seen),) or given.dtype.kind not in "iub":
        raise InputError("group", given.shape, f"{len(seen)} integers, one a patient")
    kept = seen.any(axis=1)
    values, numbered = np.unique(given[kept], return_inverse=True)
    codes = np.zeros(len(seen), dtype=np.intp)
    codes[kept] = numbered.reshape(-1)
    labels = tuple(str(value) for value in values)
    if groups is not None:
        labels = () if isinstance(groups, str) else tuple(str(name) for name in groups)
        if len(labels) != len(values) or len(set(labels)) < len(labels):
            raise InputError("groups", groups, f"{len(values)} different names, one a covariance group with data")
    return codes, labels


def _checked_weights(weights: Any, seen: NDArray[np.bool_]) -> Array | None:
    """Positive weights of the observations."""
    if weights is None:
        return None
    g = any_shape("weights", weights, "numbers above 0", missing=True, infinite=True)
    if g.shape != seen.shape:
        raise InputError("weights", g.shape, f"an array of shape {seen.shape}")
    if not (np.isfinite(g[seen]).all() and (g[seen] > 0).all()):
        raise InputError("weights", "not positive", "finite weights above 0 wherever the outcome is observed")
    return g


def _likelihood(
    data: CrossProducts,
    name: str,
    times: Array | None,
    groups: tuple[str, ...],
    visits: tuple[str, ...],
    restricted: bool,
) -> Likelihood:
    """The likelihood for one structure; raises `FitError` where the data cannot tell its parameters."""
    if times is not None and times.ndim == 2 and is_spatial(name):
        if data.observed.sum(axis=1).max() < 2:
            raise FitError("No patient was observed at two visits, so no correlation can be estimated.")
        return PatientLikelihood(data, times[data.kept], name, restricted)
    chosen = structure(name, data.n_visits, times if times is None or times.ndim == 1 else None)
    check_identified(data, chosen, groups, visits)
    return PatternLikelihood(data, chosen, restricted)


def _checked_times(times: Any, outcome: Array, seen: NDArray[np.bool_]) -> Array:
    """Checked times of the visits: (visits,) where all patients share them, else (patients, visits)."""
    if times is None:
        raise InputError("times", None, "the times of the visits, which a spatial covariance needs")
    when = any_shape("times", times, "numbers", missing=True, infinite=True)
    if when.shape == (outcome.shape[1],):
        if not np.isfinite(when).all():
            raise InputError("times", when, "finite times")
        if np.unique(when).size < when.size:
            raise InputError("times", when, "times that differ from visit to visit")
        return when
    if when.shape != outcome.shape:
        raise InputError("times", when.shape, f"times of shape {outcome.shape[1:]} or {outcome.shape}")
    if not np.isfinite(when[seen]).all():
        raise InputError("times", "not finite", "a finite time wherever the outcome is observed")
    blank = np.where(seen, when, np.nan)
    ordered = np.sort(blank, axis=1)
    if (np.diff(ordered, axis=1) == 0).any():
        patient = int(np.flatnonzero((np.diff(ordered, axis=1) == 0).any(axis=1))[0])
        raise InputError("times", f"patient {patient + 1}, two visits at one time", "times that differ in a patient")
    used = seen.any(axis=0)
    with np.errstate(invalid="ignore"):
        lowest = np.where(seen, when, np.inf).min(axis=0)
        highest = np.where(seen, when, -np.inf).max(axis=0)
    if used.all() and (lowest == highest).all() and np.unique(lowest).size == lowest.size:
        return lowest
    return when
