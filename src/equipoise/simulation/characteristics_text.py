"""Operating characteristics as a terminal shows them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from ..narrow_table import narrow_text, wrapped
from ..wording import clean, counted
from .characteristics_tables import (
    ERRORS,
    estimates_table,
    exaggerations,
    looks_table,
    rejection_rows,
    secondaries_table,
    sizes_table,
)
from .design_tables import design_table
from .effect_text import arms_compared

if TYPE_CHECKING:
    from ..table import Table
    from .characteristics import OperatingCharacteristics

__all__ = ["as_text"]

_MOST_REASONS = 5


def as_text(found: OperatingCharacteristics) -> str:
    """What a trial statistician wants to know, first things first."""
    done = f"{found.trials:,} virtual trials"
    if found.trials < found.planned_trials:
        done = f"{found.trials:,} of {found.planned_trials:,} virtual trials"
        done += f", as many as a standard error of {found.precision:g} of the power takes" if found.precise else ""
    scenario = clean(found.scenario)
    head = f"{clean(found.protocol)}, scenario {scenario}: {done}, seed {found.seed}"
    if not found.trials:
        return head
    lines = rejection_rows(found)
    width = max(len(name) for name, _ in lines)
    arms = arms_compared(found.context.plan.protocol)
    first = [
        *_wrapped([head, ERRORS, f"{arms}." if arms else ""]),
        *(f"  {name.ljust(width)}  {value}" for name, value in lines),
    ]
    design, estimates = design_table(found), estimates_table(found)
    parts = [
        "\n".join(first),
        _titled(design),
        narrow_text(looks_table(found)),
        narrow_text(sizes_table(found)),
        _titled(estimates),
    ]
    if found.secondary:
        table = secondaries_table(found)
        parts.append("\n".join([narrow_text(table), *_wrapped([table.note, *exaggerations(found)])]))
    return "\n\n".join([*parts, "\n".join(_not_analysed(found))])


def _titled(table: Table) -> str:
    return "\n".join([*_wrapped([table.title]), narrow_text(table), *_wrapped([table.note])])


def _wrapped(lines: Iterable[str]) -> list[str]:
    return [part for line in lines for part in wrapped(line)]


def _not_analysed(found: OperatingCharacteristics) -> list[str]:
    lines = [f"  looks that could not be analysed  {found.failures:,}", *_reasons(found.failure_reasons)]
    for name, one in found.secondary.items():
        if one.overall.estimated < one.overall.trials:
            lines.append(f"  {name} estimated in {one.overall.estimated:,} of {one.overall.trials:,} trials")
            lines += _reasons(one.reasons)
    version = f"protocol {found.protocol_hash[:12]}, stream {found.stream}, equipoise {found.version}"
    return [*lines, f"  {version}"]


def _reasons(counts: Mapping[str, int]) -> list[str]:
    lines = [f"    {count:,}: {reason}" for reason, count in list(counts.items())[:_MOST_REASONS]]
    if len(counts) > _MOST_REASONS:
        lines.append(f"    and {counted(len(counts) - _MOST_REASONS, 'other reason')}")
    return lines
