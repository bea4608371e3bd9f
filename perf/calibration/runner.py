"""One point of known speed through the runner of every sweep: its workers, its windows, its check of every byte."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from perf.calibration.server import SERVER
from perf.launch import LaunchPlan, launched, region_size
from perf.planning import PlannedPoint
from perf.record import Point
from suite.transports.evidence import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from perf.launch import Gate, Launch

DEADLINE_S = 60.0


@dataclass(frozen=True)
class Windows:
    """The timed windows of one point in one launch."""

    nbytes: int  # of one window
    durations_ns: tuple[int, ...]  # one per sample
    delivered_ns: tuple[int, ...]  # one per window
    acknowledged_ns: tuple[int, ...]  # one per window: from the last completion until the destination's word is there
    wires: tuple[str, ...]
    checked_bytes: int

    @property
    def gb_per_s(self) -> float:
        """All bytes by all time, until delivered."""
        return self.nbytes * len(self.delivered_ns) / sum(self.delivered_ns)

    @property
    def latency_ns(self) -> float:
        """The median sample."""
        return median(self.durations_ns)


def messages(
    transport: str,
    nbytes: int,
    samples: int,
    *,
    windows: int = 2,
    op: str = "push",
    settings: Mapping[str, str] | None = None,
) -> PlannedPoint:
    """Return a point of plain messages, each to a place of its own."""
    memory = {"store": ("host", "file"), "fetch": ("file", "host")}.get(op, ("host", "host"))
    point = Point.model_validate(
        {
            "transport": transport,
            "op": op,
            "source": memory[0],
            "destination": memory[1],
            "workload": "bytes",
            "pattern": "scattered",
            "unit": "bytes",
            "descriptor_bytes": nbytes,
            "descriptors": 1,
            "settings": dict(settings or {}),
        }
    )
    return PlannedPoint(point, "bytes", None, 0, windows, samples)


@contextmanager
def group(
    points: Sequence[PlannedPoint],
    environment: Mapping[str, str],
    logs: Path,
    label: str,
    *,
    prefixes: Mapping[str, Sequence[str]] | None = None,
    file: Path | None = None,
) -> Iterator[Launch]:
    """Start a fresh pair of workers, with regions that any of `points` fits into. Raises `WorkerFailed`."""
    plan = LaunchPlan(
        launch=0,
        environment=environment,
        logs=logs,
        seed=0,
        region_bytes=region_size(points),
        deadline_s=DEADLINE_S,
        server=SERVER,
        file=file,
        prefixes=prefixes or {},
    )
    with launched(plan, label) as launch:
        yield launch


def measured(launch: Launch, index: int, planned: PlannedPoint, gate: Gate | None = None) -> Windows:
    """Measure a point as a sweep does: one window that warms up, then the timed ones. Raises `WorkerFailed`.

    The `gate` is passed before and after each window.
    """
    with launch.opened(index, planned) as point:
        warm = point.window(gate=gate)
        timed = [point.window(gate=gate) for _ in range(planned.windows)]
        told = point.close()
    return Windows(
        nbytes=planned.samples * planned.point.descriptor_bytes,
        durations_ns=tuple(took for one in timed for took in one.timing["durations_ns"]),
        delivered_ns=tuple(one.timing["delivered_ns"] for one in timed),
        acknowledged_ns=tuple(one.timing["delivered_ns"] - sum(one.timing["durations_ns"]) for one in timed),
        wires=_wires(told),
        checked_bytes=sum(one.checked_bytes for one in (warm, *timed)),
    )


def _wires(told: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what carried the bytes, as the side that posted (or received) says."""
    named = dict.fromkeys(str(one["wire"]) for one in told["evidence"])
    return tuple(wire for wire in named if wire != UNKNOWN) or tuple(named)
