"""The page of virtual trials: one HTML file that opens offline, with nothing outside itself and no clock in it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING

from ..errors import InputError
from ..sequential import Decision
from ..table import Table
from ..wording import arm_label, clean, counted, listed
from .oc_figures.words import point_text
from .oc_words import assumed, oc_summary, simulated_rows, unanalysed
from .page_figure import PageFigure

if TYPE_CHECKING:
    from ..simulation import Comparison, OperatingCharacteristics
    from ..simulation.vary import GridPoint

__all__ = ["OcSection", "all_oc_figures", "oc_sections", "render_oc", "write_oc_report"]

MOST_DETAILED = 4


@dataclass(frozen=True)
class OcSection:
    """A part of the page: a heading, figures and tables."""

    heading: str
    figures: tuple[PageFigure, ...]
    tables: tuple[Table, ...]


def all_oc_figures(found: OperatingCharacteristics, name: str = "one") -> tuple[PageFigure, ...]:
    """Every figure of one set of virtual trials.

    Parameters
    ----------
    name
        Prefix of the figures' names, unique in the page.
    """
    from .oc_figures import bias_forest_figure, estimate_distribution_figure, stopping_figure, z_paths_figure

    figures = [
        PageFigure(
            f"{name}-stopping",
            stopping_figure(found),
            "Share of the trials that end at each look, by why",
            f"Of all {found.trials:,} virtual trials.{unanalysed(found)}",
        ),
        PageFigure(
            f"{name}-paths",
            z_paths_figure(found),
            "z-values over the looks against the bounds of the stopping rule",
            "z is positive in favour of the experimental arm; bounds as planned. Lines are the first trials, blue where"
            " they show efficacy. Beside each look, of all trials that take it: 5% to 95%, the middle half, and the"
            " median; trials that have stopped are no longer in it.",
        ),
    ]
    if found.estimates().estimated:
        line = "" if math.isnan(found.true_effect) else ", the dashed line is the truth"
        figures.append(
            PageFigure(
                f"{name}-estimates",
                estimate_distribution_figure(found),
                "Distribution of the observed effect by the look that trials end at, against the truth",
                "Blue are trials that end for efficacy, orange for harm, grey the others; triangles are their means"
                f"{line}. Heights are scaled to each look; the thousandth of the estimates that is furthest out on"
                f" either side is not drawn.{_early_and_late(found)}",
            )
        )
    if any(one.bias.trials > 1 for one in (found.estimates(), *(item.overall for item in found.secondary.values()))):
        figures.append(
            PageFigure(
                f"{name}-bias",
                bias_forest_figure(found),
                "Bias of each endpoint's estimates, as observed and as corrected",
                "With 95% Monte-Carlo intervals, in standard deviations of the estimate over all trials. An endpoint"
                " that correlates with the primary one is biased with it when trials stop for that."
                + (
                    " Corrections hold over all trials; no estimate is unbiased given the stop."
                    if found.looks > 1
                    else ""
                ),
            )
        )
    return tuple(figures)


def _early_and_late(found: OperatingCharacteristics) -> str:
    """That early stops overstate and the rest understates, where they do."""
    null, truth = found.context.primary.null_value, found.true_effect
    if found.looks == 1 or math.isnan(truth) or truth == null:
        return ""
    early = found.estimates(look=1, decisions=(Decision.EFFICACY,)).mean.value
    late = found.estimates(look=found.looks).mean.value
    overstates, understates = ((mean - truth) * (truth - null) for mean in (early, late))
    if not (overstates > 0 > understates):
        return ""
    return " Those that stop early for efficacy overstate; those that go on to the last look understate."


def oc_sections(found: Comparison) -> tuple[OcSection, ...]:
    """The parts of the page: all points side by side where there are several, then up to four of them in full."""
    sections = [_overview(found)] if len(found.results) > 1 else []
    for number, (point, result) in enumerate(_detailed(found), start=1):
        if not result.trials:
            continue
        heading = "Figures and tables" if len(found.points) == 1 else f"In full: {point_text(found, point)}"
        tables = _tables(result, alone=len(found.results) == 1)
        sections.append(OcSection(heading, all_oc_figures(result, f"point-{number}"), tables))
    return tuple(sections)


def _overview(found: Comparison) -> OcSection:
    from ..simulation.comparison_table import comparison_tables
    from ..simulation.design_tables import design_tables
    from .oc_figures import curve_axis, heat_map_axes, heat_map_figure, points_figure, power_curve_figure
    from .oc_figures.points import MOST_POINTS_DRAWN
    from .oc_figures.power_curve import MOST_CURVES, curves_of

    figures = []
    along, names = curve_axis(found), heat_map_axes(found)
    nulls = any(one.type_one_error is not None for one in found.results)
    one_sided = (
        " Without an effect too, power is of rejections in favour of the experimental arm only." if nulls else ""
    )
    if along is not None:
        effect = (" In brackets the true effect." if along == "effect" else "") + one_sided
        curves = len(curves_of(found, along))
        figures.append(
            PageFigure(
                "curves",
                power_curve_figure(found),
                f"Power and expected patients against {clean(along)}",
                "Bands are pointwise 95% Monte-Carlo intervals; curves share their random numbers, so that"
                f" differences between them are known better than the bands suggest.{effect}"
                + (f" The first {MOST_CURVES} of {curves} curves are drawn." if curves > MOST_CURVES else ""),
            )
        )
    else:
        figures.append(
            PageFigure(
                "points",
                points_figure(found),
                "Power and expected patients of each point",
                "With 95% Monte-Carlo intervals. Points of one scenario share their random numbers, so that differences"
                " between them are known better than the intervals suggest"
                + (f"; the first {MOST_POINTS_DRAWN} are drawn." if len(found) > MOST_POINTS_DRAWN else "."),
            )
        )
    if names is not None:
        pairs = [(design, scenario) for scenario in found.scenarios for design in found.designs]
        for number, (design, scenario) in enumerate(pairs[:MOST_DETAILED], start=1):
            words = [clean(word) for word in (scenario if len(found.scenarios) > 1 else "", design) if word]
            figures.append(
                PageFigure(
                    f"map-{number}",
                    heat_map_figure(found, design, scenario),
                    f"Power and expected patients by {clean(names[0])} and {clean(names[1])}",
                    f"At each combination{': ' + ', '.join(words) if words else ''}.{one_sided}",
                )
            )
    return OcSection("Side by side", tuple(figures), (*comparison_tables(found), *design_tables(found)))


def _detailed(found: Comparison) -> list[tuple[GridPoint, OperatingCharacteristics]]:
    """Which points are shown in full: all where they are few, else of each scenario and design the one whose effect is
    the scenario's own, or the first.
    """
    pairs = list(zip(found.points, found.results, strict=False))
    if len(pairs) <= MOST_DETAILED:
        return pairs
    chosen = []
    for scenario in found.scenarios:
        for design in found.designs:
            own = [pair for pair in pairs if (pair[0].scenario, pair[0].design) == (scenario, design)]
            if own:
                chosen.append(min(own, key=lambda pair: abs(float(pair[0].values.get("effect", 1.0)) - 1.0)))
    return chosen[:MOST_DETAILED]


def _tables(found: OperatingCharacteristics, *, alone: bool) -> tuple[Table, ...]:
    """Those of one point; its design among them where no other point is there to show it with."""
    from ..simulation.characteristics_tables import (
        ERRORS,
        estimates_table,
        exaggerations,
        looks_table,
        rejection_rows,
        secondaries_table,
        sizes_table,
    )
    from ..simulation.design_tables import design_table

    first = Table(
        "Operating characteristics",
        ("", f"{found.trials:,} virtual trials"),
        tuple((name[:1].upper() + name[1:], value) for name, value in rejection_rows(found)),
        ERRORS,
    )
    tables = [first, *([design_table(found)] if alone else []), looks_table(found), sizes_table(found)]
    tables.append(estimates_table(found))
    if found.secondary:
        table = secondaries_table(found)
        note = " ".join([table.note, *(f"{one}." for one in exaggerations(found))])
        tables.append(Table(table.title, table.header, table.rows, note))
    if found.failures:
        rows = tuple((reason, f"{count:,}") for reason, count in found.failure_reasons.items())
        tables.append(Table("Looks that could not be analysed", ("Reason", "looks"), rows))
    return tuple(map(_clean, tables))


def _clean(table: Table) -> Table:
    rows = tuple(tuple(map(clean, row)) for row in table.rows)
    return Table(clean(table.title), table.header, rows, clean(table.note))


def render_oc(found: Comparison) -> str:
    """The page as HTML: self-contained, the same text for the same results."""
    from .figures import inline_svg
    from .html import page_template

    protocol = found.points[0].protocol
    sections = [
        {
            "heading": section.heading,
            "figures": [
                {
                    "name": item.name,
                    "svg": inline_svg(item.figure, f"figure-{item.name}", item.title),
                    "caption": item.caption,
                }
                for item in section.figures
            ],
            "tables": section.tables,
        }
        for section in oc_sections(found)
    ]
    compared = (protocol.control.name, protocol.experimental.name)
    others = [arm_label(protocol, name) for name in protocol.arm_names if name not in compared]
    arms = listed([arm_label(protocol, name) for name in compared], "v")
    arms += f" (beside {listed(others)})" if others else ""
    return page_template("oc-report.html.jinja").render(
        title=clean(protocol.trial.title),
        name=clean(protocol.trial.name),
        arms=f"{arms} · {counted(len(found.points), 'set')} of virtual trials",
        summary=oc_summary(found),
        sections=sections,
        assumptions=assumed(found),
        reproduction=simulated_rows(found),
    )


def write_oc_report(found: Comparison, path: str | PathLike[str]) -> None:
    """Write the page of virtual trials as one HTML file; it appears whole or not at all.

    Raises
    ------
    InputError
        When the path does not end in .html, or its folder cannot be written to.
    """
    if not str(path).lower().endswith((".html", ".htm")):
        raise InputError("path", str(path), "a file name that ends in .html")
    from ..conduct import write_text

    write_text(path, render_oc(found))
