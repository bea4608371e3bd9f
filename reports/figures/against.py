"""B by A as SVG: a row for each point, its interval, single launches as ticks, and what is called the same in grey."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from reports.figures.marks import marker
from reports.figures.svg import CEILING, GRID, colour, drawn

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from reports.sections.against import Mark, Section

_WIDTH, _HEAD, _ROW, _TALLEST = 5.3, 0.8, 0.3, 12.0  # inches
_INKS = {"faster": 3, "slower": 2, "same": 1}  # the page's colours; the words stand in the table
_SPARE = 1.15  # around what is drawn
_WIDEST = 1.02  # an axis that spans less would make noise look like mountains


def draw_against(figure: Section) -> Markup:
    """Return the rows from top to bottom, on a logarithmic axis: half is as far from 1 as twice."""

    def paint(canvas: Figure) -> None:
        axes = canvas.add_subplot()
        axes.axvspan(*figure.edges, color=GRID, linewidth=0)
        axes.axvline(1, color=CEILING, linewidth=1.2, linestyle=(0, (5, 3)))
        for verdict in dict.fromkeys(mark.verdict for mark in figure.marks):
            chosen = [(place, mark) for place, mark in enumerate(figure.marks) if mark.verdict == verdict]
            _draw(axes, chosen, _INKS.get(verdict, 0))
        axes.set_xscale("log")
        _bounds(axes, figure)
        axes.set_ylim(len(figure.marks) - 0.5, -0.5)
        axes.set_yticks(range(len(figure.marks)), [str(mark.number) for mark in figure.marks])
        axes.set_xlabel("throughput of B by that of A")
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.grid(visible=True, axis="x", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.tick_params(axis="y", length=0)

    height = min(_TALLEST, _HEAD + _ROW * len(figure.marks))
    return drawn(figure.id, figure.title, figure.description, paint, (_WIDTH, height))


def _draw(axes: Axes, chosen: list[tuple[int, Mark]], index: int) -> None:
    """Draw all points of one verdict with three artists."""
    ink = colour(index)
    ticks = [(ratio, place) for place, mark in chosen for ratio in mark.launches]
    axes.plot(
        [x for x, _ in ticks], [y for _, y in ticks], color=ink, linestyle="none", marker="|", markersize=7, alpha=0.45
    )
    bars = [(place, mark.low, mark.high) for place, mark in chosen if mark.low is not None and mark.high is not None]
    ends = [end for _, low, high in bars for end in (low, high, math.nan)]  # nan breaks the line
    heights = [height for place, *_ in bars for height in (place, place, math.nan)]
    axes.plot(ends, heights, color=ink, linewidth=3.0, solid_capstyle="butt")
    places = [place for place, _ in chosen]
    axes.plot(
        [mark.ratio for _, mark in chosen], places, color=ink, linestyle="none", marker=marker(index), markersize=7
    )


def _bounds(axes: Axes, figure: Section) -> None:
    """Show 1 and all intervals, and name round ratios; single launches far away do not stretch the axis."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

    ends = [end for mark in figure.marks for end in (mark.low or mark.ratio, mark.high or mark.ratio)]
    least, most = min([*figure.edges, *ends]), max([*figure.edges, *ends])
    around = max((most / least) ** (_SPARE - 1), _WIDEST)
    axes.set_xlim(least / around, most * around)
    wide = most / least > 4  # noqa: PLR2004  two doublings
    if wide:
        steps = [2.0**power for power in range(math.floor(math.log2(least)), math.ceil(math.log2(most)) + 1)]
        axes.set_xticks([step for step in steps if least / around <= step <= most * around])
    else:
        axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}"))
