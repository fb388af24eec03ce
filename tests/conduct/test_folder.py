"""The folder a run writes, read back: the identical analysis; and the faults of such a folder."""

from __future__ import annotations

import datetime

import polars as pl
import pytest

import equipoise as eq
from equipoise.conduct import DataError, read_data, write_data
from equipoise.errors import InputError


@pytest.fixture(scope="module")
def protocol():
    return eq.gallery("ptsd-ketamine")


def content(result):
    return {name: part for name, part in result.to_dict().items() if name != "provenance"}


@pytest.mark.parametrize(
    ("name", "scenario", "seed"),
    [
        ("ptsd-ketamine", "as-published", 1),
        ("ptsd-ketamine", "as-published", 2),
        ("ptsd-ketamine", "no-effect", 3),
        ("ptsd-ketamine", "half-effect", 4),
        ("ptsd-ketamine", "later-trials", 5),
        ("ptsd-ketamine", "later-trials", 6),
        ("beat-the-blues", "as-observed", 1),
        ("beat-the-blues", "no-effect", 2),
    ],
)
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_written_and_read_back_gives_the_identical_analysis(name, scenario, seed, kind, tmp_path):
    protocol = eq.gallery(name)
    result = eq.run(protocol, scenario, seed=seed)
    files = write_data(result.followed, tmp_path)
    tables = ["patients", "assessments", "events", *(["measures"] if protocol.measures else [])]
    assert [path.name for path in files] == [
        *(f"{table}.{suffix}" for table in tables for suffix in ("csv", "parquet")),
        "about.json",
    ]
    for path in files:
        if path.suffix not in (f".{kind}", ".json"):
            path.unlink()
    again = eq.analyse(protocol, read_data(protocol, tmp_path))
    assert again.to_json() == result.to_json()


def test_wide_frame_of_a_run_has_the_same_estimate(protocol):
    result = eq.run(protocol, "as-published", seed=7)
    wide = read_data(protocol, result.data.wide_frame().drop("randomised"))
    again = eq.analyse(protocol, wide, look=result.last_look.number)
    assert again.last_look.estimate == result.last_look.estimate
    assert again.last_look.decision == result.last_look.decision


@pytest.fixture
def folder(protocol, tmp_path):
    write_data(eq.run(protocol, "later-trials", seed=1).followed, tmp_path)
    for path in tmp_path.glob("*.parquet"):
        path.unlink()
    return tmp_path


def message_of(protocol, folder) -> str:
    with pytest.raises(DataError) as caught:
        read_data(protocol, folder)
    return str(caught.value)


def change(path, row: int, column: str, value: str) -> None:
    frame = pl.read_csv(path, infer_schema=False)
    cells = frame[column].to_list()
    cells[row] = value
    frame.with_columns(pl.Series(column, cells)).write_csv(path)


@pytest.mark.parametrize(
    ("table", "row", "column", "value", "expected"),
    [
        ("assessments", 3, "patient", "P999", "row 4, column patient: unknown patient 'P999'; did you mean 'P0"),
        ("assessments", 3, "visit", "week3", "row 4, column visit: unknown visit 'week3'; did you mean 'week"),
        ("assessments", 3, "score", "99", "row 4, column score: 99 is outside the range of CAPS-5; expected 0 to 80"),
        ("assessments", 3, "score", "x", "row 4, column score: 'x' is not a number"),
        ("assessments", 3, "scale", "PCL-5", "row 4, column scale: 'PCL-5' is another scale; expected CAPS-5"),
        ("assessments", 3, "assessed", "soon", "row 4, column assessed: 'soon' is not a date"),
        ("assessments", 3, "assessed", "", "row 4, column assessed: date of assessment is missing"),
        ("assessments", 1, "visit", "baseline", "has a second score at baseline; expected one"),
        ("patients", 2, "patient", "P001", "row 3, column patient: patient 'P001' stands twice"),
        ("patients", 2, "arm", "", "row 3, column arm: arm is missing; expected one of midazolam, ketamine"),
        ("patients", 2, "arm", "ketamin", "row 3, column arm: unknown arm 'ketamin'; did you mean 'ketamine'?"),
        ("patients", 2, "randomised", "", "row 3, column randomised: date of randomisation is missing"),
        ("patients", 2, "sex", "x", "row 3, column sex: unknown sex 'x'; expected one of female, male, other"),
        ("patients", 2, "withdrawn", "31-12-2015", "row 3, column withdrawn: '31-12-2015' is not a date"),
        ("events", 0, "patient", "P999", "row 1, column patient: unknown patient 'P999'"),
        ("events", 0, "kind", "side effect", "row 1, column kind: unknown kind of event 'side effect'"),
        ("events", 0, "date", "", "row 1, column date: date of the event is missing; expected one"),
    ],
)
def test_faults_of_the_tables(protocol, folder, table, row, column, value, expected):
    change(folder / f"{table}.csv", row, column, value)
    message = message_of(protocol, folder)
    assert expected in message
    assert f"{table}.csv has 1 fault:" in message


