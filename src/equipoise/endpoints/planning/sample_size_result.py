"""What planning an endpoint gives back: patients, power, looks, and the estimates that would stop the trial."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ...plain import plain
from ...text_table import text_table

if TYPE_CHECKING:
    import polars

__all__ = ["SampleSize"]

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, repr=False, eq=False)
class SampleSize:
    """Sample size and power of an endpoint under a stopping rule.

    Arms are experimental, control (one for a trial of one group). Effects are on the natural scale named by `scale`.

    Attributes
    ----------
    assumed
        The assumptions in one line.
    scale
        What the effects measure.
    fixed_patients
        Unrounded patients of the fixed design of the same level and power; None where the patients were given.
    per_arm
        Unrounded maximum of patients in each arm.
    rounded_per_arm
        Whole patients: the smallest whole allocation that holds as many, or each arm rounded up where the allocation is
        not one of small numbers.
    information
        Information fractions of the looks, shape (looks,).
    cumulative_per_arm
        Unrounded patients recruited by each look, shape (looks, arms).
    look_times
        Calendar times of the looks since accrual began, shape (looks,); None where the assumptions have no calendar.
    drift
        Mean of z at the last look under the assumed effect.
    efficacy_probabilities, harm_probabilities, futility_probabilities
        Probability under the assumed effect of ending at each look for efficacy, for harm (two-sided) and for futility,
        shape (looks,); None where the rule has no such bound.
    expected_patients
        Mean number of patients when the trial ends, under no effect, at half the drift, and under the assumed effect.
    efficacy_bounds, futility_bounds
        The rule's bounds on z, shape (looks,).
    efficacy_effects, harm_effects, futility_effects, futility_harm_effects
        Estimates that lie on the bounds at each look, shape (looks,): efficacy, its mirror image of a two-sided rule,
        futility, and the other edge of a two-sided rule's inner wedge. Infinite or on the scale's limit where no
        estimate reaches the bound.
    """

    assumed: str
    scale: str
    fixed_patients: float | None
    per_arm: tuple[float, ...]
    rounded_per_arm: tuple[int, ...]
    information: tuple[float, ...]
    cumulative_per_arm: Array
    look_times: Array | None
    drift: float
    efficacy_probabilities: Array
    harm_probabilities: Array | None
    futility_probabilities: Array | None
    expected_patients: tuple[float, float, float]
    efficacy_bounds: Array
    futility_bounds: Array | None
    efficacy_effects: Array
    harm_effects: Array | None
    futility_effects: Array | None
    futility_harm_effects: Array | None

    @property
    def patients(self) -> float:
        """Unrounded maximum of patients in all arms."""
        return sum(self.per_arm)

    @property
    def rounded_patients(self) -> int:
        """Whole patients in all arms."""
        return sum(self.rounded_per_arm)

    @property
    def cumulative_patients(self) -> Array:
        """Unrounded patients in all arms at each look, shape (looks,)."""
        return self.cumulative_per_arm.sum(axis=1)

    @property
    def power(self) -> float:
        """Probability of showing the effect in the right direction."""
        return float(self.efficacy_probabilities.sum())

    @property
    def power_either_direction(self) -> float:
        """Probability of rejecting no effect on either side."""
        return self.power + (0.0 if self.harm_probabilities is None else float(self.harm_probabilities.sum()))

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values for JSON; a bound that nothing reaches is None."""
        found = {part.name: getattr(self, part.name) for part in fields(self)}
        own = ("patients", "rounded_patients", "cumulative_patients", "power", "power_either_direction")
        found |= {name: getattr(self, name) for name in own}
        found["expected_patients"] = dict(zip(("no_effect", "half", "assumed"), self.expected_patients, strict=True))
        return plain(found)

    def to_frame(self) -> polars.DataFrame:
        """One row a look: patients, bounds on z and on the scale of the effect, probability of ending there."""
        import polars

        columns = {
            "look": np.arange(1, len(self.information) + 1),
            "information_fraction": np.array(self.information),
            "time": self.look_times,
            "patients": self.cumulative_patients,
            "efficacy_bound": self.efficacy_bounds,
            "efficacy_effect": self.efficacy_effects,
            "harm_effect": self.harm_effects,
            "futility_bound": self.futility_bounds,
            "futility_effect": self.futility_effects,
            "futility_harm_effect": self.futility_harm_effects,
            "efficacy_probability": self.efficacy_probabilities,
            "harm_probability": self.harm_probabilities,
            "futility_probability": self.futility_probabilities,
        }
        return polars.DataFrame({name: values for name, values in columns.items() if values is not None})

    def __str__(self) -> str:
        names = ("experimental", "control") if len(self.per_arm) == 2 else ("one group",)
        arms = ", ".join(f"{count} {name}" for count, name in zip(self.rounded_per_arm, names, strict=True))
        lines = [self.assumed, f"{self.rounded_patients} patients ({arms}); unrounded {self.patients:.4f}"]
        if self.fixed_patients is not None:
            lines[-1] += f", fixed design {self.fixed_patients:.4f}"
        lines.append(f"Power {self.power:.4f} at drift {self.drift:.4f}")
        if len(self.information) > 1:
            nothing, half, assumed = self.expected_patients
            lines.append(
                f"Expected patients {nothing:.1f} under no effect, {half:.1f} at half, {assumed:.1f} under the effect"
            )
        lines.append(f"Bounds as {self.scale}:")
        formats = {"look": "d", "time": ".2f", "patients": ".1f"}
        frame = self.to_frame()
        rows = [
            [format(row[name], formats.get(name, ".4f")) for name in frame.columns]
            for row in frame.iter_rows(named=True)
        ]
        return "\n".join([*lines, text_table([name.replace("_", " ") for name in frame.columns], rows)])

    __repr__ = __str__
