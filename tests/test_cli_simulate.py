"""The command `simulate`: results, folder, refusals, interruption and going on."""

import json
import signal
import subprocess
import sys
import time

import pytest

import equipoise as eq
from cli_process import CommandLine
from equipoise.simulation import comparison as grid_file
from equipoise.simulation import grid, simulate_grid

FEW = ("--trials", "40", "--seed", "3", "--workers", "1", "--primary-only")


@pytest.fixture
def command(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    return CommandLine(monkeypatch, capsys)


def content_of(path):
    return json.loads(path.read_text(encoding="utf-8"))


def test_one_scenario_is_shown_in_full_and_written(command, tmp_path):
    found = command("simulate", "ptsd-ketamine", *FEW)
    assert found.code == 0, found
    assert "ptsd-ketamine, scenario as-published: 40 virtual trials, seed 3" in found.out
    assert "wrote equipoise-ptsd-ketamine-as-published/oc-report.html" in found.out
    folder = tmp_path / "equipoise-ptsd-ketamine-as-published"
    names = {path.name for path in folder.iterdir()}
    assert names == {
        "comparison.csv", "comparison.json", "looks", "oc-report.html", "operating-characteristics.json", "parts",
        "run.json", "simulation.json", "trials",
    }  # fmt: skip
    alone = eq.simulate(eq.gallery("ptsd-ketamine"), trials=40, seed=3, secondary=False).to_dict()
    assert content_of(folder / "operating-characteristics.json") == alone
    held = content_of(folder / "comparison.json")
    assert held["points"][0]["operating_characteristics"] == alone
    manifest = content_of(folder / "simulation.json")
    assert manifest["complete"] is True
    assert manifest["protocol_hash"] == eq.gallery("ptsd-ketamine").hash
    assert (folder / "oc-report.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_json_is_the_same_each_time_and_alone_on_standard_output(command, tmp_path):
    arguments = ("simulate", "ptsd-ketamine", *FEW, "--scenario", "as-published,no-effect", "--json")
    first, second = command(*arguments), command(*arguments)
    assert first.code == second.code == 0, first
    assert first.out == second.out
    content = json.loads(first.out)
    assert [point["scenario"] for point in content["points"]] == ["as-published", "no-effect"]
    assert content["complete"] is True
    assert content == content_of(tmp_path / "equipoise-ptsd-ketamine-as-published-no-effect" / "comparison.json")
    assert first.err.startswith("wrote ")


def test_several_scenarios_are_shown_one_after_the_other(command):
    found = command("simulate", "ptsd-ketamine", *FEW, "--scenario", "as-published, no-effect")
    assert "scenario as-published: 40 virtual trials" in found.out
    assert "scenario no-effect: 40 virtual trials" in found.out
    assert "Rejections either way are the type I error" in " ".join(found.out.split())


def test_a_grid_is_what_python_gives(command, tmp_path):
    given = ("--vary", "effect=0:1:0.5", "--vary", "dropout=0,0.2", "--design", "obf: efficacy=obrien-fleming",
             "--design", "pocock: efficacy=pocock")  # fmt: skip
    found = command("simulate", "ptsd-ketamine", *FEW, *given, "--out", tmp_path / "grid")
    assert found.code == 0, found
    points = grid(
        eq.gallery("ptsd-ketamine"),
        vary=["effect=0:1:0.5", "dropout=0,0.2"],
        designs=["obf: efficacy=obrien-fleming", "pocock: efficacy=pocock"],
    )
    expected = simulate_grid(points, 40, 3, secondary=False)
    assert found.out.startswith(str(expected))
    assert content_of(tmp_path / "grid" / "comparison.json") == json.loads(json.dumps(expected.to_dict()))
    assert len(content_of(tmp_path / "grid" / "simulation.json")["points"]) == 12
    assert (tmp_path / "grid" / "pocock-effect-0.5-dropout-0.2" / "trials" / "part-000000.parquet").is_file()
    assert (tmp_path / "grid" / "comparison.csv").read_text().count("\n") == 13


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--scenario", "as-published,nothing"), "scenario is 'nothing'; expected one of as-published"),
        (("--scenario", "no-effect,no-effect"), "--scenario is"),
        (("--vary", "effect"), "--vary is 'effect'; expected NAME="),
        (("--vary", "efect=1"), "--vary is 'efect'; expected effect, dropout"),
        (("--vary", "effect=20"), "--vary is 'effect=20'; expected what a protocol can have"),
        (("--design", "x: efficacy=nope"), "--design is 'x: efficacy=nope'"),
        (("--engine", "abacus"), "--engine is 'abacus'"),
        (("--engine", "serial", "--workers", "2"), "--workers is 2"),
    ],
)
def test_refusals_name_the_option_and_leave_nothing_behind(command, tmp_path, arguments, message):
    assert command.refused("simulate", "ptsd-ketamine", "--trials", "40", *arguments).startswith(message)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("arguments", [("--precision", "2"), ("--precision", "nan"), ("--precision", "0"),
                                       ("--seed", "-1"), ("--trials", "0"), ("--workers", "-1")])  # fmt: skip
