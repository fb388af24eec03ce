"""Time and error of group-sequential designs. Run: python benchmarks/sequential.py

Times are medians of warm calls on one thread; compare them as ratios within a run.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from time import perf_counter

import numpy as np
from rich.console import Console
from rich.table import Table

import equipoise as eq
from equipoise.sequential import MaximumLikelihood, Region
from equipoise.sequential.integration import DEFAULT_GRID, Grid

FIRST = "import equipoise as eq; d = eq.GroupSequential((0.75, 1.0)); d.efficacy_bounds"
CONCLUDE = FIRST + "; d.conclude(eq.Estimate(2.2, 1.0), look=2)"


def milliseconds(function: Callable[[], object], repeats: int) -> float:
    """Median time of a call after one to warm up, in milliseconds."""
    function()
    times = []
    for _ in range(repeats):
        before = perf_counter()
        function()
        times.append(perf_counter() - before)
    return 1e3 * float(np.median(times))


def fresh(program: str) -> float:
    """Best time of five of a program in a process of its own, in milliseconds."""
    times = []
    for _ in range(5):
        before = perf_counter()
        subprocess.run([sys.executable, "-c", program], check=True)
        times.append(perf_counter() - before)
    return 1e3 * min(times)


def even(looks: int) -> tuple[float, ...]:
    """Equally spaced information fractions."""
    return tuple(np.arange(1, looks + 1) / looks)


def designs() -> Table:
    """Bounds of each kind of rule, then bounds with non-binding futility and the power over them."""
    table = Table("design", *(f"{looks} looks, ms" for looks in (2, 5, 10, 50)), title="Bounds")
    beta = {"beta": 0.1, "futility": eq.HwangShihDeCaniSpending(-2)}
    kinds = {
        "spending, one-sided": {"alpha": 0.025, "sided": 1},
        "spending, two-sided": {"alpha": 0.05, "sided": 2},
        "classical Pocock, two-sided": {"alpha": 0.05, "sided": 2, "efficacy": eq.Pocock()},
        "spending, non-binding spending futility": {"alpha": 0.025, "sided": 1, **beta},
        "spending, binding spending futility": {"alpha": 0.025, "sided": 1, **beta, "binding": True},
        "two-sided with a futility wedge": {"alpha": 0.05, "sided": 2, **beta},
        "futility at conditional power 0.1": {
            "alpha": 0.025,
            "sided": 1,
            "beta": 0.1,
            "futility": eq.FixedBounds((0.1,), "conditional power"),
        },
    }
    for name, given in kinds.items():
        cells = []
        for looks in (2, 5, 10, 50):
            repeats, times = 3 if looks == 50 else 15, even(looks)
            found = milliseconds(lambda t=times, g=given: eq.GroupSequential(t, **g).efficacy_bounds, repeats)
            cells.append(f"{found:.2f}")
        table.add_row(name, *cells)

    def with_power(times: tuple[float, ...]) -> float:
        design = eq.GroupSequential(times, 0.025, 1, **beta)
        return design.power(design.drift)

    cells = [f"{milliseconds(lambda looks=looks: with_power(even(looks)), 5):.2f}" for looks in (2, 5, 10, 50)]
    table.add_row("non-binding futility, with its power", *cells)
    return table


def use() -> Table:
    """What is asked of a five-look design."""
    design = eq.GroupSequential(even(5), 0.05, 2, beta=0.1)
    futile = eq.GroupSequential(even(5), 0.025, 1, futility=eq.HwangShihDeCaniSpending(-2), beta=0.1)
    drifts = np.linspace(-3, 8, 10_000)
    paths = np.random.default_rng(1).normal(1.0, 1.0, (1_000_000, 5))
    estimate, small = eq.Estimate(2.6, 1.0), eq.Estimate(2.6, 1.0, 28.0)
    conclusion = design.conclude(estimate, look=4)
    observed = (0.22, 0.41, 0.58, 0.83)
    table = Table("five looks", "ms", title="A design in use")
    for name, call, repeats in (
        ("power at one drift", lambda: design.power(2.0), 50),
        ("power at 10,000 drifts", lambda: design.power(drifts), 5),
        ("stopping probabilities at 10,000 drifts, futility", lambda: futile.exit_probabilities(drifts), 5),
        ("decisions of 1,000,000 paths", lambda: design.decisions(paths), 5),
        ("decisions of 1,000,000 paths, futility", lambda: futile.decisions(paths), 5),
        ("monitor: all conditional and predictive powers", lambda: design.monitor(1.4, look=2).to_dict(), 20),
        ("conclude, stopped at look 4", lambda: design.conclude(estimate, look=4), 30),
        ("conclude, t with 28 df", lambda: design.conclude(small, look=4), 30),
        ("conclude at other information", lambda: design.conclude(estimate, look=4, information=observed), 30),
        ("every estimator with its interval", lambda: design.conclude(estimate, look=4).estimates(), 10),
        ("repeated p-value", lambda: type(conclusion).repeated_p_value.func(conclusion), 10),  # type: ignore[attr-defined]
        (
            "bias and error of the estimate, 5 drifts",
            lambda: design.estimator_properties(MaximumLikelihood(), np.arange(5.0)),
            5,
        ),
    ):
        table.add_row(name, f"{milliseconds(call, repeats):.2f}")
    return table


def cold() -> Table:
    """Whole processes, the interpreter's own start included."""
    table = Table("fresh process", "ms", title="First call")
    table.add_row("python alone", f"{fresh('pass'):.0f}")
    table.add_row("import numpy and scipy.special", f"{fresh('import numpy, scipy.special'):.0f}")
    table.add_row("import equipoise, two-look bounds", f"{fresh(FIRST):.0f}")
    table.add_row("the same and conclude", f"{fresh(CONCLUDE):.0f}")
    return table


def nodes(times: np.ndarray, grid: Grid) -> int:
    """Nodes at the widest look of an efficacy-only design, about."""
    kernel = np.sqrt(1 / (1 / np.diff(times, prepend=0)[:-1] + 1 / np.diff(times)))
    return int(max(np.ceil((grid.reach + 2) * np.sqrt(times[:-1]) / (grid.width * kernel))) * grid.order)


def errors() -> Table:
    """How the error of exit probabilities falls with the grid; cost grows as looks x nodes^2."""
    table = Table("grid", "nodes", "even looks", "nodes ", "uneven looks", title="Largest error, drifts -3 to 8")
    exact = Grid(32, 1.5, 11.0)
    few = np.linspace(-3, 8, 12)
    regions = []
    for times in (even(5), (0.03, 0.04, 0.5, 0.97, 1.0)):
        region: Region = eq.GroupSequential(times, 0.025, 1).region()
        regions.append((np.array(times), region, region.exit_probabilities(few, exact).upper))
    for order, width in ((4, 4.0), (8, 6.0), (8, 4.0), (12, 4.0), (16, 6.0), (16, 5.0), (16, 4.0), (20, 4.0)):
        grid, cells = Grid(order, width), []
        for times, region, truth in regions:
            error = np.abs(region.exit_probabilities(few, grid).upper - truth).max()
            cells += [str(nodes(times, grid)), f"{error:.1e}"]
        standard = ", the default" if order == DEFAULT_GRID.order and width == DEFAULT_GRID.width else ""
        table.add_row(f"{order} points a panel of {width:g} sd{standard}", *cells)
    return table


def main() -> None:
    """Print every table."""
    console = Console(width=100)
    for table in (designs(), use(), cold(), errors()):
        console.print(table)


if __name__ == "__main__":
    main()
