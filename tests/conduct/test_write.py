"""No file is ever half there."""

from __future__ import annotations

import os
import stat

import pytest

from equipoise.conduct import replace_file, write_text
from equipoise.errors import InputError


def test_writes_whole_and_leaves_nothing_else(tmp_path):
    path = tmp_path / "new" / "deep" / "file.txt"
    write_text(path, "ä\nb\n")
    assert path.read_bytes() == "ä\nb\n".encode()
    assert os.listdir(path.parent) == ["file.txt"]
    write_text(path, "second")
    assert path.read_text() == "second"
    assert os.listdir(path.parent) == ["file.txt"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, RuntimeError])
def test_failure_keeps_the_old_file_and_no_temporary(tmp_path, error):
    path = tmp_path / "file.txt"
    path.write_text("old")

    def fail() -> None:
        with replace_file(path) as temporary:
            assert temporary.parent == tmp_path
            assert temporary.suffix == ".txt"
            temporary.write_text("half")
            assert path.read_text() == "old"
            raise error

    with pytest.raises(error):
        fail()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file.txt"]


def test_disk_errors_are_told_as_input_errors(tmp_path):
    def fail() -> None:
        with replace_file(tmp_path / "file.txt") as temporary:
            temporary.write_text("half")
            raise OSError(28, "No space left on device")

    with pytest.raises(InputError, match="a place that can be written"):
        fail()
    assert os.listdir(tmp_path) == []


def test_places_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "file" / "below.txt", tmp_path / "folder", tmp_path / ("x" * 300), tmp_path / "nul\0"):
        with pytest.raises(InputError, match="a place that can be written"):
            write_text(path, "text")
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]


@pytest.mark.skipif(os.name == "nt", reason="no such permissions there")
def test_permissions_follow_the_mask_of_the_process(tmp_path):
    mask = os.umask(0o027)
    try:
        write_text(tmp_path / "file.txt", "text")
    finally:
        os.umask(mask)
    assert stat.S_IMODE((tmp_path / "file.txt").stat().st_mode) == 0o640


def test_the_file_is_written_through_by_others_only_when_whole(tmp_path):
    path = tmp_path / "file.txt"
    with replace_file(path) as temporary:
        temporary.write_text("part")
        assert not path.exists()
    assert path.read_text() == "part"
