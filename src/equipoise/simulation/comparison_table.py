"""The points of a comparison as tables: what each decides, and what its estimates are worth."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..narrow_table import narrow_text, wrapped
from ..table import Table
from ..wording import clean, decimal, listed
from .characteristics_tables import ERRORS
from .effect_text import (
    arms_compared,
    bias_heading,
    effect_text,
    error_text,
    in_percent,
    kind_text,
    rmse_heading,
)
from .point_names import short_names, value_text
from .rates import Mean, Rate
from .theory import power_by_theory

if TYPE_CHECKING:
    from .comparison import Comparison

__all__ = ["comparison_tables", "comparison_text"]

_NAMES = {
    "effect": "effect, multiple",
    "sd": "SD, multiple",
    "correlation": "correlation, multiple",
    "patients-per-month": "patients a month",
}


def comparison_text(found: Comparison) -> str:
    """The tables for a terminal, and those of the designs where there are several."""
    from .design_tables import design_tables

    keys = len(_keys(found)[0])
    tables = list(comparison_tables(found))
    designs = design_tables(found) if len(found.designs) > 1 else ()
    parts = [
        "\n".join([*wrapped(table.title), narrow_text(table, own), *wrapped(table.note)])
        for table, own in (*((table, keys) for table in tables), *((table, 1) for table in designs))
    ]
    return "\n\n".join(parts)


def comparison_tables(found: Comparison) -> tuple[Table, ...]:
    """What each point decides, at what size and when it ends, and what its estimates are worth; Monte-Carlo standard
    errors in brackets.

    Points without results yet are left out, and so is the last table where effects are of several scales.
    """
    tables = [_decides(found)]
    if found.results:
        tables.append(_size(found))
        if len({one.context.primary.scale for one in found.results}) == 1:
            tables.append(_worth(found))
    return tuple(tables)


def _keys(found: Comparison) -> tuple[list[str], list[list[str]]]:
    """What tells the points apart: headings, and cells of every point."""
    several, designs = len(found.scenarios) > 1, len(found.designs) > 1
    axes = [name for name in found.axes if len(found.axes[name]) > 1 or not (several or designs)]
    names = short_names(axes)
    header = [name for name, wanted in (("scenario", several), ("design", designs)) if wanted]
    header += [_NAMES.get(name, names[name]) for name in axes]
    rows = []
    for point in found.points[: len(found)]:
        row = [clean(point.scenario)] if several or not header else []
        row += [clean(point.design)] if designs else []
        row += [value_text(point.values[name]) if name in point.values else "" for name in axes]
        rows.append(row)
    return header or ["scenario"], rows


def _decides(found: Comparison) -> Table:
    header, rows = _keys(found)
    results, differences = found.results, found.differences
    either = any(one.type_one_error is not None or one.rejection != one.power for one in results)
    failures = any(one.failures for one in results)
    looks = any(one.looks > 1 for one in results)
    differs = any(difference is not None for difference in differences)
    header += ["trials", "power, %", "theory, %"]
    header += ["rejects either way, %"] if either else []
    header += ["looks not analysed"] if failures else []
    header += ["ends early, %"] if looks else []
    header += ["difference in power, %"] if differs else []
    for row, result, difference in zip(rows, results, differences, strict=True):
        row += [f"{result.trials:,}", result.power.text(""), decimal(100 * power_by_theory(result), 2)]
        row += [result.rejection.text("")] if either else []
        row += [f"{result.failures:,}"] if failures else []
        row += [Rate(sum(rate.hits for rate in result.stopping[:-1]), result.trials).text("")] if looks else []
        row += [difference.power.scaled(100).text(2) if difference else ""] if differs else []
    return Table(_title(found, len(rows)), tuple(header), tuple(map(tuple, rows)), _note(found, either, failures))


def _size(found: Comparison) -> Table:
    header, rows = _keys(found)
    results = found.results
    events = any(one.context.unit != "patients" for one in results)
    differs = any(difference is not None for difference in found.differences)
    header += ["patients", "SD of patients"] + (["events"] if events else []) + ["days"]
    header += ["difference in patients"] if differs else []
    for row, result, difference in zip(rows, results, found.differences, strict=True):
        patients = result.patients().mean
        row += [patients.text(1), decimal(patients.standard_error * math.sqrt(patients.trials), 1)]
        if events:
            row.append("–" if result.context.unit == "patients" else result.patients("due").mean.text(1))
        row.append(_days(result.duration().mean))
        row += [difference.patients.text(2) if difference else ""] if differs else []
    return Table("Size and length at the end, means over trials", tuple(header), tuple(map(tuple, rows)))


def _worth(found: Comparison) -> Table:
    results = found.results
    header, rows = _keys(found)
    aim, protocol = results[0].context.primary, found.points[0].protocol
    corrected = any(one.corrected for one in results)
    bias = bias_heading(aim)
    header += ["true effect", f"{bias}, observed"] + ([f"{bias}, corrected"] if corrected else [])
    header += [rmse_heading(aim), "interval covers, %"]
    header += ["corrected covers, %"] if corrected else []
    header += ["type M error"]
    for row, result in zip(rows, results, strict=True):
        own, observed = result.context.primary, result.estimates()
        repaired = result.estimates("median_unbiased")
        row += [effect_text(own, own.truth), error_text(own, observed.bias)]
        row += [error_text(own, repaired.bias)] if corrected else []
        root = observed.root_mean_squared_error.value
        row += [decimal(100 * root, 1) if in_percent(own) else decimal(root, 2), observed.coverage.text("")]
        row += [repaired.coverage.text("")] if corrected else []
        row.append(result.given_efficacy.exaggeration.text(2))
    note = "RMSE and type M error, the observed effect over the truth where trials show efficacy, are of the estimate"
    note += " as observed" + ("; corrected is the median-unbiased estimate and its interval." if corrected else ".")
    title = f"What the estimates are worth: {clean(aim.label)} ({kind_text(aim, protocol)})"
    return Table(title, tuple(header), tuple(map(tuple, rows)), note)


def _title(found: Comparison, done: int) -> str:
    ended = "" if found.complete else f"; {done} of {len(found.points)} points, not all to their end"
    trial = clean(found.points[0].protocol.trial.name)
    scenario = "" if len(found.scenarios) > 1 else f", scenario {clean(found.points[0].scenario)}"
    return f"{trial}{scenario}, seed {found.results[0].seed if found.results else '–'}{ended}"


def _note(found: Comparison, either: bool, failures: bool) -> str:
    note = f"{ERRORS} Theory is normal, with known standard errors."
    nulls = [one.type_one_error is not None for one in found.results]
    if any(nulls):
        note += " Rejections either way are the type I error" + (
            " where the true effect is none." if not all(nulls) else "."
        )
    if failures:
        note += " Trials that could not be analysed at their last look count as not rejecting."
    differs = [one for one in found.differences if one is not None]
    if differs:
        if all(one.paired for one in differs):
            how = "trial by trial on the same random numbers"
        else:
            how = "as of independent trials where they were not kept"
        note += f" Differences are from {_references(found)}, {how}."
    arms = arms_compared(found.points[0].protocol)
    return f"{note} {arms}." if arms else note


def _references(found: Comparison) -> str:
    """What the points are held against, in words."""
    against = list(dict.fromkeys(one.against for one in found.differences if one is not None))
    if len(against) == 1:
        point = next(one for one in found.points if str(one) == against[0])
        names = short_names(point.values)
        words = [point.design] if point.design else []
        words += [f"{names[name]} {value_text(value)}" for name, value in point.values.items()]
        return clean(", ".join(words) or against[0])
    if len(found.designs) > 1:
        return f"{clean(found.designs[0])} with the same values"
    others = [name for name, values in found.axes.items() if name != "effect" and len(values) > 1]
    if not others:
        return f"{_NAMES['effect'].split(',')[0]} {value_text(found.axes['effect'][0])} of the same scenario"
    names = short_names(others)
    first = listed([f"{names[name]} {value_text(found.axes[name][0])}" for name in others])
    same = [
        word for word, wanted in (("effect", "effect" in found.axes), ("scenario", len(found.scenarios) > 1)) if wanted
    ]
    return f"{first} with the same {listed(same)}" if same else first


def _days(found: Mean) -> str:
    if math.isnan(found.value):
        return "–"
    return f"{found.value:,.0f} ({decimal(found.standard_error, 1)})"
