"""What users give, taken as what it should be, or refused in one sentence."""

from __future__ import annotations

import math
from collections.abc import Iterable
from numbers import Real
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from .errors import InputError

__all__ = ["instance", "number", "numbers", "whole"]

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
    found = float(value)
    if math.isnan(found) or (math.isinf(found) and not infinite):
        raise InputError(field, value, expected)
    return found


def numbers(
    field: str, value: Any, expected: str = "finite numbers", *, infinite: bool = False
) -> npt.NDArray[np.float64]:
    """Real numbers as an array of one dimension; a single number counts as one of them.

    Raises
    ------
    InputError
        When they are none, or nested.
    """
    if isinstance(value, str | bytes | dict | set):
        raise InputError(field, value, expected)
    given = list(value) if isinstance(value, Iterable) and not isinstance(value, np.ndarray) else value
    try:
        found = np.atleast_1d(np.asarray(given, dtype=np.float64))
    except (TypeError, ValueError):
        raise InputError(field, value, expected) from None
    if found.ndim != 1 or np.isnan(found).any() or (not infinite and not np.isfinite(found).all()):
        raise InputError(field, value, expected)
    return found


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
