"""Steps that an interruption from the keyboard does not cut in two."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["interrupt_held"]


@contextmanager
def interrupt_held() -> Iterator[None]:
    """Inside, an interruption (Ctrl-C) waits; it comes when the block is left.

    Only the main thread is interrupted by the keyboard and may say what an interruption does; in another thread, and
    where something other than Python deals with it, nothing is done.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return
    came: list[tuple[int, Any]] = []
    signal.signal(signal.SIGINT, lambda number, frame: came.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if came:
            before(*came[-1])
