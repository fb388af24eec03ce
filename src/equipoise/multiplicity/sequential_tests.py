"""What a procedure says of several hypotheses at every look of one trial."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..plain import plain
from ..text_table import text_table
from .graph import Graph
from .looks import Looks, arrays, chosen_statistics, rejection_looks, walk
from .procedure import PValueAdjustment

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars
    from numpy.typing import NDArray

    from .graph import GraphStep
    from .looks import Spending, Statistics
    from .procedure import Procedure

    Array = NDArray[np.float64]

__all__ = ["SequentialTests", "sequential_tests"]


@dataclass(frozen=True, eq=False, repr=False)
class SequentialTests:
    """Decisions on several hypotheses at the looks of a group-sequential trial.

    P-values compare with `alpha`: in a two-sided trial they are doubled.

    Attributes
    ----------
    procedure
        Its name.
    names
        Of the hypotheses.
    alpha, sided
        Level of the family, over both sides when `sided` is 2.
    statistics
        Which may reject at a look.
    z, information
        NaN where there is none, shape (looks, hypotheses).
    weights
        Share of alpha of each hypothesis at each look, once all rejections of the look are made; of a hypothesis that
        is rejected, the share with which it was, shape (looks, hypotheses). NaN for a procedure without shares.
    bounds
        Bound on z at that share, infinite where nothing is spent, NaN where there is no look or no share.
    repeated_p_values
        Smallest alpha at which the look itself rejects the hypothesis alone (Jennison & Turnbull 2000, section 9.3).
    sequential_p_values
        Smallest of those so far (Liu & Anderson 2008, JASA 103:1621).
    adjusted_p_values
        Smallest alpha at which the procedure rejects the hypothesis by then, at most 1; of these shape
        (looks, hypotheses) all three.
    rejected_at
        Look, from 1, at which each hypothesis is rejected; 0 where it is not, shape (hypotheses,).
    steps
        Of a graph: the rejections one by one, each with the graph that is left.
    """

    procedure: str
    names: tuple[str, ...]
    alpha: float
    sided: int
    statistics: Statistics
    z: Array
    information: Array
    weights: Array
    bounds: Array
    repeated_p_values: Array
    sequential_p_values: Array
    adjusted_p_values: Array
    rejected_at: NDArray[np.int64]
    steps: tuple[GraphStep, ...] = ()

    @property
    def looks(self) -> int:
        """Number of looks given."""
        return len(self.z)

    @property
    def rejected(self) -> NDArray[np.bool_]:
        """Which hypotheses are rejected by the last look, shape (hypotheses,)."""
        return self.rejected_at > 0

    def rejected_by(self, look: int) -> NDArray[np.bool_]:
        """Which hypotheses are rejected by a look, from 1, shape (hypotheses,)."""
        return self.rejected & (self.rejected_at <= look)

    def _rows(self) -> list[dict[str, Any]]:
        columns = {
            "information": self.information,
            "z": self.z,
            "weight": self.weights,
            "bound": self.bounds,
            "repeated_p_value": self.repeated_p_values,
            "sequential_p_value": self.sequential_p_values,
            "adjusted_p_value": self.adjusted_p_values,
        }
        return [
            {
                "look": look + 1,
                "hypothesis": name,
                **{column: float(values[look, number]) for column, values in columns.items()},
                "rejected": bool(0 < self.rejected_at[number] <= look + 1),
            }
            for look in range(self.looks)
            for number, name in enumerate(self.names)
        ]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; None where there is no look, no share or no bound."""
        return {
            "procedure": self.procedure,
            "alpha": self.alpha,
            "sided": self.sided,
            "statistics": self.statistics,
            "hypotheses": [
                {"hypothesis": name, "rejected_at_look": int(look) or None}
                for name, look in zip(self.names, self.rejected_at, strict=True)
            ],
            "looks": plain(self._rows()),
            **({"steps": [step.to_dict() for step in self.steps]} if self.steps else {}),
        }

    def to_frame(self) -> polars.DataFrame:
        """One row a look and hypothesis; NaN where there is no look, no share or no bound."""
        import polars

        return polars.DataFrame(self._rows())

    def __str__(self) -> str:
        sides = "one-sided" if self.sided == 1 else "two-sided"
        headings = ["look", "hypothesis", "information", "z", "weight", "bound", "repeated p", "sequential p"]
        digits = {
            "information": ".3f",
            "z": ".3f",
            "weight": ".4g",
            "bound": ".3f",
            "repeated_p_value": ".5f",
            "sequential_p_value": ".5f",
            "adjusted_p_value": ".5f",
        }
        rows = [
            [
                str(row["look"]),
                row["hypothesis"],
                *("-" if np.isnan(row[name]) else format(row[name], digit) for name, digit in digits.items()),
                "yes" if row["rejected"] else "no",
            ]
            for row in self._rows()
        ]
        lines = [f"{self.procedure} at {self.looks} look{'s' * (self.looks > 1)}, {sides} alpha {self.alpha:g}"]
        lines.append(text_table([*headings, "adjusted p", "rejected"], rows))
        if self.steps:
            turn = ", ".join(f"{step.hypothesis} (look {step.look})" for step in self.steps)
            lines.append(f"Rejected in turn: {turn}")
        return "\n".join(lines)

    __repr__ = __str__


