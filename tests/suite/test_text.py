from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from suite.text import plain


@given(st.text())
def test_plain_leaves_nothing_that_moves_a_cursor_or_reorders_text(text: str) -> None:
    shown = plain(text)
    assert all(c == "\n" or unicodedata.category(c) not in {"Cc", "Cf", "Cs"} for c in shown)
    shown.encode()


def test_plain_shows_what_it_took_out_and_counts_what_it_cut() -> None:
    assert plain("a\x1b[31m\u202eb\x00\ud800") == "a\\x1b[31m\\u202eb\\x00\\ud800"
    assert plain("x" * 12, limit=10) == "x" * 10 + "… (2 more characters)"
