"""What is said of a point after all its launches: shapes only, computed in `perf.analysis`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from perf.record import Issue, Point


@dataclass(frozen=True)
class Interval:
    """A median over launches with a distribution-free confidence interval.

    `low` and `high` are None when there are too few launches to give one.
    `confidence` is what the interval really has (0.969 for six launches), not what was asked for.
    """

    median: float
    low: float | None
    high: float | None
    confidence: float | None
    launches: int


@dataclass(frozen=True)
class PointSummary:
    """One point over its launches; rates in GB/s of logical bytes, times in ns."""

    point: Point
    throughput: (
        Interval | None
    )  # delivered: bytes of all windows of a launch / their delivered_ns; None: not one good launch
    latency_ns: Interval | None  # median of a launch's durations, post to local completion
    percentiles_ns: dict[str, float]  # "p90", "p99", "p99.9" over all samples; only those with n >= 10 / (1 - q)
    max_ns: int | None
    samples: int
    launches: int  # measured and counted
    failed: int  # launches in which the point failed
    wires: tuple[str, ...]  # every wire seen, sorted; more than one is an issue
    verified: bool  # in every counted launch
    verified_bytes: int
    logical_bytes: int
    wire_bytes: int
    posted_descriptors: int
    working_set_bytes: int
    allocation: str
    emulated: bool
    ceiling_share: float | None  # throughput.median / that of `copy` with the same op, workload, pattern and unit
    issues: tuple[Issue, ...]  # distinct, INVALID first
