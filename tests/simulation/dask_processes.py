"""A real Dask cluster of processes of this machine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent


class LocalCluster:
    """A scheduler and workers of one thread each, started by Dask's own commands, ended on leaving."""

    def __init__(self, folder: Path, workers: int = 2) -> None:
        self._folder, self._log = folder, (folder / "cluster.log").open("wb")
        self._workers_asked = workers
        self._processes: list[subprocess.Popen] = []
        self.workers: list[subprocess.Popen] = []
        self.file = folder / "scheduler.json"

    def _start(self, *arguments: str) -> subprocess.Popen:
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")]),
            "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "3s",
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "dask", *arguments],
            cwd=self._folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
        )
        self._processes.append(process)
        return process

    def start_worker(self) -> subprocess.Popen:
        """One more worker; it may take seconds to join."""
        file = ("--scheduler-file", str(self.file))
        process = self._start(
            "worker",
            *file,
            "--nthreads",
            "1",
            "--no-nanny",
            "--no-dashboard",
            "--memory-limit",
            "0",
            "--local-directory",
            str(self._folder),
        )
        self.workers.append(process)
        return process

    def __enter__(self) -> LocalCluster:
        try:
            file = ("--scheduler-file", str(self.file))
            self._scheduler = self._start("scheduler", "--host", "127.0.0.1", "--port", "0", *file, "--no-dashboard")
            for _ in range(self._workers_asked):
                self.start_worker()
            self._await_workers()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _await_workers(self) -> None:
        from distributed import Client

        until = time.monotonic() + 30
        while not self.file.exists() or not self.file.read_text().strip():
            if time.monotonic() > until:
                raise TimeoutError(self.log)
            time.sleep(0.05)
        with Client(scheduler_file=str(self.file), timeout=20, set_as_default=False) as client:
            self.address = client.scheduler.address.removeprefix("tcp://")
            if self._workers_asked:
                client.wait_for_workers(self._workers_asked, timeout=30)

    @property
    def engine(self) -> str:
        """As `engine_named` takes it."""
        return f"dask://{self.address}"

    @property
    def log(self) -> str:
        """What the processes printed."""
        return (self._folder / "cluster.log").read_text(errors="replace")

    def kill(self, process: subprocess.Popen) -> None:
        """At once and without a word, as when a machine is lost."""
        os.kill(process.pid, signal.SIGKILL)
        process.wait(10)

    def kill_scheduler(self) -> None:
        self.kill(self._scheduler)

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._processes):
            if process.poll() is None:
                process.kill()
            process.wait(10)
        self._log.close()
