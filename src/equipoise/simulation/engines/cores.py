"""Threads of this process, for kernels that release the interpreter's lock."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from .engine import Chunk, ChunkFunction, Engine, alone, in_order

__all__ = ["Cores"]


@dataclass(frozen=True)
class Cores(Engine):
    """Threads of this process, one chunk each.

    Attributes
    ----------
    workers
        How many threads.
    """

    workers: int

    def map(self, function: ChunkFunction, task: Any, chunks: Iterable[Chunk]) -> Generator[Any, None, None]:
        with ThreadPoolExecutor(self.workers, thread_name_prefix="equipoise") as pool:

            def submit(first: int, stop: int) -> Future[Any]:
                return pool.submit(alone, function, task, first, stop)

            yield from in_order(submit, chunks, 2 * self.workers)
