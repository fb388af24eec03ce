"""What planning a survival endpoint gives back: events, patients, calendar times of the looks, hazard ratios."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...plain import plain
from ...text_table import text_table
from .accrual import Accrual

if TYPE_CHECKING:
    import polars

__all__ = ["SurvivalExpectation", "SurvivalSize"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SurvivalExpectation:
    """What to expect of the trial under one truth, every stop counted: for efficacy, for harm and for futility.

    rpact's sample sizes of two-sided designs leave the stops for harm out of duration and patients, though not out of
    events, and so say a little more (5e-6 of the duration for two looks by Pocock); its power functions count them.

    Attributes
    ----------
    hazard_ratio
        True hazard ratio, experimental over control.
    drift
        Mean of z at the last look.
    power
        Probability of showing the effect in the right direction.
    events, patients, duration
        Means when the trial ends: events seen, patients randomised, calendar time.
    analysis_times
        Calendar time by which the events of each look are expected, shape (looks,); infinite where they never come.
    stopping
        Probability of ending at each look, for whatever reason, shape (looks,).
    """

    hazard_ratio: float
    drift: float
    power: float
    events: float
    patients: float
    duration: float
    analysis_times: Array
    stopping: Array


@dataclass(frozen=True, repr=False, eq=False)
class SurvivalSize:
    """Events, patients and timing of a survival endpoint under a stopping rule; times as in the assumptions.

    Arms are experimental, control. Sizes are unrounded.

    Attributes
    ----------
    assumed
        The assumptions in a few lines.
    fixed_events, fixed_patients
        Of the fixed design of the same level and power; None where events or patients were given.
    information
        Information fractions of the looks, shape (looks,).
    events
        Events in both arms at each look, shape (looks,).
    events_per_arm
        Events to expect in each arm at that time under the assumed effect, shape (looks, 2).
    patients_per_arm
        Patients randomised by each look, shape (looks, 2).
    analysis_times
        Calendar time from the start of accrual by which the events of each look are expected under the assumed effect,
        shape (looks,).
    accrual
        Accrual as found.
    efficacy_probabilities, harm_probabilities, futility_probabilities
        Probability under the assumed effect of ending at each look for efficacy, for harm (two-sided) and for futility,
        shape (looks,); None where the rule has no such bound.
    efficacy_bounds, futility_bounds
        The rule's bounds on z, shape (looks,).
    efficacy_hazard_ratios, harm_hazard_ratios, futility_hazard_ratios, futility_harm_hazard_ratios
        Estimates on the bounds, shape (looks,): efficacy, its mirror image of a two-sided rule, futility, and the other
        edge of a two-sided rule's inner wedge. They are margin * exp(-+ z (1 + r) / sqrt(r events)) with r the
        allocation, whatever the formula for events, as the log-rank statistic has that variance near no effect.
    no_effect, half_effect, full_effect
        What to expect when the hazard ratio is the margin, when the drift is half the assumed one (and the hazard ratio
        half way on the log scale), and under the assumed effect.
    """

    assumed: str
    fixed_events: float | None
    fixed_patients: float | None
    information: tuple[float, ...]
    events: Array
    events_per_arm: Array
    patients_per_arm: Array
    analysis_times: Array
    accrual: Accrual
    efficacy_probabilities: Array
    harm_probabilities: Array | None
    futility_probabilities: Array | None
    efficacy_bounds: Array
    futility_bounds: Array | None
    efficacy_hazard_ratios: Array
    harm_hazard_ratios: Array | None
    futility_hazard_ratios: Array | None
    futility_harm_hazard_ratios: Array | None
    no_effect: SurvivalExpectation
    half_effect: SurvivalExpectation
    full_effect: SurvivalExpectation

    @property
    def drift(self) -> float:
        """Mean of z at the last look under the assumed effect."""
        return self.full_effect.drift

    @property
    def power(self) -> float:
        """Probability of showing the effect in the right direction."""
        return float(self.efficacy_probabilities.sum())

    @property
    def power_either_direction(self) -> float:
        """Probability of rejecting no effect on either side, which is what rpact's power functions give."""
        return self.power + (0.0 if self.harm_probabilities is None else float(self.harm_probabilities.sum()))

    @property
    def maximum_events(self) -> float:
        """Unrounded events at the last look."""
        return float(self.events[-1])

    @property
    def cumulative_patients(self) -> Array:
        """Unrounded patients of both arms randomised by each look, shape (looks,)."""
        return self.patients_per_arm.sum(axis=1)

    @property
    def patients(self) -> float:
        """Unrounded maximum of patients in both arms."""
        return float(self.patients_per_arm[-1].sum())

    @property
    def rounded_events(self) -> int:
        """Whole events at the last look."""
        return math.ceil(self.maximum_events - 1e-9)

    @property
    def rounded_per_arm(self) -> tuple[int, int]:
        """Whole patients, each arm rounded up."""
        experimental, control = (math.ceil(count - 1e-9) for count in self.patients_per_arm[-1])
        return experimental, control

    @property
    def follow_up(self) -> float:
        """Time from the last patient in to the last look; 0 where that look comes before accrual would have ended."""
        return max(self.duration - self.accrual.end, 0.0)

    @property
    def duration(self) -> float:
        """Calendar time of the last look."""
        return float(self.analysis_times[-1])

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values for JSON; what is infinite is None."""
        own = ("patients", "cumulative_patients", "maximum_events", "rounded_events", "rounded_per_arm")
        own += ("power", "power_either_direction", "drift", "follow_up", "duration")
        found = {part.name: getattr(self, part.name) for part in fields(self)} | {n: getattr(self, n) for n in own}
        for name in ("accrual", "no_effect", "half_effect", "full_effect"):
            value = getattr(self, name)
            found[name] = {part.name: getattr(value, part.name) for part in fields(value)}
        return plain(found)

    def to_frame(self) -> polars.DataFrame:
        """One row a look: time, events, patients, bounds on z and as hazard ratios, probability of ending there."""
        import polars

        columns = {
            "look": np.arange(1, len(self.information) + 1),
            "information_fraction": np.array(self.information),
            "time": self.analysis_times,
            "events": self.events,
            "patients": self.cumulative_patients,
            "efficacy_bound": self.efficacy_bounds,
            "efficacy_hazard_ratio": self.efficacy_hazard_ratios,
            "harm_hazard_ratio": self.harm_hazard_ratios,
            "futility_bound": self.futility_bounds,
            "futility_hazard_ratio": self.futility_hazard_ratios,
            "futility_harm_hazard_ratio": self.futility_harm_hazard_ratios,
            "efficacy_probability": self.efficacy_probabilities,
            "harm_probability": self.harm_probabilities,
            "futility_probability": self.futility_probabilities,
        }
        return polars.DataFrame({name: values for name, values in columns.items() if values is not None})

    def __str__(self) -> str:
        experimental, control = self.rounded_per_arm
        lines = [self.assumed]
        lines.append(
            f"{self.rounded_events} events, {experimental + control} patients ({experimental} experimental, "
            f"{control} control); unrounded {self.maximum_events:.4f} and {self.patients:.4f}"
        )
        if self.fixed_events is not None:
            lines.append(f"Fixed design: {self.fixed_events:.4f} events, {self.fixed_patients:.4f} patients")
        lines.append(f"{str(self.accrual).capitalize()}; last look at {self.duration:.4f}")
        lines.append(f"Power {self.power:.4f} at drift {self.drift:.4f}")
        short = {"information_fraction": "information", "efficacy_bound": "efficacy z", "futility_bound": "futility z"}
        formats = {"look": "d", "time": ".2f", "events": ".1f", "patients": ".1f"}
        frame = self.to_frame()
        headings = [short.get(name, name.replace("_hazard_ratio", " HR").replace("_", " ")) for name in frame.columns]
        rows = [
            [format(row[name], formats.get(name, ".4f")) for name in frame.columns]
            for row in frame.iter_rows(named=True)
        ]
        expected = []
        for name in ("no_effect", "half_effect", "full_effect"):
            found: SurvivalExpectation = getattr(self, name)
            numbers = (found.events, found.patients, found.duration)
            entry = [name.replace("_", " "), f"{found.hazard_ratio:.4g}", f"{found.power:.4f}"]
            expected.append(entry + [f"{number:.2f}" for number in numbers])
        about = ["expected under", "HR", "power", "events", "patients", "duration"]
        return "\n".join([*lines, text_table(headings, rows), text_table(about, expected)])

    __repr__ = __str__
