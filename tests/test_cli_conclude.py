"""`equipoise conclude`: from a paper that ships, from its file, and from figures alone."""

from __future__ import annotations

import json

import pytest

import equipoise as eq
from cli_process import CommandLine
from equipoise.endpoints.binary.proportions import risk_difference
from equipoise.protocol import paper_text

FIGURES = ("conclude", "--effect", "-11.88", "--se", "3.96", "--fractions", "0.75,1", "--stopped-at", "1")
RESPONSE = "response: counts=10/15,3/15; correlation=0.6:0.85"
MADRS = "madrs: effect=-5; se=2; df=28; correlation=0.5; unit=points of the MADRS"


@pytest.fixture
def command(monkeypatch, capsys):
    return CommandLine(monkeypatch, capsys)


def test_a_paper_that_ships(command):
    expected = eq.conclude(eq.paper("ptsd-ketamine-paper"))
    found = command("conclude", "ptsd-ketamine-paper")
    assert found.out == f"{expected}\n"
    assert max(map(len, found.out.split("\n"))) <= 100
    content = json.loads(command("conclude", "ptsd-ketamine-paper", "--json").out)
    assert content == {"version": eq.__version__, **expected.to_dict()}


def test_a_paper_copied_out_and_edited(command, tmp_path):
    assert command("gallery", "--copy", "ptsd-ketamine-paper", tmp_path).code == 0
    path = tmp_path / "ptsd-ketamine-paper.toml"
    text = path.read_text(encoding="utf-8")
    assert text == paper_text("ptsd-ketamine-paper")
    path.write_text(text.replace("[0.55, 0.85]", "0.0"), encoding="utf-8")
    assert "NNTB 2.1" in command("conclude", path).out
    _, response = json.loads(command("conclude", path, "--json").out)["effects"]
    assert response["given_the_stop"]["effect"] == pytest.approx([7 / 15] * 2)
    path.write_text(text.replace("alpha = 0.05", "alfa = 0.05"), encoding="utf-8")
    assert "stopping.alfa: unknown key; did you mean 'alpha'?" in command.refused("conclude", path)


def test_papers_stand_in_the_gallery(command):
    assert "ptsd-ketamine-paper" in command("gallery").out


def test_figures_with_effects_beside_them(command):
    found = json.loads(command(*FIGURES, "--secondary", RESPONSE, "--secondary", MADRS, "--json").out)
    madrs = eq.Estimate(-5, 2, 28, better="lower", label="madrs")
    conclusion = eq.GroupSequential((0.75, 1.0)).conclude(eq.Estimate(-11.88, 3.96, better="lower"), look=1)
    expected = eq.conclude_effects(
        conclusion,
        [
            eq.Secondary("response", risk_difference(10, 15, 3, 15), (0.6, 0.85)),
            eq.Secondary("madrs", madrs, 0.5, unit="points of the MADRS"),
        ],
    )
    assert found["effects"] == [row.to_dict() for row in expected.rows]
    assert found["conclusion"] == conclusion.to_dict()
    text = command(*FIGURES, "--secondary", RESPONSE, "--secondary", MADRS).out
    assert text.endswith(f"\n\n{expected}\n")
    assert text.startswith(command(*FIGURES).out.rstrip("\n"))
    assert max(map(len, text.split("\n"))) <= 100


def test_effects_on_other_scales(command):
    found = json.loads(
        command(
            *FIGURES,
            "--secondary",
            "hazard: effect=-0.4; se=0.2; correlation=-0.1:0.6; scale=log-hazard-ratio",
            "--secondary",
            "wins: effect=0.4; se=0.05; correlation=0.6; scale=win-probability; better=lower",
            "--secondary",
            "relapse: counts=1/20,9/20; correlation=0.3; better=lower",
            "--json",
        ).out
    )
    _, hazard, wins, relapse = found["effects"]
    assert (hazard["scale"], hazard["better"], hazard["correlation"]) == ("log hazard ratio", "lower", [-0.1, 0.6])
    assert (wins["null_value"], wins["better"]) == (0.5, "lower")
    assert relapse["as_observed"]["number_needed_to_treat"][0]["direction"] == "benefit"
    assert relapse["bias_adjusted"]["inflation"][0] > 0


@pytest.mark.parametrize(
    ("secondary", "said"),
    [
        ("response", "its correlation with the primary as well"),
        ("counts=10/15,3/15; correlation=0.6", "LABEL: KEY=VALUE"),
        ("r: counts=10/15,3/15", "its correlation with the primary"),
        ("r: counts=10/15; correlation=0.6", "counts to be those of both arms"),
        ("r: counts=10/15,3; correlation=0.6", "counts to be patients with the event and all"),
        ("r: counts=16/15,3/15; correlation=0.6", "events1 to be a whole number from 0 to the total"),
        ("r: counts=0/15,0/15; correlation=0.6", "some but not all patients had the event"),
        ("r: counts=10/15,3/15; se=1; correlation=0.6", "counts without se"),
        ("r: effect=1; correlation=0.6", "se as well, or counts"),
        ("r: effect=1; se=0; correlation=0.6", "se to be a finite number above 0"),
        ("r: effect=1; se=1; df=-1; correlation=0.6", "df to be a number above 0"),
        ("r: effect=a; se=1; correlation=0.6", "effect to be a number"),
        ("r: effect=1; se=1; correlation=1.6", "correlation to be a correlation from -1 to 1"),
        ("r: effect=1; se=1; correlation=0.6:0.1", "correlation to be a correlation from -1 to 1"),
        ("r: effect=1; se=1; correlation=high", "correlation to be a number or a range"),
        ("r: effect=1; se=1; correlation=0.6; better=up", "better to be 'higher' or 'lower'"),
        ("r: effect=1; se=1; correlation=0.6; scale=miles", "scale to be one of mean difference"),
        ("r: effect=1; se=1; correlation=0.6; colour=red", "'colour' is none"),
        ("r: effect=1; se=1; se=2; correlation=0.6", "se once"),
        ("primary: effect=1; se=1; correlation=0.6", "names that differ"),
    ],
)
def test_effects_that_cannot_be_read(command, secondary, said):
    message = command.refused(*FIGURES, "--secondary", secondary)
    assert message.startswith("--secondary is ")
    assert said in message
    assert "\n" not in message


def test_what_is_refused(command):
    assert command.refused("conclude", "ptsd-ketamine").startswith("gallery paper is 'ptsd-ketamine'")
    assert command.refused("conclude", "nowhere.toml").startswith("nowhere.toml has 1 fault")
    message = command.refused("conclude", "ptsd-ketamine-paper", "--alpha", "0.05", "--se", "1")
    assert "a paper without --se and --alpha" in message
    going_on = command.refused(*FIGURES[:2], "-4", *FIGURES[3:], "--secondary", RESPONSE)
    assert going_on.startswith("--effect is -4.0")
    assert "it goes on" in going_on
    assert "Usage: " in command("conclude", "--effect", "1").err
