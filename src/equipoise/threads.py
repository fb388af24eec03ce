"""How many threads a computation may use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from .checks import whole
from .errors import InputError

__all__ = ["available_threads", "threads"]

_allowed: ContextVar[int | None] = ContextVar("equipoise_threads", default=None)


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Inside, computations that share their work between threads use this many.

    The limit holds for the thread (or asynchronous task) that sets it; a thread started inside begins without one.

    Raises
    ------
    InputError
        For anything but a whole number of at least 1.
    """
    expected = "a whole number of at least 1"
    if whole("threads", count, expected) < 1:
        raise InputError("threads", count, expected)
    before = _allowed.set(int(count))
    try:
        yield
    finally:
        _allowed.reset(before)


def available_threads() -> int:
    """The number set by `threads`, otherwise the processors this process may use."""
    allowed = _allowed.get()
    if allowed is not None:
        return allowed
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
