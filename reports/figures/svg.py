"""From a matplotlib figure to one `<svg>` element of the page: how every figure is dressed, named and made part of it.

The figures hold no foreign text: names stand in the page's legend, title and
description. Colours are written as CSS variables, so that one drawing serves
light, dark and print. The same figure gives the same bytes.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from suite.text import plain
from suite.units import format_ns

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

INK, GRID, CEILING, PAPER = "#0101f0", "#0101f1", "#0101f2", "#0101f3"  # sentinels, replaced after drawing
_SENTINEL = re.compile(r"#0101([0-9a-f]{2})")
_VARIABLES = {"f0": "currentColor", "f1": "var(--grid)", "f2": "var(--ceiling)", "f3": "var(--paper)"}
_STYLE = {
    "svg.hashsalt": "kvgauge",
    "svg.fonttype": "none",  # text stays text: searchable, and drawn in the reader's own font
    "font.family": "DejaVu Sans",
    "font.size": 10.0,
    "text.color": INK,
    "axes.edgecolor": GRID,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": GRID,
    "text.parse_math": False,
}
_NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}
_DPI = 72  # of SVG: a point is a pixel
_FEW_DECADES = 2.5  # below it powers of ten alone leave an axis bare


def colour(index: int) -> str:
    """Return the sentinel of the page's colour `index`, 1 to 8; 0 is that of the ceiling."""
    return f"#0101a{index}" if index else CEILING


def drawn(
    identity: str, title: str, description: str, paint: Callable[[Figure], None], inches: tuple[float, float]
) -> Markup:
    """Return what `paint` draws as one `<svg>` element with a name, a description and ids of its own."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine
    from matplotlib.style import context

    with context(["default", _STYLE]):  # whatever matplotlibrc the user has, the figure is the same
        figure = Figure(figsize=inches, dpi=_DPI)
        FigureCanvasSVG(figure)
        paint(figure)
        ConstrainedLayoutEngine().execute(figure)  # once: as the figure's own engine it would draw all of it twice
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata=_NO_METADATA)
    inlined = _inlined(buffer.getvalue(), identity, title, description)
    return Markup(inlined)  # noqa: S704  matplotlib's own markup; foreign text is escaped


def log_of_time(axis: Axis, least: float, most: float) -> None:
    """Name the steps of a logarithmic axis of ns in the units that a reader would choose."""
    from math import log10

    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    subs = (1.0, 2.0, 5.0) if log10(most / least) < _FEW_DECADES else (1.0,)
    axis.set_major_locator(LogLocator(subs=subs, numticks=12))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: format_ns(value)))


def _inlined(svg: str, identity: str, title: str, description: str) -> str:
    """Return the bare element: no prolog, no page-wide style, no id that another figure has, no literal colour."""
    body = svg[svg.index("<svg") : svg.rindex("</svg>")]
    body = re.sub(r"<style[^>]*>.*?</style>", "", body, flags=re.DOTALL)
    body = re.sub(r'\bid="', f'id="{identity}-', body)
    body = body.replace("url(#", f"url(#{identity}-").replace('xlink:href="#', f'href="#{identity}-')
    body = _SENTINEL.sub(lambda match: _VARIABLES.get(match[1], f"var(--c{match[1][1]})"), body)
    body = body.replace("'DejaVu Sans'", "var(--sans)")
    box = re.search(r'viewBox="[\d. ]+"', body)
    opening = (
        f'<svg {box[0] if box else ""} role="img" aria-labelledby="{identity}-title {identity}-desc">'
        f'<title id="{identity}-title">{escape(plain(title))}</title>'
        f'<desc id="{identity}-desc">{escape(plain(description))}</desc>'
    )
    return f"{opening}{body[body.index('>') + 1 :]}</svg>"
