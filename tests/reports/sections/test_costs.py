"""The phases of a transfer: bars by transport, none for a phase that is not there."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from perf.summary import Cpu, Interval
from perf.words import NONE
from reports.data import report_data
from reports.figures.stacks import draw_stack
from reports.formats.html import render
from reports.sections.costs import MOST_BARS, MOST_PHASES, costs

if TYPE_CHECKING:
    from collections.abc import Callable

    from perf.summary import PointSummary

    Timed = Callable[..., PointSummary]

BLOCKS: dict[str, Any] = {"unit": "block", "descriptor_bytes": 4 << 20, "descriptors": 16}
ONE_SIDED = {
    "open": 15_000_000,
    "register": 300_000,
    "connect": 6_000_000,
    "close": 10_000_000,
    "first_transfer": 90_000_000,
}
TWO_SIDED = {"open": 9_000_000, "gather": 12_000_000, "send": 120_000_000, "receive": 60_000_000, "scatter": 24_000_000}


def test_setup_is_one_stack_with_a_bar_for_each_transport(timed: Timed) -> None:
    points = [timed(transport=name, phases_ns=found, **BLOCKS)
              for name, found in (("copy", {"open": 1_000_000}), ("nixl:UCX", ONE_SIDED))]  # fmt: skip
    [stack] = costs(points).stacks
    assert [bar.label for bar in stack.bars] == ["nixl:UCX", "copy"], "the ceiling comes last"
    assert stack.phases == ("open", "register", "connect", "close")
    assert stack.bars[0].total_ns == 31_300_000
    assert stack.bars[1].of("register") is None
    assert "nixl:UCX: 31.3 ms; copy: 1 ms" in stack.description
    assert "the 4 transfers of a window" in stack.caption


def test_the_two_sides_of_a_transfer_are_bars_of_their_own(timed: Timed) -> None:
    """They work at the same time: one stack of both would be longer than the transfer."""
    points = [timed(transport="ucx", phases_ns=TWO_SIDED, **BLOCKS), timed(phases_ns=ONE_SIDED, **BLOCKS)]
    setup, transfer = costs(points).stacks
    assert (setup.id, transfer.id) == ("setup-1", "transfer-1")
    assert [(bar.label, [part.phase for part in bar.parts]) for bar in transfer.bars] == [
        ("ucx, initiator", ["gather", "send"]), ("ucx, target", ["receive", "scatter"]),
    ]  # fmt: skip
    assert [part.median_ns for part in transfer.bars[0].parts] == [1_000_000, 10_000_000], "of 12 posts"


def test_the_first_transfer_stands_beside_the_usual_one(timed: Timed) -> None:
    [said] = costs([timed(rates=(4.0,), phases_ns=ONE_SIDED, **BLOCKS)]).first
    assert (
        said
        == "Push by nixl:UCX: the first transfer after connecting took 90 ms, 5.4 times as long; later ones 16.8 ms."
    )


@pytest.mark.parametrize(
    "changes",
    [{"emulated": True}, {"phases_ns": {}}, {"phases_ns": {"open": 0}}, {"workload": "bytes", "unit": "bytes"}],
)
def test_without_times_there_is_no_section(timed: Timed, changes: dict[str, Any]) -> None:
    points = [timed(**(BLOCKS | changes))]
    assert costs(points).stacks == ()
    if points[0].emulated:
        assert 'id="costs"' not in render(report_data({}, points, []))


@pytest.mark.deep
def test_a_stranger_cannot_make_an_endless_figure(timed: Timed) -> None:
    many = {f"phase {number}<b>": 1_000_000 + number for number in range(60)}
    points = [timed(transport=f"their:{number}", phases_ns=many, **BLOCKS) for number in range(40)]
    [stack] = costs(points).stacks
    assert (len(stack.bars), len(stack.phases)) == (MOST_BARS, MOST_PHASES)
    page = render(report_data({}, points, []))
    assert "<b>" not in draw_stack(stack)
    assert "phase 0<b>" not in page
    assert "phase 0&lt;b&gt;" in page


@pytest.mark.deep
@pytest.mark.parametrize("took", [1, (1 << 63) - 1])
def test_odd_phases_are_a_page(timed: Timed, took: int) -> None:
    render(report_data({}, [timed(phases_ns={"open": took, "gather": took, "first_transfer": took}, **BLOCKS)], []))


def test_the_page_shows_a_dash_where_a_phase_is_not_there(timed: Timed) -> None:
    points = [timed(transport="copy", phases_ns={"open": 1_000_000}, **BLOCKS), timed(phases_ns=ONE_SIDED, **BLOCKS)]
    page = render(report_data({}, points, []))
    section = page[page.index('<section id="costs"') :]
    section = section[: section.index("</section>")]
    assert '<tr><th scope="row">register</th>\n<td>300 us (300 to 300)</td>\n<td>\N{EN DASH}</td>' in section
    assert "0 ns" not in section


def test_one_transfer_is_a_stack_of_its_own_and_both_sides_have_a_row(timed: Timed) -> None:
    points = []
    for name, post in (("copy", 4_000_000.0), ("nixl:UCX", 3_000_000.0)):
        one = timed(transport=name, phases_ns={}, **BLOCKS)
        parts = {"post": post, "transfer": 1_000_000.0, "notification": 2_000_000.0}
        used = Interval(0.2, 0.19, 0.25, 0.969, 6)
        cpu = {"initiator": Cpu(used, Interval(0.99, None, None, None, 6))}
        points.append(replace(one, cpu=cpu, repetitions=tuple(replace(rep, split_ns=parts) for rep in one.repetitions)))
    found = costs(points)
    [stack] = found.stacks
    assert (stack.id, stack.phases) == ("split-1", ("post", "transfer", "notification"))
    assert [bar.total_ns for bar in stack.bars] == [6_000_000, 7_000_000]
    [(title, rows)] = found.cpu
    assert title.startswith("Push, ")
    assert [(row.transport, row.ceiling) for row in rows] == [("nixl:UCX", False), ("copy", True)]
    assert [[str(cell) for cell in side] for side in rows[0].sides] == [["0.2 [0.19, 0.25]", "99 %"], [NONE, NONE]]
    page = render(report_data({}, points, []))
    assert "Processor time for a GB" in page


def test_processor_time_alone_is_a_section(timed: Timed) -> None:
    cpu = {"target": Cpu(Interval(0.2, None, None, None, 1), Interval(1.0, None, None, None, 1))}
    one = replace(timed(phases_ns={}, **BLOCKS), cpu=cpu)
    assert 'id="costs"' in render(report_data({}, [one], []))


def test_the_first_transfer_has_an_interval_where_there_are_launches_enough(timed: Timed) -> None:
    [said] = costs([timed(phases_ns=ONE_SIDED, **BLOCKS)]).first
    assert "times [" in said
