"""What a sweep would measure, before it does: `kvgauge sweep --plan`."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from perf.planning import points
from perf.words import plain, workload
from suite.units import format_bytes

if TYPE_CHECKING:
    from perf.planning import PlannedPoint
    from perf.spec import SweepSpec

BYTES_PER_S = (
    1.5e9  # painted, moved and compared: a quick sweep's 144 GiB took 95 to 110 s on 2 cores; other machines differ
)


@dataclass(frozen=True)
class Row:
    """Points that differ in their unit, pattern or settings only."""

    transport: str
    op: str
    workload: str
    points: int


@dataclass(frozen=True)
class Outline:
    """A sweep, counted."""

    launches: int
    rows: tuple[Row, ...]
    points: int  # of one launch
    moved_bytes: int  # in all launches, warm-up windows included
    sides: int = 1  # of an A/B: each point is measured as often in each launch

    @property
    def seconds(self) -> float:
        """Return about how long it takes: the bytes by `BYTES_PER_S`."""
        return self.moved_bytes / BYTES_PER_S

    def as_json(self) -> dict[str, object]:
        """Return it for `--json`."""
        rows = [vars(row) for row in self.rows]
        told = {"launches": self.launches, "points": self.points, "moved_bytes": self.moved_bytes}
        told |= {"sides": self.sides} if self.sides > 1 else {}
        return told | {"about_seconds": round(self.seconds), "rows": rows}

    def lines(self) -> list[str]:
        """Return it for a terminal."""
        width = max(len(plain(f"{row.transport} {row.op}")) for row in self.rows)
        return [
            f"{self.points} points{', each for A and for B,' if self.sides > 1 else ''} in each of {self.launches} launches:",
            *(
                f"  {plain(f'{row.transport} {row.op}'):{width}}  {row.points:4}  {plain(row.workload)}"
                for row in self.rows
            ),
            f"{format_bytes(self.moved_bytes)} would be moved and compared; about {_duration(self.seconds)} at "
            f"{BYTES_PER_S / 1e9:g} GB/s for both, as on a machine of 2 cores. Nothing was started.",
        ]


def outline(spec: SweepSpec, *, sides: int = 1) -> Outline:
    """Return what `spec` stands for, measured for so many `sides`; `cuda:*` counts as two devices, whatever this machine has."""
    planned = points(spec)
    counted = Counter((one.point.transport, one.point.op, workload(one.point.workload)) for one in planned)
    rows = tuple(Row(*names, points=count) for names, count in counted.items())
    return Outline(spec.launches, rows, len(planned), sides * spec.launches * sum(map(_moved, planned)), sides)


def _moved(one: PlannedPoint) -> int:
    """Return the bytes that a point moves in a launch: its timed windows, and one to warm up."""
    return (one.windows + 1) * one.samples * one.point.descriptors * one.point.descriptor_bytes


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{max(1, round(seconds))} s" if seconds < 90 else f"{minutes} min"  # noqa: PLR2004  as people say it
