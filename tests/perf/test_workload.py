"""A window writes no byte twice, stays between the guards and leaves some of the pool alone."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perf.planning import PlannedPoint, points
from perf.spec import SweepSpec
from perf.workload import GUARD_BYTES, Work, from_json, places, region_bytes, window
from suite.errors import BadInput
from suite.kv import stamp
from suite.kv.plan import ADDRESS, LENGTH, Plan

SOURCE, DESTINATION = 1 << 40, 3 << 40
MODELS = {"llama-3.1-8b": ("head", "page", "layer", "block"), "deepseek-v3": ("layer", "block")}


def kv_point(
    model: str = "llama-3.1-8b", unit: str = "page", pattern: str = "scattered", **fields: object
) -> PlannedPoint:
    """Plan one point of a paged cache, as a sweep does."""
    table = {"model": model, "tokens": 10, "tokens_per_block": 4, "transports": ["copy"], "ops": ["push"]}
    table |= {"units": [unit], "patterns": [pattern], **fields}
    return points(SweepSpec.model_validate({"kv": [table]}))[0]


def message_point(size: int = 64, samples: int = 20) -> PlannedPoint:
    """Plan one point of plain messages."""
    table = {"sizes": [size], "transports": ["copy"], "ops": ["push"], "samples": samples}
    return points(SweepSpec.model_validate({"bytes": [table]}))[0]


@st.composite
def kv_points(draw: st.DrawFn, pattern: str | None = None) -> PlannedPoint:
    model = draw(st.sampled_from(sorted(MODELS)))
    return kv_point(
        model,
        draw(st.sampled_from(MODELS[model])),
        pattern or draw(st.sampled_from(("contiguous", "scattered"))),
        dtype=draw(st.sampled_from(("bf16", "fp8"))),
        tokens=draw(st.integers(1, 20)),
        tokens_per_block=draw(st.integers(1, 8)),
        samples=draw(st.integers(1, 5)),
    )


MESSAGES = st.builds(message_point, st.integers(1, 1000).map(lambda words: 8 * words), st.integers(1, 50))
POINTS = kv_points() | MESSAGES
SEEDS = st.integers(0, (1 << 32) - 1)
MORE = st.sampled_from((0, 1, 37)).map(lambda pages: pages * GUARD_BYTES)  # a region is shared by many points


def planned_window(planned: PlannedPoint, seed: int = 1, more: int = 0) -> tuple[list[Plan], int]:
    nbytes = region_bytes(planned) + more
    return plans_of(Work.of(planned, seed), nbytes), nbytes


def plans_of(work: Work, nbytes: int) -> list[Plan]:
    routes = window(work, {"prefill": SOURCE, "decode": DESTINATION}, nbytes=nbytes)
    return [route.hop("prefill", "decode") for route in routes]


def stretches(plans: list[Plan], side: str, base: int) -> list[tuple[int, int]]:
    """Return (first, end) of every row on one side, as offsets in the region, in the order of memory."""
    rows = [row for plan in plans for row in getattr(plan, side).tolist()]
    return sorted((address - base, address - base + length) for address, length, _ in rows)


@given(POINTS, SEEDS, MORE)
def test_no_byte_is_read_or_written_twice_and_no_guard_is_touched(planned: PlannedPoint, seed: int, more: int) -> None:
    """All rows of all samples lie between the guards of their region, apart from each other, on both sides."""
    plans, nbytes = planned_window(planned, seed, more)
    assert len(plans) == planned.samples
    for side, base in (("source", SOURCE), ("destination", DESTINATION)):
        found = stretches(plans, side, base)
        ends = [GUARD_BYTES, *(end for _, end in found)]
        firsts = [*(first for first, _ in found), nbytes - GUARD_BYTES]
        assert all(end <= first for end, first in zip(ends, firsts, strict=True))


@given(POINTS, SEEDS, MORE)
def test_the_check_accepts_every_window(planned: PlannedPoint, seed: int, more: int) -> None:
    """Sizes and offsets are whole words, so the content of the region after the window can be said."""
    plans, nbytes = planned_window(planned, seed, more)
    content = stamp.landed(plans, words=nbytes // 8, source=SOURCE, destination=DESTINATION, epoch=1)
    moved = np.diff(content.starts)[content.moved].sum() * 8
    assert moved == sum(plan.wire_bytes for plan in plans) == planned.pool_bytes


@given(POINTS)
def test_a_region_has_room_for_the_window_a_spare_and_both_guards(planned: PlannedPoint) -> None:
    """A region is whole pages, and at least one block or message in nine is addressed by no plan."""
    nbytes = region_bytes(planned)
    largest = planned.layout.block_bytes if planned.layout else planned.point.descriptor_bytes
    spare = nbytes - 2 * GUARD_BYTES - planned.pool_bytes
    assert nbytes % GUARD_BYTES == 0
    assert spare >= largest
    assert spare >= planned.pool_bytes // 8
    assert spare < max(largest, planned.pool_bytes // 8) + GUARD_BYTES


@given(POINTS, SEEDS)
def test_a_sample_is_what_the_point_says(planned: PlannedPoint, seed: int) -> None:
    """Each sample has the point's descriptors of the point's size, and the request's own bytes."""
    plans, _ = planned_window(planned, seed)
    for plan in plans:
        assert len(plan) == planned.point.descriptors
        assert set(plan.source[:, LENGTH].tolist()) == {planned.point.descriptor_bytes}
        assert plan.wire_bytes == plan.padded_bytes == planned.pool_bytes // planned.samples
        logical = planned.layout.logical_bytes(planned.tokens) if planned.layout else plan.wire_bytes
        assert plan.logical_bytes == logical


