"""A figure of the page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["PageFigure"]


@dataclass(frozen=True)
class PageFigure:
    """A figure of the page: its name, what it shows read aloud, and what is said below it."""

    name: str
    figure: Figure
    title: str
    caption: str