def test_numbers_out_of_range_are_usage_errors(command, tmp_path, arguments):
    found = command("simulate", "ptsd-ketamine", *arguments)
    assert found.code == 2
    assert "Usage: equipoise" in found.err
    assert not list(tmp_path.iterdir())


def test_results_of_another_protocol_are_not_overwritten(command, tmp_path):
    out = ("--out", tmp_path / "here")
    assert command("simulate", "ptsd-ketamine", *FEW, *out).code == 0
    before = files_in(tmp_path)
    for more in ((), ("--resume",)):
        message = command.refused("simulate", "beat-the-blues", *FEW, *out, *more)
        assert "it holds a simulation of ptsd-ketamine" in message
        assert message.startswith("--out is")
    assert before == files_in(tmp_path)


def files_in(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--trials", "20"), "--trials is 20; expected at least as many"),
        (("--seed", "2"), "--seed is 2; expected 3, as in the simulation in"),
        (("--scenario", "no-effect"), "which alone can go on; it holds 40 trials of as-published (seed 3)"),
        (("--vary", "effect=0,1"), "which alone can go on; it holds"),
        (("--trials", "20", "no --resume"), "or --overwrite, as it holds 40 trials of as-published (seed 3)"),
        (("--seed", "2", "no --resume"), "or --overwrite, as it holds"),
        (("--vary", "effect=0,1", "no --resume"), "or --overwrite, as it holds"),
    ],
)
def test_what_is_refused_leaves_a_folder_as_it_was(command, tmp_path, more, words):
    given = ("simulate", "ptsd-ketamine", *FEW, "--out", tmp_path / "here")
    assert command(*given).code == 0
    before = files_in(tmp_path)
    resume = () if "no --resume" in more else ("--resume",)
    assert words in command.refused(*given, *(part for part in more if part != "no --resume"), *resume)
    assert files_in(tmp_path) == before


def test_resumed_with_other_endpoints(command, tmp_path):
    given = ("simulate", "ptsd-ketamine", "--trials", "20", "--engine", "serial", "--out", tmp_path / "here")
    assert command(*given, "--primary-only").code == 0
    message = command.refused(*given, "--resume")
    assert "--primary-only is 'all endpoints'; expected the primary alone" in message


def test_more_trials_of_the_same_go_on_or_begin_anew_alike(command, tmp_path):
    given = ("simulate", "ptsd-ketamine", "--primary-only", "--engine", "serial")
    for name, more in (("on", ("--resume",)), ("anew", ())):
        assert command(*given, "--trials", "40", "--out", tmp_path / name).code == 0
        assert command(*given, "--trials", "80", "--out", tmp_path / name, *more).code == 0
    for name in ("comparison.json", "simulation.json", "trials/part-000000.parquet"):
        assert (tmp_path / "on" / name).read_bytes() == (tmp_path / "anew" / name).read_bytes()


def test_simulations_of_other_things_go_to_folders_of_their_own(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for more in ((), ("--scenario", "no-effect"), ("--vary", "effect=0,1"), ("--vary", "effect=0,2")):
        assert command("simulate", "ptsd-ketamine", *FEW, *more).code == 0
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names[0] == "equipoise-ptsd-ketamine-as-published"
    assert names[-1] == "equipoise-ptsd-ketamine-no-effect"
    assert len(names) == 4


def test_an_engine_that_cannot_be_reached_leaves_nothing(command, tmp_path):
    pytest.importorskip("distributed")
    given = ("simulate", "ptsd-ketamine", "--out", tmp_path / "here", "--engine", "dask://127.0.0.1:1")
    assert "--engine is 'dask://127.0.0.1:1'; expected a Dask scheduler" in command.refused(*given)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("--vary", "sample_size=3"), "sample_size: 3: expected a table"),
        (("--vary", "scenarios=3"), "unknown scenario"),
        (("--vary", "accrual=1", "--vary", "patients-per-month=2"), "accrual: 1: expected a table"),
        (("--vary", "endpoints=1", "--vary", "effect=0.5"), "endpoints: 1: expected a list"),
        (("--vary", "arms.ketamine.mean=1", "--vary", "effect=0.5"), "mean: 1: expected a list"),
        (("--vary", "arms.ketamine=3", "--vary", "dropout=0.5"), "ketamine: 3: expected a table"),
        (("--vary", "population.correlation=0.5", "--vary", "correlation=0.5"), "correlation: 0.5: expected a list"),
        (("--vary", "effect=0:1"), "START:STOP:STEP, as effect=0:1:0.1; the step is not there"),
        (("--vary", "scenarios.no-effect.arms.ketamine.dropout=0,0.1"), "trials of the scenario as-published hang on"),
        (("--vary", "trial.title=a,b"), "hang on; they are the same with all of these"),
        (("--scenario", ","), "--scenario is ','; expected names separated by single commas"),
        (("--out", ""), "--out is ''; expected the name of a folder"),
    ],
)
def test_what_cannot_be_simulated_is_one_sentence(command, tmp_path, monkeypatch, given, words):
    monkeypatch.chdir(tmp_path)
    assert words in command.refused("simulate", "ptsd-ketamine", *FEW, *given)
    assert not list(tmp_path.iterdir())


