"""Short names of what varies between points, and its values as people read them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..wording import MINUS, clean
from .vary import shown

__all__ = ["short_names", "value_text"]


def short_names(names: Iterable[str]) -> dict[str, str]:
    """Of axes, without the beginnings of paths: as many of the last keys as tell them apart."""
    parts = {name: clean(name).replace("_", " ").split(".") for name in names}
    keep = 1
    while keep < max(map(len, parts.values()), default=1):
        if len({tuple(words[-keep:]) for words in parts.values()}) == len(parts):
            break
        keep += 1
    return {name: ".".join(words[-keep:]) for name, words in parts.items()}


def value_text(value: Any) -> str:
    """A value of an axis, with a true minus sign."""
    text = clean(shown(value))
    return MINUS + text[1:] if isinstance(value, int | float) and text.startswith("-") else text
