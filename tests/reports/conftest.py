"""Made-up points of several GPUs and of storage: shapes to draw and print, not results of any machine."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import pytest

from perf.record import Issue, Storage

if TYPE_CHECKING:
    from collections.abc import Callable

    from perf.summary import PointSummary

MIB = 1 << 20
CACHE = {"unit": "block", "descriptor_bytes": 4 * MIB, "descriptors": 16}
WRONG = Issue(level="INVALID", code="wrong-bytes", message="1 of 9 launches left bytes that are not as they must be")


@pytest.fixture
def grid(summary: Callable[..., PointSummary], interval: Callable[..., Any]) -> Callable[..., list[PointSummary]]:
    """Return every ordered pair of `count` devices; two islands of fast links."""

    def build(count: int = 4, **changes: Any) -> list[PointSummary]:
        found = []
        for source, to in product(range(count), repeat=2):
            speed = 900.0 if source == to else (140.0 if source // 2 == to // 2 else 21.5) + source + to / 8
            fields = {"wires": ("cuda_ipc",), "allocation": "cudaMalloc", **CACHE, "throughput": interval(speed)}
            pair = {"source": f"cuda:{source}", "destination": f"cuda:{to}"}
            found.append(summary(**(fields | pair | changes)))
        return found

    return build


@pytest.fixture
def beside(summary: Callable[..., PointSummary], interval: Callable[..., Any]) -> Callable[..., list[PointSummary]]:
    """Return one KV cache between two memories by push, pull and handoff, and the halves of the handoff."""

    def build(source: str = "host", destination: str = "host", **changes: Any) -> list[PointSummary]:
        whole = CACHE | {"source": source, "destination": destination}
        files = [Storage(filesystem="ext4", io="buffered", cached_before=[0, 0], cached_after=[512 * MIB] * 2),
                 Storage(filesystem="ext4", io="direct", cached_before=[0, 0], cached_after=[0, 0])]  # fmt: skip
        ways = (("handoff", whole), ("store", whole | {"destination": "file"}), ("fetch", whole | {"source": "file"}))
        network = [
            summary(transport=name, op=op, **(whole | {"throughput": interval(speed)} | changes))
            for name, speed in (("nixl:UCX", 5.4), ("copy", 6.1))
            for op in ("push", "pull")
        ]
        storage = [
            summary(
                transport="nixl:POSIX", op=op, settings={"io": file.io}, storage=file,
                **(where | {"wires": ("posix aio",)} | {"throughput": interval(0.8 if op == "handoff" else 1.7), "ceiling_share": None} | changes),
            )
            for file in files
            for op, where in ways
        ]  # fmt: skip
        return [*network, *storage]

    return build


@pytest.fixture
def wrong() -> Issue:
    """Return what the analysis says of a point that left wrong bytes."""
    return WRONG
