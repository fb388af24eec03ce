"""Malformed protocols and data made at random: a message that names the fault, exit code 2, never a traceback.

Well over 200 inputs a run: structured mutations of the gallery's protocols, bytes damaged at random, and the same for
data. What is still valid after its mutation must also plan.
"""

# A refusal is one of two right outcomes, so that pytest.raises does not fit.
# ruff: noqa: PT017

from __future__ import annotations

import copy
import datetime
import io
import json
import random
import tomllib
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import equipoise as eq
from cli_process import CommandLine
from equipoise.conduct import DataError, read_data
from equipoise.errors import InputError
from equipoise.protocol import Protocol, gallery_names, gallery_text, parse
from equipoise.terminal import plan_tables, protocol_tables

TEXTS = {name: gallery_text(name) for name in gallery_names()}
TABLES = {name: tomllib.loads(text) for name, text in TEXTS.items()}
KETAMINE = eq.gallery("ptsd-ketamine")
often = settings(max_examples=150, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
seldom = settings(parent=often, max_examples=60)

STRANGE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**40), 10**40),
    st.sampled_from([0, 1, 2, -1, 10**9, 10**400, 2**63, 0.5, 1e-300, 1e299, 1e308, -0.0]),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(["", " ", "baseline", "week2", "ketamine", "x" * 10_000, "\0", "\u202e", "primary", "user", "NA"]),
    st.lists(st.one_of(st.floats(), st.text(max_size=5), st.integers(-9, 9)), max_size=6),
    st.lists(st.lists(st.floats(-1, 1), max_size=5), max_size=5),
    st.dictionaries(st.text(max_size=6), st.integers(-3, 3), max_size=3),
    st.dates(),
    st.datetimes(),
    st.just([[[[[]]]]]),
    st.just({"a": {"b": {"c": [{}]}}}),
)  # fmt: skip
NUMBERS = st.one_of(
    st.floats(0.0, 1.0), st.floats(-100, 100), st.integers(-5, 200), st.floats(allow_nan=True), st.integers(0, 10**12)
)