def test_a_simulation_that_is_overwritten_leaves_no_traces(command, tmp_path):
    out = ("--out", tmp_path / "here")
    assert command("simulate", "ptsd-ketamine", *FEW, *out, "--vary", "effect=0,1").code == 0
    (tmp_path / "here" / "mine.txt").write_text("kept")
    assert command("simulate", "ptsd-ketamine", *FEW, *out, "--overwrite").code == 0
    names = {path.name for path in (tmp_path / "here").iterdir()}
    assert not {"effect-0", "effect-1"} & names
    assert {"mine.txt", "run.json"} <= names


def test_what_is_no_simulation_is_left_alone(command, tmp_path):
    folder = tmp_path / "here"
    eq.simulate(eq.gallery("ptsd-ketamine"), trials=20, secondary=False, folder=folder)
    assert "--resume to go on with its run" in command.refused("simulate", "ptsd-ketamine", *FEW, "--out", folder)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "simulation.json").write_text("{")
    assert "simulation.json is as" in command.refused("simulate", "ptsd-ketamine", "--out", tmp_path / "broken")
    (tmp_path / "file").write_text("")
    assert "that can be written" in command.refused("simulate", "ptsd-ketamine", "--out", tmp_path / "file")


def test_interrupted_and_resumed_is_what_was_never_interrupted(command, tmp_path, monkeypatch):
    given = ("simulate", "ptsd-ketamine", *FEW, "--vary", "effect=0,0.5,1")
    whole = command(*given, "--out", tmp_path / "whole")
    real, calls = grid_file.simulate, []

    def interrupted(*arguments, **options):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(grid_file, "simulate", interrupted)
        part = command(*given, "--out", tmp_path / "part")
    assert part.code == 130
    assert "interrupted: 40 of 40 trials done of point 1 of 3, effect 0; go on with --resume" in part.err
    assert "1 of 3 points" in part.out
    assert content_of(tmp_path / "part" / "simulation.json")["complete"] is False
    assert "interrupted" in (tmp_path / "part" / "oc-report.html").read_text(encoding="utf-8")
    assert "not whole yet" in command.refused(*given, "--out", tmp_path / "part")
    resumed = command(*given, "--out", tmp_path / "part", "--resume")
    assert resumed.code == 0, resumed
    assert resumed.out.replace("part/", "whole/") == whole.out
    for name in ("comparison.json", "simulation.json", "comparison.csv", "oc-report.html"):
        assert (tmp_path / "part" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_interrupted_before_anything_was_done(command, tmp_path, monkeypatch):
    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(grid_file, "simulate", interrupted)
        found = command("simulate", "ptsd-ketamine", *FEW, "--out", tmp_path / "here")
    assert (found.code, found.out) == (130, "")
    assert found.err == "equipoise: interrupted before the first trials were done\n"
    assert command("simulate", "ptsd-ketamine", *FEW, "--out", tmp_path / "here").code == 0


@pytest.mark.skipif(sys.platform == "win32", reason="signals of another kind")
def test_a_signal_stops_a_running_simulation_with_what_it_has(tmp_path):
    code = "from equipoise.cli import main; main()"
    arguments = ["simulate", "ptsd-ketamine", "--trials", "50000000", "--primary-only", "--out", str(tmp_path / "x")]
    running = subprocess.Popen(
        [sys.executable, "-c", f"import sys; sys.argv[1:] = {arguments!r}; {code}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    give_up = time.monotonic() + 120
    while not list((tmp_path / "x" / "parts").glob("*.json")) and running.poll() is None:
        assert time.monotonic() < give_up
        time.sleep(0.1)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)
    assert running.returncode == 130, err
    assert "Traceback" not in err
    assert " of 50,000,000 trials done; go on with --resume" in err
    held = content_of(tmp_path / "x" / "comparison.json")
    found = held["points"][0]["operating_characteristics"]
    assert 0 < found["trials"] < 50_000_000
    assert found["complete"] is False
    assert f"{found['trials']:,} of 50,000,000 virtual trials" in out
