"""Rating scales, kept as data in `scales.toml`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

__all__ = ["RatingScale", "Subscale", "scales"]


@dataclass(frozen=True, slots=True)
class Subscale:
    """A cluster of items summed on its own; items are numbered from 1."""

    title: str
    items: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class RatingScale:
    """A rating scale: its range, which direction is improvement, and where that is published.

    Attributes
    ----------
    minimum, maximum
        Range of the total score, in points.
    better
        Whether a lower or a higher total is improvement.
    """

    name: str
    title: str
    rater: str
    items: int
    minimum: float
    maximum: float
    better: Literal["higher", "lower"]
    subscales: dict[str, Subscale]
    source: str

    def subscale_range(self, name: str) -> tuple[float, float]:
        """Range of a subscale's sum, in points."""
        per_item = (self.maximum - self.minimum) / self.items
        return self.minimum, per_item * len(self.subscales[name].items)


@cache
def scales() -> dict[str, RatingScale]:
    """All rating scales that ship with the package, by name."""
    text = files("equipoise.protocol").joinpath("scales.toml").read_text(encoding="utf-8")
    found = {}
    for name, entry in tomllib.loads(text).items():
        low, high = entry.get("range") or [bound * entry["items"] for bound in entry["item_range"]]
        clusters = {
            key: Subscale(part["title"], tuple(part["items"])) for key, part in entry.get("subscales", {}).items()
        }
        found[name] = RatingScale(
            name, entry["title"], entry["rater"], entry["items"], float(low), float(high), entry["better"], clusters,
            entry["source"],
        )  # fmt: skip
    return found
