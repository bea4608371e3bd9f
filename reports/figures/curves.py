"""Curves of latency as SVG: at most 200 steps a line, however many samples there were."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.figures.marks import marker
from reports.figures.svg import colour, drawn, log_of_time

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.figure import Figure

    from reports.sections.latencies import Curves

_INCHES = (5.3, 3.0)
_MARKS = 5  # of one line: enough to tell it apart without colour
_NARROWEST = 1.25  # a time axis that spans less would make noise look like a tail


def draw_curves(figure: Curves) -> Markup:
    """Return the share of transfers against their latency."""

    def paint(canvas: Figure) -> None:
        axes = canvas.add_subplot()
        for number, line in enumerate(sorted(figure.lines, key=lambda line: line.colour != 0)):
            every = max(1, len(line.values_ns) // _MARKS)
            first = every * (2 * number + 1) // (2 * len(figure.lines))  # no two lines mark the same share
            shares = [100 * index / len(line.values_ns) for index in range(len(line.values_ns) + 1)]
            axes.plot(
                [line.values_ns[0], *line.values_ns], shares, drawstyle="steps-post", color=colour(line.colour),
                linestyle="-" if line.colour else (0, (5, 3)), linewidth=1.6,
                marker=marker(line.colour), markersize=6.5, markevery=(first, every),
            )  # fmt: skip
        least = min(line.values_ns[0] for line in figure.lines)
        most = max(line.values_ns[-1] for line in figure.lines)
        widen = max(1.04, (_NARROWEST * least / most) ** 0.5)
        least, most = least / widen, most * widen
        axes.set_xscale("log")
        axes.set_xlim(least, most)
        log_of_time(axes.xaxis, least, most)
        axes.set_ylim(0, 102)
        axes.set_yticks([0, 25, 50, 75, 100], ["0", "25 %", "50 %", "75 %", "100 %"])
        axes.set_xlabel("latency of one transfer")
        axes.set_ylabel("of the transfers")
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(visible=True, linewidth=0.6)
        axes.set_axisbelow(True)
        axes.tick_params(length=3, which="major")

    return drawn(figure.id, figure.title, figure.description, paint, _INCHES)
