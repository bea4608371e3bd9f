"""What went wrong with which bytes: words are decoded only after a check has failed.

Every descriptor whose destination is not as it must be gets one name. The
first that fits wins: untouched, stale, torn, swapped, shifted, corrupt; and for
bytes that nobody was to write: overrun (they follow a descriptor), stray.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from suite.kv import stamp
from suite.kv.plan import ADDRESS, LENGTH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from suite.kv.plan import Plan

    Describe = Callable[[int], str]  # byte offset in a region -> place in words


class Fault(StrEnum):
    """What a wrong piece of the destination is."""

    UNTOUCHED = "untouched"  # still the paint from before the window: the transfer did not happen
    STALE = "stale"  # the right place's content, of an earlier epoch
    SWAPPED = "swapped"  # this epoch's content, of another place
    SHIFTED = "shifted"  # the right content, some bytes off
    TORN = "torn"  # partly arrived
    CORRUPT = "corrupt"  # nobody's content
    OVERRUN = "overrun"  # written behind the end, or before the start, of a descriptor
    STRAY = "stray"  # written where no descriptor is near
    LATE = "late"  # arrived after the transfer had called itself done


@dataclass(frozen=True)
class Finding:
    """One kind of fault: how many descriptors (or words) have it, and the first of them in words."""

    fault: Fault
    count: int
    example: str

    def __str__(self) -> str:
        return f"{self.fault}: {self.count} x, first at {self.example}"


@dataclass(frozen=True)
class Places:
    """How to speak of byte offsets of the two regions."""

    source: Describe
    destination: Describe


@dataclass(frozen=True)
class _Descriptor:
    """The destination of one row after the window: what it holds, and which words of that are wrong."""

    got: NDArray[np.uint64]
    wrong: NDArray[np.bool_]
    origin: int  # position of its source, in words
    place: int  # position of its destination, in words
    epoch: int

    @property
    def at(self) -> int:
        """Index of the first wrong word."""
        return int(np.argmax(self.wrong))

    @property
    def right(self) -> NDArray[np.uint64]:
        """What it must hold."""
        return stamp.consecutive(stamp.identity(self.epoch, stamp.Side.PREFILL, self.origin), len(self.got))

    @property
    def paint(self) -> NDArray[np.uint64]:
        """What it held before the window."""
        return stamp.consecutive(stamp.identity(self.epoch, stamp.Side.DECODE, self.place), len(self.got))

    @property
    def untouched(self) -> NDArray[np.bool_]:
        """Which words are still the paint from before the window."""
        return np.asarray(self.got == self.paint)

    @property
    def first(self) -> stamp.Identity:
        """What the first wrong word says of itself."""
        return stamp.decode(int(self.got[self.at]))


def diagnose(
    words: NDArray[np.uint64],
    plans: Sequence[Plan],
    *,
    source: int,
    destination: int,
    epoch: int,
    places: Places,
) -> tuple[Finding, ...]:
    """Return what is wrong with the destination region `words` after `plans` moved `epoch`; empty if nothing is.

    `source` and `destination` are the addresses of the regions.
    """
    content = stamp.landed(plans, words=len(words), source=source, destination=destination, epoch=epoch)
    wrong = stamp.differences(words, content)
    seen: Counter[Fault] = Counter()
    examples: dict[Fault, str] = {}
    for row in _wrong_rows(words, wrong, plans, source=source, destination=destination, epoch=epoch):
        fault, what = _name(row, places)
        seen[fault] += 1
        examples.setdefault(fault, places.destination((row.place + row.at) * stamp.WORD) + what)
    for fault, at in _wrong_gaps(words, wrong, content):
        seen[fault] += 1
        examples.setdefault(fault, f"{places.destination(at)}: nothing was to be written there")
    return tuple(Finding(fault, seen[fault], examples[fault]) for fault in Fault if fault in seen)


def _wrong_rows(
    words: NDArray[np.uint64],
    wrong: NDArray[np.bool_],
    plans: Sequence[Plan],
    *,
    source: int,
    destination: int,
    epoch: int,
) -> Iterator[_Descriptor]:
    """Yield the descriptors with a wrong word, in the order of their destinations."""
    from_rows = np.concatenate([plan.source for plan in plans])
    to_rows = np.concatenate([plan.destination for plan in plans])
    order = np.argsort(to_rows[:, ADDRESS])
    begin = _words_from(destination, to_rows[order, ADDRESS])
    origin = _words_from(source, from_rows[order, ADDRESS])
    end = begin + (to_rows[order, LENGTH] // stamp.WORD).astype(np.int64)
    wrong_before = np.concatenate(([0], np.cumsum(wrong)))
    for row in np.flatnonzero(wrong_before[end] > wrong_before[begin]).tolist():
        piece = slice(begin[row], end[row])
        yield _Descriptor(words[piece], wrong[piece], int(origin[row]), int(begin[row]), epoch)


def _words_from(address: int, addresses: NDArray[np.uint64]) -> NDArray[np.int64]:
    return ((addresses - np.uint64(address)) // stamp.WORD).astype(np.int64)


def _name(row: _Descriptor, places: Places) -> tuple[Fault, str]:
    """Name the fault of one descriptor, and say what it holds instead; the first rule that fits wins."""
    for rule in (_untouched, _stale, _torn, _misplaced, _shifted_inside_words):
        named = rule(row, places)
        if named is not None:
            return named
    return Fault.CORRUPT, f": {row.wrong.sum()} words are nobody's content"


def _untouched(row: _Descriptor, _places: Places) -> tuple[Fault, str] | None:
    return (Fault.UNTOUCHED, "") if row.untouched.all() else None


def _stale(row: _Descriptor, _places: Places) -> tuple[Fault, str] | None:
    first = row.first
    if first.side == stamp.Side.PREFILL and first.position == row.origin + row.at and first.epoch < row.epoch:
        return Fault.STALE, f": holds epoch {first.epoch}, not {row.epoch}"
    return None


def _torn(row: _Descriptor, _places: Places) -> tuple[Fault, str] | None:
    """Name what arrived in part: every byte, for a cut may lie inside a word, is right or still paint."""
    got, right, paint = (_bytes(words) for words in (row.got, row.right, row.paint))
    if ((got == right) | (got == paint)).all():
        return Fault.TORN, f": {row.wrong.sum()} of {len(row.got)} words did not arrive whole"
    return None


def _misplaced(row: _Descriptor, places: Places) -> tuple[Fault, str] | None:
    at = int(np.argmax(row.wrong & ~row.untouched))  # what lies too far behind leaves paint before itself
    first = stamp.decode(int(row.got[at]))
    if first.side != stamp.Side.PREFILL or first.epoch != row.epoch:
        return None
    distance = (first.position - row.origin - at) * stamp.WORD
    if abs(distance) < len(row.got) * stamp.WORD:
        return Fault.SHIFTED, f": {distance:+d} bytes"
    return Fault.SWAPPED, f": holds the prefill pool's {places.source(first.position * stamp.WORD)}"


def _shifted_inside_words(row: _Descriptor, _places: Places) -> tuple[Fault, str] | None:
    """Name content that lies off by less than a word, which no word can say of itself."""
    got, right = _bytes(row.got), _bytes(row.right)
    for shift in range(1, stamp.WORD):
        if np.array_equal(got[:-shift], right[shift:]):
            return Fault.SHIFTED, f": {shift:+d} bytes"
        if np.array_equal(got[shift:], right[:-shift]):
            return Fault.SHIFTED, f": {-shift:+d} bytes"
    return None


def _bytes(words: NDArray[np.uint64]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(words).view(np.uint8)


def _wrong_gaps(
    words: NDArray[np.uint64], wrong: NDArray[np.bool_], content: stamp.Content
) -> Iterator[tuple[Fault, int]]:
    """Yield (fault, first wrong byte) for every stretch that should have been left alone and was not."""
    for run in np.flatnonzero(~content.moved).tolist():
        start, stop = int(content.starts[run]), int(content.starts[run + 1])
        bad = np.flatnonzero(wrong[start:stop])
        if not len(bad):
            continue
        first = int(bad[0])
        follows = run > 0 and first == 0
        precedes = run + 1 < len(content) and bad[-1] == stop - start - 1
        right = stamp.consecutive(int(content.identities[run]) + first, 1).view(np.uint8)
        byte = int(np.argmax(words[start + first : start + first + 1].view(np.uint8) != right))
        yield Fault.OVERRUN if follows or precedes else Fault.STRAY, (start + first) * stamp.WORD + byte