def test_columns_that_are_not_there(protocol, folder):
    for table, column in (("assessments", "score"), ("patients", "arm"), ("events", "term")):
        path = folder / f"{table}.csv"
        before = path.read_bytes()
        pl.read_csv(path, infer_schema=False).drop(column).write_csv(path)
        assert f"no column '{column}'" in message_of(protocol, folder)
        path.write_bytes(before)


def test_tables_that_are_not_there(protocol, folder, tmp_path_factory):
    (folder / "events.csv").unlink()
    assert len(read_data(protocol, folder).events.patient) == 0
    (folder / "assessments.csv").unlink()
    with pytest.raises(InputError, match=r"a folder with the table assessments.csv or assessments.parquet"):
        read_data(protocol, folder)
    with pytest.raises(InputError, match=r"a folder with the table patients.csv"):
        read_data(protocol, tmp_path_factory.mktemp("empty"))


def test_a_term_that_looks_absent_is_kept(protocol, folder):
    row = pl.read_csv(folder / "events.csv", infer_schema=False)["kind"].to_list().index("adverse event")
    change(folder / "events.csv", row, "term", "None")
    assert "None" in read_data(protocol, folder).events.term.tolist()


def test_a_trial_exported_on_its_way_is_known_no_further(tmp_path):
    protocol = eq.gallery("ptsd-ketamine")
    whole = eq.run(protocol, "no-effect", seed=1)
    day = whole.looks[0].day
    for name, cut in (("before", day - 1), ("after", day)):
        write_data(whole.followed.known_at(cut), tmp_path / name)
    (tmp_path / "after" / "about.json").unlink()
    with pytest.raises(eq.InputError, match="look 1 waits for 30 patients at week2, 29 have reached it by 20"):
        eq.analyse(protocol, read_data(protocol, tmp_path / "before"))
    told = read_data(protocol, tmp_path / "after", whole.followed.date(day))
    again = eq.analyse(protocol, told)
    assert [look.number for look in again.looks] == [1]
    assert again.last_look.estimate == whole.looks[0].estimate
    assert again.last_look.decision is eq.Decision.CONTINUE
    assert read_data(protocol, tmp_path / "after").cut <= day


def test_a_date_cuts_whole_data_back(tmp_path):
    protocol = eq.gallery("ptsd-ketamine")
    whole = eq.run(protocol, "no-effect", seed=1)
    write_data(whole.followed, tmp_path)
    early = read_data(protocol, tmp_path, known_at=whole.looks[0].date)
    assert len(early) == whole.looks[0].randomised
    assert eq.analyse(protocol, early).last_look.z == whole.looks[0].z
    with pytest.raises(eq.InputError, match="first patient entered"):
        read_data(protocol, tmp_path, known_at=datetime.date(1999, 1, 1))


@pytest.mark.parametrize("text", ["", "{}", "[1]", "\x00", '{"known_to_day": "x", "source": 1}', "null"])
def test_rubbish_beside_the_tables_is_refused(folder, text):
    (folder / "about.json").write_text(text)
    with pytest.raises(eq.InputError, match=r"about\.json"):
        read_data(eq.gallery("ptsd-ketamine"), folder)


def test_tables_without_events_tell_no_loss_of_response(folder):
    (folder / "events.csv").unlink()
    protocol = eq.gallery("ptsd-ketamine")
    result = eq.analyse(protocol, read_data(protocol, folder))
    assert "a table of events" in result.secondary[1].reason
