"""Chunk functions for the tests of engines, which other processes import."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from equipoise import InputError
from equipoise.threads import available_threads


class Unpicklable(Exception):
    """Cannot be sent to another process."""

    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")
        self.handle = lambda: None


def numbers(task: dict[str, Any], first: int, stop: int) -> np.ndarray:
    """Random numbers of a chunk, worked on so that rounding shows; a place in `folder` tells who did what."""
    mark = Path(task["folder"], f"{first}.{os.getpid()}") if "folder" in task else None
    if mark:
        mark.with_suffix(mark.suffix + ".begun").touch()
    time.sleep(task.get("pause", 0.0))
    drawn = np.random.Generator(np.random.Philox(key=task["seed"], counter=[0, 0, 0, first])).normal(
        size=(stop - first, 40, 4)
    )
    found = np.linalg.slogdet(np.einsum("tpv,tpw->tvw", drawn, drawn))[1] + np.exp(drawn).mean(axis=(1, 2))
    if mark:
        mark.with_suffix(mark.suffix + ".done").touch()
    return found


def threads_seen(task: Any, first: int, stop: int) -> int:
    return available_threads()


def process_seen(task: Any, first: int, stop: int) -> tuple[int, str | None]:
    return os.getpid(), os.environ.get("OPENBLAS_NUM_THREADS")


def refusing(task: str, first: int, stop: int) -> int:
    """Fails from trial 20 on, in the manner of the task."""
    if first < 20:
        return first
    if task == "input":
        raise InputError("dropout", 2.0, "a share")
    if task == "unpicklable":
        raise Unpicklable("this", "that")
    if task == "dies":
        os._exit(1)
    raise ZeroDivisionError("too few patients")
