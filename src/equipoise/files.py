"""Writing files so that none is ever half there."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .errors import InputError
from .plain import plain

__all__ = ["UNFINISHED", "json_text", "replace_file", "write_text"]

UNFINISHED = ".unfinished"
"""How names of text files and tables end while they are written; a killed process may leave such files behind."""


@contextmanager
def replace_file(path: str | os.PathLike[str], suffix: str | None = None) -> Iterator[Path]:
    """A temporary path in the same folder that takes the place of `path` when the block ends well.

    Parameters
    ----------
    suffix
        Of the temporary path; that of `path` when absent, by which some writers tell what to write.

    Raises
    ------
    InputError
        Where it cannot be written.
    """
    target = Path(path)
    if "\0" in str(path):
        raise InputError("output", str(path), "a place that can be written (no zero byte in its name)")
    temporary = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        ending = target.suffix if suffix is None else suffix
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=ending)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)
        temporary.replace(target)
    except OSError as error:
        raise InputError("output", str(path), f"a place that can be written ({error.strerror or error})") from None
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write UTF-8 text whole or not at all; raises `InputError` where it cannot be written."""
    with replace_file(path, UNFINISHED) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def json_text(content: Any) -> str:
    """What a JSON file of ours holds: infinities and NaN as null, what JSON does not know (dates) as text, two
    spaces to a level, a newline at its end.
    """
    return json.dumps(plain(content), indent=2, ensure_ascii=False, allow_nan=False, default=str) + "\n"
