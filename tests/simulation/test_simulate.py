import json
import signal
from itertools import count

import numpy as np
import pytest

from equipoise import InputError, NotEstimable, endpoints, gallery, run, simulate
from equipoise.patients import Truth
from equipoise.sequential import Decision
from equipoise.simulation import tally
from equipoise.simulation.chunk import Task
from equipoise.simulation.engines import engine_named
from equipoise.simulation.interrupts import interrupt_held
from equipoise.simulation.store import ResultsFolder
from protocols import edited

PROTOCOL = gallery("ptsd-ketamine")


def same(one, two):
    for mine, theirs in ((one.rows.looks, two.rows.looks), (one.rows.ends, two.rows.ends)):
        for name in mine:
            np.testing.assert_array_equal(mine[name], theirs[name])
    assert one.tally == two.tally
    assert one.to_dict() == two.to_dict()


def test_same_seed_gives_the_same_bytes():
    assert run(PROTOCOL, seed=11).to_json() == run(PROTOCOL, seed=11).to_json()
    assert run(PROTOCOL, seed=11).to_json() != run(PROTOCOL, seed=12).to_json()


def test_engines_and_workers_do_not_change_the_result():
    one = simulate(PROTOCOL, "no-effect", 2000, 3, "serial", secondary=False)
    same(one, simulate(PROTOCOL, "no-effect", 2000, 3, "cores", workers=3, secondary=False))
    same(one, simulate(PROTOCOL, "no-effect", 2000, 3, "processes", workers=2, secondary=False))


def test_more_trials_begin_with_the_same_ones():
    few = simulate(PROTOCOL, trials=20, seed=2).rows.ends
    more = simulate(PROTOCOL, trials=130, seed=2).rows.ends
    for name, values in few.items():
        np.testing.assert_array_equal(more[name][:20], values)


def test_trials_that_stop_early_overstate_the_effect():
    found = simulate(PROTOCOL, "half-effect", 20_000, secondary=False)
    assert found.context.primary.truth == pytest.approx(-5.94, abs=1e-6)
    early = found.rows.ends["effect"][(found.rows.ends["look"] == 1) & (found.rows.ends["decision"] == 0)]
    assert early.mean() < -9
    assert sum(rate.value for rate in found.stopping) == pytest.approx(1)


def test_a_folder_holds_the_rows_and_a_run_goes_on_where_it_was_stopped(tmp_path):
    whole = simulate(PROTOCOL, trials=3000, secondary=False)
    stopping = []

    def interrupt(done):
        stopping.append(done)
        if done > 1500:
            raise KeyboardInterrupt

    part = simulate(PROTOCOL, trials=3000, secondary=False, folder=tmp_path, on_progress=interrupt)
    assert part.trials == stopping[-1] < 3000
    assert not part.complete
    again = simulate(PROTOCOL, trials=3000, secondary=False, folder=tmp_path, resume=True)
    assert again.complete
    assert again.tally == whole.tally
    assert again.to_dict() == whole.to_dict()
    import polars as pl

    frame = pl.read_parquet(tmp_path / "trials" / "*.parquet").sort("trial")
    np.testing.assert_array_equal(frame["effect"].to_numpy(), whole.rows.ends["effect"])
    with pytest.raises(InputError, match="empty folder"):
        simulate(PROTOCOL, trials=10, folder=tmp_path)
    with pytest.raises(InputError, match="seed"):
        simulate(PROTOCOL, trials=3000, seed=2, secondary=False, folder=tmp_path, resume=True)


