"""One launch of a point as the report needs it: what is compared launch by launch, and nothing of its thousands of samples."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from perf.percentiles import quantiles
from perf.statistics import percentiles, throughput
from perf.summary import Repetition

if TYPE_CHECKING:
    from perf.record import PointRecord

WARM_UP_WINDOWS = 1  # before the timed ones of a point; its transfers are in a transfer's own phases


def repetition(record: PointRecord) -> Repetition:
    """Return what one measured record says; its durations and windows are complete (`perf.reading` has checked)."""
    durations = record.durations_ns
    firsts = durations[:: record.window_samples] if record.window_samples else durations[:1]
    return Repetition(
        launch=record.launch,
        throughput=launch_rate(record),
        latency_ns=statistics.median(durations) if durations else 0.0,
        first_ns=statistics.median(firsts) if firsts else 0.0,
        max_ns=max(durations, default=0),
        samples=len(durations),
        percentiles_ns=percentiles(durations),
        quantiles_ns=quantiles(durations),
        window_samples=record.window_samples,
        posts=posts(record),
        phases_ns=dict(record.phases_ns),
    )


def launch_rate(record: PointRecord) -> float | None:
    """Return the throughput of a launch in GB/s, until delivered; None where no time passed."""
    windows = record.delivered_ns
    return throughput(record.logical_bytes * record.window_samples * len(windows), windows)


def posts(record: PointRecord) -> int:
    """Return how many transfers the phases of a record add up: those of all windows, with the warm-up."""
    return record.window_samples * (len(record.delivered_ns) + WARM_UP_WINDOWS)
