"""What the instrument itself costs: its clock, its window around nothing, its evidence."""

from __future__ import annotations

import time
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

from perf.calibration.asked import Found
from perf.calibration.runner import group, measured, messages
from perf.calibration.server import IDLE
from perf.comparing.bootstrap import ratio_of_medians
from perf.resources import library_environment
from perf.setups import required_environment
from suite.run.calibration import Cost
from suite.transports import base, host_copy

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from perf.calibration.asked import Asked

_READS, _REPEATS = 100_000, 5
_IDLE_BYTES, _IDLE_SAMPLES = 64, 2_000
_EVIDENCE = "UCX_PROTO_INFO"
_WITNESSED, _WITNESSED_BYTES, _WITNESSED_SAMPLES = "nixl:UCX", 4096, 500
_PAIRS, _QUICK_PAIRS = 6, 3


def calibrate_overheads(asked: Asked) -> Found:
    """Measure clock, harness and evidence; what cannot be measured here is said and left out."""
    asked.say("the clock, the harness around transfers of nothing, the evidence")
    costs = list(clock())
    if refused := host_copy.refused():
        asked.say(f"without the harness: {refused}")
    else:
        costs += _harness(asked)
    if lacking := base.load(_WITNESSED).missing(library_environment()):
        asked.say(f"without the evidence: {_WITNESSED}: {lacking}")
    else:
        costs.append(_evidence(asked))
    return Found(costs=costs)


def clock() -> Iterator[Cost]:
    """Return the smallest step of the clock that the windows read, and what a read costs."""
    clock_ns = time.perf_counter_ns
    costs, steps = [], []
    for _ in range(_REPEATS):
        reads = [clock_ns() for _ in range(_READS)]
        costs.append((reads[-1] - reads[0]) / (_READS - 1))
        steps += [after - before for before, after in pairwise(reads) if after > before]
    source = f"perf_counter_ns, {time.get_clock_info('perf_counter').implementation}"
    yield Cost(what="clock, smallest step seen", unit="ns", value=float(min(steps)), detail=source)
    yield Cost(what="clock, one read", unit="ns", value=median(costs), low=min(costs), high=max(costs), detail=source)


def _harness(asked: Asked) -> Iterator[Cost]:
    """Measure transfers that do nothing, and what a window waits for its destination's word."""
    point = messages(IDLE, _IDLE_BYTES, _IDLE_SAMPLES)
    taken: list[float] = []
    waited: list[float] = []
    for launch in range(1 if asked.quick else 3):
        with group([point], library_environment(), asked.logs, f"idle-{launch}") as workers:
            windows = measured(workers, 0, point)
        taken.append(windows.latency_ns)
        waited.append(median(windows.acknowledged_ns))
    yield _cost("harness, one transfer of nothing", taken, "post and clock; it is in every latency")
    yield _cost("harness, end of a window", waited, "until the destination's word is there; it is in every throughput")


def _evidence(asked: Asked) -> Cost:
    """Measure one point with and without the tables that say which wire carried it, launch by launch in turn."""
    point = messages(_WITNESSED, _WITNESSED_BYTES, _WITNESSED_SAMPLES)
    with_it = {**library_environment(), **required_environment([_WITNESSED])}
    without = {name: value for name, value in with_it.items() if name != _EVIDENCE}
    latencies: dict[str, list[float]] = {"with": [], "without": []}
    for pair in range(_QUICK_PAIRS if asked.quick else _PAIRS):
        turns = [("with", with_it), ("without", without)]
        for name, environment in turns if pair % 2 else reversed(turns):
            with group([point], environment, asked.logs, f"evidence-{name}-{pair}") as workers:
                latencies[name].append(measured(workers, 0, point).latency_ns)
    found = ratio_of_medians(latencies["with"], latencies["without"])
    return Cost(
        what="evidence, latency with it by that without",
        unit="ratio",
        value=found.ratio,
        low=found.low,
        high=found.high,
        detail=f"{_WITNESSED}, 4 KiB, {len(latencies['with'])} launches each, in turn; 95 % by bootstrap",
    )


def _cost(what: str, values: Sequence[float], detail: str) -> Cost:
    return Cost(what=what, unit="ns", value=median(values), low=min(values), high=max(values), detail=detail)
