"""The fitted costs in words: units that a reader would choose, no number where no line explains the points."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from perf.fit import Coefficient
from reports.data import report_data
from reports.formats.html import render
from reports.sections.fits import UNSEEN, _bandwidth, _estimate, described
from suite.units import format_ns

if TYPE_CHECKING:
    from collections.abc import Callable

    from perf.summary import PointSummary

    Timed = Callable[..., PointSummary]

SHAPES = (("bytes", 8, 1), ("bytes", 4096, 1), ("head", 8192, 8192), ("page", 64 << 10, 1024), ("block", 4 << 20, 16))


def lying_on(timed: Timed, *, off: float = 1.0, launches: int = 6, **changes: Any) -> list[PointSummary]:
    """Return points of 2 us, 500 ns a descriptor, 8 GB/s; whole blocks take `off` times as long."""
    found = []
    for unit, size, count in SHAPES:
        took = (2_000 + 500 * count + size * count / 8) * (off if unit == "block" else 1)
        workload = "bytes" if unit == "bytes" else "a-model"
        rates = tuple(size * count / took for _ in range(launches))
        found.append(
            timed(rates=rates, workload=workload, unit=unit, descriptor_bytes=size, descriptors=count, **changes)
        )
    return found


def test_costs_are_told_in_units_that_a_reader_would_choose(timed: Timed) -> None:
    [line] = described(lying_on(timed)).lines
    assert (line.transport, line.what, line.shapes) == ("nixl:UCX", "push, scattered", 5)
    assert (line.fixed.value, line.descriptor.value, line.bandwidth.value) == ("2 us", "500 ns", "8 GB/s")
    assert line.fixed.span == "[2 to 2]"
    assert line.worst.startswith("0 %") or "e-" in line.worst


def test_few_large_pieces_stand_beside_many_small_ones(timed: Timed) -> None:
    blocks, heads = described(lying_on(timed)).predictions
    assert blocks.cache == "a-model, 64 MiB in 16 pieces: block 4 MiB scattered"
    assert heads.cache == "a-model, 64 MiB in 8192 pieces: head 8 KiB scattered"
    assert (blocks.predicted, heads.predicted) == ("8.4 ms", "12.5 ms")
    assert heads.measured == heads.predicted
    assert heads.descriptors == "33 %"


def test_what_no_line_explains_is_refused_in_words(timed: Timed) -> None:
    found = described(lying_on(timed, off=3))
    assert found.lines == found.predictions == ()
    [said] = found.refused
    assert said.startswith("nixl:UCX, push, scattered: no such line.")
    assert "more than 25 %" in said
    assert " KiB" in said or " MiB" in said


def test_what_packs_all_into_one_piece_says_why_it_has_no_line(timed: Timed) -> None:
    """Two-sided UCX posts one descriptor whatever the KV cache is made of."""
    [said] = described(lying_on(timed, transport="ucx", posted_descriptors=1)).refused
    assert said.startswith("No line for ucx, push, scattered (3): 4 different pairs of posted descriptors")
    assert described(lying_on(timed, posted_descriptors=1)[:2]).refused == ()


@pytest.mark.parametrize("changes", [{"emulated": True}, {"verified": False}])
def test_points_that_mean_nothing_have_no_section(timed: Timed, changes: dict[str, Any]) -> None:
    points = lying_on(timed, **changes)
    assert described(points).lines == ()
    if points[0].emulated:
        assert 'id="fit"' not in render(report_data({}, points, []))


def test_without_enough_launches_no_interval_is_shown(timed: Timed) -> None:
    [line] = described(lying_on(timed, launches=2)).lines
    assert {line.fixed.span, line.descriptor.span, line.bandwidth.span} == {""}


def test_the_ceiling_comes_last_and_each_op_apart(timed: Timed) -> None:
    points = [
        one
        for name in ("copy", "nixl:UCX")
        for op in ("pull", "push")
        for one in lying_on(timed, transport=name, op=op)
    ]
    assert [(line.what, line.transport) for line in described(points).lines] == [
        ("push, scattered", "nixl:UCX"), ("push, scattered", "copy"), ("pull, scattered", "nixl:UCX"), ("pull, scattered", "copy"),
    ]  # fmt: skip


def test_a_cost_of_zero_is_not_called_free() -> None:
    assert str(_estimate(Coefficient(0.0, 0.0, 12.0), format_ns)) == f"{UNSEEN} [0 to 12 ns]"
    assert str(_bandwidth(Coefficient(0.0, 0.0, 0.1))) == f"{UNSEEN} [10 GB/s or more]"
    assert str(_bandwidth(Coefficient(0.2, 0.1, 0.25))) == "5 GB/s [4 to 10]"
    assert str(_bandwidth(Coefficient(0.2, None, None))) == "5 GB/s"


def test_the_page_says_how_the_line_is_meant(timed: Timed) -> None:
    page = render(report_data({}, lying_on(timed), []))
    for said in ('id="fit"', "Caches make", "What it makes of this KV cache", "500 ns"):
        assert said in page
