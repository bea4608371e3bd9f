"""Storage beside network: what may stand beside what, and what is said of the file."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from perf.record import Storage
from reports.data import report_data
from reports.formats.html import render
from reports.sections.storage import page_cache, storage

if TYPE_CHECKING:
    from collections.abc import Callable

    from perf.summary import PointSummary
    from reports.sections.storage import Cache

    Beside = Callable[..., list[PointSummary]]
    One = Callable[..., PointSummary]

MIB = 1 << 20


def told(cache: Cache) -> list[tuple[str, str, str, bool]]:
    return [(line.row.op, line.row.transport, line.way, line.half) for line in cache.lines]


def test_network_comes_first_then_each_handoff_with_its_halves(beside: Beside) -> None:
    [place] = storage(beside()[::-1])
    [cache] = place.caches
    assert place.between == "host → host"
    assert place.timed
    assert not cache.alone
    assert told(cache) == [
        ("push", "nixl:UCX", "", False), ("push", "copy", "", False),
        ("pull", "nixl:UCX", "", False), ("pull", "copy", "", False),
        ("handoff", "nixl:POSIX (io=buffered)", "", False),
        ("store", "nixl:POSIX (io=buffered)", "host → file", True),
        ("fetch", "nixl:POSIX (io=buffered)", "file → host", True),
        ("handoff", "nixl:POSIX (io=direct)", "", False),
        ("store", "nixl:POSIX (io=direct)", "host → file", True),
        ("fetch", "nixl:POSIX (io=direct)", "file → host", True),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "changes", [{"descriptors": 99}, {"unit": "layer"}, {"workload": "other"}, {"pattern": "contiguous"},
                {"destination": "cuda:1"}, {"descriptor_bytes": 8 * MIB}],
)  # fmt: skip
def test_only_the_same_cache_between_the_same_memories_stands_beside(
    beside: Beside, summary: One, changes: dict[str, str]
) -> None:
    handoffs = [one for one in beside() if one.point.op == "handoff"]
    same = {"unit": "block", "descriptor_bytes": 4 * MIB, "descriptors": 16}
    [place] = storage([*handoffs, summary(**(same | changes))])
    assert {line.row.op for cache in place.caches for line in cache.lines} == {"handoff"}
    assert place.caches[0].alone
    page = render(report_data({}, handoffs, []))
    assert "no push or pull of it was measured here" in page


def test_halves_of_no_handoff_stand_alone(beside: Beside) -> None:
    places = storage([one for one in beside() if one.point.op in {"store", "fetch"}])
    assert [place.between for place in places] == ["host → file", "file → host"]
    assert not any(line.half for place in places for cache in place.caches for line in cache.lines)
    assert not any(place.handoffs for place in places)


def test_a_run_without_a_file_has_no_section(summary: One, beside: Beside) -> None:
    assert 'id="storage"' not in render(report_data({}, [summary()], []))
    assert 'id="storage"' in render(report_data({}, beside(), []))


@pytest.mark.parametrize(
    ("op", "before", "after", "said"),
    [
        ("fetch", [0, 512 * MIB], [0, 0], "512 MiB of the file were in the page cache when it was read: it came from memory"),
        ("fetch", [0], [512 * MIB], "none of it was in the page cache when it was read"),
        ("store", [0], [MIB, 2 * MIB], "2 MiB of the file were in the page cache after it was written"),
        ("handoff", [0], [3 * MIB], "3 MiB of the file were in the page cache after it was read: decode may have read"),
        ("handoff", [0], [0], "none of it was in the page cache after it was read"),
        ("handoff", [], [], "page cache: not recorded"),
    ],
)  # fmt: skip
def test_the_page_cache_is_told_in_words(op: str, before: list[int], after: list[int], said: str) -> None:
    file = Storage(filesystem="ext4", io="direct", cached_before=before, cached_after=after)
    assert page_cache(op, file).startswith(said)


def test_the_page_names_the_file_and_explains_a_handoff(beside: Beside) -> None:
    page = render(report_data({}, beside(), []))
    for said in ("ext4, O_DIRECT", "ext4, buffered", "In a <i>handoff</i> prefill stores", "until decode has answered"):
        assert said in page


def test_a_lost_handoff_claims_no_file(beside: Beside) -> None:
    lost = [replace(one, storage=None) for one in beside() if one.point.op == "handoff"]
    [place] = storage(lost)
    assert {line.file for line in place.caches[0].lines} == {"not recorded"}


def test_emulated_places_have_no_column_for_a_rate(beside: Beside) -> None:
    points = beside("cuda:0", "host", emulated=True)
    assert not storage(points)[0].timed
    page = render(report_data({}, points, []))
    assert "GB/s" not in page[page.index('<section id="storage"') : page.index('<section id="points"')]
