"""Where data come from, and up to which day they are known."""

from __future__ import annotations

import datetime
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..data import Origin, TrialData
from ..errors import InputError

__all__ = ["cut", "told_by_folder"]


def told_by_folder(folder: Path) -> tuple[Origin, float | None]:
    """Origin of the tables in a folder and the day they are known to, as `write_data` keeps them in `about.json`.

    Without that file the folder's own name is the origin and the day is None; infinite where the tables are complete.
    """
    named = Origin("/".join(folder.resolve().parts[-2:]))
    path = folder / "about.json"
    if not path.is_file():
        return named, None
    try:
        about: Any = json.loads(path.read_bytes())
        day = about["known_to_day"]
        known = math.inf if day is None else float(day)
        origin = Origin(*(about[name] for name in ("source", "scenario", "seed", "trial")))
        sound = isinstance(origin.source, str) and (origin.scenario is None or isinstance(origin.scenario, str))
        sound &= all(value is None or type(value) is int for value in (origin.seed, origin.trial))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        sound = False
    if not sound or math.isnan(known):
        raise InputError("about.json", str(path), "the file that `equipoise run` writes beside its tables, or none")
    return origin, known


def cut(data: TrialData, told: float | None, known_at: datetime.date | None) -> TrialData:
    """The data as they were known on a date; else as the tables tell; else on the last date that occurs in them.

    The last rule keeps a visit whose window is still open when the data end from being taken as missed.
    """
    if data.start is None:
        if known_at is not None:
            raise InputError("known_at", known_at.isoformat(), "no date, as the data have none")
        return data
    if known_at is not None:
        day = float((known_at - data.start).days)
    elif told is not None:
        day = told
    else:
        days = (data.randomised, data.withdrawn, data.last_contact, data.assessed.ravel(), data.events.day)
        day = float(np.nanmax(np.concatenate(days)))
    return data if math.isinf(day) else replace(data.known_at(day), cut=day)
