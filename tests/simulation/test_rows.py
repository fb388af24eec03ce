import datetime

import numpy as np
import polars as pl
import pytest

from equipoise import InputError
from equipoise.sequential import Decision
from equipoise.simulation.rows import END_COLUMNS, LOOK_COLUMNS, SECONDARY_COLUMNS, ChunkRows
from made_up_trials import chunk, context

START = datetime.date(2015, 5, 18)


def _same(one, other):
    for mine, theirs in ((one.looks, other.looks), (one.ends, other.ends)):
        assert list(mine) == list(theirs)
        for name in mine:
            assert mine[name].dtype == theirs[name].dtype
            np.testing.assert_array_equal(mine[name], theirs[name])
    assert one.failures == other.failures


def test_columns_have_the_types_and_the_order_agreed_on():
    rows = chunk(5, 20)
    assert len(rows) == 20
    assert list(rows.looks) == list(LOOK_COLUMNS)
    secondaries = [f"{aim.name}.{part}" for aim in context().secondaries for part in SECONDARY_COLUMNS]
    assert list(rows.ends) == [*END_COLUMNS, *secondaries]
    assert rows.looks["decision"].dtype == np.int8
    assert rows.ends["effect"].dtype == np.float64
    assert rows.secondaries == ("response", "loss-of-response", "adverse-events")


def test_several_are_one_after_the_other_and_come_apart_again():
    parts = [chunk(0, 30), chunk(30, 30), chunk(60, 11)]
    whole = ChunkRows.concatenated(parts)
    assert len(whole) == 71
    for part in parts:
        first = int(part.ends["trial"][0])
        _same(whole.between(first, first + len(part), part.failures), part)
    for reason, count in whole.failures.items():
        assert count == sum(part.failures.get(reason, 0) for part in parts)
    with pytest.raises(InputError, match="at least"):
        ChunkRows.concatenated([])


def test_frames_have_words_and_dates_and_are_the_rows_again():
    rows = chunk(0, 50)
    looks, trials = rows.looks_frame(START), rows.trials_frame(START)
    for frame, columns in ((looks, rows.looks), (trials, rows.ends)):
        assert frame["decision"].to_list() == [list(Decision)[code].value for code in columns["decision"]]
        assert frame["date"].to_list() == [START + datetime.timedelta(int(day)) for day in columns["day"]]
        assert frame["date"].dtype == pl.Date
    assert "date" not in rows.looks_frame().columns
    _same(ChunkRows.from_frames(looks, trials, rows.failures), rows)


def test_what_is_not_rows_is_refused():
    rows = chunk(0, 10)
    looks, ends = rows.looks, rows.ends
    with pytest.raises(InputError, match="a column 'z'"):
        ChunkRows.of({name: values for name, values in looks.items() if name != "z"}, ends)
    with pytest.raises(InputError, match=r"a column 'response\.upper'"):
        ChunkRows.of(looks, {name: values for name, values in ends.items() if name != "response.upper"})
    with pytest.raises(InputError, match="one value for each"):
        ChunkRows.of(looks, ends | {"z": ends["z"][1:]})
    with pytest.raises(InputError, match="ascending"):
        ChunkRows.of(looks, {name: values[::-1] for name, values in ends.items()})
    with pytest.raises(InputError, match="one of the columns"):
        ChunkRows.of(looks | {"other": looks["z"]}, ends)
    frame = rows.trials_frame()
    with pytest.raises(InputError, match="stop for efficacy"):
        ChunkRows.from_frames(rows.looks_frame(), frame.with_columns(decision=pl.lit("stop for lunch")))
    with pytest.raises(InputError, match="a value in every row"):
        ChunkRows.from_frames(rows.looks_frame(), frame.with_columns(z=pl.lit(None, dtype=pl.Float64)))
    with pytest.raises(InputError, match="numbers"):
        ChunkRows.from_frames(rows.looks_frame(), frame.with_columns(z=pl.lit("a")))
