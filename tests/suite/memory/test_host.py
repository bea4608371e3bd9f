"""Host memory is what it says it is: size, place and pages."""

from __future__ import annotations

import ctypes
import mmap
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from suite.errors import Exit, Missing
from suite.memory.host import HUGE_PAGE, HostRegion

if TYPE_CHECKING:
    from collections.abc import Iterator

MIB = 1 << 20
SETTING = Path("/sys/kernel/mm/transparent_hugepage/enabled")
PR_SET_THP_DISABLE = 41


def mapping(address: int) -> dict[str, int]:
    """Return the sizes, in bytes, that the kernel gives of the mapping at `address`; nothing if there is none."""
    found: dict[str, int] = {}
    inside = False
    for line in Path("/proc/self/smaps").read_text(encoding="ascii", errors="replace").splitlines():
        if bounds := re.match(r"([0-9a-f]+)-([0-9a-f]+) ", line):
            inside = int(bounds[1], 16) <= address < int(bounds[2], 16)
        elif inside and (size := re.match(r"(\w+): +(\d+) kB", line)):
            found[size[1]] = int(size[2]) << 10
    return found


@pytest.fixture
def no_huge_pages() -> Iterator[None]:
    """Have the kernel give this process no more huge pages, whatever it has already."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0):
        pytest.skip(f"prctl(PR_SET_THP_DISABLE): {os.strerror(ctypes.get_errno())}")
    yield
    libc.prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0)


@pytest.mark.parametrize("pages", ["4k", "huge"])
@pytest.mark.parametrize("nbytes", [1, mmap.PAGESIZE, HUGE_PAGE - 8, HUGE_PAGE, 5 * MIB + 24])
def test_a_region_is_aligned_zeroed_and_of_its_size(nbytes: int, pages: str) -> None:
    """Whatever its size and pages, a region starts at a huge page's boundary and holds zeros, as many as asked."""
    region = HostRegion(nbytes, pages)  # type: ignore[arg-type]
    assert region.address % HUGE_PAGE == 0
    assert region.nbytes == len(region.view()) == nbytes
    assert region.view().ctypes.data == region.address
    assert not region.view().any()
    assert (region.kind, region.device, region.emulated) == ("host", 0, False)
    region.close()


def test_what_is_written_is_read_and_nothing_else_changes() -> None:
    """A write lands at its offset, bytes beside it stay, and a read and a view see the same."""
    region = HostRegion(64, "4k")
    region.write(8, np.arange(1, 17, dtype=np.uint8))
    expected = np.zeros(64, np.uint8)
    expected[8:24] = range(1, 17)
    out = np.full(64, 255, np.uint8)
    region.read(0, out)
    assert np.array_equal(out, expected)
    assert np.array_equal(region.view(), expected)
    piece = np.empty(4, np.uint8)
    region.read(10, piece)
    assert piece.tolist() == [3, 4, 5, 6]


@pytest.mark.parametrize(("offset", "count"), [(60, 5), (63, 2), (64, 1), (0, 65), (-1, 1), (-8, 8)])
def test_bytes_outside_a_region_are_neither_written_nor_read(offset: int, count: int) -> None:
    """A piece that does not fit is an error, not a shorter copy."""
    region = HostRegion(64, "4k")
    with pytest.raises(IndexError, match="outside a region of 64"):
        region.write(offset, np.ones(count, np.uint8))
    with pytest.raises(IndexError, match="outside a region of 64"):
        region.read(offset, np.ones(count, np.uint8))
    assert not region.view().any()


def test_views_share_the_memory() -> None:
    """A view is the memory itself: a transport's bytes are seen in it."""
    region = HostRegion(64, "4k")
    region.view()[:] = 7
    assert ctypes.string_at(region.address, 64) == bytes([7]) * 64


def test_small_pages_are_small_pages() -> None:
    """Who asks for 4k gets no huge page, even where the kernel gives them to everyone."""
    region = HostRegion(8 * MIB, "4k")
    assert region.allocation == "4k"
    assert mapping(region.address)["AnonHugePages"] == 0


def test_the_word_for_pages_is_what_the_kernel_gave() -> None:
    """Who asks for huge pages is told whether there are any, as the kernel counts them."""
    region = HostRegion(32 * MIB, "huge")
    if not SETTING.exists() or "[never]" in SETTING.read_text(encoding="ascii"):
        assert region.allocation == "4k"
    given = mapping(region.address).get("AnonHugePages", 0)
    assert region.allocation == ("huge" if given >= 0.95 * region.nbytes else "4k")


def test_a_neighbours_huge_pages_are_not_counted(no_huge_pages: None, request: pytest.FixtureRequest) -> None:
    """The kernel joins mappings that touch; a region on small pages beside one on huge pages says 4k."""
    del no_huge_pages
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0)
    first = HostRegion(32 * MIB, "huge")
    libc.prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0)
    second = HostRegion(2 * MIB, "huge")
    request.node.user_properties.append(("joined", mapping(first.address) == mapping(second.address)))
    assert second.allocation == "4k"


def test_every_page_is_there_before_the_first_transfer() -> None:
    """All pages of a new region are resident: no page fault falls into a measurement."""
    region = HostRegion(8 * MIB, "4k")
    assert mapping(region.address)["Rss"] >= region.nbytes


def test_closing_gives_the_memory_back() -> None:
    """Once closed, and with no view left, the pages are unmapped even if the region object lives on."""
    region = HostRegion(8 * MIB)
    assert mapping(region.address)
    region.close()
    assert not mapping(region.address)
    with pytest.raises(IndexError):
        region.write(0, np.ones(1, np.uint8))


def test_a_view_keeps_its_memory() -> None:
    """A view outlives the region: closing early is no crash."""
    region = HostRegion(4096, "4k")
    view = region.view()
    view[:] = 3
    region.close()
    assert view.sum() == 3 * 4096


def test_too_much_memory_is_missing() -> None:
    """What the machine cannot have is named, with a way out, and leaves with the code for something missing."""
    with pytest.raises(Missing, match=f"no {1 << 50} bytes of memory for a region: ") as caught:
        HostRegion(1 << 50)
    assert caught.value.code == "no-memory"
    assert caught.value.exit_code is Exit.MISSING
    assert caught.value.hint == "use a smaller sweep"
