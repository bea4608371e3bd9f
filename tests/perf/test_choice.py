"""Which transfer decides, and when one transport is called faster."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from perf.choice import choices, lead
from perf.record import Issue
from perf.summary import Interval

if TYPE_CHECKING:
    from collections.abc import Callable

    from perf.summary import PointSummary

    One = Callable[..., PointSummary]

BLOCKS: dict[str, Any] = {"unit": "block", "descriptor_bytes": 4 << 20, "descriptors": 16}


def at(rate: float) -> Interval:
    return Interval(rate, 0.98 * rate, 1.02 * rate, 0.969, 6)


def names(choice: Any) -> list[str]:
    return [contender.name for contender in choice.contenders]


def test_whole_scattered_blocks_decide_and_the_fastest_comes_first(summary: One) -> None:
    points = [
        summary(transport=name, throughput=at(rate), **(BLOCKS | changes))
        for name, rate in (("nixl:UCX", 5.0), ("ucx", 6.0), ("copy", 9.0))
        for changes in ({}, {"pattern": "contiguous"}, {"unit": "head", "descriptor_bytes": 8192, "descriptors": 8192})
    ]
    [choice] = choices(points)
    assert (choice.point.unit, choice.point.pattern, choice.op) == ("block", "scattered", "push")
    assert names(choice) == ["ucx", "nixl:UCX"], "copy cannot be chosen"


def test_each_op_is_decided_apart_and_push_comes_first(summary: One) -> None:
    found = choices([summary(op=op, **BLOCKS) for op in ("pull", "handoff", "store", "push", "fetch")])
    assert [choice.op for choice in found] == ["push", "pull", "handoff"]


@pytest.mark.parametrize(
    "changes", [{"emulated": True}, {"verified": False}, {"launches": 0}, {"throughput": None}, {"transport": "copy"},
                {"issues": (Issue(level="INVALID", code="x", message="x"),)}, {"unit": "bytes", "workload": "bytes"},
                {"throughput": at(0.0)}, {"throughput": at(float("nan"))}, {"throughput": at(float("inf"))}],
)  # fmt: skip
def test_what_is_not_real_and_right_never_decides(summary: One, changes: dict[str, Any]) -> None:
    assert choices([summary(**(BLOCKS | changes))]) == []


def test_a_transfer_that_two_moved_decides_before_a_bigger_one_that_one_moved(summary: One) -> None:
    big = summary(**(BLOCKS | {"descriptors": 32}))
    both = [summary(transport=name, **BLOCKS) for name in ("nixl:UCX", "ucx")]
    [choice] = choices([big, *both])
    assert choice.point.descriptors == 16


def test_a_lead_needs_intervals_that_are_apart(summary: One) -> None:
    points = [
        summary(transport=name, throughput=at(rate), **BLOCKS) for name, rate in (("a", 5.0), ("b", 6.0), ("c", 5.1))
    ]
    [choice] = choices(points)
    best, second, last = choice.contenders
    assert names(choice) == ["b", "c", "a"]
    found = lead(best, second)
    assert found is not None
    assert found.shown
    assert found.ratio.median == pytest.approx(6.0 / 5.1)
    close = lead(second, last)
    assert close is not None
    assert not close.shown


def test_between_several_pairs_the_slowest_counts_and_a_lead_is_one_everywhere(summary: One) -> None:
    def on(name: str, *rates: float) -> list[PointSummary]:
        ends = [("cuda:0", "cuda:1"), ("cuda:1", "cuda:0")]
        return [summary(transport=name, source=a, destination=b, throughput=at(rate), **BLOCKS)
                for (a, b), rate in zip(ends, rates, strict=True)]  # fmt: skip

    [choice] = choices([*on("a", 5.0, 90.0), *on("b", 6.0, 80.0)])
    assert names(choice) == ["b", "a"]
    found = lead(*choice.contenders)
    assert found is not None
    assert not found.shown, "b is the slower one of the second pair"
    assert found.ratio.median == pytest.approx(80 / 90)


def test_a_copy_within_one_device_and_pairs_at_once_decide_only_if_nothing_else_does(summary: One) -> None:
    inside = summary(source="cuda:0", destination="cuda:0", throughput=at(900.0), **BLOCKS)
    beside = summary(source="cuda:0", destination="cuda:1", flows=2, **BLOCKS)
    alone = summary(source="cuda:0", destination="cuda:1", **BLOCKS)
    assert choices([inside, beside, alone])[0].point == alone.point
    assert choices([inside])[0].point == inside.point


def test_settings_make_a_contender_of_their_own(summary: One) -> None:
    [choice] = choices([summary(**BLOCKS), summary(settings={"UCX_TLS": "tcp"}, throughput=at(2.0), **BLOCKS)])
    assert names(choice) == ["nixl:UCX", "nixl:UCX (UCX_TLS=tcp)"]


def test_no_common_memories_are_no_lead(summary: One) -> None:
    [choice] = choices([summary(**BLOCKS)])
    only = choice.contenders[0]
    other = replace(only, points={("cuda:0", "cuda:1"): only.slowest})
    assert lead(only, other) is None
