import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from itertools import pairwise
from pathlib import Path

import engine_chunks
import numpy as np
import pytest

from equipoise import InputError
from equipoise.simulation.engines import engine_named
from equipoise.threads import available_threads, threads

CHUNKS = list(pairwise(range(0, 410, 10)))
LOCAL = ("serial", "cores", "processes")
HERE = Path(__file__).parent


@pytest.fixture(scope="module", params=LOCAL)
def engine(request):
    with engine_named(request.param, None if request.param == "serial" else 2) as engine:
        yield engine


def expected(task):
    return [engine_chunks.numbers(task, *chunk) for chunk in CHUNKS]


def test_results_come_in_order_and_the_same_to_the_bit(engine):
    found = list(engine.map(engine_chunks.numbers, {"seed": 5}, CHUNKS))
    assert [one.tobytes() for one in found] == [one.tobytes() for one in expected({"seed": 5})]


def test_an_engine_takes_one_map_after_the_other(engine):
    for seed in (1, 2):
        found = list(engine.map(engine_chunks.numbers, {"seed": seed}, CHUNKS[:3]))
        np.testing.assert_array_equal(found, expected({"seed": seed})[:3])
    assert list(engine.map(engine_chunks.numbers, {"seed": 1}, [])) == []


def test_chunks_are_taken_only_as_results_are(engine):
    taken = []

    def chunks():
        for chunk in CHUNKS:
            taken.append(chunk)
            yield chunk

    for delivered, _ in enumerate(engine.map(engine_chunks.numbers, {"seed": 1}, chunks()), start=1):
        assert len(taken) <= delivered + 2 * 2
    assert taken == CHUNKS


def test_every_chunk_has_one_thread(engine):
    assert list(engine.map(engine_chunks.threads_seen, None, CHUNKS[:8])) == [1] * 8


def test_an_exception_names_its_chunk(engine):
    results = engine.map(engine_chunks.refusing, "", CHUNKS)
    assert [next(results), next(results)] == [0, 10]
    with pytest.raises(ZeroDivisionError, match=r"too few patients\nin trials 20 to 29"):
        next(results)
    assert list(engine.map(engine_chunks.refusing, "", CHUNKS[:2])) == [0, 10]


def test_a_refusal_stays_itself(engine):
    with pytest.raises(InputError, match=r"^dropout is 2.0; expected a share") as refusal:
        list(engine.map(engine_chunks.refusing, "input", CHUNKS))
    assert refusal.value.field == "dropout"
    assert refusal.value.value == 2.0


def test_closing_early_begins_nothing_more(engine, tmp_path):
    results = engine.map(engine_chunks.numbers, {"seed": 1, "folder": str(tmp_path), "pause": 0.02}, CHUNKS)
    next(results)
    results.close()
    begun = set(tmp_path.iterdir())
    assert len([path for path in begun if path.suffix == ".begun"]) <= 1 + 2 * 2
    assert {path.stem for path in begun if path.suffix == ".begun"} == {
        path.stem for path in begun if path.suffix == ".done"
    }
    time.sleep(0.1)
    assert set(tmp_path.iterdir()) == begun
    assert not [one for one in threading.enumerate() if one.name.startswith("equipoise")]


def test_cores_are_threads_and_processes_are_not():
    with engine_named("cores", 2) as engine:
        assert {pid for pid, _ in engine.map(engine_chunks.process_seen, None, CHUNKS)} == {os.getpid()}
    before = dict(os.environ)
    with engine_named("processes", 2) as engine:
        found = set(engine.map(engine_chunks.process_seen, None, CHUNKS))
    assert os.getpid() not in {pid for pid, _ in found}
    assert {text for _, text in found} == {"1"}
    assert dict(os.environ) == before


def test_an_exception_that_cannot_be_sent_is_told():
    with (
        engine_named("processes", 1) as engine,
        pytest.raises(RuntimeError, match=r"Unpicklable: this and that\n(.|\n)*in trials 20 to 29"),
    ):
        list(engine.map(engine_chunks.refusing, "unpicklable", CHUNKS))


def test_a_process_that_dies_is_told_and_the_engine_starts_afresh():
    with engine_named("processes", 1) as engine:
        with pytest.raises(RuntimeError, match="ended before its chunk of trials was done"):
            list(engine.map(engine_chunks.refusing, "dies", CHUNKS))
        assert list(engine.map(engine_chunks.refusing, "", CHUNKS[:2])) == [0, 10]


