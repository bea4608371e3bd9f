"""One row of the table of points, as text: the same in the page and on the terminal."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from perf.identity import CEILING
from perf.words import NONE, Estimate, carrier, latency, rate, share, what, wires, workload
from suite.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perf.record import Point
    from perf.summary import PointSummary


@dataclass(frozen=True)
class Row:
    """A point in words. On the emulator there is no rate, no latency and no share: they would not be true."""

    point: Point
    what: str
    op: str
    transport: str
    ceiling: bool
    throughput: Estimate
    latency: Estimate
    share: str
    wire: str
    verified: bool
    checked: str
    posted: str  # descriptors after merging, of those asked for
    bytes_moved: str  # logical bytes, and those on the wire where they differ
    launches: str
    issues: tuple[str, ...]
    remark: str  # "invalid", "emulated" or nothing: said beside the numbers, not only in colour


def row(summary: PointSummary) -> Row:
    """Put one summary into words."""
    point = summary.point
    shown = not summary.emulated
    return Row(
        point=point,
        what=what(point),
        op=point.op,
        transport=carrier(point),
        ceiling=point.transport == CEILING,
        throughput=rate(summary.throughput if shown else None),
        latency=latency(summary.latency_ns if shown else None),
        share=share(summary.ceiling_share if shown else None) if point.transport != CEILING else NONE,
        wire=wires(summary),
        verified=summary.verified and summary.launches > 0,
        checked=_checked(summary),
        posted=_posted(summary),
        bytes_moved=_moved(summary),
        launches=f"{summary.launches}" + (f", {summary.failed} failed" if summary.failed else ""),
        issues=_issues(summary),
        remark="invalid" if summary.invalid else "emulated" if summary.emulated else "",
    )


def grouped(summaries: Sequence[PointSummary]) -> list[tuple[str, list[Row]]]:
    """Return rows under headings such as `push, plain messages`; expects reading order."""
    rows = [row(summary) for summary in summaries]
    return [
        (f"{op}, {workload(name)}", list(group))
        for (op, name), group in groupby(rows, key=lambda entry: (entry.op, entry.point.workload))
    ]


def _checked(summary: PointSummary) -> str:
    if not summary.launches:
        return NONE
    return format_bytes(summary.verified_bytes) if summary.verified else "wrong bytes"


def _posted(summary: PointSummary) -> str:
    asked = summary.point.descriptors
    return f"{asked}" if summary.posted_descriptors == asked else f"{summary.posted_descriptors} of {asked}"


def _moved(summary: PointSummary) -> str:
    logical = format_bytes(summary.logical_bytes)
    return logical if summary.wire_bytes == summary.logical_bytes else f"{logical} ({format_bytes(summary.wire_bytes)})"


def _issues(summary: PointSummary) -> tuple[str, ...]:
    emulated = ("Emulated: bytes and wire are true, times are not.",) if summary.emulated else ()
    failed = (f"Failed in {summary.failed} launches.",) if summary.failed else ()
    return (*emulated, *failed, *(issue.message for issue in summary.issues))
