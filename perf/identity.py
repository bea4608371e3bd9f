"""When two points are the same, and in which order points are listed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from perf.record import Point

CEILING = "copy"  # the transport that others are shares of


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


def reading_order(point: Point) -> tuple[object, ...]:
    """Return the key that puts points beside those a reader compares them with; the ceiling closes each group."""
    return (
        point.workload == "bytes",
        point.workload,
        point.op != "push",
        point.descriptor_bytes,
        point.descriptors,
        point.pattern,
        point.transport == CEILING,
        point.transport,
        sorted(point.settings.items()),
    )