def places(node: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place of a table, from the top."""
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [(*at, key) for key, _ in children] + [
        found for key, child in children for found in places(child, (*at, key))
    ]


def holder(table: Any, place: tuple[Any, ...]) -> Any:
    for key in place[:-1]:
        table = table[key]
    return table


@st.composite
def damaged_tables(draw: st.DrawFn, values: st.SearchStrategy[Any] = STRANGE) -> dict[str, Any]:
    """A protocol's table after a few deletions, renamings, replacements, repetitions and exchanges."""
    table = copy.deepcopy(TABLES[draw(st.sampled_from(sorted(TABLES)))])
    for _ in range(draw(st.integers(1, 4))):
        known = places(table)
        if not known:
            break
        place = draw(st.sampled_from(known))
        parent, key = holder(table, place), place[-1]
        match draw(
            st.sampled_from(["replace", "replace", "replace", "delete", "rename", "repeat", "exchange", "add", "wrap"])
        ):
            case "replace":
                parent[key] = copy.deepcopy(draw(values))
            case "delete":
                del parent[key]
            case "rename" if isinstance(parent, dict):
                parent[draw(st.sampled_from([f"{key}s", f"{key}"[:-1] or "x", "a b", "name"]))] = parent.pop(key)
            case "repeat" if isinstance(parent, list):
                parent.insert(key, copy.deepcopy(parent[key]))
            case "exchange":
                other = draw(st.sampled_from(known))
                there = holder(table, other)
                parent[key] = copy.deepcopy(there[other[-1]])
            case "add" if isinstance(parent, dict):
                parent[draw(st.text(min_size=1, max_size=8))] = copy.deepcopy(draw(values))
            case _:
                parent[key] = [parent[key]]
    return table


@st.composite
def shifted_tables(draw: st.DrawFn) -> dict[str, Any]:
    """A protocol's table with a few of its numbers made smaller or larger; many stay valid."""
    table = copy.deepcopy(TABLES[draw(st.sampled_from(sorted(TABLES)))])
    numbers = [
        place
        for place in places(table)
        if place[0] != "trial" and type(holder(table, place)[place[-1]]) in (int, float)
    ]
    for place in draw(st.lists(st.sampled_from(numbers), min_size=1, max_size=3)):
        before = holder(table, place)[place[-1]]
        after = before * draw(st.sampled_from([0, 0.01, 0.5, 0.9, 0.99, 1.01, 1.1, 1.5, 2, 3, 10, 100, 1000, -1]))
        holder(table, place)[place[-1]] = round(after) if isinstance(before, int) else after
    return table


def toml(value: Any) -> str:
    """A value as inline TOML; a table's top level one key a line."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key_of(key)} = {toml(item)}" for key, item in value.items() if item is not None) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(toml(item) for item in value if item is not None) + "]"
    if isinstance(value, (datetime.date, datetime.datetime)):
        return value.isoformat()
    if isinstance(value, str):
        return key_of(value)
    return repr(value)


def key_of(key: str) -> str:
    return (
        json.dumps(key.encode("utf-8", "replace").decode(), ensure_ascii=True)
        .replace("\\ud", "\\\\ud")
        .replace("\x7f", "")
    )


def document(table: dict[str, Any]) -> str:
    return "".join(f"{key_of(key)} = {toml(value)}\n" for key, value in table.items() if value is not None)


def judge(content: bytes) -> Protocol | None:
    """The protocol the bytes hold, planned and printed; None where they were refused, as they ought to be."""
    try:
        protocol = parse(content, "fuzz.toml")
    except InputError as error:
        assert str(error).startswith("fuzz.toml has ")
        assert all(fault.message for fault in error.faults)  # type: ignore[attr-defined]
        return None
    assert protocol_tables(protocol)
    assert Protocol.model_validate(protocol.model_dump(mode="json")).hash == protocol.hash
    try:
        planned = eq.plan(protocol)
    except InputError as error:
        assert str(error)
        return None
    json.dumps(planned.to_dict(), allow_nan=False)
    assert plan_tables(planned)
    assert 0 <= planned.under_effect.power <= 1 + 1e-9
    assert sum(planned.under_no_effect.stopping) == pytest.approx(1, abs=1e-9)
    return protocol


def test_the_untouched_documents_are_valid():
    for name, table in TABLES.items():
        found = judge(document(table).encode())
        assert found is not None
        assert found.hash == eq.gallery(name).hash


@often
@given(damaged_tables())
def test_damaged_tables(table):
    judge(document(table).encode())


@often
@given(damaged_tables(NUMBERS))
def test_wrong_numbers(table):
    judge(document(table).encode())


@often
@given(shifted_tables(), st.integers(0, 1000))
def test_shifted_numbers(table, seed):
    """What is still a protocol after a shift can be planned and, if not too large, run."""
    protocol = judge(document(table).encode())
    if protocol is not None and eq.plan(protocol).patients <= 500:
        eq.run(protocol, seed=seed).to_json()


@seldom
@given(damaged_tables())
def test_damaged_tables_given_as_objects(table):
    try:
        Protocol.model_validate(table)
    except ValueError as error:
        assert str(error)


@st.composite
def damaged_bytes(draw: st.DrawFn, whole: bytes) -> bytes:
    """A file cut off, with bytes flipped, parts repeated or put elsewhere, or in another encoding."""
    chance = random.Random(draw(st.integers(0, 2**32)))
    content = bytearray(whole)
    for _ in range(draw(st.integers(1, 3))):
        at, to = sorted((chance.randrange(len(content) + 1), chance.randrange(len(content) + 1)))
        match draw(st.sampled_from(["cut", "flip", "drop", "repeat", "insert", "recode", "lines"])):
            case "cut":
                content = content[:at]
            case "flip":
                for place in chance.choices(range(len(content)), k=min(len(content), 1 + at % 8)):
                    content[place] ^= 1 << chance.randrange(8)
            case "drop":
                del content[at : min(to, at + 200)]
            case "repeat":
                content[to:to] = content[at : min(to, at + 500)]
            case "insert":
                content[at:at] = draw(st.binary(max_size=30))
            case "recode":
                content = bytearray(
                    content.decode("latin-1").encode(draw(st.sampled_from(["utf-16", "utf-32", "utf-8", "utf-8-sig"])))
                )
            case _:
                lines = content.split(b"\n")
                chance.shuffle(lines)
                content = bytearray(b"\n".join(lines))
    return bytes(content)


@often
@given(st.sampled_from(sorted(TEXTS)).flatmap(lambda name: damaged_bytes(TEXTS[name].encode())))
def test_damaged_files(content):
    judge(content)


@seldom
@given(
    st.one_of(st.binary(max_size=2000), st.text(max_size=500).map(lambda text: text.encode("utf-8", "surrogatepass")))
)
def test_rubbish(content):
    judge(content)


@pytest.fixture
def command(monkeypatch, capsys):
    return CommandLine(monkeypatch, capsys)


@seldom
@given(
    content=st.one_of(
        damaged_tables().map(lambda table: document(table).encode()), damaged_bytes(TEXTS["ptsd-ketamine"].encode())
    )
)
def test_check_on_the_command_line(command, tmp_path, content):
    path = tmp_path / "trial.toml"
    path.write_bytes(content)
    found = command("check", path)
    try:
        eq.plan(parse(content))
    except InputError:
        assert found.code == 2
        assert found.out == ""
        assert found.err.startswith("equipoise: ")
        assert len(found.err) > len("equipoise: \n")
    else:
        assert (found.code, found.err) == (0, "")


RUN = eq.run(KETAMINE, "later-trials", seed=1)
WIDE = RUN.followed.wide_frame()
CSV = WIDE.write_csv().encode()
CELLS = st.one_of(
    st.none(), st.text(max_size=8), st.floats().map(str), st.integers(-(10**30), 10**30).map(str),

    st.sampled_from(["", "NA", "nan", "ketamine", "Ketamine", "P001", "2015-05-18", "9999-12-31", "0001-01-01", "81"]),
    st.sampled_from(["-0", "1e400", "True", "1_0"]),
)  # fmt: skip


def parquet(frame: pl.DataFrame) -> bytes:
    held = io.BytesIO()
    frame.write_parquet(held)
    return held.getvalue()


def judge_data(source: Any) -> None:
    try:
        data = read_data(KETAMINE, source)
    except DataError as error:
        assert error.faults
        assert all(error.faults)
        return
    except InputError as error:
        assert error.expected
        return
    assert data.scores.shape == (len(data), 4)
    try:
        eq.analyse(KETAMINE, data, look=2).to_json()
    except InputError as error:
        assert str(error)


@often
@given(content=damaged_bytes(CSV))
def test_damaged_csv(tmp_path, content):
    path = tmp_path / "data.csv"
    path.write_bytes(content)
    judge_data(path)


@seldom
@given(content=damaged_bytes(parquet(WIDE)))
def test_damaged_parquet(tmp_path, content):
    path = tmp_path / "data.parquet"
    path.write_bytes(content)
    judge_data(path)


@often
@given(
    changes=st.lists(
        st.tuples(st.integers(0, len(WIDE) - 1), st.sampled_from(WIDE.columns), CELLS), min_size=1, max_size=5
    ),
    dropped=st.lists(st.sampled_from(WIDE.columns), max_size=1),
    renamed=st.dictionaries(st.sampled_from(WIDE.columns), st.text(max_size=6), max_size=1),
)
def test_damaged_cells(changes, dropped, renamed):
    cells = {name: WIDE[name].cast(pl.String).to_list() for name in WIDE.columns if name not in dropped}
    for row, column, value in changes:
        if column in cells:
            cells[column][row] = value
    judge_data(pl.DataFrame({renamed.get(name, name): values for name, values in cells.items()}))


@settings(parent=often, max_examples=40)
@given(
    table=st.sampled_from(["patients", "assessments", "events"]),
    changes=st.lists(st.tuples(st.integers(0, 10**6), CELLS), min_size=1, max_size=4),
    column=st.integers(0, 10),
)
def test_damaged_folder(tmp_path, table, changes, column):
    frames = {
        "patients": RUN.followed.patients_frame(),
        "assessments": RUN.followed.assessments_frame(),
        "events": RUN.followed.events_frame(),
    }
    for name, frame in frames.items():
        if name == table:
            chosen = frame.columns[column % frame.width]
            cells = frame[chosen].cast(pl.String).to_list()
            for row, value in changes:
                cells[row % len(cells)] = value
            frame = frame.with_columns(pl.Series(chosen, cells, dtype=pl.String))
        frame.write_csv(tmp_path / f"{name}.csv")
    judge_data(tmp_path)


@settings(parent=often, max_examples=25)
@given(content=st.one_of(damaged_bytes(CSV), damaged_bytes(parquet(WIDE)), st.binary(max_size=300)))
def test_analyse_on_the_command_line(command, tmp_path, content):
    path = tmp_path / "data.any"
    path.write_bytes(content)
    try:
        eq.analyse(KETAMINE, read_data(KETAMINE, path))
    except InputError:
        found = command("analyse", "ptsd-ketamine", path, "--out", tmp_path / "out")
        assert found.code == 2
        assert found.err.startswith("equipoise: ")
