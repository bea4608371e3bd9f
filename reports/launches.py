"""One row per point and launch, units in the names: what `reports.load` and `launches.csv` hold. No pandas here."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

from perf.analysis import counts
from perf.repetition import launch_rate

if TYPE_CHECKING:
    from perf.record import Point, PointRecord


def identity(point: Point) -> dict[str, Any]:
    """Return the columns that say which point a row is of; each setting is one, named `setting.NAME`."""
    settings = {f"setting.{name}": value for name, value in sorted(point.settings.items())}
    return {**point.model_dump(exclude={"settings"}), **settings}


def launch_row(record: PointRecord) -> dict[str, Any]:
    """Return a record as one row; times are ns, sizes bytes, rates GB/s. On the emulator rates and times are None."""
    timed = record.status == "measured" and not record.emulated
    return {
        **identity(record.point),
        "launch": record.launch,
        "position": record.position,
        "counts": counts(record),
        "throughput_gb_per_s": launch_rate(record) if timed else None,
        "latency_median_ns": statistics.median(record.durations_ns) if timed else None,
        "latency_max_ns": max(record.durations_ns) if timed else None,
        "samples": len(record.durations_ns),
        "logical_bytes": record.logical_bytes,
        "wire_bytes": record.wire_bytes,
        "posted_descriptors": record.posted_descriptors,
        "working_set_bytes": record.working_set_bytes,
        "allocation": record.allocation,
        "filesystem": record.storage.filesystem if record.storage else None,
        "file_io": record.storage.io if record.storage else None,
        "emulated": record.emulated,
        "wire": record.evidence.wire if record.evidence else "unknown",
        "verified": record.verified,
        "verified_bytes": record.verified_bytes,
        "load_average": record.load_average,
        "started_at": record.started_at,
    }
