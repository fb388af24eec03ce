"""Which covariance structures are special cases of which.

The structures over visits form a lattice: each homogeneous one lies in its heterogeneous one; AR(1) in Toeplitz and in
ante-dependence; compound symmetry in Toeplitz; all in the unstructured covariance (Wolfinger 1996, J Agric Biol Environ
Stat 1:205; Zimmerman & Nunez-Anton 2010, Antedependence Models, section 2.3). None of these restrictions lies on the
boundary of the larger structure's parameters. A spatial structure is a structure over visits only where all patients
share their times: the exponential one, r^(distance), is then an ante-dependence, and with equal spacing an AR(1) whose
correlation is not negative; the Gaussian one is then Toeplitz with equal spacing. Two spatial structures are the same
where the patients' times are, whatever their unit.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .covariance.named import is_spatial
from .covariance.structures import correlation_of
from .individuals import group_of_patient

if TYPE_CHECKING:
    from .result import MixedFit

__all__ = ["covariance_nested", "groups_nested", "structure_nested"]

Array = NDArray[np.floating[Any]]

_ABOVE: dict[str, tuple[str, ...]] = {
    "unstructured": (),
    "toeplitz-heterogeneous": ("unstructured",),
    "ante-dependence-heterogeneous": ("unstructured",),
    "compound-symmetry-heterogeneous": ("toeplitz-heterogeneous",),
    "ar1-heterogeneous": ("toeplitz-heterogeneous", "ante-dependence-heterogeneous"),
    "toeplitz": ("toeplitz-heterogeneous",),
    "ante-dependence": ("ante-dependence-heterogeneous",),
    "compound-symmetry": ("compound-symmetry-heterogeneous", "toeplitz"),
    "ar1": ("ar1-heterogeneous", "toeplitz", "ante-dependence"),
}
_EXPONENTIAL = ("spatial-exponential", "spatial-power")
_TOLERANCE = 1e-7
# Correlations nearer to 0 or 1 have no exact logarithm; with those between a ratio of logarithms is exact to 1e-9.
_FAINT = 1e-6
_PROPORTION = 1e-7


def structure_nested(smaller: str, larger: str) -> bool:
    """Whether one structure over visits is another, or a special case of it."""
    return smaller == larger or any(structure_nested(above, larger) for above in _ABOVE.get(smaller, ()))


def groups_nested(smaller: NDArray[np.intp], larger: NDArray[np.intp]) -> bool:
    """Whether patients who share a covariance in the larger model, (patients,) groups, share one in the smaller."""
    return len(np.unique(np.stack([smaller, larger]), axis=1)[0]) == len(np.unique(larger))


def covariance_nested(smaller: MixedFit, larger: MixedFit) -> bool:
    """Whether the covariance of one fit is that of the other, or a special case of it."""
    if not groups_nested(group_of_patient(smaller), group_of_patient(larger)):
        return False
    if not is_spatial(smaller.structure):
        return structure_nested(smaller.structure, larger.structure)
    if is_spatial(larger.structure):
        return _proportional(smaller, larger)
    common, equally_spaced = _times(smaller)
    if not common:
        return False
    over_visits = ["unstructured"]
    if smaller.structure in _EXPONENTIAL:
        over_visits.append("ar1" if equally_spaced else "ante-dependence")
    elif equally_spaced:
        over_visits.append("toeplitz")
    return any(structure_nested(one, larger.structure) for one in over_visits)


def _proportional(one: MixedFit, other: MixedFit) -> bool:
    """Whether two spatial correlations r^x have exponents in proportion, in each group of the other's patients."""
    first, second = (_exponents(fit) for fit in (one, other))
    group = group_of_patient(other)
    for index in np.unique(group):
        ratio = (first / second)[group == index]
        known = ratio[np.isfinite(ratio)]
        if known.size and float(np.ptp(known)) > _PROPORTION * float(known.max()):
            return False
    return True


def _exponents(fit: MixedFit) -> Array:
    """(patients, visits, visits) -log correlation of different visits observed, NaN where too near 0 or 1 to tell."""
    correlation = np.where(_both_observed(fit), correlation_of(fit.patient_covariances), np.nan)
    told = (correlation > _FAINT) & (correlation < 1.0 - _FAINT)
    return -np.log(np.where(told, correlation, np.nan))


def _both_observed(fit: MixedFit) -> NDArray[np.bool_]:
    return fit.observed[:, :, None] & fit.observed[:, None, :]


def _times(fit: MixedFit) -> tuple[bool, bool]:
    """Whether the patients' correlations over time are the same at the same visits, and those depend on the lag alone.

    A spatial correlation falls strictly with the distance in time, so equal correlations are equal distances.
    """
    correlation, both = correlation_of(fit.patient_covariances), _both_observed(fit)
    group = group_of_patient(fit)
    common = spaced = True
    for index in np.unique(group):
        own, told = correlation[group == index], both[group == index]
        low = np.where(told, own, np.inf).min(axis=0)
        high = np.where(told, own, -np.inf).max(axis=0)
        known = np.isfinite(low)
        common &= bool((high - low)[known].max(initial=0.0) < _TOLERANCE)
        for lag in range(1, low.shape[0]):
            line = np.diagonal(np.where(known, low, np.nan), lag)
            line = line[~np.isnan(line)]
            spaced &= all(abs(a - b) < _TOLERANCE for a, b in pairwise(line))
    return common, common and spaced
