"""Engines by the names the command line gives them."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from ...checks import instance, whole
from ...errors import InputError
from ...threads import available_threads
from .cores import Cores
from .dask_cluster import DaskCluster
from .engine import Engine
from .processes import Processes
from .serial import Serial

__all__ = ["engine_named"]

_EXPECTED = (
    "'serial', 'cores', 'processes', or a Dask scheduler: 'dask://HOST:PORT', 'tls://HOST:PORT' or "
    "'dask+file:///PATH/scheduler.json'"
)


def engine_named(text: str, workers: int | None = None) -> Engine:
    """The engine of a name, not started yet; close it after use.

    Parameters
    ----------
    text
        "serial" (this thread), "cores" (threads of this process), "processes" (fresh processes of this machine), or a
        Dask scheduler: "dask://HOST:PORT" (or "tcp://HOST:PORT", as Dask itself says), "tls://HOST:PORT" (encrypted,
        certificates from Dask's own configuration) or "dask+file:///PATH" of the scheduler file that
        `dask scheduler --scheduler-file` writes.
    workers
        How many threads or processes; those available if None. Not for "serial", which is one, nor for a Dask cluster,
        which has its own.

    Raises
    ------
    InputError
        For any other name, a number of workers below 1 or where there is none to choose, or where Dask is not
        installed.
    """
    name = instance("engine", text, str, _EXPECTED)
    expected = "a whole number of at least 1"
    count = available_threads() if workers is None else whole("workers", workers, expected)
    if count < 1:
        raise InputError("workers", workers, expected)
    if name == "cores":
        return Cores(count)
    if name == "processes":
        return Processes(count)
    engine = Serial() if name == "serial" else _cluster(name)
    if workers is not None and not (name == "serial" and count == 1):
        one = "1, as the engine 'serial' is one thread" if name == "serial" else "none, as a Dask cluster has its own"
        raise InputError("workers", workers, one)
    return engine


def _cluster(name: str) -> DaskCluster:
    try:
        parts = urlsplit(name)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise InputError("engine", name, _EXPECTED) from None
    if parts.query or parts.fragment:
        raise InputError("engine", name, _EXPECTED)
    if parts.scheme == "dask+file" and not parts.netloc and parts.path.strip("/"):
        return DaskCluster(name, scheduler_file=unquote(parts.path))
    if parts.scheme in ("dask", "tcp", "tls") and host and port and parts.path in ("", "/") and "@" not in parts.netloc:
        protocol = "tls" if parts.scheme == "tls" else "tcp"
        return DaskCluster(name, address=f"{protocol}://{parts.netloc}")
    raise InputError("engine", name, _EXPECTED)
