"""Charts as SVG, the only module that knows matplotlib.

The figures hold no foreign text: names stand in the page's legend, title and
description. Colours are written as CSS variables, so that one drawing serves
light, dark and print. The same chart gives the same bytes.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from perf.words import plain
from reports.marks import marker
from suite.units import format_bytes, format_ns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.transforms import Transform

    from reports.charts import Chart, Line

_INCHES = (5.3, 3.3)
_INK, _GRID, _CEILING, _PAPER = "#0101f0", "#0101f1", "#0101f2", "#0101f3"  # sentinels, replaced after drawing
_SENTINEL = re.compile(r"#0101([0-9a-f]{2})")
_VARIABLES = {"f0": "currentColor", "f1": "var(--grid)", "f2": "var(--ceiling)", "f3": "var(--paper)"}
_STYLE = {
    "svg.hashsalt": "kvgauge",
    "svg.fonttype": "none",  # text stays text: searchable, and drawn in the reader's own font
    "font.family": "DejaVu Sans",
    "font.size": 10.0,
    "text.color": _INK,
    "axes.edgecolor": _GRID,
    "axes.labelcolor": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "grid.color": _GRID,
    "text.parse_math": False,
}
_NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}
_LABEL_ROOM = 0.16  # of the axis: closer labels would overlap
_ASIDE_POINTS = 4.5  # from one line to the next, if all have room in
_ASIDE_MOST_POINTS = 24.0  # from the first to the last, or neighbouring sizes would mix
_POINTS_PER_INCH = 72
_FEW_DECADES = 2.5  # below it powers of ten alone leave an axis bare


def draw(chart: Chart) -> Markup:
    """Return a chart as one `<svg>` element with a name, a description and ids of its own."""
    from matplotlib.figure import Figure
    from matplotlib.style import context

    with context(["default", _STYLE]):  # whatever matplotlibrc the user has, the figure is the same
        figure = Figure(figsize=_INCHES, layout="constrained")
        axes = figure.add_subplot()
        _dress(axes, chart)
        for line in sorted(chart.lines, key=lambda line: not line.ceiling):
            _draw_line(axes, line, axes.transData + _aside(figure, line, chart.lines))
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata=_NO_METADATA)
    return Markup(_inlined(buffer.getvalue(), chart))  # noqa: S704  matplotlib's own markup; foreign text is escaped


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
    from math import log10

    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axes.set_yscale("log")
    axes.set_ylim(least / 1.6, most * 1.6)
    subs = (1.0, 2.0, 5.0) if log10(most / least) < _FEW_DECADES else (1.0,)
    axes.yaxis.set_major_locator(LogLocator(subs=subs, numticks=12))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: format_ns(value)))


def _aside(figure: Figure, line: Line, lines: Sequence[Line]) -> Transform:
    """Return how far aside a line is drawn: a little each, or the bars of one size would hide each other."""
    from matplotlib.transforms import ScaledTranslation

    step = min(_ASIDE_POINTS, _ASIDE_MOST_POINTS / len(lines))
    points = step * (lines.index(line) - (len(lines) - 1) / 2)
    return ScaledTranslation(points / _POINTS_PER_INCH, 0, figure.dpi_scale_trans)


def _draw_line(axes: Axes, line: Line, where: Transform) -> None:
    colour = _CEILING if line.ceiling else f"#0101a{line.colour}"
    for run in line.runs:
        axes.plot(
            [mark.x_bytes for mark in run],
            [mark.y for mark in run],
            color=colour,
            linestyle=(0, (5, 3)) if line.ceiling else "-",
            linewidth=1.4,
            marker=marker(line.colour),
            markersize=6.5,
            markerfacecolor=_PAPER if line.hollow else colour,
            markeredgewidth=1.3,
            transform=where,
        )
    for mark in line.marks:
        if mark.low is not None and mark.high is not None:
            axes.plot(
                [mark.x_bytes] * 2,
                [mark.low, mark.high],
                color=colour,
                linewidth=1.2,
                marker="_",
                markersize=5,
                zorder=1.9,  # under the lines and marks
                transform=where,
            )


def _inlined(svg: str, chart: Chart) -> str:
    """Return the bare element: no prolog, no page-wide style, no id that another figure has, no literal colour."""
    body = svg[svg.index("<svg") : svg.rindex("</svg>")]
    body = re.sub(r"<style[^>]*>.*?</style>", "", body, flags=re.DOTALL)
    body = re.sub(r'\bid="', f'id="{chart.id}-', body)
    body = body.replace("url(#", f"url(#{chart.id}-").replace('xlink:href="#', f'href="#{chart.id}-')
    body = _SENTINEL.sub(lambda match: _VARIABLES.get(match[1], f"var(--c{match[1][1]})"), body)
    body = body.replace("'DejaVu Sans'", "var(--sans)")
    box = re.search(r'viewBox="[\d. ]+"', body)
    opening = (
        f'<svg {box[0] if box else ""} role="img" aria-labelledby="{chart.id}-title {chart.id}-desc">'
        f'<title id="{chart.id}-title">{escape(plain(chart.title))}</title>'
        f'<desc id="{chart.id}-desc">{escape(plain(chart.description))}</desc>'
    )
    return f"{opening}{body[body.index('>') + 1 :]}</svg>"
