"""Which cluster of symptoms improved most."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...figure_style import INK, MUTED, arm_style, figure_function, new_figure, shorten
from ...wording import arm_label, clean, decimal, level_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ...endpoints.cluster_result import ClustersResult
    from ...protocol import Protocol

__all__ = ["clusters_figure"]


@figure_function
def clusters_figure(protocol: Protocol, result: ClustersResult) -> Figure:
    """Standardised differences from control by cluster, with their intervals; improvement to the right."""
    names = list(dict.fromkeys(item.cluster for item in result.clusters))
    arms = [arm for arm in protocol.arm_names if any(item.arm == arm for item in result.clusters)]
    figure, (axes,) = new_figure(1.5 + len(names) * (0.42 + 0.16 * (len(arms) - 1)))
    sign = 1 if protocol.scale.better == "higher" else -1
    for item in result.clusters:
        at = protocol.arm_names.index(item.arm)
        style = arm_style(at)
        height = -names.index(item.cluster) - 0.2 * (arms.index(item.arm) - (len(arms) - 1) / 2)
        limits = [sign * item.standardised_interval.lower, sign * item.standardised_interval.upper]
        axes.plot(limits, [height, height], color=style.colour, linewidth=1.6, zorder=2)
        axes.plot([sign * item.standardised], [height], style.marker, color=style.colour, markersize=6.5, zorder=3)
        if len(arms) == 1:
            axes.annotate(
                decimal(sign * item.standardised, 2),
                (sign * item.standardised, height),
                xytext=(0, 5),
                textcoords="offset points",
                ha="center",
                fontsize=9,
                color=INK,
            )
    axes.axvline(0, color=MUTED, linewidth=0.9, zorder=1)
    titles = {item.cluster: item.title for item in result.clusters}
    axes.set_yticks([-at for at in range(len(names))], [shorten(clean(titles[name]), 24) for name in names])
    axes.set_ylim(-len(names) + 0.45, 0.6)
    if len(arms) > 1:
        handles = [
            axes.plot([], [], arm_style(at).marker, color=arm_style(at).colour, label=arm_label(protocol, arm))[0]
            for at, arm in enumerate(protocol.arm_names)
            if arm in arms
        ]
        axes.legend(handles=handles, frameon=False, fontsize=9, loc="best")
    level = level_text(result.clusters[0].interval.level)
    axes.set_xlabel(f"Improvement, SD ({level} interval)")
    axes.set_title("Clusters of symptoms")
    return figure
