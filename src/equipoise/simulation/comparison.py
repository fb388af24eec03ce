"""Operating characteristics of several designs and truths side by side, on the same virtual patients."""

from __future__ import annotations

import math
import re
import tempfile
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..errors import InputError
from ..plain import plain
from .engines import engine_named
from .paired import TrialEnds, difference_in_patients, difference_in_power
from .rates import Mean
from .rows import MOST_KEPT
from .simulate import simulate
from .theory import power_by_theory
from .vary import GridPoint

if TYPE_CHECKING:
    import polars

    from .characteristics import OperatingCharacteristics

__all__ = ["Comparison", "PairedDifference", "point_folders", "simulate_grid"]


@dataclass(frozen=True)
class PairedDifference:
    """How one point of a comparison differs from another.

    Attributes
    ----------
    against
        Label of the other.
    power, patients
        Share that rejects in favour of the experimental arm, and mean randomised, less those of the other.
    paired
        Whether the trials are on common random numbers and were compared one by one, so that the standard errors are of
        paired differences.
    """

    against: str
    power: Mean
    patients: Mean
    paired: bool

    def to_dict(self) -> dict[str, Any]:
        """For a JSON file."""
        return {
            "against": self.against,
            "paired": self.paired,
            "power": self.power.to_dict(),
            "patients": self.patients.to_dict(),
        }


