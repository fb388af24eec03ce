"""The covariance structures by name."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from .correlation import (
    AntedependenceCorrelation,
    AutoregressiveCorrelation,
    CompoundSymmetryCorrelation,
    SpatialCorrelation,
    ToeplitzCorrelation,
)
from .scaled import Scaled
from .structures import CovarianceStructure, upper_pairs
from .unstructured import Unstructured

__all__ = ["STRUCTURES", "CovarianceName", "is_spatial", "spatial_correlation", "structure"]

Array = NDArray[np.floating[Any]]

CovarianceName = Literal[
    "unstructured",
    "compound-symmetry",
    "compound-symmetry-heterogeneous",
    "ar1",
    "ar1-heterogeneous",
    "toeplitz",
    "toeplitz-heterogeneous",
    "ante-dependence",
    "ante-dependence-heterogeneous",
    "spatial-exponential",
    "spatial-power",
    "spatial-gaussian",
]
STRUCTURES: tuple[str, ...] = get_args(CovarianceName)

_HETEROGENEOUS = "-heterogeneous"
_FAMILIES = {
    "compound-symmetry": CompoundSymmetryCorrelation,
    "ar1": AutoregressiveCorrelation,
    "toeplitz": ToeplitzCorrelation,
    "ante-dependence": AntedependenceCorrelation,
}
_POWERS = {"spatial-exponential": 1, "spatial-power": 1, "spatial-gaussian": 2}


def is_spatial(name: str) -> bool:
    """Whether the structure needs the times of the visits."""
    return name in _POWERS


def spatial_correlation(name: str, distance: Array, typical: float | None = None) -> SpatialCorrelation:
    """The spatial family of that name over given distances; `typical` is their median where not given."""
    if typical is None:
        apart = distance[distance > 0]
        typical = float(np.median(apart)) if apart.size else 1.0
    return SpatialCorrelation(distance, typical, _POWERS[name], by_range=name != "spatial-power")


def structure(
    name: str, n_visits: int, times: Array | None = None, typical: float | None = None
) -> CovarianceStructure:
    """The covariance structure of that name; a spatial one over `times` (visits,)."""
    if name == "unstructured":
        return Unstructured(n_visits)
    if is_spatial(name):
        assert times is not None
        j, k = upper_pairs(n_visits)
        return Scaled(
            name, n_visits, spatial_correlation(name, np.abs(times[j] - times[k]), typical), heterogeneous=False
        )
    family = _FAMILIES[name.removesuffix(_HETEROGENEOUS)](n_visits)
    return Scaled(name, n_visits, family, heterogeneous=name.endswith(_HETEROGENEOUS))
