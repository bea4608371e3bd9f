"""When two points are the same, and in which order points are listed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from perf.record import Point


class PointKey(NamedTuple):
    """Every field of a point, in the canonical order: equal keys are repetitions of one point."""

    workload: str
    op: str
    pattern: str
    descriptor_bytes: int
    transport: str
    unit: str
    descriptors: int
    source: str
    destination: str
    settings: tuple[tuple[str, str], ...]


def point_key(point: Point) -> PointKey:
    """Return what identifies and orders `point` (which, holding a dict, cannot be hashed)."""
    fields = dict(point) | {"settings": tuple(sorted(point.settings.items()))}
    return PointKey(**fields)


def transfer_key(point: Point) -> PointKey:
    """Return what `point` moves, whoever moves it: equal for a transport and for its ceiling."""
    return point_key(point)._replace(transport="", settings=())
