"""Participant flow by arm, after the CONSORT diagram (Schulz, Altman & Moher 2010, BMJ 340:c332)."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING

from ...figure_style import INK, MUTED, arm_style, figure_function, new_figure, shorten
from ...wording import arm_label, visit_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ...trial import TrialResult

__all__ = ["flow_figure"]


@figure_function
def flow_figure(result: TrialResult) -> Figure:
    """Boxes by arm: randomised, withdrawn before the primary visit, not yet due there, seen there, analysed."""
    protocol = result.protocol
    rows = result.flow
    visit = visit_text(protocol, protocol.primary_visit)
    figure, (axes,) = new_figure(4.1)
    axes.axis("off")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    _box(axes, 0.5, 0.93, 0.46, 0.115, f"Randomised\nn = {sum(row.randomised for row in rows)}", INK, bold=True)
    count = len(rows)
    width = min(0.46, 0.94 / count)
    centres = [(at + 0.5) / count for at in range(count)]
    letters = max(9, int(46 * width))
    small = 10 if count < 3 else 9 if count == 3 else 7.5
    axes.plot([0.5, 0.5], [0.872, 0.835], color=MUTED, linewidth=1)
    axes.plot([centres[0], centres[-1]], [0.835, 0.835], color=MUTED, linewidth=1)
    for at, (row, centre) in enumerate(zip(rows, centres, strict=True)):
        colour = arm_style(at).colour
        label = fill(shorten(arm_label(protocol, row.arm), 2 * letters), letters)
        _arrow(axes, centre, 0.835, 0.795)
        _box(axes, centre, 0.715, width, 0.155, f"{label}\nn = {row.randomised}", colour, small, bold=True)
        _arrow(axes, centre, 0.635, 0.585)
        missing = [
            f"withdrew or missed\n{shorten(visit, letters - 4)}: {row.withdrew_before_primary}",
            f"not yet due: {row.not_yet_due}",
        ]
        _box(axes, centre, 0.475, width, 0.215, "\n".join(missing), MUTED, small)
        _arrow(axes, centre, 0.365, 0.315)
        _box(
            axes,
            centre,
            0.245,
            width,
            0.135,
            f"{shorten(f'seen at {visit}', letters)}\nn = {row.seen_at_primary}",
            colour,
            small,
        )
        _arrow(axes, centre, 0.175, 0.125)
        _box(axes, centre, 0.06, width, 0.115, f"analysed\nn = {row.analysed}", colour, small, bold=True)
    axes.set_title("Flow of patients to the primary visit")
    return figure


def _box(
    axes: Axes,
    x: float,
    y: float,
    width: float,
    height: float,
    text: str,
    colour: str,
    size: float = 10,
    bold: bool = False,
) -> None:
    from matplotlib.patches import Rectangle

    axes.add_patch(
        Rectangle(
            (x - width / 2 + 0.01, y - height / 2),
            width - 0.02,
            height,
            facecolor="white",
            edgecolor=colour,
            linewidth=1.3,
        )
    )
    axes.text(
        x,
        y,
        text,
        ha="center",
        va="center",
        fontsize=size,
        color=INK,
        fontweight="bold" if bold else "normal",
        linespacing=1.2,
    )


def _arrow(axes: Axes, x: float, start: float, end: float) -> None:
    axes.annotate(
        "",
        (x, end),
        (x, start),
        arrowprops={"arrowstyle": "-|>", "color": MUTED, "linewidth": 1, "shrinkA": 0, "shrinkB": 0},
    )
