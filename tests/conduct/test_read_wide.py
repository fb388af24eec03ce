"""One row a patient: CSV, Parquet and data frames, and every fault named by row and column."""

from __future__ import annotations

import datetime

import numpy as np
import polars as pl
import pytest

import equipoise as eq
from equipoise.conduct import DataError, read_data
from equipoise.errors import InputError

ROWS = {
    "patient": ["a", "b", "c", "d"],
    "arm": ["ketamine", "midazolam", "ketamine", "midazolam"],
    "baseline": [40.0, 41.0, 42.0, 43.0],
    "day1": [30.0, None, 31.0, 40.0],
    "week1": [20.0, 40.0, None, 39.5],
    "week2": [10.0, 40.0, 0.0, 80.0],
}
DATES = ["2020-01-06", "2020-01-01", "2020-02-01", "2020-03-01"]


@pytest.fixture(scope="module")
def protocol():
    return eq.gallery("ptsd-ketamine")


def csv(rows: dict) -> str:
    lines = [",".join(rows)]
    for row in zip(*rows.values(), strict=True):
        lines.append(",".join("" if cell is None else str(cell) for cell in row))
    return "\n".join(lines) + "\n"


def faults(protocol, tmp_path, rows: dict) -> str:
    path = tmp_path / "data.csv"
    path.write_text(csv(rows), encoding="utf-8")
    with pytest.raises(DataError) as caught:
        read_data(protocol, path)
    assert str(caught.value).startswith(str(path))
    return str(caught.value)


def check_is_rows(data, dated=False):
    assert data.patient.tolist() == ROWS["patient"]
    assert [data.arm_names[at] for at in data.arm] == ROWS["arm"]
    wanted = np.array([[np.nan if cell is None else cell for cell in ROWS[name]] for name in data.visit_names]).T
    np.testing.assert_array_equal(data.scores, wanted)
    assert data.has_dates is dated
    assert data.scale == "CAPS-5"


def test_csv(protocol, tmp_path):
    path = tmp_path / "data.csv"
    for text in (
        csv(ROWS),
        "\ufeff" + csv(ROWS),
        csv(ROWS).replace("\n", "\r\n"),
        csv(ROWS).replace(",,", ",NA,") + "\n\n",
    ):
        path.write_bytes(text.encode())
        check_is_rows(read_data(protocol, path))
        check_is_rows(read_data(protocol, str(path)))


def test_parquet(protocol, tmp_path):
    path = tmp_path / "data.any"
    pl.DataFrame(ROWS).write_parquet(path)
    check_is_rows(read_data(protocol, path))


def test_data_frames(protocol):
    pd, pa = pytest.importorskip("pandas"), pytest.importorskip("pyarrow")
    for frame in (pl.DataFrame(ROWS), pd.DataFrame(ROWS), pa.table(ROWS)):
        check_is_rows(read_data(protocol, frame))
    frame = pd.DataFrame(ROWS)
    check_is_rows(read_data(protocol, frame.astype({"arm": "category", "patient": "string"})))
    check_is_rows(read_data(protocol, frame.astype({"day1": "Int64"})))
    check_is_rows(read_data(protocol, frame.astype(object)))


def test_dates_and_what_follows_from_them(protocol, tmp_path):
    path = tmp_path / "data.csv"
    path.write_text(csv({**ROWS, "randomised": DATES}), encoding="utf-8")
    data = read_data(protocol, path)
    check_is_rows(data, dated=True)
    assert data.start == datetime.date(2020, 1, 1)
    assert data.randomised.tolist() == [5, 0, 31, 60]
    assert data.assessed[0].tolist() == [5, 6, 12, 19]
    assert np.isnan(data.assessed[1, 1])
    assert data.due[0].tolist() == [5, 6, 13, 21]
    frame = pl.DataFrame({**ROWS, "randomised": [datetime.date.fromisoformat(day) for day in DATES]})
    np.testing.assert_array_equal(read_data(protocol, frame).randomised, data.randomised)


def test_without_identifiers_patients_are_numbered(protocol):
    frame = pl.DataFrame({name: cells for name, cells in ROWS.items() if name != "patient"})
    assert read_data(protocol, frame).patient.tolist() == ["1", "2", "3", "4"]


def test_covariates_come_along_and_absent_cells_stay_absent(protocol):
    frame = pl.DataFrame({**ROWS, "age": [20, None, 40, 50], "sex": ["male", "female", None, "other"]})
    data = read_data(protocol, frame)
    assert data.covariates["sex"].tolist() == ["male", "female", "", "other"]
    np.testing.assert_array_equal(data.covariates["age"], [20, np.nan, 40, 50])


def test_a_level_called_none_is_a_level():
    table = eq.gallery("ptsd-ketamine").model_dump(mode="json", exclude_none=True)
    table["covariates"][1] |= {"name": "medication", "levels": ["None", "SSRI"], "shares": [0.5, 0.5]}
    protocol = eq.Protocol.model_validate(table)
    data = read_data(protocol, pl.DataFrame({**ROWS, "medication": ["None", "SSRI", None, "NA"]}))
    assert data.covariates["medication"].tolist() == ["None", "SSRI", "", ""]


