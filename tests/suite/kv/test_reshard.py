"""Handovers between parallel layouts, proved by the oracle, and their sizes."""

from __future__ import annotations

import random
import time
from itertools import product

import numpy as np
import pytest

from suite.errors import BadInput
from suite.kv import reshard
from suite.kv.geometry import Layout, Order
from suite.kv.groups import LayerGroup, Model
from suite.kv.models import PRESETS, preset
from suite.kv.pairs import Pair, pairs
from suite.kv.parallel import Parallel
from suite.kv.plan import LENGTH
from suite.kv.pool import Pool
from suite.kv.side import Side
from tests.suite.kv.cases import (
    ORDERS,
    every_topology,
    fits,
    grouped,
    is_latent,
    latent,
    random_case,
    replicated,
    topologies,
    uneven,
)
from tests.suite.kv.oracle import Case, counted, run

QUICK_STEP, QUICK_RANDOM = 97, 80
SHARES = {replicated: 1 / 5, uneven: 1 / 5, is_latent: 1 / 10}


def prove_random(count: int) -> None:
    """Prove `count` random cases; enough of them must be of the kinds that go wrong."""
    rng = random.Random(count)  # noqa: S311  cases, not secrets
    seen = dict.fromkeys(SHARES, 0)
    for _ in range(count):
        case = random_case(rng)
        counted(case, run(case))
        for kind in seen:
            seen[kind] += kind(case)
    for kind, share in SHARES.items():
        assert seen[kind] >= share * count, kind.__name__


def test_topologies_hand_over_every_byte() -> None:
    """A sample of all pairs of topologies with up to four ranks a side."""
    for case in every_topology(QUICK_STEP):
        counted(case, run(case))


def test_random_cases_hand_over_every_byte() -> None:
    """Random models, topologies, orders, block sizes, prefixes and tables."""
    prove_random(QUICK_RANDOM)


@pytest.mark.deep
def test_all_topologies_hand_over_every_byte() -> None:
    """All pairs of topologies with up to four ranks a side, MLA and one to four heads, every order and DP group."""
    number = 0
    for case in every_topology():
        counted(case, run(case))
        number += 1
    assert number > 10_000


@pytest.mark.deep
def test_ten_thousand_random_cases_hand_over_every_byte() -> None:
    """At least a fifth with replicated heads, a fifth with uneven stages, a tenth MLA."""
    prove_random(10_000)


@pytest.mark.deep
@pytest.mark.parametrize("name", ["gpt-oss-120b", "mimo-v2-flash", "deepseek-v3.2", "qwen3-235b-a22b"])
def test_real_models_hand_over_every_byte(name: str) -> None:
    """First layers of presets with windows, K and V apart, an indexer, replicated heads: TP2 PP2 to TP8, a prefix cached."""
    case = Case(preset(name).first(6), Side(Parallel(2, 2), 32, 1), Side(Parallel(8), 16, 1), tokens=200, cached=48)
    counted(case, run(case))


def test_what_does_not_fit_is_refused_and_nothing_else() -> None:
    """Over all pairs of small topologies, a `BadInput` is raised exactly where heads or TPs do not divide."""
    for model, prefill, decode in product((latent(), *map(grouped, (1, 2, 3, 4))), topologies(4), topologies(4)):
        if fits(model, prefill.tp, decode.tp):
            assert pairs(model, model.groups[0], Side(prefill), Side(decode))
        else:
            with pytest.raises(BadInput, match="must divide"):
                pairs(model, model.groups[0], Side(prefill), Side(decode))


