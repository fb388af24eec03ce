"""Many virtual trials of one scenario, each taken through its looks by the protocol's own analysis."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from ..checks import flag, instance, number, whole
from ..errors import InputError
from ..patients import Draws, Truth
from ..protocol import loaded
from ..trial import plan
from .characteristics import OperatingCharacteristics
from .chunk import Task, simulate_chunk
from .context import Context
from .engines import Engine, engine_named
from .interrupts import interrupt_held
from .memory import keep_freed_memory
from .rows import MOST_KEPT, ChunkRows
from .store import ResultsFolder, about_run
from .tally import Tally

if TYPE_CHECKING:
    from ..protocol import Protocol

__all__ = ["simulate"]


def simulate(
    protocol: Protocol,
    scenario: str | None = None,
    trials: int = 1000,
    seed: int = 1,
    engine: str | Engine = "cores",
    *,
    workers: int | None = None,
    secondary: bool | Sequence[str] = True,
    corrected: bool = True,
    precision: float | None = None,
    folder: str | Path | None = None,
    resume: bool = False,
    stream: str | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> OperatingCharacteristics:
    """Draw many virtual trials from a scenario and take each through its looks by the protocol's own analysis.

    Trials are drawn and analysed in chunks, as arrays; trial k is the one that `run(protocol, scenario, seed, trial=k)`
    draws, and the result is the same to the bit whatever the engine and the number of workers. Memory does not grow
    with the number of trials, but for the rows that up to 100,000 trials without a folder keep.

    On Linux with glibc the process keeps freed memory for itself from then on, some 64 MiB a thread, unless the
    environment sets MALLOC_TRIM_THRESHOLD_, MALLOC_MMAP_THRESHOLD_ or GLIBC_TUNABLES.

    Parameters
    ----------
    scenario
        The truth to draw from; by default the one the sample size assumes.
    trials
        How many.
    engine
        "serial" (this thread), "cores" (threads of this process), "processes", or an existing Dask scheduler as
        "dask://HOST:PORT"; or an `Engine`, which is left open.
    workers
        Threads or processes of this machine; one for each processor by default. Not with an `Engine`, which has its
        own.
    secondary
        Whether to estimate the secondary endpoints when a trial ends: all, none, or those named.
    corrected
        Whether to correct the primary estimate for the stopping.
    precision
        Stop once the Monte-Carlo standard error of the power is at most this, looked at after every chunk from 1,000
        trials on. That error counts two successes and two failures that were not seen (Agresti & Coull 1998, Am Stat
        52:119), so that a power of 0 or 1 in the first trials does not end the run.
    folder
        Where to write a row a trial a look and a row a trial as Parquet, and the operating characteristics as JSON. New
        or empty, or of a run that ended before it wrote a trial, unless `resume`.
    resume
        Go on with what `folder` holds, to the same final answer.
    stream
        Of the random numbers; the scenario's name by default. Runs that share it share their patients.
    on_progress
        Called with the number of trials done so far.

    Returns
    -------
    Operating characteristics; of the trials done so far where the run was interrupted (Ctrl-C), or was precise enough.
    They are of whole chunks of trials, the same ones that the folder holds.

    Raises
    ------
    InputError
        For an unknown scenario, endpoint or engine, numbers out of range, `workers` beside an `Engine`, or a folder
        that does not fit. No trial is written then, so that the folder can be taken by the next call.
    KeyboardInterrupt
        Where the run was interrupted before the first trials were done.
    """
    loaded(protocol)
    trials, corrected = whole("trials", trials), flag("corrected", corrected)
    if trials < 1:
        raise InputError("trials", trials, "a whole number from 1 on")
    if precision is not None and not 0 < number("precision", precision) < 0.5:
        raise InputError("precision", precision, "a standard error between 0 and 0.5")
    if resume and folder is None:
        raise InputError("folder", None, "the folder to go on from")
    scenario = scenario or protocol.sample_size.scenario
    stream = scenario if stream is None else instance("stream", stream, str, "a name")
    if folder is not None:
        instance("folder", folder, (str, PathLike), "the path of a folder")
    names = _secondaries(protocol, secondary)
    truth, planned = Truth.of(protocol, scenario), plan(protocol)
    context = Context.of(planned, truth, scenario, names)
    task = Task.of(planned, truth, context, seed, stream, names, corrected)
    seed = whole("seed", seed)
    Draws.of(seed, stream, [])
    own = not isinstance(engine, Engine)
    if workers is not None and not own:
        raise InputError("workers", workers, "none beside an engine that was made already, which has its own")
    running = engine_named(engine, workers) if own else engine
    store, tally = None, Tally(context)
    if folder is not None:
        about = about_run(context, seed, stream, secondary=list(names), corrected=corrected)
        if resume:
            store, tally = ResultsFolder.resume(folder, about, context, task.chunk, trials)
        else:
            store = ResultsFolder.create(folder, about, context, task.chunk, trials)
    kept: list[ChunkRows] | None = [] if store is None and trials <= MOST_KEPT else None

    def found(rows: ChunkRows | None = None) -> OperatingCharacteristics:
        path = None if store is None else store.path
        return OperatingCharacteristics(
            context, tally, seed, stream, trials, rows=rows, folder=path, precision=precision
        )

    if on_progress and tally.trials:
        on_progress(tally.trials)
    keep_freed_memory()
    chunks = [(first, min(first + task.chunk, trials)) for first in range(tally.trials, trials, task.chunk)]
    try:
        if chunks and not found().precise:
            with closing(running.map(simulate_chunk, task, chunks)) as results:
                for rows in results:
                    with interrupt_held():
                        grown = tally.with_(Tally.of(rows, context))
                        if store is not None:
                            store.add(rows)
                        tally = grown
                        if kept is not None:
                            kept.append(rows)
                    if on_progress:
                        on_progress(tally.trials)
                    if found().precise:
                        break
    except KeyboardInterrupt:
        if not tally.trials:
            raise
    finally:
        try:
            if own:
                running.close()
        finally:
            if store is not None:
                with interrupt_held():
                    store.flush()
    result = found(ChunkRows.concatenated(kept) if kept else None)
    if store is not None:
        with interrupt_held():
            store.finish(result)
    return result


def _secondaries(protocol: Protocol, asked: bool | Sequence[str]) -> tuple[str, ...]:
    """Names of the secondary endpoints to estimate; raises `InputError` for one that the protocol does not have."""
    names = tuple(item.name for item in protocol.endpoints if item.role != "primary")
    if isinstance(asked, bool):
        return names if asked else ()
    if isinstance(asked, str) or not isinstance(asked, Sequence):
        raise InputError("secondary", asked, "True, False, or a list of names of secondary endpoints")
    for name in asked:
        if name not in names:
            raise InputError("secondary", name, f"one of {', '.join(names) or 'none, as there are none'}")
    return tuple(name for name in names if name in asked)
