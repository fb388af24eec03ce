"""Simple limits of the difference of two independent proportions: Wald's, and Agresti and Caffo's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...checks import normal_quantile
from .counts import tables_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["agresti_caffo_limits", "wald_difference_limits"]


def _limits(tables: tuple[NDArray[np.float64], ...], z: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    events1, total1, events2, total2 = tables
    risk1, risk2 = events1 / total1, events2 / total2
    half = z * np.sqrt(risk1 * (1 - risk1) / total1 + risk2 * (1 - risk2) / total2)
    return risk1 - risk2 - half, risk1 - risk2 + half


def wald_difference_limits(
    events1: ArrayLike, total1: ArrayLike, events2: ArrayLike, total2: ArrayLike, level: float = 0.95
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Limits d -+ z SE with the standard error not pooled, table by table, not cut at -1 and 1.

    Parameters
    ----------
    events1, total1, events2, total2
        Counts of any shapes that broadcast; group 1 minus group 2.
    level
        Two-sided confidence level.

    Raises
    ------
    InputError
        For counts that are not whole, negative or above their total.
    """
    return _limits(tables_of(events1, total1, events2, total2), normal_quantile(level))


def agresti_caffo_limits(
    events1: ArrayLike, total1: ArrayLike, events2: ArrayLike, total2: ArrayLike, level: float = 0.95
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Wald limits once a patient with and one without the event are added to each group, table by table, not cut
    (Agresti & Caffo 2000, Am Stat 54:280). Parameters and errors as for `wald_difference_limits`.
    """
    z = normal_quantile(level)
    events1, total1, events2, total2 = tables_of(events1, total1, events2, total2)
    return _limits((events1 + 1, total1 + 2, events2 + 1, total2 + 2), z)
