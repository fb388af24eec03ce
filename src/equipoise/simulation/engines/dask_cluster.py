"""A Dask cluster that runs already, on whatever machines."""

from __future__ import annotations

import asyncio
import json
import math
import pickle
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from itertools import islice, takewhile
from pathlib import Path
from typing import Any
from uuid import uuid4

from ...errors import InputError
from ..memory import keep_freed_memory
from .engine import Chunk, ChunkFunction, Engine, attempted, trials_named, unwrapped

__all__ = ["DaskCluster"]

_SAME = ("equipoise", "numpy", "numba")


@dataclass
class DaskCluster(Engine):
    """The workers of a Dask scheduler, one chunk a thread of theirs.

    What the chunks have in common goes to the scheduler once, as a task of its own: workers fetch it from each other,
    and it is made again if all that have it die. Chunks of a worker that dies are given to others, as often as the
    scheduler's setting `distributed.scheduler.allowed-failures` says (3). Workers keep freed memory, see
    `keep_freed_memory`.

    Attributes
    ----------
    name
        As the user named the engine.
    address
        The scheduler's, "tcp://..." or "tls://...".
    scheduler_file
        Where the scheduler wrote how to reach it, instead.
    connection_seconds
        How long the scheduler may take to answer.
    patience
        Seconds without a single worker before giving up; workers may join and leave at any time.

    Raises
    ------
    InputError
        Where Dask is not installed; from `map`, where no scheduler answers, no worker comes, or a worker has another
        version of equipoise, NumPy or numba.
    RuntimeError
        From `map`, where the connection is lost, or a chunk's workers die one after the other.
    """

    name: str
    address: str | None = None
    scheduler_file: str | None = None
    connection_seconds: float = 10.0
    patience: float = 600.0
    _client: Any = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        if find_spec("distributed") is None:
            raise InputError("engine", self.name, "Dask to be installed for it: pip install 'equipoise[distributed]'")

    def map(self, function: ChunkFunction, task: Any, chunks: Iterable[Chunk]) -> Generator[Any, None, None]:
        client = self._connected()
        run, todo = uuid4().hex, iter(chunks)
        common = client.submit(pickle.loads, pickle.dumps((function, task)), key=f"equipoise-task-{run}", pure=False)
        waiting: deque[tuple[Chunk, Any]] = deque()
        arrived: deque[Any] = deque()
        room = _Room(client)
        try:
            while True:
                for chunk in islice(todo, max(0, room.now() - len(waiting) - len(arrived))):
                    key = f"equipoise-chunk-{run}-{chunk[0]}"
                    with self._naming(chunk):
                        future = client.submit(_chunk, common, _versions(), *chunk, key=key, pure=False)
                    waiting.append((chunk, future))
                if not arrived:
                    if not waiting:
                        return
                    arrived.extend(self._next(client, waiting))
                yield unwrapped(arrived.popleft())
        finally:
            if client.status == "running":
                with suppress(Exception, asyncio.CancelledError):
                    client.cancel([future for _, future in waiting])
            waiting.clear()

    def begin(self) -> None:
        """Reach the scheduler."""
        self._connected()

    def close(self) -> None:
        """Leave the cluster; it goes on running."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _connected(self) -> Any:
        if self._client is not None and self._client.status == "running":
            return self._client
        from distributed import Client

        self.close()
        try:
            address = self.address or _address_in(self.scheduler_file, self.connection_seconds)
            with ThreadPoolExecutor(1) as pool:
                pool.submit(asyncio.run, _greet(address, self.connection_seconds)).result()
            self._client = Client(address, timeout=self.connection_seconds, set_as_default=False, name="equipoise")
        except Exception as error:
            problem = (str(error).splitlines() or [""])[0] or type(error).__name__
            wanted = f"a Dask scheduler that answers there within {self.connection_seconds:g} seconds ({problem})"
            if isinstance(error, TypeError | ValueError | RuntimeError) and self.name.startswith("tls://"):
                wanted = f"certificates for it in Dask's configuration, distributed.comm.tls ({problem})"
            raise InputError("engine", self.name, wanted) from None
        self._check_versions(self._client)
        return self._client

    def _check_versions(self, client: Any) -> None:
        ours = dict(zip(_SAME, _versions(), strict=True))
        for worker, found in client.get_versions(packages=list(_SAME))["workers"].items():
            theirs = found["packages"]
            for package, version in ours.items():
                if theirs.get(package) != version:
                    has = f"has {theirs[package]}" if theirs.get(package) else "has none"
                    self.close()
                    raise InputError("engine", self.name, f"{package} {version} on every worker, but {worker} {has}")

    def _next(self, client: Any, waiting: deque[tuple[Chunk, Any]]) -> list[Any]:
        """The results of the first chunk and of those after it that are done too, taken from `waiting`."""
        first, head = waiting[0]
        alive = time.monotonic()
        while head.status in ("pending", "lost"):
            try:
                with self._naming(first):
                    head.exception(timeout=2)
            except TimeoutError:
                for chunk, future in waiting:
                    if future.status == "error":
                        self._look_at(chunk, future)
                if _threads(client):
                    alive = time.monotonic()
                elif time.monotonic() - alive > self.patience:
                    wanted = f"a Dask scheduler with workers, but none was there for {self.patience:g} seconds"
                    raise InputError("engine", self.name, wanted) from None
        done = [future for _, future in takewhile(lambda item: item[1].status == "finished", waiting)]
        if not done:
            self._look_at(first, head)
        with self._naming(first):
            results = client.gather(done)
        for _ in results:
            waiting.popleft()
        return results

    def _look_at(self, chunk: Chunk, future: Any) -> None:
        """Raise what went wrong with a chunk that the cluster, not the function, failed."""
        with self._naming(chunk):
            raise future.exception(timeout=2) or ConnectionError("the scheduler is gone")

    @contextmanager
    def _naming(self, chunk: Chunk) -> Iterator[None]:
        """Dask's own failures, which are of many kinds, become one that says at which chunk; a TimeoutError passes."""
        try:
            yield
        except TimeoutError:
            raise
        except (Exception, asyncio.CancelledError) as error:
            problem = ", ".join((type(error).__name__, *str(error).splitlines()[:1]))
            raise RuntimeError(f"{self.name} did not compute {trials_named(*chunk)}: {problem}") from error


