from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from perf.record import Issue
from perf.summary import Interval
from reports.sections.charts import charts

if TYPE_CHECKING:
    from collections.abc import Callable

    from perf.summary import PointSummary

WRONG = Issue(level="INVALID", code="two-wires", message="Two wires.")


@pytest.mark.parametrize(
    "changes", [{"emulated": True}, {"issues": (WRONG,)}, {"throughput": None}, {"descriptor_bytes": 0}]
)
def test_only_numbers_that_count_are_drawn(summary: Callable[..., PointSummary], changes: dict[str, object]) -> None:
    assert charts([summary(**changes)], "throughput") == []


def test_each_op_and_workload_has_its_figure(summaries: list[PointSummary]) -> None:
    titles = [chart.title for chart in charts(summaries, "throughput")]
    assert titles == ["Push, a-model", "Pull, a-model", "Push, plain messages", "Pull, plain messages"]


def test_copy_is_the_ceiling(summaries: list[PointSummary]) -> None:
    lines = charts(summaries, "throughput")[0].lines
    assert {line.label for line in lines if line.ceiling} == {"ceiling: copy, contiguous", "ceiling: copy, scattered"}


def test_a_transport_has_one_colour_in_all_figures(summaries: list[PointSummary]) -> None:
    found = {
        (line.label.split(",")[0], line.colour)
        for quantity in ("throughput", "latency")
        for chart in charts(summaries, quantity)
        for line in chart.lines
    }
    assert len(found) == len({name for name, _ in found})


def test_a_missing_size_breaks_the_line(summary: Callable[..., PointSummary]) -> None:
    sizes = [1024, 2048, 4096, 8192]
    points = [summary(descriptor_bytes=size, issues=(WRONG,) if size == 2048 else ()) for size in sizes]
    (line,) = charts(points, "throughput")[0].lines
    assert [[mark.x_bytes for mark in run] for run in line.runs] == [[1024], [4096, 8192]]


def test_the_same_size_twice_is_not_joined(summary: Callable[..., PointSummary]) -> None:
    points = [summary(descriptors=count) for count in (1, 8)]
    (line,) = charts(points, "throughput")[0].lines
    assert [len(run) for run in line.runs] == [1, 1]


def test_the_caption_says_how_many_launches_and_what_the_bars_are(summary: Callable[..., PointSummary]) -> None:
    few = summary(descriptor_bytes=1024, throughput=Interval(1.0, None, None, None, 3))
    caption = charts([summary(), few], "throughput")[0].caption
    assert caption == (
        "n = 3 to 9 launches per point. Bars: 95 % confidence interval of the median (here 96.1 %). "
        "A point without a bar has too few launches for an interval."
    )


def test_each_pair_of_memories_has_its_figure_and_the_first_pair_of_every_op_comes_first(
    summary: Callable[..., PointSummary],
) -> None:
    pairs = [("cuda:0", "cuda:0", 1), ("cuda:1", "cuda:0", 1), ("host", "host", 1), ("host", "host", 2)]
    points = [
        summary(op=op, source=source, destination=destination, flows=flows)
        for op in ("pull", "push")
        for source, destination, flows in pairs
    ]
    found = charts(points, "throughput")
    assert [chart.title for chart in found] == [
        "Push, a-model", "Pull, a-model",
        "Push, a-model, cuda:1 → cuda:0", "Pull, a-model, cuda:1 → cuda:0",
        "Push, a-model, cuda:0 → cuda:0", "Pull, a-model, cuda:0 → cuda:0",
        "Push, a-model, host → host, 2 pairs at once", "Pull, a-model, host → host, 2 pairs at once",
    ]  # fmt: skip
    assert [len(chart.lines) for chart in found] == [1] * 8
    assert len({chart.id for chart in found}) == 8


def test_hot_messages_are_drawn_apart(summary: Callable[..., PointSummary]) -> None:
    """What finds its bytes in the caches would look like the same transport, only faster."""
    found = charts([summary(pattern=pattern) for pattern in ("hot", "scattered", "contiguous")], "latency")
    assert [(chart.title, len(chart.lines)) for chart in found] == [("Push, a-model", 2), ("Push, a-model, hot", 1)]
