"""The device matrix: what every pair of GPUs made of one transfer, source by destination. Nothing is drawn here.

A table has one transport with its settings; a transfer has one table for each of
them. On the emulator a cell tells the bytes that were checked, and no rate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from perf.identity import CEILING, OPS, reading_order
from perf.memory import kind_of, ordinal_of
from perf.rows import row
from perf.words import carrier, pieces, rate, workload

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from perf.record import Point
    from perf.summary import PointSummary

SHADES = 4
MOST_CELLS = 10_000  # of all tables together: a run from elsewhere may name a hundred devices in each

_Pair = tuple[str, str]


@dataclass(frozen=True)
class Cell:
    """One pair of memories, in words. A shade repeats the rate; it is 0 where there is no rate that counts."""

    value: str = ""  # GB/s; where `emulated`, the bytes that were checked
    span: str = ""
    wire: str = ""
    remark: str = ""  # "not measured", "failed", "wrong bytes", "invalid": said, not only coloured
    emulated: bool = False
    same: str = ""  # "same device" where no link is crossed
    shade: int = 0


@dataclass(frozen=True)
class Table:
    """One transport: `rows` by source, cells by destination, both in the order of `memories`."""

    transport: str
    ceiling: bool  # `copy`, where it has a rate
    memories: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    unit: str  # what the cells are given in
    sentence: str  # what all its pairs have in common, or how they differ

    @property
    def shaded(self) -> bool:
        """Whether any cell has a shade, which then needs a word."""
        return any(cell.shade for cells in self.rows for cell in cells)


@dataclass(frozen=True)
class Transfer:
    """The same bytes in the same pieces, by every transport that moved them between devices."""

    title: str
    tables: tuple[Table, ...]


@dataclass(frozen=True)
class Devices:
    """The section, the largest pieces first; `left_out` counts the tables that there was no room for."""

    transfers: tuple[Transfer, ...] = ()
    left_out: int = 0


def devices(summaries: Iterable[PointSummary]) -> Devices:
    """Return a table for every transport and transfer that has points between two CUDA devices."""
    groups: dict[tuple[object, ...], dict[str, dict[_Pair, PointSummary]]] = {}
    for one in sorted(summaries, key=lambda one: (_order(one.point), reading_order(one.point))):
        pairs = groups.setdefault(_order(one.point), {}).setdefault(carrier(one.point), {})
        pairs[one.point.source, one.point.destination] = one
    room, left_out, transfers = MOST_CELLS, 0, []
    for by_transport in groups.values():
        tables = []
        for points in by_transport.values():
            if not any(map(_between_devices, points)):
                continue
            memories = tuple(sorted({side for pair in points for side in pair}, key=_place))
            room -= len(memories) ** 2
            if room >= 0:
                tables.append(_table(points, memories))
            else:
                left_out += 1
        if tables:
            first = next(iter(by_transport.values()))
            transfers.append(Transfer(_title(next(iter(first.values())).point), tuple(tables)))
    return Devices(tuple(transfers), left_out)


def _order(point: Point) -> tuple[object, ...]:
    """Return what the transfer of a point is, in the order of reading: whole blocks before single heads."""
    pieces = -point.descriptor_bytes, -point.descriptors, point.pattern != "scattered", point.pattern, point.unit
    return point.unit == "bytes", point.workload, point.flows, *pieces, OPS.index(point.op)


def _title(point: Point) -> str:
    beside = f", {point.flows} pairs at once" if point.flows > 1 else ""
    name = f"{point.op.capitalize()}, {workload(point.workload)}"
    return f"{name}: {pieces(point)}{beside}"


def _between_devices(pair: _Pair) -> bool:
    return pair[0] != pair[1] and all(kind_of(side) == "cuda" for side in pair)


def _place(name: str) -> tuple[bool, int]:
    """Return the place on an axis: host memory, then devices by number."""
    ordinal = ordinal_of(name)
    return ordinal is not None, ordinal or 0


def _table(points: Mapping[_Pair, PointSummary], memories: tuple[str, ...]) -> Table:
    point = next(iter(points.values())).point
    rates = {pair: found for pair, one in points.items() if (found := _counted(one)) and pair[0] != pair[1]}
    fastest = max(rates.values(), default=0.0)
    rows = tuple(
        tuple(_cell(points.get((source, to)), _same(source, to), _shade(rates.get((source, to)), fastest))
              for to in memories)
        for source in memories
    )  # fmt: skip
    emulated = {one.emulated for one in points.values()}
    unit = " or ".join([*(["GB/s"] if False in emulated else []), *(["bytes checked"] if True in emulated else [])])
    return Table(
        carrier(point), point.transport == CEILING and False in emulated, memories, rows, unit, _sentence(points, rates)
    )


def _counted(one: PointSummary) -> float | None:
    """Return the rate of a pair in GB/s if it may be shaded and compared."""
    shown = one.launches and one.verified and not one.emulated and not one.invalid
    found = one.throughput.median if shown and one.throughput else 0.0
    return found if math.isfinite(found) and found > 0 else None


def _shade(found: float | None, fastest: float) -> int:
    return max(1, math.ceil(SHADES * (found / fastest))) if found else 0


def _same(source: str, to: str) -> str:
    return ("same device" if kind_of(to) == "cuda" else "same memory") if source == to else ""


def _cell(one: PointSummary | None, same: str, shade: int) -> Cell:
    if one is None:
        return Cell(remark="not measured", same=same)
    told = row(one)
    if (one.launches and not one.verified) or any(issue.code == "wrong-bytes" for issue in one.issues):
        return Cell(remark="wrong bytes", emulated=one.emulated, same=same)  # no number beside them: it means nothing
    if not one.launches:
        return Cell(remark="failed", emulated=one.emulated, same=same)
    lost = f"failed in {one.failed} of {one.failed + one.launches} launches" if one.failed else ""
    value, span = (told.checked, "") if one.emulated else (told.throughput.value, told.throughput.span)
    return Cell(value, span, told.wire, "invalid" if one.invalid else lost, one.emulated, same, shade)


def _sentence(points: Mapping[_Pair, PointSummary], rates: Mapping[_Pair, float]) -> str:
    """Say how the pairs of two devices differ; where intervals overlap or are missing they are not shown to."""
    if any(one.emulated for one in points.values()):
        good = sum(one.verified and one.launches > 0 and not one.failed for one in points.values())
        return f"{good} of {len(points)} pairs: every byte moved and checked."
    between = {pair: points[pair] for pair in rates if _between_devices(pair)}
    if len(between) < 2:  # noqa: PLR2004  two pairs can differ
        return ""
    slowest, fastest = (choose(between, key=lambda pair: rates[pair]) for choose in (min, max))
    ends = [f"{' → '.join(pair)} at {rate(points[pair].throughput).value}" for pair in (slowest, fastest)]
    told = f"Between two devices: slowest {ends[0]}, fastest {ends[1]} GB/s."
    if _apart(points[slowest], points[fastest]):
        return told
    return f"{told} Their intervals overlap, or are missing: no pair is shown to be slower than another."


def _apart(slower: PointSummary, faster: PointSummary) -> bool:
    high = slower.throughput.high if slower.throughput else None
    low = faster.throughput.low if faster.throughput else None
    return high is not None and low is not None and high < low
