"""Stacked bars of phases as SVG: one bar a transport, as long as its phases together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.figures.svg import PAPER, colour, drawn
from suite.units import format_ns

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from markupsafe import Markup
    from matplotlib.figure import Figure

    from reports.sections.costs import Stack

_WIDTH, _HEAD, _BAR = 5.3, 0.75, 0.36  # inches


def draw_stack(stack: Stack) -> Markup:
    """Return the bars; they are numbered, because names of transports are foreign text and stand in the page."""
    layers = [
        (stack.colour(phase), [part.median_ns if (part := bar.of(phase)) else 0.0 for bar in stack.bars])
        for phase in stack.phases
    ]
    return draw_bars(stack.id, stack.title, stack.description, layers, format_ns)


def draw_bars(
    identity: str,
    title: str,
    description: str,
    layers: Sequence[tuple[int, Sequence[float]]],
    show: Callable[[float], str],
) -> Markup:
    """Return numbered bars of layers, one after the other: the number of a colour, and a length for each bar.

    `show` names the steps of the axis.
    """
    bars = len(layers[0][1])
    totals = [sum(lengths[place] for _, lengths in layers) for place in range(bars)]

    def paint(canvas: Figure) -> None:
        from matplotlib.ticker import FuncFormatter, MaxNLocator

        axes = canvas.add_subplot()
        lefts = [0.0] * bars
        for number, lengths in layers:
            having = [(place, length) for place, length in enumerate(lengths) if length]
            if not having:
                continue
            axes.barh(
                [place for place, _ in having], [length for _, length in having], left=[lefts[place] for place, _ in having],
                height=0.62, color=colour(number), edgecolor=PAPER, linewidth=0.8,
            )  # fmt: skip
            for place, length in having:
                lefts[place] += length
        axes.set_xlim(0, 1.03 * max(totals))
        axes.set_ylim(bars - 0.5, -0.5)
        axes.set_yticks(range(bars), [f"{number}" for number in range(1, bars + 1)])
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: show(value) if value else "0"))
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.grid(visible=True, axis="x", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.tick_params(length=3, which="major")
        axes.tick_params(axis="y", length=0)

    return drawn(identity, title, description, paint, (_WIDTH, _HEAD + _BAR * bars))
