"""What users give, taken as what it should be, or refused in one sentence."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence, Set
from numbers import Real
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from .errors import InputError

__all__ = [
    "any_shape",
    "choice",
    "confidence_level",
    "flag",
    "instance",
    "normal_quantile",
    "number",
    "numbers",
    "whole",
]

T = TypeVar("T")


def number(field: str, value: Any, expected: str = "a finite number", *, infinite: bool = False) -> float:
    """A real number as a float; NumPy's scalars are welcome, booleans, texts and arrays are not.

    Parameters
    ----------
    field
        Name of the argument, for the message.
    value
        What was given.
    expected
        What would be right, for the message.
    infinite
        Whether infinity will do; NaN never does.

    Raises
    ------
    InputError
        When it is none.
    """
    if not isinstance(value, Real) or isinstance(value, bool | np.bool_):
        raise InputError(field, value, expected)
    try:
        found = float(value)
    except OverflowError:
        raise InputError(field, value, expected) from None
    if math.isnan(found) or (math.isinf(found) and not infinite):
        raise InputError(field, value, expected)
    return found


def any_shape(
    field: str, value: Any, expected: str = "finite numbers", *, infinite: bool = False, missing: bool = False
) -> npt.NDArray[np.float64]:
    """Real numbers as an array of the shape they have; texts, booleans and ragged rows are none.

    Parameters
    ----------
    field, value, expected
        As for `number`.
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


def numbers(
    field: str, value: Any, expected: str = "finite numbers", *, infinite: bool = False
) -> npt.NDArray[np.float64]:
    """Real numbers as an array of one dimension; a single number counts as one of them.

    Raises
    ------
    InputError
        When they are none, or nested.
    """
    if isinstance(value, str | bytes | dict | Set):
        raise InputError(field, value, expected)
    listed = isinstance(value, Iterable) and not isinstance(value, np.ndarray)
    found = any_shape(field, list(value) if listed else value, expected, infinite=infinite)
    if found.ndim > 1:
        raise InputError(field, value, expected)
    return np.atleast_1d(found)


def choice(field: str, value: Any, allowed: Sequence[str]) -> Any:
    """One of the texts allowed.

    Raises
    ------
    InputError
        When it is none.
    """
    if not isinstance(value, str) or value not in allowed:
        raise InputError(field, value, "one of " + ", ".join(map(repr, allowed)))
    return str(value)


def whole(field: str, value: Any, expected: str = "a whole number") -> int:
    """A whole number as an int; 2.0 is one, True is none.

    Raises
    ------
    InputError
        When it is none.
    """
    found = number(field, value, expected)
    if found != int(found):
        raise InputError(field, value, expected)
    return int(found)


def confidence_level(level: Any) -> float:
    """A confidence level as a float.

    Raises
    ------
    InputError
        When it is not a number between 0 and 1.
    """
    expected = "a confidence level between 0 and 1"
    found = number("level", level, expected)
    if not 0 < found < 1:
        raise InputError("level", level, expected)
    return found


def normal_quantile(level: Any) -> float:
    """How many standard errors a two-sided normal interval of that level reaches to either side.

    Raises
    ------
    InputError
        When the level is not a number between 0 and 1.
    """
    from scipy.special import ndtri

    return -float(ndtri((1 - confidence_level(level)) / 2))


def instance(field: str, value: Any, kind: type[T] | tuple[type[T], ...], expected: str) -> T:
    """An object of a kind; the kind itself, its call forgotten, is none.

    Raises
    ------
    InputError
        When it is none.
    """
    if isinstance(value, type) or not isinstance(value, kind):
        raise InputError(field, value, expected)
    return value
