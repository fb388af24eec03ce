"""The gallery: trials that ship with the package, whole or as their papers tell them."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import BaseModel

from ..errors import InputError
from .load import load_as, parse_as
from .paper import Paper
from .protocol import Protocol

__all__ = [
    "find_paper",
    "find_protocol",
    "gallery",
    "gallery_names",
    "gallery_text",
    "paper",
    "paper_names",
    "paper_text",
]

Kind = TypeVar("Kind", bound=BaseModel)


@dataclass(frozen=True)
class _Shelf(Generic[Kind]):
    """A folder of files that ship: what they hold, and what one of them is called."""

    folder: str
    kind: type[Kind]
    what: str

    def names(self) -> tuple[str, ...]:
        entries = files("equipoise.protocol").joinpath(self.folder).iterdir()
        return tuple(sorted(entry.name.removesuffix(".toml") for entry in entries if entry.name.endswith(".toml")))

    def text(self, name: str) -> str:
        known = self.names()
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.5) if isinstance(name, str) else []
            hint = f"did you mean {near[0]!r}? Known are " if near else ""
            raise InputError(
                f"gallery {self.what}", name, f"the name of a {self.what} that ships; {hint}{', '.join(known)}"
            )
        return files("equipoise.protocol").joinpath(self.folder, f"{name}.toml").read_text(encoding="utf-8")

    def item(self, name: str) -> Kind:
        return parse_as(self.kind, self.text(name).encode(), f"{self.folder}/{name}.toml")

    def find(self, name_or_path: str) -> Kind:
        if name_or_path in self.names() and not Path(name_or_path).is_file():
            return self.item(name_or_path)
        looks_like_path = "/" in name_or_path or "\\" in name_or_path or name_or_path.endswith(".toml")
        try:
            exists = Path(name_or_path).exists()
        except (OSError, ValueError):
            looks_like_path, exists = True, False
        if exists or looks_like_path:
            return load_as(self.kind, name_or_path)
        return self.item(name_or_path)


_PROTOCOLS = _Shelf("gallery", Protocol, "trial")
_PAPERS = _Shelf("papers", Paper, "paper")


def gallery_names() -> tuple[str, ...]:
    """Names of the trials that ship."""
    return _PROTOCOLS.names()


def gallery_text(name: str) -> str:
    """The TOML file of a trial that ships, comments and all; raises `InputError` for an unknown name."""
    return _PROTOCOLS.text(name)


def gallery(name: str) -> Protocol:
    """A trial that ships, as a protocol; raises `InputError` for an unknown name."""
    return _PROTOCOLS.item(name)


def find_protocol(name_or_path: str) -> Protocol:
    """A protocol by its path, or by its name in the gallery when no such file is there.

    Raises
    ------
    ProtocolError
        For a file with faults.
    InputError
        For something that is neither a file nor in the gallery.
    """
    return _PROTOCOLS.find(name_or_path)


def paper_names() -> tuple[str, ...]:
    """Names of the papers that ship."""
    return _PAPERS.names()


def paper_text(name: str) -> str:
    """The TOML file of a paper that ships, comments and all; raises `InputError` for an unknown name."""
    return _PAPERS.text(name)


def paper(name: str) -> Paper:
    """A trial that ships as its paper tells it; raises `InputError` for an unknown name."""
    return _PAPERS.item(name)


def find_paper(name_or_path: str) -> Paper:
    """A paper by its path, or by its name when no such file is there; raises as `find_protocol`."""
    return _PAPERS.find(name_or_path)
