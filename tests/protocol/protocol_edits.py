"""The gallery's ketamine trial with parts of its text replaced."""

from __future__ import annotations

import pytest

from equipoise.protocol import Fault, ProtocolError, gallery_text, parse

KETAMINE = gallery_text("ptsd-ketamine")


def edited(*changes: tuple[str, str], text: str = KETAMINE) -> str:
    """The text with the first occurrence of each old part replaced; every old part must be there."""
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


def line_of(text: str, part: str) -> int:
    """Number of the first line that holds the part, from 1."""
    return next(at for at, line in enumerate(text.split("\n"), start=1) if part in line)


def faults_of(text: str | bytes) -> tuple[Fault, ...]:
    """What the reader finds wrong; fails when it finds nothing."""
    with pytest.raises(ProtocolError) as caught:
        parse(text.encode() if isinstance(text, str) else text, "trial.toml")
    assert caught.value.faults
    assert str(caught.value).startswith("trial.toml has ")
    return caught.value.faults


def only_fault(text: str | bytes) -> Fault:
    """The single thing wrong."""
    found = faults_of(text)
    assert len(found) == 1, found
    return found[0]
