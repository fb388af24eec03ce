"""The report: one HTML file that opens offline, with nothing outside itself and no clock in it."""

from __future__ import annotations

from functools import cache
from os import PathLike
from typing import TYPE_CHECKING, Any

from ..endpoints import describe
from ..errors import InputError
from ..wording import arm_label, clean
from .honest import honest_claims_table
from .observed_interval import observed_interval
from .page_figure import PageFigure
from .phrases import FOLLOWED
from .tables import all_tables
from .words import arms_line, decision_of, summary

if TYPE_CHECKING:
    from jinja2 import Template

    from ..trial import TrialResult

__all__ = ["PageFigure", "all_figures", "page_template", "render", "write_report"]


def all_figures(result: TrialResult) -> tuple[PageFigure, ...]:
    """Every figure the trial has, in the order of the page."""
    from .endpoint_figures import endpoint_figures
    from .figures import (
        design_figure,
        durability_figure,
        durability_result,
        estimates_figure,
        flow_figure,
        forest_figure,
        mean_result,
        means_figure,
        path_figure,
        response_figure,
        response_results,
    )

    scale = clean(result.protocol.scale_name)
    found = [
        PageFigure(
            "path",
            path_figure(result),
            "z-values of the looks against the bounds of the stopping rule",
            "z is positive in favour of the experimental arm. The trial stops where a point lies in a shaded region.",
        )
    ]
    could_stop = result.plan.design.looks > 1
    if result.conclusion is not None and could_stop:
        found.append(
            PageFigure(
                "estimates",
                estimates_figure(result),
                "Effect as observed and as corrected for stopping, with intervals",
                "The repeated interval has no point: it holds at all looks together."
                + (
                    f" The interval as observed is by a method of its own ({name}); the others rest on the standard"
                    " error that the looks test with."
                    if (name := observed_interval(result, result.conclusion)[1])
                    else ""
                ),
            )
        )
    if result.honest is not None:
        found.append(
            PageFigure(
                "forest",
                forest_figure(result),
                "Every endpoint as observed and as corrected for the stop",
                "Effects in standard errors of the observed one, so that endpoints of other units stand side by side."
                " Squares: as observed; diamonds: bias-adjusted, in the interval after the looks"
                + ("; circles: given that the trial stopped at this look." if result.stopped_early else "."),
            )
        )
    if mean_result(result) is not None:
        found.append(
            PageFigure(
                "means",
                means_figure(result),
                f"Mean {scale} by arm over time with confidence intervals",
                "Adjusted means with their intervals. Lines join visits; they are no model of what lies between."
                + ("" if result.protocol.analysis.outcome == "change" else " Baseline is the observed mean."),
            )
        )
    for at, item in enumerate(response_results(result)):
        found.append(
            PageFigure(
                f"response{at or ''}",
                response_figure(result, item.name),
                f"Proportion of responders by arm: {clean(item.label)}",
                "At the deciding look. Number needed to treat with its interval: NNTB for benefit, NNTH for harm;"
                " through ∞ where the difference may be none.",
            )
        )
    if durability_result(result) is not None:
        found += [
            PageFigure(
                "durability-responders",
                durability_figure(result, "responders"),
                "Kaplan-Meier curves of staying in response among responders",
                f"Responders among {FOLLOWED}; the table of responders is of the deciding look and may count fewer."
                " Ticks are censored patients. Who responds depends on the treatment, so this is no randomised"
                " comparison.",
            ),
            PageFigure(
                "durability-randomised",
                durability_figure(result, "all randomised"),
                "Kaplan-Meier curves of staying in response among all randomised",
                f"Of {FOLLOWED}; patients without response count as lost on day 0, which keeps the arms as randomised.",
            ),
        ]
    found += endpoint_figures(result)
    if result.plan.unit == "patients":
        found.append(
            PageFigure(
                "flow",
                flow_figure(result),
                "Flow of patients by arm to the primary visit",
                f"Patients randomised by the deciding look. {describe(result.protocol.primary, result.protocol).flow}",
            )
        )
    if could_stop:
        found.append(
            PageFigure(
                "design",
                design_figure(result.plan),
                "Planned bounds and the probability of ending at each look",
                "Above, the bounds on z; below, where the trial was expected to end, under the effect the plan assumed"
                " and under none.",
            )
        )
    return tuple(found)


def render(result: TrialResult) -> str:
    """The report as HTML: self-contained, the same text for the same result."""
    from .figures import inline_svg
    from .methods import assumptions, methods, references, reproduction

    protocol = result.protocol
    drawn = [
        {"name": item.name, "svg": inline_svg(item.figure, f"figure-{item.name}", item.title), "caption": item.caption}
        for item in all_figures(result)
    ]
    claims = [table for table in (honest_claims_table(result),) if table is not None]
    return page_template("report.html.jinja").render(
        title=clean(protocol.trial.title),
        name=clean(protocol.trial.name),
        registry=clean(protocol.trial.registry),
        arms=arms_line(result),
        virtual=result.provenance.is_virtual,
        decision=str(decision_of(result)) if result.conclusion is not None else "could not be analysed",
        summary=summary(result),
        claims=claims,
        figures=drawn,
        tables=all_tables(result),
        methods=methods(result),
        model=_model(result),
        assumptions=assumptions(result),
        references=references(result),
        reproduction=reproduction(result),
        experimental=arm_label(protocol, protocol.experimental.name),
    )


def _model(result: TrialResult) -> str:
    """The fitted model as text, control characters out but lines kept."""
    from .figures import mean_result

    found = mean_result(result)
    text = found.model if found is not None else ""
    return "".join(char for char in text if char == "\n" or char.isprintable())


def write_report(result: TrialResult, path: str | PathLike[str]) -> None:
    """Write a trial's report as one HTML file; it appears whole or not at all.

    Raises
    ------
    InputError
        When the path does not end in .html, or its folder cannot be written to.
    """
    if not str(path).lower().endswith((".html", ".htm")):
        raise InputError("path", str(path), "a file name that ends in .html")
    from ..conduct import write_text

    write_text(path, render(result))


@cache
def page_template(name: str) -> Template:
    """A template of a page."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    options: dict[str, Any] = {
        "autoescape": True,
        "trim_blocks": True,
        "lstrip_blocks": True,
        "undefined": StrictUndefined,
    }
    environment = Environment(loader=PackageLoader(__package__ or "equipoise.report", "templates"), **options)
    return environment.get_template(name)
