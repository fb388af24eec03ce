import pytest

from stopping_rules_page import BLOCK, COMMAND, COMMANDS, PAGE, commands, executed, printed_by

COMMITTED = PAGE.read_text(encoding="utf-8")


def test_the_page_shows_what_its_code_prints():
    now = executed(COMMITTED)
    changed = [line for line in now.splitlines() if line not in set(COMMITTED.splitlines())]
    assert now == COMMITTED, "\n".join(
        [f"docs/stopping-rules.md is out of date: run `{COMMAND}` and look at what changed:", *changed[:10]]
    )


@pytest.mark.parametrize("command", commands(COMMITTED))
def test_its_commands_run(command):
    assert command.startswith("equipoise ")
    assert len(printed_by(command).splitlines()) > 5


def test_every_block_is_checked():
    assert "```" not in COMMANDS.sub("", BLOCK.sub("", COMMITTED))
    assert len(BLOCK.findall(COMMITTED)) > 20
    assert len(commands(COMMITTED)) > 3


def test_a_failing_command_is_told():
    with pytest.raises(RuntimeError, match="exit code 2"):
        printed_by("equipoise design --fractions 1,0.5")
