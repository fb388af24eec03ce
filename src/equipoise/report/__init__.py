"""The report: figures, tables, sentences and one HTML file, each made of a result."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .figures import (
        design_figure,
        durability_figure,
        estimates_figure,
        flow_figure,
        means_figure,
        path_figure,
        response_figure,
        save_figure,
    )
    from .html import all_figures, render, write_report
    from .oc_report import all_oc_figures, render_oc, write_oc_report
    from .tables import (
        Table,
        all_tables,
        baseline_table,
        comparisons_table,
        design_table,
        differences_table,
        durability_table,
        estimates_table,
        family_table,
        flow_table,
        honest_claims_table,
        looks_table,
        means_table,
        response_table,
        safety_table,
    )
    from .words import Summary, summary

_WHERE = {
    "design_figure": "figures",
    "durability_figure": "figures",
    "estimates_figure": "figures",
    "flow_figure": "figures",
    "means_figure": "figures",
    "path_figure": "figures",
    "response_figure": "figures",
    "save_figure": "figures",
    "all_figures": "html",
    "render": "html",
    "write_report": "html",
    "all_oc_figures": "oc_report",
    "render_oc": "oc_report",
    "write_oc_report": "oc_report",
    "Table": "tables",
    "baseline_table": "tables",
    "comparisons_table": "tables",
    "honest_claims_table": "tables",
    "design_table": "tables",
    "differences_table": "tables",
    "durability_table": "tables",
    "estimates_table": "tables",
    "flow_table": "tables",
    "looks_table": "tables",
    "means_table": "tables",
    "response_table": "tables",
    "safety_table": "tables",
    "family_table": "tables",
    "all_tables": "tables",
    "Summary": "words",
    "summary": "words",
}

__all__ = [
    "Summary",
    "Table",
    "all_figures",
    "all_oc_figures",
    "all_tables",
    "baseline_table",
    "comparisons_table",
    "design_figure",
    "design_table",
    "differences_table",
    "durability_figure",
    "durability_table",
    "estimates_figure",
    "estimates_table",
    "family_table",
    "flow_figure",
    "flow_table",
    "honest_claims_table",
    "looks_table",
    "means_figure",
    "means_table",
    "path_figure",
    "render",
    "render_oc",
    "response_figure",
    "response_table",
    "safety_table",
    "save_figure",
    "summary",
    "write_oc_report",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(import_module(f".{_WHERE[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
