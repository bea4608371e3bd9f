"""Made-up run folders of two machines' worth of points: shapes to compare, not results of any machine."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from perf.record import PointRecord

MACHINE = {"cpu": "A processor", "cores": 2, "memory_bytes": 8 << 30}
_STARTS = {"base": "2026-11-24T05:00:00Z", "new": "2026-11-24T06:00:00Z"}


@pytest.fixture
def made(tmp_path: Path) -> Callable[..., Path]:
    """Return a run folder of records; `changes` name fields of its manifest."""

    def build(name: str, records: Iterable[PointRecord], **changes: Any) -> Path:
        path = tmp_path / name
        path.mkdir()
        manifest = {
            "schema": 1, "kvgauge": "0.1.0", "seed": 7, "started_at": _STARTS.get(name, name), "complete": True, "machine": MACHINE,
            "settings": {}, "versions": {"nixl-cu12": "1.5.0"}, "spec": {"launches": 9},
            "environment": {"PATH": "/usr/bin", "UCX_TLS": "all"},
        }  # fmt: skip
        (path / "manifest.json").write_text(json.dumps(manifest | changes), encoding="utf-8")
        lines = [record.model_dump_json(by_alias=True) for record in records]
        (path / "samples.jsonl").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return path

    return build


@pytest.fixture
def sampled(record: Callable[..., PointRecord]) -> Callable[..., list[PointRecord]]:
    """Return nine launches of a point whose windows take about `ms`, a little more in each launch."""

    def build(ms: float = 50, count: int = 9, **changes: object) -> list[PointRecord]:
        times = [round(ms * 1e6 * (1 + launch / 500)) for launch in range(count)]
        return [record(launch, delivered_ns=[time] * 2, **changes) for launch, time in enumerate(times)]

    return build
