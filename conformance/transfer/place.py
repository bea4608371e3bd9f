"""Memory of a case: a region between guards, what it was given, and what it must hold now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from conformance.transfer.case import DESTINATION, LENGTH, landed, reached

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from suite.memory.region import Region

GUARD = 4096  # bytes on either side that no transfer may touch


class Window:
    """A part of a region, as a region: what is registered, so that there is memory around it that is not."""

    def __init__(self, base: Region, start: int, nbytes: int) -> None:
        self._base, self._start = base, start
        self.kind, self.device, self.allocation, self.emulated = base.kind, base.device, base.allocation, base.emulated
        self.address, self.nbytes = base.address + start, nbytes

    def write(self, offset: int, data: NDArray[np.uint8]) -> None:
        """Copy `data` to `offset`."""
        self._base.write(self._start + offset, data)

    def read(self, offset: int, out: NDArray[np.uint8]) -> None:
        """Fill `out` from `offset`."""
        self._base.read(self._start + offset, out)

    def close(self) -> None:
        """Nothing: the place gives the memory back."""


class Place:
    """One region of a case. Every byte of it and of its guards is painted, and compared, by numpy."""

    def __init__(self, base: Region, nbytes: int, start: int) -> None:
        self.base, self.nbytes, self.start = base, nbytes, GUARD + start
        self.used = span(nbytes, start)
        self.region: Region = base if base.kind == "file" else Window(base, self.start, nbytes)
        self.address = self.base.address + self.start  # where row offset 0 is; in a file: an offset
        self.expected: NDArray[np.uint8] = np.empty(0, np.uint8)
        self._seen = self.expected
        self._named: NDArray[np.bool_] = np.empty(0, np.bool_)  # bytes that rows reach

    def paint(self, seed: int) -> None:
        """Write the bytes of `seed` everywhere, guards included."""
        self._named = np.zeros(self.used, np.bool_)
        self._be(content(seed, self.used))

    def stage(self, rows: NDArray[np.int64], source: NDArray[np.uint8], seed: int) -> None:
        """Paint, and expect that `rows` of `source` arrive; no byte that they reach holds its right value before."""
        before = content(seed, self.used)
        inside = rows.copy()
        inside[:, DESTINATION] += self.start
        expected = landed(inside, source, before)
        self._named = reached(inside[:, DESTINATION], inside[:, LENGTH], self.used)
        before[self._named] = ~expected[self._named]
        self._be(before)
        self.expected = expected

    def wipe(self, starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> None:
        """Invert these bytes, and expect that they become again what was painted."""
        self._named = reached(starts + self.start, lengths, self.used)
        self.base.write(0, np.where(self._named, ~self.expected, self.expected))

    def zeros(self, starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> None:
        """Expect that zeros arrive in these bytes, which hold others."""
        self._named = reached(starts + self.start, lengths, self.used)
        self._be(np.where(self._named, self.expected | 1, self.expected))
        self.expected = np.where(self._named, 0, self.expected).astype(np.uint8)

    def damage(self) -> dict[str, Any] | None:
        """Return what is not as expected, None if every byte is."""
        found = self.read()
        wrong = np.flatnonzero(found != self.expected)
        if not len(wrong):
            return None
        at, rows = int(wrong[0]), int(np.count_nonzero(self._named[wrong]))
        return {
            "rows": rows,  # bytes that rows name
            "beside": len(wrong) - rows,
            "first": at - self.start,
            "holds": int(found[at]),
            "expected": int(self.expected[at]),
        }

    def read(self) -> NDArray[np.uint8]:
        """Return a copy of all bytes, guards included."""
        out = np.empty(self.used, np.uint8)
        self.base.read(0, out)
        return out

    def mark(self) -> None:
        """Remember what is there now."""
        self._seen = self.read()

    def changed(self) -> int:
        """Return how many bytes are not what they were at `mark`."""
        return int(np.count_nonzero(self.read() != self._seen))

    def _be(self, content: NDArray[np.uint8]) -> None:
        self.base.write(0, content)
        self.expected = content


def content(seed: int, count: int) -> NDArray[np.uint8]:
    """Return the `count` bytes of `seed`, shape (count,)."""
    words = np.random.default_rng(seed).integers(0, 1 << 64, -(-count // 8), np.uint64)
    return words.view(np.uint8)[:count]


def span(nbytes: int, start: int) -> int:
    """Return how many bytes a place takes with its guards."""
    return GUARD + start + nbytes + GUARD
