"""Which points stand in which figure, and which of them may be joined: no drawing here.

A figure shows one op of one workload between two memories. Only the descriptor size changes along
a line, so a value between two neighbours means something; where a size is
missing (failed, invalid) or occurs twice, the line is broken.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Literal

from perf.identity import CEILING, reading_order
from perf.memory import HOST
from perf.words import between, between_hosts, carrier, workload
from suite.units import format_bytes, format_ns, format_rate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perf.record import Point
    from perf.summary import Interval, PointSummary

Quantity = Literal["throughput", "latency"]
COLOURS = 8
_LARGEST = 1e15  # a million seconds, or no rate that exists: beyond it an axis only shows the mistake
_LEAST_NS = 1e-3  # below it a logarithmic axis only shows the mistake


@dataclass(frozen=True)
class Mark:
    """One point of a line: x in bytes, y in GB/s or ns with its interval."""

    x_bytes: int
    y: float
    low: float | None
    high: float | None
    confidence: float | None
    launches: int


@dataclass(frozen=True)
class Line:
    """One transport with one pattern; marks of one run are joined."""

    label: str
    colour: int  # 1 to COLOURS; 0 for the ceiling
    hollow: bool  # scattered blocks
    runs: tuple[tuple[Mark, ...], ...]

    @property
    def marks(self) -> list[Mark]:
        """All marks, by size."""
        return [mark for run in self.runs for mark in run]

    @property
    def ceiling(self) -> bool:
        """Whether this is `copy`, the most that two processes of this machine can do."""
        return self.colour == 0


@dataclass(frozen=True)
class Chart:
    """One figure: what it is called, what it shows, what it is drawn from."""

    id: str
    quantity: Quantity
    title: str
    description: str  # for those who cannot see the figure
    caption: str
    lines: tuple[Line, ...]

    def show(self, value: float) -> str:
        """Return a value of the y axis as text."""
        return format_rate(value) if self.quantity == "throughput" else format_ns(value)


def charts(summaries: Sequence[PointSummary], quantity: Quantity) -> list[Chart]:
    """Return the figures of one quantity; a figure without a single mark is left out.

    Where an op has many pairs of memories, the first pair of every op comes first.
    """
    ordered = sorted(summaries, key=lambda summary: reading_order(summary.point))
    coloured = colours(ordered)
    found: list[Chart] = []
    for group in by_figure(ordered):
        if lines := _lines(group, quantity, coloured):
            found.append(chart(f"{quantity}-{len(found) + 1}", quantity, title_of(group[0].point), lines))
    return found


def by_figure(ordered: Sequence[PointSummary]) -> list[list[PointSummary]]:
    """Return the points, in reading order, of each figure: those of one op, workload, pair of memories and number of pairs at once; hot ones apart."""
    ops: dict[tuple[str, str], dict[tuple[str, str, int, bool], list[PointSummary]]] = {}
    for one in ordered:
        pairs = ops.setdefault((one.point.workload, one.point.op), {})
        key = one.point.source, one.point.destination, one.point.flows, one.point.pattern == "hot"
        pairs.setdefault(key, []).append(one)
    ranked = [(rank, pairs[pair]) for pairs in ops.values() for rank, pair in enumerate(sorted(pairs, key=_pair_order))]
    return [group for _, group in sorted(ranked, key=lambda entry: entry[0])]


def _pair_order(pair: tuple[str, str, int, bool]) -> tuple[object, ...]:
    """Return the place of a pair: alone before many at once, host memory first, copies within one device last."""
    source, destination, flows, hot = pair
    return flows, hot, source == destination != HOST, source != HOST, source, destination != HOST, destination


def title_of(point: Point) -> str:
    """Return what all points of a figure have in common."""
    title = f"{point.op.capitalize()}, {workload(point.workload)}{', hot' if point.pattern == 'hot' else ''}"
    return title if between(point) == between_hosts() else f"{title}, {between(point)}"


def chart(identity: str, quantity: Quantity, title: str, lines: tuple[Line, ...], note: str = "") -> Chart:
    """Return a figure with its description and caption, to which `note` is added."""
    bare = Chart(identity, quantity, title, "", "", lines)
    axis = "Delivered throughput" if quantity == "throughput" else "Latency (median)"
    ends = "; ".join(_ends(bare, line) for line in lines)
    description = f"{axis} against descriptor size. {ends}."
    return Chart(identity, quantity, title, description, f"{_caption(lines)} {note}".rstrip(), lines)


def _ends(chart: Chart, line: Line) -> str:
    first, *_, last = [line.marks[0], *line.marks]
    start = f"{line.label}: {chart.show(first.y)} at {format_bytes(first.x_bytes)}"
    return start if first is last else f"{start}, {chart.show(last.y)} at {format_bytes(last.x_bytes)}"


def _caption(lines: Sequence[Line]) -> str:
    marks = [mark for line in lines for mark in line.marks]
    counts = sorted({mark.launches for mark in marks})
    launches = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    real = sorted({f"{100 * mark.confidence:.3g} %" for mark in marks if mark.confidence is not None})
    bars = f"Bars: 95 % confidence interval of the median (here {', '.join(real)})." if real else ""
    few = "A point without a bar has too few launches for an interval." if any(m.low is None for m in marks) else ""
    return " ".join(part for part in (f"n = {launches} launches per point.", bars, few) if part)


def colours(summaries: Sequence[PointSummary]) -> dict[str, int]:
    """Give each transport one colour, the same in all figures."""
    drawn = (summary.point for summary in summaries if mark_of(summary, "throughput") or mark_of(summary, "latency"))
    names = sorted({carrier(point) for point in drawn if point.transport != CEILING})
    return {name: 1 + index % COLOURS for index, name in enumerate(names)}


def _lines(summaries: Sequence[PointSummary], quantity: Quantity, coloured: dict[str, int]) -> tuple[Line, ...]:
    groups: dict[tuple[object, ...], list[PointSummary]] = {}
    for summary in summaries:
        groups.setdefault(_line_key(summary.point), []).append(summary)
    lines = []
    for _, members in sorted(groups.items()):
        point = members[0].point
        runs = joined([(summary.point.descriptor_bytes, mark_of(summary, quantity)) for summary in members])
        if runs:
            lines.append(Line(_label(point), coloured.get(carrier(point), 0), point.pattern == "scattered", runs))
    return tuple(lines)


def _line_key(point: Point) -> tuple[object, ...]:
    return (point.transport == CEILING, carrier(point), point.pattern)


def _label(point: Point) -> str:
    name = f"ceiling: {CEILING}" if point.transport == CEILING else carrier(point)
    return f"{name}, {point.pattern}"


def joined(marks: Sequence[tuple[int, Mark | None]]) -> tuple[tuple[Mark, ...], ...]:
    """Return the marks that a line may join, from (size, mark or None) by size."""
    sizes = [size for size, _ in marks]
    if len(set(sizes)) < len(sizes):  # the same size twice: more than the size differs, nothing may be joined
        return tuple((mark,) for _, mark in marks if mark is not None)
    present = groupby((mark for _, mark in marks), key=lambda mark: mark is not None)
    return tuple(tuple(mark for mark in run if mark is not None) for there, run in present if there)


def mark_of(summary: PointSummary, quantity: Quantity) -> Mark | None:
    """Return the mark of a point, or None where there is no true number to draw."""
    interval = summary.throughput if quantity == "throughput" else summary.latency_ns
    least = 0.0 if quantity == "throughput" else _LEAST_NS
    if summary.emulated or summary.invalid or interval is None or summary.point.descriptor_bytes < 1:
        return None
    if not _within(interval.median, least):
        return None
    low, high = _span(interval, least)
    return Mark(summary.point.descriptor_bytes, interval.median, low, high, interval.confidence, interval.launches)


def _span(interval: Interval, least: float) -> tuple[float | None, float | None]:
    low, high = interval.low, interval.high
    if low is None or high is None or not (_within(low, least) and _within(high, least)):
        return None, None
    return low, high


def _within(value: float, least: float) -> bool:
    return math.isfinite(value) and least <= value <= _LARGEST
