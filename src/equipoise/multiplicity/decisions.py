"""What a procedure says of several hypotheses, for reading."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..plain import plain
from ..text_table import text_table

if TYPE_CHECKING:
    import polars

    from .graph import GraphStep

__all__ = ["FamilyDecisions"]


@dataclass(frozen=True, repr=False)
class FamilyDecisions:
    """Decisions on several hypotheses from one p-value each.

    Attributes
    ----------
    procedure
        Its name.
    names
        Of the hypotheses.
    alpha
        The level of the family.
    p_values, adjusted_p_values
        A hypothesis is rejected where its adjusted p-value is at most alpha, shape (hypotheses,).
    rejected
        Shape (hypotheses,).
    steps
        Of a graph: the rejections one by one, each with the graph that is left.
    """

    procedure: str
    names: tuple[str, ...]
    alpha: float
    p_values: tuple[float, ...]
    adjusted_p_values: tuple[float, ...]
    rejected: tuple[bool, ...]
    steps: tuple[GraphStep, ...] = ()

    def _rows(self) -> list[dict[str, Any]]:
        columns = zip(self.names, self.p_values, self.adjusted_p_values, self.rejected, strict=True)
        return [
            {"hypothesis": name, "p_value": p, "adjusted_p_value": adjusted, "rejected": rejected}
            for name, p, adjusted, rejected in columns
        ]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        steps = [step.to_dict() for step in self.steps]
        return {
            "procedure": self.procedure,
            "alpha": self.alpha,
            "hypotheses": plain(self._rows()),
            **({"steps": steps} if steps else {}),
        }

    def to_frame(self) -> polars.DataFrame:
        """One row a hypothesis."""
        import polars

        return polars.DataFrame(self._rows())

    def __str__(self) -> str:
        rows = [
            [row["hypothesis"], f"{row['p_value']:.5f}", f"{row['adjusted_p_value']:.5f}", _yes(row["rejected"])]
            for row in self._rows()
        ]
        lines = [f"{self.procedure}, alpha {self.alpha:g}"]
        lines.append(text_table(["hypothesis", "p", "adjusted p", "rejected"], rows))
        if self.steps:
            lines.append("Rejected in turn: " + ", ".join(step.hypothesis for step in self.steps))
        return "\n".join(lines)

    __repr__ = __str__


def _yes(flag: bool) -> str:
    return "yes" if flag else "no"
