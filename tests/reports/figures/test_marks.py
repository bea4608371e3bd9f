"""Lines are told apart by shape: no two colours share one, and figure and legend agree."""

from __future__ import annotations

import re
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pytest
from matplotlib.path import Path

from reports.data import report_data
from reports.figures.lines import draw
from reports.figures.marks import SHAPES, marker, polygon
from reports.formats.html import render
from reports.sections.charts import COLOURS, charts

if TYPE_CHECKING:
    from collections.abc import Callable

    from perf.summary import PointSummary

GRID = np.stack(np.meshgrid(np.linspace(-1, 1, 81), np.linspace(-1, 1, 81)), axis=-1).reshape(-1, 2)


def test_every_colour_and_the_ceiling_have_a_shape() -> None:
    assert len(SHAPES) == COLOURS + 1


@pytest.mark.parametrize(("one", "other"), [*combinations(range(COLOURS + 1), 2)])
def test_two_shapes_look_different(one: int, other: int) -> None:
    """An eighth of what either covers is not covered by the other."""
    inside = [Path(SHAPES[number]).contains_points(GRID) for number in (one, other)]
    assert np.sum(inside[0] ^ inside[1]) > np.sum(inside[0] | inside[1]) / 8


@pytest.mark.parametrize("number", range(COLOURS + 1))
def test_the_legend_has_the_shape_of_the_figure(number: int) -> None:
    """SVG counts downwards, matplotlib upwards."""
    corners = [tuple(map(float, pair.split(","))) for pair in polygon(number).split()]
    drawn = marker(number).vertices[:-1]
    assert np.allclose(np.array(corners) * (0.2, -0.2), drawn, atol=2e-3)


def test_each_transport_has_its_own_mark_in_a_figure(summary: Callable[..., PointSummary]) -> None:
    """Where two transports and the ceiling meet there are three marks, each drawn as its shape."""
    points = [summary(transport=name, unit="bytes", descriptor_bytes=8) for name in ("copy", "nixl:UCX", "ucx")]
    (chart,) = charts(points, "throughput")
    marks = re.findall(r'<path id="throughput-1-m\w+" d="([^"]+)"', str(draw(chart)))
    corners = {path.count("L") + 1 for path in marks}
    assert {len(SHAPES[line.colour]) for line in chart.lines} <= corners
    page = render(report_data({}, points, []))
    legend = page[page.index('<ul class="legend">') :]
    assert re.findall(r'href="#shape-(\d)"', legend[: legend.index("</ul>")]) == [
        str(line.colour) for line in chart.lines
    ]
