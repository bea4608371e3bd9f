"""Throughput against descriptor size with a line for each run: one figure for each transport, op and pair of memories."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perf.identity import CEILING
from perf.words import between, between_hosts, carrier, workload
from reports.sections.charts import Line, chart, joined, mark_of
from suite.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perf.comparing.pairing import Pair
    from perf.summary import PointSummary
    from reports.sections.charts import Chart

_FEWEST = 2  # lines: one alone is in that run's own report


def charts(pairs: Sequence[Pair], names: Sequence[str]) -> list[Chart]:
    """Return the figures that have a line of at least two runs; `names` are the labels of the runs. The ceiling comes last."""
    figures: dict[tuple[object, ...], list[Pair]] = {}
    for pair in pairs:
        figures.setdefault(_key(pair), []).append(pair)
    found: list[Chart] = []
    for members in sorted(figures.values(), key=lambda members: members[0].point.transport == CEILING):
        lines = [line for number, name in enumerate(names) if (line := _line(members, number, name))]
        if len(lines) >= _FEWEST:
            found.append(
                chart(f"runs-{len(found) + 1}", "throughput", _title(members[0]), tuple(lines), _note(lines, names))
            )
    return found


def _key(pair: Pair) -> tuple[object, ...]:
    point = pair.point
    ends = point.source, point.destination, point.flows
    return point.workload, point.op, point.pattern, ends, pair.carrier, point.transport == CEILING


def _title(pair: Pair) -> str:
    point = pair.point
    moved = f"{point.op.capitalize()}, {workload(point.workload)}, {point.pattern}"
    who = f"ceiling: {CEILING}" if point.transport == CEILING else pair.carrier or "each run's own transport"
    return f"{moved}: {who}" if between(point) == between_hosts() else f"{moved}, {between(point)}: {who}"


def _line(members: Sequence[Pair], number: int, name: str) -> Line | None:
    points = [(pair.point.descriptor_bytes, pair.members[number]) for pair in members]
    runs = joined([(size, mark_of(one, "throughput") if one else None) for size, one in points])
    drawn = [one for _, one in points if one and mark_of(one, "throughput")]
    if not runs:
        return None
    mixed = "" if members[0].carrier else f"{', '.join(sorted({carrier(one.point) for one in drawn}))}, "
    return Line(f"{name}: {mixed}{_memory(drawn)}", number + 1, hollow=False, runs=runs)


def _memory(drawn: Sequence[PointSummary]) -> str:
    """Name the working set and the pages of a line: lines of unlike memory are not to be compared."""
    sizes = sorted({one.working_set_bytes for one in drawn})
    pages = ", ".join(
        sorted({f"{one.allocation} pages" if one.allocation in {"4k", "huge"} else one.allocation for one in drawn})
    )
    span = format_bytes(sizes[0]) if len(sizes) == 1 else f"{format_bytes(sizes[0])} to {format_bytes(sizes[-1])}"
    return f"working set {span}, {pages}"


def _note(lines: Sequence[Line], names: Sequence[str]) -> str:
    absent = [name for number, name in enumerate(names) if all(line.colour != number + 1 for line in lines)]
    apart = "Lines stand a little aside, or their bars would hide each other."
    return f"{apart} Not drawn, having no number here that counts: {', '.join(absent)}." if absent else apart
