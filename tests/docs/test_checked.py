"""The page of what is checked says what is said."""

from support.checked_page import PAGE, render


def test_the_page_is_current():
    assert PAGE.read_text(encoding="utf-8") == render(), (
        "write it anew: PYTHONPATH=tests python tests/support/checked_page.py"
    )
