"""Tables that endpoints bring with their results."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from ..table import Table
from ..trial import NotAnalysed
from ..wording import clean, sentence

if TYPE_CHECKING:
    from ..trial import TrialResult

__all__ = ["endpoint_result_tables"]


def endpoint_result_tables(result: TrialResult) -> list[Table]:
    """Those of every endpoint that was analysed, the primary first."""
    analysed = [item for item in (result.primary, *result.secondary) if not isinstance(item, NotAnalysed)]
    titles = Counter(clean(table.title) for item in analysed for table in item.tables)
    return [
        Table(
            clean(table.title if titles[clean(table.title)] == 1 else f"{item.label}: {table.title}"),
            tuple(clean(column.name) for column in table.columns),
            table.text_rows,
            sentence(clean(table.note)) if table.note else "",
        )
        for item in analysed
        for table in item.tables
    ]
