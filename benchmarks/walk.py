"""Operating characteristics of the ketamine trial by simulation, and how long one and many trials take.

    python benchmarks/walk.py [--trials 10000] [--workers 2]

Each virtual trial has its patients drawn and is analysed by the protocol's own mixed model at every look, with all its
secondary endpoints and the estimates corrected for stopping.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import equipoise as eq


def wall(command: list[str], folder: str, repeats: int = 5) -> float:
    """Best of several wall times of a whole process, in seconds."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True, cwd=folder)
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--scenarios", default="no-effect,as-published,half-effect,later-trials")
    given = parser.parse_args()

    executable = str(Path(sys.executable).parent / "equipoise")
    with tempfile.TemporaryDirectory() as folder:
        print("whole processes, best of 5, seconds")
        print(f"  equipoise --help             {wall([executable, '--help'], folder):7.2f}")
        print(f"  equipoise design             {wall([executable, 'design', 'ptsd-ketamine'], folder):7.2f}")
        print(f"  equipoise run ptsd-ketamine  {wall([executable, 'run', 'ptsd-ketamine'], folder):7.2f}")

    protocol = eq.gallery("ptsd-ketamine")
    for scenario in given.scenarios.split(","):
        start = time.perf_counter()
        found = eq.simulate(protocol, scenario, given.trials, seed=1, workers=given.workers)
        seconds = time.perf_counter() - start
        print(f"\n{found}")
        rate = given.trials / seconds
        print(f"  {seconds:.1f} s, {rate:.0f} trials a second with {given.workers} workers")


if __name__ == "__main__":
    main()