@dataclass(frozen=True, repr=False)
class Comparison:
    """Operating characteristics of the points of a grid, in its order.

    Attributes
    ----------
    points
        What was simulated.
    results
        What it gave, one for each point; fewer where the run was stopped.
    ends
        How their trials ended, for paired differences; None where the trials were not kept.
    """

    points: tuple[GridPoint, ...]
    results: tuple[OperatingCharacteristics, ...]
    ends: tuple[TrialEnds | None, ...] = field(default=(), repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.points or len(self.results) > len(self.points):
            raise InputError("points", len(self.points), "at least one, and no more results than there are points")

    @classmethod
    def of(cls, points: Sequence[GridPoint], results: Sequence[OperatingCharacteristics]) -> Comparison:
        """Of results that are there already."""
        return cls(tuple(points), tuple(results), tuple(TrialEnds.found(result) for result in results))

    def __len__(self) -> int:
        return len(self.results)

    @property
    def complete(self) -> bool:
        """Whether every point was simulated with all the trials asked for, or to the precision asked for."""
        return len(self.results) == len(self.points) and all(one.complete for one in self.results)

    @property
    def scenarios(self) -> tuple[str, ...]:
        """Scenarios, in the order of the points."""
        return tuple(dict.fromkeys(point.scenario for point in self.points))

    @property
    def designs(self) -> tuple[str, ...]:
        """Labels of the designs, in the order of the points; one empty where only the protocol's own is used."""
        return tuple(dict.fromkeys(point.design for point in self.points))

    @cached_property
    def axes(self) -> dict[str, tuple[Any, ...]]:
        """What each name takes, in the order of the points."""
        found: dict[str, list[Any]] = {}
        for point in self.points:
            for name, value in point.values.items():
                values = found.setdefault(name, [])
                if value not in values:
                    values.append(value)
        return {name: tuple(values) for name, values in found.items()}

    def reference(self, at: int) -> int | None:
        """The point that one is held against: the first design at the same values; with one design the first value of
        everything but the effect, and where only the effect varies, its first value. None where that is itself.
        """
        point, designs = self.points[at], len(self.designs) > 1
        others = [name for name in self.axes if name != "effect"]

        def matches(other: GridPoint) -> bool:
            if other.scenario != point.scenario:
                return False
            if designs:
                return other.values == point.values
            kept = ("effect",) if others else ()
            return all(other.values.get(name) == point.values.get(name) for name in kept)

        first = next(number for number, other in enumerate(self.points) if matches(other))
        return None if first == at else first

    def difference(self, at: int, against: int) -> PairedDifference:
        """One point less another; paired where both are on the same random numbers, which takes that their trials were
        kept or written to a folder.
        """
        one, other = self.results[at], self.results[against]
        label = str(self.points[against])
        mine = self.ends[at] if at < len(self.ends) else None
        theirs = self.ends[against] if against < len(self.ends) else None
        if (one.seed, one.stream) == (other.seed, other.stream) and mine is not None and theirs is not None:
            return PairedDifference(
                label, difference_in_power(mine, theirs), difference_in_patients(mine, theirs), paired=True
            )
        shares = [Mean(rate.value, rate.standard_error, rate.trials) for rate in (one.power, other.power)]
        return PairedDifference(
            label,
            _unpaired(*shares),
            _unpaired(one.patients().mean, other.patients().mean),
            paired=False,
        )

    @cached_property
    def differences(self) -> tuple[PairedDifference | None, ...]:
        """Of each point from its reference; None for references themselves."""
        found = []
        for at in range(len(self.results)):
            against = self.reference(at)
            done = against is not None and against < len(self.results)
            found.append(self.difference(at, against) if against is not None and done else None)
        return tuple(found)

    def result(self, label: str) -> OperatingCharacteristics:
        """The operating characteristics of the point of that label; raises `InputError` naming those there are."""
        for point, result in zip(self.points, self.results, strict=False):
            if str(point) == label:
                return result
        raise InputError("label", label, f"one of {'; '.join(str(point) for point in self.points[: len(self)])}")

    def to_frame(self) -> polars.DataFrame:
        """One row a point: what it is, with the values of the axes under their own names, then shares and means with
        their Monte-Carlo standard errors in columns that end in `_standard_error`; effects are on the scale of the
        primary endpoint, ratios as natural logarithms.
        """
        import polars as pl

        return pl.DataFrame([self._row(at) for at in range(len(self))], infer_schema_length=None)

    def _row(self, at: int) -> dict[str, Any]:
        point, result, difference = self.points[at], self.results[at], self.differences[at]
        row: dict[str, Any] = {"scenario": point.scenario, "design": point.design, "label": str(point)}
        row |= {
            name: value if isinstance(value, int | float | str) else str(value) for name, value in point.values.items()
        }
        row |= {"trials": result.trials, "seed": result.seed, "true_effect": result.true_effect}
        row["power_by_theory"] = power_by_theory(result)
        estimates = {name: result.estimates(name) for name in ("observed", "median_unbiased", "bias_adjusted")}
        shown: dict[str, Any] = {
            "power": result.power,
            "rejection_either_direction": result.rejection,
            "mean_patients": result.patients().mean,
            "mean_days": result.duration().mean,
        }
        shown |= {f"ends_at_look_{look}": rate for look, rate in enumerate(result.stopping, start=1)}
        shown |= {f"bias_{name}": one.bias for name, one in estimates.items()}
        shown |= {f"root_mean_squared_error_{name}": one.root_mean_squared_error for name, one in estimates.items()}
        shown |= {f"coverage_{name}": one.coverage for name, one in estimates.items() if name != "bias_adjusted"}
        shown |= {"exaggeration_given_efficacy": result.given_efficacy.exaggeration}
        nothing = Mean(math.nan, math.nan, 0)
        shown |= {
            "difference_in_power": difference.power if difference else nothing,
            "difference_in_patients": difference.patients if difference else nothing,
        }
        for name, value in shown.items():
            row[name], row[f"{name}_standard_error"] = float(value.value), float(value.standard_error)
        row["differs_from"] = difference.against if difference else None
        row["looks_not_analysed"] = result.failures
        return row

    def to_dict(self) -> dict[str, Any]:
        """For a JSON file: every point with its values and all that `OperatingCharacteristics.to_dict` gives."""
        return plain(
            {
                "version": __version__,
                "complete": self.complete,
                "points_planned": len(self.points),
                "points": [
                    {
                        "label": str(point),
                        "scenario": point.scenario,
                        "design": point.design,
                        "values": dict(point.values),
                        "operating_characteristics": result.to_dict(),
                        "difference": difference.to_dict() if difference else None,
                    }
                    for point, result, difference in zip(self.points, self.results, self.differences, strict=False)
                ],
            }
        )

    def __str__(self) -> str:
        from .comparison_table import comparison_text

        return comparison_text(self)

    __repr__ = __str__


def simulate_grid(
    points: Sequence[GridPoint],
    trials: int = 1000,
    seed: int = 1,
    engine: Any = "cores",
    *,
    workers: int | None = None,
    secondary: bool = True,
    corrected: bool = True,
    precision: float | None = None,
    folder: str | Path | None = None,
    resume: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> Comparison:
    """Simulate every point of a grid and hold the results side by side.

    All points of one scenario draw from the same random numbers, so that differences between them are far more precise
    than either of the two.

    Parameters
    ----------
    points
        As `grid` gives them.
    trials, seed, engine, workers, secondary, corrected, precision, resume
        As for `simulate`, of every point.
    folder
        Where to write the trials: each point into a folder of its own named by its label, a single point into the
        folder itself. Without one they are kept for the paired differences only while they are computed.
    on_progress
        Called with the number of the point, from 0, and its trials done so far.

    Returns
    -------
    The comparison; with fewer or partial results where the run was interrupted.

    Raises
    ------
    InputError
        For no points, or what `simulate` refuses.
    """
    points = tuple(points)
    if not points or not all(isinstance(point, GridPoint) for point in points):
        raise InputError("points", points, "at least one point of a grid, as eq.grid gives them")
    folders = point_folders(points, None if folder is None else Path(folder))
    results: list[OperatingCharacteristics] = []
    ends: list[TrialEnds | None] = []
    several = len(points) > 1
    with engine_named(engine, workers) if isinstance(engine, str) else nullcontext(engine) as running:
        for at, (point, place) in enumerate(zip(points, folders, strict=True)):
            try:
                with tempfile.TemporaryDirectory(prefix="equipoise-") as passing:
                    found = simulate(
                        point.protocol,
                        point.scenario,
                        trials,
                        seed,
                        running,
                        secondary=secondary,
                        corrected=corrected,
                        precision=precision,
                        folder=Path(passing) / "point" if several and place is None and trials > MOST_KEPT else place,
                        resume=resume,
                        on_progress=None if on_progress is None else partial(on_progress, at),
                    )
                    end = TrialEnds.found(found) if several else None
            except KeyboardInterrupt:
                if not results:
                    raise
                break
            if several and place is None:
                kept = found.rows if trials * len(points) <= MOST_KEPT else None
                found = replace(found, folder=None, rows=kept)
            results.append(found)
            ends.append(end)
            if not found.complete:
                break
    return Comparison(points, tuple(results), tuple(ends))


def point_folders(points: Sequence[GridPoint], folder: Path | None) -> list[Path | None]:
    """Where each point's trials are written."""
    if folder is None or len(points) == 1:
        return [folder] * len(points)
    names: list[str] = []
    several = len({point.scenario for point in points}) > 1
    for point in points:
        label = str(point) if str(point).startswith(point.scenario) or not several else f"{point.scenario} {point}"
        name = stem = re.sub(r"[^\w.-]+", "-", label).strip("-.")[:80] or "point"
        number = 2
        while name in names:
            name, number = f"{stem}-{number}", number + 1
        names.append(name)
    return [folder / name for name in names]


def _unpaired(one: Mean, other: Mean) -> Mean:
    error = math.hypot(one.standard_error, other.standard_error)
    return Mean(one.value - other.value, error, min(one.trials, other.trials))
