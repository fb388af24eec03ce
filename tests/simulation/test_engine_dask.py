import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
from itertools import pairwise

import engine_chunks
import numpy as np
import pytest
from dask_processes import LocalCluster
from test_engines import interrupted

from equipoise import InputError, gallery, simulate
from equipoise.simulation.chunk import Task
from equipoise.simulation.engines import dask_cluster, engine_named

CHUNKS = list(pairwise(range(0, 410, 10)))


@pytest.fixture(autouse=True)
def alarm():
    """A test that hangs fails."""

    def ring(*_):
        raise TimeoutError("the test took too long")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(120)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with LocalCluster(tmp_path_factory.mktemp("dask")) as cluster:
        yield cluster


def until(condition, seconds=20.0):
    """The first true value of a condition."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.01)
    raise TimeoutError


def test_results_are_those_of_serial_to_the_bit_with_a_worker_killed_half_way(tmp_path):
    marks = tmp_path / "marks"
    marks.mkdir()
    with LocalCluster(tmp_path) as cluster, engine_named(cluster.engine) as engine:
        victim, survivor = cluster.workers
        results = engine.map(engine_chunks.numbers, {"seed": 3, "folder": str(marks), "pause": 0.1}, CHUNKS)
        found = [next(results) for _ in range(len(CHUNKS) // 2)]

        def under_way():
            begun = {path.stem for path in marks.glob(f"*.{victim.pid}.begun")}
            return begun - {path.stem for path in marks.glob(f"*.{victim.pid}.done")}

        until(under_way)
        cluster.kill(victim)
        (cut,) = under_way()
        found += list(results)
        assert marks.joinpath(f"{cut.split('.')[0]}.{survivor.pid}.done").exists()
        assert list(marks.glob(f"*.{victim.pid}.done"))
    with engine_named("serial") as serial:
        alone = list(serial.map(engine_chunks.numbers, {"seed": 3}, CHUNKS))
    assert [one.tobytes() for one in found] == [one.tobytes() for one in alone]


def test_virtual_trials_are_those_of_serial_to_the_bit_with_a_worker_killed_half_way(tmp_path, monkeypatch):
    from distributed import Client

    monkeypatch.setattr(Task, "chunk", 20)
    protocol, trials = gallery("ptsd-ketamine"), 1200
    alone = simulate(protocol, trials=trials, seed=4, engine="serial")
    killed = []
    with LocalCluster(tmp_path) as cluster, Client(cluster.address, set_as_default=False) as watching:
        addresses = {pid: address for address, pid in watching.run(os.getpid).items()}
        victim = cluster.workers[0]

        def kill_once(done):
            if done >= trials // 3 and not killed:
                until(lambda: watching.processing()[addresses[victim.pid]])
                cluster.kill(victim)
                killed.append(done)

        found = simulate(protocol, trials=trials, seed=4, engine=cluster.engine, on_progress=kill_once)
        assert list(watching.nthreads()) == [addresses[cluster.workers[1].pid]]
    assert killed[0] < trials // 2
    for part in ("looks", "ends"):
        theirs, ours = getattr(found.rows, part), getattr(alone.rows, part)
        assert {name: column.tobytes() for name, column in theirs.items()} == {
            name: column.tobytes() for name, column in ours.items()
        }
    assert found.rows.failures == alone.rows.failures
    assert found.to_dict() == alone.to_dict()


def test_the_task_survives_the_death_of_all_that_have_it(tmp_path):
    with LocalCluster(tmp_path, workers=1) as cluster, engine_named(cluster.engine) as engine:
        results = engine.map(engine_chunks.numbers, {"seed": 3, "pause": 0.02}, CHUNKS)
        found = [next(results) for _ in range(3)]
        cluster.kill(cluster.workers[0])
        cluster.start_worker()
        found += list(results)
    np.testing.assert_array_equal(found, [engine_chunks.numbers({"seed": 3}, *chunk) for chunk in CHUNKS])


def test_order_threads_and_look_ahead(cluster):
    taken = []

    def chunks():
        for chunk in CHUNKS:
            taken.append(chunk)
            yield chunk

    with engine_named(f"dask+file://{cluster.file}") as engine:
        for delivered, first in enumerate(engine.map(engine_chunks.refusing, "", chunks()), start=1):
            assert first == 10 * (delivered - 1)
            assert len(taken) <= delivered + 3 * 2
            if delivered == 2:
                break
        assert list(engine.map(engine_chunks.threads_seen, None, CHUNKS[:6])) == [1] * 6
        assert list(engine.map(engine_chunks.threads_seen, None, [])) == []


def test_an_exception_names_its_chunk_and_stays_itself(cluster):
    with engine_named(cluster.engine) as engine:
        with pytest.raises(ZeroDivisionError, match=r"too few patients\nin trials 20 to 29"):
            list(engine.map(engine_chunks.refusing, "", CHUNKS))
        with pytest.raises(InputError, match=r"^dropout is 2.0; expected a share"):
            list(engine.map(engine_chunks.refusing, "input", CHUNKS))
        with pytest.raises(RuntimeError, match=r"Unpicklable: this and that"):
            list(engine.map(engine_chunks.refusing, "unpicklable", CHUNKS))
        assert list(engine.map(engine_chunks.refusing, "", CHUNKS[:2])) == [0, 10]


def test_closing_early_begins_nothing_more(cluster, tmp_path):
    with engine_named(cluster.engine) as engine:
        results = engine.map(engine_chunks.numbers, {"seed": 1, "folder": str(tmp_path), "pause": 0.05}, CHUNKS)
        next(results)
        results.close()
        time.sleep(0.5)
        begun = len(list(tmp_path.glob("*.begun")))
        assert begun <= 1 + 3 * 2
        time.sleep(0.3)
        assert len(list(tmp_path.glob("*.begun"))) == begun


def test_an_interruption_ends_the_run_and_leaves_the_cluster(cluster, tmp_path):
    done, _ = interrupted(tmp_path, cluster.engine)
    assert done >= 3
    with engine_named(cluster.engine) as engine:
        assert list(engine.map(engine_chunks.refusing, "", CHUNKS[:2])) == [0, 10]


def test_a_chunk_that_kills_its_workers_is_named(tmp_path):
    with (
        LocalCluster(tmp_path, workers=4) as cluster,
        engine_named(cluster.engine) as engine,
        pytest.raises(RuntimeError, match=r"did not compute trials 20 to 29: KilledWorker"),
    ):
        list(engine.map(engine_chunks.refusing, "dies", CHUNKS[:3]))


def test_other_versions_are_refused(cluster, monkeypatch):
    ours = dask_cluster._versions()
    monkeypatch.setattr(dask_cluster, "_versions", lambda: ("0.0.1", *ours[1:]))
    with (
        engine_named(cluster.engine) as engine,
        pytest.raises(InputError, match=r"expected equipoise 0\.0\.1 on every worker, but tcp://\S+ has \d"),
    ):
        next(engine.map(engine_chunks.refusing, "", CHUNKS))


def test_other_versions_of_workers_that_join_later_are_refused(cluster, monkeypatch):
    ours = dask_cluster._versions()
    with engine_named(cluster.engine) as engine:
        list(engine.map(engine_chunks.refusing, "", CHUNKS[:1]))
        monkeypatch.setattr(dask_cluster, "_versions", lambda: (ours[0], "1.0.0", ours[2]))
        with pytest.raises(InputError, match=r"numpy \S+ on a worker.*expected numpy 1\.0\.0"):
            next(engine.map(engine_chunks.refusing, "", CHUNKS))


def test_a_scheduler_without_workers_is_told(tmp_path):
    with LocalCluster(tmp_path, workers=0) as cluster, engine_named(cluster.engine) as engine:
        engine.patience = 0.1
        with pytest.raises(InputError, match=r"workers, but none was there for 0.1 seconds"):
            next(engine.map(engine_chunks.refusing, "", CHUNKS))


def test_no_scheduler_there_is_told():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        engine = engine_named(f"dask://127.0.0.1:{free.getsockname()[1]}")
        engine.connection_seconds = 0.5
        with pytest.raises(InputError, match=r"expected a Dask scheduler that answers there within 0.5 seconds"):
            next(engine.map(engine_chunks.refusing, "", CHUNKS))


def test_something_else_there_is_told():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        engine = engine_named(f"dask://127.0.0.1:{silent.getsockname()[1]}")
        engine.connection_seconds = 0.5
        with pytest.raises(InputError, match=r"expected a Dask scheduler that answers there within 0.5 seconds"):
            next(engine.map(engine_chunks.refusing, "", CHUNKS))


def test_a_scheduler_file_that_is_not_there_is_told(tmp_path):
    engine = engine_named(f"dask+file://{tmp_path}/none.json")
    engine.connection_seconds = 0.5
    with pytest.raises(InputError, match=r"expected a Dask scheduler that answers there within 0.5 seconds"):
        next(engine.map(engine_chunks.refusing, "", CHUNKS))


def test_encryption_without_certificates_is_told():
    with pytest.raises(InputError, match=r"expected certificates for it in Dask's configuration"):
        next(engine_named("tls://127.0.0.1:8786").map(engine_chunks.refusing, "", CHUNKS))


def test_a_scheduler_that_is_lost_is_told(tmp_path):
    with LocalCluster(tmp_path, workers=1) as cluster, engine_named(cluster.engine) as engine:
        results = engine.map(engine_chunks.numbers, {"seed": 3, "pause": 0.05}, CHUNKS)
        next(results)
        cluster.kill_scheduler()
        with pytest.raises(RuntimeError, match=r"did not compute trials \d+ to \d+: "):
            list(results)


def test_dask_not_installed_is_told(monkeypatch):
    monkeypatch.setattr(dask_cluster, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"Dask to be installed for it: pip install 'equipoise\[distributed\]'"):
        engine_named("dask://127.0.0.1:8786")


def test_dask_is_imported_only_when_used():
    assert importlib.util.find_spec("distributed") is not None
    code = "import sys; from equipoise.simulation.engines import engine_named; engine_named('dask://h:1'); "
    code += "print([name for name in ('dask', 'distributed', 'scipy', 'numba') if name in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert "distributed" not in ran.stdout
