"""Writing a trial's tables."""

from __future__ import annotations

import json
import math
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from ..files import replace_file, write_text

if TYPE_CHECKING:
    from ..data import TrialData

__all__ = ["replace_file", "write_data", "write_text"]


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
