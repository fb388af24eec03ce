"""A key of a protocol's raw table by its dotted path, as arms.ketamine.dropout or stopping.fractions[1]."""

from __future__ import annotations

import difflib
import itertools
import re
from typing import Any

from ..errors import InputError
from ..protocol import Protocol
from ..protocol.scenarios import Scenario

__all__ = ["path_of", "set_key"]

Place = tuple[str | int, ...]
_PART = re.compile(r"""(?:"([^"]+)"|'([^']+)'|([^\s."'\[\]]+))((?:\[\d+\])*)(?:\.|$)""")


def path_of(text: str, scenario: str, short: tuple[str, ...]) -> Place:
    """The keys that lead to a value; `scenarios.NAME` may be left out of those of a scenario.

    Parameters
    ----------
    text
        Keys with a full stop between them, in quotes where they hold one; [2] is the second of a list.
    scenario
        Whose keys may go without their beginning.
    short
        Names that are no path, for the message.

    Raises
    ------
    InputError
        When it is no path, or begins with no key of a protocol.
    """
    parts: list[str | int] = []
    at = 0
    while at < len(text):
        found = _PART.match(text, at)
        if found is None or (found.end() == len(text) and text.endswith(".")):
            raise InputError("vary", text, "keys of the protocol file with '.' between them, as arms.ketamine.dropout")
        parts.append(next(part for part in found.groups()[:3] if part is not None))
        parts += [int(number) - 1 for number in re.findall(r"\d+", found[4])]
        at = found.end()
    if not parts:
        raise InputError("vary", text, "a name before '='")
    if parts[0] in Scenario.model_fields:
        return ("scenarios", scenario, *parts)
    if parts[0] in Protocol.model_fields:
        return tuple(parts)
    known = [*short, *(name for name in Scenario.model_fields if name != "description"), *Protocol.model_fields]
    near = difflib.get_close_matches(str(parts[0]), known, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise InputError("vary", text, f"{', '.join(short)}, or the path of a key of the protocol{hint}")


def set_key(table: dict[str, Any], path: Place, value: Any, text: str) -> None:
    """Put a value in a raw table, in place; entries of lists of tables are found by their names.

    Raises
    ------
    InputError
        When the path leads nowhere.
    """
    place: Any = table
    for key, after in itertools.pairwise(path):
        if isinstance(place, dict) and isinstance(key, str):
            if place.get(key) is None:
                place[key] = {}
            place = place[key]
        else:
            place = place[_at(place, key, text)]
        if not isinstance(place, dict | list):
            raise InputError("vary", text, f"a path to a value; '{key}' holds one and no '{after}'")
    last = path[-1]
    if isinstance(place, dict) and isinstance(last, str):
        place[last] = value
    else:
        place[_at(place, last, text)] = value


def _at(place: Any, key: str | int, text: str) -> int:
    """The position in a list of what a key means."""
    if not isinstance(place, list):
        raise InputError("vary", text, "a key that is a name; [1], [2] and so on are places in lists")
    if isinstance(key, int):
        if not 0 <= key < len(place):
            raise InputError(
                "vary", text, f"a place from [1] to [{len(place)}]" if place else "no place in an empty list"
            )
        return key
    names = [entry.get("name") if isinstance(entry, dict) else None for entry in place]
    if key in names:
        return names.index(key)
    known = [name for name in names if name]
    raise InputError(
        "vary", text, f"one of {', '.join(known)}, or a place as [1]" if known else "a place in the list, as [1]"
    )
