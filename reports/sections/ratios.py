"""Every transport against `copy`, the measured ceiling: ratios launch by launch, beside the noise of `copy` itself. Nothing is drawn here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from perf.identity import CEILING, reading_order, transfer_key
from perf.ratio import band, ratio
from perf.words import carrier, piece, pieces
from reports.sections.charts import by_figure, colours, title_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from perf.record import Point
    from perf.summary import Interval, PointSummary

MOST_ROWS = 24  # of one figure
_LARGEST = 1e4  # beyond it, or below nothing, a ratio only shows a mistake


@dataclass(frozen=True)
class Mark:
    """One transport's ratio to `copy`: above 1 it is faster."""

    label: str
    colour: int
    ratio: float
    low: float | None
    high: float | None

    def told(self) -> str:
        """Return the ratio and its interval in words."""
        ends = "" if self.low is None or self.high is None else f" [{self.low:.2f}, {self.high:.2f}]"
        return f"{self.ratio:.2f}{ends}"


@dataclass(frozen=True)
class Row:
    """The same bytes in the same pieces. `band` is where launches of `copy` lay, by their median."""

    label: str  # "page 64 KiB scattered"
    band: tuple[float, float] | None
    marks: tuple[Mark, ...]

    def noise(self) -> str:
        """Return the band in words."""
        return f"{self.band[0]:.2f} to {self.band[1]:.2f}" if self.band else ""


@dataclass(frozen=True)
class Ratios:
    """One figure: an op of a workload between two memories."""

    id: str
    title: str
    description: str
    caption: str
    legend: tuple[tuple[str, int], ...]
    rows: tuple[Row, ...]


def ratios(summaries: Iterable[PointSummary]) -> list[Ratios]:
    """Return the figures that have a ratio; one op, workload and pair of memories each, in the order of the other charts."""
    ordered = sorted(summaries, key=lambda one: reading_order(one.point))
    coloured = colours(ordered)
    sound = [
        one
        for one in ordered
        if one.throughput and one.launches and one.verified and not one.emulated and not one.invalid
    ]
    found: list[Ratios] = []
    for group in by_figure(sound):
        if rows := _rows(group, coloured):
            found.append(_figure(f"ratio-{len(found) + 1}", title_of(group[0].point), rows))
    return found


def _figure(identity: str, title: str, rows: tuple[Row, ...]) -> Ratios:
    marks = [mark for row in rows for mark in row.marks]
    counted = "; ".join(
        f"{row.label}: {', '.join(f'{mark.label} {mark.told()}' for mark in row.marks)}" for row in rows
    )
    few = (
        " A point without a bar has too few launches for an interval."
        if any(mark.low is None for mark in marks)
        else ""
    )
    return Ratios(
        identity,
        title,
        f"Throughput by that of copy. {counted}.",
        "Median over launches of the ratio in the same launch; bars: its 95 % confidence interval. Right of 1: faster than copy."
        f" Grey: where copy's own launches lay, by their median; a difference within it may be noise.{few}",
        tuple(dict.fromkeys((mark.label, mark.colour) for mark in marks)),
        rows,
    )


def _rows(group: Sequence[PointSummary], coloured: dict[str, int]) -> tuple[Row, ...]:
    ceilings = {transfer_key(one.point): one for one in group if one.point.transport == CEILING}
    marks: dict[object, list[Mark]] = {}
    points: dict[object, Point] = {}
    for one in group:
        key = transfer_key(one.point)
        if one.point.transport == CEILING or key not in ceilings:
            continue
        measured = ratio(one, ceilings[key])
        if (
            measured and measured.launches and 0 < measured.median < _LARGEST
        ):  # without a launch in common nothing cancels out
            marks.setdefault(key, []).append(_mark(one.point, measured, coloured))
            points[key] = one.point
    labels = _labels(list(points.values()))
    return tuple(
        Row(label, _band(ceilings[key]), tuple(marks[key]))  # type: ignore[index]  # every key came from there
        for label, key in list(zip(labels, points, strict=True))[:MOST_ROWS]
    )


def _labels(points: Sequence[Point]) -> list[str]:
    """Name the rows by what one descriptor is, and by how many there are where that alone is ambiguous."""
    short = [piece(point) for point in points]
    return short if len(set(short)) == len(short) else [pieces(point) for point in points]


def _mark(point: Point, measured: Interval, coloured: dict[str, int]) -> Mark:
    low, high = measured.low, measured.high
    sound = low is not None and high is not None and 0 <= low <= high < _LARGEST
    return Mark(
        carrier(point), coloured.get(carrier(point), 0), measured.median, *((low, high) if sound else (None, None))
    )


def _band(ceiling: PointSummary) -> tuple[float, float] | None:
    found = band(ceiling)
    return found if found and 0 <= found[0] <= found[1] < _LARGEST else None
