"""The command line, run inside this process."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import pytest

from equipoise.cli import main


@dataclass(frozen=True)
class Outcome:
    """Exit code and what was printed."""

    code: int
    out: str
    err: str


class CommandLine:
    """Call it with arguments; anything but an exit that escapes fails the test."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._patch, self._captured = monkeypatch, capsys

    def __call__(self, *arguments: object) -> Outcome:
        self._patch.setattr(sys, "argv", ["equipoise", *map(str, arguments)])
        self._captured.readouterr()
        code = 0
        try:
            main()
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else int(bool(ended.code))
        printed = self._captured.readouterr()
        assert "Traceback" not in printed.out + printed.err
        return Outcome(code, printed.out, printed.err)

    def refused(self, *arguments: object) -> str:
        """What is said when the arguments or files are at fault: exit code 2, one message, nothing printed."""
        found = self(*arguments)
        assert found.code == 2, found
        assert found.out == ""
        assert found.err.startswith("equipoise: "), found.err
        return found.err.removeprefix("equipoise: ").rstrip("\n")
