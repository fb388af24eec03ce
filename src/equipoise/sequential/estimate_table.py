"""Every estimate after a stopped trial, on the scale of its effect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..estimate import Interval, Scale
from ..plain import plain
from .effects import effects_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["EffectEstimate", "EstimateTable"]


@dataclass(frozen=True)
class EffectEstimate:
    """What one estimator makes of a trial.

    Attributes
    ----------
    estimator
        Its name.
    effect
        On the scale and with the sign of the observed estimate (ratios as natural logarithms).
    interval
        Confidence interval, or None where the estimator brings none.
    """

    estimator: str
    effect: float
    interval: Interval | None


@dataclass(frozen=True, repr=False)
class EstimateTable:
    """All estimates of one stopped trial; iterates over its rows, prints as a table.

    Attributes
    ----------
    rows
        One an estimator.
    scale
        Of the effects.
    null_value
        The effect under the null hypothesis.
    note
        How t statistics entered, where they did.
    """

    rows: tuple[EffectEstimate, ...]
    scale: Scale
    null_value: float = 0.0
    note: str = ""

    def __iter__(self) -> Any:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, estimator: str) -> EffectEstimate:
        """The row of an estimator by name."""
        for row in self.rows:
            if row.estimator == estimator:
                return row
        raise KeyError(estimator)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, by estimator; infinite values are None."""
        return {
            row.estimator: {
                "effect": plain(row.effect),
                "lower": None if row.interval is None else plain(row.interval.lower),
                "upper": None if row.interval is None else plain(row.interval.upper),
            }
            for row in self.rows
        }

    def plot(self) -> Figure:
        """A matplotlib figure of all estimates with their intervals, ratios on their natural scale."""
        from .plots import estimators_figure

        natural, logarithmic = self.scale.natural, self.scale.is_logarithmic
        rows = []
        for row in self.rows:
            ends = (None, None) if row.interval is None else (natural(row.interval.lower), natural(row.interval.upper))
            rows.append((row.estimator, natural(row.effect), *ends))
        null = natural(self.null_value)
        return estimators_figure(rows, null, self.scale.natural_name.capitalize(), logarithmic=logarithmic)

    def __str__(self) -> str:
        level = next((row.interval.level for row in self.rows if row.interval is not None), 0.95)
        heading = f"{self.scale.natural_name}, {100 * level:g} % interval"
        table = effects_table(self.scale, [(row.estimator, row.effect, row.interval) for row in self.rows], heading)
        return f"{table}\n{self.note}" if self.note else table

    __repr__ = __str__