@pytest.mark.parametrize(
    ("sides", "rows", "nbytes"),
    [
        ((2, 2, Order.HND, 4), 1, 6 * 2 * 2 * 4 * 16),  # identical: the whole slot
        ((1, 4, Order.HND, 4), 6 * 2, 1 * 4 * 16),  # unequal heads: layers x (K, V), each min(heads) of a page
        ((4, 1, Order.HND, 4), 6 * 2, 1 * 4 * 16),
        ((2, 4, Order.NHD, 4), 6 * 2 * 4, 1 * 16),  # NHD: each token too
        ((4, 8, Order.NHD, 4), 1, 6 * 2 * 1 * 4 * 16),  # replicated at decode, yet one head here and there
        ((2, 2, Order.HND, 2), 6 * 2 * 2, 2 * 16),  # smaller blocks at decode: each head's piece
        ((2, 2, Order.NHD, 2), 6 * 2, 2 * 2 * 16),
    ],
)
def test_descriptors_are_as_long_as_they_can_be(sides: tuple[int, int, Order, int], rows: int, nbytes: int) -> None:
    """The fragments of a block are those of TensorRT-LLM's mappers; 6 layers, 4 heads of 16 bytes, blocks of 4."""
    prefill_tp, decode_tp, order, decode_block = sides
    model = grouped(4, layers=6, dim=8)
    pair = pairs(
        model,
        model.groups[0],
        Side(Parallel(prefill_tp), 4, 2, order),
        Side(Parallel(decode_tp), decode_block, 2, order),
    )[0]
    sizes = reshard.sizes(pair, tokens=decode_block)
    assert (sizes.descriptors, sizes.wire_bytes) == (rows, rows * nbytes)


def test_heads_that_replicas_hold_are_sent_in_turn() -> None:
    """Of prefill ranks with the same heads, decode's DP group says which writes, so that none is always the one."""
    model = grouped(2)
    for decode_dp, writers in ((0, [0, 2]), (1, [1, 3]), (2, [0, 2])):
        found = pairs(model, model.groups[0], Side(Parallel(4)), Side(Parallel(1, dp=3)), decode_dp=decode_dp)
        assert [pair.source.rank.tp for pair in found] == writers
    model = latent()
    found = pairs(model, model.groups[0], Side(Parallel(4)), Side(Parallel(2, dp=2)), decode_dp=1)
    assert [(pair.source.rank.tp, pair.destination.rank.tp) for pair in found] == [(1, 0), (3, 1)]


