"""Percentiles and curves: what is given, what is not, and that a figure never grows with the samples."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from perf.record import Issue
from perf.words import NONE
from reports.data import report_data
from reports.figures.curves import draw_curves
from reports.formats.html import render
from reports.sections.latencies import latencies

if TYPE_CHECKING:
    from collections.abc import Callable

    from perf.summary import PointSummary

    Timed = Callable[..., PointSummary]

BLOCKS: dict[str, Any] = {"unit": "block", "descriptor_bytes": 4 << 20, "descriptors": 16}


def test_percentiles_are_given_where_samples_are_enough(timed: Timed) -> None:
    found = latencies(
        [
            timed(),
            timed(
                samples=2_000,
                workload="bytes",
                unit="bytes",
                descriptors=1,
                descriptor_bytes=8192,
                rates=(4.096, 2.048, 8.192),
            ),
        ]
    )
    (first, [few]), (second, [many]) = found.groups
    assert (first, second) == ("push, a-model", "push, plain messages")
    assert [str(value) for value in few.times[1:4]] == [NONE] * 3
    assert [str(value) for value in many.times[1:]] == ["2.2 us (1.1 to 4.4)", "3 us (1.5 to 6)", NONE, "4 us (2 to 8)"]
    assert (few.first, few.samples, many.samples) == ("1.2 \N{MULTIPLICATION SIGN}", "8", "2000")


@pytest.mark.parametrize("changes", [{"emulated": True}, {"issues": (Issue(level="INVALID", code="x", message="x"),)}])
def test_times_that_mean_nothing_are_left_out(timed: Timed, changes: dict[str, Any]) -> None:
    found = latencies([timed(**(BLOCKS | changes))])
    assert (found.groups, found.curves) == ((), ())


def test_points_without_launches_have_no_row(summary: Timed) -> None:
    assert latencies([summary()]).rows == 0
    assert latencies([]).rows == 0
    page = render(report_data({}, [summary()], []))
    assert "Percentiles of latency" not in page
    assert "spread-push" not in page


def test_each_op_has_one_figure_of_its_biggest_cache_with_the_ceiling(timed: Timed) -> None:
    points = [timed(transport=name, op=op, **fields)
              for name in ("nixl:UCX", "ucx", "copy") for op in ("push", "pull")
              for fields in (BLOCKS, {"unit": "head", "descriptor_bytes": 8192, "descriptors": 8192})]  # fmt: skip
    push, pull = latencies(points).curves
    assert (push.id, pull.id) == ("spread-push-1", "spread-pull-1")
    assert "block 4 MiB" in push.title
    assert [(line.label, line.colour) for line in push.lines] == [("nixl:UCX", 1), ("ucx", 2), ("ceiling: copy", 0)]
    assert push.lines[0].values_ns[-1] == max(push.lines[0].values_ns)
    assert "With so few samples" in push.caption


def test_a_curve_has_at_most_two_hundred_steps_and_little_markup(timed: Timed) -> None:
    [few, many] = [latencies([timed(samples=count, **BLOCKS)]).curves[0] for count in (200, 50_000)]
    assert len(few.lines[0].values_ns) == len(many.lines[0].values_ns) == 200
    assert "With so few samples" not in many.caption
    svg = draw_curves(many)
    assert len(svg) < 40_000
    assert 'role="img"' in svg
    assert not re.search(r"#[0-9a-f]{6}", svg)


def test_the_table_under_a_curve_reads_from_it(timed: Timed) -> None:
    [figure] = latencies([timed(**BLOCKS)]).curves
    line = replace(figure.lines[0], values_ns=(10.0, 20.0, 30.0, 40.0))
    assert [line.at(percent) for percent in (10, 25, 50, 75, 90, 100)] == [
        "10 ns",
        "10 ns",
        "20 ns",
        "30 ns",
        "40 ns",
        "40 ns",
    ]


@pytest.mark.deep
@pytest.mark.parametrize("rates", [(5.0,), (5.0, 5.0, 5.0), (1e-9, 1e9), (1e300, 1e300)])
def test_odd_times_are_a_page(timed: Timed, rates: tuple[float, ...]) -> None:
    page = render(report_data({}, [timed(rates=rates, **BLOCKS)], []))
    assert 'id="latency"' in page


def test_two_models_have_ids_of_their_own_whatever_they_are_called(timed: Timed) -> None:
    points = [timed(workload=name, **BLOCKS) for name in ("a b", 'x"<')]
    assert [one.id for one in latencies(points).curves] == ["spread-push-1", "spread-push-2"]


def test_the_page_has_the_figure_its_numbers_and_the_percentiles(timed: Timed) -> None:
    page = render(report_data({}, [timed(**BLOCKS)], []))
    for said in (
        'id="spread-push-1-title"',
        "Numbers: spread of latency, Push, a-model",
        "Percentiles of latency",
        "p99.9 needs 10,000",
    ):
        assert said in page
