"""The line of a fault is found in any TOML that holds the same table."""

from __future__ import annotations

import pytest
from protocol_edits import KETAMINE, edited, faults_of, line_of, only_fault

from equipoise.protocol.load import _Lines

TEXT = '''# [not.a.table]
top = 1
"quoted key" = "a # no comment ["
'single' = 'x'
a.b."c.d" = 3

[table] # comment with ] and [[x]]
list = [ # [
  "]", # "
  2, [3,
  4],
]
after = """
[fake]
list = 9
""\\"
"""
literal = \'\'\'
key = "[["
\'\'\'
inline = { one = 1, two = [1, 2] }
last = true

[[rows]]
name = "first"
[rows.inner]
deep = 1
[[rows]]
name = "second"
[[rows.cells]]
v = 1
[[rows.cells]]
v = 2
 [ table . "sub.x" ]
 indented = 1
'''


@pytest.mark.parametrize(
    ("place", "part"),
    [
        (("top",), "top = 1"),
        (("quoted key",), '"quoted key"'),
        (("single",), "'single'"),
        (("a", "b", "c.d"), "a.b."),
        (("table",), "[table]"),
        (("table", "list"), "list = [ #"),
        (("table", "list", 2, 1), "list = [ #"),
        (("table", "after"), "after = "),
        (("table", "literal"), "literal = "),
        (("table", "inline"), "inline = "),
        (("table", "inline", "two", 1), "inline = "),
        (("table", "last"), "last = true"),
        (("rows",), "[[rows]]"),
        (("rows", 0, "name"), '"first"'),
        (("rows", 0, "inner", "deep"), "deep = 1"),
        (("rows", 1, "name"), '"second"'),
        (("rows", 1, "cells", 0, "v"), "v = 1"),
        (("rows", 1, "cells", 1, "v"), "v = 2"),
        (("table", "sub.x", "indented"), "indented"),
    ],
)
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_line_of_a_place(place, part, ending):
    assert _Lines(TEXT.replace("\n", ending)).of(place) == line_of(TEXT, part)


def test_what_only_looks_like_a_key_is_none():
    lines = _Lines(TEXT)
    assert lines.of(("fake",)) is None
    assert lines.of(("not", "a", "table")) is None
    assert lines.of(("table", "key")) == line_of(TEXT, "[table]")
    assert lines.of(("absent",)) is None


@pytest.mark.parametrize("change", [str, lambda text: text.replace("\n", "\r\n"), lambda text: "\ufeff" + text])
def test_line_survives_byte_order_mark_and_windows(change):
    text = edited(("alpha = 0.05", "alpha = 7.0"))
    assert only_fault(change(text)).line == line_of(text, "alpha = 7.0")


def test_fault_inside_an_inline_table_and_a_dotted_key():
    text = edited(('efficacy = { family = "obrien-fleming" }', "efficacy.family = 3"))
    assert only_fault(text).line == line_of(text, "efficacy.family")
    text = edited(("ketamine = 1 }", "ketamine = -1 }"))
    assert only_fault(text).line == line_of(text, "ketamine = -1")
    assert only_fault(text).place == "allocation.ratio.ketamine"


def test_fault_inside_an_array_of_many_lines():
    text = edited(("  [0.55, 0.75, 1.00, 0.80],", '  [0.55, 0.75, "1", 0.80],'))
    found = only_fault(text)
    assert found.place == "population.correlation[3][3]"
    assert found.line == line_of(text, "correlation = [")


def test_missing_key_points_to_its_table():
    text = edited(('title = "Repeated ketamine infusions against midazolam for chronic PTSD"', ""))
    found = only_fault(text)
    assert (found.place, found.message, found.line) == ("trial.title", "is missing", line_of(text, "[trial]"))


def test_syntax_fault_keeps_the_line_of_the_parser():
    text = edited(("day = 14", "day = = 14"))
    assert only_fault(text).line == line_of(text, "day = = 14")


def test_strange_keys_are_shown_quoted_and_shortened():
    found = faults_of(KETAMINE + '\n[scenarios."weird key!"]\n')
    assert any(fault.place.startswith('scenarios."weird key!"') for fault in found)
    found = faults_of("k" * 5000 + "!" + " = 1") + faults_of('"' + "k !" * 5000 + '" = 1')
    assert all(len(fault.place) < 6000 for fault in found)
