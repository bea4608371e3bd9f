"""One launch of a point as the report needs it: what is compared launch by launch, and nothing of its thousands of samples."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from perf.percentiles import quantiles
from perf.statistics import percentiles, throughput
from perf.summary import Repetition

if TYPE_CHECKING:
    from perf.record import PointRecord

WARM_UP_WINDOWS = 1  # not timed, but its transfers are in a transfer's own phases: `perf.launch` runs as many


def repetition(record: PointRecord) -> Repetition:
    """Return what one measured record says; its durations and windows are complete (`perf.reading` has checked)."""
    durations, windows = record.durations_ns, record.delivered_ns
    firsts = durations[:: record.window_samples] if record.window_samples else durations[:1]
    moved = record.logical_bytes * record.window_samples * len(windows)
    return Repetition(
        launch=record.launch,
        throughput=throughput(moved, windows),
        latency_ns=statistics.median(durations) if durations else 0.0,
        first_ns=statistics.median(firsts) if firsts else 0.0,
        max_ns=max(durations, default=0),
        samples=len(durations),
        percentiles_ns=percentiles(durations),
        quantiles_ns=quantiles(durations),
        window_samples=record.window_samples,
        posts=record.window_samples * (len(windows) + WARM_UP_WINDOWS),
        phases_ns=dict(record.phases_ns),
    )