@given(POINTS, SEEDS)
def test_both_workers_build_the_same_window(planned: PlannedPoint, seed: int) -> None:
    """A work that went through JSON gives the same rows: no plan has to travel."""
    nbytes = region_bytes(planned)
    work = Work.of(planned, seed)
    again = from_json(json.loads(json.dumps(work.as_json())))
    assert again == work
    for one, other in zip(
        plans_of(work, nbytes),
        plans_of(again, nbytes),
        strict=True,
    ):
        assert np.array_equal(one.source, other.source)
        assert np.array_equal(one.destination, other.destination)


@pytest.mark.parametrize("planned", [kv_point(tokens=64), message_point()], ids=["kv", "bytes"])
def test_another_seed_is_another_window(planned: PlannedPoint) -> None:
    """Seeds choose the places: both those of the source and those of the destination."""
    (one, _), (other, _) = planned_window(planned, 1), planned_window(planned, 2)
    for side, base in (("source", SOURCE), ("destination", DESTINATION)):
        assert [getattr(plan, side).tolist() for plan in one] != [getattr(plan, side).tolist() for plan in other]
        assert stretches(one, side, base) != stretches(other, side, base)


def test_the_two_sides_choose_their_places_apart() -> None:
    """Neither blocks nor messages arrive, all of them, where they were: a transfer that confuses the sides is seen."""
    for planned in (kv_point(tokens=64), message_point()):
        plans, _ = planned_window(planned)
        assert any(
            (plan.source[:, ADDRESS] - np.uint64(SOURCE) != plan.destination[:, ADDRESS] - np.uint64(DESTINATION)).any()
            for plan in plans
        )


@given(kv_points(pattern="contiguous"), SEEDS)
def test_contiguous_samples_merge_to_one_row_and_follow_each_other(planned: PlannedPoint, seed: int) -> None:
    """A contiguous sample is one stretch on both sides, and the next begins where it ends, whatever the seed."""
    plans, _ = planned_window(planned, seed)
    size = planned.pool_bytes // planned.samples
    merged = [plan.merged() for plan in plans]
    assert [plan.source.tolist() for plan in merged] == [
        [[SOURCE + GUARD_BYTES + number * size, size, 0]] for number in range(planned.samples)
    ]
    assert [plan.destination.tolist() for plan in merged] == [
        [[DESTINATION + GUARD_BYTES + number * size, size, 0]] for number in range(planned.samples)
    ]


@given(kv_points(pattern="scattered"), SEEDS)
def test_scattered_samples_do_not_merge(planned: PlannedPoint, seed: int) -> None:
    """A scattered sample is posted row by row: no two rows continue on both sides."""
    plans, _ = planned_window(planned, seed)
    assert [len(plan.merged()) for plan in plans] == [planned.point.descriptors] * planned.samples


@given(kv_points(), SEEDS)
def test_a_block_keeps_its_inside(planned: PlannedPoint, seed: int) -> None:
    """Every byte of a block arrives at the same offset of one block of the other pool."""
    plans, _ = planned_window(planned, seed)
    assert planned.layout is not None
    block = planned.layout.block_bytes
    partners: dict[int, int] = {}
    for plan in plans:
        for (origin, _, _), (target, _, _) in zip(plan.source.tolist(), plan.destination.tolist(), strict=True):
            number, offset = divmod(origin - SOURCE - GUARD_BYTES, block)
            partner, same = divmod(target - DESTINATION - GUARD_BYTES, block)
            assert same == offset
            assert partners.setdefault(number, partner) == partner
    assert len(set(partners.values())) == len(partners)


