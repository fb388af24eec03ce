"""Stopping rules written on one line, as power:3 or fixed:0.1@conditional-power."""

from __future__ import annotations

from typing import Any

from ..errors import InputError
from .futility_scales import SCALES
from .rules import ALIASES, RULES, parameters_of

__all__ = ["rule_parts", "scale_named"]

_LISTS = {"cumulative": "shares, as 0.2/0.6/1", "values": "bounds, as 3/2.5, or none for a look without"}


def scale_named(field: str, text: str, scale: str) -> str:
    """A scale by its name, with spaces or hyphens; `text` is the whole argument, for the message.

    Raises
    ------
    InputError
        When there is no such scale; it names the field.
    """
    by_name = {name.replace(" ", "-"): name for name in SCALES}
    if scale.replace(" ", "-") not in by_name:
        raise InputError(field, text, "a scale that is one of " + ", ".join(by_name))
    return by_name[scale.replace(" ", "-")]


def rule_parts(field: str, text: str) -> tuple[str, dict[str, Any]]:
    """The name of a rule and the parameters it is given, from NAME, NAME:PARAMETER or NAME:PARAMETER@SCALE.

    Raises
    ------
    InputError
        When the name is unknown or the parameter missing or not a number; it names the field.
    """
    rule, at, scale = text.partition("@")
    given_name, _, values = rule.partition(":")
    name = ALIASES.get(given_name, given_name)
    if name not in RULES:
        raise InputError(field, text, "one of " + ", ".join((*RULES, *ALIASES)))
    known = tuple(key for key in parameters_of(name) if key not in ("information", "scale"))
    given: dict[str, Any] = {}
    if values and not known:
        raise InputError(field, text, f"{given_name} without a parameter")
    if values:
        given[known[0]] = _parameter(field, text, name, known[0], values)
    elif known and (name == "power" or parameters_of(name)[known[0]] or name == "hwang-shih-decani"):
        raise InputError(field, text, f"{name}:{known[0].upper()}, with its parameter")
    if at:
        if "scale" not in parameters_of(name):
            raise InputError(field, text, f"{given_name} without a scale")
        given["scale"] = scale_named(field, text, scale)
    return name, given


def _parameter(field: str, text: str, name: str, key: str, values: str) -> Any:
    """The parameter of a rule: a number, or several, None for 'none' among bounds."""
    try:
        parsed = tuple(
            None if part == "none" and key == "values" else float(part)
            for part in (values.split("/") if key in _LISTS else [values])
        )
    except ValueError:
        right = _LISTS.get(key, f"one number, {key}")
        raise InputError(field, text, f"{right}, after '{name}:'") from None
    return parsed if key in _LISTS else parsed[0]
