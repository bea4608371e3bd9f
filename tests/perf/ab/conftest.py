"""Made-up run folders with an A and a B: shapes to compare, not results of any machine."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from pydantic import BaseModel

    from perf.record import PointRecord


@pytest.fixture
def ab_run(tmp_path: Path) -> Callable[..., Path]:
    """Return a run folder of records; `a` and `b` are what the manifest says of the sides."""

    def build(records: Iterable[BaseModel], name: str = "run", *, a: Any = None, b: Any = None, **changes: Any) -> Path:
        path = tmp_path / name
        path.mkdir()
        sides = {
            "A": {"given": "default", "label": "as the spec says", "versions": {"nixl-cu12": "1.5.1"}} | (a or {}),
            "B": {"given": "UCX_TLS=tcp", "label": "UCX_TLS=tcp", "versions": {"nixl-cu12": "1.5.1"}} | (b or {}),
        }
        manifest = {"schema": 1, "kvgauge": "0.1.0", "seed": 7, "started_at": "2026-11-24T05:00:00Z", "complete": True,
                    "machine": {}, "settings": {"ab": sides}, "spec": {}} | changes  # fmt: skip
        (path / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
        lines = [record.model_dump_json(by_alias=True) for record in records]
        (path / "samples.jsonl").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return path

    return build


@pytest.fixture
def twins(record: Callable[..., PointRecord]) -> Callable[..., list[PointRecord]]:
    """Return launches of a point under A and under B, of a machine that becomes slower; B takes `times` as long."""

    def build(times: float = 1.0, launches: int = 12, **changes: object) -> list[PointRecord]:
        found = []
        for launch in range(launches):
            took = 50e6 * (1 + launch / 4)
            own = 1 + (launch * 7 % 5 - 2) / 1_000
            for variant, time in (("A", took), ("B", took * times * own)):
                found.append(record(launch, delivered_ns=[round(time)] * 2, variant=variant, **changes))
        return found

    return build
