"""What every engine does: one function over many chunks of trials, results in order."""

from __future__ import annotations

import pickle
import traceback
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, wait
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeAlias

from ...threads import threads

__all__ = ["Chunk", "ChunkFunction", "Engine", "Failure", "alone", "attempted", "in_order", "trials_named", "unwrapped"]

Chunk: TypeAlias = tuple[int, int]
ChunkFunction: TypeAlias = Callable[[Any, int, int], Any]


class Engine(ABC):
    """Where chunks of trials are computed.

    An engine may be used for several maps, one after the other, and is closed after the last: `with engine: ...`.
    """

    @abstractmethod
    def map(self, function: ChunkFunction, task: Any, chunks: Iterable[Chunk]) -> Generator[Any, None, None]:
        """`function(task, first, stop)` of every chunk, in the order of the chunks.

        A few chunks at most are under way or waiting to be taken, so memory does not grow with their number. After an
        exception, a KeyboardInterrupt or `close()` of the iterator no chunk is begun any more; those under way in
        this machine's threads or processes are waited for.

        Parameters
        ----------
        function
            Pure, of module level, so that it can be pickled; its result too. It computes with one thread: that is
            what `equipoise.threads.available_threads()` says inside.
        task
            What all chunks have in common; sent to each process once, not with every chunk.
        chunks
            First trial and the one after the last, each.

        Raises
        ------
        Exception
            Whatever the function raises, with a note that names the trials of the chunk. From another process it is
            made anew, and its traceback there is in the note; one that cannot be sent is a RuntimeError that says the
            same.
        """

    def begin(self) -> None:  # noqa: B027
        """Reach what the engine needs, before any work: what `map` would refuse for want of it is refused here."""

    def close(self) -> None:  # noqa: B027
        """Give back what the engine holds: processes, connections."""

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def trials_named(first: int, stop: int) -> str:
    """A chunk in words."""
    return f"trial {first}" if stop == first + 1 else f"trials {first} to {stop - 1}"


def alone(function: ChunkFunction, task: Any, first: int, stop: int) -> Any:
    """One chunk with one thread; an exception gets a note that names the chunk."""
    with threads(1):
        try:
            return function(task, first, stop)
        except Exception as error:
            error.add_note(f"in {trials_named(first, stop)}")
            raise


@dataclass(frozen=True)
class Failure:
    """An exception on its way from another process, which pickles whatever the exception's constructor wants."""

    rebuilt: bytes | None
    text: str
    where: str

    @classmethod
    def of(cls, error: Exception) -> Failure:
        """The parts of an exception, and its traceback as text."""
        try:
            rebuilt = pickle.dumps((type(error), error.args, vars(error)))
            cls._exception(rebuilt)
        except Exception:
            rebuilt = None
        return cls(rebuilt, f"{type(error).__name__}: {error}", "".join(traceback.format_exception(error)))

    @staticmethod
    def _exception(rebuilt: bytes) -> Exception:
        kind, arguments, attributes = pickle.loads(rebuilt)
        error = kind.__new__(kind, *arguments)
        vars(error).update(attributes)
        return error

    def exception(self) -> Exception:
        """The exception again, with the traceback of the other process as a note."""
        try:
            error = RuntimeError(self.text) if self.rebuilt is None else self._exception(self.rebuilt)
        except Exception:
            error = RuntimeError(self.text)
        error.add_note(f"raised in another process:\n{self.where}")
        return error


def attempted(function: ChunkFunction, task: Any, first: int, stop: int) -> Any:
    """The result of one chunk in another process, or the `Failure` in its place."""
    try:
        return alone(function, task, first, stop)
    except Exception as error:
        return Failure.of(error)


def unwrapped(result: Any) -> Any:
    """What `attempted` gave, or its exception raised."""
    if isinstance(result, Failure):
        raise result.exception()
    return result


def in_order(
    submit: Callable[[int, int], Future[Any]], chunks: Iterable[Chunk], ahead: int
) -> Generator[Any, None, None]:
    """The results of futures in the order of their chunks, with at most `ahead` of them submitted and not delivered.

    Parameters
    ----------
    submit
        Begins one chunk, given its first trial and the one after its last.
    """
    todo = iter(chunks)
    waiting: deque[Future[Any]] = deque()
    try:
        waiting.extend(submit(*chunk) for chunk in islice(todo, ahead))
        while waiting:
            result = waiting[0].result()
            waiting.popleft()
            waiting.extend(submit(*chunk) for chunk in islice(todo, 1))
            yield result
    finally:
        wait([future for future in waiting if not future.cancel()])
