"""Where and why trials end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...figure_style import INK, MUTED, figure_function, new_figure
from ...wording import percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ...simulation import OperatingCharacteristics

__all__ = ["stopping_figure"]

_STYLES = {
    "efficacy": ("for efficacy", "#0072b2", "", "white"),
    "harm": ("for harm", "#b34700", "", "white"),
    "futility": ("for futility", "#9aa4ae", "", INK),
    "not rejected": ("at the end, not rejected", "#eef0f3", "////", INK),
}
_ROOM_FOR_TEXT = 0.06


@figure_function
def stopping_figure(found: OperatingCharacteristics) -> Figure:
    """Share of the trials that end at each look, stacked by why."""
    reasons = {
        name: np.array([rate.value for rate in rates])
        for name, rates in found.stopping_by_reason.items()
        if any(rate.hits for rate in rates)
    }
    looks = np.arange(found.looks)
    figure, (axes,) = new_figure(3.3 + 0.2 * -(-len(reasons) // 2))
    bottom = np.zeros(found.looks)
    for name, shares in reasons.items():
        label, colour, hatch, ink = _STYLES[name]
        axes.bar(looks, shares, 0.62, bottom, label=label, color=colour, edgecolor=MUTED, hatch=hatch, linewidth=0.8)
        for look, share, base in zip(range(found.looks), shares, bottom, strict=True):
            if share >= _ROOM_FOR_TEXT:
                box = {"facecolor": colour, "edgecolor": "none", "pad": 1.2} if hatch else None
                axes.text(
                    look, base + share / 2, percent(share, 1), ha="center", va="center", color=ink, fontsize=9, bbox=box
                )
        bottom = bottom + shares
    for look, total in enumerate(bottom):
        axes.text(look, total + 0.02, percent(total, 1), ha="center", va="bottom", fontsize=9.5, fontweight="bold")
    due = found.context.plan.units_per_look
    unit = found.context.unit
    axes.set_xticks(
        looks,
        [f"Look {look}\n{count:,} {unit}" if found.looks <= 5 else str(look) for look, count in enumerate(due, 1)],
    )
    axes.set_xlim(-0.6, found.looks - 0.4)
    axes.set_ylim(0, 1.12)
    axes.set_yticks([0, 0.5, 1], ["0%", "50%", "100%"])
    axes.set_title("Where and why trials end")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower left", ncols=2, frameon=False, fontsize=9)
    return figure
