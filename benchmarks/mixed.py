"""Time of one mixed-model fit with one contrast, its standard error and degrees of freedom.

Run: python benchmarks/mixed.py [repetitions]
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from equipoise.mixed import fit_mmrm, mmrm

Array = NDArray[np.float64]

REFERENCE = Path(__file__).parent.parent / "tests/data/ours_trial_long.csv"
LEVELS = {"arm": ["midazolam", "ketamine"], "visit": ["day1", "week1", "week2", "week4", "week8"]}


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


def milliseconds(trials: list[tuple[Array, Array]], contrast: Array, kind: str) -> tuple[float, float]:
    """Mean time a fit, and mean number of iterations."""
    iterations = 0
    start = time.perf_counter()
    for outcome, design in trials:
        fit = fit_mmrm(outcome, design, degrees_of_freedom=kind)  # type: ignore[arg-type]
        fit.estimate(contrast)
        iterations += fit.iterations
    return (time.perf_counter() - start) / len(trials) * 1e3, iterations / len(trials)


def main(repetitions: int = 200) -> None:
    """Print the table."""
    rng = np.random.default_rng(1)
    print(f"{'data':<28}{'columns':>8}{'Satterthwaite ms':>18}{'Kenward-Roger ms':>18}{'iterations':>12}")

    def line(name: str, trials: list[tuple[Array, Array]], contrast: Array) -> None:
        milliseconds(trials[:1], contrast, "satterthwaite")
        first, iterations = milliseconds(trials, contrast, "satterthwaite")
        second, _ = milliseconds(trials, contrast, "kenward-roger")
        print(f"{name:<28}{contrast.size:>8}{first:>18.2f}{second:>18.2f}{iterations:>12.1f}")

    for n_patients, n_visits in ((40, 3), (500, 6), (5_000, 8)):
        count = max(3, int(repetitions * 40 / n_patients))
        drawn = [simulated(rng, n_patients, n_visits) for _ in range(count)]
        contrast = np.zeros(3 * n_visits)
        contrast[2 * n_visits - 1] = 1
        line(f"{n_patients} patients x {n_visits} visits", drawn, contrast)

    data = pl.read_csv(REFERENCE).with_columns(
        pl.col("visit").cast(pl.Enum(LEVELS["visit"])), pl.col("arm").cast(pl.Enum(LEVELS["arm"]))
    )
    visits, arms = data["visit"].to_physical().to_numpy(), data["arm"].to_physical().to_numpy()
    patients, patient = np.unique(data["patient"].to_numpy(), return_inverse=True)
    outcome = np.full((patients.size, 5), np.nan)
    outcome[patient, visits] = data["change"].to_numpy()
    eye = np.eye(5)[visits]
    rows = np.column_stack([eye, arms[:, None] * eye, data["baseline"].to_numpy()])
    design = np.zeros((patients.size, 5, rows.shape[1]))
    design[patient, visits] = rows
    line("150 x 5, reference data", [(outcome, design)] * max(3, repetitions // 4), np.eye(11)[9])

    formula = "change ~ baseline + site + arm * visit"
    count = max(3, repetitions // 20)
    start = time.perf_counter()
    for _ in range(count):
        fit = mmrm(formula, data, subject="patient", visit="visit")
        fit.contrast({"arm": ("ketamine", "midazolam")}, at={"visit": "week8"})
    elapsed = (time.perf_counter() - start) / count * 1e3
    print(f"{'150 x 5, from a formula':<28}{len(fit.names):>8}{elapsed:>18.2f}")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:2]))
