"""Virtual trials a second: one table of where the time goes, how it grows, and what others need.

Run: python benchmarks/simulate.py [--largest N] [--repeats N] [--only PART ...]
     python benchmarks/simulate.py --export FOLDER     data for Rscript benchmarks/simulate_r.R mmrm FOLDER

Trials of the ketamine protocol and of benchmarks/protocols, as `equipoise.simulate` runs them. Times are the best of
several runs; on one core the engine is "serial", on all "cores". Figures of other programs are quoted as they were
measured before, and so marked, unless given by an option or measured in this run: rpact where Rscript finds it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

import equipoise as eq
from equipoise.patients import Draws
from equipoise.protocol import Protocol
from equipoise.simulation.virtual import draw_cohort
from equipoise.threads import available_threads
from equipoise.trial import walk_many
from simulate_split import floor, microseconds, protocol_named, split, task_of

Row = tuple[str, str, str]

# A fit of R's mmrm (0.3.18, R 4.2.2), seconds; rpact's and simtrial's simulations, microseconds a trial.
QUOTED_FIT = 0.075
QUOTED = {
    "survival": (("rpact", 170.0), ("simtrial", 19_000.0)),
    "means": (("rpact", 9.0),),
    "rates": (("rpact", 19.0),),
}
AIMS = {"ptsd-ketamine": 20_000, "phase-three": 3_000}
PATIENTS = (20, 40, 80, 160, 320)
MEMORY = """
import resource, sys, equipoise
equipoise.simulate(equipoise.gallery("ptsd-ketamine"), trials=int(sys.argv[1]), secondary=False, folder=sys.argv[2])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def count(per_trial: float, seconds: float, fewest: int = 1000) -> int:
    """Trials that take about so long."""
    return int(np.clip(1e6 * seconds / per_trial, fewest, 10**6))


def speed(repeats: int, r_seconds: dict[str, float]) -> Iterator[Row]:
    """Rates of the protocols with a mixed model, and where the time of a trial goes."""
    cores = available_threads()
    for name, secondary in (("ptsd-ketamine", False), ("ptsd-ketamine", True), ("phase-three", False)):
        protocol = protocol_named(name)
        what = name + (", all endpoints" if secondary else ", primary")
        rough = microseconds(protocol, 2000, 2, secondary=secondary)
        trials = count(rough, 6.0)
        alone = split(protocol, trials, repeats, secondary=secondary)
        together = microseconds(protocol, cores * trials, repeats, "cores", secondary=secondary)
        aim = f"aim {AIMS[name]:,} on 2 cores" if not secondary else ""
        beside = f"{alone.total:.1f} us a trial, {alone.processor:.1f} of processor time"
        yield f"{what}: trials a second, one core", f"{1e6 / alone.total:,.0f}", beside
        yield f"  {cores} cores", f"{1e6 / together:,.0f}", aim
        for part, spent in (*alone.parts.items(), ("deciding", alone.deciding)):
            yield f"  {part}, us a trial on one core", f"{spent:.1f}", f"{spent / alone.total:.0%}"
        numbers = floor(protocol, repeats, secondary)
        yield "  random numbers alone, us", f"{numbers:.1f}", f"{alone.total / numbers:.1f} times that in all"
        if not secondary:
            yield r_ratio(name, protocol, together, r_seconds)


def r_ratio(name: str, protocol: Protocol, per_trial: float, r_seconds: dict[str, float]) -> Row:
    """Against a loop of R's mmrm over the same trials' looks."""
    if name in r_seconds:
        seconds, source = r_seconds[name], "measured, given"
    else:
        rows = eq.simulate(protocol, trials=1000, secondary=False, corrected=False).rows
        looks = rows.looks["look"].size / len(rows) if rows else 1.0
        seconds, source = QUOTED_FIT * looks, f"quoted: {1000 * QUOTED_FIT:.0f} ms a fit, {looks:.2f} looks a trial"
    return "  times a loop of R's mmrm", f"{1e6 * seconds / per_trial:,.0f}", f"aim 500; {source}"


