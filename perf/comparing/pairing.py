"""Which points of several runs are the same, and so stand in one row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from perf.identity import CEILING, point_key, reading_order, transfer_key
from perf.words import carrier

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from perf.record import Point
    from perf.summary import PointSummary

Members = tuple["PointSummary | None", ...]  # one for each run


@dataclass(frozen=True)
class Pair:
    """One row: the point of each run, or None. `carrier` is empty where runs used different transports or settings."""

    members: Members
    carrier: str

    @property
    def present(self) -> list[PointSummary]:
        """The points there are."""
        return [one for one in self.members if one is not None]

    @property
    def point(self) -> Point:
        """What was moved: the point of the first run that has it."""
        return self.present[0].point


def pairs(runs: Sequence[Iterable[PointSummary]]) -> list[Pair]:
    """Return every point of all runs, in reading order; a row with one member is a point that one run alone has.

    A point stands beside its equal. Where every run moved something in one way only,
    these stand side by side even if the ways differ: that is how a run
    of one transport, or of one setting, is compared with a run of another.
    """
    moved: dict[object, list[dict[object, PointSummary]]] = {}
    for number, summaries in enumerate(runs):
        for one in summaries:
            what = transfer_key(one.point), one.point.transport == CEILING
            moved.setdefault(what, [{} for _ in runs])[number][point_key(one.point)] = one
    found = [pair for group in moved.values() for pair in _of_one_transfer(group)]
    return sorted(found, key=lambda pair: reading_order(pair.point))


def _of_one_transfer(group: Sequence[dict[object, PointSummary]]) -> list[Pair]:
    if all(len(points) <= 1 for points in group):
        return [_pair(tuple(next(iter(points.values()), None) for points in group))]
    keys = dict.fromkeys(key for points in group for key in points)
    return [_pair(tuple(points.get(key) for points in group)) for key in keys]


def _pair(members: Members) -> Pair:
    names = {carrier(one.point) for one in members if one is not None}
    return Pair(members, names.pop() if len(names) == 1 else "")
