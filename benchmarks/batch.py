"""Mixed-model fits a second, many trials at once, against one by one. Run: python benchmarks/batch.py [seconds a cell]

Every fit gives one contrast with standard error and degrees of freedom, from raw outcomes. Floating-point operations
are counted from the algorithm (a multiply-add is two), with the mean number of iterations and the patterns of missing
visits of each group of eight trials; bytes are those that must come from memory once and go back. The peak of a core
is measured with independent fused multiply-adds on vectors of eight doubles.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from time import perf_counter
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from equipoise.mixed import fit_mmrm
from equipoise.mixed.batch import BatchFit, fit_batch
from equipoise.mixed.batch.lanes import LANES, fill, fma, store

Array = NDArray[np.float64]
KINDS = ("satterthwaite", "kenward-roger", "normal")
# Patients, visits; two arms, two covariates with one slope each; dropout before each visit.
SIZES = ((40, 3, 0.05), (200, 5, 0.032), (500, 6, 0.027))


def simulated(trials: int, n_patients: int, n_visits: int, dropout: float) -> tuple[Array, NDArray[np.int64], Array]:
    """About 15 % lost by the last visit, correlation 0.7 between neighbouring visits."""
    rng = np.random.default_rng(1)
    visit = np.arange(n_visits)
    root = np.linalg.cholesky(0.7 ** np.abs(visit[:, None] - visit))
    covariates = rng.normal([30.0, 0.0], [5.0, 1.0], (trials, n_patients, 2))
    outcome = rng.normal(size=(trials, n_patients, n_visits)) @ root.T + 0.1 * covariates.sum(axis=2)[..., None]
    outcome[np.cumsum(rng.random(outcome.shape) < dropout, axis=2) > 0] = np.nan
    return outcome, np.arange(n_patients) % 2, covariates


@numba.njit(nogil=True)
def _multiply_add(repeats: int, result: Array) -> None:
    a = b = c = d = e = f = g = h = fill(1.0)
    x, y = fill(0.999999), fill(1e-7)
    for _ in range(repeats):
        a, b, c, d = fma(a, x, y), fma(b, x, y), fma(c, x, y), fma(d, x, y)
        e, f, g, h = fma(e, x, y), fma(f, x, y), fma(g, x, y), fma(h, x, y)
    store(result, 0, a + b + c + d + e + f + g + h)


def peak() -> float:
    """Floating-point operations a second of one core."""
    result = np.zeros(LANES)
    _multiply_add(1, result)
    best = np.inf
    for _ in range(5):
        before = perf_counter()
        _multiply_add(1_000_000, result)
        best = min(best, perf_counter() - before)
    return 1e6 * 8 * LANES * 2 / best


def _factor(n: int) -> int:
    """Multiply-adds of a Cholesky factor."""
    return sum(j + (n - 1 - j) * (j + 1) for j in range(n))


def _inverse(n: int) -> int:
    """Of the inverse of the factor and its product with itself."""
    return sum(i - j + 1 for i in range(n) for j in range(i)) + sum((i + 1) * (n - i) for i in range(n))


def _sandwich(n: int) -> int:
    return n**3 + n * n * (n + 1) // 2


def operations(sizes: list[int], patients: int, n_visits: int, iterations: float, kind: str) -> float:
    """Of one fit with two arms and two common covariates; `sizes` are the visits seen in each pattern."""
    q, s = 2, 2
    r, p, pairs = q + s, q * n_visits + s, n_visits * (n_visits + 1) // 2
    width = 1 + s + n_visits
    triangle = [t * (t + 1) // 2 for t in sizes]
    products = patients * width * (width + 1) // 2
    whiten = sum(2 * r * r * (r + 1) // 2 + t * r * (r + 1) // 2 for t in sizes)
    normal = sum(
        t * t * (q * (q - 1) // 2 + q) + u * q + t * s * (q + 1) + s * (s + 1) // 2
        for t, u in zip(sizes, triangle, strict=True)
    )
    solve = _factor(p) + _inverse(p) + p * p
    moments = sum(t * r * r + 2 * u * r for t, u in zip(sizes, triangle, strict=True))
    spread = sum(u * r * r for u in triangle)
    weights = sum(_factor(t) + _inverse(t) for t in sizes) + _factor(n_visits)
    evaluate = weights + normal + solve + moments + spread + sum(2 * _sandwich(t) for t in sizes)
    curvature = sum(u * (u + 1) + 3 * u for u in triangle) + 2 * pairs * (pairs + 1) // 2
    newton = _factor(pairs) + pairs * (pairs + 1)
    step = evaluate + curvature + newton + 3 * sum(triangle)
    total = products + whiten + normal + solve + moments + (iterations + 1) * step
    if kind != "normal":
        collect = sum(
            u * (t * t * 2 + t * (t + 1) // 2 * 2 + t * t + t * (2 * q + s * q + 2) + s * 5) + t * t * r
            for t, u in zip(sizes, triangle, strict=True)
        )
        congruence = pairs * (p * p * (p + 1) // 2 + sum((i + 1) * (i + 1) for i in range(p)) + p * (p + 1) // 2)
        traces = pairs * (pairs + 1) // 2 * (p * (p + 1) // 2 + p)
        contrast = p * p + pairs * (p * p + p) + pairs * (pairs + 1) + pairs * p + p * p
        total += curvature + moments + collect + congruence + traces + newton + contrast
    if kind == "kenward-roger":
        total += pairs * pairs * (pairs + 1) + pairs * p * (p + 1) // 2 + pairs * (pairs + 1) // 2 * p
        total += sum(t * r * r + t * t * r + 2 * t**3 + t**4 for t in sizes)
    return 2.0 * total


def rate(count: int, seconds: float, function: Callable[..., Any], *arguments: Any, **options: Any) -> float:
    """Fits a second, the best of the calls that fit into the time."""
    best, end = 0.0, perf_counter() + seconds
    while best == 0.0 or perf_counter() < end:
        before = perf_counter()
        function(*arguments, **options)
        best = max(best, count / (perf_counter() - before))
    return best


def one_by_one(outcome: Array, arm: NDArray[np.int64], covariates: Array, kind: Any) -> None:
    """The same by a loop over `fit_mmrm`."""
    n_patients, n_visits = outcome.shape[1:]
    eye = np.tile(np.eye(n_visits), (n_patients, 1, 1))
    contrast = np.zeros(2 * n_visits + 2)
    contrast[2 * n_visits - 1] = 1.0
    for y, z in zip(outcome, covariates, strict=True):
        common = np.broadcast_to(z[:, None, :], (n_patients, n_visits, 2))
        design = np.concatenate([eye, arm[:, None, None] * eye, common], axis=2)
        fit_mmrm(y, design, degrees_of_freedom=kind).estimate(contrast)


def main(seconds: float = 2.0) -> None:
    """Print the tables."""
    before = perf_counter()
    fit_batch(*simulated(8, 40, 3, 0.05))
    first_call = perf_counter() - before
    top = peak()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    table = Table(title="Fits a second")
    for name in ("patients x visits", "columns", "degrees of freedom", "one by one", "one core", f"{cores} cores"):
        table.add_column(name, justify="right")
    account = Table(title="What one fit costs")
    for name in ("patients x visits", "degrees of freedom", "iterations", "patterns", "kflop", "kB", "us", "Gflop/s"):
        account.add_column(name, justify="right")
    account.add_column(f"of {top / 1e9:.1f} peak", justify="right")
    for n_patients, n_visits, dropout in SIZES:
        count = max(512, 400_000 // n_patients)
        data = simulated(count, n_patients, n_visits, dropout)
        name = f"{n_patients} x {n_visits}"
        groups = (~np.isnan(data[0][: count // 8 * 8])).reshape(-1, 8 * n_patients, n_visits) @ (
            1 << np.arange(n_visits)
        )
        patterns = [np.unique(group[group > 0]) for group in groups]
        for kind in KINDS:
            options: dict[str, Any] = {"degrees_of_freedom": kind}
            fit: BatchFit = fit_batch(*data, **options)
            one = rate(count, seconds, fit_batch, *data, **options, threads=1)
            every = rate(count, seconds, fit_batch, *data, **options)
            few = [array[:100] if array.ndim == 3 else array for array in data]
            loop = rate(100, 0.0, one_by_one, *few, kind)
            table.add_row(name, str(2 * n_visits + 2), kind, f"{loop:,.0f}", f"{one:,.0f}", f"{every:,.0f}")
            iterations = fit.iterations.mean()
            flop = np.mean(
                [
                    operations([int(code).bit_count() for code in codes], n_patients, n_visits, iterations, kind)
                    for codes in patterns
                ]
            )
            kilobytes = 8e-3 * (n_patients * (n_visits + 2) + n_visits**2 + 2 * n_visits + 8)
            account.add_row(
                name,
                kind,
                f"{iterations:.1f}",
                f"{np.mean([len(codes) for codes in patterns]):.1f}",
                f"{flop / 1e3:.0f}",
                f"{kilobytes:.1f}",
                f"{1e6 / one:.1f}",
                f"{flop * one / 1e9:.1f}",
                f"{flop * one / top:.0%}",
            )
    console = Console(width=120)
    console.print(table)
    console.print(account)
    console.print(f"First call in this process {first_call:.1f} s, compiling included where not kept from before.")


if __name__ == "__main__":
    main(*(float(argument) for argument in sys.argv[1:2]))
