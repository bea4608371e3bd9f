"""Stacked bars of phases as SVG: one bar a transport, as long as its phases together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.figures.svg import PAPER, colour, drawn
from suite.units import format_ns

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.figure import Figure

    from reports.sections.costs import Stack

_WIDTH, _HEAD, _BAR = 5.3, 0.75, 0.36  # inches


def draw_stack(stack: Stack) -> Markup:
    """Return the bars; they are numbered, because names of transports are foreign text and stand in the page."""

    def paint(canvas: Figure) -> None:
        from matplotlib.ticker import FuncFormatter, MaxNLocator

        axes = canvas.add_subplot()
        lefts = [0.0] * len(stack.bars)
        for phase in stack.phases:
            having = [(place, part.median_ns) for place, bar in enumerate(stack.bars) if (part := bar.of(phase))]
            places, lengths = zip(*having, strict=True)
            axes.barh(
                places, lengths, left=[lefts[place] for place in places], height=0.62,
                color=colour(stack.colour(phase)), edgecolor=PAPER, linewidth=0.8,
            )  # fmt: skip
            for place, length in having:
                lefts[place] += length
        most = max(bar.total_ns for bar in stack.bars)
        axes.set_xlim(0, 1.03 * most)
        axes.set_ylim(len(stack.bars) - 0.5, -0.5)
        axes.set_yticks(range(len(stack.bars)), [f"{number}" for number in range(1, len(stack.bars) + 1)])
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: format_ns(value) if value else "0"))
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.grid(visible=True, axis="x", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.tick_params(length=3, which="major")
        axes.tick_params(axis="y", length=0)

    height = _HEAD + _BAR * len(stack.bars)
    return drawn(stack.id, stack.title, stack.description, paint, (_WIDTH, height))
