"""Time and error of group-sequential designs. Run: python benchmarks/sequential.py"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

import numpy as np

from equipoise import Estimate
from equipoise.sequential import GroupSequential, HwangShihDeCaniSpending
from equipoise.sequential.integration import Grid, exit_probabilities


def milliseconds(function: Callable[[], object], repeats: int) -> float:
    """Median time of a call after one to warm up, in milliseconds."""
    function()
    times = []
    for _ in range(repeats):
        before = perf_counter()
        function()
        times.append(perf_counter() - before)
    return 1e3 * float(np.median(times))


def nodes(times: np.ndarray, grid: Grid) -> int:
    """Nodes at the widest look of an efficacy-only design, about."""
    kernel = np.sqrt(1 / (1 / np.diff(times, prepend=0)[:-1] + 1 / np.diff(times)))
    return int(max(np.ceil((grid.reach + 2) * np.sqrt(times[:-1]) / (grid.width * kernel))) * grid.order)


def main() -> None:
    """Print every measurement, one a line."""
    futility = {"sided": 1, "futility": HwangShihDeCaniSpending(-2), "beta": 0.1}
    for looks in (5, 10):
        times = np.arange(1, looks + 1) / looks
        plain = milliseconds(lambda times=times: GroupSequential(times, 0.025, 1).efficacy_bounds, 100)
        both = milliseconds(lambda times=times: GroupSequential(times, 0.05, 2).efficacy_bounds, 100)
        stopping = milliseconds(lambda times=times: GroupSequential(times, 0.025, **futility).futility_bounds, 30)
        binding = milliseconds(
            lambda times=times: GroupSequential(times, 0.025, binding=True, **futility).futility_bounds, 30
        )
        print(f"bounds, {looks:2d} looks, one-sided              {plain:8.2f} ms")
        print(f"bounds, {looks:2d} looks, two-sided              {both:8.2f} ms")
        print(f"bounds, {looks:2d} looks, non-binding futility   {stopping:8.2f} ms")
        print(f"bounds, {looks:2d} looks, binding futility       {binding:8.2f} ms")
    design = GroupSequential(np.arange(1, 6) / 5, 0.05, 2)
    drifts = np.linspace(-3, 8, 10_000)
    print(f"power on 10,000 drifts, 5 looks          {milliseconds(lambda: design.power(drifts), 5):8.2f} ms")
    estimate = Estimate(2.6, 1.0)
    concluding = milliseconds(lambda: design.conclude(estimate, look=4), 50)
    print(f"conclude, stopped at look 4 of 5         {concluding:8.2f} ms")

    print("\nlargest error of an exit probability, 5 looks, drifts -3 to 8, against order 32, width 1.5, reach 11")
    for name, times in (("even", np.arange(1, 6) / 5), ("uneven", np.array([0.03, 0.04, 0.5, 0.97, 1.0]))):
        upper, lower = GroupSequential(times, 0.025, 1).efficacy_bounds, np.full(5, -np.inf)
        few = np.linspace(-3, 8, 12)
        exact, _ = exit_probabilities(times, lower, upper, few, Grid(32, 1.5, 11.0))
        for order, width in ((8, 6.0), (8, 4.0), (12, 4.0), (16, 6.0), (16, 5.0), (16, 4.0), (20, 4.0)):
            grid = Grid(order, width)
            ours, _ = exit_probabilities(times, lower, upper, few, grid)
            error = np.abs(ours - exact).max()
            size = nodes(times, grid)
            print(f"{name:6s} looks, {order:2d} points a panel of {width:g} sd, {size:4d} nodes: {error:.1e}")


if __name__ == "__main__":
    main()