def small_plan(pair: Pair, tokens: int, *, blocks: int = 9, **changes: int) -> tuple[reshard.Plan, tuple[Pool, Pool]]:
    pools = (Pool(pair.source.layout, blocks, 1 << 20), Pool(pair.destination.layout, blocks, 1 << 30, 3))
    tables = tuple(np.arange(-(-tokens // pool.layout.tokens_per_block)) for pool in pools)
    return reshard.plan(pair, pools, (tables[0], tables[1]), tokens=tokens, **changes), pools


def test_a_plan_is_ordered_and_repeatable() -> None:
    """Twice the same bytes, rows by token and then by prefill's memory, devices from the pools."""
    model = grouped(4)
    pair = pairs(model, model.groups[0], Side(Parallel(1), 4), Side(Parallel(2), 4))[1]
    one, other = (small_plan(pair, 12)[0] for _ in range(2))
    assert one.source.tobytes() == other.source.tobytes()
    assert one.destination.tobytes() == other.destination.tobytes()
    assert (np.diff(one.source[:, 0].astype(np.int64)) > 0).all()
    assert set(one.source[:, 2]) == {0}
    assert set(one.destination[:, 2]) == {3}
    for side in (one.source, one.destination):
        assert side.dtype == np.uint64
        assert side.flags.c_contiguous


def test_layer_by_layer_is_the_same_transfer() -> None:
    """The plans of stretches of layers, one after the other, move what the whole plan moves; some may be empty."""
    model = Model("m", 7, (LayerGroup("full", (0, 2, 3, 6), 2, 4, 2),))
    for order in ORDERS:
        prefill, decode = Side(Parallel(2, 2), 4, 1, order[0]), Side(Parallel(4, 3), 2, 1, order[1])
        for pair in pairs(model, model.groups[0], prefill, decode):
            whole, pools = small_plan(pair, 9)
            parts = [small_plan(pair.only(range(layer, layer + 1)), 9)[0] for layer in range(7)]
            assert [len(part) > 0 for part in parts] == [layer in pair.layers for layer in range(7)]
            assert sum(part.wire_bytes for part in parts) == whole.wire_bytes
            assert sum(part.logical_bytes for part in parts) == whole.logical_bytes
            assert moved(whole) == {byte for part in parts for byte in moved(part)}
            assert reshard.sizes(pair.only(range(9, 9)), tokens=9) == reshard.Sizes()
            assert pools[0].layout == pair.only(range(2, 3)).source.layout


def moved(plan: reshard.Plan) -> set[tuple[int, int]]:
    """Return every (source byte, destination byte)."""
    return {
        (int(a) + i, int(b) + i)
        for (a, length, _), (b, _, _) in zip(plan.source.tolist(), plan.destination.tolist(), strict=True)
        for i in range(length)
    }


def test_nothing_missing_is_an_empty_plan() -> None:
    """A prompt that decode has already moves no byte, but a state still does."""
    model = preset("nemotron-3-nano-30b")
    for group in model.groups:
        pair = pairs(model, group, Side(), Side(Parallel(2)))[0]
        tokens = 64
        pools = (Pool(pair.source.layout, 2, 0), Pool(pair.destination.layout, 2, 1 << 40))
        count = 1 if group.per_request else 2
        plan = reshard.plan(pair, pools, (np.arange(count), np.arange(count)), tokens=tokens, cached=tokens)
        assert (len(plan) > 0) == group.per_request
        assert plan.source.shape == (len(plan), 3)


def test_pools_and_tables_must_be_the_pairs_own() -> None:
    """A pool of another layout, a table too long, a block twice or outside: refused before any byte moves."""
    model = grouped(4)
    pair = pairs(model, model.groups[0], Side(Parallel(1), 4), Side(Parallel(2), 4))[0]
    good = Pool(pair.source.layout, 9, 0), Pool(pair.destination.layout, 9, 1 << 30)
    tables = np.arange(3), np.arange(3)
    with pytest.raises(BadInput, match="the pair needs") as caught:
        reshard.plan(pair, (good[0], Pool(pair.source.layout, 9, 1 << 30)), tables, tokens=12)
    assert caught.value.code == "other-pool"
    with pytest.raises(BadInput, match="a prompt of 12 tokens has 3"):
        reshard.plan(pair, good, (np.arange(4), np.arange(3)), tokens=12)
    for twice in ((np.array([1, 0, 1]), np.arange(3)), (np.arange(3), np.array([1, 0, 1]))):
        with pytest.raises(BadInput, match="names a block twice"):
            reshard.plan(pair, good, twice, tokens=12)
    with pytest.raises(IndexError, match="outside a pool of 9"):
        reshard.plan(pair, good, (np.arange(3), np.array([0, 1, 9])), tokens=12)


@pytest.mark.parametrize(
    ("model", "sides", "tokens", "gigabytes"),
    [
        ("qwen3-235b-a22b", (Parallel(2), Parallel(8)), 32768, (6.31, 12.62)),
        ("deepseek-v3", (Parallel(4, 2), Parallel(8)), 32768, (2.30, 18.4)),
        ("deepseek-v3", (Parallel(4, 2), Parallel(1, dp=8)), 32768, (2.30, 2.30)),
        ("gpt-oss-120b", (Parallel(1), Parallel(8)), 131072, (4.84, 4.84)),
        ("llama-3.1-8b", (Parallel(8), Parallel(1)), 131072, (17.2, 17.2)),
    ],
)
def test_totals_are_the_published_ones(
    model: str, sides: tuple[Parallel, Parallel], tokens: int, gigabytes: tuple[float, float]
) -> None:
    """Logical and wire gigabytes of published examples: replicated heads, MLA to eight ranks and with attention-DP."""
    total = reshard.total(preset(model), *map(Side, sides), tokens=tokens)
    assert (total.logical_bytes / 1e9, total.wire_bytes / 1e9) == pytest.approx(gigabytes, rel=5e-3)


def test_a_short_prompt_is_padded_to_its_block() -> None:
    """A hundred tokens in blocks of 128 move 1.28 times their bytes, unless decode's blocks are smaller."""
    large = Side(tokens_per_block=128)
    total = reshard.total(preset("llama-3.1-8b"), large, large, tokens=100)
    assert total.wire_bytes == total.padded_bytes
    assert total.padded_bytes * 100 == 128 * total.logical_bytes
    total = reshard.total(preset("llama-3.1-8b"), large, Side(tokens_per_block=16), tokens=100)
    assert total.padded_bytes * 100 == 112 * total.logical_bytes


def test_a_total_is_the_sum_of_its_groups() -> None:
    """Over every preset, from one rank to eight: the model's own bytes, and each group's."""
    ends = Side(Parallel(1)), Side(Parallel(8), 64)
    for model in PRESETS.values():
        total = reshard.total(model, *ends, tokens=1000)
        parts = [reshard.group_total(model, group, *ends, tokens=1000) for group in model.groups]
        assert total == sum(parts, reshard.Sizes())
        assert total.logical_bytes == model.logical_bytes(1000, 2)
        assert total.logical_bytes <= total.padded_bytes <= total.wire_bytes


def test_published_descriptor_counts() -> None:
    """A layer at a time, 8192 tokens of deepseek-v3 in pages of 64 are 7808 descriptors of 72 KiB."""
    model = preset("deepseek-v3")
    (pair,) = pairs(model, model.groups[0], Side(tokens_per_block=64), Side(tokens_per_block=64))
    sizes = [reshard.sizes(pair.only(range(layer, layer + 1)), tokens=8192) for layer in range(61)]
    assert sum(one.descriptors for one in sizes) == 7808
    assert {one.wire_bytes // one.descriptors for one in sizes} == {72 << 10}


def llama_plan() -> tuple[Pair, tuple[Pool, Pool], tuple[np.ndarray, np.ndarray], int]:
    """Return what makes 120,000 descriptors: llama-3.1-70b, TP2 to TP8, 24,000 tokens, blocks in any order."""
    model, rng = preset("llama-3.1-70b"), np.random.default_rng(1)
    pair = pairs(model, model.groups[0], Side(Parallel(2)), Side(Parallel(8)))[5]
    layouts: tuple[Layout, Layout] = (pair.source.layout, pair.destination.layout)
    pools = (Pool(layouts[0], 2000, 1 << 40), Pool(layouts[1], 2000, 3 << 40))
    return pair, pools, (rng.permutation(2000)[:750], rng.permutation(2000)[:750]), 24_000


@pytest.mark.deep
def test_120_000_descriptors_take_no_python_loop() -> None:
    """The bound is 100 ms; five times that is a loop over descriptors, not a busy machine."""
    pair, pools, tables, tokens = llama_plan()
    started = time.perf_counter()
    plan = reshard.plan(pair, pools, tables, tokens=tokens)
    assert time.perf_counter() - started < 0.5
    assert len(plan) == 120_000
    assert set(plan.source[:, LENGTH]) == {8192}


def test_spare_blocks_in_tables_change_nothing() -> None:
    """Decode may list its cached blocks, and prefill blocks that nobody needs."""
    sides = Side(Parallel(2), 2, 1), Side(Parallel(4), 4, 1)
    model = grouped(4)
    plans = [run(Case(model, *sides, 13, 4, spare=spare))[0].plans for spare in product((0, 2), repeat=2)]
    assert len({sum(plan.wire_bytes for _, plan in one) for one in plans}) == 1
