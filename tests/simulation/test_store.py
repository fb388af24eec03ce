import json
import shutil

import polars as pl
import pytest

from equipoise import InputError
from equipoise.simulation.characteristics import OperatingCharacteristics
from equipoise.simulation.store import ResultsFolder, about_run
from equipoise.simulation.tally import Tally
from made_up_trials import chunk, context

CONTEXT = context()
ABOUT = about_run(CONTEXT, 7, "as-published", corrected=True)
CHUNK, PER_PART = 20, 3


def _chunks(first, trials):
    return [chunk(at, min(CHUNK, trials - at), CONTEXT) for at in range(first, trials, CHUNK)]


def _found(tally, trials):
    return OperatingCharacteristics(CONTEXT, tally, 7, "as-published", trials)


def _run(path, trials, until=None):
    """A run from its beginning, or stopped after some trials."""
    folder, tally = ResultsFolder.create(path, ABOUT, CONTEXT, CHUNK, trials, PER_PART), Tally(CONTEXT)
    for rows in _chunks(0, trials):
        if until is not None and folder.done >= until:
            folder.flush()
            return tally
        tally.add(rows)
        folder.add(rows)
    folder.finish(_found(tally, trials))
    return tally


def _go_on(path, trials):
    folder, tally = ResultsFolder.resume(path, ABOUT, CONTEXT, CHUNK, trials, PER_PART)
    begun = folder.done
    for rows in _chunks(begun, trials):
        tally.add(rows)
        folder.add(rows)
    folder.finish(_found(tally, trials))
    return begun, tally


def _bytes(path):
    return {str(file.relative_to(path)): file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file()}


@pytest.mark.parametrize("until", [0, 20, 60, 100, 120, 190])
def test_resumed_is_uninterrupted_to_the_bit(tmp_path, until):
    whole = _run(tmp_path / "whole", 190)
    _run(tmp_path / "part", 190, until)
    begun, resumed = _go_on(tmp_path / "part", 190)
    assert begun == min(until, 190)
    assert resumed == whole
    assert _bytes(tmp_path / "part") == _bytes(tmp_path / "whole")


def test_more_trials_may_be_asked_for_and_fewer_may_not(tmp_path):
    _run(tmp_path / "few", 90)
    begun, resumed = _go_on(tmp_path / "few", 190)
    assert begun == 80
    assert resumed == _run(tmp_path / "whole", 190)
    assert _bytes(tmp_path / "few") == _bytes(tmp_path / "whole")
    with pytest.raises(InputError, match="at least as many"):
        _go_on(tmp_path / "few", 100)


def test_tables_are_a_row_a_look_and_a_row_a_trial(tmp_path):
    _run(tmp_path, 190)
    assert sorted(path.name for path in (tmp_path / "looks").iterdir()) == [f"part-{at:06d}.parquet" for at in range(4)]
    looks = pl.read_parquet(tmp_path / "looks" / "*.parquet")
    trials = pl.scan_parquet(tmp_path / "trials" / "*.parquet").collect()
    chunks = _chunks(0, 190)
    assert looks["trial"].len() == sum(len(rows.looks["trial"]) for rows in chunks)
    assert trials["trial"].to_list() == list(range(190))
    assert looks["date"].min() >= CONTEXT.start
    assert looks.group_by("trial").agg(pl.col("look").max())["look"].sum() == trials["look"].cast(pl.Int64).sum()
    frame = _found(Tally(CONTEXT).add(chunks[0]), 190)
    assert (
        OperatingCharacteristics(CONTEXT, frame.tally, 7, "as-published", 190, folder=tmp_path).to_frame().height == 20
    )
    held = json.loads((tmp_path / "operating-characteristics.json").read_text())
    assert held["trials"] == 190
    assert json.loads((tmp_path / "run.json").read_text())["protocol_hash"] == CONTEXT.plan.protocol.hash


def test_duckdb_reads_the_tables(tmp_path):
    duckdb = pytest.importorskip("duckdb")
    _run(tmp_path, 190)
    query = f"select decision, count(*) from '{tmp_path}/trials/*.parquet' group by decision"
    counted = dict(duckdb.sql(query).fetchall())
    assert counted == dict(pl.read_parquet(tmp_path / "trials" / "*.parquet")["decision"].value_counts().iter_rows())


def test_a_killed_run_goes_on(tmp_path):
    """Killed between the tables of a part and its own file, or while a table is written."""
    whole = _run(tmp_path / "whole", 190)
    for kept in ((), ("looks",), ("looks", "trials")):
        path = tmp_path / f"killed-{len(kept)}"
        _run(path, 190, 120)
        (path / "parts" / "part-000001.json").unlink()
        for kind in {"looks", "trials"} - set(kept):
            (path / kind / "part-000001.parquet").unlink()
        (path / "trials" / ".part-000001.parquet.half.unfinished").write_bytes(b"PAR1 half of")
        begun, resumed = _go_on(path, 190)
        assert begun == 60
        assert resumed == whole
        assert _bytes(path) == _bytes(tmp_path / "whole")


