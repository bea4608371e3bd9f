"""Whether two points of two runs may be divided by one another, and what else is not alike where they may."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from perf.words import wires
from suite.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from perf.record import Storage
    from perf.summary import Interval, PointSummary

UNTOLD = "not told"  # the pages of another tool's memory (`perf.outside.as_run`)
_MOST = 1e6  # a ratio beyond it, or below its inverse, only shows a mistake


def held(one: PointSummary) -> str:
    """Return the working set and the pages of a point: `256 MiB in huge pages`."""
    pages = f"{one.allocation} pages" if one.allocation in {"4k", "huge"} else one.allocation
    return f"{format_bytes(one.working_set_bytes)} in {pages}"


def refusals(first: PointSummary, other: PointSummary, name: str) -> Iterator[str]:
    """Yield every reason against a ratio, the gravest first."""
    if first.emulated and other.emulated:
        yield "emulated: no rate"
    elif first.emulated or other.emulated:
        yield f"emulated beside real: {name} is {'emulated' if first.emulated else 'real'}"
    if not other.launches or not first.launches:
        yield "no launch counts" if not other.launches else f"no launch counts in {name}"
    if other.invalid or first.invalid:
        yield "invalid, not counted" if other.invalid else f"invalid in {name}, not counted"
    if not (_sound(first.throughput) and _sound(other.throughput)):
        yield "no rate"
    elif _absurd(first.throughput, other.throughput):
        yield "no such ratio"
    if first.logical_bytes != other.logical_bytes:
        yield f"another size of transfer: {name} moved {format_bytes(first.logical_bytes)}"
    if first.working_set_bytes != other.working_set_bytes or _other_pages(first, other):
        yield f"unlike memory: {name} had {held(first)}"
    if file := _other_file(first.storage, other.storage, other.point.op):
        yield f"{file} in {name}"


def remarks(first: PointSummary, other: PointSummary) -> Iterator[str]:
    """Yield what is another thing in `other` although the same was asked for."""
    if UNTOLD in {first.allocation, other.allocation}:
        yield "another tool: pages and wire are not told, its bytes were not verified, and it has a clock of its own"
    elif first.wires != other.wires:
        yield f"other wire: {wires(first)} before"
    if first.wire_bytes != other.wire_bytes:
        yield f"{format_bytes(first.wire_bytes)} on the wire before, {format_bytes(other.wire_bytes)} here"
    if first.posted_descriptors != other.posted_descriptors:
        yield f"{first.posted_descriptors} descriptors posted before, {other.posted_descriptors} here"


def _other_pages(first: PointSummary, other: PointSummary) -> bool:
    """Tell whether pages are known to differ; another tool does not tell its own."""
    return first.allocation != other.allocation and UNTOLD not in {first.allocation, other.allocation}


def _sound(interval: Interval | None) -> bool:
    return interval is not None and math.isfinite(interval.median) and interval.median > 0


def _absurd(first: Interval | None, other: Interval | None) -> bool:
    if first is None or other is None:
        return True
    return not first.median / _MOST <= other.median <= first.median * _MOST


def _other_file(first: Storage | None, other: Storage | None, op: str) -> str:
    """Say what the other file was, if it is not of the same kind: its reads and writes would not be the same work."""
    if first is None or other is None:
        return "" if first is other else "unlike file: none is recorded"
    if (first.filesystem, first.io) != (other.filesystem, other.io):
        return f"unlike file: {first.filesystem}, {first.io},"
    if _cached(first, op) != _cached(other, op):
        return f"page cache: {'held' if _cached(first, op) else 'did not hold'} the file"
    return ""


def _cached(file: Storage, op: str) -> bool:
    seen = file.cached_before if op == "fetch" else file.cached_after
    return bool(seen) and max(seen) > 0
