"""Sufficient statistics of the mixed model: cross-products per group of patients and pattern of missing visits.

Let z_ij = (q_ij, e_ij) be the orthonormalised design row and the standardised least-squares residual of patient i at
visit j. Patients who share a covariance group and a set of observed visits share their weight matrix, so the
likelihood and all its derivatives depend on the data through S_m[j, k] = sum_i z_ij z_ik' alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .covariance.structures import upper_pairs
from .errors import FitError
from .rank import orthonormalised

__all__ = ["CrossProducts", "collect"]

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class CrossProducts:
    """Cross-products of orthonormalised design and standardised outcome, and the way back to the user's units.

    Attributes
    ----------
    products
        (patterns, pairs of visits, (p + 1)^2): z_ij z_ik' summed over patients, and for j < k its transpose added.
    visit_products
        (patterns, visits, visits): sum of e_ij e_ik over patients.
    observed
        (patterns, visits) boolean.
    n_patients
        (patterns,) patients in each.
    group_slices, group_of_pattern
        Which patterns belong to each covariance group, and the group of each pattern.
    pattern_of_patient
        (patients,) row of `observed` each kept patient belongs to.
    kept
        (patients given,) boolean, at least one visit observed.
    rows
        (patients kept, visits, p + 1): z_ij, zero where not observed.
    triangle, offset, scale
        X = Q R, and y = Q offset + scale e.
    log_jacobian_weights
        Half the sum of the logarithms of the weights.
    root_weights
        (patients kept, visits) square roots of the weights by which the rows are multiplied, one where not known; None
        without weights.
    """

    products: Array
    visit_products: Array
    observed: NDArray[np.bool_]
    n_patients: Array
    group_slices: tuple[slice, ...]
    group_of_pattern: NDArray[np.intp]
    pattern_of_patient: NDArray[np.intp]
    kept: NDArray[np.bool_]
    rows: Array
    triangle: Array
    offset: Array
    scale: float
    n_observations: int
    log_jacobian_weights: float
    root_weights: Array | None
    outcome: Array
    design: Array

    @property
    def n_visits(self) -> int:
        """Number of visits, T."""
        return self.observed.shape[1]

    @property
    def n_columns(self) -> int:
        """Number of design columns, p."""
        return self.triangle.shape[0]

    def unstandardised(self, variance: Array) -> Array:
        """(p, p) covariance of the user's coefficients from that of the standardised ones."""
        inverse = np.linalg.inv(self.triangle)
        return self.scale**2 * (inverse @ variance @ inverse.T)


def collect(
    outcome: Array,
    design: Array,
    names: tuple[str, ...],
    group: NDArray[np.intp] | None,
    weights: Array | None,
    *,
    shared: bool = True,
) -> CrossProducts:
    """Cross-products of already checked arrays; raises `FitError` where they cannot identify the coefficients.

    With `shared` false every patient is a pattern of their own and no products are summed.
    """
    seen = ~np.isnan(outcome)
    kept = np.asarray(seen.any(axis=1))
    if not kept.all():
        outcome, design, seen = outcome[kept], design[kept], seen[kept]
        group = None if group is None else group[kept]
        weights = None if weights is None else weights[kept]
    n_patients, n_visits = outcome.shape
    n_columns = design.shape[2]

    y = outcome[seen]
    x = design[seen]
    log_jacobian = 0.0
    root_weights: Array | None = None
    if weights is not None:
        root_weights = np.sqrt(np.where(np.isfinite(weights) & (weights > 0), weights, 1.0))
        root = root_weights[seen]
        y, x = y * root, x * root[:, None]
        log_jacobian = float(np.log(root).sum())
    n_observations = y.size
    if n_observations <= n_columns:
        raise FitError(f"{n_observations} observations cannot determine {n_columns} coefficients and a covariance.")
    orthonormal, triangle = orthonormalised(x, names)
    offset = orthonormal.T @ y
    residual = y - orthonormal @ offset
    scale = float(np.sqrt(residual @ residual / (n_observations - n_columns)))
    if not scale > 1e-10 * float(np.sqrt(y @ y / n_observations)):
        raise FitError("The design fits the outcome without error, so no covariance can be estimated.")

    rows = np.zeros((n_patients, n_visits, n_columns + 1))
    rows[seen] = np.column_stack([orthonormal, residual / scale])

    n_groups = 1 if group is None else int(group.max()) + 1
    code = np.zeros(n_patients, dtype=np.int64)
    if group is not None:
        code += group.astype(np.int64) << n_visits
    if shared:
        code += seen @ (1 << np.arange(n_visits, dtype=np.int64))
        codes, pattern_of_patient, counts = np.unique(code, return_inverse=True, return_counts=True)
        pattern_of_patient = pattern_of_patient.reshape(-1)
        observed = (codes[:, None] >> np.arange(n_visits)) & 1 == 1
    else:
        order = np.argsort(code, kind="stable")
        codes, observed, counts = code[order], seen[order], np.ones(n_patients, dtype=np.intp)
        pattern_of_patient = np.empty(n_patients, dtype=np.intp)
        pattern_of_patient[order] = np.arange(n_patients)
    group_of_pattern = (codes >> n_visits).astype(np.intp)
    edges = np.searchsorted(group_of_pattern, np.arange(n_groups + 1))

    products, visit_products = _summed(rows, pattern_of_patient, counts) if shared else (np.empty(0), np.empty(0))
    return CrossProducts(
        products=products,
        visit_products=visit_products,
        observed=observed,
        n_patients=counts.astype(np.float64),
        group_slices=tuple(slice(int(a), int(b)) for a, b in pairwise(edges)),
        group_of_pattern=group_of_pattern,
        pattern_of_patient=pattern_of_patient,
        kept=kept,
        rows=rows,
        triangle=triangle,
        offset=offset,
        scale=scale,
        n_observations=n_observations,
        log_jacobian_weights=log_jacobian,
        root_weights=root_weights,
        outcome=outcome,
        design=design,
    )


def _summed(rows: Array, pattern_of_patient: NDArray[np.intp], counts: NDArray[np.intp]) -> tuple[Array, Array]:
    """Products of the rows (patients, visits, p + 1) and of the outcomes alone, summed within patterns."""
    n_patients, n_visits, width = rows.shape
    order = np.argsort(pattern_of_patient, kind="stable")
    flat = rows.reshape(n_patients, -1)[order]
    first, second = upper_pairs(n_visits)
    products = np.empty((counts.size, first.size, width, width))
    visit_products = np.empty((counts.size, n_visits, n_visits))
    off_diagonal = first != second
    end = 0
    for m, count in enumerate(counts):
        start, end = end, end + int(count)
        block = flat[start:end]
        square = (block.T @ block).reshape(n_visits, width, n_visits, width)
        visit_products[m] = square[:, -1, :, -1]
        products[m] = square.transpose(0, 2, 1, 3)[first, second]
    products[:, off_diagonal] += products[:, off_diagonal].swapaxes(-1, -2)
    return products.reshape(counts.size, first.size, width * width), visit_products
