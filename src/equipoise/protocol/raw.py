"""The raw table of a protocol file, for checks that must see it whole even where parts of it are wrong."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from .scales import RatingScale, scales

__all__ = ["Finding", "Place", "Raw", "is_number", "keys_are", "numbers", "references", "repeated", "text", "unknown"]

Place = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault: the keys that lead to it, the value found there, and what is wrong and would be right."""

    place: Place
    value: Any
    message: str


@dataclass(slots=True)
class Raw:
    """The raw table with the few lists of names that many checks need."""

    table: dict[str, Any]
    arms: list[str] = field(init=False)
    visits: list[str] = field(init=False)
    covariates: dict[str, dict[str, Any]] = field(init=False)
    measures: dict[str, dict[str, Any]] = field(init=False)
    scale: RatingScale | None = field(init=False)

    def __post_init__(self) -> None:
        self.arms = [entry["name"] for _, entry in self.entries("arms")]
        self.visits = [entry["name"] for _, entry in self.entries("visits")]
        self.covariates = {entry["name"]: entry for _, entry in self.entries("covariates")}
        self.measures = {entry["name"]: entry for _, entry in self.entries("measures")}
        self.scale = scales().get(text(self.section("outcome").get("scale")))

    @property
    def has_scale(self) -> bool:
        """Whether the protocol names a rating scale, known or not."""
        return self.table.get("outcome") is not None

    @property
    def primary(self) -> dict[str, Any]:
        """The primary endpoint, empty where there is none."""
        return next((entry for _, entry in self.entries("endpoints") if entry.get("role") == "primary"), {})

    @property
    def counts_events(self) -> bool:
        """Whether the looks count events: the primary endpoint tests hazards."""
        return self.primary.get("type") == "time-to-event" and self.primary.get("test") != "restricted-mean"

    def section(self, *path: str) -> dict[str, Any]:
        found: Any = self.table
        for key in path:
            found = found.get(key) if isinstance(found, dict) else None
        return found if isinstance(found, dict) else {}

    def entries(self, key: str) -> list[tuple[int, dict[str, Any]]]:
        found = self.table.get(key)
        rows = enumerate(found) if isinstance(found, (list, tuple)) else ()
        return [(at, entry) for at, entry in rows if isinstance(entry, dict) and isinstance(entry.get("name"), str)]


def text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def numbers(value: Any) -> list[float] | None:
    """The value as floats if it is a list of finite numbers, else None."""
    if not isinstance(value, (list, tuple)) or not all(is_number(item) for item in value):
        return None
    return [float(item) for item in value]


def is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e300


def unknown(kind: str, known: Sequence[str], value: Any) -> str:
    near = difflib.get_close_matches(text(value), known, n=1, cutoff=0.5)
    return f"unknown {kind}; " + (f"did you mean '{near[0]}'?" if near else f"known are {', '.join(known) or 'none'}")


def references(place: Place, values: Any, kind: str, known: Sequence[str]) -> Iterator[Finding]:
    for at, value in enumerate(values if isinstance(values, (list, tuple)) else ()):
        if isinstance(value, str) and value not in known:
            yield Finding((*place, at), value, unknown(kind, known, value))


def repeated(place: Place, values: Any) -> Iterator[Finding]:
    """A fault for each text of a list that stood in it before."""
    seen: set[str] = set()
    for at, value in enumerate(values if isinstance(values, (list, tuple)) else ()):
        if isinstance(value, str):
            if value in seen:
                yield Finding((*place, at), value, "stands twice; expected it once")
            seen.add(value)


def keys_are(place: Place, table: dict[str, Any], kind: str, known: Sequence[str]) -> Iterator[Finding]:
    for key in table:
        if key not in known:
            yield Finding((*place, key), key, unknown(kind, known, key))
    for name in known:
        if name not in table:
            yield Finding(place, list(table), f"{kind} '{name}' is missing; expected one entry per {kind}")
