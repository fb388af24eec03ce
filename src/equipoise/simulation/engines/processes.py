"""Fresh processes of this machine, for work that holds the interpreter's lock."""

from __future__ import annotations

import os
import pickle
import signal
import tempfile
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from ..memory import keep_freed_memory
from .engine import Chunk, ChunkFunction, Engine, attempted, in_order, unwrapped

__all__ = ["Processes"]

_ONE_THREAD = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


@dataclass
class Processes(Engine):
    """Spawned processes, each with one thread for linear algebra; a script needs `if __name__ == "__main__":`.

    What the chunks of a map have in common lies in a file while it goes on, which each process reads once: processes
    take one map after the other, and may start late.

    Attributes
    ----------
    workers
        How many processes.
    """

    workers: int
    _pool: ProcessPoolExecutor | None = field(default=None, init=False, repr=False)

    def map(self, function: ChunkFunction, task: Any, chunks: Iterable[Chunk]) -> Generator[Any, None, None]:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(self.workers, mp_context=get_context("spawn"), initializer=_begin)
        pool = self._pool
        with tempfile.TemporaryDirectory(prefix="equipoise-") as folder:
            common = Path(folder) / "task"
            common.write_bytes(pickle.dumps((function, task)))

            def submit(first: int, stop: int) -> Future[Any]:
                with _single_threaded(), _deaf_to_the_keyboard():
                    return pool.submit(_chunk, str(common), first, stop)

            try:
                for result in in_order(submit, chunks, 2 * self.workers):
                    yield unwrapped(result)
            except BrokenProcessPool as error:
                self.close()
                raise RuntimeError(
                    "a worker process ended before its chunk of trials was done: killed, out of memory, or started "
                    "from a script that lacks 'if __name__ == \"__main__\":' around its calls"
                ) from error

    def close(self) -> None:
        """End the processes."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(cancel_futures=True)


def _begin() -> None:
    """An interruption from the keyboard reaches the whole group of processes; only the parent acts on it."""
    keep_freed_memory()
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def _deaf_to_the_keyboard() -> Iterator[None]:
    """Processes started inside are not interrupted while they begin, before `_begin` sees to it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _single_threaded() -> Iterator[None]:
    """What a process started inside reads when it loads its libraries."""
    before = {name: os.environ.get(name) for name in _ONE_THREAD}
    os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@lru_cache(maxsize=1)
def _common(path: str) -> Any:
    """Function and task of a map, whose folder no other map has."""
    return pickle.loads(Path(path).read_bytes())


def _chunk(path: str, first: int, stop: int) -> Any:
    function, task = _common(path)
    return attempted(function, task, first, stop)
