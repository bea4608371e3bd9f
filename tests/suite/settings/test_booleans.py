"""The eight words, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.errors import BadInput
from suite.settings.booleans import FALSE_WORDS, TRUE_WORDS, meaning, parse_boolean

BLANKS = st.text(" \t\n\r\v\f", max_size=3)


@st.composite
def spelled(draw: st.DrawFn, words: tuple[str, ...]) -> str:
    word = draw(st.sampled_from(words))
    recased = "".join(draw(st.sampled_from((c.lower(), c.upper()))) for c in word)
    return draw(BLANKS) + recased + draw(BLANKS)


@given(spelled(TRUE_WORDS))
def test_true_words_switch_on_in_any_case_between_blanks(text: str) -> None:
    """Every true word, in any letter case and between ASCII blanks, is on, as text and as bytes."""
    assert parse_boolean(text) is True
    assert parse_boolean(text.encode()) is True


@given(spelled(FALSE_WORDS))
def test_false_words_switch_off_in_any_case_between_blanks(text: str) -> None:
    """Every false word, in any letter case and between ASCII blanks, is off, as text and as bytes."""
    assert parse_boolean(text) is False
    assert parse_boolean(text.encode()) is False


@given(st.text() | st.binary())
def test_everything_else_means_nothing(value: str | bytes) -> None:
    """A value has a meaning only if it is one of the eight words after ASCII folding."""
    raw = value.encode(errors="replace") if isinstance(value, str) else value
    is_word = raw.strip(b" \t\n\r\v\f").lower().decode("latin-1") in {*TRUE_WORDS, *FALSE_WORDS}
    assert (meaning(value) is not None) == is_word


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "maybe",
        "y",
        "t",
        "2",
        "01",
        "1.0",
        "+1",
        "enabled",
        "none",
        "true false",
        "\x1con",
        "\u200bon",
        "\xa0on",
        "\u212a",
        "\ud800",
    ],
)
def test_near_words_are_refused(value: str) -> None:
    """What only resembles a word, or nothing at all, is refused with the accepted words."""
    with pytest.raises(BadInput, match="true, 1, on, yes"):
        parse_boolean(value)


@pytest.mark.parametrize(
    ("value", "problem"),
    [(b"", "is empty"), (b"\t", "is empty"), (b"\xff", "is not UTF-8"), (b"x", "neither on nor off")],
)
def test_the_message_says_which_kind_of_wrong(value: bytes, problem: str) -> None:
    """Empty, undecodable and unknown values are told apart."""
    with pytest.raises(BadInput, match=problem):
        parse_boolean(value)
