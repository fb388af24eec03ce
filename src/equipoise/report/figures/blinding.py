"""Whether the arms were told apart: Bang's index by arm and by who guessed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...figure_style import MUTED, arm_style, figure_function, new_figure, shorten
from ...wording import arm_label, level_text, measure_label

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ...endpoints.guesses.result import BlindingResult
    from ...protocol import Protocol

__all__ = ["guesses_figure"]


@figure_function
def guesses_figure(protocol: Protocol, result: BlindingResult) -> Figure:
    """Bang's indices with their intervals: -1 all wrong, 0 (of two arms) by chance, 1 all correct."""
    rows = [(guess, at, arm) for guess in result.guesses for at, arm in enumerate(guess.arms)]
    figure, (axes,) = new_figure(1.45 + 0.4 * len(rows))
    labels = []
    for height, (guess, at, arm) in enumerate(rows):
        who = measure_label(protocol, guess.measure) if len(result.guesses) > 1 else ""
        labels.append(shorten(arm_label(protocol, arm.arm), 20) + (f"\n{shorten(who, 24)}" if who else ""))
        if arm.bang is None:
            axes.annotate("nobody asked", (0, -height), ha="center", va="center", fontsize=9, color=MUTED)
            continue
        style = arm_style(at)
        axes.plot(
            [arm.bang.interval.lower, arm.bang.interval.upper], [-height, -height], color=style.colour, linewidth=1.6
        )
        axes.plot([arm.bang.index], [-height], style.marker, color=style.colour, markersize=6.5, zorder=3)
        axes.plot([arm.bang.chance] * 2, [-height - 0.3, -height + 0.3], color=MUTED, linewidth=1.2, zorder=1)
    axes.set_xlim(-1, 1)
    axes.set_xticks([-1, -0.5, 0, 0.5, 1], ["−1", "−0.5", "0", "0.5", "1"])
    axes.set_yticks([-height for height in range(len(rows))], labels)
    axes.tick_params(axis="y", labelsize=9)
    axes.set_ylim(-len(rows) + 0.4, 0.6)
    level = next((level_text(arm.bang.interval.level) for _, _, arm in rows if arm.bang is not None), "95%")
    axes.set_xlabel(f"Bang's index, {level} (tick: chance)")
    axes.set_title("Guesses of the arm")
    return figure
