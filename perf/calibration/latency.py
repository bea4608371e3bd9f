"""Planted latencies: transfers that take as long as they are told to, and what the windows make of them."""

from __future__ import annotations

import random
from collections import defaultdict
from statistics import linear_regression
from typing import TYPE_CHECKING

from perf.calibration.asked import Found, known
from perf.calibration.planted import LATENCY
from perf.calibration.runner import group, measured, messages
from perf.calibration.server import PLANTED
from perf.resources import library_environment
from suite.errors import Missing
from suite.run.calibration import Cost, Known
from suite.transports import host_copy
from suite.units import format_ns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from perf.calibration.asked import Asked

TOLERATED = 0.05
# longer ones are not kept on a busy machine: whoever waits for them is put aside for longer than that
PLANTED_NS = (50_000, 100_000, 300_000, 1_000_000)
_MESSAGE_BYTES = 64
_LAUNCHES, _SAMPLES, _QUICK_SAMPLES = 3, 60, 20


def calibrate_latency(asked: Asked) -> Found:
    """Measure every planted latency, in random order in each launch; the slope and offset are over all of them."""
    if refused := host_copy.refused():
        hint = "allow process_vm_writev between your own processes (seccomp, Yama)"
        raise Missing("no-copy", f"a planted latency moves its bytes by a copy between processes: {refused}", hint)
    asked.say(f"planted latencies: {', '.join(map(format_ns, PLANTED_NS))}")
    samples = _QUICK_SAMPLES if asked.quick else _SAMPLES
    points = {
        planted: messages(PLANTED, _MESSAGE_BYTES, samples, settings={LATENCY: str(planted)}) for planted in PLANTED_NS
    }
    found: defaultdict[int, list[float]] = defaultdict(list)
    for launch in range(1 if asked.quick else _LAUNCHES):
        with group(list(points.values()), library_environment(), asked.logs, f"latency-{launch}") as workers:
            for index, planted in enumerate(random.sample(PLANTED_NS, len(PLANTED_NS))):
                found[planted].append(measured(workers, index, points[planted]).latency_ns)
    return Found([_known(planted, found[planted]) for planted in PLANTED_NS], fitted(found))


def fitted(found: Mapping[int, Sequence[float]]) -> list[Cost]:
    """Return slope and offset of the line through all launches: measured = offset + slope x planted."""
    planted = [float(one) for one, values in found.items() for _ in values]
    line = linear_regression(planted, [value for values in found.values() for value in values])
    return [
        Cost(what="slope over the planted latencies", unit="ratio", value=line.slope, detail="1 is perfect"),
        Cost(what="offset of the planted latencies", unit="ns", value=line.intercept, detail="a post and its polls"),
    ]


def _known(planted: int, values: list[float]) -> Known:
    return known(f"planted latency, {format_ns(planted)}", values, float(planted), unit="ns", tolerated=TOLERATED)
