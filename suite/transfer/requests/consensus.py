"""What the ranks of one request have said so far, and what follows for all of them.

A request is done when every pair of ranks has moved every piece of its share;
it has failed as soon as one has. TensorRT-LLM's ranks agree in the same way
(`tensorrt_llm/_torch/disaggregation`: FAILED or CANCELLED on any rank counts
for all, COMPLETED needs all). A piece is what is posted at once: the whole
share, or one layer of it.

The tally also knows who may still write. A pair may from the moment its
initiator could have learnt where to, until it is finished or proven stopped.
"Failed" is not "stopped": Mooncake's TCP transport was seen to send bytes
after it had reported an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

_NAMED = 3  # pairs that a message spells out


class Pair(NamedTuple):
    """A prefill rank and the decode rank to which it hands a share of the KV cache."""

    prefill: int
    decode: int

    def __str__(self) -> str:
        return f"prefill rank {self.prefill} to decode rank {self.decode}"


class Piece(NamedTuple):
    """What one post moves: wire bytes, and the rows of the plan."""

    nbytes: int
    rows: int


Agreed = Mapping[Pair, tuple[Piece, ...]]


@dataclass(frozen=True)
class Tally:
    """The agreed shares of one request, and what has been heard of them. See `new_tally`."""

    agreed: Agreed
    needs_notice: bool = False
    posted: frozenset[Pair] = frozenset()
    done: frozenset[tuple[Pair, int]] = frozenset()
    noticed: frozenset[Pair] = frozenset()
    writing: frozenset[Pair] = frozenset()  # those who may still write


def new_tally(agreed: Agreed, *, needs_notice: bool) -> Tally:
    """Return the tally of a request of which nothing has been heard.

    `needs_notice` is for the side that does not post, where the transport
    notifies: a share is finished there only when its notification has come,
    since the initiator's own completion does not say that the bytes are visible.
    """
    return Tally(agreed, needs_notice)


def expose(tally: Tally) -> Tally:
    """Note that every pair may write from now on."""
    return replace(tally, writing=frozenset(tally.agreed))


def lie(agreed: Agreed, pair: Pair, index: int, told: Piece) -> str:
    """Return how `told` differs from the agreed plan, in words, or nothing."""
    if index >= len(agreed[pair]):
        return f"{pair}: piece {index} of {len(agreed[pair])}"
    piece = agreed[pair][index]
    if told.nbytes != piece.nbytes:
        return f"{pair}, piece {index}: {told.nbytes} bytes; the plan has {piece.nbytes}"
    if told.rows != piece.rows:
        return f"{pair}, piece {index}: {told.rows} rows; the plan has {piece.rows}"
    return ""


def add_posted(tally: Tally, pair: Pair) -> Tally:
    """Note that a pair has posted."""
    return replace(tally, posted=tally.posted | {pair})


def add_done(tally: Tally, pair: Pair, index: int) -> Tally:
    """Note that a piece is done."""
    return _settled(replace(tally, posted=tally.posted | {pair}, done=tally.done | {(pair, index)}), pair)


def add_notice(tally: Tally, pair: Pair) -> Tally:
    """Note that the notification that follows the last byte of a share has come."""
    return _settled(replace(tally, noticed=tally.noticed | {pair}), pair)


def add_stopped(tally: Tally, pairs: Iterable[Pair]) -> Tally:
    """Note the proof that these pairs cannot write any more."""
    return replace(tally, writing=tally.writing.difference(pairs))


def add_doubt(tally: Tally, pair: Pair) -> Tally:
    """Note that a pair may write, or write again: it failed and does not say that it has stopped."""
    return replace(tally, writing=tally.writing | {pair})


def finished(tally: Tally, pair: Pair) -> bool:
    """Tell whether a share has arrived whole."""
    whole = all((pair, index) in tally.done for index in range(len(tally.agreed[pair])))
    return whole and (pair in tally.noticed or not tally.needs_notice)


def complete(tally: Tally) -> bool:
    """Tell whether every share has arrived whole."""
    return all(finished(tally, pair) for pair in tally.agreed)


def missing(tally: Tally) -> str:
    """Return in words which shares have not arrived, and how far they came."""
    late = [pair for pair in sorted(tally.agreed) if not finished(tally, pair)]
    named = "; ".join(_progress(tally, pair) for pair in late[:_NAMED])
    return f"{named}; and {len(late) - _NAMED} more" if len(late) > _NAMED else named


def _settled(tally: Tally, pair: Pair) -> Tally:
    return add_stopped(tally, (pair,)) if finished(tally, pair) else tally


def _progress(tally: Tally, pair: Pair) -> str:
    pieces = len(tally.agreed[pair])
    done = sum((pair, index) in tally.done for index in range(pieces))
    if done == pieces:
        return f"{pair}: done, but no notification"
    return f"{pair}: {done} of {pieces} pieces" if pair in tally.posted else f"{pair}: not posted"
