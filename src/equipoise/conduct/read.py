"""Real data into the three tables."""

from __future__ import annotations

import datetime
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..data import Origin, TrialData
from ..errors import InputError
from .adam import read_adam
from .folder import has_tables, read_folder, table_of_folder
from .known import cut, told_by_folder
from .tables import columns_of_collection, columns_of_file, columns_of_frame, columns_of_package
from .wide import read_wide

if TYPE_CHECKING:
    from ..protocol import Protocol

__all__ = ["read_data"]


def read_data(protocol: Protocol, source: Any = None, known_at: datetime.date | None = None) -> TrialData:
    """Trial data by the protocol's description of them.

    Parameters
    ----------
    source
        - a CSV or Parquet file, or any data frame, with one row a patient and a column for each visit, named as the
          protocol's `data` section says, or else as the protocol's own names: patient, arm, the visits, the
          covariates, and randomised for the date of entry;
        - a folder with the tables patients, assessments, events and measures that `equipoise run` writes, or with
          the ADaM data sets that the protocol names;
        - nothing: the data set of an installed package that the protocol names.
    known_at
        Date up to which the data are known, so that a visit whose window was still open then is not taken as missed;
        later entries are left out. By default what the folder's `about.json` says, or else the last date in the data.

    Raises
    ------
    DataError
        With every fault: its row and column, what stands there and what would be right.
    InputError
        When there is nothing to read.
    """
    told = None
    if source is None:
        if protocol.data is None or not protocol.data.source:
            raise InputError("data", None, "a file, a folder or a data frame; this protocol names no data of its own")
        origin = Origin(protocol.data.source)
        if protocol.data.adam is not None:
            data = read_adam(protocol, lambda name: (name, columns_of_collection(origin.source, name)))
        else:
            data = read_wide(protocol, columns_of_package(origin.source), origin.source)
    elif not isinstance(source, (str, PathLike)):
        origin = Origin("data frame")
        data = read_wide(protocol, columns_of_frame(source), origin.source)
    elif _is_folder(path := Path(source)):
        origin, told = told_by_folder(path)
        if protocol.data is not None and protocol.data.adam is not None and not has_tables(path):
            data = read_adam(protocol, lambda name: table_of_folder(path, name))
        else:
            data = read_folder(protocol, path)
    else:
        origin = Origin(path.name)
        data = read_wide(protocol, columns_of_file(path), str(path))
    return replace(cut(data, told, known_at), origin=origin)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False
