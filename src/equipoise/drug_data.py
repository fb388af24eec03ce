"""Published population pharmacokinetics as the file `patients/drugs.toml` holds them."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

__all__ = ["drug_data"]


@cache
def drug_data() -> dict[str, dict[str, Any]]:
    """The entries of the file, by the drug's name."""
    return tomllib.loads(files("equipoise").joinpath("patients", "drugs.toml").read_text(encoding="utf-8"))
