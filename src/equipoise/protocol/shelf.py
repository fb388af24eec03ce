"""The gallery: trials that ship with the package."""

from __future__ import annotations

import difflib
from importlib.resources import files
from pathlib import Path

from ..errors import InputError
from .load import load, parse
from .protocol import Protocol

__all__ = ["find_protocol", "gallery", "gallery_names", "gallery_text"]


def gallery_names() -> tuple[str, ...]:
    """Names of the trials that ship."""
    folder = files("equipoise.protocol").joinpath("gallery")
    return tuple(sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml")))


def gallery_text(name: str) -> str:
    """The TOML file of a trial that ships, comments and all; raises `InputError` for an unknown name."""
    if name not in gallery_names():
        near = difflib.get_close_matches(name, gallery_names(), n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}? Known are " if near else ""
        raise InputError("gallery trial", name, f"the name of a trial that ships; {hint}{', '.join(gallery_names())}")
    return files("equipoise.protocol").joinpath("gallery", f"{name}.toml").read_text(encoding="utf-8")


def gallery(name: str) -> Protocol:
    """A trial that ships, as a protocol; raises `InputError` for an unknown name."""
    return parse(gallery_text(name).encode(), f"gallery/{name}.toml")


def find_protocol(name_or_path: str) -> Protocol:
    """A protocol by its path, or by its name in the gallery when no such file is there.

    Raises
    ------
    ProtocolError
        For a file with faults.
    InputError
        For something that is neither a file nor in the gallery.
    """
    if name_or_path in gallery_names() and not Path(name_or_path).is_file():
        return gallery(name_or_path)
    looks_like_path = "/" in name_or_path or "\\" in name_or_path or name_or_path.endswith(".toml")
    try:
        exists = Path(name_or_path).exists()
    except (OSError, ValueError):
        looks_like_path, exists = True, False
    if exists or looks_like_path:
        return load(name_or_path)
    gallery_text(name_or_path)
    raise AssertionError("unreachable: the gallery knows its own names")
