"""Time of one mixed-model fit with its coefficients, standard errors and degrees of freedom, warm.

Run: python benchmarks/mixed.py [--repetitions N] [--write FOLDER]

From arrays and from a formula, unstructured covariance unless said otherwise. With --write the data are left in FOLDER
for benchmarks/compare_r.R, which is run on them where R and its package mmrm are installed; otherwise R's times are
those measured once with R 4.2.2 and mmrm 0.3.18 on one core of the same kind of machine (None where not measured).
mmrm's own fev_data are read from the folder named by EQUIPOISE_SHARED.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from equipoise.mixed import fit_mmrm, mmrm

Array = NDArray[np.float64]

KINDS = ("satterthwaite", "kenward-roger")
RECORDED = {"fev_data": (34.0, 73.0), "500x6": (238.0, 676.0), "5000x8": (5918.0, None)}
FEV = {
    "RACE": ["Asian", "Black or African American", "White"],
    "SEX": ["Male", "Female"],
    "ARMCD": ["PBO", "TRT"],
    "AVISIT": ["VIS1", "VIS2", "VIS3", "VIS4"],
}
STRUCTURES = (
    "unstructured",
    "toeplitz-heterogeneous",
    "ante-dependence-heterogeneous",
    "ar1-heterogeneous",
    "compound-symmetry",
    "spatial-exponential",
)


@dataclass(frozen=True)
class Task:
    """One data set, as a formula with its data frame and, where it has one, as arrays."""

    name: str
    formula: str
    data: pl.DataFrame
    columns: dict[str, Any]
    arrays: tuple[Array, Array] | None = None


def simulated(
    rng: np.random.Generator, n_patients: int, n_visits: int, *, intermittent: float = 0.03, dropout: float = 0.05
) -> tuple[Array, Array]:
    """Outcome with correlation 0.7 between neighbouring visits, and visit, arm x visit, baseline x visit columns."""
    visit = np.arange(n_visits)
    root = np.linalg.cholesky(0.7 ** np.abs(visit[:, None] - visit))
    baseline = rng.normal(size=n_patients)
    outcome = rng.normal(size=(n_patients, n_visits)) @ root.T + 0.5 * baseline[:, None]
    outcome[rng.random(outcome.shape) < intermittent] = np.nan
    outcome[np.cumsum(rng.random(outcome.shape) < dropout, axis=1) > 0] = np.nan
    eye = np.tile(np.eye(n_visits), (n_patients, 1, 1))
    arm = np.arange(n_patients) % 2
    return outcome, np.concatenate([eye, arm[:, None, None] * eye, baseline[:, None, None] * eye], axis=2)


def long_frame(outcome: Array, design: Array) -> pl.DataFrame:
    """The arrays as one row a patient and visit, rows without outcome left out."""
    n_patients, n_visits = outcome.shape
    every = np.arange(n_visits)
    return pl.DataFrame(
        {
            "patient": np.repeat(np.arange(n_patients), n_visits),
            "visit": np.tile(every + 1, n_patients),
            "arm": np.repeat(np.where(np.arange(n_patients) % 2, "active", "control"), n_visits),
            "baseline": design[:, every, 2 * n_visits + every].ravel(),
            "outcome": outcome.ravel(),
        }
    ).filter(pl.col("outcome").is_not_nan())


def tasks() -> list[Task]:
    """The data sets timed."""
    rng = np.random.default_rng(1)
    found = []
    columns = {"subject": "patient", "visit": "visit", "reference": {"arm": "control"}}
    for n_patients, n_visits in ((40, 3), (200, 5), (500, 6), (5_000, 8)):
        arrays = simulated(rng, n_patients, n_visits)
        formula = "outcome ~ baseline * visit + arm * visit"
        found.append(Task(f"{n_patients}x{n_visits}", formula, long_frame(*arrays), columns, arrays))
    folder = os.environ.get("EQUIPOISE_SHARED")
    if folder:
        data = pl.read_csv(Path(folder) / "reference/data/fev.csv")
        formula = "FEV1 ~ RACE + SEX + ARMCD * AVISIT"
        found.insert(1, Task("fev_data", formula, data, {"subject": "USUBJID", "visit": "AVISIT", "levels": FEV}))
    return found


def milliseconds(run: Callable[[], Any], repetitions: int) -> float:
    """Median time of a call, after one that is not counted."""
    run()
    taken = []
    for _ in range(repetitions):
        start = time.perf_counter()
        run()
        taken.append(time.perf_counter() - start)
    return 1e3 * statistics.median(taken)


def by_r(folder: Path) -> dict[tuple[str, str], float]:
    """R's times on the data in a folder; nothing where R or mmrm is not installed."""
    script = Path(__file__).with_name("compare_r.R")
    if shutil.which("Rscript") is None:
        return {}
    ran = subprocess.run(["Rscript", str(script), str(folder)], capture_output=True, text=True, check=False)
    if ran.returncode:
        return {}
    rows = (line.split(",") for line in ran.stdout.splitlines())
    return {(task, kind): float(value) for task, kind, value in rows}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=15)
    parser.add_argument("--write", type=Path)
    given = parser.parse_args()

    chosen = tasks()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.write or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for task in chosen:
            if task.arrays is not None:
                task.data.write_csv(folder / f"fit_{task.name}.csv")
        trials = [long_frame(*simulated(np.random.default_rng(i), 200, 5)) for i in range(50)]
        pl.concat([one.with_columns(trial=pl.lit(i)) for i, one in enumerate(trials)]).write_csv(folder / "trials.csv")
        theirs = by_r(folder)
    print("R's times: " + ("measured now" if theirs else "recorded"))

    heads = (
        f"{'data':<12}{'df':<16}{'columns':>8}{'arrays ms':>11}{'formula ms':>12}{'R mmrm ms':>11}{'R / formula':>13}"
    )
    print(heads)
    for task in chosen:
        for index, kind in enumerate(KINDS):
            options: dict[str, Any] = {"degrees_of_freedom": kind}
            shown = "-"
            if task.arrays is not None:
                outcome, design = task.arrays
                once = milliseconds(lambda: fit_mmrm(outcome, design, **options).p_values, given.repetitions)  # noqa: B023
                shown = f"{once:.2f}"
            ours = milliseconds(
                lambda: mmrm(task.formula, task.data, **task.columns, **options).p_values,  # noqa: B023
                given.repetitions,
            )
            size = len(mmrm(task.formula, task.data, **task.columns).names)
            r = theirs.get((task.name, kind), RECORDED.get(task.name, (None, None))[index])
            ratio = "-" if r is None else f"{r / ours:.1f}"
            r_shown = "-" if r is None else f"{r:.0f}"
            print(f"{task.name:<12}{kind:<16}{size:>8}{shown:>11}{ours:>12.2f}{r_shown:>11}{ratio:>13}")

    print(f"\n{'structure, 500x6, arrays':<32}{'parameters':>12}{'iterations':>12}{'ms':>8}")
    outcome, design = next(task.arrays for task in chosen if task.name == "500x6" and task.arrays is not None)
    times = np.arange(6.0)
    own = times + np.random.default_rng(2).uniform(-0.3, 0.3, outcome.shape)
    for name, when in [*((name, times) for name in STRUCTURES), ("spatial-exponential", own)]:
        fit = fit_mmrm(outcome, design, covariance=name, times=when)  # type: ignore[arg-type]
        once = milliseconds(
            lambda: fit_mmrm(outcome, design, covariance=name, times=when).p_values,  # type: ignore[arg-type]  # noqa: B023
            given.repetitions,
        )
        label = name + (", own times" if when.ndim == 2 else "")
        print(f"{label:<32}{fit.n_covariance_parameters:>12}{fit.iterations:>12}{once:>8.1f}")


if __name__ == "__main__":
    main()