def test_what_the_run_did_not_write_is_refused(tmp_path):
    _run(tmp_path / "run", 190)

    def copy(name):
        shutil.copytree(tmp_path / "run", tmp_path / name)
        return tmp_path / name

    def refused(path, match):
        with pytest.raises(InputError, match=match) as caught:
            ResultsFolder.resume(path, ABOUT, CONTEXT, CHUNK, 190, PER_PART)
        assert "\n" not in str(caught.value)

    path = copy("truncated")
    table = path / "looks" / "part-000001.parquet"
    table.write_bytes(table.read_bytes()[:-100])
    refused(path, "damaged or foreign")
    path = copy("exchanged")
    shutil.copy(path / "looks" / "part-000000.parquet", path / "looks" / "part-000001.parquet")
    refused(path, "damaged or foreign")
    path = copy("lacking")
    (path / "trials" / "part-000002.parquet").unlink()
    refused(path, "not there")
    path = copy("no-part")
    (path / "parts" / "part-000001.json").unlink()
    refused(path, "part-000001.json is 'not there'")
    path = copy("half-a-part")
    (path / "parts" / "part-000001.json").write_text('{"chunks": [')
    refused(path, "damaged or foreign")
    path = copy("no-chunks")
    held = json.loads((path / "parts" / "part-000001.json").read_text())
    (path / "parts" / "part-000001.json").write_text(json.dumps(held | {"chunks": [1]}))
    refused(path, "damaged or foreign")
    path = copy("moved")
    held["chunks"][0]["first"] += 1
    (path / "parts" / "part-000001.json").write_text(json.dumps(held))
    refused(path, "follow each other")
    path = copy("foreign")
    shutil.copy(path / "looks" / "part-000000.parquet", path / "looks" / "mine.parquet")
    refused(path, "foreign file")
    path = copy("far")
    shutil.copy(path / "looks" / "part-000000.parquet", path / "looks" / "part-000009.parquet")
    refused(path, "foreign file")
    path = copy("no-run")
    (path / "run.json").unlink()
    refused(path, "a new or an empty folder")
    path = copy("odd-run")
    (path / "run.json").write_text("[]")
    refused(path, "damaged or foreign")


@pytest.mark.parametrize("change", [{"seed": 8}, {"protocol_hash": "other"}, {"version": "0"}, {"options": {}}])
def test_another_run_is_refused(tmp_path, change):
    _run(tmp_path, 60)
    with pytest.raises(InputError, match=f"{next(iter(change))} in .* as in the run that is to go on"):
        ResultsFolder.resume(tmp_path, ABOUT | change, CONTEXT, CHUNK, 60, PER_PART)
    with pytest.raises(InputError, match="chunk in "):
        ResultsFolder.resume(tmp_path, ABOUT, CONTEXT, CHUNK + 1, 60, PER_PART)


def test_a_folder_of_a_run_that_wrote_no_trial_is_taken(tmp_path):
    ResultsFolder.create(tmp_path / "run", ABOUT | {"seed": 8}, CONTEXT, CHUNK, 60)
    assert not ResultsFolder.holds_trials(tmp_path / "run")
    _run(tmp_path / "run", 60)
    _run(tmp_path / "whole", 60)
    assert _bytes(tmp_path / "run") == _bytes(tmp_path / "whole")
    assert ResultsFolder.holds_trials(tmp_path / "run")


def test_a_part_that_cannot_be_written_is_not_there(tmp_path, monkeypatch):
    folder = ResultsFolder.create(tmp_path / "run", ABOUT, CONTEXT, CHUNK, 190, PER_PART)
    rows = _chunks(0, 190)
    folder.add(rows[0])
    folder.add(rows[1])

    def full(*_):
        raise OSError(28, "no room")

    with monkeypatch.context() as patched:
        patched.setattr(pl.DataFrame, "write_parquet", full)
        with pytest.raises(InputError, match=r"a place that can be written \(no room\)"):
            folder.add(rows[2])
    assert folder.done == 2 * CHUNK
    folder.flush()
    _run(tmp_path / "part", 190, 2 * CHUNK)
    assert _bytes(tmp_path / "run") == _bytes(tmp_path / "part")


def test_rows_are_read_in_order_and_removed_alone(tmp_path):
    _run(tmp_path, 190)
    assert ResultsFolder.scan(tmp_path, "trials", 130).collect()["trial"].to_list() == list(range(130))
    looks = ResultsFolder.scan(tmp_path, "looks", 130).collect()
    assert looks["trial"].is_sorted()
    assert looks["trial"].max() == 129
    (tmp_path / "looks" / "mine.txt").write_text("")
    (tmp_path / "parts" / ".part-000001.json.half.unfinished").write_text("{")
    ResultsFolder.remove(tmp_path)
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")] == ["looks", "looks/mine.txt"]


def test_a_run_does_not_begin_over_another_nor_out_of_order(tmp_path):
    _run(tmp_path / "run", 60)
    with pytest.raises(InputError, match="a new or an empty folder"):
        ResultsFolder.create(tmp_path / "run", ABOUT, CONTEXT, CHUNK, 60)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="a folder to write to"):
        ResultsFolder.create(tmp_path / "file", ABOUT, CONTEXT, CHUNK, 60)
    folder = ResultsFolder.create(tmp_path / "other", ABOUT, CONTEXT, CHUNK, 60)
    assert folder.chunks_per_part == 2**16 // CHUNK
    with pytest.raises(InputError, match="begins with trial 0"):
        folder.add(chunk(20, 20, CONTEXT))
    with pytest.raises(InputError, match="begins with trial 0"):
        folder.add(chunk(0, 10, CONTEXT))
