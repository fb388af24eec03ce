"""Finding protocols by name and by path."""

from __future__ import annotations

import os

import pytest
from protocol_edits import KETAMINE

import equipoise as eq
from equipoise.errors import InputError
from equipoise.protocol import ProtocolError, find_protocol, gallery_names, gallery_text


def test_names():
    assert gallery_names() == (
        "beat-the-blues",
        "indomethacin-pancreatitis",
        "ptsd-ketamine",
        "relapse-after-treatment",
        "xanomeline-alzheimer",
    )


@pytest.mark.parametrize("name", gallery_names())
def test_gallery_by_name(name):
    assert find_protocol(name) == eq.gallery(name)
    assert eq.gallery(name).trial.name == name
    assert "[trial]" in gallery_text(name)


@pytest.mark.parametrize("name", ["ptsd-ketamin", "PTSD-ketamine", "ketamine-ptsd"])
def test_near_misses_are_shown_the_name(name):
    with pytest.raises(InputError, match="did you mean 'ptsd-ketamine'") as caught:
        find_protocol(name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "name", ["", "zzz", "ünïcödé", "-", "ptsd-ketamine\n", "nul\0byte", "\udcff\ud800", "dir/nul\0"]
)
def test_unknown_names(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError):
        find_protocol(name)


def test_file_of_that_name_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ptsd-ketamine").write_text(KETAMINE.replace("alpha = 0.05", "alpha = 0.01"), encoding="utf-8")
    assert find_protocol("ptsd-ketamine").stopping.alpha == 0.01


def test_directory_of_that_name_does_not_hide_the_gallery(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ptsd-ketamine").mkdir()
    assert find_protocol("ptsd-ketamine") == eq.gallery("ptsd-ketamine")


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("nowhere/at/all.toml", "No such file"),
        ("nowhere.toml", "No such file"),
        ("x" * 5000, "too long"),
        (".", "directory"),
    ],
    ids=["path", "suffix", "long", "directory"],
)
def test_paths_that_cannot_be_read(path, reason):
    with pytest.raises(ProtocolError, match="cannot be read") as caught:
        find_protocol(path)
    assert reason in str(caught.value)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the administrator may read any file")
def test_unreadable_file(tmp_path):
    path = tmp_path / "closed.toml"
    path.write_text(KETAMINE, encoding="utf-8")
    path.chmod(0)
    with pytest.raises(ProtocolError, match="Permission denied"):
        find_protocol(str(path))


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="no such device here")
def test_endless_file_ends():
    with pytest.raises(ProtocolError, match="is larger than"):
        find_protocol("/dev/zero")
