"""Adverse events by term: risks by arm beside their differences (Amit, Heiberger & Lane 2008, Pharm Stat 7:20)."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING

from ...figure_style import MUTED, WIDTH, arm_style, figure_function, shorten
from ...wording import arm_label, clean

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ...endpoints.safety.result import AdverseEventsResult
    from ...protocol import Protocol

__all__ = ["adverse_events_figure"]

MOST = 15


@figure_function
def adverse_events_figure(protocol: Protocol, result: AdverseEventsResult) -> Figure:
    """The commonest terms: share of patients with at least one event by arm, and differences from control."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = result.events[:MOST]
    figure = Figure(figsize=(WIDTH, 1.45 + 0.36 * len(rows)), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(1, 1))
    count = len(protocol.arm_names)
    for at, row in enumerate(rows):
        for number, arm in enumerate(row.arms):
            if arm.patients:
                style = arm_style(number)
                left.plot([100 * arm.risk], [-at], style.marker, color=style.colour, markersize=6, zorder=3)
        for number, contrast in enumerate(row.contrasts, start=1):
            style, interval = arm_style(number), contrast.risk_difference_interval
            height = -at - 0.16 * (number - 1 - (count - 2) / 2)
            right.plot([100 * interval.lower, 100 * interval.upper], [height] * 2, color=style.colour, linewidth=1.4)
            right.plot([100 * contrast.risk_difference], [height], style.marker, color=style.colour, markersize=5)
        left.axhline(-at, color="#e3e6ea", linewidth=0.7, zorder=1)
    right.axvline(0, color=MUTED, linewidth=0.9, zorder=1)
    terms = [fill(shorten(clean(row.term).capitalize(), 34), 18) for row in rows]
    left.set_yticks([-at for at in range(len(rows))], terms)
    left.tick_params(axis="y", labelsize=8.5)
    left.set_ylim(-len(rows) + 0.4, 0.6)
    left.set_xlim(left=-2)
    left.set_xlabel("Patients, %")
    right.set_xlabel("% points")
    handles = []
    for at, arm in enumerate(protocol.arm_names):
        style, label = arm_style(at), shorten(arm_label(protocol, arm), 24)
        handles += left.plot([], [], style.marker, color=style.colour, label=label)
    left.set_title("Adverse events")
    figure.legend(handles=handles, loc="outside upper left", ncols=2, frameon=False, fontsize=8.5)
    return figure
