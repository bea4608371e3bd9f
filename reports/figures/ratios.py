"""Ratios to `copy` as SVG: a row for each transfer, a mark for each transport, the noise band of `copy` in grey."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from reports.figures.marks import marker
from reports.figures.svg import CEILING, GRID, colour, drawn

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from reports.sections.ratios import Ratios

_WIDTH, _HEAD, _ROW, _MARK = 5.3, 0.75, 0.2, 0.14  # inches


def draw_ratios(figure: Ratios) -> Markup:
    """Return the rows from top to bottom; their labels are sizes and our own words."""

    def paint(canvas: Figure) -> None:
        axes = canvas.add_subplot()
        bands = [(place, *row.band) for place, row in enumerate(figure.rows) if row.band]
        if bands:
            places, least, most = zip(*bands, strict=True)
            axes.barh(
                places, [high - low for low, high in zip(least, most, strict=True)], left=least, height=0.84, color=GRID
            )
        for number, (name, index) in enumerate(figure.legend):
            offset = 0.7 * ((number + 0.5) / len(figure.legend) - 0.5)
            _draw_marks(axes, figure, name, offset=offset, index=index)
        axes.axvline(1, color=CEILING, linewidth=1.2, linestyle=(0, (5, 3)))
        furthest = max([1.0, *(mark.high or mark.ratio for row in figure.rows for mark in row.marks),
                    *(row.band[1] for row in figure.rows if row.band)])  # fmt: skip
        axes.set_xlim(0, 1.06 * furthest)
        axes.set_ylim(len(figure.rows) - 0.5, -0.5)
        axes.set_yticks(range(len(figure.rows)), [row.label for row in figure.rows])
        axes.set_xlabel("throughput by that of copy")
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.grid(visible=True, axis="x", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.tick_params(length=3, which="major")
        axes.tick_params(axis="y", length=0)

    height = _HEAD + len(figure.rows) * (_ROW + _MARK * len(figure.legend))
    return drawn(figure.id, figure.title, figure.description, paint, (_WIDTH, min(height, 9.0)))


def _draw_marks(axes: Axes, figure: Ratios, name: str, *, offset: float, index: int) -> None:
    """Draw one transport in all rows with two artists: hundreds would take seconds."""
    ink = colour(index)
    marks = [
        (place + offset, mark) for place, row in enumerate(figure.rows) for mark in row.marks if mark.label == name
    ]
    bars = [(at, mark.low, mark.high) for at, mark in marks if mark.low is not None and mark.high is not None]
    ends = [end for _, low, high in bars for end in (low, high, math.nan)]  # nan breaks the line
    heights = [height for at, *_ in bars for height in (at, at, math.nan)]
    axes.plot(ends, heights, color=ink, linewidth=1.5, marker="|", markersize=5)
    axes.plot(
        [mark.ratio for _, mark in marks],
        [at for at, _ in marks],
        color=ink,
        linestyle="none",
        marker=marker(index),
        markersize=6,
    )
