"""Stopping rules to compare, each written on one line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import InputError
from ..keyed_text import keyed
from ..sequential.rule_text import rule_parts
from ..sequential.rules import parameters_of, stopping_rule

__all__ = ["Design", "design_of", "designs_of"]

_LOOKS = ("fractions", "patients", "events")
_KEYS = ("efficacy", "futility", *_LOOKS, "alpha", "sided", "beta", "binding")
_EXAMPLE = "LABEL: KEY=VALUE; KEY=VALUE, as 'obf: efficacy=obrien-fleming; fractions=0.5,1'"


@dataclass(frozen=True)
class Design:
    """Changes of a protocol's [stopping].

    Attributes
    ----------
    label
        What the design is called in tables and figures.
    stopping
        Keys of [stopping] as a file would have them; `futility` None for none.
    text
        As it was given.
    """

    label: str
    stopping: dict[str, Any] = field(default_factory=dict)
    text: str = ""

    def change(self, table: dict[str, Any]) -> None:
        """Change a protocol's raw table in place.

        Information fractions, patients and events stand for each other; looks given in one way replace the others.
        """
        section = table["stopping"]
        if any(name in self.stopping for name in _LOOKS):
            for name in _LOOKS:
                section.pop(name, None)
        for key, value in self.stopping.items():
            if key == "binding":
                if section.get("futility") is None:
                    raise InputError("designs", self.text, "'futility' as well as 'binding'")
                section["futility"] = section["futility"] | {"binding": value}
            elif value is None:
                section.pop(key, None)
            else:
                section[key] = value


def design_of(text: str) -> Design:
    """A design from "LABEL: KEY=VALUE; KEY=VALUE"; the label may be left out, or stand alone for the protocol's own.

    Keys are those of [stopping]: efficacy and futility as rules are written on the command line (pocock, power:3,
    wang-tsiatis:0.25, fixed:3/2; none for no early stopping), fractions, patients or events of the looks, alpha,
    sided, beta, and binding (of futility).

    Raises
    ------
    InputError
        When a key or value cannot be read.
    """
    if not isinstance(text, str):
        raise InputError("designs", text, _EXAMPLE)
    label, rest, given = keyed("designs", text, _KEYS, _EXAMPLE)
    stopping = {key: _value(text, key, value) for key, value in given.items()}
    if sum(key in stopping for key in _LOOKS) > 1:
        raise InputError("designs", text, "one of 'fractions', 'patients' and 'events' to say when to look")
    if not label and not stopping:
        raise InputError("designs", text, _EXAMPLE)
    ordered = {key: stopping[key] for key in sorted(stopping, key=lambda key: key == "binding")}
    return Design(label or "; ".join(part.strip() for part in rest.split(";") if part.strip()), ordered, text)


def designs_of(designs: Sequence[str | Design]) -> tuple[Design, ...]:
    """Several designs; raises `InputError` where two have one label."""
    if isinstance(designs, str | Design):
        designs = [designs]
    found = tuple(item if isinstance(item, Design) else design_of(item) for item in designs)
    labels = [item.label for item in found]
    for item in found:
        if labels.count(item.label) > 1:
            raise InputError("designs", item.text, f"labels that differ; {item.label!r} stands twice")
    return found


def _value(text: str, key: str, value: str) -> Any:
    if key in ("efficacy", "futility"):
        return _rule(text, key, value)
    if key == "binding":
        if value not in ("true", "false"):
            raise InputError("designs", text, "binding to be true or false")
        return value == "true"
    try:
        if key in _LOOKS:
            found = [int(part) if re.fullmatch(r"\s*\d+\s*", part) else float(part) for part in value.split(",")]
            return [float(one) for one in found] if key == "fractions" else found
        return int(value) if key == "sided" else float(value)
    except ValueError:
        right = "numbers separated by ','" if key in _LOOKS else "1 or 2" if key == "sided" else "a number"
        raise InputError("designs", text, f"{key} to be {right}") from None


def _rule(text: str, key: str, value: str) -> dict[str, Any] | None:
    """A boundary as a file would have it, with the parameters its family has by default; None for no futility."""
    if key == "futility" and value == "none":
        return None
    try:
        name, given = rule_parts(key, value)
        rule = stopping_rule(name, **given)
    except InputError as error:
        raise InputError("designs", text, f"{key} to be {error.expected}") from None
    known = [parameter for parameter in parameters_of(name) if parameter not in ("information", "scale")]
    return (
        {"family": name}
        | {parameter: _listed(getattr(rule, parameter)) for parameter in known}
        | {parameter: part for parameter, part in given.items() if parameter == "scale"}
    )


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
