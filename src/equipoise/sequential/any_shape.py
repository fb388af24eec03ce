"""Numbers in an array of whatever shape, as drifts and z-values may be given."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import InputError

__all__ = ["any_shape", "flag"]


def any_shape(
    field: str, value: Any, expected: str = "finite numbers", *, infinite: bool = False, missing: bool = False
) -> npt.NDArray[np.float64]:
    """Real numbers as an array of the shape they have; texts, booleans and ragged rows are none.

    Parameters
    ----------
    field, value, expected
        As in `checks.number`.
    infinite
        Whether infinity will do.
    missing
        Whether NaN, or None in its place, will do.

    Raises
    ------
    InputError
        When they are none.
    """
    try:
        given = np.asarray(value)
        if given.dtype.kind == "O":
            fits = all(
                (isinstance(one, Real) and not isinstance(one, bool | np.bool_)) or (missing and one is None)
                for one in given.ravel()
            )
            given = given.astype(np.float64) if fits and given.ndim else given
    except (TypeError, ValueError, OverflowError):
        raise InputError(field, value, expected) from None
    if given.dtype.kind not in "iuf":
        raise InputError(field, value, expected)
    found = given.astype(np.float64, copy=False)
    if (not missing and np.isnan(found).any()) or (not infinite and np.isinf(found).any()):
        raise InputError(field, value, expected)
    return found


def flag(field: str, value: Any) -> bool:
    """True or False, and nothing that only counts as one of them.

    Raises
    ------
    InputError
        When it is neither.
    """
    if not isinstance(value, bool | np.bool_):
        raise InputError(field, value, "True or False")
    return bool(value)
