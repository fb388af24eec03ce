"""Least squares in many trials at once by triangles of centred and scaled cross-products."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Triangle", "triangle_of"]

# Pivots below these shares have lost more digits than are kept: such trials need more care than cross-products allow.
_CLEARLY_VARIES = 1e-4
_CLEARLY_INDEPENDENT = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class Triangle:
    """What columns tell of those after them, in many trials.

    Attributes
    ----------
    triangle
        Lower triangle of the first columns and what all others have in common with it, in units of the columns, shape
        (trials, columns, first columns).
    rest
        Cross-products of the other columns less what the first ones tell, shape (trials, others, others).
    share
        The diagonal of `rest` as a part of what it was before, shape (trials, others).
    fine
        Whether the first columns vary and are clearly independent of each other, shape (trials,).
    """

    triangle: NDArray[np.float64]
    rest: NDArray[np.float64]
    share: NDArray[np.float64]
    fine: NDArray[np.bool_]


def triangle_of(columns: NDArray[np.float64], kept: NDArray[np.bool_], first: int) -> Triangle:
    """Regress columns on the first of them and an intercept.

    Parameters
    ----------
    columns
        Of any content where not kept, shape (trials, columns, patients); written over.
    kept
        Patients analysed, shape (trials, patients).
    first
        How many columns are to be regressed on.
    """
    share = 1.0 / np.maximum(kept.sum(axis=1), 1)[:, None]
    absent = ~kept[:, None]
    np.copyto(columns, 0.0, where=absent)
    raw = np.einsum("tcp,tcp->tc", columns, columns) * share
    columns -= (columns.sum(axis=2) * share)[:, :, None]
    np.copyto(columns, 0.0, where=absent)
    products = np.matmul(columns, columns.swapaxes(1, 2))
    squares = np.diagonal(products, axis1=1, axis2=2).copy()
    fine = np.asarray((squares * share > _CLEARLY_VARIES**2 * raw).all(axis=1))
    scale = np.sqrt(np.where(squares > 0, squares, 1.0))
    products /= scale[:, :, None] * scale[:, None, :]
    triangle = np.zeros((*products.shape[:2], first))
    for at in range(first):
        pivot = products[:, at, at].copy()
        fine &= pivot > _CLEARLY_INDEPENDENT
        triangle[:, at:, at] = products[:, at:, at] / np.sqrt(np.where(fine, pivot, 1.0))[:, None]
        after = triangle[:, at + 1 :, at]
        products[:, at + 1 :, at + 1 :] -= after[:, :, None] * after[:, None, :]
    triangle *= scale[:, :, None]
    rest = products[:, first:, first:]
    left = np.diagonal(rest, axis1=1, axis2=2).copy()
    return Triangle(triangle, rest * (scale[:, first:, None] * scale[:, None, first:]), left, fine)
