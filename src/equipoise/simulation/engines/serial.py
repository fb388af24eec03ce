"""One chunk after the other, in this thread."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from typing import Any

from .engine import Chunk, ChunkFunction, Engine, alone

__all__ = ["Serial"]


@dataclass(frozen=True)
class Serial(Engine):
    """This thread alone."""

    def map(self, function: ChunkFunction, task: Any, chunks: Iterable[Chunk]) -> Generator[Any, None, None]:
        for first, stop in chunks:
            yield alone(function, task, first, stop)