def sequential_tests(
    procedure: Procedure,
    z: Any,
    information: Any,
    alpha: float,
    spending: Spending | Sequence[Spending],
    names: Sequence[str],
    sided: int,
    final: bool | Sequence[bool] | None,
    statistics: Statistics,
) -> SequentialTests:
    """See `Procedure.sequential`."""
    chosen_statistics(statistics)
    values, fractions = arrays(z, information, 2)
    labels = procedure.named(names or getattr(procedure, "names", ()), values.shape[1])
    if isinstance(procedure, Graph) and labels != procedure.names:
        procedure = replace(procedure, names=labels)
    found = rejection_looks(procedure, values[None], fractions, alpha, spending, sided, final, statistics)[0]
    looks = Looks.of(fractions, alpha, spending, sided, final)
    repeated = np.minimum(1.0, sided * looks.repeated_p_values(values))
    sequential = np.fmin.accumulate(repeated, axis=0)
    weights = bounds = np.full(values.shape, np.nan)
    steps: tuple[GraphStep, ...] = ()
    if isinstance(procedure, Graph):
        relevant = {"current": repeated, "latest": _latest(repeated), "all": sequential}[statistics]
        steps, weights = _followed(procedure, found, relevant)
        bounds = np.stack([looks.at(shares)[look] for look, shares in enumerate(weights)])
        bounds[np.isnan(fractions)] = np.nan
    return SequentialTests(
        procedure=procedure.name,
        names=labels,
        alpha=float(alpha),
        sided=int(sided),
        statistics=statistics,
        z=values,
        information=fractions,
        weights=weights,
        bounds=bounds,
        repeated_p_values=repeated,
        sequential_p_values=sequential,
        adjusted_p_values=_adjusted(procedure, statistics, repeated),
        rejected_at=found,
        steps=steps,
    )


def _latest(values: Array) -> Array:
    """Each value, or the latest before it where it is missing, shape (looks, hypotheses)."""
    numbers = np.where(np.isnan(values), 0, np.arange(len(values))[:, None])
    return np.take_along_axis(values, np.maximum.accumulate(numbers, axis=0), axis=0)


def _followed(graph: Graph, found: NDArray[np.int64], p_values: Array) -> tuple[tuple[GraphStep, ...], Array]:
    """The rejections one by one, and the shares (looks, hypotheses) at the end of each look."""
    rejected: list[int] = []
    steps: list[GraphStep] = []
    held = np.zeros(graph.hypotheses)
    shares = np.empty(p_values.shape)
    for look in range(len(p_values)):
        due = np.flatnonzero(found == look + 1).tolist()
        while due:
            weights, _ = graph.left(rejected)
            ratio = np.full(len(due), np.inf)
            np.divide(p_values[look, due], weights[due], out=ratio, where=weights[due] > 0)
            chosen = due.pop(int(ratio.argmin()))
            steps.append(graph.step(rejected, chosen, look + 1))
            held[chosen] = weights[chosen]
            rejected.append(chosen)
        shares[look] = graph.left(rejected)[0]
        shares[look, rejected] = held[rejected]
    return tuple(steps), shares


def _adjusted(procedure: Procedure, statistics: Statistics, repeated: Array) -> Array:
    """Smallest alpha at which each hypothesis is rejected by each look, shape (looks, hypotheses), at most 1.

    The looks at which hypotheses are rejected change at few values of alpha only, each of them a repeated p-value over
    the share with which it is compared. A procedure with fixed shares is tried at all of them; a graph at one after
    the other, since the shares it may come to have depend on what it rejects.
    """
    looks, hypotheses = repeated.shape
    adjusted = np.ones(repeated.shape)

    def tried(levels: Array) -> float:
        """Note what is rejected at levels; the smallest ratio above them that would have changed anything."""
        beyond = np.inf

        def crossed(shares: Array, rows: NDArray[np.intp]) -> NDArray[np.bool_]:
            nonlocal beyond
            ratio = np.full(repeated.shape, np.inf)
            np.divide(repeated, shares, out=ratio, where=(shares > 0) & ~np.isnan(repeated))
            beyond = min(beyond, float(ratio[ratio > levels[0]].min(initial=np.inf)))
            return ratio <= levels[rows, None, None]

        found = walk(procedure, statistics, np.broadcast_to(repeated, (len(levels), looks, hypotheses)), crossed)
        for look in range(looks):
            for level, row in zip(levels, (found > 0) & (found <= look + 1), strict=True):
                adjusted[look, row] = np.minimum(adjusted[look, row], level)
        return beyond

    if isinstance(procedure, PValueAdjustment):
        levels = np.unique(np.concatenate([(repeated / share).ravel() for share in procedure.shares(hypotheses)]))
        levels = levels[levels <= 1]
        if levels.size:
            tried(levels)
        return adjusted
    level = 0.0
    while True:
        level = tried(np.array([level]))
        if not level <= 1:
            return adjusted
