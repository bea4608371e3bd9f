"""Whatever comes in is one of the named messages or a refusal; what goes out is taken at the other side."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suite.cluster.meeting.messages import (
    FROM_HUB,
    FROM_RANK,
    HELLO,
    MAX_TEXT,
    Closed,
    Failed,
    Got,
    Piece,
    Put,
    decode,
    encode,
    reason,
)
from suite.cluster.meeting.records import Assembly, pieces
from suite.errors import TransferFailed

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 60), 1 << 60) | st.floats(allow_nan=False, allow_infinity=False) | st.text(st.characters(codec="utf-8"), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=3), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@settings(max_examples=15, derandomize=True)
@given(values)
def test_values_come_as_they_were_put(value: object) -> None:
    put = Put(key="k", value=value)  # type: ignore[arg-type]  any JSON
    assert decode(encode(put), FROM_RANK) == put


@settings(max_examples=15, derandomize=True)
@given(st.binary(max_size=40) | values.map(lambda value: json.dumps(value).encode()))
def test_anything_else_is_refused(data: bytes) -> None:
    for model in (HELLO, FROM_RANK, FROM_HUB):
        with pytest.raises(TransferFailed) as caught:
            decode(data, model)
        assert caught.value.message.isprintable()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800", "x" * (1 << 20)])
def test_what_no_one_would_take_is_not_sent(value: object) -> None:
    with pytest.raises(TransferFailed):
        encode(Got(key="k", value=value))  # type: ignore[arg-type]  no JSON


def test_the_largest_piece_can_be_sent() -> None:
    for character in ("\x00", "\U0001f600", '"', "\x7f"):
        assert encode(Piece(index=0, text=character * MAX_TEXT, ends=True))


@settings(max_examples=10, derandomize=True)
@given(st.lists(st.tuples(st.sampled_from("aä\x00"), st.integers(1, 3 * MAX_TEXT)), max_size=3))
def test_lines_are_put_together_again(shapes: list[tuple[str, int]]) -> None:
    assembly, first, found = Assembly(), 0, []
    lines = [letter * length for letter, length in shapes]
    for line in lines:
        for piece in pieces(line, first):
            first = piece.index + 1
            found.append(assembly.add(piece))
    assert [line for line in found if line is not None] == lines


@pytest.mark.parametrize("line", ["", "a\nb"])
def test_what_is_no_line_is_not_sent(line: str) -> None:
    with pytest.raises(TransferFailed):
        list(pieces(line, 0))


def test_any_reason_can_be_told() -> None:
    for text in ("\x1b[31m", "ä" * 2000, "\ud800", ""):
        assert isinstance(decode(encode(_failed(text)), FROM_HUB), Closed)


def _failed(text: str) -> Closed:
    return Failed(rank=None, phase="join", reason=reason(text))


def test_a_refusal_repeats_nothing() -> None:
    with pytest.raises(TransferFailed) as caught:
        decode(b'{"kind":"\x1b[31mevil"}', FROM_HUB)
    assert "evil" not in str(caught.value)