@pytest.mark.parametrize("pattern", ["contiguous", "scattered"])
def test_a_pool_that_is_too_small_for_blocks_is_refused(pattern: str) -> None:
    """A window never wraps around: too many blocks are bad input, with both numbers."""
    planned = kv_point(pattern=pattern, samples=4)
    with pytest.raises(BadInput, match="a window needs 12 blocks, the pool has 11") as caught:
        planned_window(planned, more=planned.pool_bytes // 12 * 11 + 2 * GUARD_BYTES - region_bytes(planned))
    assert caught.value.code == "pool-too-small"


def test_a_pool_that_is_too_small_for_messages_is_refused() -> None:
    """The same for messages."""
    work = Work.of(message_point(GUARD_BYTES, 12), seed=1)
    with pytest.raises(BadInput, match="a window needs 12 messages, the pool has 11") as caught:
        plans_of(work, 13 * GUARD_BYTES)
    assert caught.value.code == "pool-too-small"


def test_messages_that_split_words_are_refused() -> None:
    """Content is checked in words of 8 bytes."""
    work = replace(Work.of(message_point(), seed=1), message_bytes=12)
    with pytest.raises(BadInput, match="messages of 12 B") as caught:
        plans_of(work, 1 << 20)
    assert caught.value.code == "bad-size"
    assert "multiples of 8" in caught.value.hint


def test_places_name_guards_blocks_and_the_rest() -> None:
    """Both ends of a region are guard bands; between them lie the blocks and what is left behind the last."""
    planned = kv_point()
    nbytes = region_bytes(planned) + GUARD_BYTES
    assert planned.layout is not None
    blocks = (nbytes - 2 * GUARD_BYTES) // planned.layout.block_bytes
    end = GUARD_BYTES + blocks * planned.layout.block_bytes
    for describe in (
        places(Work.of(planned, seed=1), nbytes).source,
        places(Work.of(planned, seed=1), nbytes).destination,
    ):
        assert describe(0) == "guard band, 4096 bytes before the pool"
        assert describe(GUARD_BYTES - 1) == "guard band, 1 bytes before the pool"
        assert describe(GUARD_BYTES) == "block 0, layer 0, K, head 0, token 0, byte 0"
        assert describe(end - 1) == f"block {blocks - 1}, layer 31, V, head 7, token 3, byte 255"
        assert describe(end) == "byte 0 behind the pool"
        assert describe(nbytes - GUARD_BYTES) == "guard band, byte 0 behind the pool"
        assert describe(nbytes - 1) == "guard band, byte 4095 behind the pool"


def test_places_of_messages_are_bytes_of_the_buffer() -> None:
    """Plain messages have no blocks, but their region has the same guards."""
    planned = message_point()
    nbytes = region_bytes(planned)
    describe = places(Work.of(planned, seed=1), nbytes).destination
    assert describe(GUARD_BYTES - 8) == "guard band, 8 bytes before the pool"
    assert describe(GUARD_BYTES) == "byte 0 of the buffer"
    assert describe(nbytes - GUARD_BYTES - 1) == f"byte {nbytes - 2 * GUARD_BYTES - 1} of the buffer"
    assert describe(nbytes - GUARD_BYTES) == "guard band, byte 0 behind the pool"


@given(POINTS, st.integers(0, 1 << 43))
def test_any_offset_has_a_place(planned: PlannedPoint, offset: int) -> None:
    """A word that claims to come from far outside is described, too."""
    assert places(Work.of(planned, seed=1), region_bytes(planned)).source(offset)


def test_a_hot_window_has_one_place_and_says_so() -> None:
    """As ucx_perftest measures: every sample from the same bytes to the same bytes, and a pool of one message."""
    table = {"sizes": [4096], "transports": ["copy"], "ops": ["push"], "samples": 7, "patterns": ["hot"]}
    planned = points(SweepSpec.model_validate({"bytes": [table]}))[0]
    plans, _ = planned_window(planned)
    assert len(plans) == 7
    assert len({tuple(plan.source[0].tolist() + plan.destination[0].tolist()) for plan in plans}) == 1
    assert planned.pool_bytes == 4096
    assert planned.places == 1
