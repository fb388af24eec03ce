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

from .errors import FitError
from .structures import upper_pairs

__all__ = ["CrossProducts", "collect"]

Array = NDArray[np.floating[Any]]

_RANK_TOLERANCE = 1e-7


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
    group_slices
        Which patterns belong to each covariance group.
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
    """

    products: Array
    visit_products: Array
    observed: NDArray[np.bool_]
    n_patients: Array
    group_slices: tuple[slice, ...]
    pattern_of_patient: NDArray[np.intp]
    kept: NDArray[np.bool_]
    rows: Array
    triangle: Array
    offset: Array
    scale: float
    n_observations: int
    log_jacobian_weights: float

    @property
    def n_visits(self) -> int:
        """Number of visits, T."""
        return self.observed.shape[1]

    @property
    def n_columns(self) -> int:
        """Number of design columns, p."""
        return self.triangle.shape[0]


def collect(
    outcome: Array, design: Array, names: tuple[str, ...], group: NDArray[np.intp] | None, weights: Array | None
) -> CrossProducts:
    """Cross-products of already checked arrays; raises `FitError` where they cannot identify the model."""
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
    if weights is not None:
        root = np.sqrt(weights[seen])
        y, x = y * root, x * root[:, None]
        log_jacobian = float(np.log(root).sum())
    n_observations = y.size
    if n_observations <= n_columns:
        raise FitError(f"{n_observations} observations cannot determine {n_columns} coefficients and a covariance.")
    orthonormal, triangle = np.linalg.qr(x)
    lengths = np.sqrt(np.einsum("np,np->p", x, x))
    short = np.abs(np.diagonal(triangle)) <= _RANK_TOLERANCE * lengths
    if short.any():
        aliased = ", ".join(name for name, is_short in zip(names, short, strict=True) if is_short)
        raise FitError(f"The design is short of rank: {aliased} is a combination of the columns before it.")
    offset = orthonormal.T @ y
    residual = y - orthonormal @ offset
    scale = float(np.sqrt(residual @ residual / (n_observations - n_columns)))
    if not scale > 1e-10 * float(np.sqrt(y @ y / n_observations)):
        raise FitError("The design fits the outcome without error, so no covariance can be estimated.")

    rows = np.zeros((n_patients, n_visits, n_columns + 1))
    rows[seen] = np.column_stack([orthonormal, residual / scale])

    code = seen @ (1 << np.arange(n_visits, dtype=np.int64))
    n_groups = 1
    if group is not None:
        n_groups = int(group.max()) + 1
        code = code + (group.astype(np.int64) << n_visits)
    codes, pattern_of_patient, counts = np.unique(code, return_inverse=True, return_counts=True)
    pattern_of_patient = pattern_of_patient.reshape(-1)
    observed = (codes[:, None] >> np.arange(n_visits)) & 1 == 1
    group_of_pattern = codes >> n_visits
    edges = np.searchsorted(group_of_pattern, np.arange(n_groups + 1))
    group_slices = tuple(slice(int(a), int(b)) for a, b in pairwise(edges))
    _check_counts(observed, counts, group_slices, n_visits)

    order = np.argsort(pattern_of_patient, kind="stable")
    width = n_columns + 1
    flat = rows.reshape(n_patients, -1)[order]
    first, second = upper_pairs(n_visits)
    products = np.empty((codes.size, first.size, width, width))
    visit_products = np.empty((codes.size, n_visits, n_visits))
    off_diagonal = first != second
    end = 0
    for m, count in enumerate(counts):
        start, end = end, end + int(count)
        block = flat[start:end]
        square = (block.T @ block).reshape(n_visits, width, n_visits, width)
        visit_products[m] = square[:, n_columns, :, n_columns]
        products[m] = square.transpose(0, 2, 1, 3)[first, second]
    products[:, off_diagonal] += products[:, off_diagonal].swapaxes(-1, -2)

    return CrossProducts(
        products=products.reshape(codes.size, first.size, width * width),
        visit_products=visit_products,
        observed=observed,
        n_patients=counts.astype(np.float64),
        group_slices=group_slices,
        pattern_of_patient=pattern_of_patient,
        kept=kept,
        rows=rows,
        triangle=triangle,
        offset=offset,
        scale=scale,
        n_observations=n_observations,
        log_jacobian_weights=log_jacobian,
    )


def _check_counts(
    observed: NDArray[np.bool_], counts: NDArray[np.intp], group_slices: tuple[slice, ...], n_visits: int
) -> None:
    """Every variance and covariance of every group must be seen by somebody."""
    for index, part in enumerate(group_slices):
        where = "" if len(group_slices) == 1 else f" of covariance group {index}"
        seen = observed[part].astype(np.float64)
        n_patients = int(counts[part].sum())
        pairs = (seen.T * counts[part]) @ seen
        at_visit = np.diagonal(pairs)
        if at_visit.min(initial=np.inf) < 2:
            visit = int(at_visit.argmin())
            raise FitError(
                f"Only {int(at_visit[visit])} patients{where} were observed at visit {visit + 1}; "
                "its variance needs at least 2."
            )
        if pairs.min() < 1:
            j, k = np.unravel_index(int(pairs.argmin()), pairs.shape)
            raise FitError(
                f"No patient{where} was observed at both visit {int(j) + 1} and visit {int(k) + 1}, "
                "so their covariance cannot be estimated."
            )
        if n_patients <= n_visits:
            raise FitError(
                f"{n_patients} patients{where} are too few for an unstructured covariance of {n_visits} visits; "
                f"at least {n_visits + 1} are needed."
            )
