"""What the processes engine sends to its processes."""

import os
from itertools import pairwise
from pathlib import Path

from equipoise.simulation.engines import engine_named, processes

CHUNKS = list(pairwise(range(0, 130, 10)))


class Heavy:
    """Leaves a mark wherever it is unpickled."""

    def __init__(self, folder):
        self.folder = folder
        self.ballast = bytes(1_000_000)

    def __setstate__(self, state):
        vars(self).update(state)
        path = Path(self.folder, str(os.getpid()))
        path.write_text((path.read_text() if path.exists() else "") + "x")


def weighed(task, first, stop):
    return len(task.ballast) + first


def test_each_process_gets_the_task_once_and_no_chunk_carries_it(tmp_path, monkeypatch):
    sent = []
    submit = processes.ProcessPoolExecutor.submit

    def watched(pool, function, *arguments):
        sent.append(arguments)
        return submit(pool, function, *arguments)

    monkeypatch.setattr(processes.ProcessPoolExecutor, "submit", watched)
    with engine_named("processes", 2) as engine:
        for number in (1, 2):
            folder = tmp_path / str(number)
            folder.mkdir()
            assert list(engine.map(weighed, Heavy(str(folder)), CHUNKS)) == [1_000_000 + first for first, _ in CHUNKS]
            marks = [path.read_text() for path in folder.iterdir()]
            assert 1 <= len(marks) <= 2
            assert set(marks) == {"x"}
    paths = {path for path, _, _ in sent}
    assert len(sent) == 2 * len(CHUNKS)
    assert len(paths) == 2
    assert not any(Path(path).exists() for path in paths)
