"""Plans and their merging, against the definition in plain Python."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.kv.geometry import Layout, gqa, layout, mla
from suite.kv.plan import ADDRESS, DEVICE, LENGTH, Plan, kv_plan, rows
from suite.kv.pool import Pool

Row = tuple[int, int, int]
SHAPES = (
    Layout(gqa("g", layers=2, kv_heads=3, head_dim=4), 2, 2),
    Layout(mla("m", layers=3, kv_lora_rank=3, qk_rope_head_dim=1), 2, 1),
)


def table(side: list[Row]) -> np.ndarray[tuple[int, ...], np.dtype[np.uint64]]:
    return np.array(side, np.uint64).reshape(-1, 3)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Draw rows of which many follow the row before on one side, on both, or only but for the device."""
    step = st.sampled_from((0, 0, 0, 1, 64, -1))
    device = st.sampled_from((0, 0, 0, 1))
    source: list[Row] = []
    destination: list[Row] = []
    ends = [1 << 20, 1 << 30]
    for length in draw(st.lists(st.integers(1, 100), max_size=20)):
        for index, side in enumerate((source, destination)):
            start = ends[index] + draw(step) * length
            side.append((start, length, draw(device)))
            ends[index] = start + length
    total = sum(length for _, length, _ in source)
    return Plan(table(source), table(destination), total, total, total)


def merged_slowly(plan: Plan) -> tuple[list[Row], list[Row]]:
    """Join a row to the one before if it continues it on both sides, on the same devices."""
    merged: list[list[Row]] = []
    for pair in zip(plan.source.tolist(), plan.destination.tolist(), strict=True):
        if merged and all(
            before[ADDRESS] + before[LENGTH] == after[ADDRESS] and before[DEVICE] == after[DEVICE]
            for before, after in zip(merged[-1], pair, strict=True)
        ):
            merged[-1] = [(start, length + pair[0][LENGTH], device) for start, length, device in merged[-1]]
        else:
            merged.append([tuple(side) for side in pair])
    return [pair[0] for pair in merged], [pair[1] for pair in merged]


def check_shape(plan: Plan) -> None:
    """Check what NIXL needs of the two arrays."""
    for side in (plan.source, plan.destination):
        assert side.dtype == np.uint64
        assert side.shape == (len(plan), 3)
        assert side.flags.c_contiguous
    assert np.array_equal(plan.source[:, LENGTH], plan.destination[:, LENGTH])


@given(plans())
def test_merging_joins_what_continues_on_both_sides(plan: Plan) -> None:
    """Rows become one exactly where source and destination go on, each on its device."""
    merged = plan.merged()
    source, destination = merged_slowly(plan)
    assert [tuple(row) for row in merged.source.tolist()] == source
    assert [tuple(row) for row in merged.destination.tolist()] == destination
    check_shape(merged)


@given(plans())
def test_merging_moves_the_same_bytes(plan: Plan) -> None:
    """The bytes and the three sizes stay, the plan itself is not touched, and merging twice is merging once."""
    before = plan.source.copy(), plan.destination.copy()
    merged = plan.merged()
    assert merged.source[:, LENGTH].sum() == plan.source[:, LENGTH].sum()
    assert (merged.logical_bytes, merged.padded_bytes, merged.wire_bytes) == (plan.logical_bytes,) * 3
    assert np.array_equal(before[0], plan.source)
    assert np.array_equal(before[1], plan.destination)
    assert np.array_equal(merged.merged().source, merged.source)
    assert np.array_equal(merged.merged().destination, merged.destination)


@pytest.mark.parametrize("side", ["source", "destination"])
def test_contiguity_on_one_side_only_merges_nothing(side: str) -> None:
    """Rows that continue at one side but are apart at the other stay apart."""
    close, apart = np.arange(5, dtype=np.uint64) * 64, np.arange(5, dtype=np.uint64) * 65
    plan = rows(close, apart, 64) if side == "source" else rows(apart, close, 64)
    assert len(plan.merged()) == 5
    assert len(rows(close, close, 64).merged()) == 1


def test_rows_know_their_devices_and_sizes() -> None:
    """Devices are each side's own; logical bytes are the wire's unless told otherwise."""
    addresses = np.arange(3, dtype=np.uint64) * 8
    plan = rows(addresses, addresses, 8, source_device=2, destination_device=5, logical_bytes=20)
    assert plan.source.tolist() == [[0, 8, 2], [8, 8, 2], [16, 8, 2]]
    assert plan.destination.tolist() == [[0, 8, 5], [8, 8, 5], [16, 8, 5]]
    assert (plan.logical_bytes, plan.padded_bytes, plan.wire_bytes) == (20, 24, 24)
    assert rows(addresses, addresses, 8).logical_bytes == 24
    check_shape(plan)


