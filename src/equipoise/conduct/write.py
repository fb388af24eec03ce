"""Writing files so that none is ever half there."""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError

if TYPE_CHECKING:
    from ..data import TrialData

__all__ = ["replace_file", "write_data", "write_text"]


@contextmanager
def replace_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary path in the same folder that takes the place of `path` when the block ends well; raises
    `InputError` if it cannot.
    """
    target = Path(path)
    if "\0" in str(path):
        raise InputError("output", str(path), "a place that can be written (no zero byte in its name)")
    temporary = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=target.suffix)
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
    """Write UTF-8 text whole or not at all."""
    with replace_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_data(data: TrialData, folder: str | os.PathLike[str]) -> tuple[Path, ...]:
    """Write the tables as CSV and Parquet into a folder, from where `read_data` reads them back.

    A small `about.json` beside them keeps where the data come from and up to which day they are known.

    Returns
    -------
    Paths of the files.
    """
    written = []
    frames = {"patients": data.patients_frame(), "assessments": data.assessments_frame(), "events": data.events_frame()}
    if data.measures:
        frames["measures"] = data.measures_frame()
    for name, frame in frames.items():
        for suffix, write in (("csv", frame.write_csv), ("parquet", frame.write_parquet)):
            path = Path(folder) / f"{name}.{suffix}"
            with replace_file(path) as temporary:
                write(temporary)
            written.append(path)
    about = asdict(data.origin) | {"known_to_day": None if math.isinf(data.cut) else data.cut}
    written.append(Path(folder) / "about.json")
    write_text(written[-1], json.dumps(about, indent=2) + "\n")
    return tuple(written)
