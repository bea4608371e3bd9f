"""What is said of a point after all its launches: shapes only, computed in `perf.analysis`."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from perf.limits import Share
    from perf.record import Evidence, Issue, Point, Storage


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
class Used:
    """What one worker's process used in the timed windows of a launch, all of them together; ns."""

    cpu_ns: int  # user and system, all threads
    system_ns: int
    wall_ns: int


@dataclass(frozen=True)
class Cpu:
    """Processor time of one side: seconds for a GB (1e9) of the KV cache, and the share of one processor meanwhile.

    A side that polls uses a whole processor however little it moves, and the share says so.
    """

    seconds_per_gb: Interval
    share: Interval  # 1 is one processor all the time; several threads can use more


@dataclass(frozen=True)
class LeftOut:
    """A launch that is in no number, and why."""

    launch: int
    code: str
    why: str


@dataclass(frozen=True)
class Repetition:
    """A point in one launch that counts. Launches of two points are paired by their number: they ran side by side."""

    launch: int
    throughput: float | None  # GB/s delivered
    latency_ns: float  # median
    first_ns: float  # median of the windows' first samples
    max_ns: int
    samples: int
    percentiles_ns: Mapping[str, float]  # only those that enough samples of this launch lie beyond
    quantiles_ns: tuple[float, ...]  # at most perf.percentiles.QUANTILES order statistics; the last is the maximum
    window_samples: int
    posts: int  # transfers that `phases_ns` add up over: all windows, with the warm-up
    phases_ns: Mapping[str, int]
    bytes: int = 0  # logical, of all timed windows
    used: Mapping[str, Used] = field(default_factory=dict)  # "initiator", "target"; empty in older runs
    split_ns: Mapping[str, float] = field(default_factory=dict)  # post, transfer, notification: `perf.repetition`


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
    storage: Storage | None = None  # the file that a store, fetch or handoff went through
    repetitions: tuple[Repetition, ...] = ()  # one per launch that counts; none on the emulator
    limit: Share | None = None  # of the ceiling that applies to its wire, working set and pages
    evidence: tuple[Evidence, ...] = ()  # of the first launch that counts with each wire
    tails_ns: Mapping[str, Interval] = field(default_factory=dict)  # p90, ...: a launch's percentile, over launches
    cpu: Mapping[str, Cpu] = field(default_factory=dict)  # "initiator", "target"
    left_out: tuple[LeftOut, ...] = ()  # launches that do not count

    @property
    def invalid(self) -> bool:
        """Whether the numbers are shown but must not count."""
        return any(issue.level == "INVALID" for issue in self.issues)


def withheld(summary: PointSummary) -> PointSummary:
    """Return a summary without a number that is not true: the durations of an emulated device are nobody's."""
    if not summary.emulated:
        return summary
    return replace(
        summary,
        throughput=None,
        latency_ns=None,
        percentiles_ns={},
        max_ns=None,
        ceiling_share=None,
        repetitions=(),
        limit=None,
        tails_ns={},
        cpu={},
    )


def as_json(summary: PointSummary) -> dict[str, object]:
    """Return a summary as plain JSON values, without a number that is not true, and without its launches one by one."""
    summary = replace(withheld(summary), repetitions=())
    fields = asdict(summary)
    del fields["repetitions"]
    issues = [issue.model_dump() for issue in summary.issues]
    storage = summary.storage.model_dump() if summary.storage else None
    evidence = [one.model_dump() for one in summary.evidence]
    values = {
        **fields,
        "point": summary.point.model_dump(),
        "issues": issues,
        "storage": storage,
        "evidence": evidence,
    }
    return {name: _json(value) for name, value in values.items()}


def _json(value: object) -> object:
    """Return `value` with None for what JSON has no number for."""
    if isinstance(value, dict):
        return {key: _json(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_json(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
