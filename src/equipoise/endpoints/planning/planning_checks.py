"""What the assumptions of every endpoint are checked for, and made of: plain numbers, texts and tuples."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from ...checks import number, whole
from ...errors import InputError

__all__ = [
    "LARGEST",
    "SMALLEST",
    "arm_patients",
    "at_least_zero",
    "finite",
    "on_or_off",
    "positive",
    "real_array",
    "real_numbers",
    "settle",
    "whole_number",
]

Array = npt.NDArray[np.float64]
LARGEST = 1e30
SMALLEST = 1e-30


def _number(name: str, value: Any, expected: str, infinite: bool = False) -> float:
    try:
        return number(name, value, expected, infinite=infinite)
    except OverflowError:
        raise InputError(name, value, expected) from None


def finite(name: str, value: Any, expected: str = "a finite number") -> float:
    """A number as a float, not so large that its square is none; else `InputError`."""
    found = _number(name, value, expected)
    if abs(found) > LARGEST:
        raise InputError(name, value, f"a number of at most {LARGEST:g}")
    return found


def at_least_zero(name: str, value: Any, expected: str = "a finite number of at least 0") -> float:
    """A number of at least 0 as a float, not so large that its square is none; else `InputError`."""
    found = finite(name, value, expected)
    if found < 0:
        raise InputError(name, value, expected)
    return found


def positive(name: str, value: Any, expected: str = "a finite number above 0") -> float:
    """A number above 0 as a float, neither so large nor so small that its square is none; else `InputError`."""
    found = finite(name, value, expected)
    if found <= 0:
        raise InputError(name, value, expected)
    if found < SMALLEST:
        raise InputError(name, value, f"a number of at least {SMALLEST:g}")
    return found


def whole_number(name: str, value: Any, expected: str) -> int:
    """A whole number as an int; else `InputError`."""
    return whole(name, finite(name, value, expected), expected)


def on_or_off(name: str, value: Any) -> bool:
    """True or False, no number or text that might pass for them; else `InputError`."""
    if not isinstance(value, bool | np.bool_):
        raise InputError(name, value, "True or False")
    return bool(value)


def real_numbers(name: str, value: Any, expected: str, *, infinite: bool = False) -> tuple[float, ...]:
    """Several numbers, or a single one, as a tuple of floats, none of them NaN; else `InputError`."""
    if isinstance(value, str | bytes | dict | set | frozenset | type) or value is None:
        raise InputError(name, value, expected)
    if not isinstance(value, Iterable) or (isinstance(value, np.ndarray) and value.ndim == 0):
        return (_number(name, value, expected, infinite),)
    try:
        return tuple(_number(name, part, expected, infinite) for part in value)
    except InputError:
        raise InputError(name, value, expected) from None


def real_array(name: str, value: Any, expected: str) -> Array:
    """Numbers in an array of any shape, NaN and infinity among them; `InputError` where there is anything else."""
    try:
        found = np.asarray(value)
    except (TypeError, ValueError, OverflowError):
        raise InputError(name, value, expected) from None
    if found.dtype.kind not in "iuf":
        raise InputError(name, value, expected)
    return found.astype(np.float64)


def arm_patients(value: Any) -> Array:
    """Patients of the experimental arm and of control, at least 0, shape (2,); else `InputError`."""
    expected = "patients of the experimental arm and of control"
    found = np.array(real_numbers("per_arm", value, expected))
    if found.shape != (2,) or not np.all((found >= 0) & (found <= LARGEST)):
        raise InputError("per_arm", value, expected)
    return found


def settle(owner: Any, **values: Any) -> None:
    """Put the values that were checked in place of those that were given to a frozen object."""
    for name, value in values.items():
        object.__setattr__(owner, name, value)