@st.composite
def requests(draw: st.DrawFn) -> tuple[Pool, Pool, list[int], list[int], str, int]:
    """Draw two pools of one layout, a block table for each, a unit and a seed."""
    shape = draw(st.sampled_from(SHAPES))
    pools = [Pool(shape, draw(st.integers(6, 9)), base, device) for base, device in ((1 << 20, 1), (1 << 30, 2))]
    count = draw(st.integers(1, 6))
    tables = [draw(st.permutations(range(pool.blocks)))[:count] for pool in pools]
    return pools[0], pools[1], tables[0], tables[1], draw(st.sampled_from(shape.units)), draw(st.integers(0, 1 << 32))


@given(requests(), st.booleans())
def test_a_block_goes_to_its_partner_at_the_same_offset(
    request_: tuple[Pool, Pool, list[int], list[int], str, int],
    shuffled: bool,  # noqa: FBT001  hypothesis draws it
) -> None:
    """Every byte of the source table's blocks, and no other, goes to the same byte of its partner, once."""
    source, destination, origins, targets, unit, seed = request_
    plan = kv_plan(
        source,
        destination,
        (np.array(origins), np.array(targets)),
        unit=unit,
        tokens=3,
        shuffle=np.random.default_rng(seed) if shuffled else None,
    )
    check_shape(plan)
    block = source.layout.block_bytes
    partner = dict(zip(origins, targets, strict=True))
    moved = []
    for (origin, length, from_device), (target, _, to_device) in zip(
        plan.source.tolist(), plan.destination.tolist(), strict=True
    ):
        number, offset = divmod(origin - source.address, block)
        assert target == destination.address + partner[number] * block + offset
        assert (length, from_device, to_device) == (source.layout.unit_bytes(unit), 1, 2)
        moved += range(number * block + offset, number * block + offset + length)
    assert sorted(moved) == sorted(n * block + byte for n in origins for byte in range(block))
    assert plan.wire_bytes == plan.padded_bytes == len(moved)
    assert plan.logical_bytes == source.layout.logical_bytes(3)


@given(requests())
def test_shuffled_rows_never_merge(request_: tuple[Pool, Pool, list[int], list[int], str, int]) -> None:
    """Even with the same neighbours on both sides, a shuffled plan is posted row by row."""
    pool, _, origins, _, unit, seed = request_
    same = np.arange(len(origins))
    plan = kv_plan(pool, pool, (same, same), unit=unit, tokens=1, shuffle=np.random.default_rng(seed))
    assert len(plan.merged()) == len(plan) == len(same) * (pool.layout.block_bytes // pool.layout.unit_bytes(unit))


@pytest.mark.parametrize("unit", SHAPES[0].units)
def test_a_contiguous_plan_merges_to_one_row(unit: str) -> None:
    """Consecutive blocks on both sides are one stretch, whatever the unit."""
    pools = [Pool(SHAPES[0], 8, base) for base in (1 << 20, 1 << 30)]
    plan = kv_plan(pools[0], pools[1], (np.arange(5), np.arange(2, 7)), unit=unit, tokens=10)
    block = SHAPES[0].block_bytes
    assert plan.merged().source.tolist() == [[1 << 20, 5 * block, 0]]
    assert plan.merged().destination.tolist() == [[(1 << 30) + 2 * block, 5 * block, 0]]


def test_an_empty_plan_merges_to_itself() -> None:
    """No rows are no error."""
    nothing = np.array([], np.uint64)
    assert len(rows(nothing, nothing, 8).merged()) == 0


def test_many_descriptors_are_planned_and_merged_in_a_blink() -> None:
    """120,000 descriptors take well under a quarter of a second, five times what the issue asks for."""
    shape = layout("llama-3.1-8b")
    count = -(-120_000 // (shape.block_bytes // shape.head_bytes))
    pools = [Pool(shape, count, base) for base in (1 << 40, 1 << 42)]
    tables = (np.arange(count), np.arange(count)[::-1].copy())
    taken = []
    for _ in range(3):
        start = time.perf_counter()
        plan = kv_plan(pools[0], pools[1], tables, unit="head", tokens=32 * count)
        merged = plan.merged()
        taken.append(time.perf_counter() - start)
    assert len(plan) >= 120_000
    assert len(merged) == count
    assert min(taken) < 0.25
