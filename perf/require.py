"""`--require WIRE`: whether the data of every point that could go that way did go that way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from perf.analysis import counts
from perf.memory import kind_of
from perf.roles import through_file
from perf.words import full_name

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from perf.record import Point, PointRecord

# wire -> what the evidence may say
WIRES = {
    "cma": frozenset({"cma"}),
    "cuda_ipc": frozenset({"cuda_ipc"}),
    "tcp": frozenset({"tcp"}),
    "rc": frozenset({"rc", "rc_mlx5", "rc_verbs"}),
    "gds": frozenset({"gds"}),
}


@dataclass(frozen=True)
class Judgement:
    """What came out: the points that took another way (with their wire), and how many were judged and not."""

    wire: str
    broken: tuple[str, ...]
    judged: int
    not_judged: int

    @property
    def good(self) -> bool:
        """Whether there was something to judge and all of it took the wire."""
        return self.judged > 0 and not self.broken

    def sentences(self) -> list[str]:
        """Return it in words; what took another way is told first."""
        total = f"{self.judged} of {self.judged + self.not_judged} points can use {self.wire}"
        if not self.judged:
            return [f"--require {self.wire}: no point here can use it, so nothing was judged."]
        if self.broken:
            return [f"--require {self.wire} is not met: {one}." for one in self.broken]
        rest = f" ({self.not_judged} others have no such lane and were not judged)" if self.not_judged else ""
        return [f"--require {self.wire} is met: {total}, and all did{rest}."]


def judge(records: Sequence[PointRecord], wire: str) -> Judgement:
    """Judge the data lane of every point that has such a lane; a point is judged by all of its good launches."""
    wires: dict[str, set[str]] = {}
    others: set[str] = set()
    for record in records:
        name = full_name(record.point)
        if not _POSSIBLE[wire](record.point):
            others.add(name)
            continue
        found = wires.setdefault(name, set())
        if record.evidence and (counts(record) or record.status == "measured"):
            found.add(record.evidence.wire)
    broken = [
        f"{name} was carried by {' and '.join(sorted(found)) or 'nothing: no launch of it was measured'}"
        for name, found in sorted(wires.items())
        if not found or any(set(one.split(" + ")) - WIRES[wire] for one in found)
    ]
    return Judgement(wire, tuple(broken), len(wires), len(others))


def _between_hosts(point: Point) -> bool:
    return not through_file(point.op) and {kind_of(point.source), kind_of(point.destination)} == {"host"}


def _kernel_copy(point: Point) -> bool:
    return _between_hosts(point) and not _named_after_its_wire(point)


def _between_devices(point: Point) -> bool:
    return (
        not through_file(point.op)
        and {kind_of(point.source), kind_of(point.destination)} == {"cuda"}
        and point.transport != "copy"
    )


def _network(point: Point) -> bool:
    return not through_file(point.op) and point.transport != "copy"


def _gds(point: Point) -> bool:
    return point.transport in {"nixl:GDS", "nixl:GDS_MT"}


def _named_after_its_wire(point: Point) -> bool:
    engine, _, wire = point.transport.partition(":")
    return engine != "nixl" and bool(wire)


_POSSIBLE: dict[str, Callable[[Point], bool]] = {
    "cma": _kernel_copy,
    "cuda_ipc": _between_devices,
    "tcp": _network,
    "rc": _network,
    "gds": _gds,
}
