"""What a sweep would measure, before it does: `kvgauge sweep --plan`."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from perf.analysis import MIN_LAUNCHES
from perf.planning import points
from perf.words import plain, workload
from perf.workload import region_bytes
from suite.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from perf.planning import PlannedPoint
    from perf.spec import SweepSpec

# of a quiet machine of 2 cores, where a quick sweep took 95 to 110 s; other machines differ
MOVED_PER_S = 2.5e9  # engines of some GB/s among them
KEPT_PER_S = 8e9  # bytes of the regions, which are painted and compared around each window, at both sides at once


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
    kept_bytes: int  # painted, and as many compared: one side's region, for every window
    budget_s: float | None = None
    sides: int = 1  # of an A/B: each point is measured as often in each launch

    @property
    def seconds(self) -> float:
        """Return about how long it takes, by `MOVED_PER_S` and `KEPT_PER_S`."""
        return self.moved_bytes / MOVED_PER_S + 2 * self.kept_bytes / KEPT_PER_S

    @property
    def launches_in_budget(self) -> int | None:
        """Return how many launches about fit into the budget, None without one."""
        if self.budget_s is None:
            return None
        return min(self.launches, int(self.budget_s * self.launches / self.seconds))

    def as_json(self) -> dict[str, object]:
        """Return it for `--json`."""
        rows = [vars(row) for row in self.rows]
        told = {"launches": self.launches, "points": self.points, "moved_bytes": self.moved_bytes}
        told |= {"sides": self.sides} if self.sides > 1 else {}
        return told | {
            "about_seconds": round(self.seconds),
            "launches_in_budget": self.launches_in_budget,
            "rows": rows,
        }

    def lines(self) -> list[str]:
        """Return it for a terminal."""
        width = max(len(plain(f"{row.transport} {row.op}")) for row in self.rows)
        return [
            f"{self.points} points{', each for A and for B,' if self.sides > 1 else ''} in each of {self.launches} launches:",
            *(
                f"  {plain(f'{row.transport} {row.op}'):{width}}  {row.points:4}  {plain(row.workload)}"
                for row in self.rows
            ),
            f"{format_bytes(self.moved_bytes)} would be moved and compared; about {_duration(self.seconds)} on a quiet "
            "machine of 2 cores, ceilings apart. Nothing was started.",
            *self._budget(),
        ]

    def _budget(self) -> Iterator[str]:
        fitting = self.launches_in_budget
        if fitting is None or self.budget_s is None:
            return
        yield f"{_duration(self.budget_s)} would be enough for about {fitting} of {self.launches} launches" + (
            f"; an interval needs {MIN_LAUNCHES}." if fitting < MIN_LAUNCHES <= self.launches else "."
        )


def outline(spec: SweepSpec, budget_s: float | None = None, *, sides: int = 1) -> Outline:
    """Return what `spec` stands for, measured for so many `sides`; `cuda:*` counts as two devices, whatever this machine has."""
    planned = points(spec)
    counted = Counter((one.point.transport, one.point.op, workload(one.point.workload)) for one in planned)
    rows = tuple(Row(*names, points=count) for names, count in counted.items())
    kept = sum(one.windows + 1 for one in planned) * max(map(region_bytes, planned))
    return Outline(
        launches=spec.launches,
        rows=rows,
        points=len(planned),
        moved_bytes=sides * spec.launches * sum(map(_moved, planned)),
        kept_bytes=sides * spec.launches * kept,
        budget_s=budget_s,
        sides=sides,
    )


def _moved(one: PlannedPoint) -> int:
    """Return the bytes that a point moves in a launch: its timed windows, and one to warm up."""
    return (one.windows + 1) * one.samples * one.point.descriptors * one.point.descriptor_bytes


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{max(1, round(seconds))} s" if seconds < 90 else f"{minutes} min"  # noqa: PLR2004  as people say it
