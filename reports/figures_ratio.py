"""Ratios to `copy` as SVG: a row for each transfer, a mark for each transport, the noise band of `copy` in grey."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.svg import CEILING, GRID, colour, drawn

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.figure import Figure

    from reports.ratios import Ratios

_WIDTH, _HEAD, _ROW, _MARK = 5.3, 0.75, 0.2, 0.14  # inches


def draw_ratios(figure: Ratios) -> Markup:
    """Return the rows from top to bottom; their labels are sizes and our own words."""
    names = [label for label, _ in figure.legend]

    def paint(canvas: Figure) -> None:
        axes = canvas.add_subplot()
        for place, row in enumerate(figure.rows):
            if row.band:
                axes.barh(place, row.band[1] - row.band[0], left=row.band[0], height=0.84, color=GRID)
            for mark in row.marks:
                at = place + 0.7 * ((names.index(mark.label) + 0.5) / len(names) - 0.5)
                ink = colour(mark.colour)
                if mark.low is not None and mark.high is not None:
                    axes.plot([mark.low, mark.high], [at, at], color=ink, linewidth=1.5, marker="|", markersize=5)
                axes.plot([mark.ratio], [at], color=ink, marker="o", markersize=5)
        axes.axvline(1, color=CEILING, linewidth=1.2, linestyle=(0, (5, 3)))
        most = max([1.0, *(mark.high or mark.ratio for row in figure.rows for mark in row.marks),
                    *(row.band[1] for row in figure.rows if row.band)])  # fmt: skip
        axes.set_xlim(0, 1.06 * most)
        axes.set_ylim(len(figure.rows) - 0.5, -0.5)
        axes.set_yticks(range(len(figure.rows)), [row.label for row in figure.rows])
        axes.set_xlabel("throughput by that of copy")
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.grid(visible=True, axis="x", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.tick_params(length=3, which="major")
        axes.tick_params(axis="y", length=0)

    height = _HEAD + len(figure.rows) * (_ROW + _MARK * len(names))
    return drawn(figure.id, figure.title, figure.description, paint, (_WIDTH, min(height, 9.0)))
