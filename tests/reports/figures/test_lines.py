from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import TYPE_CHECKING

import matplotlib as mpl
import pytest

from perf.summary import Interval
from reports.figures.lines import draw
from reports.sections.charts import charts

if TYPE_CHECKING:
    from collections.abc import Callable

    from perf.summary import PointSummary


def test_a_figure_is_one_named_element_without_a_literal_colour(summaries: list[PointSummary]) -> None:
    for chart in charts(summaries, "throughput") + charts(summaries, "latency"):
        svg = draw(chart)
        root = ET.fromstring(svg)  # noqa: S314  our own bytes
        assert root.attrib["role"] == "img"
        assert [child.tag for child in root][:2] == ["title", "desc"]
        assert root.attrib["aria-labelledby"] == f"{chart.id}-title {chart.id}-desc"
        assert not re.search(r"<style|<!DOCTYPE|<\?xml|https?:|#[0-9a-f]{6}", svg)
        assert set(re.findall(r'(?:url\(|href=")#([^)"]+)', svg)) <= set(re.findall(r'\bid="([^"]+)"', svg))
        assert len(svg) < 60_000


def test_the_readers_matplotlibrc_changes_nothing(summaries: list[PointSummary]) -> None:
    chart = charts(summaries, "throughput")[0]
    expected = draw(chart)
    with mpl.rc_context(
        {"axes.facecolor": "red", "font.size": 30, "svg.fonttype": "path", "xtick.minor.visible": True}
    ):
        assert draw(chart) == expected


@pytest.mark.parametrize("quantity", ["throughput", "latency"])
@pytest.mark.parametrize("median", [0.0, 1e-300, 1e-3, 1.0, 1e15])
@pytest.mark.parametrize("size", [1, 4096, 1 << 62])
def test_one_point_of_any_size_is_drawn(
    summary: Callable[..., PointSummary], quantity: str, median: float, size: int
) -> None:
    interval = Interval(median, None, None, None, 1)
    point = summary(descriptor_bytes=size, descriptors=1, throughput=interval, latency_ns=interval)
    for chart in charts([point], quantity):  # type: ignore[arg-type]  # parametrize gives str
        ET.fromstring(draw(chart))  # noqa: S314  our own bytes


def test_many_sizes_are_named_without_overlap(summary: Callable[..., PointSummary]) -> None:
    points = [summary(unit="bytes", descriptor_bytes=1 << power) for power in range(29)]
    svg = draw(charts(points, "throughput")[0])
    named = re.findall(r">([\d.]+ [KMG]?i?B)<", svg)
    assert 8 <= len(named) <= 16


def test_foreign_names_stay_out_of_the_drawing(summary: Callable[..., PointSummary]) -> None:
    (chart,) = charts([summary(transport=r"$\frac{</svg><b>_x", workload="<i>&\x00")], "latency")
    svg = draw(replace(chart, description=chart.description + "]]>"))
    ET.fromstring(svg)  # noqa: S314  our own bytes
    assert "<b>" not in svg
    assert "<i>" not in svg
