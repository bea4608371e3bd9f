"""Content that says where it belongs, and the check of every byte.

A word of content is an *identity* (epoch, side, position) times an odd
constant, modulo 2**64. So every 8-byte word of both pools differs, fill and
check are one addition and one comparison per word, at the speed of memory,
and any word can be read back into who wrote it, from where and when.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from suite.errors import BadInput
from suite.kv.plan import ADDRESS, LENGTH

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from suite.kv.plan import Plan

WORD = 8
_POSITION_BITS = 40  # 4 TiB of words, and as much for the salt
_SIDE_BITS = 4
_CHUNK = 1 << 16  # words: table and scratch stay in a core's own cache
_ODD = 0x9E3779B97F4A7C15  # 2**64 / golden ratio: neighbouring words share no bytes
# The low bytes of a product know nothing of the high bits of its factors. With the salt, a word differs from the
# one at the same place of the other side, and of the next 10 epochs, in each of its bytes (found by search).
_SALT = 0x4CCF
_INVERSE = pow(_ODD, -1, 1 << 64)
_MASK = (1 << 64) - 1


class Side(IntEnum):
    """Whose content a word is."""

    PREFILL = 1  # the KV cache, to be moved
    DECODE = 2  # the paint of the destination before anything arrived


@dataclass(frozen=True)
class Identity:
    """What a word says of itself; `position` counts words from the start of its region."""

    epoch: int
    side: int
    position: int


def identity(epoch: int, side: Side, position: int = 0) -> int:
    """Return the identity as one integer; identities of neighbouring words differ by one."""
    group = epoch << _SIDE_BITS | side
    return (group << _POSITION_BITS) + group * _SALT + position


def decode(word: int) -> Identity:
    """Return what `word` says of itself; nonsense fields mean that it is not our content."""
    group, salted = divmod(word * _INVERSE & _MASK, 1 << _POSITION_BITS)
    epoch, side = divmod(group, 1 << _SIDE_BITS)
    return Identity(epoch, side, (salted - group * _SALT) % (1 << _POSITION_BITS))


@dataclass(frozen=True)
class Content:
    """What a region of words holds: runs of consecutive identities that cover it without a gap.

    `starts` has shape (R + 1,), the last entry is the size in words; run r has
    identities from `identities[r]` on and was `moved` there or must be untouched.
    """

    starts: NDArray[np.int64]
    identities: NDArray[np.uint64]
    moved: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.identities)

    @property
    def words(self) -> int:
        """Size of the region in words."""
        return int(self.starts[-1])


def uniform(words: int, side: Side, epoch: int) -> Content:
    """Return the content of a region in which nothing has been moved."""
    return Content(np.array([0, words]), np.array([identity(epoch, side)], np.uint64), np.array([False]))


def landed(plans: Sequence[Plan], *, words: int, source: int, destination: int, epoch: int) -> Content:
    """Return what the destination region holds when `plans` have moved epoch `epoch`.

    `source` and `destination` are the addresses of the two regions. Raises
    `BadInput` when two rows write the same byte: a window that did so could
    hide a transfer that never happened.
    """
    from_rows = np.concatenate([plan.source for plan in plans])
    to_rows = np.concatenate([plan.destination for plan in plans])
    begin = _words(to_rows[:, ADDRESS] - np.uint64(destination))
    order = np.argsort(begin, kind="stable")
    begin = begin[order]
    end = begin + _words(to_rows[order, LENGTH])
    if (end[:-1] > begin[1:]).any():
        raise BadInput("overlap", "two rows of a window write the same destination bytes")
    if (begin < 0).any() or (end > words).any():
        raise BadInput("outside", "a row of the plan writes outside its region")
    arrived = np.uint64(identity(epoch, Side.PREFILL)) + _words(from_rows[order, ADDRESS] - np.uint64(source)).astype(
        np.uint64
    )
    return _with_gaps(begin, end, arrived, words, epoch)


def sliced(content: Content, start: int, stop: int) -> Content:
    """Return what the words from `start` up to `stop` hold, counted from `start`."""
    first = int(np.searchsorted(content.starts, start, side="right")) - 1
    last = max(int(np.searchsorted(content.starts, stop, side="left")), first)
    starts = np.clip(content.starts[first : last + 1], start, stop)
    identities = content.identities[first:last].copy()
    identities[:1] += (starts[:1] - content.starts[first]).astype(np.uint64)
    return Content(starts - start, identities, content.moved[first:last])


def fill(words: NDArray[np.uint64], content: Content) -> None:
    """Write `content` into `words`, an array of its size."""
    table = _table()
    for start, stop, base in _chunks(content):
        np.add(table[: stop - start], base, out=words[start:stop])


def first_difference(words: NDArray[np.uint64], content: Content) -> int | None:
    """Compare every word with `content`; return the index of the first that differs, or None."""
    table = _table()
    scratch = np.empty(_CHUNK, np.uint64)
    for start, stop, base in _chunks(content):
        offsets = scratch[: stop - start]
        np.subtract(words[start:stop], base, out=offsets)
        if not np.array_equal(offsets, table[: stop - start]):
            return start + int(np.argmax(offsets != table[: stop - start]))
    return None


def differences(words: NDArray[np.uint64], content: Content) -> NDArray[np.bool_]:
    """Return for every word whether it differs from `content`; shape (words,)."""
    wrong = np.empty(len(words), np.bool_)
    table = _table()
    for start, stop, base in _chunks(content):
        np.not_equal(words[start:stop] - base, table[: stop - start], out=wrong[start:stop])
    return wrong


def consecutive(first: int, count: int) -> NDArray[np.uint64]:
    """Return the `count` words whose identities follow each other from `first`."""
    return (np.arange(count, dtype=np.uint64) + np.uint64(first)) * np.uint64(_ODD)


def _chunks(content: Content) -> list[tuple[int, int, np.uint64]]:
    """Return (start, stop, value of a word with identity 0 shifted to start) for pieces of at most a chunk."""
    pieces = []
    starts = content.starts.tolist()
    for begin, end, first in zip(starts[:-1], starts[1:], content.identities.tolist(), strict=True):
        for start in range(begin, end, _CHUNK):
            base = np.uint64((first + start - begin) * _ODD & _MASK)
            pieces.append((start, min(start + _CHUNK, end), base))
    return pieces


@cache
def _table() -> NDArray[np.uint64]:
    return np.arange(_CHUNK, dtype=np.uint64) * np.uint64(_ODD)


def _words(nbytes: NDArray[np.uint64]) -> NDArray[np.int64]:
    if (nbytes % np.uint64(WORD)).any():
        raise BadInput("unaligned", f"content is checked in words: sizes and offsets must be multiples of {WORD} bytes")
    return np.asarray(nbytes.astype(np.int64) // WORD)


def _with_gaps(
    begin: NDArray[np.int64], end: NDArray[np.int64], arrived: NDArray[np.uint64], words: int, epoch: int
) -> Content:
    """Put runs of untouched paint between the moved runs, and join runs whose identities continue."""
    starts = np.column_stack((np.concatenate(([0], end)), np.concatenate((begin, [words])))).ravel()
    paint = np.uint64(identity(epoch, Side.DECODE)) + starts[0::2].astype(np.uint64)
    identities = np.empty(len(starts) - 1, np.uint64)
    identities[0::2] = paint
    identities[1::2] = arrived
    moved = np.zeros(len(identities), np.bool_)
    moved[1::2] = True
    sizes = np.diff(starts)
    keep = sizes > 0
    return _joined(starts[:-1][keep], sizes[keep], identities[keep], moved[keep], words)


def _joined(
    starts: NDArray[np.int64],
    sizes: NDArray[np.int64],
    identities: NDArray[np.uint64],
    moved: NDArray[np.bool_],
    words: int,
) -> Content:
    continues = (identities[:-1] + sizes[:-1].astype(np.uint64) == identities[1:]) & (moved[:-1] == moved[1:])
    keep = np.concatenate(([True], ~continues))
    return Content(np.append(starts[keep], words), identities[keep], moved[keep])
