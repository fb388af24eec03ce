"""Operating characteristics as a terminal shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..text_table import text_table
from ..wording import counted
from .characteristics_tables import (
    estimates_table,
    exaggerations,
    looks_table,
    rejection_rows,
    secondaries_table,
    sizes_table,
)

if TYPE_CHECKING:
    from ..report.table import Table
    from .characteristics import OperatingCharacteristics

__all__ = ["as_text"]

_MOST_REASONS = 5


def as_text(found: OperatingCharacteristics) -> str:
    """What a trial statistician wants to know, first things first."""
    done = f"{found.trials:,} virtual trials"
    if found.trials < found.planned_trials:
        done = f"{found.trials:,} of {found.planned_trials:,} virtual trials"
        done += f", as many as a standard error of {found.precision:g} of the power takes" if found.precise else ""
    head = f"{found.protocol}, scenario {found.scenario}: {done}, seed {found.seed} (Monte-Carlo standard error)"
    if not found.trials:
        return head
    lines = rejection_rows(found)
    width = max(len(name) for name, _ in lines)
    first = [head, *(f"  {name.ljust(width)}  {value}" for name, value in lines)]
    estimates = estimates_table(found)
    parts = [
        "\n".join(first),
        _text(looks_table(found)),
        _text(sizes_table(found)),
        f"{estimates.title}\n{_text(estimates)}",
    ]
    if found.secondary:
        table = secondaries_table(found)
        parts.append("\n".join([_text(table), table.note, *exaggerations(found)]))
    return "\n\n".join([*parts, "\n".join(_not_analysed(found))])


def _not_analysed(found: OperatingCharacteristics) -> list[str]:
    lines = [f"  looks that could not be analysed  {found.failures:,}"]
    reasons = list(found.failure_reasons.items())
    lines += [f"    {count:,}: {reason}" for reason, count in reasons[:_MOST_REASONS]]
    if len(reasons) > _MOST_REASONS:
        lines.append(f"    and {counted(len(reasons) - _MOST_REASONS, 'other reason')}")
    version = f"protocol {found.protocol_hash[:12]}, stream {found.stream}, equipoise {found.version}"
    return [*lines, f"  {version}"]


def _text(table: Table) -> str:
    """Names to the left, numbers to the right."""
    width = max(len(row[0]) for row in (table.header, *table.rows))
    flush = [[row[0].ljust(width), *row[1:]] for row in (table.header, *table.rows)]
    return "\n".join(line.rstrip() for line in text_table(flush[0], flush[1:]).splitlines())
