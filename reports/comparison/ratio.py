"""One point of two runs: whether their rates may be divided, and what the quotient can tell.

Runs apart are not a measurement of a difference. Between runs of the same code on
one machine, about a minute apart, medians shifted by 6 to 21 %, and most pairs
looked different to a test that was meant for launches of one run. So nothing here
claims more than whether two intervals overlap.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from perf.words import wires
from suite.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from perf.record import Storage
    from perf.summary import Interval, PointSummary

BAND = 0.21  # the largest shift of a median that was measured between runs of the same code (docs/comparing.md)
BAND_WORDS = "6 to 21 %"
_MOST = 1e6  # a ratio beyond it, or below its inverse, only shows a mistake

Relation = Literal["overlap", "within", "beyond", "unknown", "none"]
WORDS: dict[Relation, str] = {
    "overlap": "intervals overlap: not shown to differ",
    "within": f"intervals apart, within the {100 * BAND:.0f} % band",
    "beyond": f"intervals apart, beyond the {100 * BAND:.0f} % band",
    "unknown": "no interval: not shown to differ",
    "none": "",
}


@dataclass(frozen=True)
class Ratio:
    """Median by median; `value` is None where `refused` says why there is none."""

    value: float | None
    relation: Relation
    refused: str
    remarks: tuple[str, ...] = ()  # what else is not alike, where a ratio still says something

    @property
    def text(self) -> str:
        """The quotient with three digits, or nothing."""
        return "" if self.value is None else f"{times(self.value)} \N{MULTIPLICATION SIGN}"

    @property
    def words(self) -> str:
        """What the two intervals tell."""
        return WORDS[self.relation]


def times(value: float) -> str:
    """Return a quotient with three digits."""
    return f"{value:#.3g}".rstrip(".")


def ratio(first: PointSummary | None, other: PointSummary, first_name: str) -> Ratio:
    """Return `other` by `first`, throughput by throughput; `first_name` is for the words."""
    if first is None:
        return Ratio(None, "none", f"not measured in {first_name}")
    refused = next(_refusals(first, other, first_name), "")
    if refused or first.throughput is None or other.throughput is None:
        return Ratio(None, "none", refused)
    value = other.throughput.median / first.throughput.median
    return Ratio(value, relation(first.throughput, other.throughput), "", tuple(_remarks(first, other)))


def relation(first: Interval, other: Interval) -> Relation:
    """Tell whether two intervals overlap, and if not, whether runs of the same code may be as far apart."""
    if first.low is None or first.high is None or other.low is None or other.high is None:
        return "unknown"
    if not all(map(math.isfinite, (first.low, first.high, other.low, other.high))):
        return "unknown"
    if first.low <= other.high and other.low <= first.high:
        return "overlap"
    more, less = max(first.median, other.median), min(first.median, other.median)
    return "within" if more <= (1 + BAND) * less else "beyond"


def held(one: PointSummary) -> str:
    """Return the working set and the pages of a point: `256 MiB in huge pages`."""
    pages = f"{one.allocation} pages" if one.allocation in {"4k", "huge"} else one.allocation
    return f"{format_bytes(one.working_set_bytes)} in {pages}"


def _refusals(first: PointSummary, other: PointSummary, name: str) -> Iterator[str]:
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
    if (first.working_set_bytes, first.allocation) != (other.working_set_bytes, other.allocation):
        yield f"unlike memory: {name} had {held(first)}"
    if file := _other_file(first.storage, other.storage, other.point.op):
        yield f"{file} in {name}"


def _remarks(first: PointSummary, other: PointSummary) -> Iterator[str]:
    if first.wires != other.wires:
        yield f"other wire: {wires(first)} before"
    if first.wire_bytes != other.wire_bytes:
        yield f"{format_bytes(first.wire_bytes)} on the wire before, {format_bytes(other.wire_bytes)} here"
    if first.posted_descriptors != other.posted_descriptors:
        yield f"{first.posted_descriptors} descriptors posted before, {other.posted_descriptors} here"


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
