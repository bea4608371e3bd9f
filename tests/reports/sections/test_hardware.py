"""Devices and memories in words; the manifest may say anything."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from perf.record import Point
from reports.data import report_data
from reports.formats.html import render
from reports.sections.hardware import MOST_DEVICES, devices, moved, size

if TYPE_CHECKING:
    from collections.abc import Callable

    from perf.summary import PointSummary

GPU = {"ordinal": 0, "name": "Emulated GPU (host memory)", "total_bytes": 8 << 30, "pci": "0000:01:00.0",
       "numa_node": None, "emulated": True}  # fmt: skip
NAMES = ("name", "total_bytes", "pci", "numa_node", "emulated")
JSON = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.just([]) | st.just(10**400)


def point(source: str, destination: str) -> Point:
    return Point(
        transport="x", op="push", source=source, destination=destination, workload="w", pattern="scattered",
        unit="page", descriptor_bytes=8, descriptors=1,
    )  # fmt: skip


def test_devices_are_counted_by_name_and_told_one_by_one() -> None:
    found = {
        "cuda:10": GPU | {"pci": "b"},
        "cuda:9": GPU,
        "cuda:0": {"name": "A GPU", "numa_node": 1, "emulated": True},
    }
    assert devices(found).splitlines() == [
        "2 \N{MULTIPLICATION SIGN} Emulated GPU (host memory); 1 \N{MULTIPLICATION SIGN} A GPU (emulated)",
        "cuda:0: NUMA node 1",
        "cuda:9: 8 GiB, PCI 0000:01:00.0",
        "cuda:10: 8 GiB, PCI b",
    ]


def test_a_name_cannot_look_like_another_device() -> None:
    assert len(devices({"cuda:0": GPU | {"name": "x\ncuda:1: 9 GiB"}}).splitlines()) == 2


def test_thousands_of_devices_are_not_a_thousand_lines() -> None:
    lines = devices({f"cuda:{n}": GPU | {"name": f"GPU {n}"} for n in range(5000)}).splitlines()
    assert len(lines) == MOST_DEVICES + 2
    assert lines[-1] == f"and {5000 - MOST_DEVICES} more, in manifest.json"


@given(JSON | st.dictionaries(st.text(max_size=5), JSON | st.dictionaries(st.sampled_from(NAMES), JSON), max_size=3))
def test_whatever_a_manifest_says_of_devices_a_report_is_written(found: object) -> None:
    assert isinstance(devices(found), str)
    report_data({"settings": {"devices": found}, "machine": {"memory_bytes": found}}, [], [])


def test_sizes_that_are_none_are_left_out() -> None:
    assert [size(value) for value in (8 << 30, 0, -1, True, 1.5, "8", 10**400)] == ["8 GiB", *[""] * 6]


def test_few_pairs_are_named_and_many_are_counted() -> None:
    assert (
        moved([point("host", "host"), point("cuda:0", "host"), point("host", "host")]) == "cuda:0 → host, host → host"
    )
    grid = [point(f"cuda:{a}", f"cuda:{b}") for a, b in product(range(3), repeat=2)]
    assert moved([*grid, point("cuda:0", "file"), point("host", "host")]) == (
        "GPU → file, between two GPUs (6 pairs), host → host, within one GPU (3 pairs)"
    )


def test_the_page_says_what_emulated_points_are_worth_before_it_says_anything_else(
    summary: Callable[..., PointSummary],
) -> None:
    manifest = {"settings": {"devices": {"cuda:0": GPU, "cuda:1": GPU}}}
    both = [summary(emulated=True, source="cuda:0", destination="cuda:1"), summary()]
    page = render(report_data(manifest, both, ["It is so."]))
    assert "2 \N{MULTIPLICATION SIGN} Emulated GPU (host memory)" in page
    assert page.index("1 of 2 points was moved on emulated GPUs") < page.index("It is so.")
    assert "Every point was moved on emulated GPUs" in render(report_data(manifest, both[:1], []))
    assert "Emulated GPUs." not in render(report_data(manifest, both[1:], []))
