"""The worked pages of docs: python blocks run in one session a page, each text block is what the block before printed.

Commands in sh blocks are run too; what they print is not shown. `python tests/worked_pages.py` writes the outputs anew;
test_worked_pages.py holds the committed pages to them.
"""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import sys
from pathlib import Path
from unittest.mock import patch

DOCS = Path(__file__).parents[1] / "docs"
PAGES = [
    DOCS / "stopping-rules.md",
    DOCS / "mmrm.md",
    DOCS / "endpoints.md",
    DOCS / "pharmacokinetics.md",
    DOCS / "simulation.md",
]
COMMAND = "python tests/worked_pages.py"
BLOCK = re.compile(r"^```python\n(?P<code>.*?)^```\n(?:\n```text\n(?P<shown>.*?)^```\n)?", re.DOTALL | re.MULTILINE)
COMMANDS = re.compile(r"^```sh\n(?P<lines>.*?)^```\n", re.DOTALL | re.MULTILINE)


def executed(page: str) -> str:
    """The page with what its python blocks print now."""
    session: dict[str, object] = {"__name__": "page"}

    def ran(block: re.Match[str]) -> str:
        printed = io.StringIO()
        line = page.count("\n", 0, block.start()) + 1
        # line numbers of an error are those of the page
        code = compile("\n" * line + block["code"], "page", "exec")
        with contextlib.redirect_stdout(printed):
            exec(code, session)
        output = printed.getvalue()
        shown = f"\n```text\n{output}```\n" if output else ""
        return f"```python\n{block['code']}```\n{shown}"

    return BLOCK.sub(ran, page)


def commands(page: str) -> list[str]:
    """Every command line of the page."""
    return [line for block in COMMANDS.finditer(page) for line in block["lines"].splitlines()]


def printed_by(command: str) -> str:
    """What a command prints; raises where it fails."""
    from equipoise.cli import main

    printed = io.StringIO()
    with patch.object(sys, "argv", shlex.split(command)), contextlib.redirect_stdout(printed):
        try:
            main()
        except SystemExit as ended:
            if ended.code:
                raise RuntimeError(f"{command}: exit code {ended.code}") from None
    return printed.getvalue()


if __name__ == "__main__":
    for path in PAGES:
        path.write_text(executed(path.read_text(encoding="utf-8")), encoding="utf-8")
        print(f"wrote {path.name}")