def _address_in(scheduler_file: str | None, seconds: float) -> str:
    """The address in a scheduler's file, which may still be about to be written."""
    until = time.monotonic() + seconds
    while True:
        try:
            return json.loads(Path(scheduler_file or "").read_text())["address"]
        except (OSError, ValueError):
            if time.monotonic() > until:
                raise
            time.sleep(0.1)


async def _greet(address: str, seconds: float) -> None:
    """Exchange the first words; what does not speak Dask's language would keep a client waiting for ever."""
    from distributed import Security
    from distributed.comm.core import connect

    arguments = Security().get_connection_args("client")
    async with asyncio.timeout(seconds):
        comm = await connect(address, timeout=seconds, **arguments)
        await comm.close()


class _Room:
    """How many chunks may be under way or wait to be taken: enough that no thread of the workers is idle."""

    def __init__(self, client: Any) -> None:
        self._client, self._asked, self._room = client, -math.inf, 0

    def now(self) -> int:
        if time.monotonic() - self._asked > 2:
            self._room = max(4, 3 * _threads(self._client))
            self._asked = time.monotonic()
        return self._room


def _threads(client: Any) -> int:
    """Of all workers; 0 where the scheduler cannot be asked."""
    try:
        return sum(client.nthreads().values()) if client.status == "running" else 0
    except (Exception, asyncio.CancelledError):
        return 0


@cache
def _versions() -> tuple[str, ...]:
    """Of the packages that must be the same everywhere."""
    from importlib import import_module

    return tuple(import_module(name).__version__ for name in _SAME)


def _chunk(common: tuple[ChunkFunction, Any], versions: tuple[str, ...], first: int, stop: int) -> Any:
    keep_freed_memory()
    function, task = common
    return attempted(_same_versions, (function, task, versions), first, stop)


def _same_versions(given: tuple[ChunkFunction, Any, tuple[str, ...]], first: int, stop: int) -> Any:
    """Of a worker that joined later, too."""
    function, task, versions = given
    for name, wanted, found in zip(_SAME, versions, _versions(), strict=True):
        if wanted != found:
            raise InputError("engine", f"{name} {found} on a worker", f"{name} {wanted}, as where the results go")
    return function(task, first, stop)
