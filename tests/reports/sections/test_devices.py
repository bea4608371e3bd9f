"""The device matrix: which tables there are, and what every cell says."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import pytest

from perf.record import Issue
from perf.summary import Interval
from reports.data import report_data
from reports.formats.html import render
from reports.sections.devices import MOST_CELLS, SHADES, devices

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from perf.summary import PointSummary
    from reports.sections.devices import Cell, Table

    Grid = Callable[..., list[PointSummary]]
    One = Callable[..., PointSummary]

NONE: dict[str, Any] = {"throughput": None, "latency_ns": None, "ceiling_share": None}


def only_table(points: list[PointSummary]) -> Table:
    [transfer] = devices(points).transfers
    [table] = transfer.tables
    return table


def pair(one: One, source: int = 0, to: int = 1, **changes: Any) -> PointSummary:
    return one(source=f"cuda:{source}", destination=f"cuda:{to}", **changes)


def cell_of(one: One, **changes: Any) -> Cell:
    return only_table([pair(one, **changes)]).rows[0][1]


def test_source_is_down_and_destination_across(summary: One) -> None:
    table = only_table([pair(summary, 10, 2, throughput=Interval(3.0, 2.0, 4.0, 0.96, 9))])
    assert table.memories == ("cuda:2", "cuda:10")  # by number
    assert [[cell.value for cell in cells] for cells in table.rows] == [["", ""], ["3", ""]]
    assert table.rows[1][0].span == "[2, 4]"
    assert [cell.remark for cells in table.rows for cell in cells] == [
        "not measured",
        "not measured",
        "",
        "not measured",
    ]


def test_a_transfer_has_a_table_for_each_transport_and_its_settings(grid: Grid) -> None:
    points = [
        *grid(2), *grid(2, transport="copy"), *grid(2, settings={"device_memory": "vmm"}), *grid(2, op="pull"),
        *grid(2, pattern="contiguous"), *grid(2, pattern="hot"), *grid(2, descriptors=32),
        *grid(2, descriptor_bytes=8192, unit="head"),
    ]  # fmt: skip
    found = devices(points[::-1]).transfers
    assert [(one.title.split(":")[0], len(one.tables)) for one in found] == [
        ("Push, a-model", 1), ("Push, a-model", 3), ("Pull, a-model", 1), ("Push, a-model", 1), ("Push, a-model", 1),
        ("Push, a-model", 1),
    ]  # fmt: skip
    assert [table.transport for table in found[1].tables] == ["nixl:UCX", "nixl:UCX (device_memory=vmm)", "copy"]
    assert len({one.title for one in found}) == 6


@pytest.mark.parametrize(
    ("source", "destination"), [("host", "host"), ("host", "cuda:1"), ("cuda:0", "cuda:0"), ("cuda:0", "file")]
)
def test_without_a_pair_of_devices_there_is_no_section(summary: One, source: str, destination: str) -> None:
    points = [summary(source=source, destination=destination)]
    assert devices(points).transfers == ()
    assert 'id="devices"' not in render(report_data({}, points, []))


def test_host_memory_joins_where_it_was_measured(summary: One, grid: Grid) -> None:
    host = summary(source="host", destination="cuda:1", unit="block", descriptor_bytes=4 << 20, descriptors=16)
    assert only_table(grid(2)).memories == ("cuda:0", "cuda:1")
    table = only_table([*grid(2), host])
    assert table.memories == ("host", "cuda:0", "cuda:1")
    assert [cell.remark for cell in table.rows[0]] == ["not measured", "not measured", ""]


def test_the_diagonal_says_that_it_crosses_no_link_and_is_not_compared(grid: Grid) -> None:
    """A copy within one device is faster than any link: shaded with the others it would make them look alike."""
    table = only_table(grid(4))
    assert all((cell.same == "same device") == (row == column) for row, cells in enumerate(table.rows)
               for column, cell in enumerate(cells))  # fmt: skip
    assert {table.rows[i][i].shade for i in range(4)} == {0}
    assert (
        table.sentence == "Between two devices: slowest cuda:0 → cuda:2 at 21.8, fastest cuda:3 → cuda:2 at 143 GB/s."
    )


def test_a_stronger_shade_is_never_slower(grid: Grid) -> None:
    table = only_table(grid(4))
    shaded = sorted((float(c.value), c.shade) for cells in table.rows for c in cells if c.shade)
    assert len(shaded) == 12
    assert [shade for _, shade in shaded] == sorted(shade for _, shade in shaded)
    assert shaded[-1][1] == SHADES


@pytest.mark.parametrize("interval", [Interval(5.0, None, None, None, 2), Interval(5.0, 3.0, 9.0, 0.96, 9)])
def test_pairs_that_are_not_shown_to_differ_are_not_said_to(summary: One, interval: Interval) -> None:
    faster = Interval(6.0, interval.low, interval.high, interval.confidence, 9)
    table = only_table([pair(summary, throughput=interval), pair(summary, 1, 0, throughput=faster)])
    assert "no pair is shown to be slower" in table.sentence


WRONG = Issue(level="INVALID", code="wrong-bytes", message="1 of 9 launches left wrong bytes")
ODD = Issue(level="INVALID", code="two-wires", message="Two wires.")


@pytest.mark.parametrize(
    ("changes", "remark", "value"),
    [
        ({}, "", "5"),
        ({"failed": 9, "launches": 0, "verified": False, **NONE}, "failed", ""),
        ({"failed": 2, "launches": 7}, "failed in 2 of 9 launches", "5"),
        ({"verified": False}, "wrong bytes", ""),
        ({"issues": (WRONG,), "launches": 0, "failed": 9, "verified": False}, "wrong bytes", ""),
        ({"issues": (ODD,)}, "invalid", "5"),
        ({"emulated": True}, "", "1.25 GiB"),
        ({"emulated": True, "verified": False}, "wrong bytes", ""),
    ],
)
def test_what_is_wrong_with_a_pair_is_said_in_words(
    summary: One, changes: dict[str, Any], remark: str, value: str
) -> None:
    cell = cell_of(summary, **changes)
    assert (cell.remark, cell.value) == (remark, value)
    assert (cell.shade > 0) == (remark in {"", "failed in 2 of 9 launches"} and not cell.emulated)


def test_emulated_pairs_are_counted_not_compared(grid: Grid, summary: One) -> None:
    points = [*grid(3, emulated=True), pair(summary, 1, 3, emulated=True, launches=0, failed=2, verified=False,
                                            unit="block", descriptor_bytes=4 << 20, descriptors=16)]  # fmt: skip
    table = only_table(points)
    assert table.sentence == "9 of 10 pairs: every byte moved and checked."
    assert table.unit == "bytes checked"
    assert not table.shaded
    assert not only_table(grid(2, emulated=True, transport="copy")).ceiling


@pytest.mark.deep
def test_many_devices_from_elsewhere_cannot_make_an_endless_page(summary: One) -> None:
    points = [
        pair(summary, 0, to, descriptor_bytes=size, unit="bytes", workload="bytes")
        for size, to in product((64, 128, 256), range(1, 100))
    ]
    found = devices(points)
    assert sum(len(table.memories) ** 2 for one in found.transfers for table in one.tables) <= MOST_CELLS
    assert found.left_out == 2
    assert "2 further tables are left out" in render(report_data({}, points, []))


@pytest.mark.parametrize("median", [0.0, -1.0, 1e308, 5e-324, float("nan"), float("inf")])
def test_no_rate_stops_a_table(summary: One, median: float) -> None:
    odd = pair(summary, throughput=Interval(median, median, median, 0.96, 9))
    table = only_table([odd, pair(summary, 1, 0)])
    assert all(0 <= cell.shade <= SHADES for cells in table.rows for cell in cells)


def test_the_table_can_be_read_without_sight_and_without_colour(grid: Grid) -> None:
    page = render(report_data({}, grid(2), []))
    section = page[page.index('<section id="devices"') :]
    section = section[: section.index("</section>")]
    assert section.count("<caption>") == section.count("<table") == 1
    assert section.count('scope="col"') == section.count('scope="row"') == 2
    assert section.count("<i>same device</i>") == 3  # once in the sentence above
    assert '<div class="scroll" role="region"' in section


def test_pairs_that_moved_at_once_have_a_table_of_their_own(grid: Grid) -> None:
    alone, together = devices([*grid(2, flows=2), *grid(2)]).transfers
    assert together.title == f"{alone.title}, 2 pairs at once"
