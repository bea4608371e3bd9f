"""A row of a comparison as text: the same words on the terminal, in Markdown and in JUnit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perf.words import NONE, between, between_hosts, carrier, pieces, rate, workload

if TYPE_CHECKING:
    from perf.comparing.comparison import Comparison, Row
    from perf.record import Point

SHOWN = 20  # settings that differ; the rest is counted


def name(point: Point) -> str:
    """Return what was moved: `push llama-3.1-8b, page 64 KiB scattered \N{MULTIPLICATION SIGN} 512`."""
    place = "" if between(point) == between_hosts() else f", {between(point)}"
    return f"{point.op} {workload(point.workload)}, {pieces(point)}{place}"


def by(row: Row) -> str:
    """Return what moved it: one transport, or that of BASE and that of NEW."""
    names = [carrier(one.point) for one in (row.base, row.new) if one]
    return " \N{RIGHTWARDS ARROW} ".join(dict.fromkeys(names))


def rates(row: Row) -> tuple[str, str]:
    """Return the medians of BASE and NEW in GB/s; none of a point that must not be compared."""
    if row.judgement is None:
        return NONE, NONE
    base, new = (rate(one.throughput if one else None).value for one in (row.base, row.new))
    return base, new


def ratio(row: Row) -> str:
    """Return NEW by BASE with its interval, three digits."""
    judged = row.judgement
    if judged is None:
        return NONE
    span = f" [{judged.interval.low:.3g}, {judged.interval.high:.3g}]" if judged.interval else ""
    return f"{judged.ratio:.3g}{span}"


def changed(found: Comparison) -> list[str]:
    """Return the settings that differ, one a line; those that do not are not told."""
    lines = [f"{one.part} {one.name}: {one.base} \N{RIGHTWARDS ARROW} {one.new}" for one in found.differences[:SHOWN]]
    left = len(found.differences) - SHOWN
    return [*lines, *([f"and {left} more, in --json"] if left > 0 else [])]
