"""One number out of the differences at several visits: their average, their slope, the area under them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..data import DAYS_PER_YEAR
from ..errors import InputError
from ..wording import decimal, listed, visit_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..protocol import LongitudinalEndpoint, Protocol

__all__ = ["VisitSummary"]


@dataclass(frozen=True, eq=False)
class VisitSummary:
    """A linear combination of the differences between arms at the visits.

    Attributes
    ----------
    kind
        "visit", "average", "slope" or "area".
    visits
        That it is over, in order.
    weights
        Of the difference at each of them, shape (visits,).
    days
        Planned days of the visits, shape (visits,).
    per_days
        Unit of time of a slope, in days.
    divided
        Whether an area is divided by the days from baseline that it spans.
    """

    kind: str
    visits: tuple[str, ...]
    weights: NDArray[np.float64]
    days: NDArray[np.float64]
    per_days: float = 7.0
    divided: bool = True

    @classmethod
    def of(cls, endpoint: LongitudinalEndpoint, protocol: Protocol) -> VisitSummary:
        """What an endpoint asks for.

        The average weighs all visits alike. The slope is that of the straight line fitted by least squares to the
        differences over the planned days; it is a contrast of the model's means and supposes no straight line, unlike
        the slope of a model with random slopes. The area is by the trapezium rule from baseline, where there is no
        difference: the arms are alike by randomisation, and exactly so with change from baseline or baseline adjusted.

        Raises
        ------
        InputError
            For a slope over fewer than two visits.
        """
        modelled = protocol.modelled_visits
        if endpoint.summary == "visit":
            chosen = (endpoint.visit,)
        elif endpoint.over:
            chosen = tuple(name for name in modelled if name in endpoint.over)
        else:
            chosen = modelled[: modelled.index(endpoint.visit) + 1]
        days = np.array([float(protocol.visit(name).day) for name in chosen])
        if endpoint.summary == "slope":
            if len(chosen) < 2:
                raise InputError("over", list(chosen), "at least two visits, for a slope")
            away = days - days.mean()
            weights = endpoint.per_days * away / (away @ away)
        elif endpoint.summary == "area":
            start = float(protocol.visits[0].day)
            steps = np.diff(days, prepend=start)
            weights = (steps + np.append(steps[1:], 0.0)) / 2
            if endpoint.divided:
                weights = weights / (days[-1] - start)
        else:
            weights = np.full(len(chosen), 1 / len(chosen))
        return cls(endpoint.summary, chosen, weights, days, endpoint.per_days, endpoint.divided)

    def at(self, visits: Sequence[str]) -> NDArray[np.float64]:
        """The weights at these visits of a model, 0 at those it is not over, shape (visits,).

        Raises
        ------
        InputError
            Where a visit that it is over is not among them.
        """
        found = np.zeros(len(visits))
        for name, weight in zip(self.visits, self.weights, strict=True):
            if name not in visits:
                raise InputError("visit", name, "a visit at which somebody has been seen")
            found[list(visits).index(name)] = weight
        return found

    def unit(self, points: str) -> str:
        """Unit of the summary where the outcome's is `points`; empty where it is that."""
        if self.kind == "slope":
            named = {1.0: "day", 7.0: "week", DAYS_PER_YEAR: "year"}.get(self.per_days)
            return (
                f"{points} a {named}" if named else f"{points} in {decimal(self.per_days, _digits(self.per_days))} days"
            )
        return f"{points} times days" if self.kind == "area" and not self.divided else ""

    def measured(self, name: str, protocol: Protocol) -> str:
        """What the difference is of, where the outcome's name is `name`: "the average of CAPS-5 over week 1 and 2"."""
        visits = listed([visit_text(protocol, visit) for visit in self.visits])
        if self.kind == "visit":
            return name
        if self.kind == "average":
            return f"the average of {name} over {visits}"
        if self.kind == "slope":
            return f"the slope of {name} over {visits}"
        until = f"from baseline to {visit_text(protocol, self.visits[-1])}"
        return f"the time-average of {name} {until}" if self.divided else f"the area under {name} {until}"


def _digits(value: float) -> int:
    return 0 if value == round(value) else 2
