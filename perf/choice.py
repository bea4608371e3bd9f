"""The transfer that decides: of each model and op the biggest KV cache that was moved, and who moved it faster.

Only numbers that may be compared take part: real devices, every byte right,
nothing INVALID, and not `copy`, which nobody can select. Where the transfer was
measured between several pairs of memories, a lead is one on every pair.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from perf.identity import CEILING, OPS
from perf.memory import HOST, kind_of
from perf.ratio import apart, ratio
from perf.words import carrier

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from perf.record import Point
    from perf.summary import Interval, PointSummary

_WHOLE_WAY = ("push", "pull", "handoff")  # a store or fetch is half of one
_Pair = tuple[str, str]


@dataclass(frozen=True)
class Contender:
    """A transport with its settings, and its point on every pair of memories."""

    name: str
    points: Mapping[_Pair, PointSummary]

    @property
    def slowest(self) -> PointSummary:
        """The point of its slowest pair: what it can be relied on for."""
        return min(self.points.values(), key=speed)


@dataclass(frozen=True)
class Lead:
    """One contender against another, on the pair where it leads least."""

    ratio: Interval
    shown: bool  # whether the intervals are apart on every pair that both have


@dataclass(frozen=True)
class Choice:
    """The same bytes in the same pieces, by everything that moved them; fastest first."""

    workload: str
    op: str
    contenders: tuple[Contender, ...]

    @property
    def point(self) -> Point:
        """What was moved."""
        return self.contenders[0].slowest.point


def choices(summaries: Iterable[PointSummary]) -> list[Choice]:
    """Return the deciding transfer of each model and op: push before pull before handoff, each with the biggest cache first."""
    groups: dict[tuple[str, str], dict[tuple[object, ...], list[PointSummary]]] = {}
    for one in summaries:
        if comparable(one) and one.point.op in _WHOLE_WAY and one.point.unit != "bytes":
            same = groups.setdefault((one.point.workload, one.point.op), {})
            same.setdefault(_transfer(one.point), []).append(one)
    found = [
        Choice(workload, op, _contenders(max(same.values(), key=_weight))) for (workload, op), same in groups.items()
    ]
    return sorted(found, key=lambda choice: (OPS.index(choice.op), *_largest_first(choice), choice.workload))


def comparable(one: PointSummary) -> bool:
    """Return whether the rate of a point may stand against another's."""
    counted = one.launches > 0 and one.verified and not one.emulated and not one.invalid
    return counted and one.point.transport != CEILING and 0 < speed(one) < math.inf


def lead(first: Contender, second: Contender) -> Lead | None:
    """Return how much faster `first` is than `second`; None where they have no pair of memories in common."""
    both = [(first.points[pair], second.points[pair]) for pair in first.points if pair in second.points]
    found = [(measured, apart(theirs, ours)) for ours, theirs in both if (measured := ratio(ours, theirs))]
    if not found:
        return None
    least = min((measured for measured, _ in found), key=lambda measured: measured.median)
    return Lead(least, all(shown for _, shown in found))


def speed(one: PointSummary) -> float:
    """Return the median rate in GB/s; 0 without one."""
    return one.throughput.median if one.throughput else 0.0


def _transfer(point: Point) -> tuple[object, ...]:
    kinds = kind_of(point.source), kind_of(point.destination)
    within_one = point.source == point.destination != HOST
    return (
        point.unit,
        point.pattern,
        point.descriptor_bytes,
        point.descriptors,
        point.flows,
        kinds,
        within_one,
        point.variant,
    )


def _weight(same: Sequence[PointSummary]) -> tuple[object, ...]:
    """Return how much a transfer decides: alone, between two devices, compared, big, scattered as a paged cache is, in whole blocks."""
    point = same[0].point
    devices = [kind_of(side) for side in (point.source, point.destination)].count("cuda")
    crosses = not (point.source == point.destination != HOST)
    compared = len({carrier(one.point) for one in same}) > 1
    size = same[0].logical_bytes, point.pattern == "scattered", point.descriptor_bytes, point.descriptors
    return point.flows == 1, crosses, devices, compared, *size


def _contenders(same: Sequence[PointSummary]) -> tuple[Contender, ...]:
    points: dict[str, dict[_Pair, PointSummary]] = {}
    for one in same:
        points.setdefault(carrier(one.point), {})[one.point.source, one.point.destination] = one
    found = [Contender(name, pairs) for name, pairs in points.items()]
    return tuple(sorted(found, key=lambda contender: (-speed(contender.slowest), contender.name)))


def _largest_first(choice: Choice) -> tuple[int, int]:
    one = choice.contenders[0].slowest
    return -one.logical_bytes, -one.point.descriptor_bytes
