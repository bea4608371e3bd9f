"""A run as a pandas frame, for notebooks: tidy, with units in the column names."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

from perf.analysis import counts
from perf.reading import read_records
from perf.statistics import throughput
from suite.run.folder import RunFolder

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from perf.record import PointRecord


def load(run: Path) -> pd.DataFrame:
    """Return one row per point and launch of the run folder `run`.

    Times are ns, sizes bytes, rates GB/s of logical bytes until delivered.
    `counts` says whether the row may enter a number: measured, every byte
    right, nothing INVALID. On the emulator rates and times are missing.
    Raises `BadInput` for a folder that is not a readable run.
    """
    import pandas as pd

    records, _ = read_records(RunFolder(run).samples)
    return pd.DataFrame([_row(record) for record in records])


def _row(record: PointRecord) -> dict[str, Any]:
    point = record.point.model_dump(exclude={"settings"})
    settings = {f"setting.{name}": value for name, value in sorted(record.point.settings.items())}
    timed = record.status == "measured" and not record.emulated
    moved = record.logical_bytes * record.window_samples * len(record.delivered_ns)
    return {
        **point,
        **settings,
        "launch": record.launch,
        "position": record.position,
        "counts": counts(record),
        "throughput_gb_per_s": throughput(moved, record.delivered_ns) if timed else None,
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