def linear(largest: int, repeats: int) -> Iterator[Row]:
    """Seconds by trials and by patients."""
    protocol = protocol_named("ptsd-ketamine")
    trials = 1000
    while trials <= largest:
        spent = microseconds(protocol, trials, repeats if trials < 10**5 else 1, "cores", secondary=False)
        yield f"ptsd-ketamine, {trials:,} trials: seconds", f"{spent * trials / 1e6:.2f}", f"{spent:.1f} us a trial"
        trials *= 10
    for patients in PATIENTS:
        sized = resized(protocol, patients)
        spent = microseconds(sized, 400_000 // patients, repeats, secondary=False)
        per_patient = f"{spent / patients:.2f} us a patient"
        yield f"ptsd-ketamine of {patients} patients: us a trial, one core", f"{spent:.1f}", per_patient


def resized(protocol: Protocol, patients: int) -> Protocol:
    """The same trial with other numbers of patients, its looks at the same fractions."""
    table = protocol.model_dump(exclude_unset=True)
    table["sample_size"] = {"scenario": protocol.sample_size.scenario, "patients": patients}
    stopping = {key: value for key, value in table["stopping"].items() if key != "patients"}
    table["stopping"] = stopping | {"fractions": [0.75, 1.0]}
    return Protocol.model_validate(table)


def memory(largest: int, _: int) -> Iterator[Row]:
    """Peak of a process of its own that writes the rows of all trials."""
    for trials in (10**5, 10**6):
        if trials > largest:
            continue
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-c", MEMORY, str(trials), f"{folder}/results"]
            found = subprocess.run(command, check=True, capture_output=True, text=True)
        yield f"peak memory of {trials:,} trials with a folder, MiB", f"{float(found.stdout):,.0f}", "aim 1,024"


def simple(repeats: int) -> Iterator[Row]:
    """Endpoints with closed forms beside other programs."""
    cores, measured = available_threads(), rpact()
    for name in QUOTED:
        protocol = protocol_named(name)
        times = {}
        for corrected in (False, True):
            options: dict[str, Any] = {"corrected": corrected}
            trials = count(microseconds(protocol, 4000, 2, **options), 1.0)
            times[corrected] = (
                microseconds(protocol, trials, repeats, **options),
                microseconds(protocol, cores * trials, repeats, "cores", **options),
            )
        alone, together = times[False]
        numbers = floor(protocol, repeats)
        yield f"{name}: us a trial, one core", f"{alone:.1f}", f"{alone / numbers:.1f} times its random numbers alone"
        others = [(program, figure, "quoted") for program, figure in QUOTED[name]]
        others += [("rpact", measured[name], "this run, one core")] if name in measured else []
        for program, figure, source in others:
            beside = f"{program} {figure:,.0f} ({source}): {figure / together:,.1f} times"
            yield f"  {cores} cores", f"{together:.1f}", beside
        yield "  with corrected estimates, one core and all", f"{times[True][0]:.1f}, {times[True][1]:.1f}", ""
        parts = split(protocol, count(alone, 1.0), repeats, corrected=False)
        words = ", ".join(f"{part} {spent:.1f}" for part, spent in parts.parts.items())
        yield (
            "  by part, one core",
            f"{parts.total:.1f}",
            f"{words}, deciding {parts.deciding:.1f}; {parts.processor:.1f} of processor time",
        )


def rpact() -> dict[str, float]:
    """Microseconds a trial of rpact's simulations of the same designs, where R has it."""
    if not shutil.which("Rscript"):
        return {}
    script = Path(__file__).with_name("simulate_r.R")
    found = subprocess.run(["Rscript", str(script), "rpact"], check=False, capture_output=True, text=True)
    rows = [line.split(",") for line in found.stdout.splitlines() if found.returncode == 0]
    return {row[0]: float(row[1]) for row in rows if row[0] in QUOTED}


def start_up(repeats: int) -> Iterator[Row]:
    """Seconds of the command from a cold process."""
    for words, aim in (("warm", 4), ("cold", 15)):
        best = np.inf
        for _ in range(repeats if words == "warm" else 1):
            with tempfile.TemporaryDirectory() as folder:
                environment = dict(os.environ)
                if words == "cold":
                    environment["NUMBA_CACHE_DIR"] = f"{folder}/numba"
                command = [sys.executable, "-m", "equipoise", "simulate", "ptsd-ketamine", "--trials", "1000"]
                before = perf_counter()
                subprocess.run([*command, "--out", f"{folder}/out"], check=True, capture_output=True, env=environment)
                best = min(best, perf_counter() - before)
        yield f"equipoise simulate, 1,000 trials, numba's cache {words}: seconds", f"{best:.1f}", f"aim {aim}"


def export(folder: Path, trials: int) -> None:
    """A CSV for R a protocol: one row a patient's visit that was seen, of every look that was taken."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in AIMS:
        task = task_of(protocol_named(name))
        protocol, planned = task.plan.protocol, task.plan
        cohort = draw_cohort(
            protocol, task.truth, Draws.of(1, task.stream, np.arange(trials)), planned.patients, [protocol.primary]
        )
        modelled = protocol.analysis.visits or protocol.visit_names[1:]
        lines = ["trial,look,patient,arm,visit,baseline,change"]
        for look in walk_many(planned, cohort, task.bounds):
            for visit in modelled:
                score = look.batch.at(visit)
                for row, patient in zip(*np.nonzero(~np.isnan(score) & (look.batch.arm >= 0)), strict=True):
                    before = look.batch.baseline[row, patient]
                    place = f"{look.rows[row]},{look.number},{patient},{look.batch.arm[row, patient]},{visit}"
                    lines.append(f"{place},{before:g},{score[row, patient] - before:g}")
        (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--largest", type=int, default=10**5, help="most trials of one run")
    parser.add_argument("--repeats", type=int, default=5, help="runs of which the best counts")
    parser.add_argument("--export", type=Path, help="write data for R here and end")
    parser.add_argument("--export-trials", type=int, default=20)
    parser.add_argument(
        "--r-seconds-per-trial",
        nargs="*",
        default=[],
        metavar="PROTOCOL=SECONDS",
        help="as simulate_r.R measured them: ptsd-ketamine=0.15 phase-three=2.1",
    )
    given: dict[str, Callable[[argparse.Namespace], Iterator[Row]]] = {
        "speed": lambda told: speed(told.repeats, seconds_of(told.r_seconds_per_trial)),
        "linear": lambda told: linear(told.largest, told.repeats),
        "memory": lambda told: memory(told.largest, told.repeats),
        "simple": lambda told: simple(told.repeats),
        "start-up": lambda told: start_up(told.repeats),
    }
    parser.add_argument("--only", nargs="*", choices=list(given), default=list(given))
    told = parser.parse_args()
    if told.export:
        export(told.export, told.export_trials)
        return
    table = Table(title=f"Virtual trials, {date.today()}, {available_threads()} cores", title_justify="left")
    for name, justify in (("what", "left"), ("measured", "right"), ("beside it", "left")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    before = load()
    for part in told.only:
        for row in given[part](told):
            print("\t".join(row), file=sys.stderr, flush=True)
            table.add_row(*row)
        table.add_section()
    console = Console(width=130)
    console.print(table)
    console.print(f"Load of the machine before {before}, after {load()} (a minute's mean of runnable threads).")


def seconds_of(texts: list[str]) -> dict[str, float]:
    """PROTOCOL=SECONDS as numbers."""
    return {name: float(seconds) for name, seconds in (text.split("=") for text in texts)}


def load() -> str:
    return f"{os.getloadavg()[0]:.1f}"


if __name__ == "__main__":
    main()
