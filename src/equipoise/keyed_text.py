"""Things written on one line, as LABEL: KEY=VALUE; KEY=VALUE."""

from __future__ import annotations

from collections.abc import Sequence

from .errors import InputError

__all__ = ["keyed"]


def keyed(field: str, text: str, known: Sequence[str], example: str) -> tuple[str, str, dict[str, str]]:
    """Label, rest and values by their keys; a colon before the first equals sign ends the label, and so does the end.

    Raises
    ------
    InputError
        When a part is no key with a value, or a key is unknown or stands twice; it names the field.
    """
    label, rest = _labelled(text)
    found: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in rest.split(";"))):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or not value:
            raise InputError(field, text, example)
        if key not in known:
            raise InputError(field, text, f"keys that are one of {', '.join(known)}; {key!r} is none")
        if key in found:
            raise InputError(field, text, f"{key} once")
        found[key] = value
    return label, rest, found


def _labelled(text: str) -> tuple[str, str]:
    head, equals, _ = text.partition("=")
    if ":" in head:
        label, _, rest = text.partition(":")
        return label.strip(), rest
    return ("", text) if equals else (text.strip(), "")
