"""A trial's tables as rows of text, in the order of the page; the command line lays out its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..table import Table
from .endpoint_tables import (
    comparisons_table,
    differences_table,
    durability_table,
    estimates_table,
    means_table,
    response_table,
)
from .families import family_table
from .figures.response import response_results
from .honest import honest_claims_table
from .result_tables import endpoint_result_tables
from .trial_tables import baseline_table, design_table, flow_table, looks_table, safety_table

if TYPE_CHECKING:
    from ..trial import TrialResult

__all__ = [
    "Table",
    "all_tables",
    "baseline_table",
    "comparisons_table",
    "design_table",
    "differences_table",
    "durability_table",
    "estimates_table",
    "family_table",
    "flow_table",
    "honest_claims_table",
    "looks_table",
    "means_table",
    "response_table",
    "safety_table",
]


def all_tables(result: TrialResult) -> tuple[Table, ...]:
    """Every table the trial has rows for, in the order of a report."""
    found = [looks_table(result), estimates_table(result), means_table(result), differences_table(result)]
    found += [response_table(result, item.name) for item in response_results(result)]
    found += [
        durability_table(result),
        comparisons_table(result),
        family_table(result),
        *endpoint_result_tables(result),
    ]
    found += [flow_table(result), baseline_table(result), safety_table(result), design_table(result.plan)]
    return tuple(table for table in found if table is not None)
