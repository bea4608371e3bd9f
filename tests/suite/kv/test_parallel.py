"""Which layers and heads a rank holds, and which sides cannot hand over."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.errors import BadInput
from suite.kv.geometry import Order
from suite.kv.models import preset
from suite.kv.parallel import Parallel, Rank
from suite.kv.side import Side, check


@pytest.mark.parametrize(
    ("parallel", "layers", "stages"),
    [
        (Parallel(pp=2), 61, [range(31), range(31, 61)]),
        (Parallel(pp=4), 6, [range(2), range(2, 4), range(4, 5), range(5, 6)]),
        (Parallel(pp=3, stages=(1, 4, 2)), 7, [range(1), range(1, 5), range(5, 7)]),
    ],
)
def test_stages_are_intervals(parallel: Parallel, layers: int, stages: list[range]) -> None:
    """The first stages get what is left over, unless the split is given."""
    assert [parallel.stage(pp, layers) for pp in range(parallel.pp)] == stages


@given(st.integers(1, 100), st.integers(1, 9))
def test_stages_cover_every_layer_once(layers: int, pp: int) -> None:
    """Default stages differ by one at most and leave no layer out; too many stages are refused."""
    if pp > layers:
        with pytest.raises(BadInput, match="empty"):
            Parallel(pp=pp).stage(0, layers)
        return
    stages = [Parallel(pp=pp).stage(stage, layers) for stage in range(pp)]
    assert [layer for stage in stages for layer in stage] == list(range(layers))
    assert len({len(stage) for stage in stages}) <= 2
    assert len(stages[0]) - len(stages[-1]) in (0, 1)


@pytest.mark.parametrize(
    ("tp", "heads", "held"),
    [
        (1, 8, [[0, 1, 2, 3, 4, 5, 6, 7]]),
        (4, 8, [[0, 1], [2, 3], [4, 5], [6, 7]]),
        (3, 6, [[0, 1], [2, 3], [4, 5]]),
        (8, 2, [[0], [0], [0], [0], [1], [1], [1], [1]]),
        (4, 1, [[0], [0], [0], [0]]),
    ],
)
def test_heads_are_dealt_or_replicated(tp: int, heads: int, held: list[list[int]]) -> None:
    """Ranks beyond the number of heads hold the head of their neighbours."""
    assert [list(Parallel(tp).heads(rank, heads)) for rank in range(tp)] == held


def test_ranks_are_numbered_stage_by_stage() -> None:
    """Stages outside, then DP groups, then TP: each number once."""
    parallel = Parallel(tp=2, pp=3, dp=2)
    numbers = [parallel.number(rank) for dp in range(2) for rank in parallel.ranks(dp)]
    assert sorted(numbers) == list(range(parallel.size)) == list(range(12))
    assert parallel.number(Rank(pp=1, dp=0, tp=1)) == 5
    assert parallel.number(Rank(pp=1, dp=1, tp=0)) == 6
    assert parallel.ranks(1)[0] == Rank(pp=0, dp=1, tp=0)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"cp": 2}, "context-parallel"),
        ({"tp": 0}, "bad-parallel"),
        ({"pp": -1}, "bad-parallel"),
        ({"tp": 1 << 20}, "too-many-ranks"),
        ({"pp": 2, "stages": (3,)}, "bad-stages"),
        ({"pp": 2, "stages": (3, 0)}, "bad-stages"),
    ],
)
def test_impossible_parallelism_is_refused(arguments: dict[str, Any], code: str) -> None:
    """The fault is named when it is made."""
    with pytest.raises(BadInput) as caught:
        Parallel(**arguments)
    assert caught.value.code == code


def test_a_group_that_is_not_there_has_no_ranks() -> None:
    """A request is in one of the DP groups."""
    for dp in (2, -1):
        with pytest.raises(BadInput, match=f"DP group {dp} of 2"):
            Parallel(dp=2).ranks(dp)


LLAMA, DEEPSEEK, MIMO = preset("llama-3.1-8b"), preset("deepseek-v3"), preset("mimo-v2-flash")


@pytest.mark.parametrize(
    ("model", "prefill", "decode", "code"),
    [
        (LLAMA, Side(Parallel(2)), Side(Parallel(3)), "tp-does-not-divide"),
        (DEEPSEEK, Side(Parallel(4)), Side(Parallel(6)), "tp-does-not-divide"),
        (LLAMA, Side(Parallel(1)), Side(Parallel(3)), "heads-do-not-split"),
        (LLAMA, Side(Parallel(12)), Side(Parallel(4)), "heads-do-not-split"),
        (LLAMA, Side(tokens_per_block=32), Side(tokens_per_block=48), "block-sizes"),
        (LLAMA, Side(element_bytes=1), Side(element_bytes=2), "element-bytes-differ"),
        (LLAMA, Side(Parallel(pp=2, stages=(16, 15))), Side(), "bad-stages"),
        (LLAMA, Side(), Side(Parallel(pp=33)), "bad-stages"),
    ],
)
def test_sides_that_do_not_fit_are_refused(model: Any, prefill: Side, decode: Side, code: str) -> None:
    """The reason is named, in both directions."""
    for ends in ((prefill, decode), (decode, prefill)):
        with pytest.raises(BadInput) as caught:
            check(model, *ends)
        assert caught.value.code == code


def test_sides_that_fit_are_not_refused() -> None:
    """Unequal parallelism, blocks and orders are what resharding is for."""
    check(LLAMA, Side(Parallel(2, 2), 16), Side(Parallel(16, dp=2), 64, 2, Order.NHD))
    check(DEEPSEEK, Side(Parallel(3)), Side(Parallel(6)))
    check(MIMO, Side(Parallel(4)), Side(Parallel(8)))


@pytest.mark.parametrize("size", [0.5, 0, 1.5])
def test_elements_are_whole_bytes(size: Any) -> None:
    """NVFP4's halves are refused by name, and so is a block without tokens."""
    with pytest.raises(BadInput, match="NVFP4") as caught:
        Side(element_bytes=size)
    assert caught.value.code == "sub-byte"
    with pytest.raises(BadInput, match="blocks of 0 tokens"):
        Side(tokens_per_block=0)


