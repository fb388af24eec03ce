"""Figures of the endpoints that bring one of their own."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ..endpoints.cluster_result import ClustersResult
from ..endpoints.guesses.result import BlindingResult
from ..endpoints.safety.result import AdverseEventsResult
from ..endpoints.survival.result import TimeToEventResult
from ..figure_style import figure_function
from ..wording import arm_text, clean, decimal, measure_text, visit_text
from .figures.adverse_events import adverse_events_figure
from .figures.blinding import guesses_figure
from .figures.clusters import clusters_figure
from .figures.curves import ArmCurve, curves_figure
from .page_figure import PageFigure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from matplotlib.figure import Figure

    from ..protocol import Protocol
    from ..trial import TrialResult

__all__ = ["endpoint_figures"]


def endpoint_figures(result: TrialResult) -> list[PageFigure]:
    """In the order of the endpoints, the primary first."""
    found: list[PageFigure] = []
    drawn: set[str] = set()
    for number, item in enumerate((result.primary, *result.secondary)):
        if isinstance(item, TimeToEventResult):
            measure = result.protocol.endpoint(item.name).measure
            if measure in drawn:
                continue
            drawn.add(measure)
        for kind, draw in _DRAWN.items():
            if isinstance(item, kind):
                found += draw(result.protocol, item, f"{kind.__name__.removesuffix('Result').lower()}{number}")
    return found


def _times(protocol: Protocol, item: TimeToEventResult, name: str) -> Iterator[PageFigure]:
    arms = []
    for arm in item.arms:
        median = math.inf if arm.curve is None else arm.curve.median
        said = f"median {decimal(median, 0)} days" if math.isfinite(median) else "median not reached"
        arms.append(ArmCurve(arm.arm, arm.curve, said if arm.patients else "nobody"))
    what = measure_text(protocol, protocol.endpoint(item.name).measure)
    yield PageFigure(
        name,
        curve_by_arm(protocol, arms, f"Free of {what}"),
        f"Kaplan-Meier curves of staying free of {what}, by arm",
        "All randomised, from randomisation. Ticks are patients censored there.",
    )


@figure_function
def curve_by_arm(protocol: Protocol, arms: list[ArmCurve], title: str) -> Figure:
    """Curves of staying free of an event, by arm."""
    return curves_figure(protocol, arms, title, "Free of the event", "Days since randomisation")


def _blinding(protocol: Protocol, item: BlindingResult, name: str) -> Iterator[PageFigure]:
    yield PageFigure(
        name,
        guesses_figure(protocol, item),
        "Bang's index of blinding by arm, with intervals",
        "Above its tick an arm was guessed more often than chance would have it; below, less often.",
    )
    for guess in item.guesses:
        for arm, curve in guess.curves.items():
            yield PageFigure(
                f"{name}-{clean(guess.measure)}-{clean(arm)}",
                curve.plot(),
                f"Effect of {arm_text(protocol, arm)} had another share of patients guessed their arm",
                f"Guesses: {measure_text(protocol, guess.measure)}. {curve.caution}",
            )


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
    TimeToEventResult: _times,
    ClustersResult: _clusters,
    AdverseEventsResult: _adverse_events,
    BlindingResult: _blinding,
}
