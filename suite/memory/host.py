"""Host memory: private anonymous pages, huge where the kernel gives them."""

from __future__ import annotations

import mmap
import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from suite.errors import Missing

if TYPE_CHECKING:
    from numpy.typing import NDArray

HUGE_PAGE = 2 << 20
_ALL = 0.95  # of the region on huge pages: the rest is the unaligned head and tail


class HostRegion:
    """`nbytes` of zeroed host memory, aligned to a huge page, touched when made.

    `pages` is what to ask the kernel for; `allocation` is what it gave, read
    back from `/proc/self/smaps`, because transparent huge pages may be off.
    """

    kind: Literal["host", "cuda", "file"] = "host"
    device = 0
    emulated = False

    def __init__(self, nbytes: int, pages: Literal["4k", "huge"] = "huge") -> None:
        self.nbytes = nbytes
        try:
            pages_of_its_own = mmap.mmap(-1, nbytes + HUGE_PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        except OSError as error:
            raise Missing(
                "no-memory", f"no {nbytes} bytes of memory for a region: {error}", "use a smaller sweep"
            ) from error
        pages_of_its_own.madvise(mmap.MADV_HUGEPAGE if pages == "huge" else mmap.MADV_NOHUGEPAGE)
        whole = np.frombuffer(pages_of_its_own, np.uint8)  # the last view of it unmaps the pages
        start = -whole.ctypes.data % HUGE_PAGE
        self._bytes = whole[start : start + nbytes]
        self.address = int(self._bytes.ctypes.data)
        self.allocation = self._touched() if pages == "huge" else self._small()

    def view(self) -> NDArray[np.uint8]:
        """Return the bytes themselves, shape (nbytes,): host memory needs no copy to be checked."""
        return self._bytes

    def write(self, offset: int, data: NDArray[np.uint8]) -> None:
        """Copy `data` to `offset`."""
        self._piece(offset, len(data))[:] = data

    def read(self, offset: int, out: NDArray[np.uint8]) -> None:
        """Fill `out` from `offset`."""
        out[:] = self._piece(offset, len(out))

    def close(self) -> None:
        """Let go of the pages; they are unmapped when the last view of them is gone."""
        self._bytes = np.empty(0, np.uint8)

    def _touched(self) -> str:
        """Touch every page; return what the kernel gave."""
        neighbours = _huge_bytes(self.address)  # the kernel may have joined this mapping to an older region's
        self._small()
        return "huge" if _huge_bytes(self.address) - neighbours >= _ALL * self.nbytes else "4k"

    def _small(self) -> str:
        """Touch every page; MADV_NOHUGEPAGE leaves the kernel no choice, and reading smaps takes milliseconds."""
        self._bytes[:: mmap.PAGESIZE] = 0
        return "4k"

    def _piece(self, offset: int, count: int) -> NDArray[np.uint8]:
        """Return a piece that is wholly inside: numpy would shorten it, and stretch one byte over many."""
        if offset < 0 or offset + count > len(self._bytes):
            raise IndexError(f"{count} bytes at {offset} are outside a region of {len(self._bytes)}")
        return self._bytes[offset : offset + count]


def _huge_bytes(address: int) -> int:
    """Return how much of the mapping around `address` is on transparent huge pages."""
    inside = False
    for line in Path("/proc/self/smaps").read_text("ascii", errors="replace").splitlines():
        if bounds := re.match(r"([0-9a-f]+)-([0-9a-f]+) ", line):
            inside = int(bounds[1], 16) <= address < int(bounds[2], 16)
        elif inside and line.startswith("AnonHugePages:"):
            return int(line.split()[1]) << 10
    return 0
