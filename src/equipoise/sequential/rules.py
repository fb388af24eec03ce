"""Stopping rules by name, as protocol files and the command line give them."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any

from ..errors import InputError
from .families import BoundaryFamily, HaybittlePeto, OBrienFleming, Pocock, WangTsiatis
from .fixed import FixedBounds
from .spending import (
    HwangShihDeCaniSpending,
    NoEarlyStopping,
    OBrienFlemingSpending,
    PocockSpending,
    PowerSpending,
    SpendingFunction,
    UserSpending,
)

__all__ = ["ALIASES", "RULES", "parameters_of", "stopping_rule"]

RULES: dict[str, Any] = {
    "obrien-fleming": OBrienFlemingSpending,
    "pocock": PocockSpending,
    "power": PowerSpending,
    "hwang-shih-decani": HwangShihDeCaniSpending,
    "user": UserSpending,
    "classical-obrien-fleming": OBrienFleming,
    "classical-pocock": Pocock,
    "wang-tsiatis": WangTsiatis,
    "haybittle-peto": HaybittlePeto,
    "fixed": FixedBounds,
    "none": NoEarlyStopping,
}
ALIASES = {"obrien-fleming-spending": "obrien-fleming", "pocock-spending": "pocock"}
_WITHOUT = (OBrienFleming, Pocock)


def parameters_of(name: str) -> dict[str, bool]:
    """Parameters of a family by name, and whether each must be given."""
    family = RULES[name]
    if family in _WITHOUT:
        return {}
    return {field.name: field.default is MISSING for field in fields(family)}


def stopping_rule(name: str, **parameters: Any) -> SpendingFunction | BoundaryFamily | FixedBounds:
    """A rule for efficacy or futility by name, e.g. from a protocol file.

    Parameters
    ----------
    name
        Error spending: "obrien-fleming", "pocock" (also "obrien-fleming-spending", "pocock-spending"), "power" (`rho`),
        "hwang-shih-decani" (`gamma`), "user" (`cumulative`, `information`), "none". Classical, for efficacy:
        "classical-obrien-fleming", "classical-pocock", "wang-tsiatis" (`delta`), "haybittle-peto" (`bound`). "fixed"
        (`values`, `scale`).
    parameters
        Those of the family.

    Raises
    ------
    InputError
        When the family or a parameter is unknown or missing.
    """
    name = ALIASES.get(name, name)
    if name not in RULES:
        raise InputError("stopping rule", name, "one of " + ", ".join(RULES))
    known = parameters_of(name)
    for parameter in parameters:
        if parameter not in known:
            raise InputError(f"stopping rule {name}", parameter, ", ".join(known) or "no parameter")
    for parameter, needed in known.items():
        if needed and parameter not in parameters:
            raise InputError(parameter, None, f"a value, for the stopping rule {name} needs it")
    return RULES[name](**parameters)
