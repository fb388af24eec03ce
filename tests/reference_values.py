"""The committed reference values, tests/reference/*.json; each case is {"id", "source", "inputs", "expected"}."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

REFERENCE = Path(__file__).parent / "reference"


@cache
def reference_cases(name: str) -> list[dict[str, Any]]:
    """The cases of one file, by its name without ".json"."""
    return json.loads((REFERENCE / f"{name}.json").read_text())["cases"]
