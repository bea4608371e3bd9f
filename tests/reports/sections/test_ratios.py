"""Ratios to the ceiling: paired by launch, one figure per op and pair of memories, nothing where there is no ceiling."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from perf.record import Issue
from reports.data import report_data
from reports.figures.ratios import draw_ratios
from reports.formats.html import FIGURES_MOST, FIGURES_OPEN, render
from reports.sections.ratios import MOST_ROWS, ratios

if TYPE_CHECKING:
    from collections.abc import Callable

    from perf.summary import PointSummary

    Timed = Callable[..., PointSummary]

INVALID = Issue(level="INVALID", code="x", message="x")


def both(timed: Timed, **changes: Any) -> list[PointSummary]:
    return [
        timed(rates=(3.0, 3.3, 6.0, 6.6, 3.0, 3.0), **changes),
        timed(transport="copy", rates=(6.0, 6.6, 12.0, 13.2, 6.0, 6.0), **changes),
    ]


def test_the_same_launch_is_compared_with_itself(timed: Timed) -> None:
    """The machine was twice as fast in two launches, for both: the ratio is exact, and copy's own noise is wide."""
    [figure] = ratios(both(timed))
    [row] = figure.rows
    [mark] = row.marks
    assert (mark.label, mark.colour, mark.told()) == ("nixl:UCX", 1, "0.50 [0.50, 0.50]")
    assert row.label == "page 64 KiB scattered"
    assert row.noise() == "0.95 to 2.10"
    assert (figure.id, figure.title, figure.legend) == ("ratio-1", "Push, a-model", (("nixl:UCX", 1),))
    assert "page 64 KiB scattered: nixl:UCX 0.50 [0.50, 0.50]" in figure.description


def test_each_op_workload_and_pair_of_memories_has_a_figure(timed: Timed) -> None:
    points = [one for changes in ({}, {"op": "pull"}, {"workload": "b-model"}, {"destination": "cuda:0"}, {"pattern": "hot"})
              for one in both(timed, **changes)]  # fmt: skip
    assert sorted(figure.title for figure in ratios(points)) == [
        "Pull, a-model", "Push, a-model", "Push, a-model, host \N{RIGHTWARDS ARROW} cuda:0", "Push, a-model, hot", "Push, b-model",
    ]  # fmt: skip
    assert [figure.id for figure in ratios(points)] == [f"ratio-{number}" for number in range(1, 6)]


@pytest.mark.parametrize("changes", [{"emulated": True}, {"verified": False}, {"launches": 0}, {"issues": (INVALID,)}])
def test_what_is_not_real_and_right_has_no_ratio(timed: Timed, changes: dict[str, Any]) -> None:
    ours, ceiling = both(timed)
    assert ratios([timed(**changes), ceiling]) == []
    assert ratios([ours, timed(transport="copy", **changes)]) == []
    if "emulated" in changes:
        assert 'id="ratio"' not in render(report_data({}, both(timed, **changes), []))


def test_without_a_ceiling_there_is_no_section(timed: Timed, summary: Timed) -> None:
    assert ratios([]) == []
    assert ratios([timed()]) == []
    assert ratios([timed(), summary(transport="copy", unit="head")]) == []


def test_only_launches_that_both_have_give_a_ratio(timed: Timed, summary: Timed) -> None:
    assert ratios([summary(), summary(transport="copy")]) == []
    [figure] = ratios([timed(rates=(3.0, 3.0)), timed(transport="copy")])
    assert figure.rows[0].marks[0].told() == "0.59"
    assert "too few launches" in figure.caption
    assert draw_ratios(figure)


def test_rows_are_named_apart(timed: Timed) -> None:
    points = [one for count in (16, 32) for one in both(timed, descriptors=count)]
    assert [row.label for row in ratios(points)[0].rows] == [
        f"page 64 KiB scattered \N{MULTIPLICATION SIGN} {count}" for count in (16, 32)
    ]


def test_many_rows_and_transports_stay_one_small_figure(timed: Timed) -> None:
    points = [
        timed(transport=name, descriptor_bytes=8 << size) for name in ("copy", "a", "b", "c") for size in range(30)
    ]
    [figure] = ratios(points)
    assert len(figure.rows) == MOST_ROWS
    svg = draw_ratios(figure)
    assert len(svg) < 120_000
    assert not re.search(r"#[0-9a-f]{6}", svg)


@pytest.mark.deep
@pytest.mark.parametrize("rate", [1e-300, 1e300, float("inf"), float("nan")])
def test_odd_rates_are_a_page(timed: Timed, rate: float) -> None:
    points = [timed(rates=(rate,) * 6), timed(transport="copy")]
    render(report_data({}, points, []))
    assert ratios(points) == [] or all(0 < mark.ratio < 1e4 for row in ratios(points)[0].rows for mark in row.marks)


@pytest.mark.deep
def test_names_of_transports_are_not_in_the_drawing(timed: Timed) -> None:
    points = [timed(transport="<b>x</b>"), timed(transport="copy")]
    [figure] = ratios(points)
    svg = draw_ratios(figure)
    assert "<b>" not in svg
    assert "<b>x" not in render(report_data({}, points, []))


@pytest.mark.deep
def test_many_pairs_are_folded_and_then_counted(timed: Timed) -> None:
    points = [
        one for number in range(FIGURES_MOST + 3) for one in both(timed, source=f"cuda:{number}", destination="host")
    ]
    page = render(report_data({}, points, []))
    section = page[page.index('<section id="ratio"') :]
    section = section[: section.index("</section>")]
    assert section.count("<figure") == FIGURES_MOST
    assert f"{FIGURES_MOST - FIGURES_OPEN} more figures" in section
    assert "3 further pairs of memories are not drawn" in section
