"""Section of docs/validation.md: guesses of the arm."""

from __future__ import annotations

from equipoise.endpoints.guesses.bang import bang_index
from equipoise.endpoints.guesses.counts import answers_of
from equipoise.endpoints.guesses.james import james_index
from published_guesses import TABLES
from validation_table import COLUMNS, Section, Table, printed_row

__all__ = ["guesses"]

SOURCES = {
    "crisp": "Bang 2004, table 7",
    "houweling": "Houweling 2014",
    "microdose": "Szigeti 2021, data",
    "package-bi": "R package BI 1.2.0",
}


def rows():
    for case in TABLES:
        source, decimals = SOURCES[case["id"]], case["digits"]
        for arm, answers, theirs in zip(
            ("control", "experimental"), answers_of(case["table"]), case["bang"], strict=True
        ):
            found = bang_index(*answers)
            ours = (found.index, found.standard_error)
            yield printed_row(f"{case['id']}: Bang's index, {arm}; SE", source, theirs, ours, decimals)
        found = james_index(case["table"])
        ours = (found.index, found.standard_error)
        yield printed_row(f"{case['id']}: James's index; SE", source, case["james"], ours, decimals)


def guesses() -> Section:
    text = """
Blinding indices of published tables of guesses. The numbers of the first three were worked out by hand from the
published formulas; those of the last are printed by the package.
"""
    return Section("Guesses of the arm", text, (Table(COLUMNS, tuple(rows())),))
