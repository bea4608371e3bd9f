"""When two points are the same, and in which order points are listed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from perf.record import Point

CEILING = "copy"  # the transport that others are shares of
OPS = ("push", "pull", "handoff", "store", "fetch")  # in reading order: what can stand beside each other first


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
    flows: int
    settings: tuple[tuple[str, str], ...]
    variant: str = ""


def point_key(point: Point) -> PointKey:
    """Return what identifies and orders `point` (which, holding a dict, cannot be hashed)."""
    fields = dict(point) | {"settings": tuple(sorted(point.settings.items()))}
    return PointKey(**fields)


def transfer_key(point: Point) -> PointKey:
    """Return what `point` moves, whoever moves it: equal for a transport and for its ceiling.

    How device memory was allocated is part of it, a transport's own settings are not.
    """
    kept = tuple((name, value) for name, value in sorted(point.settings.items()) if name == "device_memory")
    return point_key(point)._replace(transport="", settings=kept)


def companions_key(point: Point) -> PointKey:
    """Return what points have in common that transfer at once: everything but their memories."""
    return point_key(point)._replace(source="", destination="")


def reading_order(point: Point) -> tuple[object, ...]:
    """Return the key that puts points beside those a reader compares them with; the ceiling closes each group."""
    return (
        point.workload == "bytes",
        point.workload,
        OPS.index(point.op),
        point.descriptor_bytes,
        point.descriptors,
        point.pattern,
        "file" in {point.source, point.destination},
        point.flows,
        point.source,
        point.destination,
        point.transport == CEILING,
        point.transport,
        sorted(point.settings.items()),
        point.variant,
    )