@pytest.fixture
def interruptible():
    """The keyboard's interruption as a Python program has it, whatever started the tests."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def pressed():
    signal.raise_signal(signal.SIGINT)


def broken_off():
    raise KeyboardInterrupt


@pytest.mark.parametrize("stop", [pressed, broken_off])
@pytest.mark.parametrize("when", ["merging", "before adding", "after adding", "while writing"])
def test_no_chunk_is_half_taken_in(tmp_path, monkeypatch, interruptible, stop, when):
    """Interrupted wherever a chunk is taken in, what is found and what the folder holds are of the same trials."""
    add, added, write, calls = ResultsFolder.add, tally.added, ResultsFolder._write_part, count()

    def interrupting_added(one, other):
        if when == "merging" and next(calls) == 20:
            stop()
        return added(one, other)

    def interrupting_add(folder, rows):
        number = next(calls) if "adding" in when else -1
        if when == "before adding" and number == 1:
            stop()
        add(folder, rows)
        if when == "after adding" and number == 1:
            pressed()

    def interrupting_write(folder):
        if when == "while writing" and next(calls) == 0:
            stop()
        write(folder)

    asked = {"trials": 4000, "secondary": False, "corrected": False, "engine": "serial"}
    size = chunk_of(simulate(PROTOCOL, **asked | {"trials": 1}))
    monkeypatch.setattr("equipoise.simulation.store._PART", 2 * size)
    with monkeypatch.context() as patched:
        patched.setattr(tally, "added", interrupting_added)
        patched.setattr(ResultsFolder, "add", interrupting_add)
        patched.setattr(ResultsFolder, "_write_part", interrupting_write)
        found = simulate(PROTOCOL, folder=tmp_path, **asked)
    assert 0 < found.trials < 4000
    frame = found.to_frame()
    assert frame["trial"].to_list() == list(range(found.trials))
    alone = simulate(PROTOCOL, **asked | {"trials": found.trials})
    assert alone.tally == found.tally
    again = simulate(PROTOCOL, folder=tmp_path, resume=True, **asked)
    assert again.tally == simulate(PROTOCOL, **asked).tally


def test_an_interruption_comes_when_the_step_is_done(interruptible):
    done = []

    def step():
        with interrupt_held():
            pressed()
            pressed()
            done.append(1)

    with pytest.raises(KeyboardInterrupt):
        step()
    assert done == [1]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with pytest.raises(ZeroDivisionError), interrupt_held():
        done.append(1 / 0)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_precision_ends_a_run_early_and_honestly():
    found = simulate(PROTOCOL, trials=1_000_000, precision=0.01, secondary=False, corrected=False)
    assert 1000 <= found.trials < 20_000
    assert found.power.careful_standard_error <= 0.01
    assert found.trials < found.planned_trials
    before = simulate(PROTOCOL, trials=found.trials - chunk_of(found), secondary=False, corrected=False)
    assert before.trials < 1000 or before.power.careful_standard_error > 0.01
    assert simulate(PROTOCOL, trials=5000, precision=0.4, secondary=False).trials >= 1000


def chunk_of(found):
    return Task.of(found.context.plan, Truth.of(PROTOCOL, found.scenario), found.context, 1, "x", (), False).chunk


def test_common_random_numbers_pair_scenarios():
    one = simulate(PROTOCOL, "no-effect", 500, stream="shared", secondary=False).rows.ends
    two = simulate(PROTOCOL, "half-effect", 500, stream="shared", secondary=False).rows.ends
    both = (one["look"] == 2) & (two["look"] == 2)
    assert np.corrcoef(one["effect"][both], two["effect"][both])[0, 1] > 0.9


def test_bad_numbers_and_scenarios_are_refused():
    for arguments in (
        {"trials": 0},
        {"workers": 0},
        {"scenario": "nothing"},
        {"seed": -1},
        {"engine": "abacus"},
        {"precision": 0.0},
        {"secondary": ["nothing"]},
        {"resume": True},
        {"engine": engine_named("serial"), "workers": 1},
    ):
        with pytest.raises(InputError):
            simulate(PROTOCOL, **{"trials": 1} | arguments)


@pytest.mark.parametrize("wrong", [{"seed": -1}, {"seed": 1.5}, {"engine": "abacus"}, {"secondary": ["nothing"]}])
def test_what_is_refused_leaves_no_folder(tmp_path, wrong):
    with pytest.raises(InputError):
        simulate(PROTOCOL, trials=1, folder=tmp_path / "results", **wrong)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_no_trial_came_to_is_taken(tmp_path):
    pytest.importorskip("distributed")
    with pytest.raises(InputError, match="a Dask scheduler that answers"):
        simulate(PROTOCOL, trials=16, folder=tmp_path, engine="dask://127.0.0.1:9")
    assert (tmp_path / "run.json").exists()
    found = simulate(PROTOCOL, trials=16, seed=2, folder=tmp_path, engine="serial")
    assert found.to_frame().height == 16
    assert json.loads((tmp_path / "run.json").read_text())["seed"] == 2
    with pytest.raises(InputError, match="empty folder"):
        simulate(PROTOCOL, trials=16, seed=2, folder=tmp_path, engine="serial")


@pytest.mark.parametrize("error", [InputError("dose", 1, "another"), NotEstimable("nobody responded")])
def test_why_secondary_endpoints_are_not_estimated_is_told_apart(monkeypatch, error):
    batch = endpoints.batch

    def failing(endpoint, protocol, trials):
        if endpoint.name == "response":
            raise error
        return batch(endpoint, protocol, trials)

    monkeypatch.setattr(endpoints, "batch", failing)
    found = simulate(PROTOCOL, trials=100, engine="serial", secondary=["response", "loss-of-response"])
    assert found.failures == 0
    assert found.failure_reasons == {}
    assert found.rows.failures[f"response: {error}"] == 100
    one = found.secondary["response"]
    assert (one.overall.estimated, one.reasons) == (0, {str(error): 100})
    assert found.to_dict()["secondary_endpoints"]["response"]["reasons_not_estimated"] == {str(error): 100}
    assert "response estimated in 0 of 100 trials" in str(found)
    assert f"100: {error}" in str(found)


def test_secondary_endpoints_that_some_trials_cannot_estimate():
    protocol = edited(stopping__patients=[3, 5], sample_size={"patients": 5, "scenario": "as-published"})
    found = simulate(protocol, trials=60, engine="serial")
    for name, one in found.secondary.items():
        missing = int(np.isnan(found.rows.ends[f"{name}.effect"]).sum())
        assert sum(one.reasons.values()) == missing
        assert one.overall.estimated == 60 - missing
    assert sum(found.failure_reasons.values()) == found.failures == found.rows.ends["failures"].sum()
    assert any(one.reasons for one in found.secondary.values())


def test_trials_that_cannot_be_analysed_are_counted_and_printed():
    protocol = edited(stopping__patients=[2, 4], sample_size={"patients": 4, "scenario": "as-published"})
    found = simulate(protocol, trials=20)
    assert found.failures == 40
    assert np.isnan(found.rows.ends["effect"]).all()
    assert (found.rows.ends["decision"] == list(Decision).index(Decision.NOT_REJECTED)).all()
    json.dumps(found.to_dict(), allow_nan=False)
    assert "could not be analysed" in str(found)
