"""Ceilings of a run -> the one that stands beside a point: of its wire, its working set and its pages."""

from __future__ import annotations

import statistics
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from perf.ceilings import READ_1, READ_4, WRITE_1, WRITE_4, applies, size_class
from perf.statistics import median_interval

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from perf.asides import CeilingRecord
    from perf.summary import Interval, PointSummary

_DIRECT = "direct"  # the pages of a volume's ceiling: it has no working set in memory
_READS, _WRITES = {READ_1, READ_4}, {WRITE_1, WRITE_4}
BOTH_WAYS = "direct write, then read of the volume"


@dataclass(frozen=True)
class Limit:
    """A ceiling over the launches of a run, in GB/s: a launch counts by the median of its repeats."""

    name: str
    pages: str
    working_set_bytes: int
    rate: Interval
    detail: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Share:
    """How much of a ceiling a point reached: 1 is all of it."""

    name: str
    gb_per_s: float
    fraction: float


def limits(records: Iterable[CeilingRecord]) -> list[Limit]:
    """Return every ceiling of a run: by name, then pages, then working set."""
    found: defaultdict[tuple[str, str, int], dict[int, CeilingRecord]] = defaultdict(dict)
    for record in records:
        size = 0 if record.pages == _DIRECT else record.working_set_bytes
        found[record.name, record.pages, size][record.launch] = record  # of a launch recorded twice the later one
    return [
        Limit(
            name,
            pages,
            size or max(one.working_set_bytes for one in launches.values()),
            median_interval([statistics.median(one.gb_per_s) for one in launches.values()]),
            launches[max(launches)].detail,
        )
        for (name, pages, size), launches in sorted(found.items())
    ]


def share(summary: PointSummary, found: Sequence[Limit]) -> Share | None:
    """Return the share of the ceiling that applies to a point's evidence, working set and pages; None without one.

    Rates of points count the KV cache's bytes, ceilings what is moved: padding is not held against the wire.
    """
    if summary.throughput is None or summary.emulated or len(summary.wires) != 1 or not summary.logical_bytes:
        return None
    wire, op = summary.wires[0], summary.point.op
    size = size_class(summary.working_set_bytes)
    names = applies(wire.split(", then ")[0], op)
    fitting = [
        one
        for one in found
        if one.name in names
        and (one.pages == _DIRECT or (one.pages == summary.allocation and one.working_set_bytes == size))
    ]
    limit = _both_ways(fitting) if op == "handoff" else _best(fitting)
    if limit is None:
        return None
    moved = summary.throughput.median * summary.wire_bytes / summary.logical_bytes
    return Share(limit[0], limit[1], moved / limit[1])


def _best(fitting: Sequence[Limit]) -> tuple[str, float] | None:
    best = max(fitting, key=lambda one: one.rate.median, default=None)
    return (best.name, best.rate.median) if best else None


def _both_ways(fitting: Sequence[Limit]) -> tuple[str, float] | None:
    """Return what a store and then a fetch of the same bytes can reach: each waits for the other."""
    store, fetch = (_best([one for one in fitting if one.name in names]) for names in (_WRITES, _READS))
    if store is None or fetch is None:
        return _best(fitting) if not store and not fetch else None
    return BOTH_WAYS, 1 / (1 / store[1] + 1 / fetch[1])
