"""From patients to two by two tables, of one trial or of many."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...checks import any_shape
from ...errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["count_tables"]


def count_tables(
    response: ArrayLike, arm: ArrayLike, arms: tuple[int, int] = (1, 0), strata: ArrayLike | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Events and patients of two arms.

    Parameters
    ----------
    response
        1 with, 0 without the event, NaN where the patient does not count; shape (..., patients).
    arm
        Arm of each patient, -1 where there is none; same shape.
    arms
        The arms compared: group 1 (experimental), group 2 (control).
    strata
        Whole numbers from 0, the same shape; a negative one leaves the patient out. One stratum when absent.

    Returns
    -------
    events1, total1, events2, total2, of shape (...), or (..., strata) where strata are given.

    Raises
    ------
    InputError
        For responses other than 0, 1 and NaN, and arrays that do not fit.
    """
    value = any_shape("response", np.asarray(response, dtype=float), "1, 0 or NaN", missing=True)
    known = ~np.isnan(value)
    if not np.all((value[known] == 0) | (value[known] == 1)):
        raise InputError("response", np.unique(value[known]), "1 with and 0 without the event, or NaN")
    group = np.asarray(arm)
    if group.shape != value.shape or group.dtype.kind not in "iu" or value.ndim == 0:
        raise InputError("arm", group.shape, f"a whole number for each patient, shape {value.shape}")
    if strata is None:
        place = np.zeros(value.shape, dtype=np.intp)
    else:
        place = np.asarray(strata)
        if place.shape != value.shape or place.dtype.kind not in "iu":
            raise InputError("strata", place.shape, f"a whole number for each patient, shape {value.shape}")
    width = int(place.max(initial=0)) + 1
    trials = int(np.prod(value.shape[:-1]))
    cell = np.arange(trials).reshape(*value.shape[:-1], 1) * width + place
    found = []
    for chosen in arms:
        members = known & (group == chosen) & (place >= 0)
        for part in (members & (value == 1), members):
            counts = np.bincount(cell[part], minlength=trials * width).astype(float)
            found.append(counts.reshape(value.shape[:-1] if strata is None else (*value.shape[:-1], width)))
    return found[0], found[1], found[2], found[3]
