"""How a region's content is written and checked: where it is, through a host buffer, or on the device."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from suite.errors import BadInput
from suite.kv import stamp

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from suite.kv.stamp import Content
    from suite.memory.region import Region

STAGE_BYTES = 16 << 20  # more than a copy's latency is worth, less than anyone misses


class ContentAccess(Protocol):
    """One way to the words of one region. Never used in a window."""

    how: str  # "in place", "staged", "on the device": recorded

    def fill(self, content: Content) -> None:
        """Write `content`, which must be of the region's size (`BadInput`), everywhere."""

    def first_difference(self, content: Content) -> int | None:
        """Compare every word; return the index of the first that differs, or None."""

    def words(self) -> NDArray[np.uint64]:
        """Return all words, shape (nbytes / 8,): a view or a copy, for a diagnosis after a mismatch."""


@runtime_checkable
class Viewable(Protocol):
    """A region that the CPU can address."""

    def view(self) -> NDArray[np.uint8]:
        """Return the bytes themselves."""


def content_access(region: Region) -> ContentAccess:
    """Return the nearest way to `region`: in place, by a kernel on a real GPU where CuPy is there, or staged."""
    if isinstance(region, Viewable):
        return InPlaceContent(region)
    if region.kind == "cuda" and not region.emulated and find_spec("cupy"):
        from suite.memory.content_kernel import DeviceContent

        return DeviceContent(region)
    return StagedContent(region)


def check_size(content: Content, nbytes: int) -> None:
    """Refuse content that does not cover a region of `nbytes` exactly."""
    if content.words * stamp.WORD != nbytes:
        raise BadInput("content-size", f"content of {content.words} words for a region of {nbytes} bytes")


class InPlaceContent:
    """Host memory: filled and compared where it is."""

    how = "in place"

    def __init__(self, region: Viewable) -> None:
        self._region = region

    def fill(self, content: Content) -> None:
        """Write `content`."""
        stamp.fill(self._sized(content), content)

    def first_difference(self, content: Content) -> int | None:
        """Return the index of the first word that differs, or None."""
        return stamp.first_difference(self._sized(content), content)

    def words(self) -> NDArray[np.uint64]:
        """Return a view of all words."""
        return self._region.view().view(np.uint64)

    def _sized(self, content: Content) -> NDArray[np.uint64]:
        check_size(content, self._region.view().nbytes)
        return self.words()


class StagedContent:
    """Memory that only `read` and `write` reach (a device, a file): piece by piece through a host buffer."""

    how = "staged"

    def __init__(self, region: Region, stage_bytes: int = STAGE_BYTES) -> None:
        self._region = region
        self._stage = stage_bytes // stamp.WORD

    def fill(self, content: Content) -> None:
        """Write `content`."""
        check_size(content, self._region.nbytes)
        for start, words in self._pieces():
            stamp.fill(words, stamp.sliced(content, start, start + len(words)))
            self._region.write(start * stamp.WORD, words.view(np.uint8))

    def first_difference(self, content: Content) -> int | None:
        """Return the index of the first word that differs, or None."""
        check_size(content, self._region.nbytes)
        for start, words in self._pieces():
            self._region.read(start * stamp.WORD, words.view(np.uint8))
            at = stamp.first_difference(words, stamp.sliced(content, start, start + len(words)))
            if at is not None:
                return start + at
        return None

    def words(self) -> NDArray[np.uint64]:
        """Return a copy of all words."""
        copy = np.empty(self._region.nbytes // stamp.WORD, np.uint64)
        self._region.read(0, copy.view(np.uint8))
        return copy

    def _pieces(self) -> Iterator[tuple[int, NDArray[np.uint64]]]:
        """Yield (first word, the buffer for the words from there on)."""
        size = self._region.nbytes // stamp.WORD
        buffer = np.empty(min(self._stage, size), np.uint64)
        for start in range(0, size, self._stage):
            yield start, buffer[: min(self._stage, size - start)]
