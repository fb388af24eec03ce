"""The result of an adverse-events endpoint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..results import EndpointResult
from .event_table import EventRow

__all__ = ["AdverseEventsResult"]


@dataclass(frozen=True, repr=False)
class AdverseEventsResult(EndpointResult):
    """Adverse events by term and arm.

    Attributes
    ----------
    events
        A row of any event, then the terms, the commonest first.
    serious
        The same of serious events; empty where none is marked serious.
    """

    events: tuple[EventRow, ...] = ()
    serious: tuple[EventRow, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The result for a JSON file; rates are per day."""
        return super().to_dict() | {
            "events": [row.to_dict() for row in self.events],
            "serious_events": [row.to_dict() for row in self.serious],
        }
