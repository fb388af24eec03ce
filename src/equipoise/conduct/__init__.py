"""Import and export of a trial's tables."""

from __future__ import annotations

from .read import read_data
from .reader import DataError
from .write import replace_file, write_data, write_text

__all__ = ["DataError", "read_data", "replace_file", "write_data", "write_text"]
