"""Builders of records: a fixture each, because test modules are imported by path and cannot import one another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from perf.record import Evidence, PointRecord

if TYPE_CHECKING:
    from collections.abc import Callable


def build_record(launch: int = 0, **changes: object) -> PointRecord:
    """Return a good record of nixl:UCX pushing scattered blocks; `changes` name fields of the record or its point."""
    point: dict[str, object] = {
        "transport": "nixl:UCX",
        "op": "push",
        "workload": "llama-3.1-8b",
        "pattern": "scattered",
        "unit": "block",
        "descriptor_bytes": 4 << 20,
        "descriptors": 16,
    }
    record: dict[str, object] = {
        "schema": 1,
        "launch": launch,
        "position": 0,
        "setup": "nixl",
        "status": "measured",
        "durations_ns": [12_000_000] * 8,
        "delivered_ns": [50_000_000] * 2,
        "window_samples": 4,
        "logical_bytes": 64 << 20,
        "padded_bytes": 64 << 20,
        "wire_bytes": 64 << 20,
        "posted_descriptors": 16,
        "working_set_bytes": 256 << 20,
        "allocation": "4k",
        "verified": True,
        "verified_bytes": 1 << 30,
        "evidence": Evidence(wire="cma", source="UCX_PROTO_INFO", count=16),
        "load_average": 0.1,
        "started_at": f"2026-11-24T05:00:{launch:02d}Z",
    }
    for name, value in changes.items():
        (point if name in {*point, "settings", "source", "destination", "flows", "variant"} else record)[name] = value
    return PointRecord.model_validate(record | {"point": point})


@pytest.fixture(name="record", scope="session")
def record_builder() -> Callable[..., PointRecord]:
    return build_record


@pytest.fixture(name="launches", scope="session")
def launches_builder() -> Callable[..., list[PointRecord]]:
    """Return `count` launches of a point, whose windows take `delivered_ms` each."""

    def build(count: int = 6, delivered_ms: float = 50, **changes: object) -> list[PointRecord]:
        delivered = [int(delivered_ms * 1e6)] * 2
        return [build_record(launch, delivered_ns=delivered, **changes) for launch in range(count)]

    return build