FAULTS = {
    "unknown column": (
        lambda rows: {("wek2" if name == "week2" else name): cells for name, cells in rows.items()},
        ["no column 'week2' for visit week2; did you mean 'wek2'?"],
    ),
    "no arm": (
        lambda rows: {name: cells for name, cells in rows.items() if name != "arm"},
        ["no column 'arm' for the arm; columns are patient, baseline, day1, week1, week2"],
    ),
    "unknown code": (
        lambda rows: rows | {"arm": ["ketamine", "midazolm", "K", "midazolam"]},
        [
            "row 2, column arm: unknown arm 'midazolm'; did you mean 'midazolam'?",
            "row 3, column arm: unknown arm 'K'; expected one of midazolam, ketamine",
        ],
    ),
    "missing arm": (
        lambda rows: rows | {"arm": ["ketamine", None, "ketamine", "midazolam"]},
        ["row 2, column arm: arm is missing; expected one of midazolam, ketamine"],
    ),
    "out of range": (
        lambda rows: rows | {"week2": [10, 81, -1, 80]},
        [
            "row 2, column week2: 81 is outside the range of CAPS-5; expected 0 to 80",
            "row 3, column week2: -1 is outside the range",
        ],
    ),
    "no number": (
        lambda rows: rows | {"week2": ["ten", "1_0", "inf", "0x10"]},
        [
            "row 1, column week2: 'ten' is not a number; expected a number or an empty cell",
            "row 2, column week2: '1_0' is not a number",
            "row 3, column week2: 'inf' is not a number",
            "row 4, column week2: '0x10' is not a number",
        ],
    ),
    "patient twice": (
        lambda rows: rows | {"patient": ["a", "b", "a", None]},
        [
            "row 3, column patient: patient 'a' stands twice; expected one row a patient",
            "row 4, column patient: patient is missing; expected an identifier",
        ],
    ),
    "bad dates": (
        lambda rows: rows | {"randomised": ["2020-13-01", "1.2.2020", None, "2020-01-01"]},
        [
            "row 1, column randomised: '2020-13-01' is not a date; expected year-month-day, as 2015-05-18",
            "row 2, column randomised: '1.2.2020' is not a date",
            "row 3, column randomised: date of randomisation is missing",
        ],
    ),
    "bad covariates": (
        lambda rows: rows | {"age": ["x", 1, 2, 3], "sex": ["femal", "male", "?", ""]},
        [
            "row 1, column age: 'x' is not a number",
            "row 1, column sex: unknown sex 'femal'; did you mean 'female'?",
            "row 3, column sex: unknown sex '?'; expected one of female, male, other",
        ],
    ),
    "numbers whose squares overflow": (
        lambda rows: rows | {"age": [1.5e154, 1, 2, 3]},
        ["row 1, column age: 1.5e+154 is too large; expected at most 1e+15"],
    ),
    "no rows": (lambda rows: {name: [] for name in rows}, ["has no rows; expected one row a patient"]),
}


@pytest.mark.parametrize("case", FAULTS, ids=str)
def test_faults_are_named_by_row_and_column(protocol, tmp_path, case):
    change, expected = FAULTS[case]
    message = faults(protocol, tmp_path, change(dict(ROWS)))
    for line in expected:
        assert line in message
    assert f"has {len(expected)} fault" in message


def test_faults_of_different_kinds_come_together_and_are_capped(protocol, tmp_path):
    rows = dict(ROWS) | {"arm": ["?"] * 4, "week2": [99] * 4, "patient": ["a"] * 4, "day1": ["x"] * 4}
    message = faults(protocol, tmp_path, rows)
    assert "has 15 faults" in message
    many = {name: cells * 100 for name, cells in rows.items()}
    message = faults(protocol, tmp_path, many)
    assert "has 1599 faults" in message
    assert message.endswith("and 1579 more")
    assert message.count("\n") == 21


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not empty"),
        (b" \n ", "not empty"),
        (b"\xff\xfea\x00", "neither"),
        (b"a,b\0\n1,2\n", "zero bytes"),
        (b"PAR1 and then nothing", "whole Parquet file"),
        (csv(ROWS).encode()[:-6], "6 cells in every row; row 4 has 5"),
        (csv(ROWS).encode() + b"e,ketamine,1,2,3,4,5\n", "6 cells in every row; row 5 has 7"),
        (b"arm,arm\nketamine,ketamine\n", "each column once; 'arm' stands there twice"),
        (b'patient,arm\n"a,ketamine\n', "CSV (line 2: unexpected end of data)"),
        (b'patient,arm\n"a"b,ketamine\n', "CSV (line 2:"),
        (b"patient\n" + b"x" * 200_000, "CSV (line 2: field larger than field limit"),
    ],
    ids=["empty", "blank", "utf-16", "nul", "parquet", "cut", "ragged", "twice", "quote", "quotes", "long"],
)
def test_files_that_are_no_table(protocol, tmp_path, content, reason):
    path = tmp_path / "data.csv"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_data(protocol, path)
    assert reason in str(caught.value)


@pytest.mark.parametrize("source", ["nowhere.csv", "nul\0", "x" * 5000, "\ud800", 3, [1], b"x", object, {"a": [1]}])
def test_what_is_no_source(protocol, source):
    with pytest.raises(InputError, match=r"^data( file)? is "):
        read_data(protocol, source)


def test_strange_frames(protocol):
    pd = pytest.importorskip("pandas")
    for frame in (
        pd.DataFrame(np.zeros((2, 3))),
        pd.DataFrame(np.zeros((2, 2)), columns=["arm", "arm"]),
        pd.DataFrame(np.zeros((2, 2)), columns=pd.MultiIndex.from_tuples([("a", "b"), ("a", "c")])),
        pd.DataFrame({**ROWS, "week2": [np.array([1, 2]), [1], {"a": 1}, b"x"]}),
        pd.DataFrame(),
        pl.DataFrame({**ROWS, "week2": [[1]] * 4}),
        pl.DataFrame({**ROWS, "week2": [True] * 4}),
        pl.DataFrame(ROWS).lazy(),
    ):
        with pytest.raises(InputError):
            read_data(protocol, frame)


def test_no_source_at_all(protocol):
    with pytest.raises(InputError, match="this protocol names no data of its own"):
        read_data(protocol)
