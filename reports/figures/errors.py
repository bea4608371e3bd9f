"""Errors as SVG: a numbered row for each thing of known size, what is tolerated in grey."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.figures.marks import marker
from reports.figures.svg import CEILING, GRID, colour, drawn

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.figure import Figure as Canvas

    from reports.sections.calibration import Figure

_WIDTH, _HEAD, _ROW = 5.3, 0.75, 0.26  # inches
_LEAST = 0.01  # of the axis, each way: errors far below a percent are not blown up
_GOOD, _BEYOND = 1, 2  # colours


def draw_errors(figure: Figure) -> Markup:
    """Return the rows from top to bottom; they are numbered, because a manifest's words are foreign text."""

    def paint(canvas: Canvas) -> None:
        from matplotlib.ticker import FuncFormatter, MaxNLocator

        axes = canvas.add_subplot()
        for place, mark in enumerate(figure.marks):
            ink = colour(_GOOD if mark.good else _BEYOND)
            if mark.tolerated:
                axes.barh(place, 2 * mark.tolerated, left=-mark.tolerated, height=0.8, color=GRID)
            axes.plot([mark.low, mark.high], [place, place], color=ink, linewidth=1.5, marker="|", markersize=5)
            axes.plot([mark.off], [place], color=ink, marker=marker(_GOOD if mark.good else _BEYOND), markersize=6)
        axes.axvline(0, color=CEILING, linewidth=1.2, linestyle=(0, (5, 3)))
        furthest = max(_LEAST, *(max(abs(one.low), abs(one.high), one.tolerated or 0) for one in figure.marks))
        axes.set_xlim(-1.06 * furthest, 1.06 * furthest)
        axes.set_ylim(len(figure.marks) - 0.5, -0.5)
        axes.set_yticks(range(len(figure.marks)), [f"{number}" for number in range(1, len(figure.marks) + 1)])
        axes.xaxis.set_major_locator(MaxNLocator(6))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:+.3g} %" if value else "0"))
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.grid(visible=True, axis="x", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.tick_params(length=3, which="major")
        axes.tick_params(axis="y", length=0)

    height = _HEAD + len(figure.marks) * _ROW
    return drawn(figure.id, figure.title, figure.description, paint, (_WIDTH, min(height, 9.0)))
