"""Papers: what ships, and faults with their lines."""

from __future__ import annotations

import re

import pytest
from protocol_edits import edited

import equipoise as eq
from equipoise.errors import InputError
from equipoise.protocol import Fault, Paper, ProtocolError, find_paper, find_protocol, paper_names, paper_text
from equipoise.protocol.load import parse_as

KETAMINE = paper_text("ptsd-ketamine-paper")


def faults_of(text: str) -> tuple[Fault, ...]:
    with pytest.raises(ProtocolError) as caught:
        parse_as(Paper, text.encode(), "paper.toml")
    assert str(caught.value).startswith("paper.toml has ")
    return caught.value.faults


def only_fault(*changes: tuple[str, str]) -> tuple[Fault, str]:
    text = edited(*changes, text=KETAMINE)
    found = faults_of(text)
    assert len(found) == 1, found
    return found[0], text


def test_names_and_titles():
    assert paper_names() == ("ptsd-ketamine-paper",)
    for name in paper_names():
        assert eq.paper(name).trial.name == name
        assert find_paper(name) == eq.paper(name)


def test_the_ketamine_paper_says_what_was_published():
    paper = eq.paper("ptsd-ketamine-paper")
    plan = eq.gallery("ptsd-ketamine")
    assert paper.fractions == (0.75, 1.0)
    assert paper.stopping.stopped_at == 1
    assert paper.stopping.patients == plan.stopping.patients
    assert paper.stopping.efficacy == plan.stopping.efficacy
    assert (paper.primary.effect, paper.primary.standard_error, paper.primary.better) == (-11.88, 3.96, "lower")
    (response,) = paper.secondaries
    assert response.is_counted
    assert (response.experimental, response.control) == ((10, 15), (3, 15))
    assert response.correlation == (0.55, 0.85)
    assert [item.name for item in paper.not_corrected] == ["loss-of-response", "clusters"]
    assert "27.5" in paper.not_corrected[0].reported


def test_every_number_says_where_it_comes_from():
    sources = re.compile(r"\[(AJP|press|editorial|derived|simulated|recalled)\]|assumed")
    lines = KETAMINE.split("\n")
    body = lines[lines.index("[stopping]") :]
    for at, line in enumerate(body):
        if re.match(r"\w+ = .*\d", line) and not line.startswith(("label", "name")):
            above = [text for text in body[:at] if text]
            said = line + (above[-1] if above[-1].startswith("#") else "")
            assert sources.search(said), line


def test_load_from_a_file_is_the_one_that_ships(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(KETAMINE, encoding="utf-8")
    assert Paper.load(path) == find_paper(str(path)) == eq.paper("ptsd-ketamine-paper")


def test_round_trip():
    paper = eq.paper("ptsd-ketamine-paper")
    assert Paper.model_validate(paper.model_dump()) == paper
    assert Paper.model_validate(paper.model_dump(mode="json")) == paper


def test_a_single_correlation_is_a_range_of_one():
    text = edited(("[0.55, 0.85]", "0.7"), text=KETAMINE)
    assert parse_as(Paper, text.encode(), "").secondaries[0].correlation == (0.7, 0.7)


def test_unknown_names():
    with pytest.raises(InputError, match="did you mean 'ptsd-ketamine-paper'"):
        find_paper("ptsd-ketamine")
    with pytest.raises(InputError, match="did you mean 'ptsd-ketamine'"):
        find_protocol("ptsd-ketamine-paper")


@pytest.mark.parametrize(
    ("old", "new", "place", "message"),
    [
        ('better = "lower"', 'beter = "lower"', "primary.beter", "did you mean 'better'?"),
        ("standard_error = 3.96", "standard_error = -1", "primary.standard_error", "greater than 0"),
        ("effect = -11.88", "", "primary.effect", "is missing"),
        ('better = "lower"', 'scale = "points"', "primary.scale", "'mean difference'"),
        ("stopped_at = 1", "stopped_at = 3", "stopping.stopped_at", "from 1 to 2"),
        ("stopped_at = 1", "stopped_at = 0", "stopping.stopped_at", "greater than or equal to 1"),
        ("patients = [30, 40]", "patients = [40, 30]", "stopping.patients[2]", "looks not increasing"),
        ("sided = 2", "sided = 3", "stopping.sided", "1 or 2"),
        ("alpha = 0.05", "alpha = 0.05\nfractions = [0.5, 1]", "stopping", "one of 'fractions', 'patients' and"),
        ("experimental = [10, 15]", "experimental = [16, 15]", "secondaries[1].experimental", "then all patients"),
        ("experimental = [10, 15]", "experimental = [10.5, 15]", "secondaries[1].experimental[1]", "valid integer"),
        ("control = [3, 15]", "", "secondaries[1]", "or counts in 'experimental' and 'control'"),
        ("control = [3, 15]", "control = [3, 15]\neffect = 1", "secondaries[1]", "or counts in"),
        ("control = [3, 15]", 'control = [3, 15]\nscale = "log odds ratio"', "secondaries[1].scale", "with counts"),
        ("correlation = [0.55, 0.85]", "correlation = [0.85, 0.55]", "secondaries[1].correlation", "lowest first"),
        ("correlation = [0.55, 0.85]", "correlation = [0.85, 1.1]", "secondaries[1].correlation[2]", "or equal to 1"),
        ("correlation = [0.55, 0.85]", "", "secondaries[1].correlation", "is missing"),
        ('name = "response"', 'name = "caps5-week2"', "secondaries[1].name", "stands twice"),
        ('name = "clusters"', 'name = "response"', "not_corrected[2].name", "stands twice"),
        ("[primary]", "[arms]\nketamine = 1\n[primary]", "arms", "known keys here are trial, stopping, primary"),
    ],
)
def test_a_fault_is_named_with_its_line(old, new, place, message):
    fault, text = only_fault((old, new))
    assert fault.place == place
    assert message in fault.message
    key = place.split(".")[-1].split("[")[0]
    assert fault.line is not None
    if new and f"{key} = " in new:
        changed = next(line for line in new.split("\n") if line.startswith(f"{key} = "))
        assert text.split("\n")[fault.line - 1].startswith(changed)


def test_a_file_that_is_no_paper():
    assert "expected a paper in TOML" in faults_of(" ")[0].message
    assert {fault.place for fault in faults_of("x = 1")} == {"trial", "stopping", "primary", "x"}
