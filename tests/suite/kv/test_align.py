"""Which tokens move: upstream's examples, and the definition token by token."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from suite.errors import BadInput
from suite.kv.align import Span, Table, missing


def test_a_shorter_table_at_decode_lacks_only_the_suffix() -> None:
    """Upstream's example: 4 blocks of 8 at prefill, 2 at decode, which has 16 tokens already."""
    assert missing(32, Table(8, 4), Table(8, 2)) == Span(16, 32, 8, 16)
    assert missing(32, Table(8, 4), Table(8, 4), cached=16) == Span(16, 32, 8, 16)


@pytest.mark.parametrize(
    ("tokens", "sizes", "cached", "span"),
    [
        (33, (32, 32), 0, Span(0, 64, 32, 33)),
        (33, (64, 16), 16, Span(16, 48, 16, 17)),  # decode's blocks are the smaller: padding goes to 48 only
        (33, (16, 64), 0, Span(0, 48, 16, 33)),
        (33, (16, 16), 33, Span(48, 48, 16, 0)),
        (32, (16, 16), 16, Span(16, 32, 16, 16)),
    ],
)
def test_pieces_are_of_the_smaller_block(tokens: int, sizes: tuple[int, int], cached: int, span: Span) -> None:
    """What moves begins after the cached blocks and ends with the piece of the last token."""
    source, destination = (Table(size, -(-tokens // size)) for size in sizes)
    assert missing(tokens, source, destination, cached=cached) == span
    assert span.chunks * span.chunk == span.stop - span.start


def test_stale_blocks_of_a_window_never_move() -> None:
    """Whether decode lists them or not; the source has given them back, and upstream drops the longer head."""
    for blocks in (5, 3):
        assert missing(33, Table(8, 3), Table(8, blocks), window=16) == Span(16, 40, 8, 16)
    assert missing(33, Table(8, 2), Table(8, 3), window=16) == Span(24, 40, 8, 9)  # prefill gave back one more
    assert missing(33, Table(8, 5), Table(8, 5), window=16, cached=24) == Span(24, 40, 8, 9)
    assert missing(64, Table(8, 8), Table(8, 8), window=128) == Span(0, 64, 8, 64)


def test_tables_that_do_not_fit_are_refused() -> None:
    """A source that lacks what decode waits for, a table longer than the prompt, a prefix inside a block."""
    with pytest.raises(BadInput, match="tokens from 16 on, the destination waits for 8 and on") as caught:
        missing(32, Table(8, 2), Table(8, 3))
    assert caught.value.code == "source-too-short"
    assert missing(32, Table(8, 2), Table(8, 3), cached=16).start == 16
    with pytest.raises(BadInput, match="a table of 5 blocks, a prompt of 32 tokens has 4"):
        missing(32, Table(8, 4), Table(8, 5))
    with pytest.raises(BadInput, match="5 cached tokens end inside a block of 8"):
        missing(32, Table(4, 8), Table(8, 4), cached=5)
    for tokens, cached in ((0, 0), (8, 9), (8, -8)):
        with pytest.raises(BadInput, match="cached of"):
            missing(tokens, Table(8, 1), Table(8, 1), cached=cached)


SIZES = st.tuples(st.integers(1, 6), st.integers(1, 4)).map(lambda size: (size[0], size[0] * size[1]))


@given(st.integers(1, 60), SIZES.flatmap(st.permutations), st.integers(0, 9), st.none() | st.integers(1, 30))
def test_every_token_that_decode_lacks_moves_and_no_other(
    tokens: int, sizes: list[int], blocks: int, window: int | None
) -> None:
    """A token moves exactly if decode has it not, and no side's window has left its block."""
    cached = blocks * sizes[1]
    assume(cached < tokens)
    source, destination = (Table(size, -(-tokens // size)) for size in sizes)
    span = missing(tokens, source, destination, window=window, cached=cached)

    def left(token: int, size: int) -> bool:
        last = token - token % size + size - 1
        return window is not None and last <= tokens - window

    moved = [t for t in range(cached, tokens) if not any(left(t, size) for size in sizes)]
    assert [token for token in range(span.start, span.stop) if token < tokens] == moved
    assert span.content_tokens == sum(window is None or token >= tokens - window for token in moved)
    assert span.stop - tokens < span.chunk == min(sizes)
