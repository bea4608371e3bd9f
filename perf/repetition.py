"""One launch of a point as the report needs it: what is compared launch by launch, and nothing of its thousands of samples."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from perf.percentiles import quantiles
from perf.roles import INITIATOR
from perf.statistics import percentiles, throughput
from perf.summary import Repetition, Used

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
        bytes=record.logical_bytes * len(durations),
        used=_used(record),
        split_ns=_split(record),
    )


def launch_rate(record: PointRecord) -> float | None:
    """Return the throughput of a launch in GB/s, until delivered; None where no time passed."""
    windows = record.delivered_ns
    return throughput(record.logical_bytes * record.window_samples * len(windows), windows)


def posts(record: PointRecord) -> int:
    """Return how many transfers the phases of a record add up: those of all windows, with the warm-up."""
    return record.window_samples * (len(record.delivered_ns) + WARM_UP_WINDOWS)


def _used(record: PointRecord) -> dict[str, Used]:
    """Return what each side's process used, the initiator first."""
    initiator = INITIATOR[record.point.op]
    found = {
        "initiator" if role == initiator else "target": Used(
            sum(usage.cpu_ns), sum(usage.system_ns), sum(usage.wall_ns)
        )
        for role, usage in record.usage.items()
    }
    return {side: found[side] for side in ("initiator", "target") if side in found and found[side].wall_ns}


def _split(record: PointRecord) -> dict[str, float]:
    """Return where a transfer's time goes: in the call that posts, then until it is complete, both of the first window.

    Its first transfer also made the connection and is left out. `notification` is of the timed windows: from the last
    completion until the target has said that all is there, once a window; who pulls or stores waits for no word.
    """
    found: dict[str, float] = {}
    first = record.warm_up
    if first and len(first.posted_ns) == len(first.durations_ns) > 1:
        found["post"] = statistics.median(first.posted_ns[1:])
        rest = [took - post for took, post in zip(first.durations_ns[1:], first.posted_ns[1:], strict=True)]
        found["transfer"] = max(0.0, statistics.median(rest))
    if record.point.op == "push" and record.delivered_ns:
        waits = (sum(record.delivered_ns) - sum(record.durations_ns)) / len(record.delivered_ns)
        found["notification"] = max(0.0, waits)
    return found
