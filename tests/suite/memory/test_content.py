"""Content of regions, in place and staged: the same verdicts, whatever the memory."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.errors import BadInput
from suite.kv import stamp
from suite.kv.stamp import Side
from suite.memory.content import InPlaceContent, StagedContent, content_access
from suite.memory.file import FileRegion
from suite.memory.host import HostRegion

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

WORDS = 5_003  # no multiple of anything


class Distant:
    """Memory that only read and write reach, and which pieces they asked for."""

    kind: Literal["host", "cuda", "file"] = "cuda"
    device = 0
    address = 0
    allocation = "cudaMalloc"
    emulated = True

    def __init__(self, nbytes: int) -> None:
        self.nbytes = nbytes
        self.bytes = np.zeros(nbytes, np.uint8)
        self.asked: list[tuple[int, int]] = []

    def write(self, offset: int, data: NDArray[np.uint8]) -> None:
        self.asked.append((offset, len(data)))
        self.bytes[offset : offset + len(data)] = data

    def read(self, offset: int, out: NDArray[np.uint8]) -> None:
        self.asked.append((offset, len(out)))
        out[:] = self.bytes[offset : offset + len(out)]

    def close(self) -> None:
        pass


def runs() -> st.SearchStrategy[stamp.Content]:
    def build(drawn: list[tuple[int, int]]) -> stamp.Content:
        sizes, identities = zip(*drawn, strict=True)
        return stamp.Content(
            np.concatenate(([0], np.cumsum(sizes))), np.array(identities, np.uint64), np.zeros(len(sizes), np.bool_)
        )

    identities = st.integers(0, (1 << 64) - 1)
    return st.lists(st.tuples(st.integers(1, 30), identities), min_size=1, max_size=30).map(build)


def filled(content: stamp.Content) -> NDArray[np.uint64]:
    words = np.empty(content.words, np.uint64)
    stamp.fill(words, content)
    return words


@given(runs(), st.integers(1, 50))
def test_a_staged_region_holds_what_an_array_holds(content: stamp.Content, stage_words: int) -> None:
    """However the content is cut into pieces, every word is written, and found right."""
    region = Distant(8 * content.words)
    access = StagedContent(region, 8 * stage_words)
    access.fill(content)
    assert np.array_equal(region.bytes.view(np.uint64), filled(content))
    assert np.array_equal(access.words(), filled(content))
    assert access.first_difference(content) is None


@given(runs(), st.integers(1, 50), st.data())
def test_a_staged_region_gives_the_first_difference(
    content: stamp.Content, stage_words: int, data: st.DataObject
) -> None:
    """The index is the region's, not the piece's."""
    region = Distant(8 * content.words)
    access = StagedContent(region, 8 * stage_words)
    access.fill(content)
    places = data.draw(st.lists(st.integers(0, content.words - 1), min_size=1))
    region.bytes.view(np.uint64)[places] ^= np.uint64(1)
    wrong = np.flatnonzero(region.bytes.view(np.uint64) != filled(content))
    assert access.first_difference(content) == (int(wrong[0]) if len(wrong) else None)


def test_no_piece_is_larger_than_the_stage_and_all_is_covered_once() -> None:
    """A region larger than the buffer is written and read in order, without overlap, to its last word."""
    region = Distant(8 * WORDS)
    access = StagedContent(region, 8 * 1000)
    content = stamp.uniform(WORDS, Side.PREFILL, 1)
    for work in (access.fill, access.first_difference):
        region.asked.clear()
        work(content)
        assert all(first + count == second for (first, count), (second, _) in pairwise(region.asked))
        assert region.asked[0][0] == 0
        assert sum(region.asked[-1]) == 8 * WORDS
        assert max(count for _, count in region.asked) == 8000


def test_reading_stops_at_the_first_difference() -> None:
    """What is wrong at the start costs one piece, not the region."""
    region = Distant(8 * WORDS)
    region.asked.clear()
    assert StagedContent(region, 8 * 1000).first_difference(stamp.uniform(WORDS, Side.DECODE, 1)) == 0
    assert region.asked == [(0, 8000)]


@pytest.mark.parametrize("allocation", ["host", "file", "distant"])
def test_every_kind_of_region_is_filled_and_checked(tmp_path: Path, allocation: str) -> None:
    """The same three calls, whatever the memory; each says how it did it."""
    region = {
        "host": lambda: HostRegion(8 * WORDS, "4k"),
        "file": lambda: FileRegion(tmp_path / "content", 8 * WORDS, direct=False),
        "distant": lambda: Distant(8 * WORDS),
    }[allocation]()
    access = content_access(region)  # type: ignore[arg-type]  # one of three regions
    assert access.how == ("in place" if allocation == "host" else "staged")
    content = stamp.uniform(WORDS, Side.PREFILL, 3)
    assert access.first_difference(content) == 0
    access.fill(content)
    assert access.first_difference(content) is None
    assert np.array_equal(access.words(), filled(content))
    region.write(8 * 4000 + 7, np.array([access.words()[4000] >> 56 ^ 1], np.uint8))  # one bit of one byte
    assert access.first_difference(content) == 4000
    region.close()


def test_host_memory_is_not_copied() -> None:
    """Words of host memory are the memory itself."""
    region = HostRegion(64, "4k")
    assert InPlaceContent(region).words().ctypes.data == region.address


@pytest.mark.parametrize("words", [WORDS - 1, WORDS + 1, 0])
def test_content_of_another_size_is_refused(words: int) -> None:
    """Neither more nor less than the region: a check of a part could not see what went astray."""
    content = stamp.uniform(words, Side.PREFILL, 1)
    for region in (HostRegion(8 * WORDS, "4k"), Distant(8 * WORDS)):
        access = content_access(region)
        for work in (access.fill, access.first_difference):
            with pytest.raises(BadInput, match=f"content of {words} words for a region of {8 * WORDS} bytes") as caught:
                work(content)
            assert caught.value.code == "content-size"
