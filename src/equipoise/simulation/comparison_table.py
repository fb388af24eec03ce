"""The points of a comparison as one table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..report.table import Table
from ..wording import clean
from .effect_text import bias_heading, error_text
from .rates import Mean, Rate
from .vary import shown

if TYPE_CHECKING:
    from .comparison import Comparison

__all__ = ["comparison_table"]

_NAMES = {
    "effect": "effect, multiple",
    "sd": "SD, multiple",
    "correlation": "correlation, multiple",
    "patients-per-month": "patients a month",
}


def comparison_table(found: Comparison) -> Table:
    """What each point is and does, shares in percent; Monte-Carlo standard errors in brackets.

    Points without results yet are left out. The differences are from the point named in the note, or in a column
    where there are several.
    """
    several, designs = len(found.scenarios) > 1, len(found.designs) > 1
    axes = [name for name in found.axes if len(found.axes[name]) > 1 or not (several or designs)]
    aim = found.results[0].context.primary if found.results else None
    header = [name for name, wanted in (("scenario", several), ("design", designs)) if wanted]
    header += [_NAMES.get(name, name) for name in axes]
    header = header or ["scenario"]
    same_scale = len({one.context.primary.scale for one in found.results}) == 1
    corrected = any(one.corrected for one in found.results)
    nulls = any(one.type_one_error is not None for one in found.results)
    header += ["trials", "power, %"]
    header += ["rejects either way, %"] if nulls else []
    header += ["patients", "ends early, %"]
    if aim is not None and same_scale:
        header += [f"{bias_heading(aim)}, observed"] + ([f"{bias_heading(aim)}, corrected"] if corrected else [])
    differs = [one for one in found.differences if one is not None]
    references = list(dict.fromkeys(one.against for one in differs))
    if differs:
        header += ["difference in power, %", "in patients"]
        header += ["from"] if len(references) > 1 and not designs else []
    rows = []
    for point, result, difference in zip(found.points, found.results, found.differences, strict=False):
        row = [point.scenario] if several else []
        row += [clean(point.design)] if designs else []
        row += [shown(point.values[name]) if name in point.values else "" for name in axes]
        row = row or [point.scenario]
        early = [rate.hits for rate in result.stopping[:-1]]
        row += [f"{result.trials:,}", _percent(result.power)]
        row += [_percent(result.rejection)] if nulls else []
        row += [result.patients().mean.text(1), _percent(Rate(sum(early), result.trials))]
        if aim is not None and same_scale:
            row.append(error_text(result.context.primary, result.estimates().bias))
            row += [error_text(result.context.primary, result.estimates("median_unbiased").bias)] if corrected else []
        if differs:
            row += [difference.power.scaled(100).text(2), difference.patients.text(2)] if difference else ["", ""]
            row += [difference.against if difference else ""] if len(references) > 1 and not designs else []
        rows.append(tuple(row))
    done = "" if found.complete else f"; {len(rows)} of {len(found.points)} points, not all to their end"
    trial = clean(found.points[0].protocol.trial.name)
    scenario = "" if several else f", scenario {found.points[0].scenario}"
    note = "In brackets the Monte-Carlo standard error."
    if differs:
        against = references[0] if len(references) == 1 else "the point named" if not designs else ""
        against = f"{found.designs[0]} with the same values" if designs and len(references) > 1 else against
        if all(one.paired for one in differs):
            how = "trial by trial on the same random numbers"
        else:
            how = "as of independent trials where they were not kept"
        note += f" Differences are from {against}, {how}."
    return Table(
        f"{trial}{scenario}, seed {found.results[0].seed if found.results else '–'}{done}",
        tuple(header),
        tuple(rows),
        note,
    )


def _percent(rate: Rate) -> str:
    return Mean(100 * rate.value, 100 * rate.standard_error, rate.trials).text(2)