def test_a_rank_lays_out_what_it_holds() -> None:
    """Layers of its stage, heads of its TP rank, and a state as a block of one."""
    model = preset("nemotron-3-nano-30b")
    side = Side(Parallel(4, 2), 64, 1, Order.NHD)
    first, last = Rank(0, 0, 0), Rank(1, 0, 3)
    full, state, _, groups = model.groups
    assert (side.layers(model, full, first), side.layers(model, full, last)) == ((5, 12, 19), (26, 33, 42))
    layout = side.layout(model, full, last)
    assert (layout.geometry.layers, layout.geometry.heads, layout.tokens_per_block) == (3, 1, 64)
    assert (layout.element_bytes, layout.order, layout.block_bytes) == (1, Order.NHD, 3 * 2 * 64 * 128)
    assert side.layout(model, state, first).block_bytes == len(side.layers(model, state, first)) * 16 * 64 * 128 * 4
    assert side.layout(model, groups, first).geometry.heads == 2
    assert side.layout(preset("deepseek-v3.2"), preset("deepseek-v3.2").groups[0], first).row_bytes == 656


def test_what_a_request_takes_of_all_ranks() -> None:
    """MLA is on every TP rank: 144 MB of deepseek-v3 are 576 MB on four and 1151 MB on eight; Llama's heads are not."""
    assert round(DEEPSEEK.logical_bytes(2048, 2) / 1e6) == 144
    assert round(Side(Parallel(4)).held_bytes(DEEPSEEK, 2048) / 1e6) == 576
    assert round(Side(Parallel(8)).held_bytes(DEEPSEEK, 2048) / 1e6) == 1151
    assert Side(Parallel(8, 4)).held_bytes(LLAMA, 2048) == LLAMA.logical_bytes(2048, 2)
    assert Side(Parallel(16)).held_bytes(LLAMA, 2048) == 2 * LLAMA.logical_bytes(2048, 2)
    assert Side(Parallel(1, dp=8)).held_bytes(DEEPSEEK, 2048) == DEEPSEEK.logical_bytes(2048, 2)
