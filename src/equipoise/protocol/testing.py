"""How several hypotheses are tested without claiming too much."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from .parts import Boundary, Name, Number, Part

__all__ = ["Testing", "hypothesis_name"]

Share = Annotated[Number, Field(ge=0, le=1)]


def hypothesis_name(endpoint: str, cluster: str = "") -> str:
    """Name of the hypothesis about an endpoint, or about one of its clusters: "symptoms: B"."""
    return f"{endpoint}: {cluster}" if cluster else endpoint


class Testing(Part):
    """A family of hypotheses, and the procedure that tests them at the trial's alpha, at every look."""

    procedure: Literal["fixed-sequence", "bonferroni", "holm", "hochberg", "graphical"]
    hypotheses: Annotated[
        tuple[Name, ...],
        Field(
            min_length=1,
            max_length=30,
            description="Endpoints, in their order; a cluster as 'endpoint: cluster'.",
        ),
    ]
    weights: Annotated[tuple[Share, ...], Field(description="Of a graph: share of alpha each begins with.")] = ()
    transitions: Annotated[
        tuple[tuple[Share, ...], ...],
        Field(description="Of a graph: share of its alpha a rejected hypothesis (row) gives to each other (column)."),
    ] = ()
    spending: Annotated[
        Boundary | None,
        Field(description="How each hypothesis spends its alpha over the looks; as the stopping rule when absent."),
    ] = None
