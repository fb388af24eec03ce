"""Reading a protocol file, and saying where its faults are."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from ..checks import instance
from ..errors import InputError
from .endpoints import ENDPOINT_TYPES
from .protocol import Protocol
from .raw import Place

__all__ = ["Fault", "ProtocolError", "checked", "load", "load_as", "loaded", "parse", "parse_as"]

Kind = TypeVar("Kind", bound=BaseModel)
LARGEST = 250_000
_LONG_KEY = re.compile(r"""(?<![\w-])(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){50}[\w"'-]""")


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a protocol.

    Attributes
    ----------
    place
        Keys that lead to it, as written in TOML, e.g. ``scenarios.no-effect.arms.ketamine.sd[2]``.
    line
        Line of the file, from 1; None when the protocol did not come from text.
    message
        What is wrong and what would be right.
    """

    place: str
    line: int | None
    message: str

    def __str__(self) -> str:
        line = f"line {self.line}, " if self.line else ""
        return f"{line}{self.place}: {self.message}" if self.place else f"{line}{self.message}"


class ProtocolError(InputError):
    """A protocol with one or more faults, all of them in `faults`."""

    def __init__(self, origin: str, faults: tuple[Fault, ...]) -> None:
        self.origin, self.faults = origin, faults
        count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        ValueError.__init__(self, f"{origin} has {count}:\n" + "\n".join(f"  {fault}" for fault in faults))


def load(path: str | PathLike[str]) -> Protocol:
    """Read a protocol from a TOML file.

    Raises
    ------
    ProtocolError
        With every fault of the file: its line, its keys, what is wrong and what would be right.
    """
    return load_as(Protocol, path)


def parse(content: bytes, origin: str = "protocol") -> Protocol:
    """Make a protocol of the bytes of a TOML file; raises `ProtocolError`."""
    return parse_as(Protocol, content, origin)


def load_as(kind: type[Kind], path: str | PathLike[str]) -> Kind:
    """Read a protocol, or what else a TOML file may hold; raises as `load`."""
    origin = str(path)
    try:
        with Path(path).open("rb") as file:
            content = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ProtocolError(origin, (Fault("", None, f"cannot be read ({reason}); expected a TOML file"),)) from None
    return parse_as(kind, content, origin)


def parse_as(kind: type[Kind], content: bytes, origin: str) -> Kind:
    """Make a protocol, or what else a TOML file may hold, of its bytes; raises `ProtocolError`."""
    what = kind.__name__.lower()

    def unreadable(message: str, line: int | None = None) -> ProtocolError:
        return ProtocolError(origin, (Fault("", line, message),))

    if len(content) > LARGEST:
        raise unreadable(f"is larger than {LARGEST:,} bytes; expected a {what} in TOML, usually under 20,000")
    if not content.strip():
        name = "ptsd-ketamine" if kind is Protocol else f"ptsd-ketamine-{what}"
        raise unreadable(f"is empty; expected a {what} in TOML, such as `equipoise gallery --copy {name} .` writes")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise unreadable(f"is not UTF-8 text (byte {error.start}); expected TOML saved as UTF-8", line) from None
    if found := _LONG_KEY.search(text):
        raise unreadable("has a key of more than 50 parts; expected 3 at most", text.count("\n", 0, found.start()) + 1)
    try:
        table = tomllib.loads(text.replace("\r\n", "\n"))
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"at line (\d+)", str(error))
        message = re.sub(r"\s*\(at .*\)$", "", str(error))
        raise unreadable(f"is not valid TOML: {message}", int(found[1]) if found else text.count("\n") + 1) from None
    except (RecursionError, ValueError):
        raise unreadable("is not valid TOML: nested too deeply or a number too long") from None
    try:
        return checked_as(kind, table, origin, text)
    except RecursionError:
        raise unreadable("is nested too deeply; expected the tables that `equipoise schema` describes") from None


def loaded(protocol: Any) -> Protocol:
    """A protocol as it is; raises `InputError` for anything else, such as a name of the gallery or a path."""
    return instance("protocol", protocol, Protocol, "a protocol, as eq.gallery or Protocol.load gives it")


def checked(table: dict[str, Any], origin: str = "protocol", text: str = "") -> Protocol:
    """Make a protocol of a table as a file would give it; raises `ProtocolError` with every fault.

    Parameters
    ----------
    text
        The file's, so that faults name its lines; none when empty.
    """
    return checked_as(Protocol, table, origin, text)


def checked_as(kind: type[Kind], table: dict[str, Any], origin: str, text: str = "") -> Kind:
    """`checked`, for what else a TOML file may hold."""
    try:
        return kind.model_validate(table)
    except ValidationError as error:
        lines = _Lines(text) if text else None
        faults = sorted(
            {
                Fault(_written(line["loc"]), lines.of(line["loc"]) if lines else None, _told(line))
                for line in map(_untagged, error.errors())
            },
            key=lambda fault: (fault.line or 0, fault.place, fault.message),
        )
        raise ProtocolError(origin, tuple(faults)) from None


_WORDS = (
    (r"a valid dictionary( or instance of \w+)?", "a table"),
    (r"a valid (tuple|list)", "a list"),
    (r"a valid string", "text"),
    (r"^(Tuple|List) ", "List "),
    (r" after validation, not ", ", not "),
)
_TAGS = frozenset(ENDPOINT_TYPES)


def _untagged(line: Any) -> Any:
    """Drop the union tag that pydantic puts into the place of an endpoint."""
    place = line["loc"]
    if line["type"] != "protocol" and len(place) > 3 and place[0] == "endpoints" and place[2] in _TAGS:
        line["loc"] = (*place[:2], *place[3:])
    return line


def _told(line: Any) -> str:
    message, value = line["msg"], line["input"]
    if line["type"] == "missing":
        return "is missing"
    if line["type"] in ("union_tag_not_found", "union_tag_invalid"):
        return f"expected 'type' to be one of {', '.join(sorted(_TAGS))}"
    for theirs, ours in _WORDS:
        message = re.sub(theirs, ours, message)
    message = re.sub(r"^Input should be ", "expected ", message)
    message = re.sub(r"^(\w+) should ", lambda found: f"expected {found[1].lower()} to ", message)
    if line["type"] == "unknown_key" or value is None:
        return message
    try:
        shown = repr(value)
    except ValueError:
        shown = "a number of thousands of digits"
    return f"{shown if len(shown) <= 60 else shown[:57] + '...'}: {message}"


def _written(place: Place) -> str:
    written = ""
    for key in place:
        if isinstance(key, int):
            written += f"[{key + 1}]"
        else:
            key = key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else f'"{key[:40]}"'
            written += f".{key}" if written else key
    return written


class _Lines:
    """Finds the line of a place: headers and keys of a TOML text, with arrays of tables counted."""

    _HEADER = re.compile(r"^\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(#.*)?$")
    _KEY = re.compile(
        r"""^\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*="""
    )

    def __init__(self, text: str) -> None:
        self._found: dict[Place, int] = {}
        counts: dict[Place, int] = {}
        prefix: Place = ()
        depth, quote = 0, ""
        for number, line in enumerate(text.split("\n"), start=1):
            if depth == 0 and not quote:
                header, key = self._HEADER.match(line), self._KEY.match(line)
                if header:
                    prefix = self._resolve(self._split(header[2]), counts, repeated=header[1] == "[[")
                    self._note(prefix, 0, number)
                elif key:
                    self._note((*prefix, *self._split(key[1])), len(prefix), number)
            depth, quote = self._scan(line, depth, quote)

    def _note(self, place: Place, known: int, number: int) -> None:
        """The line of a place and of the tables it opens on the way, where they have none yet."""
        for length in range(len(place), known, -1):
            self._found.setdefault(place[:length], number)

    @staticmethod
    def _split(dotted: str) -> Place:
        parts = re.findall(r"""[A-Za-z0-9_-]+|"[^"]*"|'[^']*'""", dotted)
        return tuple(part.strip("\"'") for part in parts)

    @staticmethod
    def _resolve(keys: Place, counts: dict[Place, int], *, repeated: bool) -> Place:
        place: Place = ()
        for at, key in enumerate(keys):
            place = (*place, key)
            if repeated and at == len(keys) - 1:
                counts[place] = counts.get(place, -1) + 1
            if place in counts:
                place = (*place, counts[place])
        return place

    @staticmethod
    def _scan(line: str, depth: int, quote: str) -> tuple[int, str]:
        """Bracket depth and open multi-line quote after a line."""
        at = 0
        while at < len(line):
            if quote:
                end = line.find(quote, at)
                if end < 0:
                    return depth, quote if len(quote) == 3 else ""
                at, quote = end + len(quote), ""
                continue
            char = line[at]
            if char == "#":
                break
            if char in "\"'":
                quote = char * 3 if line.startswith(char * 3, at) else char
                at += len(quote)
                continue
            depth += (char in "[{") - (char in "]}")
            at += 1
        return max(depth, 0), quote if len(quote) == 3 else ""

    def of(self, place: Place) -> int | None:
        """Line of the place, or of the nearest table or key that holds it."""
        for length in range(len(place), 0, -1):
            if place[:length] in self._found:
                return self._found[place[:length]]
        return None