SCRIPT = """
    import signal, sys, threading
    sys.path.insert(0, {here!r})
    import engine_chunks
    from equipoise.simulation.engines import engine_named

    if __name__ == "__main__":
        signal.signal(signal.SIGINT, signal.default_int_handler)
        chunks = [(first, first + 10) for first in range(0, 1000, 10)]
        done = 0
        try:
            with engine_named({name!r}, {workers}) as engine:
                for _ in engine.map(engine_chunks.numbers, {task!r}, chunks):
                    done += 1
                    print("one", flush=True)
        except KeyboardInterrupt:
            print("interrupted", done, threading.active_count(), flush=True)
"""


def interrupted(folder, name, workers=None):
    """Run many chunks, interrupt them as the keyboard does after a few, and say how many were delivered."""
    script, marks = folder / "script.py", folder / "marks"
    marks.mkdir()
    task = {"seed": 1, "folder": str(marks), "pause": 0.05}
    script.write_text(textwrap.dedent(SCRIPT.format(here=str(HERE), name=name, workers=workers, task=task)))
    process = subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        try:
            assert process.stdout is not None
            assert [process.stdout.readline() for _ in range(3)] == ["one\n"] * 3
            os.killpg(process.pid, signal.SIGINT)
            out, err = process.communicate(timeout=30)
        finally:
            process.kill()
    assert err == ""
    assert process.returncode == 0
    word, done, active = out.splitlines()[-1].split()
    assert (word, active) == ("interrupted", "1")
    begun = len(list(marks.glob("*.begun")))
    assert begun < 30
    return int(done), marks


@pytest.mark.parametrize("name", LOCAL)
def test_an_interruption_ends_all_at_once(name, tmp_path):
    done, marks = interrupted(tmp_path, name, None if name == "serial" else 2)
    assert done >= 3
    if name != "serial":
        assert {path.stem for path in marks.glob("*.begun")} == {path.stem for path in marks.glob("*.done")}


@pytest.mark.parametrize(
    "name",
    [
        "core",
        "",
        None,
        "dask://",
        "dask://host",
        "dask://host:port",
        "dask://host:99999",
        "dask://:8786",
        "dask://host:8786/path",
        "dask://me@host:8786",
        "tls://host",
        "http://host:8786",
        "dask+file://",
        "dask+file://host/scheduler.json",
        "dask://[::1:8786",
    ],
)
def test_other_names_are_refused(name):
    with pytest.raises(InputError, match=r"^engine is .*; expected 'serial', 'cores', 'processes', or a Dask"):
        engine_named(name)


@pytest.mark.parametrize(
    ("name", "address", "file"),
    [
        ("dask://host:8786", "tcp://host:8786", None),
        ("dask://[::1]:8786/", "tcp://[::1]:8786", None),
        ("tcp://10.0.0.1:1", "tcp://10.0.0.1:1", None),
        ("tls://host:8786", "tls://host:8786", None),
        ("dask+file:///a%20b/scheduler.json", None, "/a b/scheduler.json"),
    ],
)
def test_addresses_of_schedulers(name, address, file):
    engine = engine_named(name)
    assert (engine.name, engine.address, engine.scheduler_file) == (name, address, file)


@pytest.mark.parametrize(
    ("name", "workers"), [("cores", 0), ("cores", 1.5), ("processes", True), ("serial", 2), ("dask://host:8786", 2)]
)
def test_a_number_of_workers_that_cannot_be_is_refused(name, workers):
    with pytest.raises(InputError, match=r"^workers is "):
        engine_named(name, workers)


def test_workers_are_as_many_as_threads_are_available():
    with threads(3):
        assert engine_named("cores").workers == 3
        assert engine_named("processes").workers == 3
    assert engine_named("cores", 5).workers == 5


def test_threads_hold_inside_and_only_there():
    outside = available_threads()
    assert outside >= 1
    seen = []
    with threads(7):
        assert available_threads() == 7
        with threads(2):
            assert available_threads() == 2
        other = threading.Thread(target=lambda: seen.append(available_threads()))
        other.start()
        other.join()
        assert available_threads() == 7
    assert seen == [outside]
    assert available_threads() == outside


@pytest.mark.parametrize("count", [0, -1, 1.5, None, True])
def test_threads_are_a_whole_number(count):
    with pytest.raises(InputError, match=r"^threads is .* expected a whole number of at least 1"), threads(count):
        pass
