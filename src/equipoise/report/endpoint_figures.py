"""Figures of the endpoints that bring one of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..endpoints.cluster_result import ClustersResult
from ..endpoints.safety.result import AdverseEventsResult
from ..wording import clean, visit_text
from .figures.adverse_events import adverse_events_figure
from .figures.clusters import clusters_figure
from .page_figure import PageFigure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..protocol import Protocol
    from ..trial import TrialResult

__all__ = ["endpoint_figures"]


def endpoint_figures(result: TrialResult) -> list[PageFigure]:
    """In the order of the endpoints, the primary first."""
    found = []
    for number, item in enumerate((result.primary, *result.secondary)):
        for kind, draw in _DRAWN.items():
            if isinstance(item, kind):
                found += draw(result.protocol, item, f"{kind.__name__.removesuffix('Result').lower()}{number}")
    return found


def _clusters(protocol: Protocol, item: ClustersResult, name: str) -> Iterator[PageFigure]:
    visit = visit_text(protocol, item.comparisons[0].visit)
    yield PageFigure(
        name,
        clusters_figure(protocol, item),
        f"Differences from control by cluster of symptoms, over their standard deviations: {clean(item.label)}",
        f"At {visit}, from one model of all clusters; to the right is improvement. Intervals are not corrected for the"
        " number of clusters.",
    )


def _adverse_events(protocol: Protocol, item: AdverseEventsResult, name: str) -> Iterator[PageFigure]:
    yield PageFigure(
        name,
        adverse_events_figure(protocol, item),
        "Share of patients with an adverse event by arm, and differences from control with intervals",
        "The commonest terms; left, patients with at least one event; right, differences from control with their"
        " intervals, not corrected for the number of terms.",
    )


_DRAWN: dict[type[Any], Callable[[Protocol, Any, str], Iterator[PageFigure]]] = {
    ClustersResult: _clusters,
    AdverseEventsResult: _adverse_events,
}
