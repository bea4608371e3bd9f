"""What our window adds to the shortest loop that does the same.

Nothing here asserts on speed: machines are noisy, and a figure is read with
its span and the load. Run: pytest perf --benchmark-only
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import pytest

from perf.launch import region_size
from suite.units import gb_per_s

if TYPE_CHECKING:
    from collections.abc import Callable

    from perf.launch import Launch
    from perf.planning import PlannedPoint

ROUNDS = 15
WHICH = list(product(["push", "pull"], ["layer", "block"], ["contiguous", "scattered"]))


def find(planned: list[PlannedPoint], **wanted: object) -> tuple[int, PlannedPoint]:
    for index, one in enumerate(planned):
        if all(getattr(one.point, name) == value for name, value in wanted.items()):
            return index, one
    raise LookupError(wanted)


def test_copy_against_a_bare_process_vm_readv_loop(
    benchmark: Any, launch: Launch, planned: list[PlannedPoint], ratio: Callable[..., None]
) -> None:
    index, one = find(planned, transport="copy", op="pull", unit="layer", pattern="scattered")
    with launch.opened(index, one) as point:
        pid = point.ask_one("prefill", "pid")
        ours: list[float] = []
        bare: list[float] = []

        def pair() -> None:
            ours.append(sum(point.window().timing["durations_ns"]))
            bare.append(point.ask_one("decode", "bare_copy", pid=pid)["elapsed_ns"])

        benchmark.pedantic(pair, rounds=ROUNDS, warmup_rounds=1)
    ratio(benchmark, "copy / bare process_vm_readv loop, throughput", bare, ours)


def test_a_4_kib_sample_against_a_bare_nixl_loop(
    benchmark: Any, launch: Launch, planned: list[PlannedPoint], ratio: Callable[..., None]
) -> None:
    index, one = find(planned, transport="nixl:UCX", op="push", descriptor_bytes=4096)
    with launch.opened(index, one) as point:
        ours: list[float] = []
        bare: list[float] = []

        def pair() -> None:
            ours.append(sum(point.window().timing["durations_ns"]))
            bare.append(point.window(post="bare_nixl").timing["elapsed_ns"])

        benchmark.pedantic(pair, rounds=ROUNDS, warmup_rounds=1)
    ratio(benchmark, "a 4 KiB sample in our window / in a bare NIXL loop, time", ours, bare)


@pytest.mark.parametrize("which", WHICH, ids="-".join)
def test_nixl_against_copy(
    benchmark: Any,
    launch: Launch,
    planned: list[PlannedPoint],
    ratio: Callable[..., None],
    which: tuple[str, str, str],
) -> None:
    op, unit, pattern = which
    pair = [find(planned, transport=name, op=op, unit=unit, pattern=pattern) for name in ("nixl:UCX", "copy")]
    rates: list[list[float]] = [[], []]

    def both() -> None:
        for (index, one), found in zip(pair, rates, strict=True):
            record = launch.measure(index, 0, one)
            moved = record.logical_bytes * record.window_samples * len(record.delivered_ns)
            found.append(gb_per_s(moved, sum(record.delivered_ns)))

    benchmark.pedantic(both, rounds=5, warmup_rounds=1)
    ratio(benchmark, f"nixl:UCX / copy, {op} {unit} {pattern}, delivered throughput", *rates)


@pytest.mark.parametrize("side", ["fill", "check"])
def test_content(benchmark: Any, launch: Launch, planned: list[PlannedPoint], side: str) -> None:
    took: list[int] = []

    def once() -> None:
        launch.ask("content", {"decode": {"side": "fill"}})
        took.append(launch.ask("content", {"decode": {"side": side}})["decode"]["elapsed_ns"])

    benchmark.pedantic(once, rounds=ROUNDS, warmup_rounds=1)
    benchmark.extra_info["gb_per_s"] = gb_per_s(region_size(planned), min(took))
