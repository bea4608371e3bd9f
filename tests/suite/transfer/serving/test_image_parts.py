"""A region that is written and compared request by request, stretch by stretch, is the one that is written whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from suite.memory.host import HostRegion
from suite.transfer.image import Image
from suite.transfer.pools import block_tables, placed, region_bytes
from suite.transfer.serving import shares
from suite.transfer.task import seat_of
from tests.suite.transfer.servers.test_image import CASES, EPOCH

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from suite.transfer.pools import Tables
    from suite.transfer.task import Task

QUICK = ("tp 1 to 2", "uneven stages", "DP groups", "windows, larger blocks", "cached prefix, windows and states")
every_case = pytest.mark.parametrize(
    "task",
    [pytest.param(task, id=name, marks=[] if name in QUICK else pytest.mark.deep) for name, task in CASES.items()],
)


class Rank:
    """A rank's region, painted, and the tables of the requests that live there."""

    def __init__(self, task: Task, role: str) -> None:
        self.task, (self.side, self.number) = task, seat_of(role)
        self.region = HostRegion(region_bytes(placed(task, self.side, self.number)), "4k")
        self.image = Image(task, self.side, self.number, EPOCH, {})
        self.image.write(self.region)
        tables = block_tables(task, self.side, range(task.requests), (1,))
        self.tables = {request: tables[request] for request in tables if role in task.ranks_of(self.side, request)}
        self.every_layer = range(task.model.layers)

    def hold(self, request: int, *, content: bool) -> None:
        self.image.hold(request, self.tables[request])
        self.image.write_blocks(self.region, self.tables[request], self.every_layer, blank=not content)

    def whole(self, tables: Tables) -> NDArray[np.uint8]:
        """Return the region as `Image.write` makes it at once."""
        other = HostRegion(self.region.nbytes, "4k")
        Image(self.task, self.side, self.number, EPOCH, tables).write(other)
        return other.view().copy()


def ranks(task: Task) -> Iterator[Rank]:
    yield from (Rank(task, role) for role in task.roles())


@every_case
def test_stretch_by_stretch_is_the_same_as_all_at_once(task: Task) -> None:
    for rank in ranks(task):
        for request, table in rank.tables.items():
            rank.image.hold(request, table)
            for layers in reversed(shares.stretches(task, 1)):
                rank.image.write_blocks(rank.region, table, layers, blank=False)
        assert np.array_equal(rank.region.view(), rank.whole(rank.tables))
        assert rank.image.compare(rank.region) == []


@every_case
def test_what_is_dropped_and_blanked_is_paint_again(task: Task) -> None:
    for rank in ranks(task):
        painted = rank.region.view().copy()
        for request in rank.tables:
            rank.hold(request, content=True)
        for request, table in rank.tables.items():
            if request:
                rank.image.drop(table)
                rank.image.write_blocks(rank.region, table, rank.every_layer, blank=True)
        left = {request: table for request, table in rank.tables.items() if not request}
        assert np.array_equal(rank.region.view(), rank.whole(left))
        assert rank.image.compare(rank.region) == []
        for table in left.values():
            rank.image.drop(table)
            rank.image.write_blocks(rank.region, table, rank.every_layer, blank=True)
        assert np.array_equal(rank.region.view(), painted)


@every_case
def test_held_blocks_at_decode_are_wrong_until_they_are_filled(task: Task) -> None:
    for role in task.roles():
        rank = Rank(task, role)
        for request, table in rank.tables.items():
            rank.hold(request, content=False)
            found, compared = rank.image.compare_blocks(rank.region, table)
            sizes = {place.group.name: place.layout.block_bytes for place in placed(task, rank.side, rank.number)}
            assert compared == sum(len(blocks) * sizes[name] for name, blocks in table.items())
            assert {finding.request for finding in found} == ({request} if compared else set())
            assert all("untouched" in finding.text for finding in found)
            rank.image.write_blocks(rank.region, table, rank.every_layer, blank=False)
            assert rank.image.compare_blocks(rank.region, table) == ([], compared)


@every_case
def test_a_flipped_bit_is_found_in_the_held_block_and_nowhere_else(task: Task) -> None:
    for rank in ranks(task):
        for request in rank.tables:
            rank.hold(request, content=True)
        view = rank.region.view()
        for place in placed(task, rank.side, rank.number):
            if not place.layout.block_bytes:
                continue
            for request, table in rank.tables.items():
                last = table[place.group.name][-1]
                at = place.offset + (last + 1) * place.layout.block_bytes - 1
                view[at] ^= 1
                for other, theirs in rank.tables.items():
                    found, _ = rank.image.compare_blocks(rank.region, theirs)
                    assert [finding.request for finding in found] == ([request] if other == request else [])
                    assert all(f"block {last} of {place.group.name}" in finding.text for finding in found)
                view[at] ^= 1
        assert rank.image.compare(rank.region) == []


def test_what_lies_outside_of_the_held_blocks_is_not_the_request_s_matter() -> None:
    task = CASES["windows"]
    rank = Rank(task, "prefill-0")
    rank.hold(0, content=True)
    [place, *_] = placed(task, "prefill", 0)
    free = next(block for block in range(place.blocks) if block not in rank.tables[0][place.group.name])
    rank.region.view()[place.offset + free * place.layout.block_bytes] ^= 1
    rank.region.view()[0] ^= 1  # a guard
    found, compared = rank.image.compare_blocks(rank.region, rank.tables[0])
    assert found == []
    assert compared > 0
    assert [finding.request for finding in rank.image.compare(rank.region)] == [None, None]


def test_a_block_that_goes_to_another_request_is_that_one_s() -> None:
    task = CASES["tp 1 to 2"]
    rank = Rank(task, "decode-0")
    rank.hold(0, content=True)
    rank.image.drop(rank.tables[0])
    rank.tables[1] = rank.tables[0]  # its blocks are granted again
    rank.image.hold(1, rank.tables[1])
    [finding], _ = rank.image.compare_blocks(rank.region, rank.tables[1])
    assert finding.request == 1
    assert "holds request 0" in finding.text
    rank.image.write_blocks(rank.region, rank.tables[1], rank.every_layer, blank=False)
    assert rank.image.compare(rank.region) == []
