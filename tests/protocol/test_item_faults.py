"""Faults in what is assumed of items are named with their keys and what would be right."""

import pytest
from protocol_edits import edited, line_of, only_fault
from pydantic import ValidationError

from equipoise.protocol import Protocol, parse
from protocols import plain_table

HEAD = "[scenarios.as-published]\n"
CASES = {
    "items = { discrimination = 0 }": ("items.discrimination[1]", "greater than 0"),
    "items = { persistence = 1.5 }": ("items.persistence", "less than or equal to 1"),
    "items = { persistance = 0.5 }": ("items.persistance", "unknown key; did you mean 'persistence'?"),
    "items = { discrimination = true }": ("items.discrimination", "expected a list"),
    "items = { discrimination = [1.0, 2.0] }": ("items.discrimination", "expected one number, or 20, one per item"),
    "items = { difficulties = [0, 1, 1, 2] }": ("items.difficulties", "expected 4 rising numbers"),
    "items = { difficulties = [[0, 1, 2, 3], [0, 1, 2, 3]] }": ("items.difficulties", "expected one row, or 20"),
    "items = { cluster_effects = { placebo = { B = 2 } } }": (
        "items.cluster_effects.placebo",
        "expected an arm: midazolam, ketamine",
    ),
    "items = { cluster_effects = { ketamine = { F = 2 } } }": (
        "items.cluster_effects.ketamine.F",
        "expected a cluster: B, C, D, E",
    ),
    "items = { cluster_effects = { ketamine = { C = 0 } } }": (
        "items.cluster_effects.ketamine.C",
        "greater than 0",
    ),
}


@pytest.mark.parametrize("line", list(CASES))
def test_each_fault_is_named(line):
    place, message = CASES[line]
    text = edited((HEAD, f"{HEAD}{line}\n"))
    found = only_fault(text)
    assert found.place == f"scenarios.as-published.{place}"
    assert message in found.message
    assert found.line == line_of(text, line)


@pytest.mark.parametrize(
    "line",
    [
        "items = {}",
        "items = { discrimination = 2, difficulties = [-2, -1, 0.5, 1], persistence = 0 }",
        "items = { cluster_effects = { ketamine = { C = 1.5 } } }",
    ],
)
def test_sound_settings_are_read(line):
    assert parse(edited((HEAD, f"{HEAD}{line}\n")).encode()).scenarios["as-published"].items is not None


def test_a_trial_without_a_scale_has_no_items():
    table = plain_table()
    del table["outcome"]
    table["scenarios"]["as-published"]["items"] = {}
    with pytest.raises(ValidationError, match="has no meaning without"):
        Protocol.model_validate(table)
