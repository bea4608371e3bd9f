"""Charts as SVG: throughput and latency against size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.figures.marks import marker
from reports.figures.svg import PAPER, colour, drawn, log_of_time
from suite.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markupsafe import Markup
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.transforms import Transform

    from reports.sections.charts import Chart, Line

_INCHES = (5.3, 3.3)
_LABEL_ROOM = 0.16  # of the axis: closer labels would overlap
_ASIDE_POINTS = 4.5  # from one line to the next, if all have room in
_ASIDE_MOST_POINTS = 24.0  # from the first to the last, or neighbouring sizes would mix
_POINTS_PER_INCH = 72


def draw(chart: Chart) -> Markup:
    """Return a chart as one `<svg>` element with a name, a description and ids of its own."""

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        _dress(axes, chart)
        for line in sorted(chart.lines, key=lambda line: not line.ceiling):
            _draw_line(axes, line, axes.transData + _aside(figure, line, chart.lines))

    return drawn(chart.id, chart.title, chart.description, paint, _INCHES)


def _dress(axes: Axes, chart: Chart) -> None:
    marks = [mark for line in chart.lines for mark in line.marks]
    values = [value for mark in marks for value in (mark.y, mark.low, mark.high) if value is not None]
    _size_axis(axes, sorted({mark.x_bytes for mark in marks}))
    if chart.quantity == "throughput":
        top = max(values)
        axes.set_ylim(0, 1.08 * top if top > 1e-9 else 1)  # noqa: PLR2004  less than a byte per second is zero
        axes.set_ylabel("GB/s")
    else:
        _duration_axis(axes, min(values), max(values))
        axes.set_ylabel("latency")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(visible=True, axis="y", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(length=3, which="major")


def _size_axis(axes: Axes, sizes: Sequence[int]) -> None:
    """Mark the sizes that were measured, and name as many as there is room for."""
    from matplotlib.ticker import NullLocator

    axes.set_xscale("log", base=2)
    widened = 2 ** max(0.35, 0.06 * (sizes[-1].bit_length() - sizes[0].bit_length()))
    axes.set_xlim(sizes[0] / widened, sizes[-1] * widened)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(sizes, _size_labels(sizes))
    axes.set_xlabel("descriptor size")


def _size_labels(sizes: Sequence[int]) -> list[str]:
    """Name each size where there is room: in the first row, else one row lower, else not at all."""
    from math import log2

    room = _LABEL_ROOM * max(1.0, log2(sizes[-1] / sizes[0]))
    ends: list[float] = [-room, -room]  # where each row's last label stands
    labels = []
    for size in sizes:
        place = log2(size)
        row = next((row for row, end in enumerate(ends) if place - end >= room), None)
        labels.append("" if row is None else "\n" * row + format_bytes(size))
        if row is not None:
            ends[row] = place
    return labels


def _duration_axis(axes: Axes, least: float, most: float) -> None:
    axes.set_yscale("log")
    axes.set_ylim(least / 1.6, most * 1.6)
    log_of_time(axes.yaxis, least, most)


def _aside(figure: Figure, line: Line, lines: Sequence[Line]) -> Transform:
    """Return how far aside a line is drawn: a little each, or the bars of one size would hide each other."""
    from matplotlib.transforms import ScaledTranslation

    step = min(_ASIDE_POINTS, _ASIDE_MOST_POINTS / len(lines))
    points = step * (lines.index(line) - (len(lines) - 1) / 2)
    return ScaledTranslation(points / _POINTS_PER_INCH, 0, figure.dpi_scale_trans)


def _draw_line(axes: Axes, line: Line, where: Transform) -> None:
    ink = colour(line.colour)
    for run in line.runs:
        axes.plot(
            [mark.x_bytes for mark in run],
            [mark.y for mark in run],
            color=ink,
            linestyle=(0, (5, 3)) if line.ceiling else "-",
            linewidth=1.4,
            marker=marker(line.colour),
            markersize=6.5,
            markerfacecolor=PAPER if line.hollow else ink,
            markeredgewidth=1.3,
            transform=where,
        )
    for mark in line.marks:
        if mark.low is not None and mark.high is not None:
            axes.plot(
                [mark.x_bytes] * 2,
                [mark.low, mark.high],
                color=ink,
                linewidth=1.2,
                marker="_",
                markersize=5,
                zorder=1.9,  # under the lines and marks
                transform=where,
            )
