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

    The first columns are covariates and arms, the last arm first; the others own covariates of outcomes, and outcomes.

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
        Whether all columns vary and the first are clearly independent of each other, shape (trials,).
    sizes
        Patients analysed of each arm, shape (trials, arms).
    partly
        Whether some patient has some of the outcomes only, shape (trials,).
    """

    triangle: NDArray[np.float64]
    rest: NDArray[np.float64]
    share: NDArray[np.float64]
    fine: NDArray[np.bool_]
    sizes: NDArray[np.intp]
    partly: NDArray[np.bool_]


def triangle_of(
    covariates: NDArray[np.float64],
    arm: NDArray[np.intp],
    outcomes: NDArray[np.float64],
    arms: int,
    *,
    own: NDArray[np.float64] | None = None,
    before: NDArray[np.float64] | None = None,
) -> Triangle:
    """Regress outcomes on an intercept, covariates and arms, of the patients who have all of them.

    Parameters
    ----------
    covariates, outcomes
        NaN where missing, shapes (trials, patients, covariates) and (trials, patients, outcomes).
    arm
        -1 where there is no patient, shape (trials, patients).
    arms
        Number of arms.
    own
        Covariates that are regressed as the outcomes are, NaN where missing, shape (trials, patients, slopes).
    before
        To be taken from the outcomes, in their shape.
    """
    from .moment_kernels import triangles

    none = np.empty((*arm.shape, 0))
    own, before = none if own is None else own, none if before is None else before
    trials, first, others = len(arm), covariates.shape[2] + arms - 1, own.shape[2] + outcomes.shape[2]
    found = Triangle(
        np.zeros((trials, first + others, first)),
        np.zeros((trials, others, others)),
        np.zeros((trials, others)),
        np.zeros(trials, dtype=bool),
        np.zeros((trials, arms), dtype=np.intp),
        np.zeros(trials, dtype=bool),
    )
    given = [values if values.flags.writeable else values.copy() for values in (covariates, arm, own, outcomes, before)]
    fine, partly = found.fine.view(np.uint8), found.partly.view(np.uint8)
    bounds = (_CLEARLY_VARIES, _CLEARLY_INDEPENDENT)
    triangles(*given, *bounds, found.sizes, found.triangle, found.rest, found.share, fine, partly)
    return found
