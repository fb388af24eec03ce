"""What the assumptions of every endpoint are checked for."""

from __future__ import annotations

import math
from typing import Any

from ..errors import InputError

__all__ = ["check_choice", "check_finite", "check_positive"]


def check_positive(**values: Any) -> None:
    """Raise `InputError` for the first value that is not a finite number above 0."""
    for name, value in values.items():
        if not (isinstance(value, (int, float)) and math.isfinite(value) and value > 0):
            raise InputError(name, value, "a finite number above 0")


def check_finite(**values: Any) -> None:
    """Raise `InputError` for the first value that is not a finite number."""
    for name, value in values.items():
        if not (isinstance(value, (int, float)) and math.isfinite(value)):
            raise InputError(name, value, "a finite number")


def check_choice(name: str, value: Any, allowed: tuple[Any, ...]) -> None:
    """Raise `InputError` for a value that is not one of those allowed."""
    if value not in allowed:
        raise InputError(name, value, "one of " + ", ".join(map(repr, allowed)))
